"""Numbers sent to their places in images of any size and fetched from there; windows of pairs of cells."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pool_cases import DTYPES, TOLERANCE, values

import sigconv as sc

# around the 65,536 cells that are one part, and the 4,096 places that are one block
SIZES = [(7,), (65535,), (65536,), (65537,), (140_000,), (300, 301), (3, 200, 220)]
COUNTS = [1, 100, 4096, 4097, 9000]


def scattered(seed, size, count, dtype):
    """Gradients and places anywhere in images of ``size``, some of them none."""
    rng = np.random.default_rng(seed)
    axes = (1,) * (len(size) - 1)
    places = rng.integers(-1, np.prod(size), (2, 2, *axes, count))
    if seed % 2:  # as pools leave them: one after the other
        places.sort(axis=-1)
    return values(seed, places.shape, dtype, "plain"), places


def by_definition(x, places, size, adding):
    y = np.zeros((4, int(np.prod(size))), x.dtype)
    for image, numbers, where in zip(y, x.reshape(4, -1), places.reshape(4, -1), strict=True):
        for number, place in zip(numbers, where, strict=True):
            if place >= 0:
                image[place] = image[place] + number if adding else number
    return y.reshape(2, 2, *size)


@given(st.sampled_from(SIZES), st.sampled_from(COUNTS), st.sampled_from(DTYPES), st.integers(0, 99))
def test_gradients_are_added_in_their_order(size, count, dtype, seed):
    grad, places = scattered(seed, size, count, dtype)
    found = getattr(sc.grad, f"max_pool{len(size)}d")(grad, places, (2, 2, *size))
    np.testing.assert_array_equal(found, by_definition(grad, places, size, adding=True))


@given(st.sampled_from(SIZES), st.sampled_from(COUNTS), st.sampled_from(DTYPES), st.integers(0, 99))
def test_the_last_number_stays(size, count, dtype, seed):
    x, places = scattered(seed, size, count, dtype)
    numbers = places.shape[2:]
    assume(count <= size[-1])
    strides = tuple(n // m for n, m in zip(size, numbers, strict=True))
    kernel = tuple(n - (m - 1) * step for n, m, step in zip(size, numbers, strides, strict=True))
    found = getattr(sc, f"max_unpool{len(size)}d")(x, places, kernel, strides)
    np.testing.assert_array_equal(found, by_definition(x, places, size, adding=False))


@given(st.sampled_from(SIZES), st.sampled_from(COUNTS), st.sampled_from(DTYPES), st.integers(0, 99))
def test_what_stands_at_places_is_fetched(size, count, dtype, seed):
    _, places = scattered(seed, size, count, dtype)
    x = values(seed, (2, 2, *size), dtype, "plain")
    found = getattr(sc.grad, f"max_unpool{len(size)}d")(x, places)
    flat, where = x.reshape(4, -1), places.reshape(4, -1)
    expected = np.where(where >= 0, np.take_along_axis(flat, np.maximum(where, 0), 1), 0)
    np.testing.assert_array_equal(found, expected.reshape(places.shape))


@pytest.mark.parametrize("size", [(20,), (65537,)])
def test_places_outside_are_counted(size):
    grad, places = scattered(0, size, 5000, np.float64)
    places[0, 1] = -1  # nothing there that is inside
    places[0, 0, 7], places[1, 1, 4999], places[1, 0, 4096] = -2, size[0], 2**40
    last = size[0] - 1
    with pytest.raises(ValueError, match=rf"indices must be in \[0, {last}\], a cell of .*, got 3 that are not"):
        sc.grad.max_pool1d(grad, places, (2, 2, *size))
    with pytest.raises(ValueError, match=r"got 3 that are not"):
        sc.grad.max_unpool1d(np.zeros((2, 2, *size)), places)


def test_threads_change_no_bit_of_large_images():
    x = values(3, (1, 1, 700, 900), np.float32, "plain")
    y, places = sc.max_pool2d(x, 3, 1, 1, return_indices=True)
    before = sc.get_num_threads()
    try:
        runs = []
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            runs.append(
                [sc.grad.max_pool2d(y, places, x.shape), sc.grad.max_unpool2d(x, places), sc.global_avg_pool(x)]
            )
    finally:
        sc.set_num_threads(before)
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            assert one.tobytes() == other.tobytes()


@given(
    st.sampled_from([2, 4, 6, 8, 12, 16, 32, 48]),
    st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 700))
    | st.tuples(st.just(1), st.just(1), st.integers(1, 9000)),
    st.booleans(),
    st.sampled_from(DTYPES),
    st.sampled_from(["plain", "nan"]),
)
def test_windows_side_by_side(step, size, shifted, dtype, kind):
    """Windows as wide as their step, of which the first may lie half in the border."""
    x = values(4, (2, *size), dtype, kind)
    kernel = tuple(min(step, n) for n in size)
    pads = tuple(k // 2 if shifted else 0 for k in kernel)
    window = {"kernel_size": kernel, "padding": pads, "ceil_mode": True}
    greatest, means = sc.max_pool3d(x, **window), sc.avg_pool3d(x, **window, count_include_pad=False)
    wide = [(pad, -(-(n + pad) // k) * k - n - pad) for n, k, pad in zip(size, kernel, pads, strict=True)]
    padded = np.pad(x, [(0, 0), *wide], constant_values=-np.inf)
    parts = padded.reshape(2, *(n for pair in zip(means.shape[1:], kernel, strict=True) for n in pair))
    np.testing.assert_array_equal(greatest, parts.max((2, 4, 6)))
    real = np.where(parts == -np.inf, 0, parts).astype(np.float64)
    expected = real.sum((2, 4, 6)) / (parts != -np.inf).sum((2, 4, 6))
    np.testing.assert_allclose(means, expected, rtol=1e-4, atol=40 * TOLERANCE[means.dtype])


@given(
    st.tuples(*[st.sampled_from([1, 2, 3, 5, 8])] * 3),
    st.tuples(st.integers(1, 6), st.integers(1, 20), st.integers(1, 300)),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.sampled_from(DTYPES),
)
def test_gradients_of_windows_side_by_side(steps, size, choices, dtype):
    """Each cell has the share of its one window; what floor leaves over beyond the last window has none."""
    shifted, ceil_mode, by_cells = choices
    kernel = tuple(min(step, n) for step, n in zip(steps, size, strict=True))
    pads = tuple(k // 2 if shifted else 0 for k in kernel)
    window = {"kernel_size": kernel, "padding": pads, "ceil_mode": ceil_mode}
    outputs = sc.avg_pool3d(np.zeros((2, *size)), **window).shape[1:]
    grad = values(5, (2, *outputs), dtype, "plain")

    def spread(cells):
        for axis, (n, k, pad) in enumerate(zip(size, kernel, pads, strict=True), 1):
            cells = np.repeat(cells, k, axis).take(range(pad, min(pad + n, cells.shape[axis] * k)), axis)
            cells = np.pad(cells, [(0, n - cells.shape[axis] if a == axis else 0) for a in range(4)])
        return cells

    counts = np.full(outputs, 7)
    if by_cells:
        counts = np.ones(outputs)
        for axis, (n, k, pad) in enumerate(zip(size, kernel, pads, strict=True)):
            starts = np.arange(outputs[axis]) * k - pad
            real = np.minimum(starts + k, n) - np.maximum(starts, 0)
            counts = counts * real.reshape([-1 if a == axis else 1 for a in range(3)])
    options = {"count_include_pad": False} if by_cells else {"divisor_override": 7}
    back = sc.grad.avg_pool3d(grad, (2, *size), **window, **options)
    np.testing.assert_allclose(back, spread(grad / counts), rtol=TOLERANCE[back.dtype])
