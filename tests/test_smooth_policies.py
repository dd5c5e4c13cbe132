"""What the policies mean, in numbers small enough to check by hand, and what is refused, in words."""

import numpy as np
import pytest
from cases import BY_COUNT, BY_TIME, EPOCH, MEDIANS, MS, POLICIES, S, options_of, possible, width_of, window_of

import sigconv as sc
from sigconv import windows

NAN, INF = np.nan, np.inf
SECONDS = EPOCH + S * np.arange(100)


def smoothed(x, window, seconds=None, **policies):
    """Smooth a list at stamps in seconds."""
    times = None if seconds is None else EPOCH + np.round(np.array(seconds, float) * S).astype(np.int64)
    return sc.smooth(np.array(x, float), window, times=times, **policies)


def is_(y, expected):
    np.testing.assert_allclose(y, expected, rtol=1e-14, atol=0)


def test_ages_count_rows_so_a_missing_sample_still_advances_them():
    is_(smoothed([1, NAN, NAN, 8], "uniform:3"), [1, 1, 1, 8])
    is_(smoothed([1, NAN, NAN, NAN, 8], "uniform:3"), [1, 1, 1, NAN, 8])
    is_(smoothed([4, NAN, 1], "linear:3"), [4, 4, (3 * 1 + 1 * 4) / 4])
    is_(smoothed([4, NAN, 1], "exponential:alpha=0.5"), [4, 4, (1 + 0.25 * 4) / 1.25])


def test_support_in_time_excludes_its_far_end():
    is_(smoothed([1, 2, 3, 4], "uniform:2s", [0, 1, 2, 4]), [1, 1.5, 2.5, 4])
    is_(smoothed([1, 2], "uniform:1ns", [0, 0]), [1, 1.5])


def test_a_gaussian_reaches_its_far_end():
    far = np.exp(-2)
    is_(smoothed([1, 3], windows.gaussian("1s", truncate=2), [0, 2]), [1, (3 + far) / (1 + far)])
    is_(smoothed([1, 3], windows.gaussian("1s", truncate=2), [0, 2.000000001]), [1, 3])
    is_(smoothed([1, 0, 3], windows.gaussian(1, truncate=2))[2], (3 + far) / (1 + np.exp(-0.5) + far))


def test_equal_stamps_count_in_order_of_arrival():
    is_(smoothed([1, 5, 9], "uniform:1s", [3, 3, 3]), [1, 3, 5])
    is_(smoothed([1, 5, 9], "exponential:tau=1s", [3, 3, 3]), [1, 3, 5])
    is_(smoothed([1, 5, 9], "exponential:tau=1s", [3, 3, 3], initial="first"), [1, 1, 1])


def test_a_present_weight_of_zero_gives_the_newest_present_sample():
    is_(smoothed([4, 7, 1], "hann:3"), [4, 4, 7])  # weights 0, 1, 0
    is_(smoothed([4, NAN, 1, NAN], "hann:3"), [4, 4, 1, 1])
    is_(smoothed([4, 6, 1], windows.custom([0, 0, 1])), [4, 6, 4])
    is_(smoothed([4, 6], "triangular:2s", [0, 0]), [4, 6])
    is_(smoothed([4, NAN], "exponential:alpha=1"), [4, 4])
    is_(smoothed([4, 6, 1], windows.custom([1, -1, 2])), [4, 6, (1 - 6 + 8) / 2])


def test_weights_that_cancel_are_a_present_weight_of_zero_whatever_their_sum():
    is_(smoothed([5, 1, 4, 2], windows.custom([1, 2, -3, 10])), [5, 11 / 3, 4, (2 + 8 - 3 + 50) / 10])


def test_an_exponential_forgets_a_long_silence_without_losing_its_level():
    x = smoothed([1, 3, NAN, NAN], "exponential:tau=50ms", [0, 0.01, 10, 86400])
    is_(x[1], (3 + np.exp(-0.2)) / (1 + np.exp(-0.2)))
    is_(x[2:], x[1])


