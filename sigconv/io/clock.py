"""The times of one table: how they are written, told from the first rows, and what only their order settles."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sigconv.io.rows import MISSING, bare
from sigconv.io.timestamps import (
    DAY,
    DIGITS,
    EPOCH,
    LIMIT,
    YEAR_FIRST,
    YEAR_LAST,
    Reader,
    is_clock,
    is_epoch,
    layouts_of,
    nanoseconds_of,
    out_of_range,
    read_clock,
    read_dated,
    read_epoch,
    shown,
    strptime_reader,
)

__all__ = ["Clock", "Course", "Unsettled"]

# An epoch count below this many is one in this unit; each reaches from 1970 to the year 5138.
_MAGNITUDES = {"s": 10**11, "ms": 10**14, "us": 10**17}
_UNIT_IN_NAME = re.compile(
    r"(?:[\W_]|^)(?:(s|secs?|seconds?)|(ms|msecs?|millis|milliseconds?)|([uµμ]s|usecs?|micros|microseconds?)"
    r"|(ns|nsecs?|nanos|nanoseconds?))[)\]]?\s*$",
    re.IGNORECASE,
)
_BLANKS = b" \t\r"
_LAYOUTS = YEAR_FIRST + YEAR_LAST
_NOTHING = -(2**63)  # stands for the row before the first


class Unsettled(ValueError):
    """The samples do not tell how times are written, a later row may: all are missing, or day and month look alike."""


@dataclass(frozen=True)
class Clock:
    """Reads the times of one table.

    Attributes
    ----------
    kind : {"epoch", "iso", "other"}
        Epoch counts in `unit`; ISO 8601 dates in one column (those without a zone are UTC); everything else.
    unit : {"s", "ms", "us", "ns"}
        Unit of epoch counts.
    settles : bool
        Whether the order of rows says more than their texts, so that what `read` gives must go through a `Course`.

    Examples
    --------
    >>> clock = Clock.of([(b"23.59.59,5",)])
    >>> ns, ok = clock.read([(b"23.59.59,5",), (b"soon",), (b"00.00.00",)])
    >>> ok.tolist(), clock.course().settle(ns[ok]).tolist()
    ([True, False, True], [86399500000000, 86400000000000])
    """

    kind: str
    unit: str
    settles: bool
    words: tuple[str, ...]
    """What `from_words` makes the same clock from."""
    _reader: Reader
    _zone: ZoneInfo | None = None  # of wall-clock times

    @classmethod
    def of(
        cls,
        samples: Sequence[tuple[bytes, ...]],
        *,
        unit: str | None = None,
        format: str | None = None,
        zone: str | None = None,
        name: str = "time",
        decimal: bytes = b".",
    ) -> "Clock":
        """The clock of a table, from the time cells of its first rows; the first cell that can be read decides.

        Parameters
        ----------
        samples : sequence of tuple of bytes
            Time cells, one or two (a date and a time of day) for each row.
        unit : {"s", "ms", "us", "ns"}, optional
            Unit of epoch counts; without, the column's name tells it, or else the first count's magnitude.
        format : str, optional
            Directives of `datetime.datetime.strptime` (%f takes up to nine digits), a date alone ("%d/%m/%Y": a time
            of day may follow it), or a name: "iso", "epoch", "s", "ms", "us", "ns".
        zone : str, optional
            IANA name of the time zone of wall-clock times, which count as UTC without. Epoch counts and times that
            carry a zone of their own do not need it.
        name : str
            The column's name.
        decimal : bytes
            Decimal mark of epoch counts; with a comma, a point is read as well.

        Raises
        ------
        ValueError
            Where no sample can be read, or the arguments do not fit; `Unsettled` where more rows may tell.
        """
        texts = [text for text in map(_joined, samples) if text]
        if not texts:
            raise Unsettled(f"column {name!r}: no time in the first {len(samples)} rows")
        if zone:
            _load_zone(zone)  # an unknown one is an error even where it is not needed
        comma = decimal == b","
        if format in ("epoch", *DIGITS):
            if format != "epoch":
                if unit not in (None, format):
                    raise ValueError(f"time format {format!r} and time unit {unit!r} contradict each other")
                unit = format
            return cls._of_epoch(texts, unit, name, comma)
        if format is not None and format != "iso":
            return cls._of_format(texts, format, zone, name)
        for text in texts:
            count = text.replace(b",", b".", 1) if comma else text
            if format is None and is_epoch(count) and not _is_stamp(text, unit, name):
                return cls._of_epoch(texts, unit, name, comma)
            layouts = layouts_of(text)
            if format == "iso":
                layouts = [layout for layout in layouts if layout in ("%Y-%m-%d", "%Y%m%d")]
            if layouts:
                single = len(samples[0]) == 1
                return cls._of_dates(texts, _settle_order(layouts, texts, text, name), zone, single)
            if format is None and is_clock(text):
                if zone:
                    raise ValueError(f"column {name!r}: a time zone needs dates, {shown(text)} has none")
                return cls.from_words(["clock"])
        if format == "iso":
            raise ValueError(f"column {name!r}: {shown(texts[0])} is no time in ISO 8601")
        raise ValueError(f"column {name!r}: {shown(texts[0])} is no time in a known layout; say --time-format")

    @classmethod
    def from_words(cls, words: Sequence[str]) -> "Clock":
        """The clock that has these `words`.

        Raises
        ------
        ValueError
            Where they are none of a clock.

        Examples
        --------
        >>> clock = Clock.from_words(["epoch", "ms", "."])
        >>> clock.kind, clock.unit, clock.words
        ('epoch', 'ms', ('epoch', 'ms', '.'))
        """
        told = tuple(words)
        match told:
            case ("epoch", unit, ("." | ",") as decimal) if unit in DIGITS:
                read = _read_comma_epoch if decimal == "," else read_epoch
                return cls("epoch", unit, False, told, partial(read, unit=unit))
            case ("iso",):
                return cls("iso", "s", False, told, partial(read_dated, layout=YEAR_FIRST[0]))
            case ("clock",):
                return cls("other", "s", True, told, read_clock)
            case ("dates", layout) if layout in _LAYOUTS:
                return cls("other", "s", False, told, partial(read_dated, layout=layout))
            case ("zoned dates", layout) if layout in _LAYOUTS:
                return cls("other", "s", False, told, partial(read_dated, layout=layout, zoned=True))
            case ("local dates", layout, zone) if layout in _LAYOUTS:
                read = partial(read_dated, layout=layout, zoned=False)
                return cls("other", "s", True, told, read, _load_zone(zone))
            case ("format", format, zone):
                reader, directives = strptime_reader(format)
                dated = not directives.isdisjoint("YyGcx")
                if not dated and zone:
                    raise ValueError(f"a time zone needs dates, time format {format!r} has none")
                local = _load_zone(zone) if zone and "z" not in directives else None
                return cls("other", "s", not dated or local is not None, told, reader, local)
        raise ValueError(f"{told!r} is no clock")

    @classmethod
    def _of_epoch(cls, texts: list[bytes], unit: str | None, name: str, comma: bool) -> "Clock":
        if unit is not None and unit not in DIGITS:
            raise ValueError(f"time unit {unit!r} is not one of {', '.join(DIGITS)}")
        numbers = (text.replace(b",", b".", 1) if comma else text for text in texts)
        first = next(filter(is_epoch, numbers), None)
        if first is None:
            raise ValueError(f"column {name!r}: {shown(texts[0])} is no number of seconds or their parts since 1970")
        unit = unit or _unit_in(name) or _unit_by_magnitude(first)
        if abs(read_epoch(first, unit)) > LIMIT:
            raise ValueError(f"column {name!r}: {out_of_range(first, unit)}")
        return cls.from_words(["epoch", unit, "," if comma else "."])

    @classmethod
    def _of_dates(cls, texts: list[bytes], layout: str, zone: str | None, single: bool) -> "Clock":
        if not zone:
            return cls.from_words(["iso"] if single and layout == YEAR_FIRST[0] else ["dates", layout])
        # With a zone given, times with and without one of their own do not mix: what the first says holds for all.
        local = partial(read_dated, layout=layout, zoned=False)
        if any(_reads(local, text) for text in texts):
            return cls.from_words(["local dates", layout, zone])
        return cls.from_words(["zoned dates", layout])

    @classmethod
    def _of_format(cls, texts: list[bytes], format: str, zone: str | None, name: str) -> "Clock":
        if format in _LAYOUTS:
            clock = cls._of_dates(texts, format, zone, single=False)
        else:
            clock = cls.from_words(["format", format, zone or ""])
        if not any(_reads(clock._reader, text) for text in texts):
            raise ValueError(f"column {name!r}: {shown(texts[0])} does not fit the time format {format!r}")
        return clock

    def read(self, cells: Sequence[tuple[bytes, ...]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Nanoseconds since 1970 (since midnight without a date), 0 where ``ok`` is False: missing or no time."""
        limit = LIMIT - DAY if self._zone else LIMIT  # room for the zone's offset
        read = self._reader
        values = []
        ok = np.ones(len(cells), dtype=np.bool_)
        for k, row in enumerate(cells):
            text = b" ".join([cell.strip(_BLANKS) for cell in row])
            try:
                ns = read(_joined(row) if b'"' in text else text)
                if not -limit <= ns <= limit:
                    raise ValueError
            except ValueError:
                ns, ok[k] = 0, False
            values.append(ns)
        return np.array(values, dtype=np.int64), ok

    @property
    def lacks(self) -> str:
        """What a single time leaves open where the clock `settles`, in words."""
        if self._zone is None:
            return "a time of day without a date says no day"
        return f"in {self._zone.key} an hour of autumn comes twice"

    def course(self) -> "Course":
        """What the order of one key's rows settles, before the first row."""
        if not self.settles:
            return Course()
        return _Midnights() if self._zone is None else _Repeats(self._zone)


