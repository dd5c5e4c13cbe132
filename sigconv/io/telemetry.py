"""A telemetry file's columns through a filter, and every other byte as it was.

Bytes come in pieces of any size and go out as soon as their rows are complete: files and pipes take the same way,
memory holds one piece, and where the pieces are cut changes nothing. What filters is the caller's: it is given the
numbers of the chosen columns and the times, and answers with as many numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigconv.io import columns as cols
from sigconv.io.columns import TelemetryError
from sigconv.io.rows import (
    MISSING,
    Row,
    bare,
    is_blank,
    is_number,
    join_rows,
    replace_number,
    split_rows,
    to_numbers,
    to_texts,
)
from sigconv.io.timestamps import LIMIT, to_ns

__all__ = ["Filter", "Layout", "Report", "Rewriter", "TelemetryError"]

# A row longer than this is a quote that never closes, or no table.
LONGEST_ROW = 1 << 24

# Given values (rows, columns) and datetime64[ns] times or None; returns the filtered values.
Filter = Callable[[NDArray[np.float64], NDArray[Any] | None], NDArray[np.float64]]


@dataclass(frozen=True)
class Layout:
    """What the caller knows about the table.

    Parameters
    ----------
    columns : sequence of str
        Names, numbers from 1 or patterns; empty: the only column of numbers beside the time.
    time : str, optional
        The column of times.
    time_unit : str
        Unit of times that are numbers: "s", "ms", "us" or "ns" since 1970.
    delimiter : bytes
        The one character between cells.
    header : bool
        Whether the first row holds names; without, columns are called by their numbers.
    """

    columns: Sequence[str] = ()
    time: str | None = None
    time_unit: str = "s"
    delimiter: bytes = b","
    header: bool = True


class Report:
    """What passed through unchanged although a number or a time was wanted: how many, and where the first stood."""

    KINDS = MappingProxyType(
        {
            "cell": ("cell that is no number", "cells that are no numbers"),
            "short": ("row with too few cells", "rows with too few cells"),
            "time": ("row without a readable time", "rows without a readable time"),
            "header": ("header of nothing but numbers", ""),
        }
    )

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.first: dict[str, str] = {}

    def add(self, kind: str, count: int, where: Callable[[], str]) -> None:
        """Count occurrences; ``where`` tells the place of the first of them."""
        if count:
            if kind not in self.first:
                self.first[kind] = where()
            self.counts[kind] = self.counts.get(kind, 0) + count

    def __str__(self) -> str:
        found = [
            f"{count} {self.KINDS[kind][count > 1]} (first: {self.first[kind]})" for kind, count in self.counts.items()
        ]
        return "passed through unchanged: " + "; ".join(found) if found else ""


class Rewriter:
    """Filters the columns of a table that arrives piece by piece.

    Parameters
    ----------
    make_filter : callable
        Given the number of columns, returns the filter to use; called once, when the columns are known.
    layout : Layout
        Which columns, and how the table is written.

    Examples
    --------
    >>> halve = Rewriter(lambda channels: lambda x, times: x / 2, Layout(columns=["x"]))
    >>> b"".join([*halve.feed(b"t,x\\n0,1\\n1,"), *halve.feed(b"3"), *halve.close()])
    b't,x\\n0,0.5\\n1,1.5'
    """

    def __init__(self, make_filter: Callable[[int], Filter], layout: Layout) -> None:
        self.report = Report()
        self._make_filter = make_filter
        self._layout = layout
        self._body: _Body | None = None
        self._pending = b""  # a row that is not complete
        self._held: list[Row] = []  # rows that wait until the columns are known
        self._lines = 0  # lines written

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What can be written now that ``data`` has arrived."""
        self._pending += data
        rows: list[Row] = []
        if b"\n" in data:
            rows, self._pending = self._split(self._pending)
        if len(self._pending) > LONGEST_ROW:
            line = self._lines + 1 + sum(map(_count_lines, self._held + rows))
            raise TelemetryError(f"line {line}: a row of over {LONGEST_ROW >> 20} MiB (a quote that never closes?)")
        yield from self._rewrite(rows)

    def close(self) -> Iterator[bytes]:
        """What is left to write when the input has ended."""
        unended = bool(self._pending)
        rows, rest = self._split(self._pending + b"\n") if unended else ([], b"")
        if rest:  # a quote that never closes: all that follows it is one cell
            rows.append([rest.removesuffix(b"\n")])
        yield from self._rewrite(rows, complete=True, unended=unended)

    def _split(self, text: bytes) -> tuple[list[Row], bytes]:
        # Cells beyond the last one in use need no cutting.
        return split_rows(text, self._layout.delimiter, -1 if self._body is None else self._body.width)

    def _rewrite(self, rows: list[Row], complete: bool = False, unended: bool = False) -> Iterator[bytes]:
        rows, self._held = self._held + rows, []
        start = 0
        if self._body is None:
            start = self._find_columns(rows, complete)
            if self._body is None and not complete:
                self._held = rows
                return
        failure = None
        if self._body is not None:
            failure, kept = self._body.filter_rows(rows, start, self._lines + 1)
            rows = rows[:kept]
        out = join_rows(rows, self._layout.delimiter)
        self._lines += out.count(b"\n")
        if out:
            yield out if failure or not unended else out[:-1]
        if failure:
            raise TelemetryError(failure)

    def _find_columns(self, rows: list[Row], complete: bool) -> int:
        """Set up the body as soon as the columns are known; the number of rows above the data."""
        top = next((k for k, row in enumerate(rows) if not is_blank(row)), None)
        if top is None:
            return 0
        layout, first = self._layout, rows[top]
        line = 1 + sum(map(_count_lines, rows[:top]))
        if b"\0" in first[0]:
            raise TelemetryError(f"line {line}: not a text in UTF-8, it holds zero bytes")
        names = cols.names_of(first) if layout.header else [str(i + 1) for i in range(len(first))]
        start = top + layout.header
        time = None if layout.time is None else cols.find_one(names, layout.time)
        if layout.columns:
            found = dict.fromkeys(i for wanted in layout.columns for i in cols.find(names, wanted))
            chosen = [i for i in found if i != time]
            if not chosen:
                raise TelemetryError(f"column {layout.columns[0]!r} is the time column; choose another")
        else:
            data = [row for row in rows[start:] if not is_blank(row)]
            only = cols.only_numeric(names, data, time, complete) if data else None
            if only is None:
                return start
            chosen = [only]
        if layout.header and all(map(is_number, first)):
            self.report.add("header", 1, lambda: f"line {line}")
        self._body = _Body(names, chosen, time, layout.time_unit, self._make_filter(len(chosen)), self.report)
        return start