def test_one_microsecond_steps_under_a_thirty_day_halflife():
    y = sc.smooth(np.arange(1000.0), "exponential:halflife=30d", times=EPOCH + 1000 * np.arange(1000), initial="first")
    rate = np.log(2) * 1e-6 / (30 * 86400)
    np.testing.assert_allclose(y[-1], rate * 999 * 1000 / 2, rtol=1e-9)
    y = sc.smooth([0.0, 1.0], "exponential:halflife=30d", times=EPOCH + np.array([0, 1000]), measure="hold")
    is_(y, [0, 0])
    y = sc.smooth([0.0, 1.0, 5.0], "exponential:halflife=30d", times=EPOCH + np.array([0, 1000, 2000]), measure="hold")
    np.testing.assert_allclose(y, [0, 0, 0.5], rtol=1e-11)


def test_epoch_stamps_are_subtracted_before_they_are_rounded():
    times = EPOCH + np.array([0, 3])
    weight = 1 - 3 / 4
    is_(sc.smooth([1.0, 2.0], "linear:4ns", times=times), [1, (2 + weight) / (1 + weight)])


def test_polynomial_is_refitted_to_what_is_present():
    line = 2.0 * np.arange(8) + 1
    gaps = line.copy()
    gaps[[2, 3, 6]] = NAN
    is_(smoothed(gaps, "polynomial:5,degree=1"), [1, 3, 5, 7, 9, 11, 13, 15])
    is_(smoothed(gaps, "polynomial:5,degree=1,deriv=1"), [NAN, 2, 2, 2, 2, 2, 2, 2])
    is_(smoothed(gaps, "polynomial:3,degree=1,deriv=1"), [NAN, 2, 2, NAN, NAN, 2, 2, 2])
    square = np.arange(8.0) ** 2
    is_(smoothed(square, "polynomial:6,degree=2"), square)
    is_(smoothed(square, "polynomial:6,degree=2,deriv=1"), [NAN, 1, 4, 6, 8, 10, 12, 14])


def test_polynomial_by_time_gives_slopes_per_second():
    seconds = np.array([0, 0.1, 0.1, 0.45, 2, 2.25])
    is_(smoothed(3 * seconds + 1, "polynomial:1s,degree=1", seconds), 3 * seconds + 1)
    slopes = smoothed(3 * seconds + 1, "polynomial:1s,degree=1,deriv=1", seconds)
    np.testing.assert_allclose(slopes, [NAN, 3, 3, 3, NAN, 3], rtol=1e-12)
    is_(smoothed([1, 5], "polynomial:1s,degree=1", [4, 4]), [1, 3])


def test_infinities_are_missing_unless_propagated():
    is_(smoothed([2, INF, 4, -INF], "uniform:2"), [2, 2, 4, 4])
    y = smoothed([2, INF, 4, 6], "uniform:2", nan_policy="propagate")
    assert np.isfinite(y[[0, 3]]).all() and not np.isfinite(y[1:3]).any() and y[3] == 5
    is_(smoothed([2, NAN, 4, INF], "uniform:2", nan_policy="keep"), [2, NAN, 4, NAN])


def test_propagate_hides_exactly_the_windows_that_hold_a_nan():
    is_(smoothed([1, NAN, 3, 5, 7], "uniform:2", nan_policy="propagate"), [1, NAN, NAN, 4, 6])
    is_(smoothed([1, NAN, 3, 5], "hann:3", nan_policy="propagate"), [1, NAN, NAN, NAN])
    is_(smoothed([1, 3, NAN, 5], "exponential:alpha=0.5", nan_policy="propagate"), [1, 7 / 3, NAN, NAN])
    is_(smoothed([1, NAN, 3, 5], "uniform:2s", [0, 1, 2, 4], nan_policy="propagate"), [1, NAN, NAN, 5])
    x = [1, NAN, 3]
    is_(smoothed(x, "exponential:tau=1s", [0, 1, 9], nan_policy="propagate", max_gap="5s"), [1, NAN, 3])
    is_(sc.moving_median(np.array([1, NAN, 3, 5, 9]), 2, nan_policy="propagate"), [1, NAN, NAN, 4, 7])


