"""Correlation and convolution against sums written out and against scipy: shapes, borders, places, steps."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_linear import weighted
from scipy import ndimage, signal

import sigconv as sc
from sigconv.borders import BORDERS

BOTH = {"correlate": sc.correlate, "convolve": sc.convolve}
LONGEST = (300, 40, 13, 7)
seeds = st.integers(0, 2**32)
borders = st.sampled_from(BORDERS)
floats = st.sampled_from([np.float32, np.float64])
operations = st.sampled_from(sorted(BOTH))


def near(y, expected, scale, slack=4):
    """Within a few rounding errors of the sum of magnitudes, ``scale``."""
    eps = np.finfo(y.dtype).eps
    assert y.shape == expected.shape
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_less(np.abs(y - expected), slack * eps * np.asarray(scale + 1e-300, np.longdouble))


def rounding(kernel, least=4):
    """How many rounding errors of a sum of magnitudes a sum of so many cells may come to."""
    return least + np.prod(kernel) ** 0.5


@st.composite
def windows_over_arrays(draw, modes=("same", "valid", "full"), ranks=(1, 4)):
    """Shapes of array and weights, and the options that say how the window slides."""
    ndim = draw(st.integers(*ranks))
    axes = draw(st.permutations(range(ndim)))[: draw(st.integers(1, ndim))]
    mode = draw(st.sampled_from(modes))
    shape = [draw(st.integers(1, LONGEST[ndim - 1])) for _ in range(ndim)]
    kernel, stride, dilation, origin = [], [], [], []
    for axis in axes:
        k = draw(st.sampled_from([1, 2, 3, 3, 4, 5, 7] + [9, 16, 31, 70] * (ndim < 3)))
        gap = draw(st.sampled_from([1, 1, 1, 2, 3]))
        span = (k - 1) * gap + 1
        if mode == "valid":
            shape[axis] = max(shape[axis], span)
        kernel.append(k)
        dilation.append(gap)
        stride.append(draw(st.sampled_from([1, 1, 1, 2, 3, 50])))
        origin.append(draw(st.integers(-(span // 2), (span - 1) // 2)) if mode == "same" else 0)
    options = {"mode": mode, "axes": tuple(axes), "stride": tuple(stride), "dilation": tuple(dilation)}
    return tuple(shape), tuple(kernel), {**options, "origin": tuple(origin)}


@given(case=windows_over_arrays(), border=borders, dtype=floats, operation=operations, seed=seeds)
def test_any_window_is_the_sum_written_out(case, border, dtype, operation, seed):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 3, shape).astype(dtype), rng.normal(0, 1, kernel).astype(dtype)
    kept = x.copy(), w.copy()
    y = BOTH[operation](x, w, border=border, cval=2.5, **options)
    expected, scale = weighted(x, w, flipped=operation == "convolve", border=border, cval=2.5, **options)
    near(y, expected, scale, rounding(kernel))
    assert y.dtype == dtype and np.array_equal(x, kept[0]) and np.array_equal(w, kept[1])


@given(case=windows_over_arrays(["same"]), border=borders, operation=operations, dtype=floats, seed=seeds)
def test_same_is_scipy_ndimages(case, border, operation, dtype, seed):
    shape, kernel, options = case
    spans = [(k - 1) * gap + 1 for k, gap in zip(kernel, options["dilation"], strict=True)]
    for axis, span in zip(options["axes"], spans, strict=True):  # over smaller arrays scipy errs at times
        shape = (*shape[:axis], max(shape[axis], span), *shape[axis + 1 :])
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 3, shape).astype(dtype), rng.normal(0, 1, kernel)
    order = np.argsort(options["axes"])
    stuffed = np.zeros(spans)
    stuffed[tuple(slice(None, None, gap) for gap in options["dilation"])] = w
    missing = tuple(axis for axis in range(len(shape)) if axis not in options["axes"])
    spread = np.expand_dims(stuffed.transpose(order), missing)
    origin = [dict(zip(options["axes"], options["origin"], strict=True)).get(axis, 0) for axis in range(len(shape))]
    whole = getattr(ndimage, operation)(x.astype(float), spread, mode=border, cval=-1.5, origin=origin)
    steps = [slice(None)] * len(shape)
    for axis, step in zip(options["axes"], options["stride"], strict=True):
        steps[axis] = slice(None, None, step)
    y = BOTH[operation](x, w, border=border, cval=-1.5, **options)
    scale = (np.abs(x).max() + 1.5) * np.abs(w).sum()
    near(y, whole[tuple(steps)], scale, rounding(kernel))


@given(case=windows_over_arrays(["valid", "full"]), operation=operations, complexes=st.booleans(), seed=seeds)
def test_valid_and_full_are_scipy_signals(case, operation, complexes, seed):
    shape, kernel, options = case
    kernel = (*kernel, *(1,) * (len(shape) - len(kernel)))
    rng = np.random.default_rng(seed)
    if options["mode"] == "valid":
        shape = tuple(map(max, shape, kernel))
    x, w = rng.normal(0, 3, shape), rng.normal(0, 1, kernel)
    if complexes:
        x, w = x + 1j * rng.normal(0, 3, shape), w - 1j * rng.normal(0, 1, kernel)
    y = BOTH[operation](x, w, mode=options["mode"])
    expected = getattr(signal, operation)(x, w, options["mode"], "direct")
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14 * np.abs(x).max() * np.abs(w).sum())


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("operation", BOTH)
def test_windows_and_borders_wider_than_the_array(operation, border, rng):
    for shape, kernel in (((1,), (9,)), ((3,), (50,)), ((2, 3), (7, 12)), ((1, 40), (30, 3)), ((2, 1, 3), (5, 4, 9))):
        x, w = rng.normal(size=shape), rng.normal(size=kernel)
        for mode in ("same", "full"):
            y = BOTH[operation](x, w, mode=mode, border=border, cval=3)
            near(y, *weighted(x, w, flipped=operation == "convolve", mode=mode, border=border, cval=3))


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
def test_sizes_around_those_of_tiles_and_lines(operation, dtype, rng):
    columns = (15, 16, 17, 31, 33, 63, 64, 65, 129, 191, 193, 257)
    kernels = itertools.cycle([(1, 3), (2, 2), (3, 3), (4, 5), (5, 1), (7, 7)])
    for n, rows, kernel in zip(columns, itertools.cycle([1, 2, 3, 4, 5, 31, 33]), kernels, strict=False):
        x, w = rng.integers(0, 250, (rows, n)).astype(dtype), rng.normal(size=kernel).astype(np.float32)
        for border, stride, dilation in (("reflect", 1, 1), ("constant", 1, 1), ("wrap", 2, 1), ("mirror", 1, (2, 3))):
            options = {"border": border, "stride": stride, "dilation": dilation}
            y = BOTH[operation](x, w, **options)
            near(y, *weighted(x, w, flipped=operation == "convolve", **options))


@pytest.mark.parametrize("shape", [(9001,), (70, 5000), (9000, 70), (3, 500, 400), (500, 400, 3), (2, 3, 300, 400)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_arrays_made_in_several_parts(shape, dtype, rng):
    x = rng.integers(-1000, 1000, shape).astype(dtype)
    for axes in {(len(shape) - 1,), (0,), tuple(range(len(shape)))[-2:], tuple(range(len(shape)))[:2]}:
        w = rng.integers(-9, 9, (3, 2)[: len(axes)])
        for border, step in (("reflect", 1), ("wrap", 2)):
            y = sc.correlate(x, w, axes=axes, border=border, stride=step, out_dtype=np.float32)
            expected = ndimage.correlate(x.astype(np.float32), w, mode=border, axes=axes)
            np.testing.assert_array_equal(
                y, expected[tuple(slice(None, None, step if a in axes else 1) for a in range(x.ndim))]
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_windows_wider_than_a_tile(dtype, rng):
    for shape, kernel in (((900,), (450,)), ((9, 700), (3, 201)), ((30, 50, 3), (2, 41)), ((200, 20), (101, 2))):
        x, w = rng.normal(size=shape).astype(dtype), rng.normal(size=kernel).astype(dtype)
        axes = tuple(range(w.ndim))
        for options in ({}, {"mode": "full"}, {"mode": "valid"}, {"border": "wrap", "origin": -1}):
            near(sc.correlate(x, w, axes=axes, **options), *weighted(x, w, axes=axes, **options), rounding(kernel))


def test_channels_last_and_first(rng):
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    w = rng.normal(size=(5, 4))
    y = sc.correlate(image, w, axes=(0, 1))
    first = sc.correlate(image.transpose(2, 0, 1), w, axes=(1, 2))
    np.testing.assert_array_equal(y, first.transpose(1, 2, 0))
    swapped = sc.correlate(image, w.T, axes=(1, 0))
    np.testing.assert_array_equal(y, swapped)
    for c in range(3):
        expected = ndimage.correlate(image[..., c].astype(float), w)
        np.testing.assert_allclose(y[..., c], expected, atol=1e-6 * 256 * np.abs(w).sum())
    np.testing.assert_array_equal(sc.correlate(image, w, axes=(-3, -2)), y)


@pytest.mark.parametrize("operation", BOTH)
def test_no_axes_at_all(operation):
    x = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(BOTH[operation](x, 2.0, axes=()), 2 * x)
    assert np.array_equal(BOTH[operation](x, [2.0], axes=1), 2 * x)


def test_lists_and_pages_examples():
    assert sc.correlate([0, 0, 1, 0, 0], [1, 2, 3]).tolist() == [0, 3, 2, 1, 0]
    assert sc.convolve([0, 0, 1, 0, 0], [1, 2, 3], mode="full").tolist() == [0, 0, 1, 2, 3, 0, 0]
    assert sc.correlate([1.0, 2.0], [1.0, 10.0], border="circular").tolist() == [12.0, 21.0]


@given(case=windows_over_arrays(), dtype=floats, seed=seeds)
def test_convolving_is_correlating_with_the_window_turned_around(case, dtype, seed):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 3, shape).astype(dtype), rng.normal(0, 1, kernel).astype(dtype)
    spans = [(k - 1) * gap + 1 for k, gap in zip(kernel, options["dilation"], strict=True)]
    if options["mode"] == "same":
        options["origin"] = [-o - (span % 2 == 0) for o, span in zip(options["origin"], spans, strict=True)]
        mirrored = {**options, "origin": [-o - (s % 2 == 0) for o, s in zip(options["origin"], spans, strict=True)]}
    else:
        mirrored = options
    y = sc.convolve(x, w, **mirrored)
    np.testing.assert_array_equal(y, sc.correlate(x, np.flip(w), **options))


@given(seed=seeds, axis=st.integers(0, 1), by=st.integers(-20, 20), operation=operations)
def test_what_is_shifted_comes_out_shifted(seed, axis, by, operation):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(23, 37)), rng.normal(size=(4, 3))
    run = BOTH[operation]
    shifted = run(np.roll(x, by, axis), w, border="wrap")
    np.testing.assert_array_equal(shifted, np.roll(run(x, w, border="wrap"), by, axis))


@given(case=windows_over_arrays(), border=borders, operation=operations, seed=seeds)
def test_sums_of_inputs_and_of_weights_give_sums(case, border, operation, seed):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)
    whole = [rng.integers(-9, 9, size).astype(float) for size in (shape, shape, kernel, kernel)]  # no rounding
    x, other, w, by = whole
    run = BOTH[operation]
    one, two = run(x, w, border=border, **options), run(other, w, border=border, **options)
    np.testing.assert_array_equal(run(2 * x - other, w, border=border, **options), 2 * one - two)
    np.testing.assert_array_equal(run(x, w + by, border=border, **options), one + run(x, by, border=border, **options))


@given(case=windows_over_arrays(["valid"], (1, 3)), dtype=floats, seed=seeds, data=st.data())
def test_no_bit_depends_on_where_an_array_is_cut(case, dtype, seed, data):
    shape, kernel, options = case
    options["stride"] = 1
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 3, shape).astype(dtype), rng.normal(0, 1, kernel).astype(dtype)
    y = sc.correlate(x, w, **options)
    spans = {a: (k - 1) * g + 1 for a, k, g in zip(options["axes"], kernel, options["dilation"], strict=True)}
    crop, part = [], []
    for axis, n in enumerate(shape):
        span = spans.get(axis, 1)
        low = data.draw(st.integers(0, n - span))
        high = data.draw(st.integers(low + span, n))
        crop.append(slice(low, high))
        part.append(slice(low, high - span + 1))
    np.testing.assert_array_equal(sc.correlate(x[tuple(crop)], w, **options), y[tuple(part)])
