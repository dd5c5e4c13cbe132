"""What every smoothing operation means, one output at a time: slow, obvious, and free of the package it judges.

A window is a plain dict. ``shape`` is one of uniform, linear, triangular, gaussian, exponential, polynomial, named and
custom; a parameter that counts samples keeps its name (``width``, ``sigma``, ``alpha``, ``tau``, ``weights``), one that
is a duration ends in ``_ns`` (``width_ns``, ``sigma_ns``, ``tau_ns``, ``halflife_ns``). Sums run in extended precision,
local fits in exact fractions, and integrals over time with fifty digits.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np
from scipy.signal import get_window

LD = np.longdouble
PI = LD("3.14159265358979323846264338327950288")
mpmath.mp.dps = 50
TINY = mpmath.mpf("1e-4900")


class Taps(NamedTuple):
    """What one output is made of: values that take part, their weights, their ages, and the weight they could have."""

    values: np.ndarray
    weights: np.ndarray
    ages: np.ndarray
    whole: Any
    normalised: bool = False


class Moment(NamedTuple):
    """What one output may look at: its row, the row where its filter started, and the rows present and missing."""

    row: int
    start: int
    present: np.ndarray
    missing: np.ndarray


def smooth(x, spec, times_ns=None, *, period=None, **policies):
    """The smoothed samples, and for each the magnitude that a rounding error is to be measured against."""
    y, scale = np.full(x.size, np.nan), np.zeros(x.size)
    for moment in moments(x, spec, times_ns, **policies):
        if (taps := weigh(x, spec, times_ns, moment, policies)) is None:
            continue
        endless = np.isinf(taps.values)
        inside = moment.present[in_support(spec, times_ns, moment.row, moment.present)]
        if endless.any() or np.isinf(x[inside]).any():
            # what a weight of zero, or an infinite angle, makes of an infinity is left open
            certain = period is None and taps.weights[endless].any()
            y[moment.row], scale[moment.row] = np.inf, 0 if certain else np.inf
        else:
            y[moment.row], scale[moment.row] = mean(taps) if period is None else direction(taps, period)
    return y, scale


def diagnose(x, spec, times_ns=None, **policies):
    """Weight present, effective count and effective delay of every output (rows without an answer are NaN)."""
    weight, count, delay = np.full((3, x.size), np.nan)
    for moment in moments(x, spec, times_ns, **policies):
        taps = weigh(x, spec, times_ns, moment, policies)
        weight[moment.row] = (total := taps.weights.sum()) / taps.whole
        count[moment.row] = total**2 / (taps.weights**2).sum()
        delay[moment.row] = (taps.weights * taps.ages).sum() / total / LD(10**9 if is_timed(spec) else 1)
    return weight, count, delay


def moving_median(x, width=None, width_ns=None, times_ns=None, **policies):
    """The median of what is present in each window."""
    y = np.full(x.size, np.nan)
    for moment, values in window_values(x, width, width_ns, times_ns, policies):
        y[moment.row] = median(values)
    return y


def hampel(x, width=None, width_ns=None, times_ns=None, *, threshold=3.0, min_scale=0.0, **policies):
    """Samples with outliers replaced, the outliers, and how far (relative) each decision was from its limit."""
    y, outlier, margin = np.full(x.size, np.nan), np.zeros(x.size, bool), np.full(x.size, np.inf)
    for moment, values in window_values(x, width, width_ns, times_ns, policies):
        row = moment.row
        y[row] = x[row]
        if moment.present[-1] != row:
            continue
        middle = median(values)
        with np.errstate(invalid="ignore"):
            spread = max(LD("1.4826") * median(np.abs(values - middle)), LD(min_scale))
            distance, limit = abs(LD(x[row]) - middle), LD(threshold) * spread
            margin[row] = 0 if np.isnan(spread) else np.inf
            if spread > 0:
                outlier[row] = distance > limit
                margin[row] = abs(distance - limit) / max(limit, abs(middle), LD(1e-300))
        if outlier[row]:
            y[row] = middle
    return y, outlier, margin


def window_values(x, width, width_ns, times_ns, policies):
    """The present values of each window that has an answer, with those that stand for the past."""
    spec = {"shape": "uniform", **({"width": width} if width_ns is None else {"width_ns": width_ns})}
    for moment in moments(x, spec, times_ns, **policies):
        yield moment, weigh(x, spec, times_ns, moment, policies).values


def median(values):
    """The middle value, or the average of the middle two."""
    ordered = np.sort(values)
    n = ordered.size
    with np.errstate(invalid="ignore"):
        return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def mean(taps):
    """The weighted sum of the taps over the sum of their weights (a fit's weights are used as they are)."""
    total = (taps.weights * taps.values).sum()
    whole = taps.weights.sum()
    size, most = np.abs(taps.weights).sum(), np.abs(taps.values).max()
    if taps.normalised:
        return total, size * most * taps.whole
    return total / whole, size * most / abs(whole)


def direction(taps, period):
    """The direction of the weighted vector sum, and how badly it is determined (in units of the angles)."""
    angles = 2 * PI * taps.values / LD(period)
    east, north = (taps.weights * np.cos(angles)).sum(), (taps.weights * np.sin(angles)).sum()
    sign = 1 if taps.normalised or taps.weights.sum() > 0 else -1
    length = np.hypot(east, north)
    angle = np.arctan2(sign * north, sign * east) / (2 * PI) * LD(period)
    size = period + np.abs(taps.values).max()
    return float(angle % period) % period, size * np.abs(taps.weights).sum() / length if length else np.inf


def is_timed(spec):
    return any(key.endswith("_ns") for key in spec)


def moments(
    x, spec, times_ns, *, initial="renormalize", nan_policy="omit", min_samples=1, max_gap_ns=None, measure="sample"
):
    """Every row that may have an answer, by the policies that do not depend on weights."""
    present = ~np.isnan(x) if nan_policy == "propagate" else np.isfinite(x)
    start, last = 0, None
    for row in range(x.size):
        if present[row]:
            if max_gap_ns is not None and last is not None and times_ns[row] - times_ns[last] > max_gap_ns:
                start = row
            last = row
        rows = np.arange(start, row + 1)
        inside = in_support(spec, times_ns, row, rows)
        missing = rows[inside & ~present[rows]]
        enough = np.count_nonzero(inside & present[rows]) >= max(min_samples, 1)
        if not enough or (initial == "nan" and not is_full(spec, times_ns, start, row)):
            continue
        if (nan_policy == "propagate" and missing.size) or (nan_policy == "keep" and not present[row]):
            continue
        yield Moment(row, start, rows[present[rows]], missing)


def in_support(spec, times_ns, row, rows):
    """Which of the rows the window that ends at ``row`` reaches."""
    if spec["shape"] == "exponential":
        return np.ones(rows.size, bool)
    if not is_timed(spec):
        return row - rows < length(spec)
    ages = times_ns[row] - times_ns[rows]
    return ages <= reach(spec) if spec["shape"] == "gaussian" else ages < reach(spec)


def is_full(spec, times_ns, start, row):
    if not is_timed(spec):
        return row - start + 1 >= length(spec)
    return int(times_ns[row]) - int(times_ns[start]) >= reach(spec)


def length(spec):
    """How many samples a window holds."""
    if spec["shape"] == "gaussian":
        return int(spec.get("truncate", 4.0) * spec["sigma"] + 0.5) + 1
    return len(spec["weights"]) if "weights" in spec else spec["width"]


def reach(spec):
    """How many nanoseconds a window holds."""
    return round(spec.get("truncate", 4.0) * spec["sigma_ns"]) if spec["shape"] == "gaussian" else spec["width_ns"]


def weigh(x, spec, times_ns, moment, policies):
    """The taps of one output, by the kind of the window."""
    initial, measure = policies.get("initial"), policies.get("measure", "sample")
    if measure != "sample":
        taps = integrate(x, spec, times_ns, moment, measure, initial)
    elif spec["shape"] == "exponential":
        taps = decay(x, spec, times_ns, moment, initial)
    elif is_timed(spec):
        taps = weigh_by_time(x, spec, times_ns, moment)
    else:
        taps = weigh_by_count(x, spec, moment, initial)
    if taps is None or taps.normalised or taps.weights.sum() != 0:
        return taps
    return Taps(x[moment.present[-1:]].astype(LD), np.ones(1, LD), taps.ages[-1:], LD(np.inf))


def weigh_by_count(x, spec, moment, initial):
    k = length(spec)
    rows = moment.present[moment.row - moment.present < k]
    ages, values = moment.row - rows, x[rows]
    if initial in ("first", "zero"):
        past = np.arange(moment.row - moment.start + 1, k)
        value = x[moment.present[0]] if initial == "first" else 0.0
        ages, values = np.append(ages, past), np.append(values, np.full(past.size, value))
    if spec["shape"] == "polynomial":
        return fit(values, ages, spec, 1)
    weights = sample_weights(spec)
    return Taps(values.astype(LD), weights[ages], ages.astype(LD), weights.sum())


def sample_weights(spec):
    """Weights of ages 0, 1, 2, ... samples."""
    ages = np.arange(k := length(spec))
    match spec["shape"]:
        case "uniform":
            return np.ones(k, LD)
        case "linear":
            return 1 - ages.astype(LD) / k
        case "gaussian":
            return np.exp(-((ages / LD(spec["sigma"])) ** 2) / 2)
        case "triangular" | "named":
            return get_window(spec.get("name", "triang"), k, fftbins=False)[::-1].astype(LD)
        case "custom":
            return np.asarray(spec["weights"] if "weights" in spec else spec["function"](ages.astype(float)), LD)
    raise ValueError(spec)


def weigh_by_time(x, spec, times_ns, moment):
    rows = moment.present[in_support(spec, times_ns, moment.row, moment.present)]
    ages = stamps_ago(times_ns, moment.row, rows)
    if spec["shape"] == "polynomial":
        return fit(x[rows], ages, spec, 10**9)
    weights = np.array([time_weight(spec, a) for a in ages], LD)
    missing = [time_weight(spec, a) for a in stamps_ago(times_ns, moment.row, moment.missing)]
    return Taps(x[rows].astype(LD), weights, ages, weights.sum() + sum(missing))


def time_weight(spec, age):
    """w(age) with the age in ns."""
    age = LD(age)
    match spec["shape"]:
        case "uniform":
            return LD(1)
        case "linear":
            return 1 - age / spec["width_ns"]
        case "triangular":
            return 2 * min(age, spec["width_ns"] - age) / spec["width_ns"]
        case "gaussian":
            return np.exp(-((age / LD(spec["sigma_ns"])) ** 2) / 2)
        case "custom":
            return LD(spec["function"](np.array([float(age) / 1e9]))[0])
    raise ValueError(spec)


@np.errstate(divide="ignore", over="ignore")
def decay(x, spec, times_ns, moment, initial):
    """Exponential weights, relative to the newest present sample's so that they cannot all vanish."""
    rows = moment.present
    if is_timed(spec):
        tau = extended([mp_scale(spec)])[0]
        ages = stamps_ago(times_ns, moment.row, rows)
        since = ages - ages[-1]
        weights = np.exp(-since / tau)
        if initial == "first":
            weights *= np.append(LD(1), -np.expm1((since[1:] - since[:-1]) / tau))
        missing = stamps_ago(times_ns, moment.row, moment.missing) - ages[-1]
        return Taps(x[rows].astype(LD), weights, ages, weights.sum() + np.exp(-missing / tau).sum())
    alpha = smoothing_factor(spec)
    ages = (moment.row - rows).astype(LD)
    values, weights = x[rows].astype(LD), powers(1 - alpha, ages - ages[-1])
    whole = 1 / alpha / powers(1 - alpha, ages[-1:])[0]
    if initial in ("first", "zero"):
        past = moment.row - moment.start + 1
        weights = np.append(weights, powers(1 - alpha, [past - ages[-1]]) / alpha)
        values = np.append(values, values[0] if initial == "first" else LD(0))
        ages = np.append(ages, past + 1 / alpha - 1)
    return Taps(values, weights, ages, whole)


def stamps_ago(times_ns, row, rows):
    """Ages in ns, subtracted before anything is rounded."""
    return (times_ns[row] - times_ns[rows]).astype(LD)


def powers(base, exponents):
    """base**exponents where 0**0 is 1."""
    return np.array([LD(1) if e == 0 else LD(base) ** LD(e) for e in exponents], LD)


def smoothing_factor(spec):
    """The alpha of a sample-count exponential, as pandas defines its spellings."""
    [(name, value)] = [(k, LD(v)) for k, v in spec.items() if k != "shape"]
    if name in ("halflife", "tau"):
        return -np.expm1(-(np.log(LD(2)) if name == "halflife" else 1) / value)
    return {"alpha": value, "span": 2 / (value + 1), "com": 1 / (1 + value)}[name]


def fit(values, ages, spec, unit):
    """Weights of the least squares polynomial through (age, value), evaluated at age 0: exact rational arithmetic."""
    ages = [Fraction(int(a)) for a in ages]
    degree, deriv = min(spec.get("degree", 2), len(set(ages)) - 1), spec.get("deriv", 0)
    if deriv > degree:
        return None
    sums = [sum(a**p for a in ages) for p in range(2 * degree + 1)]
    column = solve([[sums[p + q] for q in range(degree + 1)] for p in range(degree + 1)], deriv)
    factor = Fraction(-unit) ** deriv * math.factorial(deriv)
    weights = [factor * sum(c * a**p for p, c in enumerate(column)) for a in ages]
    condition = np.linalg.cond(np.vander([float(a / max(*ages, 1)) for a in ages], degree + 1))
    sense = LD(1 if condition < 1e12 else np.inf)  # infinite: stamps too close together for any fit
    return Taps(np.asarray(values, LD), extended(weights), extended(ages), sense, True)


def solve(matrix, unit):
    """The column of the inverse of a symmetric positive definite matrix, by elimination in fractions."""
    n = len(matrix)
    rows = [[*row, Fraction(int(i == unit))] for i, row in enumerate(matrix)]
    for i in range(n):
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for j in range(n):
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[-1] for row in rows]


