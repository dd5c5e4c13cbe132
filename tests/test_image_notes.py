"""What travels along with pixels is kept, and what a format has no room for is said: nothing is dropped silently."""

import io
import subprocess
import zlib

import numpy as np
import pytest
import tifffile
from commands import COMMAND
from image_files import after, command, saved
from PIL import Image, ImageCms

from sigconv import images
from sigconv.io import strips
from sigconv.io.images import About, Picture, read, write
from sigconv.io.images.exif import minimal

RNG = np.random.default_rng(3)
BYTES = RNG.integers(0, 256, (24, 31), np.uint8)
COLOURS = RNG.integers(0, 256, (24, 31, 3), np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def full(color="rgb", **more):
    """All that may travel along with a picture."""
    about = About(ICC, minimal(3), b"<x:xmpmeta/>", (300.0, 150.0), 3, **more)
    return Picture([COLOURS if color == "rgb" else BYTES], "png", color, about=about)


def again(picture, kind):
    file = io.BytesIO()
    notes = write(picture, file, format=kind)
    return read(file), notes


NONE = "has no room for"
LEFT = {
    "png": [],
    "jpeg": [],
    "tiff": [],
    "webp": [f"WebP {NONE} the resolution"],
    "bmp": [f"BMP {NONE} EXIF", f"BMP {NONE} XMP", f"BMP {NONE} the orientation, 3"],
}
for kind in ("pnm", "npy"):
    things = ("the colour profile", "EXIF", "XMP", "the resolution", "the orientation, 3")
    LEFT[kind] = [f"{kind.upper()} {NONE} {thing}" for thing in things]


@pytest.mark.parametrize("kind", sorted(LEFT))
def test_each_format_keeps_or_names_what_travels_along(kind):
    back, notes = again(full(), kind)
    assert notes == LEFT[kind]
    left = " ".join(notes)
    for name, key in (("colour profile", "icc"), ("XMP", "xmp"), ("resolution", "dpi"), ("orientation", "orientation")):
        if name not in left:
            kept, was = getattr(back.about, key), getattr(full().about, key)
            assert kept == (pytest.approx(was, abs=0.02) if key == "dpi" else was), key


def test_what_only_one_format_knows_is_named_when_it_goes():
    picture = full(own=["its texts"], lost=["an animation"])
    assert again(picture, "png")[1] == ["left out: an animation"]
    assert again(picture, "jpeg")[1] == ["left out: an animation", "left out: its texts"]
    file = io.BytesIO()
    options = dict(extratags=[(33550, "d", 3, (1.0, 2.0, 0.0), True)], description="tile", software="mine")
    tifffile.imwrite(file, BYTES, metadata=None, **options)
    tiff = read(file)
    assert again(tiff, "tiff")[1] == []
    assert again(tiff, "png")[1] == ["left out: its description", "left out: its tags 33550"]
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "JPEG", comment=b"by me")
    assert again(read(file), "png")[1] == ["left out: its comments, or what programs put beside them"]


def test_exif_and_xmp_too_large_for_a_jpeg():
    exif = minimal(6) + bytes(70_000)
    picture = Picture([COLOURS], "png", "rgb", about=About(None, exif, bytes(66_000), None, 6))
    back, notes = again(picture, "jpeg")
    assert notes == [
        f"JPEG has no room for {len(exif):,} bytes of EXIF: the orientation alone is kept",
        "JPEG has no room for 66,000 bytes of XMP",
    ]
    assert back.about.exif == minimal(6) and back.about.orientation == 6
    assert again(picture, "png")[0].about.exif == exif


@pytest.mark.parametrize("page", [BYTES, COLOURS, np.dstack([COLOURS, BYTES])], ids=["gray", "rgb", "rgba"])
def test_bmps_with_a_profile(page, tmp_path):
    color = "gray" if page.ndim == 2 else "rgb"
    picture = Picture([page], "bmp", color, page.shape[2:] == (4,), about=About(icc=ICC, dpi=(72.0, 72.0)))
    back, notes = again(picture, "bmp")
    assert notes == [] and back.about.icc == ICC and np.array_equal(back.pages[0], page)
    file = io.BytesIO()
    write(picture, file)
    assert np.array_equal(np.asarray(Image.open(file)), page)  # others find the pixels all the same
    data = file.getvalue()
    with pytest.raises(Exception, match="ends in the middle"):
        read(io.BytesIO(data[:-1]))
    linked = data[:70] + b"KNIL" + data[74:]
    assert read(io.BytesIO(linked)).about.lost == ["the colour profile, which is in another file"]


def chunk(name, body):
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def test_pngs_keep_what_may_be_copied(tmp_path):
    data = saved(tmp_path / "a.png", COLOURS, "rgb").read_bytes()
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0<x/>"
    more = [(b"vpAg", bytes(9)), (b"teSt", b"?"), (b"bKGD", bytes(6)), (b"iTXt", xmp), (b"gAMA", b"\0\0\xb1\x8f")]
    (tmp_path / "a.png").write_bytes(data[:33] + b"".join(chunk(*one) for one in more) + data[33:])
    y = after(tmp_path / "a.png", "-k", "box:3")
    kept = (tmp_path / "after-a.png").read_bytes()
    assert all(chunk(*one) in kept for one in more if one[0] != b"bKGD") and b"bKGD" not in kept
    assert kept.count(b"<x/>") == 1 and y.about.xmp == b"<x/>"
    assert again(y, "jpeg")[1] == ["left out: its gamma or primaries"]


