"""What the first rows of a table tell: how it is written, its names, and which columns are meant."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sigconv.engines.cpu import text
from sigconv.engines.cpu.sizes import COMMENT_ROW, DATA_ROW
from sigconv.io import columns as cols
from sigconv.io import rows as cells
from sigconv.io.clock import Clock, Unsettled
from sigconv.io.columns import TelemetryError
from sigconv.io.dialect import Dialect, sniff
from sigconv.io.layout import Layout, Report
from sigconv.io.reader import Head


@dataclass(frozen=True)
class Found:
    """A head, and where the rows that it was read from end."""

    head: Head
    held: bytes
    """The start of the table, as far as it was looked at."""
    start: int
    """Where the data begins."""
    title: int
    """Where the header ends, without its line end; -1 where there is none."""
    units: int
    """Where the row of units ends likewise."""

    @property
    def lines(self) -> int:
        """Lines above the data."""
        return self.held.count(b"\n", 0, self.start)

    def above(self, titles: bytes = b"", empty: bytes = b"") -> bytes:
        """What stands above the data, with new columns at the ends of its rows."""
        parts, at = [], 0
        for end, cell in ((self.title, titles), (self.units, empty)):
            if end >= 0:
                parts += [self.held[at:end], cell]
                at = end
        return b"".join([*parts, self.held[at : self.start]])


def find_head(held: bytes, layout: Layout, report: Report, settled: bool, past: Head | None = None) -> Found | None:
    """What ``held``, the start of a table, tells about it.

    None where that is not enough; where ``settled``, nothing more will come before it has to be. What is found out
    goes by ``past``, a head that was settled earlier, as far as the names are the same.

    Raises
    ------
    TelemetryError
        Where a column that is wanted is not there, or no way to read times is found.
    """
    dialect = _dialect(held, layout, settled, past)
    if dialect is None:
        return None
    top = _after_lines(held, dialect.top)
    rows = _split(held[top:], dialect, settled)
    kinds = rows.kind.tolist()
    first = _first(kinds, dialect)
    if first is None:
        return None

    delimiter = dialect.delimiter

    def row(k: int) -> list[bytes]:
        return cells.cells_of(held[top + rows.start[k] : top + rows.end[k]], delimiter)

    line = 1 + held.count(b"\n", 0, top + int(rows.start[first]))
    header = row(first)
    if b"\0" in header[0]:
        raise TelemetryError(f"line {line}: not a text in UTF-8, it holds zero bytes")
    names = [str(i + 1) for i in range(len(header))]
    start, title, units = top + int(rows.start[first]), -1, -1
    below = [k for k in range(first, len(kinds)) if kinds[k] == DATA_ROW or k == first]
    if dialect.header:
        if kinds[first] == COMMENT_ROW:
            header[0] = header[0].removeprefix(dialect.comment)
        names = cols.names_of(header)
        title, start = top + int(rows.end[first]), _next_row(rows, first, top)
        del below[0]
        if dialect.units and past is not None:
            if not below and not settled:
                return None
            if not below or any(cells.is_number(cell, dialect.decimal) for cell in row(below[0])):
                dialect = replace(dialect, units=False)  # this table has none
        if dialect.units and below:
            units, start = top + int(rows.end[below[0]]), _next_row(rows, below[0], top)
            del below[0]
    sample = [row(k) for k in below[: cols.SAMPLE]]
    enough = settled or len(sample) == cols.SAMPLE
    times = _times(names, sample, dialect.decimal, layout, enough, past)
    if times is None:
        return None
    time, clock = times
    keys = [cols.find_one(names, wanted) for wanted in layout.keys]
    before = past and _same_columns(names, past, past.chosen)
    if layout.columns:
        found = {i for wanted in layout.columns for i in cols.find(names, wanted, cols.is_called_time)}
        chosen = sorted(found - {*time, *keys})
        if not chosen:
            what = "time" if found & {*time} else "key"
            raise TelemetryError(f"column {layout.columns[0]!r} is the {what} column; choose another")
    elif before:
        chosen = sorted(before)
    else:
        only = cols.only_numeric(names, sample, {*time, *keys}, dialect.decimal, enough) if sample else None
        if only is None:
            return None
        chosen = [only]
    if layout.header and all(cells.is_number(cell, dialect.decimal) for cell in header):
        report.add("header", 1, lambda: f"line {line}")
    bare = [cells.bare(cell) for cell in header] if dialect.header else []
    head = Head(dialect, names, bare, len(names), chosen, time, keys, clock)
    return Found(head, held, start, title, units)


def _dialect(held: bytes, layout: Layout, settled: bool, past: Head | None) -> Dialect | None:
    """How a table is written: as before where it begins as before, else as its rows tell."""
    delimiter, decimal = layout.delimiter, layout.decimal
    if past is not None:
        before = past.dialect
        wanted = (layout.delimiter, layout.decimal, layout.header, layout.comment)
        own = (before.delimiter, before.decimal, before.header, before.comment)
        if all(a in (None, b) for a, b in zip(wanted, own, strict=True)):
            alike = _begins_alike(held, past, settled)
            if alike is None:
                return None
            if alike:
                return before
            delimiter, decimal = before.delimiter, before.decimal
    table = held[_after_lines(held, layout.skip) :]
    dialect = sniff(
        table, delimiter=delimiter, decimal=decimal, header=layout.header, comment=layout.comment, complete=settled
    )
    return None if dialect is None else replace(dialect, top=dialect.top + layout.skip)


def _begins_alike(held: bytes, past: Head, settled: bool) -> bool | None:
    """Whether the header stands where it stood in a former table; None where that cannot be told yet."""
    before = past.dialect
    if held.count(b"\n") < before.top:
        return False if settled else None
    top = _after_lines(held, before.top)
    rows = _split(held[top:], before, settled)
    first = _first(rows.kind.tolist(), before)
    if first is None:
        return False if settled else None
    if not before.header:
        return not before.top
    header = cells.cells_of(held[top + rows.start[first] : top + rows.end[first]], before.delimiter)
    if rows.kind[first] == COMMENT_ROW:
        header[0] = header[0].removeprefix(before.comment)
    return cols.names_of(header) == past.names


def _same_columns(names: list[str], past: Head, columns: list[int]) -> list[int] | None:
    """Where columns of a former table stand in this one; None where that cannot be told."""
    if names == past.names:
        return columns
    wanted = [past.names[k] for k in columns]
    return [names.index(name) for name in wanted] if all(names.count(name) == 1 for name in wanted) else None


def _split(held: bytes, dialect: Dialect, settled: bool) -> text.Rows:
    data, size = text.padded(held)
    return text.split(
        data, size, held.count(b"\n") + 1, delimiter=dialect.delimiter, comment=dialect.comment,
        limit=cells.ROW_LIMIT, last=settled, needed=[],
    )  # fmt: skip


def _first(kinds: list[int], dialect: Dialect) -> int | None:
    """The header, which may be commented out, or the first row."""
    return next(
        (k for k, kind in enumerate(kinds) if kind == DATA_ROW or (dialect.header and kind == COMMENT_ROW and not k)),
        None,
    )


def _times(
    names: list[str], sample: list[list[bytes]], decimal: bytes, layout: Layout, enough: bool, past: Head | None
) -> tuple[list[int], Clock | None] | None:
    """The columns of times and the clock that reads them, if there is any time; None where more rows have to tell."""
    time = [cols.find_one(names, wanted) for wanted in layout.time]
    needed = bool(time or layout.needs_time or layout.reorder)
    if not (needed or layout.seeks_time):
        return [], None
    if past is not None and past.clock is not None:
        before = _same_columns(names, past, past.time)
        if before and time in ([], before):
            return before, past.clock
    if not sample:
        return (time, None) if enough else None
    try:
        time = time or _find_times(names, sample, decimal, layout)
        if not time:
            what = "--reorder" if layout.reorder else "a window or --max-gap"
            raise TelemetryError(
                f"{what} is a duration, and no column is called time or holds dates; name the column "
                f"of times with -t from {cols.listed(names)}"
            )
        clock = _clock(names, sample, time, decimal, layout)
    except (ValueError, TelemetryError) as error:
        if not enough and (isinstance(error, Unsettled) or not needed):
            return None
        if not needed:
            return [], None
        raise TelemetryError(str(error)) from None
    if clock.settles and layout.reorder:
        name = " and ".join(names[k] for k in time)
        raise TelemetryError(f"column {name!r}: --reorder needs times that are complete in themselves; {clock.lacks}")
    return time, clock


def _clock(names: list[str], sample: list[list[bytes]], time: list[int], decimal: bytes, layout: Layout) -> Clock:
    name = " and ".join(names[k] for k in time)
    return Clock.of(
        _cells(sample, time), unit=layout.time_unit, format=layout.time_format, zone=layout.time_zone, name=name,
        decimal=decimal,
    )  # fmt: skip


def _find_times(names: list[str], sample: list[list[bytes]], decimal: bytes, layout: Layout) -> list[int]:
    """The column of dates, else of numbers that is called time; a date and a time of day side by side count as one.

    Raises
    ------
    ValueError
        Where a column is called time or date, but its texts cannot be read; `Unsettled` where more rows may tell how.
    """
    called = [k for k, name in enumerate(names) if cols.is_called_time(name)]
    dated = [k for k, name in enumerate(names) if cols.is_called_date(name)]
    texts = {k for k in range(len(names)) if any(cells.is_number(row[k]) is False for row in sample if k < len(row))}
    both = [[*dated, *called]] if len(dated) == len(called) == 1 and dated != called else []
    troubles = []

    named = {*called, *dated}

    def readable(columns: list[int]) -> bool:
        told = [cell for cell in _cells(sample, columns) if all(map(_is_told, cell))]
        try:
            return bool(_clock(names, sample, columns, decimal, layout).read(told)[1].all())
        except ValueError as error:
            unsettled = isinstance(error, Unsettled)
            if texts.issuperset(columns) if told else unsettled:
                troubles.extend([error] if unsettled or named.issuperset(columns) else [])
        return False

    empty = {k for k in range(len(names)) if not any(k < len(row) and _is_told(row[k]) for row in sample)}
    of_dates = [[k for k in columns if k in texts | empty] for columns in (called, dated)] + [sorted(texts)]

    def only(candidates: list[list[int]]) -> list[int]:
        fits = [candidate for candidate in candidates if readable(candidate)]
        if len(fits) > 1:
            told = cols.listed([names[candidate[0]] for candidate in fits])
            raise TelemetryError(f"several columns hold times; choose with -t from {told}")
        return fits[0] if fits else []

    # A column that cannot be read is never passed over for one that promises less.
    for stages in ([both], [[[k] for k in columns] for columns in of_dates], [[[k] for k in called]]):
        for candidates in stages:
            if found := only(candidates):
                return found
        if troubles:
            raise troubles[0]
    return []


def _cells(sample: list[list[bytes]], columns: Iterable[int]) -> list[tuple[bytes, ...]]:
    wanted = list(columns)
    return [tuple(row[k] for k in wanted) for row in sample if len(row) > max(wanted, default=0)]


def _is_told(cell: bytes) -> bool:
    return cells.bare(cell) not in cells.MISSING


def _next_row(rows: text.Rows, k: int, top: int) -> int:
    return top + int(rows.start[k + 1] if k + 1 < len(rows) else rows.rest)


def _after_lines(held: bytes, lines: int) -> int:
    """Where so many lines end."""
    at = 0
    for _ in range(lines):
        at = held.find(b"\n", at) + 1 or len(held)
    return at
