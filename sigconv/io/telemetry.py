"""A telemetry file's columns through a filter, and every other byte as it was.

Bytes come in pieces of any size and go out as soon as their rows are complete: files and pipes take the same way,
memory holds one piece, and where the pieces are cut changes nothing. What filters is the caller's: it is given the
numbers of the chosen columns and the times, and answers with as many numbers.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from sigconv.engines.cpu import text
from sigconv.io import files
from sigconv.io import rows as cells
from sigconv.io.columns import TelemetryError
from sigconv.io.dialect import Dialect
from sigconv.io.heads import Found, find_head
from sigconv.io.layout import Layout, Report
from sigconv.io.reader import Reader, Readings
from sigconv.io.table import Filter, Table

__all__ = ["Filter", "Layout", "Report", "Rewriter", "TelemetryError"]

SNIFFED = 1 << 16  # bytes after which what the table is like has to be settled
_NEWLINE = 10
_STATE = 1  # version of what `Rewriter.state` returns


class Rewriter:
    """Filters the columns of a table that arrives piece by piece.

    Parameters
    ----------
    make_filter : callable
        Given the number of columns, returns the filter to use: once, or for every key anew.
    layout : Layout
        Which columns, and how the table is written.

    Examples
    --------
    >>> class Half:
    ...     def __call__(self, values, times):
    ...         return values / 2
    >>> rewriter = Rewriter(lambda channels: Half(), Layout(columns=["x"]))
    >>> b"".join([*rewriter.feed(b"t,x\\n0,1\\n1,"), *rewriter.feed(b"3"), *rewriter.close()])
    b't,x\\n0,0.5\\n1,1.5'
    """

    def __init__(self, make_filter: Callable[[int], Filter], layout: Layout) -> None:
        self.report = Report()
        self._make_filter = make_filter
        self._layout = layout
        self._table: Table | None = None
        self._saved: dict[str, Any] | None = None
        self._pending = b""  # what waits for more
        self._began = False  # whether a byte order mark could still come
        self._endless = False  # within a row that is too long
        self._tried = 0  # bytes that have told too little
        self._lines = 0  # in them
        self._line = 1

    @property
    def dialect(self) -> Dialect | None:
        """How the table is written, once that is known."""
        return None if self._table is None else self._table.head.dialect

    @property
    def names(self) -> list[str] | None:
        """Names of all columns, once they are known."""
        return None if self._table is None else self._table.head.names

    @property
    def chosen(self) -> list[int] | None:
        """Positions of the filtered columns, once they are known."""
        return None if self._table is None else self._table.head.chosen

    @property
    def keys(self) -> list[tuple[bytes, ...]]:
        """The key of each series so far, in the order in which they came."""
        return list(self._table.series) if self._table else []

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """What can be written now that ``data`` has arrived."""
        return self._written(self._read(data, complete=False))

    def close(self) -> Iterator[bytes | memoryview]:
        """What is left to write when the input has ended."""
        return self._written(self._read(b"", complete=True))

    def rewrite(self, blocks: Iterable[bytes]) -> Iterator[bytes | memoryview]:
        """All that `feed` gives for the blocks, and `close` at the end; they are read by a thread on the way."""

        def readings() -> Iterator[bytes | Readings]:
            for block in blocks:
                yield from self._read(block, complete=False)
            yield from self._read(b"", complete=True)

        with closing(files.ahead(readings())) as read:
            yield from self._written(read)

    def state(self) -> dict[str, Any]:
        """Everything the next rows depend on, but for an incomplete one, as a flat dictionary of plain arrays."""
        if self._table is None:
            return self._saved or {"version": np.array(_STATE), "columns": np.array([], np.str_)}
        keys = [part for key in self._table.series for part in key]
        state = {
            "version": np.array(_STATE),
            "columns": np.array([self._table.head.names[k] for k in self._table.head.chosen]),
            "keys": np.frombuffer(b"".join(keys), np.uint8),
            "key_lengths": np.array([len(key) for key in keys], np.int64),
            "latest": np.array([series.latest for series in self._table.series.values()], np.int64),
        }
        for k, series in enumerate(self._table.series.values()):
            state |= {f"filter {k} {name}": value for name, value in series.filter.state().items()}
            if series.course is not None:
                state[f"course {k}"] = np.array(series.course.state(), np.int64)
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`, before anything is fed: with the same columns and filters.

        Raises
        ------
        ValueError
            Where the state is of another version or damaged; other columns show with the first rows.
        """
        if "version" not in state or int(state["version"]) != _STATE:
            raise ValueError("the state is of another version")
        if len(state["columns"]):
            self._saved = state

    def _written(self, read: Iterator[bytes | Readings]) -> Iterator[bytes | memoryview]:
        """The text of what was read, filtered."""
        for block in read:
            if isinstance(block, bytes):
                yield block
                continue
            assert self._table is not None
            out, failure = self._table.filter(block)
            if len(out):
                yield out
            if failure is not None:
                raise TelemetryError(failure)

    def _read(self, data: bytes, complete: bool) -> Iterator[bytes | Readings]:
        """Rows with their numbers and times, and what passes through between them."""
        if self._endless:
            end = data.find(b"\n") + 1
            yield data[: end or len(data)]
            if not end:
                return
            self._line += 1
            self._endless, data = False, data[end:]
        if self._table is None:
            yield from self._begin(data, complete)
        else:
            yield from self._go_on(data, complete)

    def _begin(self, data: bytes, complete: bool) -> Iterator[bytes | Readings]:
        """Find out what the table is like; rows wait until that is settled."""
        self._pending += data
        if not self._began:
            if not complete and cells.BOM.startswith(self._pending):
                return
            if self._pending.startswith(cells.BOM):
                self._pending = self._pending[len(cells.BOM) :]
                yield cells.BOM
            self._began = True
        held = self._pending
        found = self._find_head(held, complete)
        if found is None:
            if complete:
                self._pending = b""
                yield held
            return
        self._table = Table(Reader(found.head, self._layout, self.report), self._layout, self._make_filter)
        if self._saved is not None:
            _restore(self._table, self._saved)
        self._pending = b""
        self._line += held.count(b"\n", 0, found.start)
        if self._layout.suffix:
            yield found.above(held, self._table.titles, self._table.empty)
        else:
            yield held[: found.start]
        yield from self._go_on(held[found.start :], complete)

    def _find_head(self, held: bytes, complete: bool) -> Found | None:
        """What the fewest lines that tell enough say: all that follows then depends on no cut of the input."""
        while self._tried < SNIFFED:
            end = held.find(b"\n", self._tried) + 1
            endless = end - self._tried > cells.ROW_LIMIT if end else len(held) - self._tried >= cells.ROW_LIMIT
            if endless:
                end = self._tried
            elif not end:
                break
            blank = not held[self._tried : end].strip()
            self._tried = end
            self._lines += not blank
            if not (endless or end >= SNIFFED) and (blank or self._lines % (1 << max(self._lines.bit_length() - 5, 0))):
                continue  # after many lines, one more tells little: each of the first 32 is tried, each other of 64, ..
            found = find_head(held[:end], self._layout, self.report, settled=endless or end >= SNIFFED)
            if found is not None:
                return found
            if endless:
                line = 1 + held.count(b"\n", 0, end)
                raise TelemetryError(
                    f"line {line}: a row of over {cells.ROW_LIMIT} bytes before any data; is it a table?"
                )
        return find_head(held, self._layout, self.report, settled=True) if complete else None

    def _go_on(self, data: bytes, complete: bool) -> Iterator[bytes | Readings]:
        assert self._table is not None
        if not complete and b"\n" not in data and len(self._pending) + len(data) < cells.ROW_LIMIT:
            self._pending += data
            return
        buffer, size = text.padded(self._pending, data)
        self._pending = b""
        while size:
            block = self._table.reader.read(buffer, size, self._line, complete)
            self._line += block.lines
            done = block.rows.rest
            yield block
            buffer, size = buffer[done:], size - done
            if not block.rows.too_long:
                self._pending = buffer[:size].tobytes()
                return
            place = f"line {self._line}"
            if self._layout.strict:
                raise TelemetryError(f"{place}: a row of over {cells.ROW_LIMIT} bytes")
            self.report.add("endless", 1, place.__str__)
            ends = np.flatnonzero(buffer[:size] == _NEWLINE)
            self._endless = not len(ends)
            over = size if self._endless else int(ends[0]) + 1
            yield buffer[:over].tobytes()
            self._line += not self._endless
            buffer, size = buffer[over:], size - over


def _restore(table: Table, state: dict[str, Any]) -> None:
    """Fill a new table with the series of a state."""
    names = [table.head.names[k] for k in table.head.chosen]
    if names != state["columns"].tolist():
        then, now = (", ".join(map(repr, each)) for each in (state["columns"].tolist(), names))
        raise TelemetryError(f"the saved state is of the columns {then}, not of {now}")
    parts, at = [], 0
    for length in state["key_lengths"].tolist():
        parts.append(state["keys"][at : at + length].tobytes())
        at += length
    width = len(table.head.keys)
    for k in range(len(state["latest"])):
        series = table.series_of(tuple(parts[k * width : (k + 1) * width]))
        prefix = f"filter {k} "
        series.filter.restore({name[len(prefix) :]: v for name, v in state.items() if name.startswith(prefix)})
        series.latest = int(state["latest"][k])
        if series.course is not None:
            series.course.restore(state[f"course {k}"].tolist())
