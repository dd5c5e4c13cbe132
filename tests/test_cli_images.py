"""Images on the command line: what comes out is of the kind that went in, and nothing is lost or half there."""

import csv
import io
import os
import re
import subprocess

import numpy as np
import pytest
from commands import COMMAND, ROOT, run
from image_files import after, command, saved
from scipy import ndimage

from sigconv import images
from sigconv.io.images import About, Picture, read, write

REAL = ROOT.parent / "shared" / "data" / "images"
NAMES = sorted(path.name for path in REAL.glob("*")) if REAL.exists() else []
RNG = np.random.default_rng(11)
BYTES = RNG.integers(0, 256, (24, 31), np.uint8)
WORDS = RNG.integers(0, 65536, (24, 31), np.uint16)
real_images = pytest.mark.skipif(not NAMES, reason=f"no real images in {REAL}")


def nearest(values, dtype):
    info = np.iinfo(dtype)
    return np.clip(np.rint(values), info.min, info.max).astype(dtype)


# Real images (each through four filters: test_image_kept.py)


@real_images
@pytest.mark.parametrize("name", ["gray16_be.tif", "hopper_16bit.pgm", "rgb16.tiff", "rgb16_planar.tiff"])
def test_sixteen_bits_are_those_of_scipy(name, tmp_path):
    x = read(REAL / name).pages[0]
    sigma = (2, 2, 0)[: x.ndim]
    wide = x.astype(float)
    command("image", REAL / name, "-k", "gaussian:sigma=2", "-o", tmp_path / name)
    expected = nearest(ndimage.gaussian_filter(wide, sigma, mode="mirror"), np.uint16)
    np.testing.assert_array_equal(read(tmp_path / name).pages[0], expected)
    command("image", REAL / name, "-k", "sobel", "-o", tmp_path / name, "-y")
    kernels = [images.kernel(f"sobel_{axis}") for axis in "xy"]
    planes = [wide] if x.ndim == 2 else np.moveaxis(wide, -1, 0)
    steep = [np.hypot(*(ndimage.correlate(plane, kernel, mode="mirror") for kernel in kernels)) for plane in planes]
    expected = nearest(steep[0] if x.ndim == 2 else np.stack(steep, -1), np.uint16)
    np.testing.assert_array_equal(read(tmp_path / name).pages[0], expected)


@real_images
def test_the_published_relief(tmp_path):
    kernel = "0,1,1;-1,0,1;-1,-1,0"  # of an image whose first row is at the bottom
    args = ["-k", kernel, "--scale", "1/0.3", "-o", tmp_path / "relief.bmp"]
    assert command("image", REAL / "hopper.bmp", *args) == (b"", "", 0)
    ours, published = (read(path).pages[0] for path in (tmp_path / "relief.bmp", REAL / "hopper_emboss.bmp"))
    np.testing.assert_array_equal(ours[1:-1, 1:-1], published[1:-1, 1:-1])


# Values


@pytest.mark.parametrize(("name", "page"), [("a.png", WORDS), ("a.tif", WORDS), ("a.pgm", WORDS), ("a.npy", WORDS)])
def test_values_are_those_of_the_filters(name, page, tmp_path):
    kind = {"png": "png", "tif": "tiff", "pgm": "pnm", "npy": "npy"}[name[2:]]
    source = saved(tmp_path / name, page, kind=kind)
    np.testing.assert_array_equal(after(source, "-k", "median:3").pages[0], images.median(page, 3))
    np.testing.assert_array_equal(after(source, "-k", "0,1;2,3").pages[0], images.filter(page, [[0, 1], [2, 3]]))
    y = after(source, "-k", "box:3", "--border", "constant", "--cval", "9", "--stride", "2").pages[0]
    np.testing.assert_array_equal(y, images.box(page, 3, border="constant", cval=9)[::2, ::2])