class Course:
    """What the order of rows settles in their times: nothing, in this one."""

    def settle(self, ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Nanoseconds since 1970 of the next rows' times, all of them read well."""
        return ns

    def state(self) -> list[int]:
        """What `restore` needs to go on from here: as many 64-bit integers at any time."""
        return []

    def restore(self, state: Sequence[int]) -> None:
        """Go on where another course of the same clock was."""


class _Midnights(Course):
    """Times of day: a step back of more than half a day is the next day."""

    def __init__(self) -> None:
        self._days = 0
        self._latest = _NOTHING

    def settle(self, ns: NDArray[np.int64]) -> NDArray[np.int64]:
        if not len(ns):
            return ns
        first = ns[0] if self._latest == _NOTHING else self._latest
        days = self._days + np.cumsum(-np.diff(ns, prepend=first) > DAY // 2)
        self._days, self._latest = int(days[-1]), int(ns[-1])
        return ns + DAY * days

    def state(self) -> list[int]:
        return [self._days, self._latest]

    def restore(self, state: Sequence[int]) -> None:
        self._days, self._latest = map(int, state)


class _Repeats(Course):
    """Wall-clock times: in the autumn hour that comes twice, the second is meant where the first would go back."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._latest = _NOTHING

    def settle(self, ns: NDArray[np.int64]) -> NDArray[np.int64]:
        if not len(ns):
            return ns
        first, second = _to_utc(ns, self._zone)
        if (first != second).any():
            settled = []
            latest = self._latest
            for early, late in zip(first.tolist(), second.tolist(), strict=True):
                latest = late if early < latest else early
                settled.append(latest)
            first = np.array(settled, dtype=np.int64)
        self._latest = int(first[-1])
        return first

    def state(self) -> list[int]:
        return [self._latest]

    def restore(self, state: Sequence[int]) -> None:
        (self._latest,) = map(int, state)


def _to_utc(ns: NDArray[np.int64], zone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """UTC of wall-clock times, read as the first and as the last of the moments that they can mean."""
    days, which = np.unique(ns // DAY, return_inverse=True)
    offsets = np.array([_offset_of_day(zone, day) for day in days.tolist()], dtype=np.int64)
    first = ns - offsets[which]
    second = first.copy()
    for k in np.flatnonzero(offsets == _NOTHING):
        rows = np.flatnonzero(which == k)
        moments, each = np.unique(ns[rows] // 10**9, return_inverse=True)
        for fold, utc in ((0, first), (1, second)):
            found = np.array([_offset(zone, moment, fold) for moment in moments.tolist()], dtype=np.int64)
            utc[rows] = ns[rows] - found[each]
    # In the hour that spring leaves out, the later fold is the earlier moment: it does not repeat.
    return first, np.maximum(first, second)


@lru_cache(maxsize=4096)
def _offset_of_day(zone: ZoneInfo, day: int) -> int:
    """Nanoseconds that a zone is ahead of UTC on a wall-clock day; `_NOTHING` where that changes within the day."""
    found = {_offset(zone, 86400 * day + second, fold) for second in (0, 86399) for fold in (0, 1)}
    return found.pop() if len(found) == 1 else _NOTHING


def _offset(zone: ZoneInfo, second: int, fold: int) -> int:
    wall = (EPOCH + dt.timedelta(seconds=second)).replace(tzinfo=zone, fold=fold)
    return nanoseconds_of(wall.utcoffset())


def _load_zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, a directory
        raise ValueError(f"time zone {zone!r} is not known; names are like Europe/Berlin") from None


def _joined(cells: tuple[bytes, ...]) -> bytes:
    """Bare text of a row's time, empty where a cell of it is missing."""
    texts = [bare(cell) for cell in cells]
    return b"" if any(text in MISSING for text in texts) else b" ".join(texts)


def _reads(reader: Reader, text: bytes) -> bool:
    try:
        return abs(reader(text)) <= LIMIT
    except ValueError:
        return False


def _is_stamp(text: bytes, unit: str | None, name: str) -> bool:
    """Whether fourteen digits are YYYYMMDDHHMMSS: as milliseconds, they would lie beyond the year 2286."""
    return len(text) == 14 and not (unit or _unit_in(name)) and layouts_of(text) == ["%Y%m%d"]


def _settle_order(layouts: list[str], texts: list[bytes], first: bytes, name: str) -> str:
    """The one layout that the samples leave of those that the first allows."""
    for text in texts:
        if len(layouts) == 1:
            break
        layouts = [layout for layout in layouts if layout in layouts_of(text)] or layouts
    if len(layouts) > 1:
        raise Unsettled(
            f"column {name!r}: cannot tell day from month in {shown(first)}; say --time-format {' or '.join(layouts)}"
        )
    return layouts[0]


def _unit_in(name: str) -> str | None:
    match = _UNIT_IN_NAME.search(name)
    return None if match is None or match.lastindex is None else list(DIGITS)[match.lastindex - 1]


def _unit_by_magnitude(number: bytes) -> str:
    whole = abs(read_epoch(number, "ns"))
    return next((unit for unit, limit in _MAGNITUDES.items() if whole < limit), "ns")


def _read_comma_epoch(text: bytes, unit: str) -> int:
    return read_epoch(text.replace(b",", b".", 1), unit)