def test_raise_refuses_missing_samples():
    assert smoothed([1, 2], "uniform:2", nan_policy="raise").tolist() == [1, 1.5]
    for bad in (NAN, INF, -INF):
        for call in (sc.smooth, sc.moving_median, sc.hampel):
            with pytest.raises(ValueError):
                call(np.array([1, bad, 2]), "uniform:2" if call is sc.smooth else 2, nan_policy="raise")


def test_min_samples_counts_what_is_present_in_the_support():
    is_(smoothed([1, 3, NAN, NAN, 7], "uniform:3", min_samples=2), [NAN, 2, 2, NAN, NAN])
    is_(smoothed([1, NAN, NAN, 7], "exponential:alpha=1", min_samples=2), [NAN, NAN, NAN, 7])
    is_(smoothed([1, 3, 5], "uniform:2s", [0, 1, 3], min_samples=2), [NAN, 2, NAN])
    is_(smoothed([1, 3, 5], "uniform:2s", [0, 1, 3], min_samples=2, measure="hold"), [NAN, 1, NAN])
    is_(sc.moving_median(np.array([1, NAN, 3, 5]), 2, min_samples=2), [NAN, NAN, NAN, 4])


def test_a_gap_longer_than_max_gap_starts_afresh():
    seconds = [0, 1, 4, 5.000000001, 8]
    is_(smoothed([1, 3, 5, 9, 11], "uniform:10", seconds, max_gap="3s"), [1, 2, 3, 4.5, 5.8])
    is_(smoothed([1, 3, 5, 9, 11], "uniform:10", seconds, max_gap="2.5s"), [1, 2, 5, 7, 11])
    is_(smoothed([1, NAN, NAN, 9], "uniform:10", [0, 2, 4, 6], max_gap="3s"), [1, 1, 1, 9])
    is_(smoothed([1, 9], "exponential:alpha=0.1", [0, 6], max_gap="3s"), [1, 9])
    is_(smoothed([1, 9, 9], "exponential:alpha=0.1", [0, 6, 7], max_gap="3s", initial="zero"), [0.1, 0.9, 1.71])
    is_(smoothed([1, 2, 9, 5], "uniform:2", [0, 1, 6, 7], max_gap="3s", initial="nan"), [NAN, 1.5, NAN, 7])
    is_(smoothed([1, 2, 9], "uniform:5s", [0, 1, 4.5], max_gap="3s", min_samples=2), [NAN, 1.5, NAN])
    is_(smoothed([1, 2, 9, 5], "uniform:9s", [0, 1, 5, 6], max_gap="3s", measure="hold"), [1, 1, 9, 9])
    is_(smoothed([1, 2, 9, 5], "uniform:9s", [0, 1, 5, 6], max_gap="3s", measure="linear"), [1, 1.5, 9, 7])


def test_the_past_before_the_first_sample():
    x = [2, 4, 9]
    is_(smoothed(x, "uniform:3", initial="first"), [2, 8 / 3, 5])
    is_(smoothed(x, "uniform:3", initial="zero"), [2 / 3, 2, 5])
    is_(smoothed(x, "uniform:3", initial="nan"), [NAN, NAN, 5])
    is_(smoothed([NAN, 4, NAN, 9], "uniform:3", initial="nan"), [NAN, NAN, 4, 6.5])
    is_(smoothed([2, NAN, 9], "uniform:3", initial="zero"), [2 / 3, 1, 5.5])
    is_(smoothed([2, NAN, 8], "uniform:4", initial="first"), [2, 2, 4])
    is_(smoothed(x, "exponential:alpha=0.5", initial="first"), [2, 3, 6])
    is_(smoothed(x, "exponential:alpha=0.5", initial="zero"), [1, 2.5, 5.75])
    # weights: 1 now, the missing 1/2 is gone, 1/4 two samples ago, 1/4 for everything before
    is_(smoothed([2, NAN, 8], "exponential:alpha=0.5", initial="first"), [2, 2, (8 + 2 / 4 + 2 / 4) / 1.5])
    is_(
        smoothed(x, "polynomial:3,degree=1", initial="zero"),
        [5 / 6 * 2, 5 / 6 * 4 + 2 / 6 * 2, 9 * 5 / 6 + 4 / 3 - 2 / 6],
    )
    is_(sc.moving_median(np.array([2.0, 4, 9, 9]), 3, initial="zero"), [0, 2, 4, 9])
    is_(sc.moving_median(np.array([2.0, 4, 9, 9]), 4, initial="first"), [2, 2, 3, 6.5])


