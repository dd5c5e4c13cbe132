"""Many taps in float32, summed in groups of four counted from the start: accuracy, bits, and what is missing."""

import itertools
import re

import numpy as np
import pytest
from cases import assert_same_bits, samples
from hypothesis import given
from hypothesis import strategies as st
from test_kernels import assembly

import sigconv as sc
from sigconv.engines.cpu.causal import build
from sigconv.engines.cpu.causal.grouped import FEWEST
from sigconv.engines.cpu.target import host

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

EPS, LARGEST = np.finfo(np.float32).eps, np.finfo(np.float32).max
TAPS = (96, 97, 98, 99, 100, 103, 127, 129, 258)
HARD = (np.nan, np.inf, -np.inf, LARGEST, -LARGEST, 1e30, 1e-42)


def window(taps, seed=0):
    """Weights without structure, some of them negative or zero."""
    rng = np.random.default_rng(seed + taps)
    w = rng.uniform(-0.1, 1, taps)
    w[rng.random(taps) < 0.1] = 0
    return sc.windows.custom(w)


@pytest.fixture
def chain(monkeypatch):
    """`sc.smooth` by one chain of multiply-adds per output."""

    def smooth(*arguments, **options):
        with monkeypatch.context() as patched:
            patched.setattr(build, "FEWEST", 10**9)
            return sc.smooth(*arguments, **options)

    return smooth


def fed(stream, x, cuts):
    """A stream's answers to pieces of x, saved and restored after every other piece."""
    edges = [0, *sorted(min(cut, len(x)) for cut in cuts), len(x)]
    parts = []
    for k, (lo, hi) in enumerate(itertools.pairwise(edges)):
        parts.append(stream.process(x[lo:hi]))
        if k % 2:
            stream = sc.Smoother.from_state(stream.state())
    return np.concatenate(parts)


@pytest.mark.parametrize("taps", [*TAPS, 1023])
def test_rounding_stays_within_what_a_chain_may_lose(taps, rng):
    n = 6000
    signs = np.where(np.arange(n) % 2, 1, -1)
    noise = rng.standard_normal(n)
    few, many = 4 + taps / 100, 8 + taps / 16  # one weight is changed for the sum of all to be 1
    for signal, limit in ((noise, few), (noise + 1e4, many), (signs + 0.1 * noise, many)):
        x = signal.astype(np.float32)
        weights = window(taps)
        w = weights.weights()
        y = sc.smooth(x, weights)[taps - 1 :]
        error = np.abs(y - np.convolve(x.astype(float), w, "valid")).max()
        assert error <= limit * EPS * np.abs(w).sum() * np.abs(x).max()


def test_rounding_is_a_small_multiple_of_the_chain(chain, rng):
    x = rng.standard_normal(50_000).astype(np.float32)
    for taps in (96, 127, 1023):
        w = window(taps)
        exact = np.convolve(x.astype(float), w.weights(), "valid")
        ours, theirs = (np.sqrt(np.mean((f(x, w)[taps - 1 :] - exact) ** 2)) for f in (sc.smooth, chain))
        assert ours < 4 * theirs


@pytest.mark.parametrize("taps", TAPS)
def test_ones_are_ones(taps):
    for text in (f"linear:{taps}", f"hann:{taps}", f"triangular:{taps}"):
        y = sc.smooth(np.ones(2000, np.float32), text)
        np.testing.assert_allclose(y, 1, rtol=EPS)
        assert (np.diff(y[taps:]) == 0).all()


