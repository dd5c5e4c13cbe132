"""Rows that come late, put in the order of their times: each waits until none that belongs before it can still come."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from sigconv._durations import LIMIT, UNITS, format_duration
from sigconv.engines.cpu import text
from sigconv.io.columns import TelemetryError
from sigconv.io.heads import Found
from sigconv.io.intake import Part
from sigconv.io.layout import Layout, Report
from sigconv.io.reader import Head, Reader, Readings
from sigconv.io.runs import Run, merged, part, passing

_EARLIEST, _LAST = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
_NEWLINE, _RETURN = 10, 13
_STEPS = {"d": (1, 2, 5, 10, 20, 50), "h": (1, 2, 3, 6, 12), "min": (1, 2, 5, 10, 20, 30), "s": (1, 2, 5, 10, 20, 30)}
_READABLE = sorted(k * UNITS[unit] for unit in UNITS for k in _STEPS.get(unit, (1, 2, 5, 10, 20, 50, 100, 200, 500)))


class Reorder:
    """Holds rows back until a time has come that is newer by ``layout.reorder``, and passes them on in their order.

    Rows of the same time stay as they came; those without a time stay behind the row that they followed. A row that
    comes later than that ends the work.

    Parameters
    ----------
    layout : Layout
        By how much rows may be late, and what is wanted of the table.

    Examples
    --------
    >>> from sigconv.io.intake import Intake
    >>> layout = Layout(columns=["x"], time=["t"], reorder=10**9)
    >>> parts = Reorder(layout).order(Intake(layout).parts([b"t,x\\n1,7\\n0.5,6\\n", b"3,9\\n2,8\\n"]), last=True)
    >>> b"".join(bytes(part.text) if isinstance(part, Readings) else part.above() for part in parts)
    b't,x\\n0.5,6\\n1,7\\n2,8\\n3,9\\n'
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._late = layout.reorder
        self._reader: Reader | None = None
        self._runs: list[Run] = []  # in the order in which they came
        self._saved = b""
        self._newest, self._newest_text = _EARLIEST, "the time of the saved state"
        self._followed = _EARLIEST  # the time of the last row that has one
        self._tail = _NEWLINE  # the last byte that came
        self._ending = b"\n"

    def order(self, parts: Iterable[Part], last: bool = False) -> Iterator[Part]:
        """The parts in the order of their times as far as that is certain, all of them where these are the ``last``."""
        try:
            for each in parts:
                if isinstance(each, Found):
                    yield each
                    self._begin(each)
                elif self._reader is None:
                    yield each
                elif isinstance(each, bytes):
                    self._tail = each[-1]
                    self._hold(passing(each, self._reader.head))
                else:
                    yield from self._add(each, self._reader)
        except TelemetryError:  # what came before is still to be written
            yield from self.release()
            raise
        if last and self._reader is not None:
            yield from self._finish(self._reader.head)

    def release(self) -> Iterator[Readings]:
        """All rows that wait."""
        runs, self._runs = self._runs, []
        if runs:
            yield merged(runs).rows

    def state(self) -> tuple[bytes, int | None]:
        """The text of the rows that wait, and the latest time."""
        held = bytes(merged(self._runs).rows.text) if self._runs else self._saved
        return held, None if self._newest == _EARLIEST else self._newest

    def restore(self, held: bytes, newest: int | None) -> None:
        """Go on from a `state`, before any part."""
        self._saved, self._newest = held, _EARLIEST if newest is None else newest

    def _begin(self, found: Found) -> None:
        # What is wrong with the rows of a former run was counted then.
        self._reader = Reader(found.head, self._layout, Report())
        if b"\r\n" in found.held:
            self._ending = b"\r\n"
        if self._saved:
            self._hold(self._reader.read(*text.padded(self._saved), 1, True))
            self._saved = b""

    def _add(self, block: Readings, reader: Reader) -> Iterator[Readings]:
        """Take up rows, and pass on those that nothing can precede any more."""
        if not len(block.rows):
            return
        self._tail = int(block.data[block.rows.rest - 1])
        block = replace(block, origin=block.lines_of_rows())
        times = np.empty(0, np.int64) if block.times is None else block.times
        newest = np.maximum.accumulate(np.append(self._newest, times))
        late = np.flatnonzero(times < np.maximum(newest[:-1], _EARLIEST + self._late) - self._late)
        if len(late):
            k = int(late[0])
            row, since = int(block.at[k]), self._text_of_newest(block, reader, k)
            told = f"time goes back from {since} to {reader.time_text(block, row)}"
            block.failures.append((row, f"{block.place(row)}: {told}{remedy(int(newest[k]) - int(times[k]))}"))
        if block.failures:
            yield from self._fail(block, *min(block.failures))
            return
        self._newest_text = self._text_of_newest(block, reader, len(times))
        self._newest = int(newest[-1])
        self._hold(block)
        if self._tail == _NEWLINE:  # else it is the last row, and which will be the last in the end is open
            yield from self._ripe(max(self._newest, _EARLIEST + self._late) - self._late)

    def _text_of_newest(self, block: Readings, reader: Reader, count: int) -> str:
        """The text of the latest time up to so many of the rows that have one."""
        times = block.times[:count] if block.times is not None else np.empty(0, np.int64)
        if not len(times) or times.max() <= self._newest:
            return self._newest_text
        return reader.time_text(block, int(block.at[int(times.argmax())]))

    def _fail(self, block: Readings, row: int, failure: str) -> Iterator[Readings]:
        """All rows that came before one, and the failure in its place."""
        self._hold(part(block, 0, row))
        last = part(block, row, row + 1)
        last.keep(slice(0))
        self._runs.append(Run(last, np.array([_LAST])))
        for each in self.release():
            each.failures.append((len(each.rows) - 1, failure))
            yield each

    def _ripe(self, limit: int) -> Iterator[Readings]:
        """The rows up to a time."""
        runs = [(run, int(np.searchsorted(run.times, limit, side="right"))) for run in self._runs]
        ripe = [run.part(0, end) for run, end in runs if end]
        if ripe:
            self._runs = [run.part(end, len(run)) if end else run for run, end in runs if end < len(run)]
            yield merged(ripe).rows

    def _finish(self, head: Head) -> Iterator[Readings]:
        """The rows that wait, the last of which ends as the table did."""
        if self._tail == _NEWLINE:
            yield from self.release()
            return
        ending = b"\n" if self._tail == _RETURN else self._ending
        self._hold(passing(ending, head))
        for each in self.release():
            size = len(ending) if bytes(each.text[-len(ending) :]) == ending else 1
            yield replace(each, rows=replace(each.rows, rest=each.rows.rest - size))

    def _hold(self, block: Readings) -> None:
        """Add rows; the last runs become one while they are of about one size, so that there are never many."""
        if not len(block.rows):
            return
        before = np.full(len(block.rows), -1)  # which of the times is the last
        times = np.array([self._followed])
        if block.times is not None:
            before[block.at] = np.arange(len(block.at))
            times = np.append(block.times, times)
        times = times[np.maximum.accumulate(before)]
        self._followed = int(times[-1])
        self._runs.append(merged([Run(block, times)]))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            self._runs[-2:] = [merged(self._runs[-2:])]


def remedy(late: int) -> str:
    """What a message adds about a row that is as late as this."""
    return f" (--reorder {_sufficient(late)} puts late rows in order)" if late < LIMIT // 2 else ""


def _sufficient(late: int) -> str:
    """The next duration that reads well.

    Examples
    --------
    >>> _sufficient(3_300_000_000_000), _sufficient(7), _sufficient(10**9)
    ('1h', '10ns', '1s')
    """
    day = UNITS["d"]
    return format_duration(next((ns for ns in _READABLE if ns >= late), -(-late // day) * day))
