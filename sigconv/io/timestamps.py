"""Text of a time as whole nanoseconds since 1970, exactly: decimal digits never pass through a float.

A time is an epoch count, a time of day, or a date with or without one. What repeats from row to row, the date and the
minute, is read once and remembered; the seconds of each cell are read by themselves.
"""

import datetime as dt
import decimal
import re
from collections.abc import Callable
from functools import lru_cache

from sigconv.io.rows import bare

Reader = Callable[[bytes], int]

# Decimal digits of a nanosecond in each unit.
DIGITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
LIMIT = 2**63 - 1
DAY = 86400 * 10**9
EPOCH = dt.datetime(1970, 1, 1)

# Date layouts, written as strptime writes them. Those of the second sort leave open which number is the month.
YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
YEAR_LAST = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")

_PLAIN = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MINUTES = re.compile(rb"(\d\d)[:.]?(\d\d)\s*(?:([AaPp])[Mm])?\s*(?P<zone>[Zz]|UTC|GMT|(?P<sign>[+-])(\d\d):?(\d\d)?)?")
_SECONDS = re.compile(rb"(\d\d)(?:[.,](\d+))?")
_MARKS = (b":", b".")
_EPOCH_DAY = EPOCH.toordinal()
# Directives of strptime, and what the text of each may be, as far as it takes to find the decimals in it.
_DIRECTIVES = {
    **dict.fromkeys("ydmHIMSUWuwV", r"\d\d?"),
    **dict.fromkeys("aAbBpZcxX", r".+?"),
    **{"Y": r"\d{4}", "G": r"\d{4}", "j": r"\d{1,3}", "f": r"(\d{1,9})", "%": "%"},
    "z": r"(?:Z|[+-]\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?)",
}
_YEAR_1900 = (EPOCH - dt.datetime(1900, 1, 1)).days * DAY  # strptime puts a time without a date there
# Formats whose texts `read_clock` reads.
_CLOCK_FORMATS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%I:%M %p", "%I:%M:%S %p")
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
    ns = read_dated(text, "%Y-%m-%d") if text[4:5] == b"-" else read_epoch(text, unit)
    if not -LIMIT <= ns <= LIMIT:
        raise ValueError(out_of_range(text, unit))
    return ns


def out_of_range(text: bytes, unit: str) -> str:
    """What is wrong with a time that 64-bit nanoseconds do not hold."""
    if not is_epoch(text):
        return f"{shown(text)} is out of range; times reach from 1677 to 2262"
    finer = list(DIGITS)[list(DIGITS).index(unit) + 1 :]
    return f"{shown(text)} is out of range as a time in {unit}" + (f"; is it in {' or '.join(finer)}?" if finer else "")


def shown(text: bytes) -> str:
    """A cell's text as a message shows it."""
    return repr(text.decode("utf-8", "replace") if len(text) <= 40 else text[:40].decode("utf-8", "replace") + "...")


def is_epoch(text: bytes) -> bool:
    """Whether a bare text is a finite decimal number."""
    return _PLAIN.fullmatch(text) is not None


def is_time(text: bytes) -> bool:
    """Whether a bare text is a date, a time of day or both, in any layout known here.

    Examples
    --------
    >>> is_time(b"2023-11-14"), is_time(b"18.00.00"), is_time(b"31/12/2023 6:30 PM"), is_time(b"18.5")
    (True, True, True, False)
    """
    if not text[:1].isdigit() or len(text) > 64 or is_epoch(text):
        return False
    return is_clock(text) or bool(layouts_of(text))


def is_clock(text: bytes) -> bool:
    """Whether a bare text is a time of day with a mark between hours and minutes."""
    return (text[1:2] in _MARKS or text[2:3] in _MARKS) and _is_readable(text, None)


def layouts_of(text: bytes) -> list[str]:
    """The date layouts that a bare text can be read in.

    Examples
    --------
    >>> layouts_of(b"3/4/2023 17:05"), layouts_of(b"3/14/2023 17:05")
    (['%d/%m/%Y', '%m/%d/%Y'], ['%m/%d/%Y'])
    """
    return [layout for layout in YEAR_FIRST + YEAR_LAST if _is_readable(text, layout)]


