"""Tall windows of many even weights, four rows of outputs at a time: rounding, what is missing, borders, threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import sigconv as sc

BORDERS = st.sampled_from(["reflect", "mirror", "nearest", "wrap", "constant"])
SEEDS = st.integers(0, 2**32 - 1)
TALL = st.tuples(st.integers(8, 37), st.integers(8, 37)).filter(lambda k: k[0] // 4 * 4 * k[1] >= 400)


def even_weights(rng, kernel):
    """Of both signs, none much smaller than its neighbours."""
    return (rng.uniform(0.3, 1, kernel) * rng.choice([-1, 1], kernel)).astype(np.float32)


def in_fours(x, w, **options):
    assert sc.explain("correlate", x, w, **options).method == "winograd"
    return sc.correlate(x, w, **options)


@given(kernel=TALL, rows=st.integers(64, 140), border=BORDERS, seed=SEEDS, offset=st.sampled_from([0, 1e3, -1e6]))
def test_no_worse_than_a_few_roundings(kernel, rows, border, seed, offset):
    rng = np.random.default_rng(seed)
    x = rng.normal(offset, 1, (rows, 2**16 // rows + rng.integers(1, 70))).astype(np.float32)
    w = even_weights(rng, kernel)
    y = in_fours(x, w, border=border, cval=0.5)
    mode = {"wrap": "grid-wrap"}.get(border, border)
    expected = ndimage.correlate(x.astype(float), w.astype(float), mode=mode, cval=0.5)
    largest = max(np.abs(x).max(), 0.5)
    assert np.abs(y - expected).max() <= 4 * np.finfo(np.float32).eps * np.abs(w).sum() * largest


@given(kernel=TALL, seed=SEEDS, value=st.sampled_from([np.nan, np.inf, -np.inf, 3e38]), full=st.booleans())
@settings(deadline=None)
def test_missing_and_infinite_values_stay_in_their_windows(kernel, seed, value, full):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 1, (130, 700)).astype(np.float32), even_weights(rng, kernel)
    x.flat[rng.integers(0, x.size, 3)] = value
    options = {"mode": "full"} if full else {}
    y, chain = in_fours(x, w, **options), sc.correlate(x, w, method="direct", **options)
    there = np.isfinite(chain)
    np.testing.assert_array_equal(y[~there], chain[~there])
    if np.isfinite(value):
        assert np.isfinite(y[there]).all()
        return
    near = 4 * np.finfo(np.float32).eps * np.abs(w).sum() * np.abs(x[np.isfinite(x)]).max()
    np.testing.assert_allclose(y[there], chain[there], rtol=0, atol=near)


def test_nothing_beyond_a_window_leaves_a_trace(rng):
    x, w = rng.normal(0, 1, (200, 500)).astype(np.float32), even_weights(rng, (11, 51))
    clean = in_fours(x, w)
    x[101, 250] = 1e30
    y = in_fours(x, w)
    inside = np.zeros(x.shape, bool)
    inside[101 - 5 : 101 + 6, 250 - 25 : 250 + 26] = True
    np.testing.assert_array_equal(y[~inside], clean[~inside])
    assert (y[inside] != clean[inside]).all()


@given(kernel=TALL, seed=SEEDS, shape=st.sampled_from([(3, 70, 1000), (70, 400, 3), (1, 200, 330, 1)]), border=BORDERS)
def test_planes_and_channels_each_for_itself(kernel, seed, shape, border):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 1, shape).astype(np.float32), even_weights(rng, kernel)
    axes = {3: (0, 1) if shape[-1] == 3 else (1, 2), 4: (1, 2)}[x.ndim]
    y = in_fours(x, w, border=border, axes=axes)
    chain = sc.correlate(x, w, border=border, axes=axes, method="direct")
    near = 6 * np.finfo(np.float32).eps * np.abs(w).sum() * np.abs(x).max()
    np.testing.assert_allclose(y, chain, rtol=0, atol=near)


def test_threads_change_no_bit(rng):
    x, w = rng.normal(0, 1, (333, 777)).astype(np.float32), even_weights(rng, (13, 41))
    results = []
    before = sc.get_num_threads()
    try:
        for threads in (1, 2, 7):
            sc.set_num_threads(threads)
            results.append(in_fours(x, w))
    finally:
        sc.set_num_threads(before)
    assert all(np.array_equal(results[0], y) for y in results[1:])


@pytest.mark.parametrize(
    "change",
    [
        lambda x, w: (x, np.where(np.arange(w.size).reshape(w.shape) % 8 == 3, 0, w)),  # a weight of nothing
        lambda x, w: (x.astype(np.float64), w),
        lambda x, w: (x[:60], w),
        lambda x, w: (x, w[:9, :9]),
    ],
)
def test_not_where_it_loses_or_does_not_pay(change, rng):
    x, w = change(rng.normal(0, 1, (300, 300)).astype(np.float32), even_weights(rng, (21, 21)))
    assert sc.explain("correlate", x, w.astype(x.dtype)).method == "direct"
