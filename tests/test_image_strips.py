"""Images filtered in bands of rows: the same pixels as in one piece, in little memory, whole or not at all."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strip_files import page_of, picture, read_tiff, tifffile, write_tiff

from sigconv import images
from sigconv.errors import SigconvError
from sigconv.io import images as files
from sigconv.io import strips
from sigconv.io.images.tiff_layout import Layout
from sigconv.io.images.tiff_tags import Kind
from sigconv.io.strips import Chain, Stage

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "images"
DTYPES = ("uint8", "uint16", "float32", "float64", "int16", "float16")
seeds = st.integers(0, 2**32 - 1)


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


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_means_of_floats_do_not_depend_on_the_band(dtype):
    for seed in range(100):
        rng = np.random.default_rng(seed)
        k, rows, columns = (int(n) for n in rng.integers((2, 20, 3), (6, 60, 50)))
        x = picture(rng, (rows, columns, 3), dtype)
        first = int(rng.integers(1, rows // k)) * k
        assert np.array_equal(images.box(x, k)[first + k // 2 :], images.box(x[first:], k)[k // 2 :]), seed


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
    small = Layout(Kind("<"), (10, 10, 1), np.dtype("u1"), 8, (10, 10))
    assert not small.resized((60000, 60000, 1), np.dtype("u1")).kind.big
    assert small.resized((65000, 65000, 1), np.dtype("u1")).kind == Kind("<", True)
    packed = Layout(Kind("<"), (10, 10, 1), np.dtype("u1"), 8, (1000, 10), compression=8)
    wide = packed.resized((40000, 40000, 1), np.dtype("f4"))
    assert wide.kind.big and wide.block == (6, 40000)  # 1 MiB instead of 160 MB


def same_as_whole(path, out):
    """What bands are of a file, and become, is what a file read and written whole is."""
    picture = files.read(path)
    with closing(strips.open_rows(path)) as source:
        (page,) = picture.pages
        assert np.array_equal(source.rows(0, source.shape[0]), page) and source.dtype == page.dtype
        assert source.shape == page.shape and source.orientation == picture.about.orientation
        assert (source.format, source.color, source.alpha) == (picture.format, picture.color, picture.alpha)
    strips.apply(path, out, [Stage.around(lambda a: images.gaussian(a, 2), 8)], overwrite=True, rows=10)
    result = files.read(out)
    assert np.array_equal(result.pages[0], images.gaussian(page, 2))
    for name in ("format", "color", "alpha", "bits", "palette"):
        assert getattr(result, name) == getattr(picture, name)
    for name in ("icc", "exif", "xmp", "dpi", "orientation", "lost"):
        assert getattr(result.about, name) == getattr(picture.about, name)


def test_real_files(tmp_path):
    if not DATA.is_dir():
        pytest.skip("the shared images are not here")
    for name in ("gray16_be.tif", "gray_32bit.tiff", "rgb16.tiff", "rgb16_planar.tiff", "hopper_16bit.pgm"):
        path = tmp_path / name
        path.write_bytes((DATA / name).read_bytes())
        same_as_whole(path, tmp_path / f"out-{name}")
        same_as_whole(path, path)  # over itself


@given(seeds, st.integers(1, 60), st.integers(1, 40), st.sampled_from(["", 3, 4]), LAYOUTS, st.booleans())
def test_bands_and_the_whole_agree_on_what_a_file_holds(
    tmp_path_factory, seed, rows, columns, channels, layout, planar
):
    folder = tmp_path_factory.mktemp("agree")
    rng = np.random.default_rng(seed)
    x = picture(rng, (rows, columns) + ((channels,) if channels else ()), rng.choice(DTYPES))
    tags = [(274, "H", 1, int(rng.integers(1, 9)), True), (700, "B", 5, b"<x/> ", True)]
    write_tiff(folder / "in.tif", x, planar, **layout, resolution=(300, 150), iccprofile=b"icc" * 9, extratags=tags)
    same_as_whole(folder / "in.tif", folder / "out.tif")


# Pages ----------------------------------------------------------------------------------------------------------------
@given(seeds, LAYOUTS, st.booleans(), st.sampled_from(DTYPES), st.lists(st.integers(1, 40), min_size=2, max_size=5))
def test_pages_are_filtered_one_after_the_other(tmp_path_factory, seed, layout, planar, dtype, sizes):
    folder, rng = tmp_path_factory.mktemp("pages"), np.random.default_rng(seed)
    pages = [picture(rng, (rows, 45 - rows, 3), dtype) for rows in sizes]
    layout = {name: value for name, value in layout.items() if value is not None}
    kind = dict(byteorder=layout.pop("byteorder"), bigtiff=layout.pop("bigtiff"))
    if "tile" in layout:
        del layout["rowsperstrip"]
    if layout.get("compression") in (None, "packbits") or dtype == "int16":
        layout.pop("predictor")
    with tifffile.TiffWriter(folder / "in.tif", **kind) as file:
        for k, page in enumerate(pages):
            way = dict(planarconfig="separate" if planar else "contig", photometric="rgb", metadata=None)
            tags = dict(resolution=(72 + k, 72), extratags=[(285, "s", 0, f"page {k}", True)])
            file.write(np.moveaxis(page, -1, 0) if planar else page, **layout, **way, **tags)
    told = []
    blur = Stage.around(lambda a: images.gaussian(a, 2), 8)
    tell = lambda *row: told.append(row)  # noqa: E731
    strips.apply(folder / "in.tif", folder / "out.tif", [blur], tell, rows=7)
    assert told[-1] == (sum(sizes), sum(sizes)) and [row for row, _ in told] == sorted({row for row, _ in told})
    found, before = files.read(folder / "out.tif"), files.read(folder / "in.tif")
    assert all(np.array_equal(y, images.gaussian(x, 2)) for y, x in zip(found.pages, pages, strict=True))
    with tifffile.TiffFile(folder / "in.tif") as one, tifffile.TiffFile(folder / "out.tif") as other:
        assert (one.byteorder, one.is_bigtiff) == (other.byteorder, other.is_bigtiff)
        for a, b in zip(one.pages, other.pages, strict=True):
            for code in (259, 262, 277, 278, 282, 284, 285, 317, 322, 323, 339):
                assert (a.tags[code].value if code in a.tags else 1) == (b.tags[code].value if code in b.tags else 1)
    assert before.about.dpi == found.about.dpi


def test_pages_that_no_band_can_hold(tmp_path, rng):
    x = picture(rng, (30, 20), "uint8")
    tifffile.imwrite(tmp_path / "in.tif", np.stack([x, x]), photometric="minisblack")
    with pytest.raises(SigconvError, match=r"out\.npy: cannot hold 2 pages: TIFF can"):
        strips.apply(tmp_path / "in.tif", tmp_path / "out.npy", [])
    with pytest.raises(SigconvError, match=r"in\.tif: has 20 x 30 pixels, more than the limit"):
        strips.apply(tmp_path / "in.tif", tmp_path / "out.tif", [], max_pixels=1199)
    assert os.listdir(tmp_path) == ["in.tif"] and strips.worth_it(tmp_path / "in.tif", 1200)
    tifffile.imwrite(tmp_path / "hidden.tif", x, description="ImageJ=1.11a\nimages=2\n", metadata=None)
    for read in (strips.open_rows, files.read):
        with pytest.raises(SigconvError, match="holds further images that its directory does not list"):
            read(tmp_path / "hidden.tif")


# Memory ---------------------------------------------------------------------------------------------------------------
PEAK = r"""
import re, sys
from sigconv import images
from sigconv.io import images as files
from sigconv.io import strips
strips.apply(sys.argv[1], sys.argv[2], [strips.Stage.around(lambda a: images.gaussian(a, 3), 12)])
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells peaks in /proc")
@pytest.mark.parametrize(
    "options", [{}, {"tile": (256, 256)}, {"compression": "zstd", "rowsperstrip": 16}, {"metadata": None}], ids=str
)
def test_memory_does_not_grow_with_the_image(tmp_path, options):
    peaks = []
    for rows, columns in ((500, 500), (6000, 20000)):
        x = np.broadcast_to(np.arange(columns, dtype=np.uint8), (rows, columns))
        if "metadata" in options:  # many pages
            x = x.reshape(-1, 500, columns)
        tifffile.imwrite(tmp_path / "in.tif", x, photometric="minisblack", **options)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(tmp_path / "in.tif"), str(tmp_path / f"{columns}.tif")],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 48, peaks