def test_a_transparent_colour_becomes_opacity(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png", transparency=tuple(COLOURS[0, 0].tolist()))
    notes = command("image", tmp_path / "a.png", "-k", "identity", "-o", tmp_path / "b.png")[1]
    assert notes == f"sigconv: {tmp_path / 'a.png'}: the transparent colour became a channel of opacity\n"
    expected = np.asarray(Image.open(tmp_path / "a.png").convert("RGBA"))
    assert np.array_equal(read(tmp_path / "b.png").pages[0], expected)


def test_what_stands_behind_a_jpeg_is_named():
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "JPEG")
    assert read(io.BytesIO(file.getvalue() + bytes(99) + b"\xff")).about.lost == []
    assert read(io.BytesIO(file.getvalue() + b"a film")).about.lost == ["6 bytes behind the image"]


# Pages and orientation


def test_each_page_keeps_what_is_its_own(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for k, (turn, dots) in enumerate(((1, 300), (6, 150), (8, 72))):
            extra = [(274, "H", 1, turn, True), (285, "s", 0, f"page {k}", True)]
            file.write(BYTES, resolution=(dots, dots), resolutionunit="INCH", extratags=extra, metadata=None)
    pages = after(tmp_path / "a.tif", "-k", "sobel_y").pages
    with tifffile.TiffFile(tmp_path / "after-a.tif") as file:
        tags = [[page.tags[code].value for code in (274, 282, 285)] for page in file.pages]
    assert tags == [[1, (300, 1), "page 0"], [6, (150, 1), "page 1"], [8, (72, 1), "page 2"]]
    expected = [images.filter(BYTES, "sobel_y")]
    for k in (-1, 1):  # a quarter turn one way or the other, and back
        expected.append(np.rot90(images.filter(np.rot90(BYTES, k), "sobel_y"), -k))
    assert all(map(np.array_equal, pages, expected))
    pages = after(tmp_path / "a.tif", "-k", "identity", "--auto-orient").pages
    assert all(map(np.array_equal, pages, (BYTES, np.rot90(BYTES, -1), np.rot90(BYTES, 1))))
    with tifffile.TiffFile(tmp_path / "after-a.tif") as file:
        assert [page.tags[274].value for page in file.pages] == [1, 1, 1]


@pytest.mark.parametrize("large", [False, True])
def test_pixels_are_turned_where_a_format_cannot_tell_which_way_is_up(large, tmp_path, monkeypatch):
    if large:
        monkeypatch.setattr(strips, "worth_it", lambda path: True)
    source = saved(tmp_path / "a.tif", BYTES, kind="tiff", orientation=6, dpi=(72.0, 72.0))
    notes = command("image", source, "-k", "identity", "-o", tmp_path / "a.pgm")[1]
    assert notes.splitlines() == [
        f"sigconv: {source}: the pixels were turned upright: PNM has no room for an orientation",
        f"sigconv: {source}: PNM has no room for the resolution",
    ]
    assert np.array_equal(read(tmp_path / "a.pgm").pages[0], np.rot90(BYTES, -1))


def test_bands_say_what_whole_images_say(tmp_path, monkeypatch):
    about = dict(icc=ICC, dpi=(72.0, 72.0), xmp=b"<x/>")
    source = saved(tmp_path / "a.tif", BYTES, kind="tiff", **about)
    said = []
    for large in (False, True):
        monkeypatch.setattr(strips, "worth_it", lambda path, large=large: large)
        said.append(command("image", source, "-k", "box:3", "-o", tmp_path / "a.npy", "-y")[1])
        assert command("image", source, "-k", "box:3", "-o", tmp_path / "b.tif", "-y") == (b"", "", 0)
    assert said[0] == said[1] and said[0].count("\n") == 3 and "NPY has no room for the colour profile" in said[0]


def test_floats_have_no_white_that_is_zero(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", BYTES, photometric="miniswhite", metadata=None)
    y = after(tmp_path / "a.tif", "-k", "identity", "--dtype", "float32").pages[0]
    assert np.array_equal(y, 255.0 - BYTES)
    with tifffile.TiffFile(tmp_path / "after-a.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISBLACK
    assert np.array_equal(after(tmp_path / "a.tif", "-k", "identity").pages[0], 255 - BYTES)
    with tifffile.TiffFile(tmp_path / "after-a.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISWHITE


@pytest.mark.parametrize("large", [False, True])
def test_a_description_of_another_size_is_named_when_it_goes(large, tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "worth_it", lambda path: large)
    source = tmp_path / "a.ome.tif"
    tifffile.imwrite(source, np.stack([BYTES, BYTES]), photometric="minisblack", metadata={"axes": "ZYX"}, ome=True)
    assert command("image", source, "-k", "box:3", "-o", tmp_path / "b.tif") == (b"", "", 0)
    assert len(read(tmp_path / "b.tif").pages) == 2
    notes = command("pool", source, "-m", "avg", "-o", tmp_path / "c.tif")[1]
    assert notes == f"sigconv: {source}: left out: the description as OME has it, which tells another size\n"


# Standard streams that are closed


@pytest.mark.parametrize(("closed", "args"), [("<&-", "image - -k box:3"), (">&-", "image a.png -k box:3")])
def test_closed_streams_are_named(closed, args, tmp_path):
    saved(tmp_path / "a.png", BYTES)
    line = " ".join([*map(str, COMMAND), args, closed])
    result = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    name = "input" if closed == "<&-" else "output"
    assert (result.returncode, result.stderr) == (1, f"sigconv: standard {name}: Bad file descriptor\n")
