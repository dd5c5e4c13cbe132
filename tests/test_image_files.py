"""Image files: what is read agrees with other libraries, and what is written reads back the same."""

import io
import itertools
import os
import struct
import warnings
import zlib

import image_mutations as mutations
import numpy as np
import pytest
import tifffile
from PIL import Image

from sigconv.io.images import About, ImageError, Picture, format_of, png, read, write

REAL = sorted(path.name for path in mutations.REAL.glob("*")) if mutations.REAL.is_dir() else []
# File: shape, dtype, format, colour, alpha, bits, palette.
KNOWN = {
    "cmyk_jpeg.tif": ((100, 100, 4), "u1", "tiff", "cmyk", False, 8, False),
    "exif_orient2_small.jpg": ((128, 128, 3), "u1", "jpeg", "rgb", False, 8, False),
    "exif_orient6_small.jpg": ((128, 128, 3), "u1", "jpeg", "rgb", False, 8, False),
    "gray.jpg": ((128, 128), "u1", "jpeg", "gray", False, 8, False),
    "gray16_be.tif": ((64, 64), "u2", "tiff", "gray", False, 16, False),
    "gray_32bit.tiff": ((128, 128), "f4", "tiff", "gray", False, 32, False),
    "hopper.bmp": ((128, 128, 3), "u1", "bmp", "rgb", False, 8, False),
    "hopper_16bit.pgm": ((128, 128), "u2", "pnm", "gray", False, 16, False),
    "hopper_emboss.bmp": ((128, 128, 3), "u1", "bmp", "rgb", False, 8, False),
    "palette.png": ((150, 162, 4), "u1", "png", "rgb", True, 8, True),
    "rgb16.tiff": ((40, 100, 3), "u2", "tiff", "rgb", False, 16, False),
    "rgb16_planar.tiff": ((40, 100, 3), "u2", "tiff", "rgb", False, 16, False),
    "rgba.png": ((150, 200, 4), "u1", "png", "rgb", True, 8, False),
    "rgba16.png": ((64, 128, 4), "u2", "png", "rgb", True, 16, False),
}
LOSSY = {"lossy.webp": 12, "jpeg.tif": 16, "cmyk_jpeg.tif": 2, "gray.jpg": 2}
TRAVELS = ("icc", "exif", "xmp", "dpi", "orientation")
samples = mutations.samples


def again(picture, **options):
    """A picture written and read, what stands in the file, and the notes."""
    file = io.BytesIO()
    notes = write(picture, file, **options)
    return read(io.BytesIO(file.getvalue())), file.getvalue(), notes


def assert_same(a, b, most=0):
    assert (a.format, a.color, a.alpha, a.bits) == (b.format, b.color, b.alpha, b.bits)
    for name in TRAVELS:
        assert getattr(a.about, name) == getattr(b.about, name), name
    assert len(a.pages) == len(b.pages)
    for x, y in zip(a.pages, b.pages, strict=True):
        assert x.dtype == y.dtype and x.dtype.isnative and x.flags.c_contiguous and x.shape == y.shape
        assert (
            np.abs(x.astype(np.float64) - y).max() <= most
            if most
            else np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
        )


@pytest.mark.parametrize("name", sorted(mutations.corpus()))
def test_every_file_goes_back_as_it_came(name):
    if name == "truncated.png":
        pytest.skip("it cannot be read")
    picture = read(io.BytesIO(mutations.corpus()[name]))
    back, _, notes = again(picture)
    most = LOSSY.get(name, 30 if name.endswith(".jpg") else 0)
    assert_same(picture, back, most)
    expected = []
    if name == "rgba16.png":
        expected = ["left out: an animation of 2 frames, beside which the still image stands"]
    if picture.palette:
        expected = ["the palette became RGBA" if picture.alpha else "the palette became RGB"]
    if name == "fax.tif":
        expected = ["the fax compression became deflate"]
    assert notes == expected


@pytest.mark.skipif(not REAL, reason="the shared images are not here")
@pytest.mark.parametrize("name", sorted(KNOWN))
def test_real_files_are_what_they_are_known_to_be(name):
    p = read(mutations.REAL / name)
    shape, dtype, *rest = KNOWN[name]
    assert (p.pages[0].shape, p.pages[0].dtype) == (shape, np.dtype(dtype))
    assert [p.format, p.color, p.alpha, p.bits, p.palette] == rest
    orientation = {"exif_orient2_small.jpg": 2, "exif_orient6_small.jpg": 6}.get(name, 1)
    assert p.about.orientation == orientation and (p.about.exif is not None) == (orientation > 1)
    if name.endswith((".tif", ".tiff")):
        x = tifffile.imread(mutations.REAL / name)
        assert np.array_equal(np.moveaxis(x, 0, -1) if "planar" in name else x, p.pages[0])
    elif name not in ("rgba16.png", "hopper_16bit.pgm"):
        assert np.array_equal(
            np.array(Image.open(mutations.REAL / name).convert("RGBA" if p.alpha else None)), p.pages[0]
        )


