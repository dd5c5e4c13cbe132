"""A stream cut anywhere gives the bits of one call, through saved and restored states, in this process or another."""

import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import (
    CASES,
    EPOCH,
    MS,
    WIDTHS,
    S,
    assert_same_bits,
    problems,
    samples,
    stamps,
    windows_by_count,
    windows_by_time,
)
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc
from sigconv import windows

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SAVABLE = [case for case in CASES if "function" not in case.spec]
ROOT = Path(__file__).resolve().parent.parent


def chunks_of(rng, n, longest):
    """Cuts of [0, n) into pieces, many of them empty or of one sample."""
    cuts = [0]
    while cuts[-1] < n:
        cuts.append(min(n, cuts[-1] + int(rng.choice([0, 1, 1, 2, rng.integers(0, longest + 1)]))))
    return list(itertools.pairwise(cuts))


def plain(value):
    """Whether a state consists of what any file format can hold."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and plain(v) for k, v in value.items())
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or type(value) in (str, int, float, bool)


def restored(stream):
    state = stream.state()
    assert "version" in state and plain(state), state
    return sc.Smoother.from_state(pickle.loads(pickle.dumps(state)))


def fed(stream, x, times, pieces, save):
    """The stream's answers, piece by piece, with a save and restore between some of them."""
    parts = [np.empty((0, *x.shape[1:]), x.dtype)]
    for lo, hi in pieces:
        parts.append(stream.process(x[lo:hi], None if times is None else times[lo:hi]))
        assert parts[-1].dtype == x.dtype and parts[-1].shape == x[lo:hi].shape
        if save(lo):
            stream = restored(stream)
    return np.concatenate(parts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_streams(case, rng):
    for dtype, channels in ((np.float64, None), (np.float32, None), (np.float64, 3)):
        n = 90
        x = samples(rng, n * (channels or 1), dtype=dtype).reshape(n, *([channels] * bool(channels)))
        times = stamps(rng, n, even=channels is None) if case.needs_times or channels else None
        expected = case.run(x, times, axis=0)
        often = "function" not in case.spec
        for longest in (3, 40):
            stream = case.stream(channels=channels, dtype=np.dtype(dtype).name)
            pieces = chunks_of(rng, n, longest)
            assert_same_bits(fed(stream, x, times, pieces, lambda lo, often=often: often and lo % 3 == 0), expected)


@pytest.mark.parametrize("missing", [0.0, 0.02])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_long_streams_cross_every_block(dtype, missing, rng):
    n = 6000
    for case in CASES:
        if not case.name.endswith(("default", "-hold", "-linear")) or "1h" in case.name:
            continue
        x = samples(rng, n, missing, dtype)
        times = EPOCH + np.cumsum(rng.integers(0, 100 * MS, n)) if case.needs_times else None
        pieces = chunks_of(rng, n, 900)
        stream = case.stream(dtype=np.dtype(dtype).name)
        assert_same_bits(fed(stream, x, times, pieces, lambda lo: False), case.run(x, times))


@pytest.mark.parametrize("width", [63, 64, 65, 128, 300, 1000])
@pytest.mark.parametrize("missing", [0.0, 0.01])
def test_wide_windows_stream(width, missing, rng):
    for shape in ("uniform", "linear", "hann"):
        for dtype in (np.float64, np.float32):
            x = samples(rng, 4000, missing, dtype)
            stream = sc.Smoother(f"{shape}:{width}", dtype=np.dtype(dtype).name)
            y = fed(stream, x, None, chunks_of(rng, x.size, 2 * width), lambda lo: lo % 2 == 0)
            assert_same_bits(y, sc.smooth(x, f"{shape}:{width}"))


@st.composite
def sessions(draw):
    case = draw(st.sampled_from(CASES))
    channels = draw(st.sampled_from([None, None, 1, 3, 17]))
    n = draw(st.integers(0, 120))
    seed = draw(st.integers(0, 2**32 - 1))
    missing = draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    rng = np.random.default_rng(seed)
    x = samples(rng, n * (channels or 1), missing, dtype).reshape(n, *([] if channels is None else [channels]))
    times = stamps(rng, n, draw(st.booleans())) if case.needs_times or draw(st.booleans()) else None
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=12)))
    pieces = list(itertools.pairwise([0, *cuts, n]))
    saves = draw(st.sets(st.sampled_from([lo for lo, _ in pieces]))) if "function" not in case.spec else set()
    return case, channels, x, times, pieces, saves


@given(sessions())
def test_any_cut_anywhere(session):
    case, channels, x, times, pieces, saves = session
    stream = case.stream(channels=channels, dtype=x.dtype.name)
    assert_same_bits(fed(stream, x, times, pieces, saves.__contains__), case.run(x, times, axis=0))


