"""Images too large for memory on the command line: band by band, to the same pixels."""

import io
import os

import numpy as np
import pytest
from image_files import after, command, saved

from sigconv.io import strips
from sigconv.io.images import read

RNG = np.random.default_rng(12)
WORDS = RNG.integers(0, 65536, (24, 31), np.uint16)


@pytest.fixture
def in_bands(monkeypatch):
    """Every image counts as large, and a band has few rows."""
    done = []
    apply = strips.apply
    monkeypatch.setattr(strips, "worth_it", lambda path: not str(path).endswith(".png"))
    monkeypatch.setattr(strips, "apply", lambda *args, **rest: done.append(args) or apply(*args, rows=5, **rest))
    return done


@pytest.mark.parametrize(
    "args",
    [
        "image -k gaussian:sigma=2",
        "image -k sharpen -k box:4 -k log:1 --scale 0.5 --offset 9",
        "image -k box:5 --stride 3 --linear-light --border nearest",
        "image -k median:4 -k 1,2;3,4;5,6 --dtype float32 --border constant --cval 8",
        "pool -m avg --size 3 --stride 2 --padding 1",
        "pool -m lse --size 1 --stride 2",
    ],
)
@pytest.mark.parametrize(("kind", "channels"), [("tiff", 1), ("tiff", 3), ("tiff", 4), ("pnm", 1), ("npy", 1)])
def test_bands_give_the_same_pixels(args, kind, channels, tmp_path, in_bands):
    page = WORDS if channels == 1 else RNG.integers(0, 65536, (*WORDS.shape, channels), np.uint16)
    page = page.astype(np.float32) if kind == "npy" else page
    if kind == "pnm" and "float32" in args:
        args = args.replace("--dtype float32", "")
    ending = {"tiff": "tif", "pnm": "pgm", "npy": "npy"}[kind]
    source = saved(tmp_path / f"a.{ending}", page, "rgb" if channels > 1 else "gray", kind, channels == 4)
    name, *rest = args.split()
    y = after(source, *rest, name=name)
    assert len(in_bands) == 1
    piped, notes, code = command(name, "-", *rest, data=source.read_bytes())
    assert (notes, code, len(in_bands)) == ("", 0, 1)
    whole = read(io.BytesIO(piped))
    np.testing.assert_array_equal(y.pages[0], whole.pages[0])
    assert (y.color, y.alpha, y.bits) == (whole.color, whole.alpha, whole.bits)


def test_what_cannot_be_done_in_bands_is_done_whole(tmp_path, in_bands):
    source = saved(tmp_path / "a.tif", WORDS, kind="tiff")
    for args in (["-k", "edges"], ["-k", "box:3", "--border", "wrap"], ["-k", "box:3", "--plot", tmp_path / "p.png"]):
        after(source, *args)
    assert command("image", source, "-k", "box:3", "-o", tmp_path / "b.png")[2] == 0
    turned = saved(tmp_path / "b.tif", WORDS, kind="tiff", orientation=6)
    after(turned, "-k", "emboss")
    assert not in_bands
    after(turned, "-k", "gaussian:1")
    assert len(in_bands) == 1


def test_a_large_image_that_is_damaged_leaves_nothing(tmp_path, in_bands):
    source = saved(tmp_path / "a.pgm", WORDS, kind="pnm")
    source.write_bytes(source.read_bytes()[:-40])
    out, notes, code = command("image", source, "-k", "box:3", "-o", tmp_path / "b.pgm")
    assert (out, code, notes.count("\n")) == (b"", 1, 1) and str(source) in notes
    assert os.listdir(tmp_path) == ["a.pgm"]
