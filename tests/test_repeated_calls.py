"""Calls like earlier ones, which go straight to their kernel: they answer as the first one did."""

import gc
import threading

import numpy as np
import pytest

import sigconv as sc
from sigconv import _weighted
from sigconv.engines.cpu.linear import correlations

BELL = np.outer(*[np.exp(-(np.arange(-3.0, 4) ** 2) / 4)] * 2).astype(np.float32)
ANY = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
WEIGHTS = {"separable": BELL, "direct": ANY}


def image(shape=(300, 200), dtype=np.float32):
    rng = np.random.default_rng(2)
    return (200 * rng.random(shape)).astype(dtype)


def fresh(x, w, **options):
    """The answer of a call that knows of none before it."""
    _weighted._calls.clear()
    return sc.correlate(x, w, **options)


@pytest.mark.parametrize("way", WEIGHTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_the_second_call_and_the_next_image_are_right(way, dtype):
    x, w = image(dtype=dtype), WEIGHTS[way]
    first = fresh(x, w)
    np.testing.assert_array_equal(sc.correlate(x, w), first)
    other = sc.correlate(x[::-1].copy(), w)
    np.testing.assert_array_equal(other, fresh(x[::-1].copy(), w))
    assert not np.array_equal(other, first)


@pytest.mark.parametrize("way", WEIGHTS)
def test_a_call_outlives_every_plan_that_is_forgotten(way):
    x, w = image(), WEIGHTS[way]
    first = fresh(x, w)
    for clear in (correlations._jobs.cache_clear, correlations._passes.cache_clear):
        clear()
    gc.collect()
    waste = [np.full(2**k, -(2**62)) for k in range(4, 14) for _ in range(20)]  # over what was given back
    for _ in range(20):
        np.testing.assert_array_equal(sc.correlate(x, w), first)
    assert waste
    for columns in range(40, 40 + 2 * _weighted._KEPT):  # more kinds of calls than are kept
        sc.correlate(x[:20, :columns], w)
    np.testing.assert_array_equal(sc.correlate(x, w), first)


def test_weights_may_change_where_they_lie():
    x, w = image(), ANY.copy()
    before = fresh(x, w)
    w[0, 0] *= 2
    after = sc.correlate(x, w)
    w[0, 0] /= 2
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(sc.correlate(x, w), before)


@pytest.mark.parametrize("way", WEIGHTS)
def test_each_layout_in_memory_has_a_call_of_its_own(way):
    x, w = image((128, 128)), WEIGHTS[way]
    want = fresh(x, w)
    wide, turned = np.zeros((128, 256), np.float32), np.asfortranarray(x)
    wide[:, ::2] = x
    odd = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    odd[...] = x
    for same in (x, wide[:, ::2], turned, odd, x.astype(">f4"), x[::-1].copy()[::-1]):
        for _ in range(2):
            np.testing.assert_allclose(sc.correlate(same, w), want, rtol=0, atol=1e-4 * abs(want).max())
    for out in (np.empty_like(x), np.empty((128, 256), np.float32)[:, ::2], np.empty_like(turned)):
        assert sc.correlate(x, w, out=out) is out
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("pair", [(True, 1), (0.0, -0.0), (1, 1.0), (2.5, 3.5)])
def test_options_that_compare_equal_are_told_apart(pair):
    x, w = -np.zeros((9, 9), np.float32), np.ones((1, 3), np.float32)
    for cval in pair:
        options = dict(border="constant", cval=cval)
        if cval is True:
            with pytest.raises(TypeError, match="cval must be a number"):
                sc.correlate(x, w, **options)
            continue
        got = sc.correlate(x, w, **options)
        want = fresh(x, w, **options)
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def test_many_threads_share_a_call():
    x = image((400, 300))
    want = {way: fresh(x, w) for way, w in WEIGHTS.items()}
    wrong = []

    def repeat(way):
        for _ in range(30):
            if not np.array_equal(sc.correlate(x, WEIGHTS[way]), want[way]):
                wrong.append(way)

    threads = [threading.Thread(target=repeat, args=(way,)) for way in [*WEIGHTS] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
