"""Stamps: whatever holds times, as int64 nanoseconds in order."""

import datetime as dt
from typing import Any

import numpy as np

from sigconv.checks import choice

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
_NAT = np.iinfo(np.int64).min
_LIMIT = 2**62  # differences of two stamps must fit int64
_EPOCH = (1_100_000_000, 4_200_000_000)  # 2004 to 2103, in seconds


def as_nanoseconds(times: Any, time_unit: str = "ns", check_unit: bool = True) -> np.ndarray:
    """Stamps as int64 nanoseconds; their order is checked where they are used.

    Parameters
    ----------
    times : array_like, shape (n,)
        datetime64 or timedelta64 of any unit, seconds as floats, or integers in ``time_unit``. Floats are taken in
        ``time_unit`` too where it is not the default.
    time_unit : {"ns", "us", "ms", "s"}
    check_unit : bool
        Whether numbers that look like an epoch in another unit are refused.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        For NaT, NaN or infinity, stamps too far off for int64 nanoseconds, and numbers that look like an epoch in
        another unit.
    TypeError
        For anything that holds no times.

    Examples
    --------
    >>> as_nanoseconds([0.0, 0.25])
    array([        0, 250000000])
    >>> as_nanoseconds([3, 4], "us")
    array([3000, 4000])
    """
    choice("time_unit", time_unit, tuple(UNITS))
    stamps = np.asarray(_without_zone(times))
    if stamps.dtype == object and stamps.ndim == 1 and stamps.size:
        stamps = _from_objects(stamps)
    if stamps.ndim != 1:
        raise ValueError(f"times must have one dimension, got shape {stamps.shape}")
    if stamps.dtype.kind in "mM":
        return _from_datetimes(stamps)
    if stamps.size == 0:
        return np.zeros(0, np.int64)
    if stamps.dtype.kind in "iu":
        return _from_integers(stamps, time_unit, check_unit)
    if stamps.dtype.kind == "f":
        return _from_floats(stamps, time_unit, check_unit)
    raise TypeError(f"times must be datetime64, float seconds or integers, got dtype {stamps.dtype}")


def _from_objects(stamps: np.ndarray) -> np.ndarray:
    """datetime and timedelta objects, also pandas' own; those with a time zone as UTC."""

    def plain(stamp: Any) -> Any:
        if getattr(stamp, "tzinfo", None) is not None:
            stamp = stamp.astimezone(dt.UTC).replace(tzinfo=None)
        return stamp.to_numpy() if hasattr(stamp, "to_numpy") else stamp

    if not all(isinstance(stamp, (dt.datetime, dt.timedelta)) for stamp in stamps):
        raise TypeError("times must be datetime64, float seconds or integers, got an array of Python objects")
    kind = "datetime64[ns]" if isinstance(stamps[0], dt.datetime) else "timedelta64[ns]"
    return np.array([plain(stamp) for stamp in stamps], kind)


def _without_zone(times: Any) -> Any:
    """pandas stamps with a time zone as UTC; everything else as it is."""
    stamps = getattr(times, "dt", times)
    return stamps.tz_convert(None) if getattr(stamps, "tz", None) is not None else times


def _from_datetimes(stamps: np.ndarray) -> np.ndarray:
    kind = "datetime64" if stamps.dtype.kind == "M" else "timedelta64"
    if stamps.dtype == np.dtype(f"{kind}[ns]"):
        ns = stamps.view(np.int64)  # as they are; NaT is the least integer
    else:
        missing = np.isnat(stamps)
        if missing.any():
            raise ValueError(_missing(int(missing.argmax())))
        if stamps.size:
            rough = stamps.astype(f"{kind}[s]").astype(np.int64)
            _check_reach(float(np.abs(rough).max()) * 1e9)
        ns = stamps.astype(f"{kind}[ns]").view(np.int64)
    if ns.size and int(ns[0]) == _NAT:
        raise ValueError(_missing(0))
    return ns


def _missing(index: int) -> str:
    return f"times must not be missing: NaT at index {index}"


def _from_integers(stamps: np.ndarray, unit: str, check: bool) -> np.ndarray:
    first, last = int(stamps[0]), int(stamps[-1])
    if check:
        _check_unit(min(first, last), max(first, last), unit, f"integer times are taken in {unit}")
    if unit == "ns" and stamps.dtype == np.int64:
        return stamps
    low, high = int(stamps.min()), int(stamps.max())
    _check_reach(max(-low, high) * UNITS[unit])
    return stamps.astype(np.int64) * UNITS[unit]


def _from_floats(stamps: np.ndarray, unit: str, check: bool) -> np.ndarray:
    unit = "s" if unit == "ns" else unit
    finite = np.isfinite(stamps)
    if not finite.all():
        at = int((~finite).argmax())
        raise ValueError(f"times must be finite: {stamps[at]} at index {at}")
    low, high = float(stamps.min()), float(stamps.max())
    if check:
        _check_unit(low, high, unit, f"float times are taken in {'seconds' if unit == 's' else unit}")
    _check_reach(max(-low, high) * UNITS[unit])
    whole = np.floor(stamps)  # apart, so that a long epoch does not cost the fraction its last digits
    fraction = np.rint((stamps - whole).astype(np.float64) * UNITS[unit]).astype(np.int64)
    return whole.astype(np.int64) * UNITS[unit] + fraction


def _check_unit(low: float, high: float, unit: str, rule: str) -> None:
    for other, ns in UNITS.items():
        first, last = (bound * (10**9 // ns) for bound in _EPOCH)
        if other != unit and first <= low and high <= last and ns > UNITS[unit]:
            hint = f"pass time_unit={other!r}, or timedelta64 if they are elapsed times"
            raise ValueError(f"{rule}, but {low} to {high} look like an epoch in {other}: {hint}")
        if other != unit and first <= low and high <= last and ns < UNITS[unit]:
            raise ValueError(f"{rule}, but {low} to {high} look like an epoch in {other}: pass time_unit={other!r}")


def _check_reach(furthest: float) -> None:
    if furthest > _LIMIT:
        raise ValueError("times must lie within 146 years of their origin (64-bit nanoseconds)")


def check_ends(stamps: np.ndarray, before: int | None = None) -> None:
    """An error unless ordered stamps follow ``before``, the stamp ahead of the first, and stay within reach."""
    if before is not None and stamps[0] < before:
        step = _seconds(before - int(stamps[0]))
        raise ValueError(f"times must not go back: index 0 is {step} before the last one fed")
    _check_reach(max(-float(stamps[0]), float(stamps[-1])))


def refuse_disorder(stamps: np.ndarray) -> None:
    """Raise the error that names the first stamp that goes back."""
    at = int((stamps[1:] < stamps[:-1]).argmax()) + 1
    if int(stamps[at]) == _NAT:
        raise ValueError(_missing(at))
    step = _seconds(int(stamps[at - 1]) - int(stamps[at]))
    raise ValueError(f"times must not go back: index {at} is {step} before index {at - 1}")


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:.9g} s"
