"""A telemetry file's columns through a filter, and every other byte as it was.

Bytes come in pieces of any size and go out as soon as their rows are complete: files and pipes take the same way,
memory holds one piece, and where the pieces are cut changes nothing. What filters is the caller's: it is given the
numbers of the chosen columns and the times, and answers with as many numbers.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from sigconv.io import states
from sigconv.io.columns import TelemetryError
from sigconv.io.dialect import Dialect
from sigconv.io.heads import Found
from sigconv.io.intake import Intake, Part, Piece
from sigconv.io.layout import Layout, Report
from sigconv.io.reader import Readings
from sigconv.io.reorder import Reorder
from sigconv.io.table import Filter, Table

__all__ = ["Filter", "Layout", "Report", "Rewriter", "TelemetryError"]


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
        self._make_filter = make_filter
        self._layout = layout
        self._intake = Intake(layout)
        self._reorder = Reorder(layout) if layout.reorder else None
        self._past: states.Past | None = None
        self._table: Table | None = None
        self._above: int | None = None

    @property
    def report(self) -> Report:
        """What passed through unchanged so far."""
        return self._intake.report

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
    def time(self) -> list[int] | None:
        """Positions of the columns of times, once they are known."""
        return None if self._table is None else self._table.head.time

    @property
    def above(self) -> int | None:
        """Lines above the first row of data, once that is known."""
        return self._above

    @property
    def keys(self) -> list[tuple[bytes, ...]]:
        """The key of each series so far, in the order in which they came."""
        return list(self._table.series) if self._table else []

    @property
    def waiting(self) -> int:
        """Bytes at the end of what has been fed that no `state` holds: those of a row that is not complete."""
        return self._intake.waiting

    def feed(self, data: Piece) -> Iterator[bytes | memoryview]:
        """What can be written now that ``data`` has arrived."""
        return self._written(self._ordered(self._intake.feed(data)))

    def close(self) -> Iterator[bytes | memoryview]:
        """What is left to write when the input has ended."""
        return self._written(self._ordered(self._intake.close(), last=True))

    def settle(self) -> Iterator[bytes | memoryview]:
        """The complete rows that wait for more to tell what the table is like, taken for what they say alone."""
        return self._written(self._ordered(self._intake.settle()))

    def release(self) -> Iterator[bytes | memoryview]:
        """The complete rows that wait for others to come before them: where nothing more will be fed after all."""
        return self._written(iter(self._reorder.release() if self._reorder else ()))

    def rewrite(self, blocks: Iterable[Piece]) -> Iterator[bytes | memoryview]:
        """All that `feed` gives for the blocks, and `close` at the end; they are read by a thread on the way."""
        with closing(self._intake.parts_ahead(blocks)) as parts:
            yield from self._written(self._ordered(parts, last=True))

    def state(self) -> dict[str, Any]:
        """Everything the next rows depend on, but for an incomplete one, as a flat dictionary of plain arrays."""
        if self._table is None:
            return states.empty() if self._past is None else states.packed(self._past)
        series = [
            states.Reached(key, each.latest, None if each.course is None else each.course.state(), each.filter.state())
            for key, each in self._table.series.items()
        ]
        held, newest = (b"", None) if self._reorder is None else self._reorder.state()
        return states.packed(states.Past(self._table.head, series, held, newest))

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`, before anything is fed: with the same columns and filters.

        What was settled about the table holds on: how it is written, its columns and how its times are read.

        Raises
        ------
        ValueError
            Where the state is of another version or damaged; other columns show with the first rows.
        """
        self._past = states.unpacked(state)
        if self._past is not None:
            self._intake = Intake(self._layout, self._past.head)
            if self._reorder is not None:
                self._reorder.restore(self._past.held, self._past.newest)

    def _ordered(self, parts: Iterable[Part], last: bool = False) -> Iterator[Part]:
        """The parts with late rows in their places, where that is wanted."""
        return iter(parts) if self._reorder is None else self._reorder.order(parts, last)

    def _written(self, parts: Iterator[Part]) -> Iterator[bytes | memoryview]:
        """The text of what was read, filtered."""
        for part in parts:
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, Found):
                table = self._begin(part)
                if self._layout.suffix:
                    yield part.above(table.titles, table.empty)
                else:
                    yield part.above()
            else:
                yield from self._filtered(part)

    def _begin(self, found: Found) -> Table:
        assert self._intake.reader is not None
        self._above = found.lines
        self._table = Table(self._intake.reader, self._layout, self._make_filter)
        if self._past is not None:
            _restore(self._table, self._past)
        return self._table

    def _filtered(self, block: Readings) -> Iterator[memoryview]:
        assert self._table is not None
        out, failure = self._table.filter(block)
        if len(out):
            yield out
        if failure is not None:
            raise TelemetryError(failure)


def _restore(table: Table, past: states.Past) -> None:
    """Fill a new table with the series of a former one."""
    before, now = past.head, table.head
    for what, theirs, ours in (("columns", before.chosen, now.chosen), ("keys", before.keys, now.keys)):
        then, told = [before.names[k] for k in theirs], [now.names[k] for k in ours]
        if then != told:
            raise TelemetryError(f"the saved state is of the {what} {_listed(then)}, not of {_listed(told)}")
    for reached in past.series:
        series = table.series_of(reached.key)
        try:
            series.filter.restore(reached.filter)
            if series.course is not None and reached.course is not None:
                series.course.restore(reached.course)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
            raise TelemetryError(f"the saved state does not fit: {error}") from None
        series.latest = reached.latest


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