def read_epoch(text: bytes, unit: str) -> int:
    """Nanoseconds of a decimal number of ``unit``."""
    digits = DIGITS[unit]
    whole, _, fraction = text.partition(b".")
    if whole.isdigit() and len(fraction) <= digits and (not fraction or fraction.isdigit()):
        return int(whole + fraction.ljust(digits, b"0"))
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a time")
    value = decimal.Decimal(text.decode("ascii"))
    if value and value.adjusted() > 30:  # spares the integer of a billion digits that 1e999999999 asks for
        return LIMIT + 1
    return int(value.scaleb(digits, _EXACT).to_integral_value(context=_EXACT))


def read_dated(text: bytes, layout: str, zoned: bool | None = None) -> int:
    """Nanoseconds of a date in ``layout``, alone or followed by blanks or a T and a time of day.

    Examples
    --------
    >>> read_dated(b"01.02.1970 00:00:01,5", "%d.%m.%Y") == 31 * DAY + 1_500_000_000
    True
    """
    date, mark, clock = text.partition(b" ")
    if not mark:
        date, mark, clock = text.partition(b"T")
        if not mark and len(text) == 14 and layout == "%Y%m%d":
            date, mark, clock = text[:8], b"T", text[8:]
    if mark:
        return _day(date, layout) + read_clock(clock.lstrip(b" T"), zoned)
    if zoned:
        raise ValueError(f"{shown(text)} says no zone")
    return _day(date, layout)


def read_clock(text: bytes, zoned: bool | None = None) -> int:
    """Nanoseconds since midnight of a time of day: HH:MM[:SS[.f]] [AM|PM] [zone], dots for colons, or bare digits.

    A zone (Z, UTC, +hh:mm) is taken off, so that the result counts from midnight UTC. ``zoned`` says whether one must
    be there (True) or must not (False). A second 60 is a leap second and counts into the next minute.

    Examples
    --------
    >>> read_clock(b"18:30:00.000000001"), read_clock(b"06.30 PM"), read_clock(b"203000+0200")
    (66600000000001, 66600000000000, 66600000000000)
    """
    if text[1:2] in _MARKS:
        text = b"0" + text
    mark = text[2:3] if text[2:3] in _MARKS else b""
    head = 4 + len(mark)
    seconds = None if mark and text[5:6] != mark else _SECONDS.match(text, head + len(mark))
    if seconds is None:
        return _minute(text, zoned)
    whole, decimals = seconds.groups()
    if whole > b"60":
        raise ValueError(f"{shown(text)} is not a time")
    ns = _minute(text[:head] + text[seconds.end() :], zoned) + int(whole) * 10**9
    return ns + read_epoch(b"0." + decimals, "s") if decimals else ns


