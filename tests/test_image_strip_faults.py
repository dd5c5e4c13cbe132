"""Images filtered in bands of rows: what is damaged or has to be read whole is refused, and nothing is left behind."""

import io
import os
import struct

import numpy as np
import pytest
from strip_files import picture, tifffile, write_tiff

from sigconv.errors import SigconvError
from sigconv.io import images as files
from sigconv.io import strips
from sigconv.io.strips import Stage


def test_what_is_read_whole_says_so(tmp_path, rng):
    x = picture(rng, (50, 40), "uint8")
    for name, options, words in [
        ("white.tif", dict(photometric="miniswhite"), "photometric interpretation 0"),
        ("pages.tif", dict(imagej=True), "several pages"),
        ("jpeg.tif", dict(compression="jpeg", photometric="minisblack"), "compression 7"),
    ]:
        tifffile.imwrite(tmp_path / name, np.stack([x, x]) if name == "pages.tif" else x, **options)
        assert not strips.worth_it(tmp_path / name, 1)
        with pytest.raises(SigconvError, match=rf"{name}: has .*{words}.*: it cannot be filtered in bands of rows"):
            strips.open_rows(tmp_path / name)
    np.save(tmp_path / "turned.npy", np.asfortranarray(x))
    assert not strips.worth_it(tmp_path / "turned.npy", 1)


def test_a_volume_is_refused_by_either_reader(tmp_path, rng):
    x = picture(rng, (4, 33, 47), "uint8")
    tifffile.imwrite(tmp_path / "in.tif", x, volumetric=True, tile=(16, 16, 16), photometric="minisblack")
    for read in (strips.open_rows, files.read):
        with pytest.raises(SigconvError, match=r"in\.tif: is a volume, of which no pages are read"):
            read(tmp_path / "in.tif")


def test_what_is_worth_it(tmp_path, rng):
    write_tiff(tmp_path / "in.tif", picture(rng, (50, 40), "uint16"))
    assert strips.worth_it(tmp_path / "in.tif", 4000) and not strips.worth_it(tmp_path / "in.tif", 4001)
    assert not strips.worth_it(tmp_path / "in.tif") and not strips.worth_it("-") and not strips.worth_it("no.tif", 1)
    assert strips.writes_rows("a.TIF") and not strips.writes_rows("a.png") and not strips.writes_rows("-")


def test_a_stage_that_sees_everything_is_refused(tmp_path, rng):
    write_tiff(tmp_path / "in.tif", picture(rng, (50, 40), "uint8"))
    stage = Stage(abs, whole="edges are followed over all of the image")
    with pytest.raises(SigconvError, match=r"in\.tif: cannot be filtered in bands of rows: edges are followed"):
        strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [stage])
    assert os.listdir(tmp_path) == ["in.tif"]


def test_what_the_result_cannot_be_written_as(tmp_path, rng):
    write_tiff(tmp_path / "in.tif", picture(rng, (50, 40), "uint8"))
    for name, dtype in (("out.pgm", "float32"), ("out.pfm", "uint16")):
        with pytest.raises(SigconvError, match=rf"{name}: P[NF]M holds no images of 1 channels in {dtype}"):
            strips.apply(tmp_path / "in.tif", tmp_path / name, [Stage(lambda a, dtype=dtype: a.astype(dtype))])
    assert os.listdir(tmp_path) == ["in.tif"]


def test_too_many_pixels(tmp_path, rng):
    write_tiff(tmp_path / "in.tif", picture(rng, (50, 40), "uint8"))
    with pytest.raises(SigconvError, match=r"in\.tif: has 40 x 50 pixels, more than the limit of 1,999"):
        strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [], max_pixels=1999)


@pytest.mark.parametrize("at", [1, 3, 5])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_interrupted_run_leaves_nothing(tmp_path, rng, at, error):
    write_tiff(tmp_path / "in.tif", picture(rng, (50, 40), "uint8"), compression="lzw")
    told = []

    def stop(done, total):
        told.append((done, total))
        if len(told) == at:
            raise error("enough")

    (tmp_path / "out.tif").write_bytes(b"what was there")
    with pytest.raises(error):
        strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [], stop, overwrite=True, rows=10)
    assert told == [(10 * (i + 1), 50) for i in range(at)]
    assert sorted(os.listdir(tmp_path)) == ["in.tif", "out.tif"]
    assert (tmp_path / "out.tif").read_bytes() == b"what was there"
    with pytest.raises(SigconvError, match=r"out\.tif exists"):
        strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [])


