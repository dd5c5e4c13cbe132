"""What holds for every filter: nothing later is used, nothing that left leaves a trace, and threads change no bit."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracle
import pytest
from cases import CASES, EPOCH, MS, PLAIN, S, assert_same_bits, samples, stamps

import sigconv as sc

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

FINITE = [case for case in CASES if case.spec.get("shape") != "exponential" and "max_gap_ns" not in case.policies]


@pytest.fixture
def threads():
    before = sc.get_num_threads()
    yield sc.set_num_threads
    sc.set_num_threads(before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_later_changes_an_earlier_bit(case, rng):
    n = 300 if not case.timed else 120
    for dtype in (np.float64, np.float32):
        x, times = samples(rng, n, 0.05, dtype), stamps(rng, n) if case.needs_times else None
        y = case.run(x, times)
        for cut in (0, 1, 2, 31, 64, 100, n - 1):
            later = rng.choice([np.nan, np.inf, 1e30, -5.0], n - cut).astype(dtype)
            moved = None if times is None else np.append(times[:cut], times[cut:] + S * np.arange(n - cut))
            assert_same_bits(case.run(np.append(x[:cut], later), moved)[:cut], y[:cut])
            assert_same_bits(case.run(x[:cut], None if times is None else times[:cut]), y[:cut])


def rows_without(case, times, at, n):
    """Rows whose window cannot feel the sample at ``at``: before it, or after it has left."""
    rows = np.arange(n)
    if not case.timed:
        return (rows < at) | (rows >= at + oracle.length({"shape": "", **case.spec}))
    # a reading is held, and a line drawn, until the next reading: only then it begins to leave
    left = times[min(at + 1, n - 1)] if "measure" in case.policies else times[at]
    reach = oracle.reach({"shape": "", **case.spec})
    return (rows < at) | (times - left > reach)


@pytest.mark.parametrize("case", FINITE, ids=lambda case: case.name)
def test_a_sample_touches_only_the_windows_that_hold_it(case, rng):
    n = 300 if not case.timed else 120
    for dtype, large in ((np.float64, 1e300), (np.float32, 1e30)):
        x, times = samples(rng, n, 0, dtype), stamps(rng, n) if case.needs_times else None
        y = case.run(x, times)
        for at in (1, 40, 77, 78):
            free = rows_without(case, times, at, n)
            answers = []
            for value in (np.nan, np.inf, large, -large):
                other = x.copy()
                other[at] = value
                answers.append(case.run(other, times))
                assert_same_bits(answers[-1][free], y[free])
            if case.policies.get("nan_policy") != "propagate" and case.operation != "hampel":
                assert_same_bits(answers[0], answers[1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("spike", [1e16, -1e16, 3e37, np.inf, np.nan])
def test_after_a_spike_the_mean_of_ones_is_one(spike, dtype):
    x = np.ones(5000, dtype)
    x[700] = spike
    for width in (1, 2, 3, 8, 30, 31, 63, 64, 65, 100, 127, 128, 129, 500, 1000, 3001):
        y = sc.smooth(x, f"uniform:{width}")
        assert (y[:700] == 1).all() and (y[700 + width :] == 1).all()
        y = sc.smooth(x, f"uniform:{width * 10}ms", times=EPOCH + 10 * MS * np.arange(5000))
        assert (y[:700] == 1).all() and (y[700 + width :] == 1).all()
    for window in ("linear:90", "gaussian:sigma=9", "hann:200", "linear:900ms", "gaussian:sigma=90ms"):
        y = sc.smooth(x, window, times=EPOCH + 10 * MS * np.arange(5000))
        np.testing.assert_allclose(np.append(y[:700], y[901:]), 1, rtol=4 * np.finfo(dtype).eps)
    for measure in ("hold", "linear"):
        for window in ("uniform:1s", "linear:1s", "triangular:1s"):
            y = sc.smooth(x, window, times=EPOCH + 10 * MS * np.arange(5000), measure=measure)
            np.testing.assert_allclose(np.append(y[:700], y[802:]), 1, rtol=8 * np.finfo(dtype).eps)


def test_constants_stay_what_they_are():
    for case in CASES:
        if case.policies.get("initial") == "zero" or case.spec.get("deriv"):
            continue
        for value in (0.1, 7.0, -3e-5):
            y = case.run(np.full(60, value), EPOCH + 70 * MS * np.arange(60) if case.needs_times else None)
            expected = value % case.policies["period"] if "period" in case.policies else value
            y = y[np.isfinite(y)]
            # a fit's weights exceed one and cancel
            np.testing.assert_allclose(y, expected, rtol=1e-12 if case.spec.get("shape") == "polynomial" else 3e-15)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_any_number_of_threads_gives_the_same_bits(dtype, threads, rng):
    n = 300_000
    x = samples(rng, n, 0.01, dtype)
    clean = np.where(np.isfinite(x), x, dtype(3))
    times = EPOCH + np.cumsum(rng.integers(0, 200 * MS, n))
    for case in PLAIN:
        if case.name.startswith(("uniform-1h", "median-1h", "hampel-1h", "hampel-min_scale-1h")):
            continue  # many thousands of samples in each window
        answers = []
        for count in (1, 2, 7):
            threads(count)
            stamped = times if case.needs_times else None
            answers.append(
                (case.run(x, stamped), case.run(clean[:100_000], None if stamped is None else stamped[:100_000]))
            )
        for other in answers[1:]:
            assert_same_bits(other[0], answers[0][0])
            assert_same_bits(other[1], answers[0][1])


@pytest.mark.parametrize(("shape", "axis"), [((17, 9000), 1), ((9000, 17), 0), ((3, 20_000, 2), 1)])
def test_lanes_over_threads_give_the_same_bits(shape, axis, threads, rng):
    x = samples(rng, int(np.prod(shape)), 0.01).reshape(shape)
    times = EPOCH + np.cumsum(rng.integers(0, 200 * MS, shape[axis]))
    for case in PLAIN[::3]:
        if "1h" in case.name:
            continue
        answers = []
        for count in (1, 2, 7):
            threads(count)
            answers.append(case.run(x, times if case.needs_times else None, axis=axis))
        assert_same_bits(answers[1], answers[0])
        assert_same_bits(answers[2], answers[0])


def test_calls_from_several_python_threads_at_once(rng):
    x = samples(rng, 200_000)
    windows = ["uniform:100", "gaussian:sigma=4", "exponential:span=20", "linear:31"]
    expected = [sc.smooth(x, window) for window in windows]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for y, alone in zip(pool.map(lambda window: sc.smooth(x, window), windows), expected, strict=True):
                assert_same_bits(y, alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_works():
    script = (
        "import os, sys, numpy as np, sigconv as sc\n"
        "sc.set_num_threads(3)\n"
        "x = np.arange(500_000.0)\n"
        "y = sc.smooth(x, 'linear:31')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if np.array_equal(sc.smooth(x, 'linear:31'), y) else 3)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=root, timeout=120).returncode == 0


def test_the_number_of_threads_can_be_asked_for(threads):
    threads(3)
    assert sc.get_num_threads() == 3
    for bad in (0, -1, 1.5, "two"):
        with pytest.raises((ValueError, TypeError)):
            threads(bad)
    assert sc.get_num_threads() == 3