def extended(numbers):
    """Fractions or numbers of many digits as extended floats."""
    ratios = [mpmath.mpf(n.numerator) / n.denominator if isinstance(n, Fraction) else n for n in numbers]
    return np.array([LD(mpmath.nstr(ratio if abs(ratio) > TINY else 0, 30)) for ratio in ratios], LD)


def integrate(x, spec, times_ns, moment, measure, initial):
    """Each reading's share of the integral over the window of what the readings say in between."""
    ages = [int(age) for age in times_ns[moment.row] - times_ns[moment.present]]
    endless = spec["shape"] == "exponential"
    # straight lines end at the newest reading, so an exponential may be counted from there and cannot vanish
    origin = ages[-1] if endless and measure == "linear" else 0
    weights = [mpmath.mpf(0) for _ in ages]
    for n, age in enumerate(ages):
        until = ages[n + 1] if n + 1 < len(ages) else age if measure == "linear" else 0
        low, high = until - origin, (age if endless else min(age, reach(spec))) - origin
        if high <= low:
            continue
        area, moment_of_age = integrals(spec, low, high)
        older = (moment_of_age - low * area) / (age - until) if measure == "linear" else area
        weights[n] += older
        if measure == "linear":
            weights[n + 1] += area - older
    if endless and initial == "first":
        weights[0] += mpmath.exp(-(ages[0] - origin) / mp_scale(spec))
    whole = mpmath.exp(min(origin / mp_scale(spec), 9999)) if endless else integrals(spec, 0, reach(spec))[0]
    weights, ages = extended(weights), np.array(ages).astype(LD)
    seen = (weights != 0) | in_support(spec, times_ns, moment.row, moment.present)
    return Taps(x[moment.present[seen]].astype(LD), weights[seen], ages[seen], extended([whole])[0])