def test_the_past_of_a_series_that_starts_with_missing_samples():
    is_(smoothed([NAN, NAN, 2, 5], "uniform:5", initial="first"), [NAN, NAN, 2, (5 + 2 + 2) / 3])
    is_(smoothed([NAN, 2, 5], "uniform:4", initial="zero"), [NAN, 2 / 3, 7 / 3])


def test_a_window_in_time_is_full_once_its_support_has_passed():
    is_(smoothed([1, 3, 5, 7], "uniform:2s", [0, 1, 1.9, 2], initial="nan"), [NAN, NAN, NAN, 5])
    is_(smoothed([NAN, 3, 5], "uniform:2s", [0, 1, 2], initial="nan"), [NAN, NAN, 4])
    is_(smoothed([1, 3, 5], "uniform:2s", [0, 1, 2], initial="nan", measure="hold"), [NAN, NAN, 2])


def test_exponential_by_time_from_the_first_sample():
    y = smoothed([1, 3, NAN, 7], "exponential:tau=2s", [0, 1, 3, 4], initial="first")
    b = 1 + (1 - np.exp(-0.5)) * 2
    is_(y, [1, b, b, b + (1 - np.exp(-1.5)) * (7 - b)])


def test_hold_weighs_each_reading_by_how_long_it_was_current():
    is_(smoothed([1, 5, 9], "uniform:10s", [0, 3, 4], measure="hold"), [1, 1, (3 * 1 + 5) / 4])
    is_(smoothed([1, 5, 9], "uniform:2s", [0, 3, 4], measure="hold"), [1, 1, (1 * 1 + 1 * 5) / 2])
    is_(smoothed([1, NAN, 9], "uniform:10s", [0, 3, 4], measure="hold"), [1, 1, 1])
    is_(smoothed([1, 5, NAN], "uniform:10s", [0, 3, 4], measure="hold"), [1, 1, (3 + 5) / 4])
    is_(smoothed([1, 5, NAN], "uniform:2s", [0, 3, 4.5], measure="hold")[2], (0.5 * 1 + 1.5 * 5) / 2)
    is_(smoothed([1, 5, NAN], "uniform:2s", [0, 3, 5], measure="hold"), [1, 1, NAN])
    is_(smoothed([1, 5, 9], "uniform:2s", [3, 3, 3], measure="hold"), [1, 5, 9])
    is_(smoothed([1, 5, 9], "linear:4s", [0, 2, 3], measure="hold")[2], (5 * (1 - 1 / 8) + 1 * (2 - 8 / 8)) / (15 / 8))
    e = np.exp
    weights = [e(-1) - e(-3), 1 - e(-1)]
    is_(smoothed([1, 5, 9], "exponential:tau=1s", [0, 2, 3], measure="hold")[2], np.dot(weights, [1, 5]) / sum(weights))


def test_dense_bursts_do_not_dominate_what_is_held():
    seconds = np.sort(np.concatenate([np.arange(0, 10.0), np.linspace(4, 5, 500, endpoint=False)[1:]]))
    x = np.where((seconds >= 4) & (seconds < 5), 10.0, 0.0)
    np.testing.assert_allclose(smoothed(x, "uniform:9s", seconds, measure="hold")[-1], 10 / 9, rtol=1e-12)
    assert smoothed(x, "uniform:9s", seconds)[-1] > 9