@st.composite
def sessions(draw):
    taps = draw(st.sampled_from(TAPS))
    channels = draw(st.sampled_from([None, None, 1, 3, 8, 11]))
    n = draw(st.integers(0, 900))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((n, channels or 1)).astype(np.float32)
    for at in draw(st.lists(st.integers(0, max(n - 1, 0)), max_size=4)) if n else []:
        x[at, draw(st.integers(0, (channels or 1) - 1))] = draw(st.sampled_from(HARD))
    border = st.one_of(st.integers(0, n), st.integers(0, n // 4).map(lambda group: 4 * group))
    cuts = [cut + shift for cut in draw(st.lists(border, max_size=10)) for shift in draw(st.sets(st.integers(0, 4)))]
    policies = {
        "nan_policy": draw(st.sampled_from(["omit", "keep", "propagate"])),
        "initial": draw(st.sampled_from(["renormalize", "first", "zero", "nan"])),
        "min_samples": draw(st.sampled_from([1, 1, 40])),
    }
    return window(taps), channels, x if channels else x[:, 0], cuts, policies


@pytest.mark.parametrize("channels", [None, 3, 9])
def test_long_pieces_are_summed_where_they_lie(channels, rng):
    n = 90_000 if channels is None else 12_000
    x = samples(rng, n * (channels or 1), 1e-4, np.float32).reshape(n, *([channels] * bool(channels)))
    for taps, first in itertools.product((96, 130), (1, 2, 3, 200)):
        stream = sc.Smoother(window(taps), channels=channels, dtype="float32")
        assert_same_bits(fed(stream, x, [first, first + n // 3, n - 2]), sc.smooth(x, window(taps), axis=0))


@given(sessions())
def test_pieces_cut_anywhere_give_the_bits_of_one_call(session):
    w, channels, x, cuts, policies = session
    with np.errstate(all="ignore"):
        whole = sc.smooth(x, w, axis=0, **policies)
        stream = sc.Smoother(w, channels=channels, dtype="float32", **policies)
        assert_same_bits(fed(stream, x, cuts), whole)
        for cut in cuts[:3]:  # nothing later changes an earlier bit
            assert_same_bits(sc.smooth(x[:cut], w, axis=0, **policies), whole[:cut])
        for c in range(channels or 0):  # a column is what it would be alone
            assert_same_bits(sc.smooth(np.ascontiguousarray(x[:, c]), w, **policies), whole[:, c])


def test_samples_one_by_one(rng):
    x = samples(rng, 700, 0.003, np.float32)
    for taps in (96, 99, 130):
        stream = sc.Smoother(window(taps), dtype="float32")
        assert_same_bits(np.concatenate([stream.process(x[i : i + 1]) for i in range(700)]), sc.smooth(x, window(taps)))


@pytest.mark.parametrize("policy", ["omit", "propagate"])
@pytest.mark.parametrize("value", HARD)
def test_a_sample_touches_only_the_windows_that_hold_it(policy, value, chain, rng):
    clean = rng.standard_normal(2500).astype(np.float32)
    for taps, at in itertools.product((96, 97, 127, 130), (1200, 1201, 1202, 1203)):
        x = clean.copy()
        x[at] = value
        w = window(taps)
        with np.errstate(all="ignore"):
            y, direct = sc.smooth(x, w, nan_policy=policy), chain(x, w, nan_policy=policy)
        held = slice(at, at + taps)
        free = np.ones(2500, bool)
        free[held] = False
        assert_same_bits(y[free], sc.smooth(clean, w, nan_policy=policy)[free])
        if not np.isfinite(value):  # what the groups cannot sum is the chain's to the last bit
            assert_same_bits(y[held], direct[held])
        else:
            assert (np.isfinite(y[held]) == np.isfinite(direct[held])).all()


def test_nothing_overflows_that_need_not(chain):
    signs = np.where(np.arange(3000) // 3 % 2, 1, -1)
    for taps in (96, 127):
        w = sc.windows.custom(np.ones(taps))
        for x in (np.full(3000, LARGEST), signs * LARGEST):
            x = (x * 0.99).astype(np.float32)
            with np.errstate(all="ignore"):
                y, direct = sc.smooth(x, w), chain(x, w)
            assert np.isfinite(y).all()
            np.testing.assert_allclose(y, direct, rtol=1e-4, atol=1e-4 * LARGEST)


@pytest.mark.parametrize("missing", [1e-4, 0.01, 0.4])
def test_windows_with_something_missing_are_the_chains(missing, chain, rng):
    x = rng.standard_normal(120_000).astype(np.float32)
    x[rng.random(x.size) < missing] = np.nan
    for taps in (96, 127):
        y, direct = sc.smooth(x, window(taps)), chain(x, window(taps))
        incomplete = np.convolve(np.isnan(x), np.ones(taps))[: x.size] > 0.5
        incomplete[: taps - 1] = True
        assert_same_bits(y[incomplete], direct[incomplete])
        np.testing.assert_allclose(y[~incomplete], direct[~incomplete], atol=5e-5)


def test_any_number_of_threads_gives_the_same_bits(rng):
    x = samples(rng, 400_000, 1e-5, np.float32)
    before = sc.get_num_threads()
    try:
        for y in (x, x.reshape(-1, 16)):
            answers = []
            for threads in (1, 2, 7):
                sc.set_num_threads(threads)
                answers.append(sc.smooth(y, window(127), axis=0))
            for other in answers[1:]:
                assert_same_bits(other, answers[0])
    finally:
        sc.set_num_threads(before)


def test_layouts_change_no_bit(rng):
    x = rng.standard_normal((5, 2100)).astype(np.float32)
    for taps in (96, 127):
        rows = np.array([sc.smooth(row, window(taps)) for row in x])
        assert_same_bits(sc.smooth(x, window(taps)), rows)
        assert_same_bits(sc.smooth(np.ascontiguousarray(x.T), window(taps), axis=0), rows.T)
        assert_same_bits(sc.smooth(x[:, ::-1][:, ::-1], window(taps)), rows)
        assert_same_bits(sc.smooth(x[:, :900], window(taps)), rows[:, :900])


def test_fewer_taps_and_float64_stay_with_the_chain(chain, rng):
    x = rng.standard_normal(3000)
    assert_same_bits(sc.smooth(x, window(200)), chain(x, window(200)))
    few = window(FEWEST - 1)
    assert_same_bits(sc.smooth(x.astype(np.float32), few), chain(x.astype(np.float32), few))


@pytest.mark.parametrize("name", ["fast_fir.series_8_8", "fast_fir.columns_8_8"])
def test_the_kernels_multiply_and_add_whole_registers(name, monkeypatch):
    if not {"fma", "avx2"} <= host().features:
        pytest.skip("this CPU has no vectors of fused multiply-adds that go by these names")
    fused = re.findall(r"\bvfmadd\d*ps\b.*%ymm\d+", assembly(name, "float32", monkeypatch))
    assert len(fused) >= 128  # eight taps for eight sums, twice
