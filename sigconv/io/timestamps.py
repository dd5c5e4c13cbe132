"""Text of a time as whole nanoseconds since 1970, exactly: decimal digits never pass through a float."""

import datetime as dt
import decimal
import re
from functools import lru_cache

from sigconv.io.rows import bare

# Decimal digits of a nanosecond in each unit.
DIGITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
LIMIT = 2**63 - 1

_ISO = re.compile(
    rb"(\d{4}-\d\d-\d\d)(?:[T ]+(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(?:([Zz]|UTC)|([+-]\d\d):?(\d\d)?)?)?"
)
_PLAIN = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EXACT = decimal.Context(prec=60)


def to_ns(cell: bytes, unit: str = "s") -> int:
    """Nanoseconds since 1970 of an epoch count in ``unit``, or of a date and time as ISO 8601 writes them.

    A time without a zone counts as UTC. Digits finer than a nanosecond are rounded.

    Raises
    ------
    ValueError
        Where the text is no time, or none that 64-bit nanoseconds hold.

    Examples
    --------
    >>> to_ns(b"1700000000.000001")
    1700000000000001000
    >>> to_ns(b"2023-11-14T23:13:20.000001+01:00")
    1700000000000001000
    """
    text = cell if cell.isdigit() else bare(cell)
    ns = _from_iso(text) if text[4:5] == b"-" else _from_epoch(text, DIGITS[unit])
    if not -LIMIT <= ns <= LIMIT:
        finer = list(DIGITS)[list(DIGITS).index(unit) + 1 :]
        hint = f"; is it in {' or '.join(finer)}?" if finer and text[4:5] != b"-" else ""
        raise ValueError(f"{text.decode('utf-8', 'replace')!r} is out of range as a time in {unit}{hint}")
    return ns


def _from_epoch(text: bytes, digits: int) -> int:
    whole, _, fraction = text.partition(b".")
    if whole.isdigit() and len(fraction) <= digits and (not fraction or fraction.isdigit()):
        return int(whole + fraction.ljust(digits, b"0"))
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{text.decode('utf-8', 'replace')!r} is not a time")
    value = decimal.Decimal(text.decode("ascii"))
    if value and value.adjusted() > 30:  # spares the integer of a billion digits that 1e999999999 asks for
        return LIMIT + 1
    return int(value.scaleb(digits, _EXACT).to_integral_value(context=_EXACT))


def _from_iso(text: bytes) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text.decode('utf-8', 'replace')!r} is not a time")
    date, hour, minute, second, fraction, _, zone, zone_minute = match.groups()
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60:  # 60: a leap second
        raise ValueError(f"{text.decode('ascii')!r} is not a time")
    seconds += 60 * minutes + 3600 * hours
    if zone:
        offset = 3600 * int(zone[1:]) + 60 * int(zone_minute or 0)
        seconds += offset if zone.startswith(b"-") else -offset
    ns = 10**9 * (86400 * _days(date) + seconds)
    return ns + _from_epoch(b"0." + fraction, 9) if fraction else ns


@lru_cache(maxsize=64)
def _days(date: bytes) -> int:
    return dt.date.fromisoformat(date.decode("ascii")).toordinal() - _EPOCH_DAY