def strptime_reader(format: str) -> tuple[Reader, set[str]]:
    """A function that reads a text by strptime's directives, and the directives.

    A time of day without a date counts from midnight; %f takes up to nine digits.

    Raises
    ------
    ValueError
        Where the format holds no directive, an unknown or repeated one, or a day but no year.

    Examples
    --------
    >>> read, directives = strptime_reader("%d %b %Y %H:%M:%S.%f")
    >>> read(b"2 Jan 1970 00:00:00.000000007") - DAY, sorted(directives)
    (7, ['H', 'M', 'S', 'Y', 'b', 'd', 'f'])
    """
    directives = re.findall(r"%(.?)", format, re.DOTALL)
    fields = [directive for directive in directives if directive != "%"]
    wrong = next((each for each in fields if each not in _DIRECTIVES or fields.count(each) > 1), None)
    if not fields or wrong is not None:
        problem = "names no directive" if wrong is None else f"has an unknown or repeated %{wrong}"
        raise ValueError(
            f"time format {format!r} {problem}; it is {', '.join(['iso', 'epoch', *DIGITS])} or like %H:%M"
        )
    dated = not set(fields).isdisjoint("YyGcx")
    if not dated and not set(fields).isdisjoint("mdbBjUWVaAuw"):
        raise ValueError(f"time format {format!r} has no year")

    date, mark, clock = _without_clock(format)
    parts = re.split(r"(%.|\s+)", format)
    pattern = "".join(
        _DIRECTIVES[part[1]] if part[:1] == "%" else r"\s+" if part.isspace() else re.escape(part) for part in parts
    )
    decimals = re.compile(pattern, re.IGNORECASE) if "f" in fields else None
    rough = date or "".join(part for part in parts if part != "%f")

    @lru_cache(maxsize=4096)  # many rows share all but their decimals, or their date
    def read_rough(text: str) -> int:
        when = dt.datetime.strptime(text, rough)
        ns = nanoseconds_of(when.replace(tzinfo=None) - EPOCH) - nanoseconds_of(when.utcoffset())
        return ns if dated else ns + _YEAR_1900

    def read_apart(text: bytes) -> int:
        day, *rest = text.rsplit(mark, 1 + clock.count(" "))
        return read_rough(day.rstrip().decode("utf-8", "replace")) + read_clock(b" ".join(rest), False)

    def read(text: bytes) -> int:
        whole = text.decode("utf-8", "replace")
        if decimals is None:
            return read_rough(whole)
        match = decimals.fullmatch(whole)
        if match is None:
            raise ValueError(f"{shown(text)} does not fit {format!r}")
        return read_rough(whole[: match.start(1)] + whole[match.end(1) :]) + int(match[1].ljust(9, "0"))

    return (read_apart if date else read), set(fields)


def _without_clock(format: str) -> tuple[str, bytes, str]:
    """A format's part for the date, what follows it, and a time of day that `read_clock` reads; else nothing."""
    for clock in _CLOCK_FORMATS:
        for mark in " " if " " in clock else " T":
            date = format.removesuffix(mark + clock)
            if date != format and set(re.findall("%(.)", date)) <= set("YymdbBaAj%"):
                return date, mark.encode(), clock
    return "", b"", ""


def nanoseconds_of(duration: dt.timedelta | None) -> int:
    """Whole nanoseconds of a duration; none counts as zero."""
    return (duration or dt.timedelta()) // dt.timedelta(microseconds=1) * 1000


@lru_cache(maxsize=4096)
def _minute(text: bytes, zoned: bool | None) -> int:
    """Nanoseconds since midnight UTC of a time of day without its seconds."""
    match = _MINUTES.fullmatch(text)
    if match is None or (zoned is not None and zoned != bool(match["zone"])):
        raise ValueError(f"{shown(text)} is not a time")
    hour, minute = int(match[1]), int(match[2])
    if match[3]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{shown(text)} is not a time")
        hour = hour % 12 + (12 if match[3] in b"Pp" else 0)
    east, east_minute = int(match[6] or 0), int(match[7] or 0)
    if hour > 23 or minute > 59 or east > 23 or east_minute > 59:
        raise ValueError(f"{shown(text)} is not a time")
    offset = 60 * east + east_minute
    return (60 * hour + minute - (-offset if match["sign"] == b"-" else offset)) * 60 * 10**9


@lru_cache(maxsize=4096)
def _day(text: bytes, layout: str) -> int:
    """Nanoseconds of the midnight at which a date begins."""
    if layout == "%Y%m%d":
        names, fields = "Ymd", [text[:4], text[4:6], text[6:]]
        wrong = len(text) != 8
    else:
        names, fields = layout[1::3], text.split(layout[2].encode())
        wrong = len(fields) != 3
    date = dict(zip(names, fields, strict=False))
    if wrong or not all(map(bytes.isdigit, fields)) or len(date["Y"]) != 4 or max(len(date["m"]), len(date["d"])) > 2:
        raise ValueError(f"{shown(text)} is not a date")
    return DAY * (dt.date(int(date["Y"]), int(date["m"]), int(date["d"])).toordinal() - _EPOCH_DAY)


def _is_readable(text: bytes, layout: str | None) -> bool:
    try:
        read_dated(text, layout) if layout else read_clock(text)
    except ValueError:
        return False
    return True
