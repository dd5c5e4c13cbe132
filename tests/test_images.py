"""Filters of images against scipy.ndimage, OpenCV where it is installed, and windows written out."""

import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_oracle import INTEGERS, rounded, same_but_for_ties, seeds, shapes, spread, whole_image, windows
from scipy import ndimage

from sigconv import images
from sigconv.borders import BORDERS
from sigconv.images.kernels import NAMES
from sigconv.images.stages import stage

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "images"
SPELLED = {"gaussian": "gaussian:sigma=1.2", "box": "box:3", "log": "log:1.1"}
borders = st.sampled_from(BORDERS)


# Kernels by name ------------------------------------------------------------------------------------------------------
def test_every_name_has_a_kernel_whose_sum_is_0_or_1():
    for name in NAMES:
        w = images.kernel(SPELLED.get(name, name))
        assert w.dtype == np.float64 and w.ndim == 2 and w.shape[0] % 2 == w.shape[1] % 2 == 1
        zero = name.endswith(("_x", "_y")) or name.startswith(("laplacian", "log"))
        assert w.sum() == pytest.approx(0 if zero else 1, abs=1e-14), name


def test_parameters_by_name_and_by_place():
    assert np.array_equal(images.kernel("gaussian:2,truncate=3"), images.kernel(" gaussian : sigma=2, truncate = 3 "))
    assert images.kernel("gaussian:sigma=2").shape == (17, 17)
    assert np.array_equal(images.kernel("box:5"), np.full((5, 5), 1 / 25))
    assert images.kernel("unsharp:1,0")[4, 4] == 1
    images.kernel("sharpen")[:] = 0  # a copy: the next one is whole again
    assert images.kernel("sharpen")[1, 1] == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gausian:sigma=2", "kernel 'gausian:sigma=2': unknown kernel 'gausian'; did you mean 'gaussian'?"),
        ("sobel", "did you mean 'sobel_"),
        ("", "unknown kernel ''; known are box, emboss"),
        ("gaussian:sgma=2", "gaussian has no parameter 'sgma'; did you mean 'sigma'?"),
        ("gaussian:width=2", "gaussian has no parameter 'width'; known are sigma, truncate"),
        ("gaussian", "gaussian needs its sigma, such as gaussian:sigma=2"),
        ("gaussian:2,3,4", "'4' is too much: gaussian takes sigma, truncate"),
        ("gaussian:2,sigma=3", "sigma is given twice"),
        ("gaussian:wide", "sigma must be a number, got 'wide'"),
        ("gaussian:-1", "sigma must be a finite number of at least 0, got -1.0"),
        ("gaussian:inf", "sigma must be a finite number"),
        ("box:2.5", "size must be a whole number, got 2.5"),
        ("box:0", "size must be at least 1, got 0"),
        ("sobel_x:3", "sobel_x takes no parameters, got '3'"),
    ],
)
def test_texts_that_are_no_kernel_are_explained(text, words):
    with pytest.raises(ValueError) as caught:
        images.kernel(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


# Weighted sums --------------------------------------------------------------------------------------------------------
@given(
    shape=shapes, size=st.tuples(st.integers(1, 6), st.integers(1, 6)), border=borders, seed=seeds,
    dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_filter_is_scipys_correlation(shape, size, border, seed, dtype):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 1, shape).astype(dtype), rng.normal(0, 1, size)
    kept = x.copy()
    y = images.filter(x, w, border=border, cval=1.5)
    expected = ndimage.correlate(x.astype(float), spread(w, x), mode=border, cval=1.5)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=0, atol=200 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(x, kept)


@given(
    shape=shapes, border=borders, seed=seeds, dtype=st.sampled_from(INTEGERS), whole=st.booleans(),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
)  # fmt: skip
def test_filter_rounds_and_saturates_integers(shape, border, seed, dtype, whole, size):
    rng = np.random.default_rng(seed)
    x = whole_image(seed, shape, dtype)
    w = rng.integers(-3, 4, size) if whole else rng.normal(0, 0.3, size)
    y = images.filter(x, w, border=border, cval=7)
    expected = ndimage.correlate(x.astype(float), spread(w.astype(float), x), mode=border, cval=7)
    assert y.dtype == dtype
    if whole:
        np.testing.assert_array_equal(y, rounded(expected, dtype))
    else:
        same_but_for_ties(y, expected)


def test_halves_go_to_even():
    x = np.array([[1, 3, 5, 7, 255]], np.uint8)
    assert images.filter(x, [[0.5]]).tolist() == [[0, 2, 2, 4, 128]]
    assert images.filter(x.astype(np.int16) * -1, [[0.5]]).tolist() == [[0, -2, -2, -4, -128]]
    assert images.box(np.array([[0, 1], [0, 3]], np.uint8), (1, 2))[:, 1].tolist() == [0, 2]


def test_derivatives_keep_their_sign_where_asked():
    step = np.array([[200, 200, 0, 0]] * 3, np.uint8)
    assert images.filter(step, "sobel_x").max() == 0
    assert images.filter(step, "sobel_x", dtype="int16")[1].tolist() == [0, -800, -800, 0]
    found = images.filter(step, "sobel_x", dtype=np.float32)
    assert found.dtype == np.float32 and found.min() == -800
    assert images.laplacian(step, dtype="int16")[1].tolist() == [0, -200, 200, 0]


@pytest.mark.parametrize("border", ["mirror", "reflect", "nearest", "constant"])
def test_gaussians_wider_than_the_image_are_scipys(border, rng):
    x = rng.integers(0, 2**16, (70, 90)).astype(np.uint16)
    for sigma in (45, (3, 120)):  # whose weights would fill a table that is larger than the image
        expected = ndimage.gaussian_filter(x.astype(float), sigma, mode=border, cval=99)
        assert np.abs(images.gaussian(x, sigma, border=border, cval=99) - expected).max() < 0.6
    sharper = images.unsharp(x.astype(float), 45, border=border, cval=99)
    blurred = ndimage.gaussian_filter(x.astype(float), 45, mode=border, cval=99)
    np.testing.assert_allclose(sharper, 2 * x.astype(float) - blurred, rtol=1e-9, atol=1e-6)


def test_what_a_text_spells_needs_no_table_of_weights():
    tracemalloc.start()
    try:
        for text, total in (
            ("gaussian:sigma=3000", 1),
            ("log:sigma=3000", 0),
            ("unsharp:sigma=3000", 1),
            ("box:24001", 1),
        ):
            step = stage(text)
            assert step.reach == (12000, 12000) and step.total == total
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


@given(
    shape=shapes, border=borders, seed=seeds, dtype=st.sampled_from([np.float32, np.float64, *INTEGERS]),
    sigma=st.tuples(st.sampled_from([0, 0.3, 1, 2.6]), st.sampled_from([0.7, 4.0])),
)  # fmt: skip
def test_gaussian_is_scipys(shape, border, seed, dtype, sigma):
    floats = np.dtype(dtype).kind == "f"
    x = np.random.default_rng(seed).normal(0, 1, shape).astype(dtype) if floats else whole_image(seed, shape, dtype)
    y = images.gaussian(x, sigma, truncate=3, border=border, cval=2)
    expected = ndimage.gaussian_filter(x.astype(float), sigma, truncate=3, mode=border, cval=2, axes=(0, 1))
    assert y.dtype == dtype
    if floats:
        np.testing.assert_allclose(y, expected, rtol=0, atol=60 * np.finfo(dtype).eps)
    else:
        same_but_for_ties(y, expected)


@given(
    shape=shapes, border=borders, seed=seeds, dtype=st.sampled_from([np.float32, *INTEGERS]),
    size=st.tuples(st.integers(1, 7), st.integers(1, 6)),
)  # fmt: skip
def test_box_is_the_mean_of_its_window(shape, border, seed, dtype, size):
    x = np.random.default_rng(seed).normal(0, 1, shape).astype(dtype) if dtype == np.float32 else (
        whole_image(seed, shape, dtype) // 16 * 8
    )  # fmt: skip
    y = images.box(x, size, border=border, cval=4)
    assert y.dtype == dtype
    cells = windows(x, size, border, 4)
    if dtype == np.float32:
        np.testing.assert_allclose(y, cells.mean(-1, dtype=float), rtol=0, atol=1e-5)
    else:
        sums = cells.sum(-1, dtype=np.int64).ravel().tolist()
        assert y.ravel().tolist() == [round(Fraction(total, cells.shape[-1])) for total in sums]


def test_unsharp_and_log_are_what_their_kernels_are(rng):
    x = rng.normal(0, 1, (30, 41))
    for text, y in (
        ("unsharp:sigma=1.3,amount=0.7", images.unsharp(x, 1.3, amount=0.7)),
        ("log:1.7", images.log(x, 1.7)),
        ("gaussian:1.7", images.gaussian(x, 1.7)),
        ("sharpen", images.sharpen(x)),
        ("emboss", images.emboss(x)),
        ("laplacian", images.laplacian(x)),
    ):
        np.testing.assert_allclose(y, images.filter(x, text), rtol=0, atol=1e-13)
    smooth = images.gaussian(x, 2)
    np.testing.assert_allclose(images.log(smooth, 2.5), ndimage.gaussian_laplace(smooth, 2.5, mode="mirror"), atol=2e-3)
    np.testing.assert_allclose(images.laplacian(x), ndimage.laplace(x, mode="mirror"), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_even_surfaces_stay_even(dtype):
    x = np.full((12, 15, 3), 97, dtype)
    for y in (images.gaussian(x, 1.7), images.sharpen(x), images.unsharp(x), images.emboss(x), images.box(x, (5, 4)),
              images.median(x, 3), images.erode(x), images.dilate(x)):  # fmt: skip
        np.testing.assert_allclose(y, 97, rtol=3e-7)
    for y in (images.sobel(x), images.scharr(x), images.prewitt(x), images.laplacian(x), images.log(x, 1.5)):
        np.testing.assert_allclose(y, 0, atol=2e-5)


def test_opencvs_filters_are_the_same(rng):
    cv2 = pytest.importorskip("cv2")
    border = cv2.BORDER_REFLECT_101
    for x in (rng.integers(0, 256, (41, 67, 3), np.uint8), rng.normal(0, 1, (41, 67)).astype(np.float32)):
        atol = 1 if x.dtype == np.uint8 else 1e-5  # OpenCV computes bytes in fixed point
        pairs = [
            (images.gaussian(x, 1.5), cv2.GaussianBlur(x, (13, 13), 1.5, borderType=border)),
            (images.box(x, 5), cv2.blur(x, (5, 5), borderType=border)),
            (images.laplacian(x), cv2.Laplacian(x, -1, borderType=border)),
            (images.filter(x, "scharr_x", dtype="float32"), cv2.Scharr(x, cv2.CV_32F, 1, 0, borderType=border)),
            (images.filter(x, "sobel_y", dtype="float32"), cv2.Sobel(x, cv2.CV_32F, 0, 1, borderType=border)),
            (images.sharpen(x), cv2.filter2D(x, -1, images.kernel("sharpen"), borderType=border)),
            (images.erode(x, (3, 5)), cv2.erode(x, np.ones((3, 5)))),
            (images.dilate(x, 5), cv2.dilate(x, np.ones((5, 5)))),
            (images.median(x, 3, border="nearest"), cv2.medianBlur(x, 3)),
        ]
        for number, (y, expected) in enumerate(pairs):
            difference = np.abs(y.astype(float) - expected).max()
            assert difference <= atol, (number, difference)


def test_a_published_embossed_image():
    pillow = pytest.importorskip("PIL.Image", reason="Pillow reads the image")
    if not (DATA / "hopper.bmp").exists():
        pytest.skip("hopper.bmp and hopper_emboss.bmp are not beside this checkout")
    source, published = (np.asarray(pillow.open(DATA / name)) for name in ("hopper.bmp", "hopper_emboss.bmp"))
    w = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]])
    answers = [
        np.clip(np.floor(images.filter(source, turned, dtype=np.float64) / 0.3 + 0.5), 0, 255)
        for turned in (w, w[::-1])
    ]
    assert any(np.array_equal(y[1:-1, 1:-1], published[1:-1, 1:-1]) for y in answers)


