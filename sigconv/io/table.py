"""The rows of a table through the filters, and the results back into their text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sigconv.engines.cpu import text
from sigconv.io import rows as cells
from sigconv.io.clock import Course
from sigconv.io.layout import Layout
from sigconv.io.reader import Head, Numbers, Places, Reader, Readings
from sigconv.io.reorder import remedy

SAVED = "the time of the saved state"
_EARLIEST = int(np.iinfo(np.int64).min)
_QUOTE, _END = 34, 10


class Filter(Protocol):
    """What turns the numbers of the chosen columns into others, row by row and never looking ahead."""

    def __call__(self, values: Numbers, times: NDArray[Any] | None) -> Numbers:
        """Filtered values of (rows, columns); times are datetime64[ns], or None."""

    def state(self) -> dict[str, Any]:
        """Everything the next answers depend on, as plain arrays."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""


@dataclass
class Series:
    """The rows of one key: their filter, and what their times have come to."""

    filter: Filter
    course: Course | None
    latest: int = _EARLIEST
    latest_text: str = SAVED


class Table:
    """Filters what is read in the rows below a header.

    Parameters
    ----------
    reader : Reader
        What read it.
    layout : Layout
        What is wanted.
    make_filter : callable
        Makes a `Filter` for so many columns; called for every key.
    """

    def __init__(self, reader: Reader, layout: Layout, make_filter: Callable[[int], Filter]) -> None:
        self.reader = reader
        self.head = head = reader.head
        self.series: dict[tuple[bytes, ...], Series] = {}
        self._layout = layout
        self._make_filter = make_filter
        delimiter = head.dialect.delimiter
        self.empty = delimiter * len(head.chosen)
        self.titles = b"".join(delimiter + _quoted(head, layout.suffix, column) for column in head.chosen)

    def filter(self, block: Readings) -> tuple[memoryview, str | None]:
        """The new text of rows, and what ended the work if anything did."""
        groups = self._groups(block)
        if block.times is not None:
            self._settle(block, groups)
        end, failure = min(block.failures, default=(len(block.rows), None))
        done = block.rows.rest if failure is None else int(block.rows.start[end])
        if failure is not None:
            block.keep(block.at < end)
            groups = self._groups(block)
        y = self._filter(block.values, block.times, groups)
        if self._layout.suffix:
            return self._beside(block, done, end, y), failure
        return self._in_place(block, done, y), failure

    def _groups(self, block: Readings) -> list[tuple[Series, Any]]:
        """Each series that occurs, and which of the rows are its."""
        if not self.head.keys:
            return [(self.series_of(()), slice(None))]
        parts = [block.cut(*self.reader.cells(block, column, block.at)) for column in self.head.keys]
        of_key: dict[tuple[bytes, ...], list[int]] = {}
        for k, key in enumerate(zip(*parts, strict=True)):
            of_key.setdefault(tuple(map(cells.bare, key)), []).append(k)
        return [(self.series_of(key), np.array(rows)) for key, rows in of_key.items()]

    def series_of(self, key: tuple[bytes, ...]) -> Series:
        """The series of a key, new where it has not occurred."""
        found = self.series.get(key)
        if found is None:
            clock = self.head.clock
            course = clock.course() if clock is not None and clock.settles else None
            found = self.series[key] = Series(self._make_filter(len(self.head.chosen)), course)
        return found

    def _settle(self, block: Readings, groups: list[tuple[Series, Any]]) -> None:
        """Bring the times of each series in their final form; one that goes back ends the work."""
        at, times = block.at, block.times
        assert times is not None
        newest = max((series.latest for series in self.series.values()), default=_EARLIEST)
        for series, mine in groups:
            own = times[mine]
            if series.course is not None:
                own = times[mine] = series.course.settle(own)
            if not len(own):
                continue
            before = np.concatenate([[series.latest], own[:-1]])
            back = np.flatnonzero(own < before)
            if len(back) and self._layout.in_order:
                k = int(back[0])
                row = int(at[mine][k])
                since = self.reader.time_text(block, int(at[mine][k - 1])) if k else series.latest_text
                told = f"time goes back from {since} to {self.reader.time_text(block, row)}"
                if series.course is None and since != SAVED:
                    latest = max(newest, int(times[at < row].max(initial=_EARLIEST)))
                    told += remedy(latest - int(own[k]))
                block.failures.append((row, f"{block.place(row)}: {told}"))
            series.latest, series.latest_text = int(own[-1]), self.reader.time_text(block, int(at[mine][-1]))

    def _filter(self, x: Numbers, times: Places | None, groups: Sequence[tuple[Series, Any]]) -> Numbers:
        stamps = None if times is None else times.view("datetime64[ns]")
        if len(groups) == 1:
            return groups[0][0].filter(x, stamps) if len(x) else x
        y = np.empty_like(x)
        for series, mine in groups:
            y[mine] = series.filter(x[mine], None if stamps is None else stamps[mine])
        return y

    def _in_place(self, block: Readings, done: int, y: Numbers) -> memoryview:
        x = block.values
        changed = np.isfinite(x) & ~(y == x)
        first, last = block.first[changed], block.last[changed]
        new = y[changed]
        if self._layout.decimals is None and self.head.dialect.decimal == b"." and np.isfinite(new).all():
            return text.fill(block.data, done, first, last, cells.to_json(new))
        texts = cells.to_texts(new, self._layout.decimals)
        if self._clash:
            quoted = [block.data[k - 1] == _QUOTE and k > 0 for k in first.tolist()]
            texts = self._with_quotes(texts, quoted)
        stop = np.flatnonzero(np.frombuffer(texts, np.uint8) == _END)
        start = np.concatenate([[0], stop[:-1] + 1]) if len(stop) else stop
        return text.splice(block.data, done, first, last, self._spelled(texts), start, stop)

    def _beside(self, block: Readings, done: int, end: int, y: Numbers) -> memoryview:
        """Results at the ends of their rows."""
        texts = cells.to_texts(y.ravel(), self._layout.decimals)
        if np.isnan(y).any():
            texts = texts.replace(b"nan\n", b"\n")
        if self._clash:
            texts = self._with_quotes(texts, [False] * y.size)
        ends = np.flatnonzero(np.frombuffer(texts, np.uint8) == _END)
        ends = np.concatenate([[0], ends + 1])[:: y.shape[1]]  # of whole rows, a delimiter in front of each cell
        made = self.head.dialect.delimiter + self._spelled(texts).replace(b"\n", self.head.dialect.delimiter)
        places, start, stop = [block.at], [ends[:-1]], [ends[1:]]
        for rows, cell in ((block.repeats, self.titles), (block.untimed, self.empty)):
            rows = rows[rows < end]
            places.append(rows)
            start.append(np.full(len(rows), len(made)))
            made += cell
            stop.append(np.full(len(rows), len(made)))
        where = np.concatenate(places)
        order = np.argsort(where, kind="stable")
        ends = block.rows.end[where[order]]
        return text.splice(
            block.data, done, ends, ends, made, np.concatenate(start)[order], np.concatenate(stop)[order]
        )

    def _spelled(self, texts: bytes) -> bytes:
        decimal = self.head.dialect.decimal
        return texts if decimal == b"." else texts.replace(b".", decimal)

    @property
    def _clash(self) -> bool:
        """Whether a decimal comma would end a cell."""
        return self.head.dialect.decimal == self.head.dialect.delimiter

    def _with_quotes(self, texts: bytes, quoted: list[bool]) -> bytes:
        lines = texts.split(b"\n")[:-1]
        return b"".join(
            (cell if done or b"." not in cell else b'"' + cell + b'"') + b"\n"
            for cell, done in zip(lines, quoted, strict=True)
        )


def _quoted(head: Head, suffix: str, column: int) -> bytes:
    """The new column's name as a cell."""
    name = (head.names[column] + suffix).encode("utf-8", "surrogateescape")
    if head.dialect.delimiter in name or b'"' in name or b"\n" in name:
        return b'"' + name.replace(b'"', b'""') + b'"'
    return name