def test_linear_integrates_the_straight_lines_between_readings():
    is_(smoothed([0, 4, 8], "uniform:10s", [0, 2, 3], measure="linear"), [0, 2, (2 * 2 + 6) / 3])
    is_(smoothed([0, 4, 8], "uniform:2s", [0, 2, 3], measure="linear")[2], (3 * 1 + 6 * 1) / 2)
    is_(smoothed([0, 4, NAN], "uniform:3s", [0, 2, 3], measure="linear")[2], 2)
    is_(smoothed([0, 4, NAN], "uniform:2s", [0, 2, 3], measure="linear")[2], 3)
    is_(smoothed([2, 6], "uniform:1s", [5, 5], measure="linear"), [2, 6])
    ramp = np.array([0, 0.5, 0.7, 2, 2.1, 4])
    np.testing.assert_allclose(smoothed(ramp, "uniform:1s", ramp, measure="linear")[3:], ramp[3:] - 0.5, rtol=1e-14)
    slow = smoothed(ramp, "exponential:tau=1s", ramp, measure="linear")
    np.testing.assert_allclose(slow[-1], (4 - 1 + np.exp(-4)) / (1 - np.exp(-4)), rtol=1e-13)


def test_straight_lines_survive_long_silences_and_tiny_steps():
    y = smoothed([1, 2, NAN, 5], "exponential:tau=1us", [0, 1, 2, 3], measure="linear")
    np.testing.assert_allclose(y[1:], [2 - 1e-6, 2 - 1e-6, 5 - 1.5e-6], rtol=1e-13)
    times = EPOCH + np.cumsum([0, 1, 2, 250 * MS])
    for window in ("uniform:1h", "linear:1h", "triangular:1h", "gaussian:sigma=1h", "exponential:tau=1h"):
        y = sc.smooth(np.array([95, -102, -17, NAN]), window, times=times, measure="linear")
        expected = (1 * -3.5 + 2 * -59.5) / 3  # all of them old: of nearly the same weight
        np.testing.assert_allclose(y[3], expected, rtol=1e-7 if "triangular" in window else 1e-11)


def test_infinities_of_both_signs_do_not_vanish():
    for window in ("uniform:1h", "linear:1h", "triangular:1h", "gaussian:sigma=1h", "exponential:tau=1h", "linear:5"):
        y = smoothed([INF, -INF, 3], window, [0, 1, 2], nan_policy="propagate")
        assert not np.isfinite(y).any(), window


def test_a_reading_at_a_gaussians_far_end_is_in_its_support_by_any_measure():
    for measure in ("sample", "hold", "linear"):
        y = smoothed([1, 2, 3], "gaussian:sigma=250ms", [0, 0, 1], min_samples=3, measure=measure)
        assert np.isnan(y[:2]).all() and np.isfinite(y[2]), measure
        y = smoothed([NAN, 2, 3], "gaussian:sigma=250ms", [0, 0, 1], nan_policy="propagate", measure=measure)
        assert np.isnan(y).all(), measure


def test_angles_are_averaged_across_the_seam():
    is_(smoothed([350, 20], "uniform:2", period=360), [350, 5])
    y = smoothed([359, 1], "uniform:2", period=360)
    assert min(y[1], 360 - y[1]) < 1e-9 and 0 <= y[1] < 360
    np.testing.assert_allclose(smoothed([-10, 730, NAN], "uniform:1", period=360), [350, 10, NAN], rtol=1e-13)
    np.testing.assert_allclose(smoothed([0.9, 0.2], "uniform:2", period=1), [0.9, 0.05], rtol=1e-12)
    tiny = smoothed([-1e-20, 360.0, -360.0, 0.0], "uniform:1", period=360)
    assert ((tiny >= 0) & (tiny < 360)).all()
    y = smoothed([10, INF, 30, 50], "uniform:2", period=360, nan_policy="propagate")
    assert np.isfinite(y).tolist() == [True, False, False, True]
    assert (smoothed([-1e-20] * 3, "uniform:3", period=np.float64(0.1)) < 0.1).all()


