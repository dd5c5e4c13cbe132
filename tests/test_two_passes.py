"""Weights that are products of two factors: places, roundings, what is missing, bits that depend on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_linear import weighted
from test_linear import borders, floats, near, rounding, seeds

import sigconv as sc

SIZES = st.sampled_from([1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 63, 64, 65, 100, 130])
TAPS = st.sampled_from([2, 3, 4, 5, 8, 13, 16, 33])
GAPS = st.sampled_from([1, 1, 2, 3, 20])
EITHER = st.booleans()


def factors(rng, kernel, symmetric):
    """One factor for each axis, of both signs."""
    found = [rng.normal(0, 1, k) for k in kernel]
    return [f + f[::-1] if symmetric else f for f in found]


def in_two(x, w, **options):
    return sc.correlate(x, w, method="separable", **options)


@given(rows=SIZES, columns=SIZES, kernel=st.tuples(TAPS, TAPS), gaps=st.tuples(GAPS, GAPS),
       channels=st.sampled_from([1, 1, 3]), symmetric=EITHER, border=borders, dtype=floats, seed=seeds)  # fmt: skip
def test_sums_are_those_written_out(rows, columns, kernel, gaps, channels, symmetric, border, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, (rows, columns, channels)).astype(dtype)
    w = np.outer(*factors(rng, kernel, symmetric)).astype(dtype)
    options = {"axes": (0, 1), "dilation": gaps, "border": border, "cval": 1.5}
    expected, scale = weighted(x, w, **options)
    near(in_two(x, w, **options), expected, scale, rounding(kernel, 8) + sum(kernel))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
def test_an_output_depends_on_its_window_alone(dtype, symmetric, rng):
    x = rng.integers(0, 256, (150, 330)).astype(dtype)
    w = np.abs(np.outer(*factors(rng, (7, 13), symmetric)))
    w = (w / w.sum()).astype(np.float32 if dtype != np.float64 else dtype)
    whole = in_two(x, w, mode="valid", out_dtype=dtype)
    for top, left, high, wide in [(0, 0, 9, 40), (3, 5, 80, 100), (17, 31, 60, 299), (1, 2, 148, 328), (60, 9, 37, 20)]:
        part = in_two(x[top : top + high, left : left + wide], w, mode="valid", out_dtype=dtype)
        np.testing.assert_array_equal(part, whole[top : top + high - 6, left : left + wide - 12])


def test_large_results_and_threads_change_no_bit(rng):
    x = rng.normal(size=(1200, 2064)).astype(np.float32)
    w = np.outer(*factors(rng, (5, 9), True)).astype(np.float32)
    before = sc.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            found.append(in_two(x, w))
    finally:
        sc.set_num_threads(before)
    assert found[0].nbytes > 2**23
    assert all(np.array_equal(found[0], other) for other in found[1:])
    room = np.empty(x.size + 3, np.float32)
    for start in range(3):  # at other places in a cache line
        y = in_two(x, w, out=room[start : start + x.size].reshape(x.shape))
        np.testing.assert_array_equal(y, found[0])
    np.testing.assert_array_equal(in_two(x[300:500], w)[2:-2], found[0][302:498])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_the_rounded_sums(dtype, rng):
    x = rng.integers(0, np.iinfo(dtype).max, (90, 200), dtype, endpoint=True)
    most = np.iinfo(dtype).max
    for w in (
        np.outer([1, 3, -2, 1, 0.7], [2, 1, 3, -1, 0.6, 1]),
        np.outer([-1, 2, 3, 2, -1], [1, -3, 0.4, 5, 0.4, -3, 1]),
    ):
        exact = np.rint(in_two(x, w / 5)).clip(0, most)
        assert {0, most} < set(exact.ravel().tolist())
        np.testing.assert_array_equal(in_two(x, w / 5, out_dtype=dtype), exact.astype(dtype))


@given(kernel=st.tuples(TAPS, TAPS), symmetric=EITHER, dtype=floats, border=borders, seed=seeds,
       value=st.sampled_from([np.nan, np.inf, -np.inf]))  # fmt: skip
def test_missing_and_infinite_values_stay_in_their_windows(kernel, symmetric, dtype, border, seed, value):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (70, 150)).astype(dtype)
    w = np.outer(*factors(rng, kernel, symmetric)).astype(dtype)
    clean = in_two(x, w, border=border)
    x.flat[rng.integers(0, x.size, 3)] = value
    y, direct = (sc.correlate(x, w, border=border, method=method) for method in ("separable", "direct"))
    there = np.isfinite(direct)
    np.testing.assert_array_equal(np.isfinite(y), there)
    np.testing.assert_array_equal(y[there], clean[there])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_large_numbers_may_share_a_weight(dtype):
    w = np.outer([1, 2, 5, 2, 1], [1, 2, 3, 3, 2, 1]).astype(dtype)
    w /= w.sum()
    x = np.ones((40, 100), dtype)
    x[:, 50:] = 0.75 * np.finfo(dtype).max
    y = in_two(x, w)
    assert np.isfinite(y).all()
    np.testing.assert_allclose(y[:, 60:], x[:, 60:], rtol=1e-5)
    np.testing.assert_allclose(y[:, :40], 1, rtol=1e-5)
    np.testing.assert_array_equal(y[:, :40], in_two(np.ones_like(x), w)[:, :40])
