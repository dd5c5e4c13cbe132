"""Causal smoothing of whole arrays: weighted windows, running medians, outliers."""

from typing import Any, NamedTuple

import numpy as np

from sigconv._layout import Signal
from sigconv.causal import CausalFilter, needs_times, ranks
from sigconv.checks import choice
from sigconv.plan import Policy, Ranks, plan_smoothing
from sigconv.windows import Window, as_window


class Diagnostics(NamedTuple):
    """What stands behind each output of `smooth`; see `diagnose`."""

    weight: Any
    count: Any
    delay: Any


def smooth(
    x: Any,
    window: Window | str,
    *,
    times: Any = None,
    time_unit: str = "ns",
    axis: int = -1,
    initial: str = "renormalize",
    nan_policy: str = "omit",
    min_samples: int = 1,
    max_gap: Any = None,
    measure: str = "sample",
    period: float | None = None,
    method: str = "direct",
    out: np.ndarray | None = None,
) -> Any:
    """Estimate a signal now from noisy readings so far: a causal weighted average.

    For sample i at time t_i, over the present samples a <= i,

        y_i = sum of w(t_i - t_a) x_a / sum of w(t_i - t_a).

    Nothing after i is used, and nothing that has left the window leaves a trace.

    Parameters
    ----------
    x : array_like of numbers, or a pandas Series or DataFrame
        Any shape. float32 and float64 keep their precision, integers become float64. NaN and infinities are missing.
    window : Window or str
        What a sample of a given age weighs: from `sigconv.windows`, or its text, such as ``"uniform:30"``,
        ``"exponential:span=10"``, ``"gaussian:sigma=2s"``. Numbers count samples, durations need ``times``.
    times : array_like, shape (n,), optional
        Stamps along ``axis``, in order: datetime64, float seconds, or integers in ``time_unit``. A pandas
        DatetimeIndex serves where this is None.
    time_unit : {"ns", "us", "ms", "s"}
    axis : int
        The axis that is time. A DataFrame runs down its rows.
    initial : {"renormalize", "first", "zero", "nan"}
        The start: over the samples there are; as if all before had been the first sample, or zero (windows in samples;
        "first" also for exponentials by time); or NaN until the window is full.
    nan_policy : {"omit", "keep", "propagate", "raise"}
        Leave missing samples out; the same, but missing stays missing; an output whose window holds NaN is NaN;
        an error.
    min_samples : int
        Outputs whose window holds fewer present samples are NaN.
    max_gap : duration, optional
        When two consecutive present stamps are further apart, the filter starts afresh.
    measure : {"sample", "hold", "linear"}
        Windows by time: each sample weighs w(age); each reading weighs the integral of w over the time it was current;
        the same for straight lines between readings. A window without a sample has no estimate in any of them.
    period : float, optional
        Values are angles that wrap at this number (360): the direction of the weighted vector sum, in [0, period).
    method : {"direct", "fft"}
        "direct" sums each window by itself; in float32, from 96 taps on, neighbouring outputs share multiplications,
        which about doubles the rounding error. "fft" filters windows counted in samples by overlap-add: faster for
        thousands of taps, but rounding then depends on far samples, and an infinite or huge one is felt beyond its
        window.
    out : ndarray, optional
        Where the result goes; of x's shape and the result's dtype.

    Returns
    -------
    ndarray, Series or DataFrame
        Of the shape and kind of ``x``.

    Raises
    ------
    ValueError, TypeError
        One line that names the argument, what it was and what is allowed; stamps that go back are named by index.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> sc.smooth([1.0, 2.0, np.nan, 4.0], "uniform:2")
    array([1. , 1.5, 2. , 4. ])
    >>> sc.smooth([0.0, 4.0, 4.0], "exponential:halflife=1s", times=[0.0, 1.0, 3.0])
    array([0.        , 2.66666667, 3.63636364])
    >>> sc.smooth([350.0, 10.0], "uniform:2", period=360)
    array([350.,   0.])
    """
    window = as_window(window)
    policy = Policy.checked(initial, nan_policy, min_samples, max_gap, measure, period)
    choice("method", method, ("direct", "fft"))
    signal = Signal(x, times, time_unit, axis, needs_times(window, policy))
    if method == "fft":
        from sigconv._fft import smooth_fft

        return signal.wrap(smooth_fft(signal, window, policy, out))
    return signal.wrap(_filtered(signal, window, policy, out))