def test_hampel_replaces_what_stands_out():
    x = np.array([1, 2, 1, 50, 2, 1, 2.0])
    y, outlier = sc.hampel(x, 5)
    assert outlier.tolist() == [False, False, False, True, False, False, False]
    is_(y, [1, 2, 1, 1.5, 2, 1, 2])
    flat = np.array([1, 1, 1, 9, 1.0])
    assert not sc.hampel(flat, 3)[1].any()
    y, outlier = sc.hampel(flat, 3, min_scale=1)
    assert outlier.tolist() == [False, False, False, True, False] and (y == 1).all()
    y, outlier = sc.hampel(np.array([1, 2, NAN, 1, 50, INF]), 5)
    assert outlier.tolist() == [False, False, False, False, True, False]
    assert y[:2].tolist() == [1, 2] and np.isnan(y[2]) and y[3:5].tolist() == [1, 1.5] and not np.isfinite(y[5])
    assert not sc.hampel(np.array([0, 1, 2.0]), 3, threshold=1 / 1.4826 + 1e-9)[1].any()
    assert sc.hampel(np.array([0, 1, 2.0]), 3, threshold=1 / 1.4826 - 1e-9)[1].tolist() == [False, True, True]


@pytest.mark.parametrize("name", [*BY_COUNT, *BY_TIME])
def test_what_does_not_go_together_is_refused(name):
    spec = {**BY_COUNT, **BY_TIME}[name]
    for policies in POLICIES.values():
        # a custom function may be integrated, angles may be fitted: no promise either way
        open_question = spec["shape"] == "custom" and policies.keys() & {"measure"} and "width_ns" in spec
        if possible(spec, policies) or open_question or (spec["shape"] == "polynomial" and "period" in policies):
            continue
        named = "|".join({"max_gap_ns": "max_gap"}.get(key, key) for key in policies)
        with pytest.raises(ValueError, match=named):
            sc.smooth(np.ones(5), window_of(spec), times=SECONDS[:5], **options_of(policies))


def test_medians_in_time_know_no_virtual_past():
    for spec in MEDIANS.values():
        for initial in ("first", "zero"):
            for call in (sc.moving_median, sc.hampel):
                if "width_ns" in spec:
                    with pytest.raises(ValueError, match="initial"):
                        call(np.ones(5), width_of(spec), times=SECONDS[:5], initial=initial)


