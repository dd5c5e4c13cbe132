"""Images filtered in bands of rows: the same pixels as in one piece, in little memory, whole or not at all."""

import io
import os
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigconv import images
from sigconv.errors import SigconvError
from sigconv.io import strips
from sigconv.io.strips import Chain, Stage
from sigconv.io.strips.layout import Layout
from sigconv.io.strips.tags import Kind

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "images"
DTYPES = ("uint8", "uint16", "float32", "float64", "int16", "float16")
seeds = st.integers(0, 2**32 - 1)


def picture(rng, shape, dtype):
    dtype = np.dtype(dtype)
    return (rng.random(shape) * (200 if dtype in (np.uint8, np.float16) else 30000)).astype(dtype)


@st.composite
def stages(draw, most=3):
    """A chain, and what it is called where it fails."""
    found, names = [], []
    border = draw(st.sampled_from(["mirror", "reflect", "nearest", "constant"]))
    for _ in range(draw(st.integers(1, most))):
        name = draw(
            st.sampled_from(["gaussian", "box", "erode", "median", "sobel", "uneven", "unsharp", "pool", "thin"])
        )
        k, sigma = draw(st.integers(1, 9)), draw(st.sampled_from([0.3, 1.0, 2.5]))
        reach, before = int(4 * sigma + 0.5), k // 2
        options = dict(border=border)
        if name == "pool":
            kind, stride, padding = (
                draw(st.sampled_from(["max", "min", "mean"])),
                draw(st.integers(1, 4)),
                draw(st.integers(0, k // 2)),
            )
            step = Stage(
                lambda a, kind=kind, k=k, stride=stride, padding=padding: images.pool(
                    a, kind, (k, 1), (stride, 1), (padding, 0)
                ),
                k,
                stride,
                (padding, padding),
            )
        elif name == "thin":
            step = Stage.around(lambda a, o=options: images.sharpen(a, **o)[::3], 1, stride=3)
        elif name == "uneven":
            w = np.arange(1.0, 1 + k * 3).reshape(k, 3) / (2 * k)
            step = Stage.around(lambda a, w=w, o=options: images.filter(a, w, **o), before, k - 1 - before)
        elif name in ("gaussian", "unsharp"):
            step = Stage.around(lambda a, f=name, s=sigma, o=options: getattr(images, f)(a, s, **o), reach)
        elif name == "sobel":
            step = Stage.around(lambda a, o=options: images.sobel(a, **o), 1)
        else:
            k = min(k, 4) if name == "median" else k
            before = k // 2
            step = Stage.around(
                lambda a, f=name, k=k, o=options: getattr(images, f)(a, k, **o), before, k - 1 - before, align=k
            )
        found.append(step)
        names.append((name, k, sigma, border))
    return found, names


def in_one_piece(x, chain):
    for stage in chain:
        x = stage.apply(x)
    return x


# Which rows a band needs ----------------------------------------------------------------------------------------------
@given(
    seeds,
    st.integers(1, 90),
    st.integers(1, 20),
    st.sampled_from(["", 1, 3]),
    st.sampled_from(DTYPES),
    stages(),
    st.integers(1, 60),
)
def test_a_chain_over_bands_gives_the_pixels_of_the_whole(seed, rows, columns, channels, dtype, chain, step):
    found, names = chain
    plan = Chain(found, rows)
    total = plan.heights[-1]
    if 0 in plan.heights:
        return
    x = picture(np.random.default_rng(seed), (rows, columns) + ((channels,) if channels else ()), dtype)
    whole = in_one_piece(x, found)
    assert len(whole) == total, names
    for low in range(0, total, step):
        high = min(low + step, total)
        spans = plan.spans(low, high)
        assert spans[-1] == (low, high) and 0 <= spans[0][0] < spans[0][1] <= rows
        band = plan.run(x[slice(*spans[0])], spans)
        assert band.dtype == whole.dtype and np.array_equal(band, whole[low:high], equal_nan=True), names


def test_a_band_reads_little_more_than_it_gives():
    plan = Chain([Stage.around(abs, 12), Stage(abs, 2, 2), Stage.around(abs, 0, 3)], 10000)
    assert plan.spans(1000, 1100) == [(1988, 2218), (2000, 2206), (1000, 1103), (1000, 1100)]
    assert plan.heights == [10000, 10000, 5000, 5000] and plan.reach == 32


# Files ----------------------------------------------------------------------------------------------------------------
LAYOUTS = st.fixed_dictionaries(
    dict(
        compression=st.sampled_from([None, None, "lzw", "deflate", "packbits", "zstd"]),
        tile=st.sampled_from([None, None, (16, 16), (16, 48)]),
        byteorder=st.sampled_from("<>"),
        bigtiff=st.booleans(),
        predictor=st.booleans(),
        rowsperstrip=st.sampled_from([1, 5, 1000]),
    )
)


def write_tiff(path, x, planar=False, **options):
    options = {"compression": None, **options}
    if options["compression"] in (None, "packbits") or x.dtype.kind == "i":
        options.pop("predictor", None)
    if options.get("tile"):
        options.pop("rowsperstrip", None)
    color = x.ndim == 3
    options["photometric"] = "rgb" if color else "minisblack"
    if color:
        options["planarconfig"] = "separate" if planar else "contig"
    if color and x.shape[2] == 4:
        options["extrasamples"] = ["unassalpha"]
    tifffile.imwrite(path, np.moveaxis(x, -1, 0) if planar and color else x, **options)


def read_tiff(path):
    with tifffile.TiffFile(path) as file:
        (page,) = file.pages
        x = page.asarray()
        return np.moveaxis(x, 0, -1) if page.planarconfig == 2 else x


def page_of(path):
    with tifffile.TiffFile(path) as file:
        tags = {tag.code: tag.value for tag in file.pages[0].tags}
        return tags, file.byteorder, file.is_bigtiff


@given(
    seeds, st.integers(1, 80), st.integers(1, 60), st.sampled_from(["", 3, 4]), st.sampled_from(DTYPES), LAYOUTS,
    st.booleans(), stages(2), st.integers(1, 50),
)  # fmt: skip
def test_tiffs_of_any_layout(tmp_path_factory, seed, rows, columns, channels, dtype, layout, planar, chain, step):
    folder = tmp_path_factory.mktemp("tiff")
    x = picture(np.random.default_rng(seed), (rows, columns) + ((channels,) if channels else ()), dtype)
    write_tiff(folder / "in.tif", x, planar, **layout)
    found, names = chain
    if 0 in Chain(found, rows).heights:
        with pytest.raises(SigconvError, match=r"in\.tif: \d+ rows are too few"):
            strips.apply(folder / "in.tif", folder / "out.tif", found)
        return
    with closing(strips.open_rows(folder / "in.tif")) as source:
        assert (source.shape, source.dtype, source.alpha) == (x.shape, x.dtype, channels == 4)
        assert np.array_equal(source.rows(0, rows), x) and np.array_equal(source.rows(rows // 2, rows), x[rows // 2 :])
    strips.apply(folder / "in.tif", folder / "out.tif", found, rows=step)
    assert sorted(os.listdir(folder)) == ["in.tif", "out.tif"]
    assert np.array_equal(read_tiff(folder / "out.tif"), in_one_piece(x, found)), names
    (before, *kind), (after, *same) = page_of(folder / "in.tif"), page_of(folder / "out.tif")
    assert kind == same
    for code in (259, 262, 277, 284, 317, 322, 323, 338, 339, 258, 282, 305):
        assert before.get(code) == after.get(code), code


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_result_of_another_dtype(tmp_path, rng, dtype, compression):
    x = picture(rng, (40, 30, 3), dtype)
    other = "float32" if dtype == "uint8" else "uint16"
    write_tiff(tmp_path / "in.tif", x, compression=compression, predictor=True)
    strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [Stage(lambda a: a.astype(other))], rows=7)
    assert np.array_equal(read_tiff(tmp_path / "out.tif"), x.astype(other))


@pytest.mark.parametrize("suffix", ["pgm", "ppm", "npy", "pfm", "tif"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_formats_without_a_layout(tmp_path, rng, suffix, order, dtype):
    shape = (37, 23, 3) if suffix in ("ppm", "npy") else (37, 23)
    x = picture(rng, shape, dtype)
    path = tmp_path / f"in.{suffix}"
    if suffix == "npy":
        np.save(path, x.astype(x.dtype.newbyteorder(order)))
    elif suffix == "pfm":
        x = x.astype(np.float32)
        scale = "-1.5" if order == "<" else "2"
        path.write_bytes(f"Pf\n23 37\n{scale}\n".encode() + x[::-1].astype(order + "f4").tobytes())
    elif suffix == "tif":
        write_tiff(path, x, byteorder=order)
    elif dtype == "float32":
        return
    else:
        most = np.iinfo(dtype).max
        head = f"P{6 if suffix == 'ppm' else 5} # made here\n23\n# rows\n37 {most}\n".encode()
        path.write_bytes(head + x.astype(x.dtype.newbyteorder(">")).tobytes())
    blur = [Stage.around(lambda a: images.gaussian(a, 1.5), 6)]
    with closing(strips.open_rows(path)) as source:
        assert (source.shape, source.dtype) == (x.shape, x.dtype)
    strips.apply(path, tmp_path / f"out.{suffix}", blur, rows=5)
    with closing(strips.open_rows(tmp_path / f"out.{suffix}")) as source:
        assert np.array_equal(source.rows(0, 37), images.gaussian(x, 1.5))
    if suffix == "npy":
        assert np.load(tmp_path / "out.npy").dtype.str == x.dtype.newbyteorder(order).str
    if suffix == "pfm":
        assert (tmp_path / "out.pfm").read_bytes().startswith(f"Pf\n23 37\n{scale}\n".encode())
    strips.apply(path, tmp_path / "other.npy", blur, rows=8)
    assert np.array_equal(np.load(tmp_path / "other.npy"), images.gaussian(x, 1.5))
    strips.apply(path, tmp_path / "other.tif", blur, rows=8)
    assert np.array_equal(read_tiff(tmp_path / "other.tif"), images.gaussian(x, 1.5))


def test_what_travels_along(tmp_path, rng):
    Image = pytest.importorskip("PIL.Image")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    for below, values in ((0x8769, {0x829A: 1 / 250, 0x9003: "2024:02:29 12:00:00"}), (0x8825, {1: "N"})):
        exif.get_ifd(below).update(values)
        exif[below] = 0  # Pillow writes those that are named here
    image = Image.fromarray(picture(rng, (50, 40, 3), "uint8"))
    image.save(tmp_path / "in.tif", exif=exif, icc_profile=b"profile" * 33, dpi=(300, 300))
    strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [Stage(lambda a: 255 - a)], rows=9)
    with Image.open(tmp_path / "in.tif") as before, Image.open(tmp_path / "out.tif") as after:
        assert after.info == before.info and after.info["icc_profile"] == b"profile" * 33
        old, new = before.getexif(), after.getexif()
        assert new[0x0112] == 6 and new[0x010F] == "A camera"
        for below in (0x8769, 0x8825):
            assert old.get_ifd(below) == new.get_ifd(below) != {}
        assert np.array_equal(255 - np.asarray(before), np.asarray(after))  # Pillow turns them


def test_a_description_that_tells_the_size_does_not_outlive_it(tmp_path, rng):
    x = picture(rng, (50, 40), "uint8")
    write_tiff(tmp_path / "in.tif", x)
    assert page_of(tmp_path / "in.tif")[0][270] == '{"shape": [50, 40]}'
    halve = Stage(lambda a: a[::2, ::2], 1, 2)
    strips.apply(tmp_path / "in.tif", tmp_path / "half.tif", [halve])
    strips.apply(tmp_path / "in.tif", tmp_path / "same.tif", [])
    assert 270 not in page_of(tmp_path / "half.tif")[0] and 270 in page_of(tmp_path / "same.tif")[0]
    assert np.array_equal(tifffile.imread(tmp_path / "half.tif"), x[::2, ::2])


def test_past_4_gigabytes_a_tiff_has_wide_offsets():
    small = Layout(Kind("<"), (10, 10, 1), np.dtype("u1"), (10, 10))
    assert not small.resized((60000, 60000, 1), np.dtype("u1")).kind.big
    assert small.resized((65000, 65000, 1), np.dtype("u1")).kind == Kind("<", True)
    packed = Layout(Kind("<"), (10, 10, 1), np.dtype("u1"), (1000, 10), compression=8)
    wide = packed.resized((40000, 40000, 1), np.dtype("f4"))
    assert wide.kind.big and wide.block == (6, 40000)  # 1 MiB instead of 160 MB


def test_a_real_file_over_itself(tmp_path):
    if not DATA.is_dir():
        pytest.skip("the shared images are not here")
    for name in ("gray16_be.tif", "gray_32bit.tiff", "rgb16.tiff", "rgb16_planar.tiff", "hopper_16bit.pgm"):
        path = tmp_path / name
        path.write_bytes((DATA / name).read_bytes())
        with closing(strips.open_rows(path)) as source:
            x = source.rows(0, source.shape[0])
        strips.apply(path, path, [Stage.around(lambda a: images.gaussian(a, 2), 8)], overwrite=True, rows=10)
        with closing(strips.open_rows(path)) as source:
            assert np.array_equal(source.rows(0, source.shape[0]), images.gaussian(x, 2)), name
            assert source.format == ("pnm" if name.endswith("pgm") else "tiff")


# Whole or not at all --------------------------------------------------------------------------------------------------
def test_what_is_read_whole_says_so(tmp_path, rng):
    x = picture(rng, (50, 40), "uint8")
    for name, options, words in [
        ("white.tif", dict(photometric="miniswhite"), "photometric interpretation 0"),
        ("pages.tif", dict(), "several pages"),
        ("jpeg.tif", dict(compression="jpeg", photometric="minisblack"), "compression 7"),
    ]:
        tifffile.imwrite(tmp_path / name, np.stack([x, x]) if name == "pages.tif" else x, **options)
        assert not strips.worth_it(tmp_path / name, 1)
        with pytest.raises(SigconvError, match=rf"{name}: has .*{words}.*: it cannot be filtered in bands of rows"):
            strips.open_rows(tmp_path / name)
    np.save(tmp_path / "turned.npy", np.asfortranarray(x))
    assert not strips.worth_it(tmp_path / "turned.npy", 1)


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
        (b"P5\n20 30\n255\n" + bytes(599), "ends too early"),
        (b"P5\n20\n", "has a damaged header"),
        (b"P5\n0 30\n255\n", "claims the shape"),
        (b"P5\n20 30\n1000\n" + bytes(1200), "has values of up to 1000"),
        (b"Pf\n20 x\n-1.0\n", "has a damaged header"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': '|O',}", "has a damaged header"),
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


# Memory ---------------------------------------------------------------------------------------------------------------
PEAK = r"""
import re, sys
from sigconv import images
from sigconv.io import strips
strips.apply(sys.argv[1], sys.argv[2], [strips.Stage.around(lambda a: images.gaussian(a, 3), 12)])
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells peaks in /proc")
@pytest.mark.parametrize("options", [{}, {"tile": (256, 256)}, {"compression": "zstd", "rowsperstrip": 16}], ids=str)
def test_memory_does_not_grow_with_the_image(tmp_path, options):
    peaks = []
    for rows, columns in ((500, 500), (6000, 20000)):
        x = np.broadcast_to(np.arange(columns, dtype=np.uint8), (rows, columns))
        tifffile.imwrite(tmp_path / "in.tif", x, **options)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(tmp_path / "in.tif"), str(tmp_path / f"{columns}.tif")],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 48, peaks