class _Body:
    """The rows below the header: numbers out, through the filter, and back into their cells."""

    def __init__(
        self, names: list[str], columns: list[int], time: int | None, time_unit: str, filter: Filter, report: Report
    ) -> None:
        self.width = max(columns if time is None else [*columns, time]) + 1
        self._names = names
        self._columns = columns
        self._time = time
        self._time_unit = time_unit
        self._filter = filter
        self._report = report
        self._latest = np.datetime64(-LIMIT, "ns")  # the last row's time, and its text
        self._latest_text = b""

    def filter_rows(self, rows: list[Row], start: int, line: int) -> tuple[str | None, int]:
        """Filter ``rows[start:]`` in place; ``line`` is the first row's line.

        Returns what is wrong, if anything, and the number of rows before that.
        """

        def place(row: Row) -> str:
            return f"line {line + sum(map(_count_lines, rows[: _index(rows, row)]))}"

        data = [row for row in rows[start:] if not is_blank(row)]
        short = [row for row in data if len(row) < self.width]
        self._report.add("short", len(short), lambda: place(short[0]))
        failure, times, kept = None, None, len(rows)
        if self._time is not None:
            data, times, texts = self._read_times(data, self._time, place)
            back = self._step_back(times)
            if back is not None:
                earlier = texts[back - 1] if back else self._latest_text
                failure = f"{place(data[back])}: time goes back from {_show(earlier)} to {_show(texts[back])}"
                kept = _index(rows, data[back])
                data, times = data[:back], times[:back]
            if data:
                self._latest, self._latest_text = times[-1], texts[len(data) - 1]
        if data:
            self._filter_columns(data, times, place)
        return failure, kept

    def _read_times(
        self, data: list[Row], column: int, place: Callable[[Row], str]
    ) -> tuple[list[Row], NDArray[Any], list[bytes]]:
        """The rows that have a time, their times and the texts of these."""
        timed, times, texts, without = [], [], [], []
        for row in data:
            text = row[column] if column < len(row) else b""
            try:
                times.append(to_ns(text, self._time_unit))
            except ValueError as error:
                if not (self._latest_text or times) and bare(text) not in MISSING:
                    # Not one time could be read so far: more likely a spelling that is not known than a bad cell.
                    raise TelemetryError(f"{place(row)}: {error} (column {self._names[column]!r})") from None
                without.append(row)
            else:
                timed.append(row)
                texts.append(text)
        self._report.add("time", len(without), lambda: place(without[0]))
        return timed, np.array(times, dtype=np.int64).view("datetime64[ns]"), texts

    def _step_back(self, times: NDArray[Any]) -> int | None:
        """Position of the first time that is earlier than the one before it."""
        if len(times) and times[0] < self._latest:
            return 0
        steps = np.flatnonzero(times[1:] < times[:-1])
        return int(steps[0]) + 1 if len(steps) else None

    def _filter_columns(self, data: list[Row], times: NDArray[Any] | None, place: Callable[[Row], str]) -> None:
        x = np.empty((len(data), len(self._columns)))
        odd: list[tuple[int, int]] = []  # row and column of cells that are no numbers
        for j, i in enumerate(self._columns):
            x[:, j], strange = to_numbers([row[i] if i < len(row) else b"" for row in data])
            odd += [(k, i) for k in strange]
        if odd:
            k, i = min(odd)
            self._report.add(
                "cell", len(odd), lambda: f"{_show(data[k][i])} in column {self._names[i]!r}, {place(data[k])}"
            )
        y = self._filter(x, times)
        changed = np.isfinite(x) & (y != x)
        for j, i in enumerate(self._columns):
            places = np.flatnonzero(changed[:, j])
            for k, text in zip(places.tolist(), to_texts(y[places, j]), strict=True):
                data[k][i] = replace_number(data[k][i], text)


def _count_lines(row: Row) -> int:
    return 1 + sum(cell.count(b"\n") for cell in row)


def _index(rows: list[Row], wanted: Row) -> int:
    return next(k for k, row in enumerate(rows) if row is wanted)


def _show(cell: bytes) -> str:
    text = bare(cell).decode("utf-8", "replace")
    return repr(text if len(text) <= 40 else text[:40] + "...")