X = np.ones(4)
REFUSED = {
    "timed window without times": (ValueError, "times", lambda: sc.smooth(X, "uniform:2s")),
    "median without times": (ValueError, "times", lambda: sc.moving_median(X, "2s")),
    "times too short": (ValueError, "times", lambda: sc.smooth(X, "uniform:2s", times=SECONDS[:3])),
    "times too long": (ValueError, "times", lambda: sc.smooth(X, "uniform:2", times=SECONDS[:5])),
    "times of two dimensions": (ValueError, "times", lambda: sc.smooth(X, "uniform:2s", times=SECONDS[:4, None])),
    "times of text": ((TypeError, ValueError), "times", lambda: sc.smooth(X, "uniform:2s", times=list("abcd"))),
    "NaT": (ValueError, "times", lambda: sc.smooth(X, "uniform:2s", times=np.array(["NaT"] * 4, "M8[ns]"))),
    "NaN seconds": (ValueError, "times", lambda: sc.smooth(X, "uniform:2s", times=[0.0, 1.0, NAN, 3.0])),
    "time unit": (
        ValueError,
        "time_unit.*fortnight",
        lambda: sc.smooth(X, "uniform:2s", times=X, time_unit="fortnight"),
    ),
    "s given as ns": (
        ValueError,
        "time_unit.*s",
        lambda: sc.smooth(X, "uniform:2s", times=1_700_000_000 + np.arange(4)),
    ),
    "ms given as ns": (ValueError, "'ms'", lambda: sc.smooth(X, "uniform:2s", times=1_700_000_000_000 + np.arange(4))),
    "ns given as seconds": (ValueError, "times", lambda: sc.smooth(X, "uniform:2s", times=1.7e18 + np.arange(4))),
    "window of nothing known": (ValueError, "unifrom", lambda: sc.smooth(X, "unifrom:3")),
    "window of a wrong type": (TypeError, "window", lambda: sc.smooth(X, 3)),
    "initial": (ValueError, "initial.*bogus", lambda: sc.smooth(X, "uniform:2", initial="bogus")),
    "nan_policy": (ValueError, "nan_policy.*bogus", lambda: sc.smooth(X, "uniform:2", nan_policy="bogus")),
    "measure": (ValueError, "measure.*bogus", lambda: sc.smooth(X, "uniform:2", measure="bogus")),
    "method": (ValueError, "method.*bogus", lambda: sc.smooth(X, "uniform:2", method="bogus")),
    "median initial": (ValueError, "initial.*bogus", lambda: sc.moving_median(X, 2, initial="bogus")),
    "min_samples over width": (ValueError, "min_samples.*3", lambda: sc.smooth(X, "uniform:2", min_samples=3)),
    "min_samples zero": (ValueError, "min_samples", lambda: sc.smooth(X, "uniform:2", min_samples=0)),
    "min_samples half": ((TypeError, ValueError), "min_samples", lambda: sc.smooth(X, "uniform:2", min_samples=1.5)),
    "max_gap without times": (ValueError, "times", lambda: sc.smooth(X, "uniform:2", max_gap="2s")),
    "max_gap zero": (ValueError, "max_gap", lambda: sc.smooth(X, "uniform:2", times=SECONDS[:4], max_gap="0s")),
    "max_gap without unit": ((TypeError, ValueError), "max_gap", lambda: sc.smooth(X, "uniform:2", times=X, max_gap=3)),
    "period": (ValueError, "period", lambda: sc.smooth(X, "uniform:2", period=0)),
    "period infinite": (ValueError, "period", lambda: sc.smooth(X, "uniform:2", period=INF)),
    "axis": (ValueError, "axis", lambda: sc.smooth(X, "uniform:2", axis=1)),
    "no dimension": (ValueError, "x", lambda: sc.smooth(3.0, "uniform:2")),
    "complex": (TypeError, "complex", lambda: sc.smooth(X + 1j, "uniform:2")),
    "text": ((TypeError, ValueError), "x", lambda: sc.smooth(np.array(["a", "b"]), "uniform:2")),
    "out shape": (ValueError, "out", lambda: sc.smooth(X, "uniform:2", out=np.empty(5))),
    "out dtype": ((TypeError, ValueError), "out", lambda: sc.smooth(X, "uniform:2", out=np.empty(4, np.int32))),
    "out type": (TypeError, "out", lambda: sc.smooth(X, "uniform:2", out=[0.0] * 4)),
    "median width zero": (ValueError, "width", lambda: sc.moving_median(X, 0)),
    "median width negative": (ValueError, "width", lambda: sc.moving_median(X, -3)),
    "hampel threshold": (ValueError, "threshold", lambda: sc.hampel(X, 3, threshold=-1.0)),
    "hampel scale": (ValueError, "min_scale", lambda: sc.hampel(X, 3, min_scale=-1.0)),
    "hampel threshold NaN": (ValueError, "threshold", lambda: sc.hampel(X, 3, threshold=NAN)),
    "threads": (ValueError, "0", lambda: sc.set_num_threads(0)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_named_in_one_line(name):
    kinds, words, call = REFUSED[name]
    with pytest.raises(kinds, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("window", ["uniform:2s", "exponential:tau=1s", "uniform:3"])
def test_times_that_go_back_are_refused_by_index(window):
    times = EPOCH + MS * np.array([0, 5, 5, 9, 8, 20])
    with pytest.raises(ValueError, match=r"times.*\b4\b"):
        sc.smooth(np.ones(6), window, times=times)


def test_arrays_of_other_devices_are_refused():
    class Elsewhere:
        @property
        def __cuda_array_interface__(self):
            return {"shape": (4,), "typestr": "<f8", "data": (0, False), "version": 3}

    with pytest.raises(TypeError, match=r"Elsewhere.*NumPy"):
        sc.smooth(Elsewhere(), "uniform:2")