@pytest.mark.skipif(not REAL, reason="the shared images are not here")
@pytest.mark.parametrize("name", [name for name in REAL if name.endswith((".tif", ".tiff"))])
def test_real_tiffs_keep_their_layout_and_tags(name):
    laid = {"StripOffsets", "StripByteCounts", "TileOffsets", "TileByteCounts", "JPEGTables", "FillOrder"}

    def tags(source):
        with tifffile.TiffFile(source) as file:
            found = {tag.name: tag.value for tag in file.pages[0].tags if tag.name not in laid}
            return {"order": file.byteorder, "big": file.is_bigtiff, **found}

    before, after = tags(mutations.REAL / name), tags(io.BytesIO(again(read(mutations.REAL / name))[1]))
    assert {key: after[key] for key in before} == before


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize(("shape", "options"), [
    ((23, 37), {}), ((23, 37), {"tile": (16, 16)}), ((23, 37, 3), {"photometric": "rgb"}),
])  # fmt: skip
def test_tiffs_of_odd_depths_come_back_to_the_bit(bits, shape, options, tmp_path):
    levels = np.random.default_rng(bits).integers(0, 1 << bits, shape, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", levels, bitspersample=bits, metadata=None, **options)
    picture = read(tmp_path / "a.tif")
    most = (1 << bits) - 1
    assert picture.bits == bits and np.array_equal(picture.pages[0], np.rint(levels.astype(float) * 65535 / most))
    write(picture, tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages[0].bitspersample == bits and np.array_equal(file.pages[0].asarray(), levels)


LAYOUTS = list(
    itertools.product(
        ["none", "lzw", "zlib", "packbits", "zstd", "lzma"],
        ["u1", "u2", "i2", "u4", "f2", "f4", "f8"],
        [1, 2, 3, 4],
        [None, (16, 32)],
        ["contig", "separate"],
        "<>",
        [False, True],
        [False, True],
    )
)


def test_tiffs_of_all_layouts_agree_with_tifffile(rng):
    wanted = min(int(os.environ.get("SIGCONV_EXAMPLES", "120")), len(LAYOUTS))
    for k in rng.permutation(len(LAYOUTS))[:wanted]:
        compression, dtype, count, tile, planar, order, big, predictor = LAYOUTS[k]
        x, file = samples(count=count, dtype=dtype), io.BytesIO()
        separate = planar == "separate" and count > 1
        tifffile.imwrite(
            file,
            np.moveaxis(x, -1, 0) if separate else x,
            photometric="rgb" if count > 2 else "minisblack",
            planarconfig=planar if count > 1 else None,
            extrasamples=["unassalpha"] if count in (2, 4) else None,
            tile=tile,
            rowsperstrip=None if tile else 8,
            compression=None if compression == "none" else compression,
            predictor=predictor and compression in ("lzw", "zlib", "zstd", "lzma"),
            bigtiff=big,
            byteorder=order,
            metadata=None,
        )
        picture = read(io.BytesIO(file.getvalue()))
        assert np.array_equal(picture.pages[0], x) and picture.alpha == (count in (2, 4)), LAYOUTS[k]
        back, data, notes = again(picture)
        assert_same(picture, back)
        with tifffile.TiffFile(io.BytesIO(data)) as written, tifffile.TiffFile(io.BytesIO(file.getvalue())) as source:
            y = written.asarray()
            assert np.array_equal(np.moveaxis(y, 0, -1) if separate else y, x) and notes == []
            assert (written.byteorder, written.is_bigtiff) == (order, big)
            for name in (
                "compression",
                "predictor",
                "is_tiled",
                "planarconfig",
                "rowsperstrip",
                "tile",
                "extrasamples",
            ):
                assert getattr(written.pages[0], name) == getattr(source.pages[0], name), name


def test_premultiplied_alpha_is_divided_out_and_goes_back():
    straight = samples(count=4)
    alpha = straight[..., 3:] / 255.0
    stored = np.concatenate([np.rint(straight[..., :3] * alpha).astype(np.uint8), straight[..., 3:]], axis=2)
    stored[0, :5] = 0
    file = io.BytesIO()
    tifffile.imwrite(file, stored, photometric="rgb", extrasamples=["assocalpha"])
    picture = read(file)
    opaque = straight[..., 3] > 200
    assert np.abs(picture.pages[0].astype(int) - straight)[opaque].max() <= 1 and picture.about.lost == []
    assert np.array_equal(tifffile.imread(io.BytesIO(again(picture)[1])), stored)


def test_pages_and_stacks():
    stack = np.stack([samples(count=1) // k for k in (1, 2, 3, 4, 5)])
    for options in ({"photometric": "minisblack"}, {"imagej": True}, {"ome": True}):
        file = io.BytesIO()
        tifffile.imwrite(file, stack, **options)
        picture = read(file)
        assert np.array_equal(np.stack(picture.pages), stack)
        assert np.array_equal(tifffile.imread(io.BytesIO(again(picture)[1])), stack)
    file = io.BytesIO()
    tifffile.imwrite(file, stack, metadata={}, contiguous=True, truncate=True)
    with pytest.raises(ImageError, match="further images that its directory does not list"):
        read(file)
    with tifffile.TiffWriter(file := io.BytesIO()) as writer:
        writer.write(samples(count=1))
        writer.write(samples(), photometric="rgb")
    with pytest.raises(ImageError, match="pages of different kinds"):
        read(file)
    with pytest.raises(ImageError, match="cannot hold 5 pages"):
        write(picture, io.BytesIO(), format="png")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_widened_and_stay_few(bits):
    levels = np.arange(20 * 13, dtype=np.uint8).reshape(20, 13) % (1 << bits)
    wide = levels * np.uint8(255 // ((1 << bits) - 1))
    for kind in ("png", "tiff", "pnm"):
        back, _, notes = again(Picture([wide], kind, "gray", bits=bits))
        assert np.array_equal(back.pages[0], wide) and back.bits == bits and notes == []
        middle = Picture([np.full((3, 3), 130, np.uint8)], kind, "gray", bits=1)
        assert again(middle)[0].pages[0].max() == 255  # the nearer of black and white


def test_a_transparent_colour_becomes_opacity():
    x, file = samples(count=1), io.BytesIO()
    Image.fromarray(x).save(file, "PNG", transparency=int(x[3, 4]))
    picture = read(file)
    assert picture.alpha and picture.pages[0].shape == (*x.shape, 2)
    assert np.array_equal(picture.pages[0][..., 1] == 0, x == x[3, 4])
    assert_same(picture, again(picture)[0])


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "webp"])
def test_what_travels_along_goes_from_format_to_format(kind):
    exif = Image.Exif()
    exif[0x112], exif[0x10F] = 6, "maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    about = About(icc=bytes(range(256)) * 300, exif=exif.tobytes()[6:], xmp=b"<x/>", dpi=(300.0, 150.0), orientation=6)
    back, data, _ = again(Picture([samples()], "npy", "rgb", about=about), format=kind)
    assert back.format == kind and back.about.orientation == 6
    assert back.about.icc == about.icc
    if kind != "webp":
        assert back.about.dpi == pytest.approx(about.dpi, rel=1e-4)
    assert (back.about.exif == about.exif) or kind == "tiff"
    image = Image.open(io.BytesIO(data))
    assert image.getexif()[0x112] == 6 and image.getexif().get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"
    back.about.orientation = 1  # the pixels were turned
    assert again(back)[0].about.orientation == 1


def test_numbers_of_a_jpeg_stay_unless_asked_for():
    picture = read(io.BytesIO(mutations.written()["full.jpg"]))
    tables = Image.open(io.BytesIO(mutations.written()["full.jpg"])).quantization
    assert Image.open(io.BytesIO(again(picture)[1])).quantization == tables
    assert len(again(picture, quality=20)[1]) < len(again(picture)[1]) < len(again(picture, quality=98)[1])
    assert np.abs(again(picture)[0].pages[0].astype(int) - picture.pages[0]).max() <= 4


def test_other_libraries_read_what_is_written():
    rgba, gray = samples(count=4), samples(count=1)
    for kind, page, color, alpha in (
        ("png", rgba, "rgb", True),
        ("webp", rgba, "rgb", True),
        ("bmp", rgba, "rgb", True),
        ("tiff", rgba, "rgb", True),
        ("png", gray, "gray", False),
        ("bmp", gray, "gray", False),
        ("tiff", gray, "gray", False),
        ("pnm", gray, "gray", False),
        ("pnm", samples(), "rgb", False),
        ("tiff", rgba, "cmyk", False),
    ):
        back, data, _ = again(Picture([page], "npy", color, alpha), format=kind)
        assert np.array_equal(np.array(Image.open(io.BytesIO(data))), page), (kind, color)
        assert np.array_equal(back.pages[0], page) and back.alpha == alpha
    deep = samples(dtype="u2")
    _, data, _ = again(Picture([deep], "npy", "rgb", bits=16), format="png")
    import imagecodecs

    assert np.array_equal(imagecodecs.png_decode(data), deep)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_png_rows_are_filtered_and_unfiltered_piece_by_piece(count, dtype, monkeypatch):
    import imagecodecs

    monkeypatch.setattr(png, "_PIECE", 500)  # a few rows
    x = samples(61, 37, count, dtype)
    x[20:40] = samples(20, 37, count, dtype)[::-1] // 7
    picture = Picture([x], "png", "rgb" if count > 2 else "gray", count in (2, 4), x.itemsize * 8)
    found, data, _ = again(picture)
    assert_same(found, picture)
    np.testing.assert_array_equal(imagecodecs.png_decode(data), x)
    for level in (1, 9):  # libpng takes all five filters
        np.testing.assert_array_equal(read(io.BytesIO(imagecodecs.png_encode(x, level=level))).pages[0], x)


def test_png_data_behind_the_last_row_do_no_harm():
    x = samples(count=1)
    file = io.BytesIO()
    write(Picture([x], "png", "gray"), file)
    data = file.getvalue()
    at = data.index(b"IDAT")
    size = int.from_bytes(data[at - 4 : at], "big")
    rows = zlib.decompress(data[at + 4 : at + 4 + size])

    def packed(stream):
        part = b"IDAT" + stream
        return data[: at - 4] + struct.pack(">I", len(stream)) + part + struct.pack(">I", zlib.crc32(part)) + data[-12:]

    for stream in (zlib.compress(rows + b"more"), zlib.compress(rows) + b"more", zlib.compress(rows)[:-4]):
        np.testing.assert_array_equal(read(io.BytesIO(packed(stream))).pages[0], x)
    for stream in (zlib.compress(rows[:-1]), zlib.compress(rows)[:-4] + bytes(4), zlib.compress(rows)[:-12]):
        with pytest.raises(ImageError, match="is damaged"):
            read(io.BytesIO(packed(stream)))


def test_pfm_rows_go_upwards_and_keep_byte_order():
    x = samples(4, 5, 3, "f4")
    data = b"PF\n5 4\n2.5\n" + x[::-1].astype(">f4").tobytes()
    picture = read(io.BytesIO(data))
    assert np.array_equal(picture.pages[0], x) and again(picture)[1] == data


@pytest.mark.parametrize("text", [b"P1\n# c\n5 2\n10101\n0 1 0 1 0", b"P1 5 2 1 0 1 0 1 0 1 0 1 0"])
def test_text_bitmaps(text):
    assert read(io.BytesIO(text)).pages[0].tolist() == [[0, 255] * 2 + [0], [255, 0] * 2 + [255]]


def test_what_a_format_cannot_hold_is_said():
    x = samples()
    for kind, page, color in (
        ("png", x.astype(np.float32), "rgb"),
        ("jpeg", samples(dtype="u2"), "rgb"),
        ("png", samples(count=4), "cmyk"),
        ("bmp", samples(dtype="u2"), "rgb"),
        ("webp", samples(count=4), "cmyk"),
        ("pnm", x.astype(np.float32), "rgb"),
        ("pfm", x, "rgb"),
    ):
        with pytest.raises(ImageError, match="holds no"):
            write(Picture([page], "npy", color), io.BytesIO(), format=kind)
    with pytest.raises(ValueError, match="format must be one of"):
        write(Picture([x], "npy", "rgb"), io.BytesIO(), format="gif")
    assert again(Picture([samples(count=4)], "png", "rgb", True), format="jpeg")[2] == [
        "JPEG has no opacity: it is left out"
    ]


def test_files_appear_whole_or_not_at_all(tmp_path):
    good, bad = tmp_path / "good.tif", tmp_path / "bad.png"
    write(Picture([samples()], "png", "rgb"), good)
    assert format_of(good) == read(good).format == "tiff"
    with pytest.raises(ImageError, match=r"bad\.png: PNG holds no"):
        write(Picture([samples(dtype="f4")], "npy", "rgb"), bad)
    assert [path.name for path in tmp_path.iterdir()] == ["good.tif"]


class Pipe(io.RawIOBase):
    """What cannot be sought in."""

    def __init__(self, data=b""):
        self.inside = io.BytesIO(data)

    def readable(self):
        return True

    def writable(self):
        return True

    def read(self, size=-1):
        return self.inside.read(size)

    def write(self, data):
        return self.inside.write(data)


def test_pipes_are_read_and_written():
    for name in ("zlib.tif", "RGB.png", "bytes.npy"):
        picture = read(Pipe(mutations.written()[name]))
        pipe = Pipe()
        write(picture, pipe)
        assert_same(picture, read(io.BytesIO(pipe.inside.getvalue())))


def test_no_warning_comes_through():
    huge = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(huge, "PNG")  # Pillow warns of bombs above 89 million pixels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(huge).bits == 1