def test_no_dark_fringe_and_no_light_lost(tmp_path):
    page = np.zeros((20, 24, 4), np.uint8)
    page[:, :12] = 255
    y = after(saved(tmp_path / "half.png", page, "rgb", alpha=True), "-k", "gaussian:sigma=2").pages[0]
    assert (y[y[..., 3] > 0][:, :3] == 255).all() and 0 < y[5, 13, 3] < 255
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint16) * 257, (16, 256)).copy()
    args = ["-k", "gaussian:sigma=6", "--border", "reflect", "--linear-light"]
    y = after(saved(tmp_path / "ramp.png", ramp), *args).pages[0]
    light = [np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).mean() for v in (ramp / 65535, y / 65535)]
    assert light[1] == pytest.approx(light[0], rel=1e-5)


def test_kernels_in_files(tmp_path):
    (tmp_path / "k.txt").write_text("# a kernel\n0 -1  0\n-1 5 -1 # the middle\n0,-1,0\n")
    source = saved(tmp_path / "a.png", BYTES)
    np.testing.assert_array_equal(after(source, "-k", f"@{tmp_path}/k.txt").pages[0], images.sharpen(BYTES))
    (tmp_path / "bad.txt").write_text("1 2\n3\n")
    _, notes, code = command("image", source, "-k", f"@{tmp_path}/bad.txt")
    assert "bad.txt: rows must be equally long, got 2 and 1" in notes and code == 2
    assert command("image", source, "-k", "@nowhere.txt")[1:] == (
        "sigconv: nowhere.txt: No such file or directory\n",
        1,
    )


def test_every_page(tmp_path):
    pages = [WORDS, WORDS[:10, :12].copy()]
    write(Picture(pages, "tiff", "gray", False, 16, False, About()), tmp_path / "pages.tif")
    for y, x in zip(after(tmp_path / "pages.tif", "-k", "box:3").pages, pages, strict=True):
        np.testing.assert_array_equal(y, images.box(x, 3))


def test_which_way_is_up(tmp_path):
    upright = np.ascontiguousarray(BYTES.T[:, ::-1])  # orientation 6: a quarter turn clockwise
    source = saved(tmp_path / "a.tif", BYTES, kind="tiff", orientation=6)
    y = after(source, "-k", "sobel_y")
    assert y.about.orientation == 6
    np.testing.assert_array_equal(y.pages[0].T[:, ::-1], images.filter(upright, "sobel_y"))
    y = after(source, "-k", "sobel_y", "--auto-orient")
    assert y.about.orientation == 1
    np.testing.assert_array_equal(y.pages[0], images.filter(upright, "sobel_y"))


def test_dtype_and_another_format(tmp_path):
    source = saved(tmp_path / "a.png", BYTES)
    assert command("image", source, "-k", "laplacian", "--dtype", "float32", "-o", tmp_path / "a.tif") == (b"", "", 0)
    y = read(tmp_path / "a.tif")
    assert (y.format, y.bits) == ("tiff", 32)
    np.testing.assert_array_equal(y.pages[0], images.laplacian(BYTES, dtype="float32"))
    _, notes, code = command("image", source, "-k", "laplacian", "--dtype", "float32", "-o", tmp_path / "b.png")
    assert code == 1 and "b.png" in notes and notes.count("\n") == 1
    sizes = []
    for quality in (20, 90):
        command("image", source, "-k", "box:1", "-o", tmp_path / "a.jpg", "--quality", quality, "-y")
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes[0] < sizes[1] and read(tmp_path / "a.jpg").format == "jpeg"


# Files


