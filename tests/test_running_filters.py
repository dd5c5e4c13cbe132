"""Running means, minima and maxima against scipy.ndimage and against windows written out, at every border."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

import sigconv as sc
from sigconv.borders import BORDERS
from sigconv.engines.cpu.linear import running_filters
from sigconv.engines.cpu.linear.running_filters import Window, byte_means

OURS = {
    "uniform": (sc.uniform_filter, ndimage.uniform_filter),
    "minimum": (sc.minimum_filter, ndimage.minimum_filter),
    "maximum": (sc.maximum_filter, ndimage.maximum_filter),
}
EXACT = (np.uint8, np.int8, np.bool_, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16)
borders = st.sampled_from(BORDERS)


def oracle(x, sizes, origins, border, cval, function):
    """Windows along one axis after another, cut out of a padded array."""
    names = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}
    widths = [(size // 2 + origin, (size - 1) // 2 - origin) for size, origin in zip(sizes, origins, strict=True)]
    if border == "constant":
        x = np.pad(x, widths, constant_values=cval)
    else:
        x = np.pad(x, widths, mode=names[border])
    for axis, size in enumerate(sizes):
        x = function(np.lib.stride_tricks.sliding_window_view(x, size, axis), axis=-1)
    return x


@st.composite
def filters(draw, most=40):
    """Shape, sizes and origins: small arrays of up to four dimensions, windows that may be wider than they."""
    ndim = draw(st.integers(1, 4))
    longest = (600, most, 14, 7)[ndim - 1]
    shape = tuple(draw(st.integers(1, longest)) for _ in range(ndim))
    sizes = tuple(draw(st.sampled_from([1, 1, 2, 3, 5, 8, 15, 31, 64, 67])) for _ in range(ndim))
    origins = tuple(draw(st.integers(-(k // 2), (k - 1) // 2)) for k in sizes)
    return shape, sizes, origins


def close(y, expected, x):
    eps = np.finfo(y.dtype).eps
    scale = np.abs(x[np.isfinite(x)]).max(initial=1.0)
    np.testing.assert_allclose(y, expected, rtol=0, atol=8 * eps * scale)


@given(case=filters(), border=borders, dtype=st.sampled_from([np.float32, np.float64]), seed=st.integers(0, 2**32))
def test_means_are_scipys(case, border, dtype, seed):
    shape, sizes, origins = case
    x = np.random.default_rng(seed).normal(1, 3, shape).astype(dtype)
    kept = x.copy()
    y = sc.uniform_filter(x, sizes, border=border, cval=2.5, origin=origins)
    expected = ndimage.uniform_filter(x.astype(float), sizes, mode=border, cval=2.5, origin=origins)
    assert y.dtype == dtype and y.shape == shape
    close(y, expected, np.append(x.ravel(), 2.5))
    np.testing.assert_array_equal(x, kept)


@given(
    case=filters(), border=borders, which=st.sampled_from(["minimum", "maximum"]), seed=st.integers(0, 2**32),
    dtype=st.sampled_from([np.float32, np.float64, *EXACT]),
)  # fmt: skip
def test_extremes_are_scipys(case, border, which, seed, dtype):
    shape, sizes, origins = case
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        x = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    else:
        x = rng.normal(0, 3, shape).astype(dtype)
    ours, _ = OURS[which]
    y = ours(x, sizes, border=border, cval=1, origin=origins)
    expected = oracle(x, sizes, origins, border, 1, np.max if which == "maximum" else np.min)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, expected)
    if np.dtype(dtype).itemsize < 8 and dtype is not np.float16:  # what scipy takes and holds exactly
        theirs = OURS[which][1](x, sizes, mode=border, cval=1, origin=origins)
        np.testing.assert_array_equal(y, theirs)


@given(case=filters(20), border=borders, which=st.sampled_from(sorted(OURS)), seed=st.integers(0, 2**32))
def test_missing_values_and_infinities_are_where_their_windows_are(case, border, which, seed):
    shape, sizes, origins = case
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, shape).astype(rng.choice([np.float32, np.float64]))
    x[rng.random(shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    function = {"uniform": np.mean, "minimum": np.min, "maximum": np.max}[which]
    with np.errstate(invalid="ignore"):
        expected = oracle(x, sizes, origins, border, 0.5, function)
    y = OURS[which][0](x, sizes, border=border, cval=0.5, origin=origins)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    np.testing.assert_array_equal(np.isposinf(y), np.isposinf(expected))
    np.testing.assert_array_equal(np.isneginf(y), np.isneginf(expected))
    there = np.isfinite(expected)
    close(y[there], expected[there], np.append(x.ravel(), 0.5))


@given(case=filters(60), border=borders, seed=st.integers(0, 2**32), cval=st.sampled_from([0, 7, 255, 300, -4.5]))
def test_bytes_are_rounded_half_to_even(case, border, seed, cval):
    shape, sizes, origins = case
    shape, sizes, origins = shape[:2], sizes[:2], origins[:2]
    x = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    windows = {axis: Window(k, k // 2 + o) for axis, (k, o) in enumerate(zip(sizes, origins, strict=True))}
    y = byte_means(x, windows, border, cval)
    sums = oracle(x.astype(np.int64) * 2, sizes, origins, border, int(cval * 2), np.sum)  # halves are whole
    twice = 2 * np.prod(sizes)
    below, left = sums // twice, sums % twice
    up = (2 * left > twice) | ((2 * left == twice) & (below % 2 == 1))
    np.testing.assert_array_equal(y, np.clip(below + up, 0, 255))


@pytest.mark.parametrize("dtype", EXACT)
def test_integers_have_means_that_are_floats(dtype, rng):
    x = rng.integers(0, 2 if dtype is np.bool_ else 100, (37, 41)).astype(dtype)
    y = sc.uniform_filter(x, (4, 7), border="mirror")
    narrow = np.dtype(dtype).itemsize <= 2
    assert y.dtype == (np.float16 if dtype is np.float16 else np.float32 if narrow else np.float64)
    close(y, ndimage.uniform_filter(x.astype(float), (4, 7), mode="mirror"), x)


@pytest.mark.parametrize("axes", [0, (1,), (-1, 0), (2, 0), (0, 1, 2), ()])
@pytest.mark.parametrize("which", OURS)
def test_axes(axes, which, rng):
    x = rng.normal(size=(11, 23, 17))
    size = 5 if isinstance(axes, int) or not axes else tuple(range(3, 3 + len(axes)))
    ours, theirs = OURS[which]
    chosen = (axes,) if isinstance(axes, int) else axes
    np.testing.assert_allclose(ours(x, size, axes=axes), theirs(x, size, axes=chosen), atol=1e-14)


@pytest.mark.parametrize("which", OURS)
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[::-1], lambda x: x[:, ::-2], lambda x: x.T, lambda x: x[5:40, 3:60], np.asfortranarray,
        lambda x: x.astype(x.dtype.newbyteorder(">")), lambda x: np.broadcast_to(x[:, :1], (70, 80)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int16, np.int64])
def test_views(view, which, dtype, rng):
    x = view(rng.integers(0, 200, (70, 80)).astype(dtype))
    x.flags.writeable = False
    ours, _ = OURS[which]
    plain = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
    np.testing.assert_allclose(ours(x, (9, 4)), ours(plain, (9, 4)), rtol=1e-6)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 5), (2, 0, 3)])
@pytest.mark.parametrize("which", OURS)
def test_nothing_gives_nothing(shape, which):
    y = OURS[which][0](np.empty(shape, np.float32), 3)
    assert y.shape == shape and y.dtype == np.float32


def test_lists_and_images_with_channels(rng):
    assert sc.maximum_filter([[1, 2], [3, 4]], (1, 2)).tolist() == [[1, 2], [3, 4]]
    x = rng.random((60, 50, 3), dtype=np.float32)
    y = sc.uniform_filter(x, 9, axes=(0, 1))
    for c in range(3):
        np.testing.assert_allclose(y[..., c], ndimage.uniform_filter(x[..., c], 9), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_stays_of_what_left_a_window(dtype):
    x = np.ones(5000, dtype)
    x[1000] = 1e30
    y = sc.uniform_filter(x, 101)
    assert (y[:950] == 1).all() and (y[1051:] == 1).all() and y[1000] > 1e27
    image = np.ones((300, 200), dtype)
    image[150, 100] = 1e30
    y = sc.uniform_filter(image, 31)
    assert (y == 1).sum() == image.size - 31 * 31


def test_long_windows_of_float32_are_summed_in_float64(rng):
    x = (rng.random((3000, 40)) + 1000).astype(np.float32)
    y = sc.uniform_filter(x, 1001, axes=0)
    expected = ndimage.uniform_filter1d(x.astype(float), 1001, 0)
    assert np.abs(y - expected).max() <= np.spacing(np.float32(1001))


def test_threads_do_not_change_a_bit(rng):
    cases = [
        rng.random(shape).astype(dtype) for dtype in (np.float32, np.float64) for shape in ((900, 700), (300_000,))
    ]
    cases += [rng.integers(0, 256, (1100, 900), np.uint8), rng.random((60, 50, 70), dtype=np.float32)]
    kept = sc.get_num_threads()
    answers = []
    try:
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            answers.append([run(x, 13).tobytes() for x in cases for run, _ in OURS.values()])
    finally:
        sc.set_num_threads(kept)
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("size", [9, 301])
@pytest.mark.parametrize("shape", [(2048, 2048), (4_000_000,), (2, 2048, 1024)])
def test_memory_beside_the_result_is_bounded(size, shape):
    x = np.ones(shape, np.float32)
    sc.uniform_filter(np.ones((4,) * x.ndim, np.float32), size)  # what is compiled is not measured
    tracemalloc.start()
    try:
        sc.uniform_filter(x, size)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes + 2**24


def test_every_way_through_an_array_is_taken():
    def passes(shape, *axes):
        return [
            (one.planes, one.rows, one.columns, one.step)
            for one in running_filters.passes(shape, {axis: Window(3, 1) for axis in axes}, 4, 2**21)
        ]

    assert passes((50, 60), 0, 1) == [(1, 50, 60, 1)]
    assert passes((9, 50, 60), 0, 1, 2) == [(9, 50, 60, 1), (1, 9, 3000, 1)]
    assert passes((50, 60, 3), 0, 1) == [(1, 50, 60, 3)]
    assert passes((7, 8), 0) == [(1, 1, 7, 8)]
    assert passes((8, 9, 100), 0, 2) == [(1, 72, 100, 1), (1, 8, 900, 1)]
    assert passes((5,)) == []


REFUSED = [
    (TypeError, r"^size must be a whole number, got 2.5$", {"size": 2.5}),
    (ValueError, r"^size must be at least 1, got 0$", {"size": 0}),
    (ValueError, r"^size must be a whole number or a sequence of 2, one for each axis, got \(3,\)$", {"size": (3,)}),
    (ValueError, r"^border must be one of 'reflect', .*, got 'zeros'$", {"size": 3, "border": "zeros"}),
    (ValueError, r"^origin must be in \[-1, 1\] for a size of 3, got 2$", {"size": 3, "origin": 2}),
    (ValueError, r"^origin must be in \[-2, 1\] for a size of 4, got -3$", {"size": 4, "origin": (0, -3)}),
    (ValueError, r"^axis must be in \[-2, 1\] for an array of 2 dimensions, got 2$", {"size": 3, "axes": 2}),
    (ValueError, r"^axes must be different, got \(0, -2\)$", {"size": 3, "axes": (0, -2)}),
    (TypeError, r"^cval must be a number, got 'a'$", {"size": 3, "cval": "a"}),
]


@pytest.mark.parametrize("which", OURS)
@pytest.mark.parametrize(("error", "message", "arguments"), REFUSED)
def test_what_is_refused(which, error, message, arguments):
    with pytest.raises(error, match=message):
        OURS[which][0](np.ones((4, 5)), **arguments)


@pytest.mark.parametrize("which", OURS)
def test_arrays_that_are_refused(which):
    for x, error, message in [
        (np.ones(3, complex), TypeError, r"^x must hold real numbers, got dtype complex128$"),
        (np.float64(3), ValueError, r"^x must have at least one axis, got "),
        (["a"], TypeError, r"^x must hold real numbers, got dtype <U1$"),
    ]:
        with pytest.raises(error, match=message):
            OURS[which][0](x, 3)


@pytest.mark.parametrize("cval", [-1, 256, 0.5, np.nan, np.inf])
def test_constants_that_are_no_integers_of_the_dtype(cval):
    with pytest.raises(ValueError, match=r"^cval must be a whole number in \[0, 255\] for an array of uint8, got "):
        sc.maximum_filter(np.ones(3, np.uint8), 3, border="constant", cval=cval)