# Any image ------------------------------------------------------------------------------------------------------------
EVERY = {
    "filter": lambda x: images.filter(x, "sobel_x"),
    "gaussian": lambda x: images.gaussian(x, 1.5),
    "box": lambda x: images.box(x, 3),
    "median": lambda x: images.median(x, 3),
    "sharpen": images.sharpen,
    "unsharp": images.unsharp,
    "sobel": images.sobel,
    "scharr": images.scharr,
    "prewitt": images.prewitt,
    "laplacian": images.laplacian,
    "log": lambda x: images.log(x, 1.2),
    "emboss": images.emboss,
    "erode": images.erode,
    "dilate": images.dilate,
}


@pytest.mark.parametrize("name", EVERY)
def test_any_layout_gives_the_same_and_nothing_is_changed(name, rng):
    call = EVERY[name]
    for dtype in (np.uint8, np.int16, np.float32, np.float64):
        base = (rng.random((40, 60, 2)) * 200).astype(dtype)
        x = np.ascontiguousarray(base[::2, ::-3])
        expected = call(x)
        assert expected.dtype == dtype and expected.shape == x.shape
        frozen = x.copy()
        frozen.flags.writeable = False
        for other in (base[::2, ::-3], x.astype(x.dtype.newbyteorder(">")), frozen, np.asfortranarray(x)):
            y = call(other)
            np.testing.assert_allclose(y, expected, rtol=0, atol=0 if dtype in (np.uint8, np.int16) else 1e-3)
            assert y.dtype.isnative
        np.testing.assert_array_equal(x, frozen)
        for channel in range(2):
            atol = 0 if dtype in (np.uint8, np.int16) else 1e-3
            np.testing.assert_allclose(call(x[..., channel]), expected[..., channel], rtol=0, atol=atol)
        assert call(x[:0]).shape == (0, *x.shape[1:])
    np.testing.assert_allclose(
        call(x.astype(np.float16)).astype(float), call(x.astype(np.float16).astype(np.float64)), rtol=2e-3, atol=0.3
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: images.filter(x, [1, 2]), ValueError, "kernel must be real, of rows and columns, got int64"),
        (lambda x: images.filter(x, [[1j]]), ValueError, "kernel must be real"),
        (lambda x: images.filter(x, "box:3", dtype="complex64"), TypeError, "dtype must be one of integers or floats"),
        (lambda x: images.filter(x, "box:3", dtype="bytes"), TypeError, "dtype must be one of integers or floats"),
        (lambda x: images.filter(x, "box:3", border="around"), ValueError, "border must be one of 'reflect', 'mirror'"),
        (lambda x: images.filter(x * np.nan, "box:3", dtype="uint8"), ValueError, "cannot hold NaN"),
        (lambda x: images.filter(x[0], "sobel_x"), ValueError, "image must be .* got the shape"),
        (lambda x: images.filter(x + 1j, "sobel_x"), TypeError, "image must hold integers or floats"),
        (lambda x: images.gaussian(x > 0, 1), TypeError, "image must hold integers or floats .*, got dtype bool"),
        (lambda x: images.gaussian(x, -1), ValueError, "sigma must be a finite number of at least 0, got -1"),
        (lambda x: images.gaussian(x, (1, 2, 3)), TypeError, "sigma must be a number, got"),
        (lambda x: images.gaussian(x, 1, truncate=0), ValueError, "truncate must be a finite number above 0, got 0"),
        (lambda x: images.edges(x, 3, 2), ValueError, "low must be at most high, 2, got 3"),
        (lambda x: images.edges(x[..., None], 3, 2), ValueError, r"image must be \(rows, columns\), got the shape"),
        (lambda x: images.log(x, 0), ValueError, "sigma must be a finite number above 0, got 0"),
        (lambda x: images.box(x, 0), ValueError, "size must be at least 1, got 0"),
        (lambda x: images.box(x, (1, 2, 3)), ValueError, "size must be a whole number or a sequence of 2"),
        (lambda x: images.median(x, 2.5), TypeError, "size must be a whole number, got 2.5"),
        (lambda x: images.unsharp(x, amount=-1), ValueError, "amount must be a finite number of at least 0, got -1"),
        (lambda x: images.pool(x, "least", 2), ValueError, "kind must be one of 'max', 'min', 'mean', got 'least'"),
        (lambda x: images.pool(x, "max", 2.5), TypeError, "^size must be a whole number, got 2.5"),
        (lambda x: images.pool(x, "max", 99), ValueError, "size must span at most 6 cells"),
        (lambda x: images.peaks(x, "high"), ValueError, "threshold must be a number, got 'high'"),
        (lambda x: images.peaks(x, np.nan), ValueError, "threshold must be a number, got nan"),
        (lambda x: images.peaks(x, 1, -1), ValueError, "min_distance must be at least 0, got -1"),
        (lambda x: images.peaks(1.0, 1), ValueError, "score must hold real numbers"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call(np.ones((6, 8)))


def test_importing_images_stays_light():
    script = "from sigconv import images\nimport sys; print(*{'scipy', 'numba', 'matplotlib'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