def test_standard_input_to_standard_output(tmp_path):
    data = saved(tmp_path / "a.pgm", BYTES, kind="pnm").read_bytes()
    out, notes, code = command("image", "-", "-k", "box:3", data=data)
    assert (notes, code) == ("", 0)
    picture = read(io.BytesIO(out))
    assert picture.format == "pnm"
    np.testing.assert_array_equal(picture.pages[0], images.box(BYTES, 3))
    result = run("image", "-k", "box:3", data=data)
    assert (result.stdout, result.stderr, result.returncode) == (out, b"", 0)
    assert command("image", "-k", "box:3", "-o", tmp_path / "b.png", data=data) == (b"", "", 0)
    assert read(tmp_path / "b.png").format == "png"
    assert command("image", "-k", "box:3", data=data[:99])[1].startswith("sigconv: standard input: ")


def test_several_files_and_a_bad_one(tmp_path):
    for k in range(3):
        saved(tmp_path / f"{k}.png", BYTES + np.uint8(k))
    (tmp_path / "bad.png").write_bytes((tmp_path / "0.png").read_bytes()[:200])
    out, notes, code = command("image", tmp_path / "*.png", "-k", "box:3", "-j", 2, "-o", f"{tmp_path}/out/")
    assert (out, code) == (b"", 1)
    assert re.fullmatch(rf"sigconv: {re.escape(str(tmp_path))}/bad\.png: .*\n", notes)
    assert sorted(os.listdir(tmp_path / "out")) == ["0.png", "1.png", "2.png"]
    np.testing.assert_array_equal(read(tmp_path / "out" / "2.png").pages[0], images.box(BYTES + np.uint8(2), 3))