def damaged(data, name):
    order = "<"
    at = struct.unpack(order + "I", data[4:8])[0]
    count = struct.unpack(order + "H", data[at : at + 2])[0]
    entries = {struct.unpack_from("<H", data, at + 2 + 12 * i)[0]: at + 2 + 12 * i for i in range(count)}
    data = bytearray(data)
    first = struct.unpack_from("<I", data, entries[273] + 8)[0]
    if name == "cut":
        return data[: len(data) * 2 // 3]
    if name == "offset":
        struct.pack_into("<I", data, first + 8, 2**31)
    elif name == "missing":
        struct.pack_into("<I", data, first + 8, 0)
    elif name == "few":
        struct.pack_into("<I", data, entries[273] + 4, 2)
    elif name == "rows":
        struct.pack_into("<I", data, entries[257] + 8, 2**31)
    elif name == "pixels":
        place = struct.unpack_from("<I", data, first + 12)[0]
        data[place + 9 : place + 60] = bytes(51)
    elif name == "directory":
        struct.pack_into("<I", data, 4, len(data) + 10)
    return data


@pytest.mark.parametrize("name", ["cut", "offset", "missing", "few", "rows", "pixels", "directory"])
def test_a_damaged_tiff_is_refused(tmp_path, rng, name):
    path = tmp_path / "in.tif"
    write_tiff(path, picture(rng, (50, 40), "uint8"), compression="deflate", rowsperstrip=5)
    path.write_bytes(damaged(path.read_bytes(), name))
    with pytest.raises(SigconvError, match=r"in\.tif: ") as caught:
        strips.apply(path, tmp_path / "out.tif", [], rows=10)
    assert "\n" not in str(caught.value)
    if name == "pixels":
        assert str(caught.value).endswith("is damaged in its rows 15 to 19")
    assert os.listdir(tmp_path) == ["in.tif"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"P5\n20 30\n255\n" + bytes(599), "ends in the middle"),
        (b"P5\n20\n", "is damaged: its header is not complete"),
        (b"P5\n0 30\n255\n", "has 0 x 30 pixels"),
        (b"P5\n20 30\n1000\n" + bytes(1200), "has values of up to 1000"),
        (b"Pf\n20 x\n-1.0\n", "is damaged: its header is not complete"),
        (b"Pf\n2 3\n-1.1.0\n" + bytes(24), "is damaged: its header is not complete"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': '|O',}", "is damaged: its header makes no sense"),
        (b"\x93NUMPY\x01\x00\x0c\x00{'descr': ('", "is damaged: its header makes no sense"),
        (b"GIF89a", "is of a format that is read whole"),
        (b"", "is of a format that is read whole"),
    ],
)
def test_other_damaged_files(tmp_path, data, words):
    (tmp_path / "in").write_bytes(data)
    with pytest.raises(SigconvError, match=f"in: {words}"):
        strips.open_rows(tmp_path / "in")


def test_random_damage_is_an_error_or_an_image(tmp_path, rng):
    whole = io.BytesIO()
    for number in range(int(os.environ.get("SIGCONV_EXAMPLES", "50")) * 4):
        if number % 20 == 0:
            whole = io.BytesIO()
            options = dict(bigtiff=number % 60 == 0, predictor=True, tile=(None, (16, 16))[number // 80 % 2])
            options["compression"] = (None, "lzw", "deflate", "packbits")[number // 20 % 4]
            write_tiff(whole, picture(rng, (30, 20, 3), "uint16"), number % 40 == 0, **options)
        data = bytearray(whole.getvalue())
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.choice([0, 1, 255, rng.integers(256)])
        (tmp_path / "in.tif").write_bytes(data[: rng.integers(len(data))] if number % 9 == 0 else data)
        try:
            strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [], overwrite=True, rows=8, max_pixels=10**6)
        except SigconvError:
            assert os.listdir(tmp_path) == ["in.tif"]
        else:
            os.unlink(tmp_path / "out.tif")