def mp_scale(spec):
    """The window's own time: tau, sigma or width, in ns."""
    if "halflife_ns" in spec:
        return mpmath.mpf(spec["halflife_ns"]) / mpmath.log(2)
    return mpmath.mpf(spec.get("tau_ns", spec.get("sigma_ns", spec.get("width_ns"))))


def integrals(spec, low, high):
    """The integrals of w and of w times age between two ages in ns (the exponential's w integrates to 1)."""
    low, high = mpmath.mpf(low), mpmath.mpf(high)
    scale = mp_scale(spec)
    match spec["shape"]:
        case "uniform":
            pair = [lambda s: s, lambda s: s**2 / 2]
        case "linear":
            pair = [lambda s: s - s**2 / (2 * scale), lambda s: s**2 / 2 - s**3 / (3 * scale)]
        case "triangular":
            half = scale / 2
            if low < half < high:
                return [a + b for a, b in zip(integrals(spec, low, half), integrals(spec, half, high), strict=True)]
            if high <= half:
                pair = [lambda s: s**2 / scale, lambda s: 2 * s**3 / (3 * scale)]
            else:
                pair = [lambda s: 2 * s - s**2 / scale, lambda s: s**2 - 2 * s**3 / (3 * scale)]
        case "gaussian":
            pair = [
                lambda s: scale * mpmath.sqrt(mpmath.pi / 2) * mpmath.erf(s / scale / mpmath.sqrt(2)),
                lambda s: -(scale**2) * mpmath.exp(-((s / scale) ** 2) / 2),
            ]
        case "exponential":
            pair = [lambda s: -mpmath.exp(-s / scale), lambda s: -(s + scale) * mpmath.exp(-s / scale)]
        case _:
            raise ValueError(spec)
    return [f(high) - f(low) for f in pair]
