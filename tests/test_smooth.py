"""Whole arrays against the oracle: every window and policy, and every kind of array."""

import numpy as np
import oracle
import pytest
from cases import (
    BY_COUNT,
    BY_TIME,
    CASES,
    EPOCH,
    MS,
    POLICIES,
    WIDTHS,
    S,
    assert_close,
    assert_same_bits,
    options_of,
    possible,
    problems,
    samples,
    stamps,
    tolerance,
    window_of,
    windows_by_count,
    windows_by_time,
)
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_what_the_oracle_says(case, dtype, rng):
    for even in (False, True):
        x, times = samples(rng, 64, dtype=dtype), stamps(rng, 64, even)
        times = times if case.needs_times or even else None
        y = case.run(x, times)
        assert y.dtype == dtype and y.shape == x.shape
        assert_close(y, *case.expected(x.astype(float), times), tolerance(dtype), case.policies.get("period"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_data_of_no_sample_one_sample_and_missing_samples(case):
    for x in ([], [4.5], [np.nan], [np.nan] * 5, [np.nan, np.nan, 2.5], [np.inf, 1.0, -np.inf]):
        x = np.array(x, float)
        times = EPOCH + 400 * MS * np.arange(x.size) if case.needs_times else None
        assert_close(case.run(x, times), *case.expected(x, times), 1e-12, case.policies.get("period"))


@given(problems(windows_by_count()))
def test_windows_by_count(problem):
    case, x, times = problem
    y = case.run(x, times)
    assert_close(y, *case.expected(x.astype(float), times), tolerance(x.dtype), case.policies.get("period"))


@given(problems(windows_by_time()))
def test_windows_by_time(problem):
    case, x, times = problem
    y = case.run(x, times)
    assert_close(y, *case.expected(x.astype(float), times), tolerance(x.dtype), case.policies.get("period"))


@given(problems(WIDTHS, "median"))
def test_moving_median(problem):
    case, x, times = problem
    y = case.run(x, times)
    assert_close(y, *case.expected(x.astype(float), times), tolerance(x.dtype) / 100)


@given(problems(WIDTHS, "hampel"), st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from([0.0, 1e-3, 2.0]))
def test_hampel(problem, threshold, min_scale):
    case, x, times = problem
    limits = {"threshold": threshold, "min_scale": min_scale}
    width = f"{case.spec['width_ns']}ns" if case.timed else case.spec["width"]
    y, outlier = sc.hampel(x, width, times=times, **limits, **case.options)
    expected = oracle.hampel(x.astype(float), **case.spec, times_ns=times, **limits, **case.policies)
    sure = expected[2] > 16 * np.finfo(x.dtype).eps
    assert outlier.dtype == bool and outlier.shape == x.shape
    assert (outlier == expected[1])[sure].all()
    scale = np.where(sure, np.abs(np.nan_to_num(expected[0])), np.inf)
    assert_close(y, expected[0], scale, tolerance(x.dtype) / 100)
    kept = ~outlier & np.isfinite(y)
    assert (y[kept] == x[kept]).all()


@pytest.mark.parametrize("width", [63, 64, 65, 100, 128, 257, 300, 1000])
@pytest.mark.parametrize("missing", [0.0, 0.01, 0.3])
def test_wide_windows_on_longer_data(width, missing, rng):
    x = samples(rng, 1200, missing)
    for spec in ({"shape": "uniform", "width": width}, {"shape": "linear", "width": width}):
        assert_close(sc.smooth(x, window_of(spec)), *oracle.smooth(x, spec), 1e-12)
    assert_close(sc.moving_median(x, width), y := oracle.moving_median(x, width), np.abs(y), 1e-15)


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("measure", ["sample", "hold"])
@pytest.mark.parametrize("width_ns", [300 * MS, 5 * S, 200 * S])
def test_dense_windows_in_time(width_ns, measure, missing, rng):
    x = samples(rng, 700 if measure == "sample" else 150, missing)
    times = EPOCH + np.cumsum(rng.integers(0, 30 * MS, x.size) * rng.choice([0, 1, 1, 1, 40], x.size))
    for spec in ({"shape": "uniform", "width_ns": width_ns}, {"shape": "exponential", "tau_ns": width_ns // 3}):
        y = sc.smooth(x, window_of(spec), times=times, measure=measure)
        assert_close(y, *oracle.smooth(x, spec, times, measure=measure), 1e-12)
    y = oracle.moving_median(x, width_ns=width_ns, times_ns=times)
    assert_close(sc.moving_median(x, f"{width_ns}ns", times=times), y, np.abs(y), 1e-15)


@pytest.mark.parametrize("measure", ["hold", "linear"])
@pytest.mark.parametrize("name", ["uniform", "linear", "triangular", "gaussian", "exponential"])
def test_integrals_keep_their_digits_at_every_step(name, measure):
    spec = {"shape": name, {"gaussian": "sigma_ns", "exponential": "tau_ns"}.get(name, "width_ns"): 1000 * S}
    x = np.array([1.0, 0.0, 0.0, np.nan])
    for step in (0.99 * np.logspace(0, 13, 131)).astype(np.int64):
        for later in (1, 500 * S):
            times = EPOCH + np.cumsum([0, step, step // 2, later])
            y = sc.smooth(x, window_of(spec), times=times, measure=measure)
            assert_close(y, *oracle.smooth(x, spec, times, measure=measure), 1e-12)


KINDS = {
    "negative stride": lambda x: x[::-1].copy()[::-1],
    "every third": lambda x: np.repeat(x, 3)[::3],
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "unaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype),
    "list": list,
}
SOME = [case for case in CASES if case.name in {"uniform-7-default", "exponential-span-default", "gaussian-500ms-hold"}]
SOME += [case for case in CASES if case.name in {"polynomial-2s-default", "median-9-default", "hampel-2s-keep"}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_any_layout_gives_the_same_bits(case, kind, rng):
    x, times = samples(rng, 50), stamps(rng, 50)
    times = times if case.needs_times else None
    before = x.copy()
    assert_same_bits(case.run(KINDS[kind](x), times), case.run(x, times))
    assert_same_bits(x, before)
    if case.needs_times:
        assert_same_bits(case.run(x, KINDS[kind](times)), case.run(x, times))


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_integers_and_booleans_become_float64(case, rng):
    times = stamps(rng, 40) if case.needs_times else None
    for dtype in (np.int8, np.uint16, np.int32, np.int64, np.uint64, bool):
        x = rng.integers(0, 2 if dtype is bool else 100, 40).astype(dtype)
        assert_same_bits(case.run(x, times), case.run(x.astype(np.float64), times))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_every_axis_of_an_array_is_smoothed_alone(case, dtype, rng):
    x = samples(rng, 4 * 30 * 3, dtype=dtype).reshape(4, 30, 3)
    for axis in (0, 1, 2, -1, -3):
        for view in (x, np.asfortranarray(x), x[::2, ::-1, 1:]):
            times = stamps(rng, view.shape[axis]) if case.needs_times else None
            y = case.run(view, times, axis=axis)
            alone = np.apply_along_axis(lambda lane, times=times: case.run(lane, times), axis, view)
            assert_same_bits(y, alone.astype(dtype))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (1, 1), (2, 0, 3)])
def test_arrays_without_samples_or_lanes(shape):
    for axis in range(len(shape)):
        times = EPOCH + np.arange(shape[axis]) * S
        for window in ("uniform:3", "exponential:span=4", "uniform:2s"):
            y = sc.smooth(np.ones(shape), window, times=times, axis=axis)
            assert y.shape == shape and (y == 1).all()
        assert sc.moving_median(np.ones(shape), 3, axis=axis).shape == shape
        y, outlier = sc.hampel(np.ones(shape), 3, axis=axis)
        assert y.shape == outlier.shape == shape


@pytest.mark.parametrize("case", [c for c in SOME if c.operation != "hampel"], ids=lambda case: case.name)
def test_out_receives_the_answer(case, rng):
    x, times = samples(rng, 60).reshape(3, 20), stamps(rng, 20) if case.needs_times else None
    expected = case.run(x, times)
    for out in (np.empty((3, 20)), np.empty((20, 3)).T, np.empty((3, 40))[:, ::2]):
        assert case.run(x, times, out=out) is out
        assert_same_bits(out, expected)
    inplace = x.copy()
    assert case.run(inplace, times, out=inplace) is inplace
    assert_same_bits(inplace, expected)


def test_stamps_of_any_kind_mean_the_same(rng):
    x, ms = samples(rng, 40), np.cumsum(rng.integers(0, 900, 40))
    window = window_of(BY_TIME["gaussian-500ms"])
    expected = sc.smooth(x, window, times=(ms + 1_700_000_000_000) * MS)
    epoch = np.datetime64(1_700_000_000_000, "ms") + ms.astype("timedelta64[ms]")
    for unit in ("ms", "us", "ns"):
        assert_same_bits(sc.smooth(x, window, times=epoch.astype(f"datetime64[{unit}]")), expected)
    assert_same_bits(sc.smooth(x, window, times=ms + 1_700_000_000_000, time_unit="ms"), expected)
    assert_same_bits(sc.smooth(x, window, times=(ms + 1_700_000_000_000) * 1000, time_unit="us"), expected)
    assert_same_bits(sc.smooth(x, window, times=ms / 1000), expected)
    assert_same_bits(sc.smooth(x, window, times=ms.astype(np.int32), time_unit="ms"), expected)


def test_counted_windows_take_times_and_ignore_them(rng):
    x, times = samples(rng, 40), stamps(rng, 40)
    assert_same_bits(sc.smooth(x, "linear:6", times=times), sc.smooth(x, "linear:6"))


@pytest.mark.parametrize("name", [n for n in {**BY_COUNT, **BY_TIME} if "slope" not in n and "polynomial" not in n])
def test_diagnose(name, rng):
    spec = {**BY_COUNT, **BY_TIME}[name]
    for policy in ("default", "nan", "keep", "min_samples", "max_gap", "hold", "linear"):
        policies = POLICIES[policy]
        if not possible(spec, policies):
            continue
        x, times = samples(rng, 50), stamps(rng, 50)
        found = sc.diagnose(x, window_of(spec), times=times, **options_of(policies))
        assert found._fields == ("weight", "count", "delay")
        answered = np.isfinite(oracle.smooth(x, spec, times, **policies)[0])
        for field, expected in zip(found, oracle.diagnose(x, spec, times, **policies), strict=True):
            assert field.dtype == np.float64 and field.shape == x.shape
            np.testing.assert_allclose(field[answered], expected[answered], rtol=1e-9, atol=1e-12)


def test_diagnose_of_a_full_window_without_missing_samples():
    x = np.arange(20.0)
    found = sc.diagnose(x, "uniform:4")
    np.testing.assert_allclose(found.weight, np.minimum(np.arange(1, 21), 4) / 4)
    np.testing.assert_allclose(found.count, np.minimum(np.arange(1, 21), 4))
    np.testing.assert_allclose(found.delay, (np.minimum(np.arange(1, 21), 4) - 1) / 2)
    lanes = sc.diagnose(np.stack([x, x], axis=1), "uniform:4", axis=0)
    assert lanes.weight.shape == (20, 2)


def test_fft_gives_the_same_filter_up_to_rounding(rng):
    x = rng.standard_normal(500)
    for window in ("uniform:100", "gaussian:sigma=9", "hann:64"):
        np.testing.assert_allclose(sc.smooth(x, window, method="fft"), sc.smooth(x, window), atol=1e-10)