def moving_median(
    x: Any,
    width: Any,
    *,
    times: Any = None,
    time_unit: str = "ns",
    axis: int = -1,
    initial: str = "renormalize",
    nan_policy: str = "omit",
    min_samples: int = 1,
    max_gap: Any = None,
    out: np.ndarray | None = None,
) -> Any:
    """The median of the last ``width`` samples, or of those in the last ``width`` of time.

    An even count's median is the mean of the middle two. Parameters are those of `smooth`.

    Parameters
    ----------
    x : array_like of numbers, or a pandas Series or DataFrame
    width : int or duration
        Samples, or a duration such as ``"2s"``, which needs ``times``.
    times, time_unit, axis, initial, nan_policy, min_samples, max_gap, out
        As for `smooth`.

    Returns
    -------
    ndarray, Series or DataFrame
        Of the shape and kind of ``x``.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.moving_median([1.0, 9.0, 2.0, 3.0], 3)
    array([1., 5., 2., 3.])
    """
    policy = Policy.checked(initial, nan_policy, min_samples, max_gap)
    window = ranks(width)
    signal = Signal(x, times, time_unit, axis, needs_times(window, policy))
    return signal.wrap(_filtered(signal, window, policy, out))


def hampel(
    x: Any,
    width: Any,
    *,
    threshold: float = 3.0,
    min_scale: float = 0.0,
    times: Any = None,
    time_unit: str = "ns",
    axis: int = -1,
    initial: str = "renormalize",
    nan_policy: str = "omit",
    min_samples: int = 1,
    max_gap: Any = None,
    out: np.ndarray | None = None,
) -> tuple[Any, Any]:
    """Replace outliers by the median of their window (Hampel 1974); everything else passes through unchanged.

    A sample is an outlier where it lies further from its window's median than ``threshold`` times
    max(1.4826 MAD, ``min_scale``), MAD being the median distance from that median. The window ends with the sample
    itself. A scale of 0 flags nothing.

    Parameters
    ----------
    x : array_like of numbers, or a pandas Series or DataFrame
    width : int or duration
        Samples, or a duration such as ``"2s"``, which needs ``times``.
    threshold : float
        In units of the window's robust standard deviation.
    min_scale : float
        The least standard deviation assumed, in units of x; it lets flat stretches have outliers.
    times, time_unit, axis, initial, nan_policy, min_samples, max_gap, out
        As for `smooth`.

    Returns
    -------
    y, is_outlier : ndarray, Series or DataFrame
        Of the shape and kind of ``x``; missing samples stay missing and are no outliers.

    Examples
    --------
    >>> import sigconv as sc
    >>> y, is_outlier = sc.hampel([1.0, 1.1, 0.9, 8.0, 1.0], 5)
    >>> y
    array([1.  , 1.1 , 0.9 , 1.05, 1.  ])
    >>> is_outlier
    array([False, False, False,  True, False])
    """
    policy = Policy.checked(initial, nan_policy, min_samples, max_gap)
    window = ranks(width, True, threshold, min_scale)
    signal = Signal(x, times, time_unit, axis, needs_times(window, policy))
    flags = np.zeros_like(signal.x, dtype=bool, subok=False)
    y = _filtered(signal, window, policy, out, flags)
    return signal.wrap(y), signal.wrap(flags)


def diagnose(
    x: Any,
    window: Window | str,
    *,
    times: Any = None,
    time_unit: str = "ns",
    axis: int = -1,
    initial: str = "renormalize",
    nan_policy: str = "omit",
    min_samples: int = 1,
    max_gap: Any = None,
    measure: str = "sample",
) -> Diagnostics:
    """What stands behind each output of `smooth` with the same arguments.

    Parameters
    ----------
    x, window, times, time_unit, axis, initial, nan_policy, min_samples, max_gap, measure
        As for `smooth`. A polynomial's weights are those of each window's own fit.

    Returns
    -------
    Diagnostics
        Three arrays of x's shape, NaN where `smooth` gives no estimate. ``weight``: the weight of the present samples
        in the window over that of all its samples, 1 when nothing is missing. ``count``: the effective number of
        samples, (sum of w)**2 / sum of w**2. ``delay``: the effective delay, sum of w age / sum of w, in samples or
        seconds.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> d = sc.diagnose([1.0, np.nan, 3.0], "uniform:3")
    >>> d.count
    array([1., 1., 2.])
    >>> d.delay
    array([0., 1., 1.])
    """
    from sigconv._diagnostics import diagnose_signal

    window = as_window(window)
    policy = Policy.checked(initial, nan_policy, min_samples, max_gap, measure)
    plan_smoothing(window, policy)
    signal = Signal(x, times, time_unit, axis, needs_times(window, policy))
    return Diagnostics(*(signal.wrap(part) for part in diagnose_signal(signal, window, policy)))


def _filtered(
    signal: Signal, window: Window | Ranks, policy: Policy, out: np.ndarray | None, flags: np.ndarray | None = None
) -> np.ndarray:
    plan_smoothing(window, policy)

    def run(x: np.ndarray, y: np.ndarray, marks: np.ndarray | None) -> None:
        CausalFilter(window, policy, x.shape[1], x.dtype).process(x, signal.t, y, marks)

    return signal.run(out, run, flags)
