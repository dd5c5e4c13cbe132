"""The rows of a table, block by block: numbers and times out of their cells, and what is wrong with them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigconv.engines.cpu import text
from sigconv.engines.cpu.sizes import DATA_ROW
from sigconv.io import rows as cells
from sigconv.io.clock import Clock
from sigconv.io.dialect import Dialect
from sigconv.io.layout import Layout, Report

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]

_DIGITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
_ISO = -1
_NEWLINE = 10
_KNOWN = 1000


@dataclass(frozen=True)
class Head:
    """What the first rows of a table have told."""

    dialect: Dialect
    names: list[str]
    header: list[bytes]
    """Bare cells of the header, none where there is no header."""
    width: int
    """How many cells a row has."""
    chosen: list[int]
    time: list[int]
    keys: list[int]
    clock: Clock | None

    @property
    def needed(self) -> list[int]:
        """Every column whose cells are read, ascending."""
        return sorted({*self.chosen, *self.time, *self.keys})


@dataclass
class Readings:
    """Complete rows of a piece of text, and what could be read in those that a filter takes."""

    data: NDArray[np.uint8]
    rows: text.Rows
    line: int
    """Line of the first row."""
    lines: int
    """Line ends in all rows."""
    failures: list[tuple[int, str]] = field(default_factory=list)
    """Rows that end the work, and why."""
    repeats: Places = field(default_factory=lambda: np.empty(0, np.int64))
    """Rows that hold the header again."""
    untimed: Places = field(default_factory=lambda: np.empty(0, np.int64))
    """Rows without a time."""
    at: Places = field(default_factory=lambda: np.empty(0, np.int64))
    """Rows that go to a filter."""
    values: Numbers = field(default_factory=lambda: np.empty((0, 0)))
    """Their numbers (rows, columns), NaN where there is none."""
    first: Places = field(default_factory=lambda: np.empty((0, 0), np.int64))
    last: Places = field(default_factory=lambda: np.empty((0, 0), np.int64))
    """Bounds of the bare texts of these."""
    times: Places | None = None
    """Nanoseconds since 1970, as far as a row alone can tell."""
    origin: Places | None = None
    """Line of every row, where these have changed places."""

    def __post_init__(self) -> None:
        self._view = self.data.data

    def cut(self, first: Places, last: Places) -> list[bytes]:
        return [bytes(self._view[a:b]) for a, b in zip(first.tolist(), last.tolist(), strict=True)]

    def row(self, k: int) -> bytes:
        return bytes(self._view[self.rows.start[k] : self.rows.end[k]])

    @property
    def text(self) -> memoryview:
        """All of the rows."""
        return self._view[self.rows.start[0] : self.rows.rest] if len(self.rows) else self._view[:0]

    def lines_of_rows(self) -> Places:
        """The line on which each row starts."""
        if self.origin is not None:
            return self.origin
        ends = np.flatnonzero(self.data[: self.rows.rest] == _NEWLINE)
        return self.line + np.searchsorted(ends, self.rows.start)

    def place(self, k: int) -> str:
        if self.origin is not None:
            return f"line {self.origin[k]}"
        return f"line {self.line + text.count(self.data[: self.rows.start[k]], _NEWLINE)}"

    def keep(self, wanted: Any) -> None:
        """Go on with some of the rows that go to a filter."""
        self.at, self.values = self.at[wanted], self.values[wanted]
        self.first, self.last = self.first[wanted], self.last[wanted]
        if self.times is not None:
            self.times = self.times[wanted]


class Reader:
    """Finds rows and reads their cells.

    Parameters
    ----------
    head : Head
        What is known of the table.
    layout : Layout
        What is wanted of it.
    report : Report
        Counts what passes through.
    """

    def __init__(self, head: Head, layout: Layout, report: Report) -> None:
        self.head = head
        self._layout = layout
        self._report = report
        self._needed = head.needed
        self._place_of = {column: k for k, column in enumerate(self._needed)}
        decimal = head.dialect.decimal
        self._missing = cells.MISSING | layout.na
        self._known: dict[bytes, tuple[float, bytes]] = {}  # texts that come again and again
        # Tokens such as -200 read as numbers: cells of such a value are looked at again.
        self._numeric_na = [cells.to_number(na, decimal) for na in layout.na if cells.is_number(na, decimal)]

    def read(self, data: NDArray[np.uint8], size: int, line: int, complete: bool) -> Readings:
        """The rows of data[:size] that are complete; ``line`` is that of the first."""
        dialect = self.head.dialect
        lines = text.count(data[:size], _NEWLINE)
        rows = text.split(
            data, size, lines + 1, delimiter=dialect.delimiter, comment=dialect.comment, limit=cells.ROW_LIMIT,
            last=complete, needed=self._needed,
        )  # fmt: skip
        if rows.rest < size:
            lines -= text.count(data[rows.rest : size], _NEWLINE)
        block = Readings(data, rows, line, lines)
        at = self._without_ragged(block, np.flatnonzero(rows.kind == DATA_ROW))
        if self.head.time:
            block.times, good = self._read_times(block, at)
            if not good.all():
                block.times, without, at = block.times[good], at[~good], at[good]
                again = self._repeat_header(block, without)
                block.repeats = without[again]
                block.untimed = self._refuse(block, "time", without[~again], "no time can be read here")
        repeats = self._read_numbers(block, at)
        if repeats.any():
            block.repeats = np.union1d(block.repeats, at[repeats])
            block.keep(~repeats)
        self._refuse(block, "repeat", block.repeats, "the header stands here again")
        return block

    def cells(self, block: Readings, column: int, at: Places) -> tuple[Places, Places]:
        """Bounds of the cells of a column in some rows."""
        k = self._place_of[column]
        if len(at) == len(block.rows):
            return block.rows.first[k], block.rows.last[k]
        return block.rows.first[k][at], block.rows.last[k][at]

    def time_text(self, block: Readings, row: int) -> str:
        """The time of a row as it stands there, for a message."""
        cut = [block.cut(*self.cells(block, column, np.array([row])))[0] for column in self.head.time]
        return show(b" ".join(map(cells.bare, cut)))

    def _refuse(self, block: Readings, kind: str, at: Places, why: str) -> Places:
        """Count rows that pass through; where nothing may, the first of them ends the work."""
        if len(at) and self._layout.strict:
            block.failures.append((int(at[0]), f"{block.place(at[0])}: {why}"))
        self._report.add(kind, len(at), lambda: block.place(at[0]))
        return at

    def _without_ragged(self, block: Readings, at: Places) -> Places:
        count = block.rows.cells[at]
        short = count < self._needed[-1] + 1
        many = count > self.head.width
        if not (short.any() or many.any()):
            return at
        delimiter = self.head.dialect.delimiter
        for k in np.flatnonzero(many):
            beyond = cells.cells_of(block.row(at[k]), delimiter)[self.head.width :]
            many[k] = any(map(cells.bare, beyond))
        wanted, width = self._needed[-1] + 1, self.head.width
        self._refuse(block, "short", at[short], f"a row of fewer than {wanted} cells")
        self._refuse(block, "long", at[many], f"a row of more than {width} cells")
        return at[~(short | many)]

    def _read_times(self, block: Readings, at: Places) -> tuple[Places, NDArray[Any]]:
        clock = self.head.clock
        bounds = [self.cells(block, column, at) for column in self.head.time]
        ns, good = np.zeros(len(at), np.int64), np.zeros(len(at), bool)
        if clock is None:  # the table ended before a first time
            return ns, good
        if len(bounds) == 1 and clock.kind in ("epoch", "iso"):
            ns, good = text.read_stamps(block.data, *bounds[0], _DIGITS[clock.unit] if clock.kind == "epoch" else _ISO)
        others = np.flatnonzero(~good)
        if len(others):
            apart = [block.cut(first[others], last[others]) for first, last in bounds]
            ns[others], good[others] = clock.read(list(zip(*apart, strict=True)))
        return ns, good

    def _read_numbers(self, block: Readings, at: Places) -> NDArray[Any]:
        """Fill in the numbers of some rows; which of these repeat the header."""
        chosen, names = self.head.chosen, self.head.names
        x = np.empty((len(at), len(chosen)))
        first, last = np.empty((2, len(at), len(chosen)), np.int64)
        odd: list[tuple[int, int, bytes]] = []
        for j, column in enumerate(chosen):
            value, good, first[:, j], last[:, j] = text.read_numbers(
                block.data, *self.cells(block, column, at), self.head.dialect.decimal
            )
            others = np.flatnonzero(~good & (first[:, j] < last[:, j]))
            for k, told in zip(others.tolist(), block.cut(first[others, j], last[others, j]), strict=True):
                value[k], strange = self._known.get(told) or self._read_number(told)
                if strange:
                    odd.append((k, j, strange))
            for token in self._numeric_na:
                alike = np.flatnonzero(value == token)
                texts = block.cut(first[alike, j], last[alike, j])
                value[[k for k, cell in zip(alike, texts, strict=True) if cell in self._layout.na]] = np.nan
            x[:, j] = value
        repeats = np.zeros(len(at), bool)
        if odd:
            strange_rows = np.unique([k for k, _, _ in odd])
            repeats[strange_rows] = self._repeat_header(block, at[strange_rows])
            odd = sorted(item for item in odd if not repeats[item[0]])
        if odd:
            k, j, strange = odd[0]
            where = f"{show(strange)} in column {names[chosen[j]]!r}"
            if self._layout.strict:
                block.failures.append((int(at[k]), f"{block.place(at[k])}: {where} is no number"))
            self._report.add("cell", len(odd), lambda: f"{where}, {block.place(at[k])}")
        block.at, block.values, block.first, block.last = at, x, first, last
        return repeats

    def _repeat_header(self, block: Readings, at: Places) -> NDArray[Any]:
        """Which rows hold the chosen columns' names in their place."""
        again = np.full(len(at), bool(self.head.header))
        for column in self.head.chosen if self.head.header and len(at) else ():
            told = block.cut(*self.cells(block, column, at))
            again &= [cells.bare(cell) == self.head.header[column] for cell in told]
        return again

    def _read_number(self, told: bytes) -> tuple[float, bytes]:
        """The number a bare text spells, else NaN; and the text where it should have been one."""
        try:
            found = np.nan if told in self._missing else cells.to_number(told, self.head.dialect.decimal), b""
        except ValueError:
            found = np.nan, told
        if len(self._known) < _KNOWN:
            self._known[told] = found
        return found


def show(cell: bytes) -> str:
    """A cell's text for a message, shortened where it is long."""
    told = cells.bare(cell).decode("utf-8", "replace")
    return repr(told if len(told) <= 40 else told[:40] + "...")
