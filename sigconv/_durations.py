"""Durations in whole nanoseconds, and the checks of widths and numbers."""

import datetime as dt
import decimal
import math
import re
from typing import Any

import numpy as np

# Largest first: a duration is written in the first unit that divides it.
UNITS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
LIMIT = 2**62 - 1  # ages, and stamps less a duration, must fit int64

Width = float | str | dt.timedelta | np.timedelta64

_HINTS = {"m": "min", "µs": "us", "μs": "us", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "mins": "min"}
_HINTS |= {"minute": "min", "minutes": "min", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d"}
_HINTS |= {"msec": "ms", "usec": "us", "nsec": "ns", "": "s"}
_DURATION = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([^\W\d_]*)")
# numpy's own unit codes as a numerator and a denominator of nanoseconds; months and years have no fixed length.
_NUMPY_UNITS = {"W": (7 * UNITS["d"], 1), "D": (UNITS["d"], 1), "h": (UNITS["h"], 1), "m": (UNITS["min"], 1)}
_NUMPY_UNITS |= {"s": (10**9, 1), "ms": (10**6, 1), "us": (10**3, 1), "ns": (1, 1)}
_NUMPY_UNITS |= {"ps": (1, 10**3), "fs": (1, 10**6), "as": (1, 10**9)}


def parse_duration(value: str | dt.timedelta | np.timedelta64) -> int:
    """Nanoseconds of a duration.

    Parameters
    ----------
    value : str, datetime.timedelta or numpy.timedelta64
        A text is a number and one of the units ns, us, ms, s, min, h, d: ``"250ms"``, ``"1.5h"``, ``"5min"``.

    Returns
    -------
    int
        Whole nanoseconds; may be zero or negative.

    Raises
    ------
    ValueError
        Where the text is not a number with a unit, the value is not a whole number of nanoseconds (decimal arithmetic:
        "0.1s" is exact), is NaT, or does not fit 64 bits.
    TypeError
        Where the value is of another type; a bare number has no unit.

    Examples
    --------
    >>> parse_duration("250ms")
    250000000
    >>> parse_duration("1.5 h") == parse_duration(np.timedelta64(90, "m"))
    True
    """
    if isinstance(value, str):
        ns = _from_text(value)
    elif isinstance(value, np.timedelta64):
        ns = _from_numpy(value)
    elif hasattr(value, "to_timedelta64"):  # pandas.Timedelta: a timedelta, but with nanoseconds
        ns = _from_numpy(value.to_timedelta64())
    elif isinstance(value, dt.timedelta):
        ns = (value.days * 86_400 + value.seconds) * 10**9 + value.microseconds * 1_000
    else:
        raise TypeError(f"a duration must be a text such as '250ms', a timedelta or a timedelta64, got {value!r}")
    if abs(ns) > LIMIT:
        raise ValueError(f"the duration {value!r} is longer than 64-bit nanoseconds can hold (146 years)")
    return ns


def format_duration(ns: int) -> str:
    """Text of a duration in the largest unit that is exact; `parse_duration` reads it back.

    Examples
    --------
    >>> format_duration(1_500_000_000), format_duration(7_200_000_000_000)
    ('1500ms', '2h')
    """
    unit = next(unit for unit, size in UNITS.items() if ns % size == 0) if ns else "s"
    return f"{ns // UNITS[unit]}{unit}"


def _from_text(text: str) -> int:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as '250ms', '2s' or '5min'")
    number, unit = match.groups()
    if unit not in UNITS:
        hint = f"write '{number}{_HINTS[unit]}'" if unit in _HINTS else "units are " + ", ".join(reversed(UNITS))
        problem = "has no unit" if not unit else f"has the {'ambiguous' if unit == 'm' else 'unknown'} unit {unit!r}"
        raise ValueError(f"the duration {text!r} {problem}; {hint}")
    value = decimal.Decimal(number)
    if value and value.adjusted() > 19:
        raise ValueError(f"the duration {text!r} is longer than 64-bit nanoseconds can hold (146 years)")
    with decimal.localcontext() as context:
        context.prec = len(number) + 20  # the product is exact
        ns = value * UNITS[unit]
    if ns != ns.to_integral_value():
        raise ValueError(f"the duration {text!r} is not a whole number of nanoseconds, the finest step there is")
    return int(ns)


def _from_numpy(value: np.timedelta64) -> int:
    unit, count = np.datetime_data(value.dtype)
    if np.isnat(value):
        raise ValueError("the duration is NaT (not a time); give a length such as '250ms'")
    if unit not in _NUMPY_UNITS:
        raise ValueError(f"the duration {value!r} has no fixed length; give a unit, as in np.timedelta64(250, 'ms')")
    numerator, denominator = _NUMPY_UNITS[unit]
    ns, rest = divmod(int(value.astype(np.int64)) * count * numerator, denominator)
    if rest:
        raise ValueError(f"the duration {value!r} is not a whole number of nanoseconds, the finest step there is")
    return ns


def read_size(name: str, value: Any, whole: bool = True) -> tuple[bool, Any]:
    """Whether a width is a duration, and its size: positive nanoseconds, or samples (a fraction where not `whole`)."""
    kind = "a whole number of samples, at least 1," if whole else "a positive number of samples"
    allowed = f"{name} must be {kind} or a duration such as '250ms', got {value!r}"
    number = _real(value)
    if number is not None:
        if not 0 < number < LIMIT or (whole and number % 1):
            raise ValueError(allowed)
        return False, int(value) if whole else number
    if isinstance(value, str) and not _DURATION.fullmatch(value.strip()):
        raise ValueError(allowed)
    try:
        ns = parse_duration(value)
    except TypeError:
        raise TypeError(allowed) from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if ns <= 0:
        raise ValueError(f"{name} must be longer than zero, got {value!r}")
    return True, ns


def read_number(
    name: str, value: Any, *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf
) -> float:
    """A finite real number in an interval, as float."""
    low = f"above {above}" if above > -math.inf else f"at least {least}" if least > -math.inf else ""
    bounds = " and ".join([low] * bool(low) + [f"at most {most}"] * (most < math.inf)) or "finite"
    number = _real(value)
    if number is None:
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (math.isfinite(number) and number > above and least <= number <= most):
        raise ValueError(f"{name} must be {bounds}, got {value!r}")
    return number


def read_whole(name: str, value: Any, least: int, most: int, most_name: str = "") -> int:
    """A whole number from least to most."""
    allowed = f"{name} must be a whole number from {least} to {most_name or most}, got {value!r}"
    number = _real(value)
    if number is None:
        raise TypeError(allowed)
    if not least <= number <= most or number % 1:
        raise ValueError(allowed)
    return int(number)


def _real(value: Any) -> float | None:
    """A real number as float, NaN for one beyond float64; None for everything else."""
    # bool is an int, and timedelta64 a numpy integer
    if isinstance(value, bool | np.timedelta64) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.nan