def test_nothing_is_overwritten_unasked(tmp_path):
    source, target = saved(tmp_path / "a.png", BYTES), tmp_path / "b.png"
    target.write_bytes(b"dear")
    assert command("image", source, "-k", "box:3", "-o", target)[1:] == (
        f"sigconv: {target} exists; -y overwrites it\n",
        1,
    )
    assert target.read_bytes() == b"dear"
    assert command("image", source, "-k", "box:3", "-o", source, "-y") == (b"", "", 0)
    np.testing.assert_array_equal(read(source).pages[0], images.box(BYTES, 3))
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["image", "a.png"], 2, "Missing option '-k' / '--kernel'"),
        (["image", "a.png", "-k", "gausian:2"], 2, "did you mean 'gaussian'?"),
        (["image", "a.png", "-k", "box:3", "-o", "out.xyz"], 1, "out.xyz: the ending .xyz names no kind of image"),
        (["image", "a.png", "-k", "box:3", "--scale", "1/0"], 2, "'1/0' is no number"),
        (["image", "a.png", "a.png", "-k", "box:3"], 2, "several files need a folder that takes them"),
        (["image", "a.png", "a.png", "-k", "box:3", "--plot", "p.png"], 2, "--plot goes with one image, not with 2"),
        (["image", "nowhere.png", "-k", "box:3"], 1, "nowhere.png: No such file or directory"),
        (["image", "a.png", "-k", "box:3", "--max-pixels", "100"], 1, "a.png: has 31 x 24 pixels"),
        (["image", "a.png", "-k", "box:3", "-o", "out.png", "--plot", "p.xyz"], 1, "p.xyz: a picture's name ends in"),
        (["pool", "a.png", "-m", "maxx"], 2, "unknown pool 'maxx'; did you mean 'max'?"),
        (["pool", "a.png", "--size", "2x2x2"], 2, "'2x2x2' is neither a whole number nor two, ROWSxCOLUMNS"),
        (["pool", "a.png", "--size", "99", "-o", "out.png"], 1, "do not fit into 24 x 31"),
        (["match", "a.png", "a.png", "-o", "-"], 2, "standard output takes the places: -o FILE for the scores"),
        (["match", "-", "-"], 2, "standard input can be read only once"),
        (["kernel", "median:3"], 2, "median:3 is no weighted sum: it has no weights to show"),
        (["kernel", "1,2;3"], 2, "rows must be equally long"),
        (["kernel", "sharpen", "--plot", "a.png"], 1, "a.png exists; -y overwrites it"),
        (["image", "a.png", "-k", "gaussian"], 2, "sigconv: kernel 'gaussian': gaussian needs its sigma"),
        (["image", "a.png", "-k", "gaussian:sigma=1e15"], 2, "its weights need more memory than there is"),
        (["pool", "a.png", "--size", "25x4", "-o", "b.png"], 1, "a.png: blocks of 25 x 4 rows and columns do not fit"),
    ],
)
def test_what_is_refused(args, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "a.png", BYTES)
    out, notes, found = command(*args)
    assert (out, found, notes.count("\n")) == (b"", code, 1) and message in notes and "Traceback" not in notes
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_terminal_takes_no_image(tmp_path):
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    try:
        source = saved(tmp_path / "a.png", BYTES)
        result = subprocess.run(
            [*COMMAND, "image", source, "-k", "box:3"], stdout=follower, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(follower)
        os.close(leader)
    assert result.returncode == 2 and b"an image is nothing for a terminal: -o FILE" in result.stderr


def test_what_is_said(tmp_path):
    page = np.dstack([BYTES] * 4)
    source = saved(tmp_path / "a.png", page, "rgb", alpha=True)
    notes = command("image", source, "-k", "box:3", "-o", tmp_path / "b.png", "-v")[1]
    assert re.fullmatch(rf"sigconv: {source}: PNG, 31 x 24 pixels, RGB, 8 bit, opacity; \d+\.\d\d s\n", notes)


def test_before_and_after(tmp_path):
    source = saved(tmp_path / "a.png", np.dstack([BYTES] * 3), "rgb")
    args = ["-k", "box:5", "-o", tmp_path / "b.png", "--plot", tmp_path / "p.png"]
    assert command("image", source, *args) == (b"", "", 0)
    drawn = read(tmp_path / "p.png").pages[0]
    assert drawn.shape[1] == 1500 and len(np.unique(drawn)) > 50


# Pools, templates, kernels


def test_pools(tmp_path):
    source = saved(tmp_path / "a.png", BYTES)
    np.testing.assert_array_equal(after(source, name="pool").pages[0], images.pool(BYTES, "max"))
    args = ["-m", "avg", "--size", "3x4", "--stride", "2", "--padding", "1"]
    expected = images.pool(BYTES, "mean", (3, 4), 2, 1)
    np.testing.assert_array_equal(after(source, *args, name="pool").pages[0], expected)
    root = after(source, "-m", "lp:2", "--scale", "1/2", name="pool").pages[0]
    blocks = BYTES[:, :30].astype(float).reshape(12, 2, 15, 2)
    np.testing.assert_array_equal(root, np.rint(np.sqrt((blocks**2).mean((1, 3)))).astype(np.uint8))


def test_two_hundred_plants_are_found(tmp_path):
    template = RNG.integers(60, 200, (13, 11)).astype(float)
    scene = ndimage.gaussian_filter(RNG.normal(size=(400, 640)), 3) * 60 + 110
    planted = []
    for k in range(200):
        row, column = 20 * (k // 20) * 2 + 3 + int(RNG.integers(0, 20)), 32 * (k % 20) + 2 + int(RNG.integers(0, 16))
        contrast, lift = RNG.uniform(0.4, 1.1), RNG.uniform(-40, 30)
        scene[row : row + 13, column : column + 11] = contrast * (template - 130) + 120 + lift
        planted.append((row + 6, column + 5))
    scene = nearest(scene + RNG.normal(size=scene.shape) * 4, np.uint8)
    paths = saved(tmp_path / "scene.png", scene), saved(tmp_path / "template.png", template.astype(np.uint8))
    out, notes, code = command("match", *paths, "-o", tmp_path / "scores.tif")
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert (notes, code, list(rows[0])) == ("", 0, ["row", "column", "score"])
    found = np.array([[int(row["row"]), int(row["column"])] for row in rows])
    assert len(found) == 200
    distance = np.abs(found[:, np.newaxis] - np.array(planted)).max(-1)
    assert distance.min(0).max() <= 1 and distance.min(1).max() <= 1
    scores = read(tmp_path / "scores.tif").pages[0]
    values = [float(row["score"]) for row in rows]
    assert values == sorted(values, reverse=True) and min(values) >= 0.8
    np.testing.assert_allclose(scores[tuple(found.T)], values, atol=1e-6)
    feature = pytest.importorskip("skimage.feature")
    expected = feature.match_template(scene.astype(float), template.astype(np.uint8).astype(float), pad_input=True)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_scores_as_grays_and_a_template_with_a_hole(tmp_path):
    scene = saved(tmp_path / "scene.png", np.dstack([BYTES] * 3), "rgb")
    cut = np.dstack([BYTES[4:11, 8:15]] * 3 + [np.full((7, 7), 255, np.uint8)])
    cut[3:5, 2:5] = 0
    template = saved(tmp_path / "template.png", cut, "rgb", alpha=True)
    out, notes, code = command("match", scene, template, "-o", tmp_path / "s.png", "--threshold", "0.99")
    assert out == b"row,column,score\n7,11,1.000000\n" and (notes, code) == ("", 0)
    drawn = read(tmp_path / "s.png")
    assert drawn.pages[0].dtype == np.uint16 and drawn.pages[0][7, 11] >= 65534 and drawn.pages[0].min() == 0
    out, notes, code = command("match", template, scene)
    assert code == 1 and "the template, 31 x 24 pixels, is larger than the image, 7 x 7" in notes
    out, notes, code = command("match", scene, template, "--threshold", "2")
    assert (out, code) == (b"row,column,score\n", 0) and "no score reaches 2; the best is 1.000" in notes


def test_a_template_of_nothing_is_named(tmp_path):
    hollow = np.full((3, 3), np.nan, np.float32)
    paths = saved(tmp_path / "a.png", BYTES), saved(tmp_path / "b.tif", hollow, kind="tiff")
    assert command("match", *paths)[1:] == (f"sigconv: {paths[1]}: template must be finite where the mask is\n", 1)


def test_templates_are_found_as_images_are_looked_at(tmp_path):
    upright = np.ascontiguousarray(np.rot90(BYTES, -1))  # orientation 6: a quarter turn clockwise
    scene = saved(tmp_path / "scene.tif", BYTES, kind="tiff", orientation=6)
    template = saved(tmp_path / "template.png", upright[3:12, 5:12].copy())
    args = ["--threshold", "0.99", "-o", tmp_path / "scores.npy"]
    assert command("match", scene, template, *args) == (b"row,column,score\n7,8,1.000000\n", "", 0)
    assert read(tmp_path / "scores.npy").pages[0].shape == upright.shape
    lying = saved(
        tmp_path / "lying.tif", np.ascontiguousarray(np.rot90(upright[3:12, 5:12])), kind="tiff", orientation=6
    )
    assert command("match", scene, lying, "--threshold", "0.99")[0] == b"row,column,score\n7,8,1.000000\n"


def test_what_a_kernel_does(tmp_path):
    out, notes, code = command("kernel", "sobel_x", "--plot", tmp_path / "k.png")
    assert (notes, code) == ("", 0)
    assert out.decode().splitlines() == [
        "kernel:     sobel_x",
        "size:       3 x 3 (rows x columns)",
        "sum:        0",
        "separable:  yes: one pass along rows, one down columns",
        "noise gain: 12",
        "weights:",
        "  -1  0  1",
        "  -2  0  2",
        "  -1  0  1",
    ]
    assert read(tmp_path / "k.png").pages[0].shape[1] == 1650
    out = command("kernel", "log:sigma=3")[0].decode()
    assert "sum:        0\n" in out and "no: rank 2" in out and "weights, the middle 15 x 15:" in out