PROBLEMS = st.one_of(
    problems(windows_by_count()),
    problems(windows_by_time()),
    problems(WIDTHS, "median"),
    problems(WIDTHS, "hampel"),
)


@given(PROBLEMS, st.lists(st.integers(0, 40), max_size=12), st.integers(1, 4))
def test_any_window_any_policy(problem, cuts, every):
    case, x, times = problem
    cuts = sorted(min(cut, x.size) for cut in cuts)
    pieces = list(itertools.pairwise([0, *cuts, x.size]))
    stream = case.stream(dtype=x.dtype.name)
    savable = "function" not in case.spec
    assert_same_bits(fed(stream, x, times, pieces, lambda lo: savable and lo % every == 0), case.run(x, times))


def test_a_state_is_resumed_by_another_process(tmp_path, rng):
    jobs = []
    n = 80
    for case in SAVABLE[:: max(1, len(SAVABLE) // 60)]:
        x, times = samples(rng, n), stamps(rng, n) if case.needs_times else None
        stream = case.stream()
        stream.process(x[:37], None if times is None else times[:37])
        jobs.append((stream.state(), x[37:], None if times is None else times[37:], case.run(x, times)[37:]))
    (tmp_path / "jobs").write_bytes(pickle.dumps([job[:3] for job in jobs]))
    script = (
        "import pathlib, pickle, sys; import sigconv as sc\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "jobs = pickle.loads((folder / 'jobs').read_bytes())\n"
        "done = [sc.Smoother.from_state(state).process(x, times) for state, x, times in jobs]\n"
        "(folder / 'done').write_bytes(pickle.dumps(done))\n"
    )
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    call, env = [sys.executable, "-c", script, tmp_path], {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    for found, job in zip(pickle.loads((tmp_path / "done").read_bytes()), jobs, strict=True):
        assert_same_bits(found, job[3])


@pytest.mark.parametrize("text", ["uniform:5", "uniform:2s", "exponential:tau=1s", "median:5", "hampel:5", "median:2s"])
def test_a_state_is_a_copy_and_reset_forgets(text, rng):
    x, times = samples(rng, 60), stamps(rng, 60)
    stream = sc.Smoother(text, max_gap="900ms")
    first = stream.process(x[:30], times[:30])
    state = stream.state()
    rest = stream.process(x[30:], times[30:])
    assert_same_bits(sc.Smoother.from_state(state).process(x[30:], times[30:]), rest)
    assert_same_bits(sc.Smoother.from_state(state).process(x[30:], times[30:]), rest)
    stream.reset()
    assert_same_bits(stream.process(x[:30], times[:30]), first)


def test_channels_are_lanes_of_their_own(rng):
    x, times = samples(rng, 60 * 17).reshape(60, 17), stamps(rng, 60)
    for case in CASES[::7]:
        together = case.stream(channels=17).process(x, times)
        for lane in (0, 7, 16):
            assert_same_bits(together[:, lane], case.stream().process(x[:, lane], times))


def test_hampel_streams_with_its_options():
    x = np.array([1, 2, 1, 50, 2, 1, 2.0])
    y = sc.Smoother("hampel:5").process(x)
    assert y.tolist() == [1, 2, 1, 1.5, 2, 1, 2]
    y = sc.Smoother("hampel:5,threshold=1000").process(x)
    assert y.tolist() == x.tolist()


def test_stamps_of_any_kind_stream(rng):
    x, ms = samples(rng, 40), np.cumsum(rng.integers(0, 900, 40))
    expected = sc.smooth(x, "gaussian:sigma=1s", times=ms * MS)
    epoch = np.datetime64("2024-02-29T12:00", "ms") + ms.astype("timedelta64[ms]")
    kinds = {"ns": [epoch, ms * MS, ms / 1000], "ms": [ms], "us": [ms * 1000]}
    for unit, several in kinds.items():
        for times in several:
            stream = sc.Smoother("gaussian:sigma=1s", time_unit=unit)
            parts = [stream.process(x[i : i + 1], times[i : i + 1]) for i in range(40)]
            assert_same_bits(np.concatenate(parts), expected)


def test_lists_and_other_layouts_stream(rng):
    x = samples(rng, 40)
    for like in (list, lambda x: x.astype(">f8"), lambda x: np.repeat(x, 2)[::2], lambda x: x[::-1].copy()[::-1]):
        stream = sc.Smoother("linear:6")
        parts = [stream.process(like(x[:13])), stream.process(like(x[13:]))]
        assert_same_bits(np.concatenate(parts), sc.smooth(x, "linear:6"))
    stream = sc.Smoother("uniform:2")
    assert stream.process(np.array([1, 2, 4])).tolist() == [1, 1.5, 3]
    assert stream.process(np.array([True])).tolist() == [2.5]


def test_what_a_stream_refuses(rng):
    times = EPOCH + S * np.arange(4)
    for text, options in (("uniform:2s", {}), ("uniform:2", {"max_gap": "2s"}), ("median:2s", {})):
        with pytest.raises(ValueError, match="times"):
            sc.Smoother(text, **options).process(np.ones(4))
    with pytest.raises(ValueError, match="times"):
        sc.Smoother("uniform:2s").process(np.ones(4), times[:3])
    with pytest.raises(ValueError, match=r"times.*\b2\b"):
        sc.Smoother("uniform:2s").process(np.ones(4), times[[0, 2, 1, 3]])
    for bad in (np.ones((4, 2)), np.float64(3.0)):
        with pytest.raises(ValueError):
            sc.Smoother("uniform:2").process(bad)
    for bad in (np.ones(4), np.ones((4, 2)), np.ones((3, 4))):
        with pytest.raises(ValueError, match="channels"):
            sc.Smoother("uniform:2", channels=3).process(bad)
    for options in ({"channels": 0}, {"channels": -1}, {"dtype": "int32"}, {"initial": "bogus"}, {"min_samples": 3}):
        with pytest.raises((ValueError, TypeError), match=next(iter(options))):
            sc.Smoother("uniform:2", **options)
    for bad in ("hampel:5,treshold=3", "median:0", "median:x", "unifrom:3"):
        with pytest.raises(ValueError):
            sc.Smoother(bad)
    with pytest.raises(ValueError):
        sc.Smoother("uniform:2", nan_policy="raise").process([1.0, np.nan])


def test_a_refused_piece_leaves_the_stream_as_it_was(rng):
    x, times = samples(rng, 30), stamps(rng, 30)
    for text in ("uniform:2s", "exponential:tau=1s", "median:2s", "polynomial:2s,degree=1"):
        stream = sc.Smoother(text)
        first = stream.process(x[:20], times[:20])
        for bad in (times[:10], times[19:29][::-1] - S, times[20:25]):
            with pytest.raises(ValueError, match="times"):
                stream.process(x[20:], bad)
        y = np.concatenate([first, stream.process(x[20:], times[20:])])
        expected = sc.moving_median(x, "2s", times=times) if "median" in text else sc.smooth(x, text, times=times)
        assert_same_bits(y, expected)


def test_a_state_of_another_version_is_refused():
    state = sc.Smoother("uniform:2").state()
    for bad in ({**state, "version": 10**6}, {}, {k: v for k, v in state.items() if k != "version"}):
        with pytest.raises((ValueError, sc.SigconvError)):
            sc.Smoother.from_state(bad)


@pytest.mark.parametrize(
    ("window", "edit"),
    [
        ("exponential:span=5", lambda state: state.update(channels=10**6)),
        ("uniform:5s", lambda state: state["filter"]["filters"]["0"].update(anchor=10**7)),
        ("uniform:5", lambda state: state.update(window="uniform:500000")),
        ("uniform:5", lambda state: state.update(filter=None)),
        ("gaussian:sigma=1s", lambda state: state["filter"]["filters"]["0"].update(t=np.zeros(3, np.int64))),
    ],
)
def test_an_edited_state_is_refused_in_one_line(window, edit):
    stream = sc.Smoother(window)
    stream.process([1.0, 2.0], [0.0, 1.0])
    state = stream.state()
    edit(state)
    with pytest.raises(ValueError, match="state") as caught:
        sc.Smoother.from_state(state)
    assert "\n" not in str(caught.value)


def test_a_state_survives_lists():
    stream = sc.Smoother("uniform:1", channels=2)
    stream.process([[1.0, 2.0]])

    def listed(value):
        if isinstance(value, dict):
            return {key: listed(item) for key, item in value.items()}
        return value.tolist() if isinstance(value, np.ndarray) else value

    assert_same_bits(sc.Smoother.from_state(listed(stream.state())).process([[3.0, 4.0]]), np.array([[3.0, 4.0]]))


def test_a_failing_function_leaves_every_channel_as_it_was():
    calls = []

    def weigh(ages):
        calls.append(1)
        return np.full_like(ages, np.nan) if len(calls) == 4 else np.exp(-ages)

    stream = sc.Smoother(windows.custom(weigh, "5s"), channels=2)
    stream.process(np.ones((2, 2)), [0.0, 1.0])
    with pytest.raises(ValueError, match="function"):
        stream.process(np.full((1, 2), 9.0), [2.0])
    assert_same_bits(stream.process(np.ones((1, 2)), [2.0]), np.ones((1, 2)))
