"""What the first rows of a table tell: how it is written, its names, and which columns are meant."""

from collections.abc import Iterable
from dataclasses import dataclass

from sigconv.engines.cpu import text
from sigconv.engines.cpu.sizes import COMMENT_ROW, DATA_ROW
from sigconv.io import columns as cols
from sigconv.io import rows as cells
from sigconv.io.clock import Clock, Unsettled
from sigconv.io.columns import TelemetryError
from sigconv.io.dialect import sniff
from sigconv.io.layout import Layout, Report
from sigconv.io.reader import Head


@dataclass(frozen=True)
class Found:
    """A head, and where the rows that it was read from end."""

    head: Head
    start: int
    """Where the data begins."""
    title: int
    """Where the header ends, without its line end; -1 where there is none."""
    units: int
    """Where the row of units ends likewise."""

    def above(self, held: bytes, titles: bytes, empty: bytes) -> bytes:
        """What stands above the data, with new columns at the ends of its rows."""
        parts, at = [], 0
        for end, cell in ((self.title, titles), (self.units, empty)):
            if end >= 0:
                parts += [held[at:end], cell]
                at = end
        return b"".join([*parts, held[at : self.start]])


def find_head(held: bytes, layout: Layout, report: Report, settled: bool) -> Found | None:
    """What ``held``, the start of a table, tells about it.

    None where that is not enough; where ``settled``, nothing more will come before it has to be.

    Raises
    ------
    TelemetryError
        Where a column that is wanted is not there, or no way to read times is found.
    """
    dialect = sniff(
        held, delimiter=layout.delimiter, decimal=layout.decimal, header=layout.header, comment=layout.comment,
        complete=settled,
    )  # fmt: skip
    if dialect is None:
        return None
    top = _after_lines(held, dialect.top)
    data, size = text.padded(held[top:])
    rows = text.split(
        data, size, held.count(b"\n") + 1, delimiter=dialect.delimiter, comment=dialect.comment,
        limit=cells.ROW_LIMIT, last=settled, needed=[],
    )  # fmt: skip
    kinds = rows.kind.tolist()
    first = next(
        (k for k, kind in enumerate(kinds) if kind == DATA_ROW or (dialect.header and kind == COMMENT_ROW and not k)),
        None,
    )
    if first is None:
        return None

    def row(k: int) -> list[bytes]:
        return cells.cells_of(held[top + rows.start[k] : top + rows.end[k]], dialect.delimiter)

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
        if dialect.units and below:
            units, start = top + int(rows.end[below[0]]), _next_row(rows, below[0], top)
            del below[0]
    sample = [row(k) for k in below[: cols.SAMPLE]]
    enough = settled or len(sample) == cols.SAMPLE
    time, clock = _times(names, sample, dialect.decimal, layout, enough)
    keys = [cols.find_one(names, wanted) for wanted in layout.keys]
    if time and clock is None and not enough:
        return None
    if layout.columns:
        found = {i for wanted in layout.columns for i in cols.find(names, wanted)}
        chosen = sorted(found - {*time, *keys})
        if not chosen:
            what = "time" if found & {*time} else "key"
            raise TelemetryError(f"column {layout.columns[0]!r} is the {what} column; choose another")
    else:
        only = cols.only_numeric(names, sample, {*time, *keys}, dialect.decimal, enough) if sample else None
        if only is None:
            return None
        chosen = [only]
    if layout.header and all(cells.is_number(cell, dialect.decimal) for cell in header):
        report.add("header", 1, lambda: f"line {line}")
    bare = [cells.bare(cell) for cell in header] if dialect.header else []
    return Found(Head(dialect, names, bare, len(names), chosen, time, keys, clock), start, title, units)


def _times(
    names: list[str], sample: list[list[bytes]], decimal: bytes, layout: Layout, enough: bool
) -> tuple[list[int], Clock | None]:
    """The columns of times, and the clock that reads them as soon as a time has come."""
    time = [cols.find_one(names, wanted) for wanted in layout.time]
    if not time and not layout.needs_time:
        return [], None
    if not time:
        found = _find_times(names, sample, decimal, layout)
        if not found and sample:
            raise TelemetryError(
                f"a window or --max-gap is a duration, and no column is called time or holds dates; name the column "
                f"of times with -t from {cols.listed(names)}"
            )
        time = found
    if not sample:
        return time, None
    try:
        return time, _clock(names, sample, time, decimal, layout)
    except Unsettled as error:
        if enough:
            raise TelemetryError(str(error)) from None
        return time, None
    except ValueError as error:
        raise TelemetryError(str(error)) from None


def _clock(names: list[str], sample: list[list[bytes]], time: list[int], decimal: bytes, layout: Layout) -> Clock:
    name = " and ".join(names[k] for k in time)
    return Clock.of(
        _cells(sample, time), unit=layout.time_unit, format=layout.time_format, zone=layout.time_zone, name=name,
        decimal=decimal,
    )  # fmt: skip


def _find_times(names: list[str], sample: list[list[bytes]], decimal: bytes, layout: Layout) -> list[int]:
    """The column that is called time, or else holds dates; a date and a time of day side by side count as one."""
    called = [k for k, name in enumerate(names) if cols.is_called_time(name)]
    dated = [k for k, name in enumerate(names) if cols.is_called_date(name)]
    texts = [k for k in range(len(names)) if any(cells.is_number(row[k]) is False for row in sample if k < len(row))]
    both = [[*dated, *called]] if len(dated) == len(called) == 1 and dated != called else []

    def readable(columns: list[int]) -> bool:
        told = [cell for cell in _cells(sample, columns) if all(map(cells.bare, cell))]
        try:
            return bool(told) and bool(_clock(names, sample, columns, decimal, layout).read(told)[1].all())
        except ValueError:
            return False

    for candidates in (both, [[k] for k in called], [[k] for k in dated], [[k] for k in texts]):
        fits = [columns for columns in candidates if readable(columns)]
        if len(fits) > 1:
            told = cols.listed([names[columns[0]] for columns in fits])
            raise TelemetryError(f"several columns hold times; choose with -t from {told}")
        if fits:
            return fits[0]
    return []


def _cells(sample: list[list[bytes]], columns: Iterable[int]) -> list[tuple[bytes, ...]]:
    wanted = list(columns)
    return [tuple(row[k] for k in wanted) for row in sample if len(row) > max(wanted, default=0)]


def _next_row(rows: text.Rows, k: int, top: int) -> int:
    return top + int(rows.start[k + 1] if k + 1 < len(rows) else rows.rest)


def _after_lines(held: bytes, lines: int) -> int:
    """Where so many lines end."""
    at = 0
    for _ in range(lines):
        at = held.find(b"\n", at) + 1 or len(held)
    return at
