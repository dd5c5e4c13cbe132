"""Images too large for memory on the command line: band by band, to the same pixels."""

import io
import os

import numpy as np
import pytest
from image_files import after, command, saved

from sigconv.io import memory, strips
from sigconv.io.images import picture, read

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


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["-k", "edges"], "edges looks at all of it at once"),
        (["-k", "box:3", "--border", "wrap"], "border wrap joins its top and its bottom"),
        (["-k", "box:3", "--plot", "plot.png"], "--plot draws all of it"),
        (["-k", "box:3", "-o", "-"], "it is written whole to a pipe"),
        (["-k", "box:3", "-o", "out.png"], "it is written whole to a file of PNG"),
    ],
)
def test_what_needs_more_memory_than_there_is_is_refused(args, reason, tmp_path, monkeypatch, in_bands):
    monkeypatch.chdir(tmp_path)
    source = saved(tmp_path / "a.tif", WORDS, kind="tiff")
    monkeypatch.setattr(memory, "available", lambda: 1000)
    out, notes, code = command("image", source, *([] if "-o" in args else ["-o", "out.tif"]), *args)
    assert (out, code) == (b"", 1)
    assert notes == f"sigconv: {source}: needs 0.0 GB of memory, as {reason}, and 0.0 GB are free\n"
    assert sorted(os.listdir(tmp_path)) == ["a.tif"]
    assert command("image", source, "-k", "box:3", "-o", "out.tif")[1:] == ("", 0) and len(in_bands) == 1


def test_what_is_read_whole_is_held_against_the_memory_there_is(tmp_path, monkeypatch):
    source, target = saved(tmp_path / "a.png", WORDS, kind="png"), tmp_path / "out.png"
    monkeypatch.setattr(memory, "available", lambda: 1000)
    notes, code = command("image", source, "-k", "edges", "-o", target)[1:]
    assert code == 1 and "edges looks at all of it at once" in notes and not target.exists()
    monkeypatch.setattr(picture, "available", lambda: 700)
    monkeypatch.setattr(picture, "_MUCH", 1)
    notes, code = command("image", source, "-k", "box:3", "-o", target)[1:]
    assert notes == f"sigconv: {source}: has 31 x 24 pixels, too many for the 0.0 GB of memory that are free\n"
    assert code == 1 and not target.exists()
    assert memory.available() == 1000 and memory._read("/nowhere") == ""


def test_how_much_memory_there_is(monkeypatch):
    texts = {"/proc/meminfo": "MemTotal:  90 kB\nMemAvailable:   40 kB\nSwapFree:  2 kB\n"}
    monkeypatch.setattr(memory, "_read", lambda path: texts.get(path, ""))
    assert memory.available() == 42 << 10
    texts["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory.available() == 42 << 10
    texts["/sys/fs/cgroup/memory.max"] = "5000\n"
    assert memory.available() == 5000
    texts.clear()
    assert memory.available() > 1 << 60
