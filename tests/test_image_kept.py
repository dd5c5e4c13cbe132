"""Each real image through four filters: what comes out is of its format, depth and mode, as other libraries see it."""

import struct

import numpy as np
import pytest
import tifffile
from commands import ROOT
from image_files import command
from PIL import Image
from scipy import ndimage

REAL = ROOT.parent / "shared" / "data" / "images"
TIFF, PNG, JPEG, BMP, PNM = "TIFF", "PNG", "JPEG", "BMP", "PPM"
# File: format, mode as Pillow has it, bits of a sample, what is said; and for TIFF what is special about the layout.
EACH = {
    "cmyk_jpeg.tif": (TIFF, "CMYK", 8, "", {"compression": 7, "planarconfig": 1}),
    "exif_orient2_small.jpg": (JPEG, "RGB", 8, ""),
    "exif_orient6_small.jpg": (JPEG, "RGB", 8, ""),
    "gray.jpg": (JPEG, "L", 8, ""),
    "gray16_be.tif": (TIFF, "I;16B", 16, "", {"compression": 1, "planarconfig": 1}),
    "gray_32bit.tiff": (TIFF, "F", 32, "", {"compression": 1, "planarconfig": 1}),
    "hopper.bmp": (BMP, "RGB", 8, ""),
    "hopper_16bit.pgm": (PNM, "I", 16, ""),
    "hopper_emboss.bmp": (BMP, "RGB", 8, ""),
    "palette.png": (PNG, "P", 8, "the palette became RGBA"),  # the exception: new colours need room
    "rgb16.tiff": (TIFF, "RGB", 16, "", {"compression": 8, "planarconfig": 1, "is_tiled": True}),
    "rgb16_planar.tiff": (TIFF, "RGB", 16, "", {"compression": 5, "planarconfig": 2}),
    "rgba.png": (PNG, "RGBA", 8, ""),
    "rgba16.png": (PNG, "RGBA", 16, "left out: an animation of 2 frames, beside which the still image stands"),
    "truncated.png": None,  # refused
}
SHARPEN = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], float)
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)
INFO = (
    "icc_profile",
    "dpi",
    "exif",
    "gamma",
    "srgb",
    "chromaticity",
    "jfif",
    "jfif_density",
    "jfif_unit",
    "progressive",
)
MOVES = {"StripOffsets", "StripByteCounts", "TileOffsets", "TileByteCounts", "JPEGTables"}
SIZES = {"ImageWidth", "ImageLength", "RowsPerStrip"}
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real images in {REAL}")


