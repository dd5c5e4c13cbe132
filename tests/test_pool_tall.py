"""Windows that are high or deep: they share what they have in common, and take no longer for being higher."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pool_cases import DTYPES, TOLERANCE, named, values

import sigconv as sc


@st.composite
def tall_pools(draw):
    """Spatial sizes and windows of which one axis or two have many cells in common."""
    axes = draw(st.integers(2, 3))
    size = draw(st.tuples(*[st.integers(1, 90 if axes == 2 else 40)] * (axes - 1), st.integers(1, 150)))
    stride = draw(st.tuples(*[st.integers(1, 5)] * axes))
    kernel = tuple(draw(st.integers(1, n if draw(st.booleans()) else min(n, 3))) for n in size)
    padding = tuple((draw(st.integers(0, k // 2)), draw(st.integers(0, k // 2))) for k in kernel)
    return size, {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}


def axis_by_axis(join, x, kernel_size, stride, padding, ceil_mode):
    """join(cells, axis) of each window along one axis after the other; cells of the border are not among them."""
    for axis, (k, s, (lo, hi)) in enumerate(zip(kernel_size, stride, padding, strict=True), 1):
        n = x.shape[axis]
        room = lo + n + hi - k
        count = (-(-room // s) if ceil_mode else room // s) + 1
        count -= ceil_mode and (count - 1) * s >= n + lo
        starts = np.arange(count) * s - lo
        cells = [x.take(range(max(at, 0), min(at + k, n)), axis) for at in starts]
        x = np.stack([join(part, axis) for part in cells], axis)
    return x


@given(tall_pools(), st.sampled_from(DTYPES), st.sampled_from(["plain", "ties", "nan", "infinite"]), st.integers(0, 99))
def test_greatest(pool, dtype, kind, seed):
    size, window = pool
    x = values(seed, (2, *size), dtype, kind)
    found = named("max_pool", len(size))(x, **window)
    np.testing.assert_array_equal(found, axis_by_axis(lambda p, axis: p.max(axis, initial=-np.inf), x, **window))


@given(tall_pools(), st.sampled_from(DTYPES), st.sampled_from([1, 2, 3]), st.integers(0, 99))
def test_sums_and_means(pool, dtype, p, seed):
    size, window = pool
    axes = len(size)
    x = values(seed, (2, *size), dtype, "plain")
    with np.errstate(invalid="ignore"):
        means = named("avg_pool", axes)(x, **window, count_include_pad=False)
    norms = named("lp_pool", axes)(x, p, **window)
    wide = x.astype(np.float64)
    counts = axis_by_axis(np.sum, np.ones_like(wide), **window)
    close = {"rtol": TOLERANCE[means.dtype], "atol": TOLERANCE[means.dtype]}
    there = counts > 0
    np.testing.assert_allclose(means[there], (axis_by_axis(np.sum, wide, **window)[there] / counts[there]), **close)
    np.testing.assert_allclose(norms, axis_by_axis(np.sum, np.abs(wide) ** p, **window) ** (1 / p), **close)


@given(tall_pools(), st.integers(0, 99))
def test_gradients_of_means_are_their_adjoint(pool, seed):
    size, window = pool
    axes = len(size)
    x = values(seed, (2, *size), np.float64, "plain")
    y = named("avg_pool", axes)(x, **window)
    assume(y.size)
    grad = values(seed + 1, y.shape, np.float64, "plain")
    back = getattr(sc.grad, f"avg_pool{axes}d")(grad, x.shape, **window)
    np.testing.assert_allclose((grad * y).sum(), (back * x).sum(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", [16, 40])
def test_a_spike_leaves_no_trace_and_threads_change_no_bit(kernel):
    x = np.ones((2, 3, 500, 70), np.float32)
    x[..., 100, :] = 1e30
    before = sc.get_num_threads()
    try:
        runs = []
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            noise = values(0, x.shape, np.float32, "plain")
            runs.append(
                [sc.avg_pool2d(x, (kernel, 1), 1), sc.avg_pool2d(noise, kernel, 2), sc.max_pool2d(noise, kernel, 1)]
            )
    finally:
        sc.set_num_threads(before)
    means = runs[0][0]
    np.testing.assert_array_equal(means[..., 101:, :], 1)
    np.testing.assert_array_equal(means[..., : 101 - kernel, :], 1)
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            assert one.tobytes() == other.tobytes()