def blocks(x):
    rows, columns = (n // 2 * 2 for n in x.shape)
    return x[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean((1, 3))


# What each filter makes of one channel, and whether it is opacity's way too.
WAYS = {
    "image -k gaussian:sigma=2": (lambda x: ndimage.gaussian_filter(x, 2, mode="mirror"), True),
    "image -k sharpen": (lambda x: ndimage.correlate(x, SHARPEN, mode="mirror"), True),
    "image -k sobel": (lambda x: np.hypot(*(ndimage.correlate(x, k, mode="mirror") for k in (SOBEL, SOBEL.T))), False),
    "pool -m avg": (blocks, True),
}


def decoded(path):
    """Samples as other libraries decode them."""
    if path.suffix in (".tif", ".tiff"):
        with tifffile.TiffFile(path) as file:
            (page,) = file.pages
            return (
                np.moveaxis(page.asarray(), 0, -1)
                if page.planarconfig == 2 and page.samplesperpixel > 1
                else page.asarray()
            )
    if path.name == "rgba16.png":
        import imagecodecs

        return imagecodecs.png_decode(path.read_bytes())
    image = Image.open(path)
    x = np.asarray(image.convert("RGBA") if image.mode == "P" else image)
    return x.astype(np.uint16) if image.mode == "I" else x


def expected(x, way, alpha):
    """What a filter makes of samples, before they are rounded."""
    function, total = way
    if not alpha:
        return function(x) if x.ndim == 2 else np.stack([function(x[..., k]) for k in range(x.shape[2])], -1)
    share = x[..., 3] / np.iinfo(x.dtype).max
    after = function(share) if total else share
    colours = [function(x[..., k] * share) / np.where(after > 1e-6, after, np.nan) for k in range(3)]
    return np.dstack([*colours, after * np.iinfo(x.dtype).max])


def seen(path):
    """What others say of a file beside its pixels."""
    data = path.read_bytes()
    with Image.open(path) as image:
        found = {key: image.info.get(key) for key in INFO if image.format != TIFF or key == "icc_profile"}
        found["format"], found["frames"] = image.format, getattr(image, "n_frames", 1)
        if image.format == JPEG:
            found["tables"], found["sampling"] = image.quantization, [layer[1:3] for layer in image.layer]
    if found["format"] == PNG:
        found["header"] = struct.unpack(">BB", data[24:26])
        found["frames"] = 1  # an animation beside the image is left out, which is said
    if found["format"] == BMP:
        found["header"] = struct.unpack_from("<HHIIii", data, 26)[:1], struct.unpack_from("<HHIIii", data, 26)[1:3]
    if found["format"] == PNM:
        found["header"] = data[:2], data.split(maxsplit=4)[3]
    if found["format"] == TIFF:
        with tifffile.TiffFile(path) as file:
            found |= {"order": file.byteorder, "big": file.is_bigtiff}
            found |= {tag.name: tag.value for tag in file.pages[0].tags if tag.name not in MOVES}
    return found


def test_all_of_them_are_here():
    assert sorted(EACH) == sorted(path.name for path in REAL.glob("*"))


@pytest.mark.parametrize("args", WAYS)
@pytest.mark.parametrize("name", [name for name, told in EACH.items() if told])
def test_each_comes_out_in_its_own_kind(name, args, tmp_path):
    source, target = REAL / name, tmp_path / name
    out, notes, code = command(*args.split(), source, "-o", target)
    format, mode, bits, said, *laid = EACH[name]
    assert (out, code, notes) == (b"", 0, f"sigconv: {source}: {said}\n" if said else "")
    before, after = seen(source), seen(target)
    pooled = args.startswith("pool")
    if mode == "P":
        assert (before.pop("header"), after.pop("header")) == ((8, 3), (8, 6))
    for key, value in before.items():
        if not (pooled and key in SIZES):
            assert after[key] == value, key
    assert after["format"] == format
    for key, value in laid[0].items() if laid else ():
        with tifffile.TiffFile(target) as file:
            assert getattr(file.pages[0], key) == value
    if name != "rgb16.tiff" and name != "rgb16_planar.tiff":  # which Pillow takes for 8 bits
        with Image.open(target) as image:
            assert image.mode == ("RGBA" if mode == "P" else mode)
    x, y = decoded(source), decoded(target)
    assert y.dtype == x.dtype and y.dtype.itemsize * 8 == bits
    alpha = format == PNG
    e = expected(x.astype(float) if not alpha else x, WAYS[args], alpha)
    assert y.shape == e.shape
    if x.dtype.kind == "f":
        np.testing.assert_allclose(y, e, rtol=1e-5, atol=1e-5)
        return
    e = np.clip(e, 0, np.iinfo(x.dtype).max)
    if bits == 16 or format in (BMP, PNM):
        np.testing.assert_array_equal(y, np.where(np.isnan(e), y, np.rint(e)))
    elif alpha:  # single precision: halves may go either way
        assert np.nanmax(np.abs(y - e)) < 0.501
    else:  # packed as JPEG again
        assert np.abs(y - e).mean() < {"image -k gaussian:sigma=2": 3, "image -k sobel": 12}.get(args, 8)


@pytest.mark.parametrize("args", WAYS)
def test_the_truncated_one_is_refused_in_one_line(args, tmp_path):
    source = REAL / "truncated.png"
    line = f"sigconv: {source}: ends in the middle: it is cut off or damaged\n"
    assert command(*args.split(), source, "-o", tmp_path / "out.png") == (b"", line, 1)
    assert not list(tmp_path.iterdir())
