"""What a table holds, found in one pass: counts and extremes of its columns, steps of its times."""

import math
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigconv.io import rows as cells
from sigconv.io.clock import Course
from sigconv.io.heads import Found
from sigconv.io.intake import Intake, Piece
from sigconv.io.layout import Layout, Report
from sigconv.io.reader import Head, Readings

_STEPS = 4096  # different steps that are told apart exactly
_REMEMBERED = 4096  # texts whose meaning is remembered


@dataclass
class Column:
    """What one column holds."""

    name: str
    number: int
    """Counted from 1."""
    time: bool = False
    count: int = 0
    """Cells that are numbers; in a column of times, those that could be read."""
    missing: int = 0
    odd: int = 0
    """Cells that are neither."""
    least: float = math.inf
    greatest: float = -math.inf
    total: float = 0.0
    finite: int = 0

    @property
    def kind(self) -> str:
        """One of time, number, text and empty."""
        if self.time:
            return "time"
        return "number" if self.count and self.count >= self.odd else "text" if self.odd else "empty"

    @property
    def mean(self) -> float:
        """Of the finite numbers; NaN where there is none."""
        return self.total / self.finite if self.finite else math.nan

    def add(self, values: NDArray[np.float64]) -> None:
        """Count numbers."""
        self.count += len(values)
        values = values[np.isfinite(values)]
        if len(values):
            self.finite += len(values)
            self.least = min(self.least, float(values.min()))
            self.greatest = max(self.greatest, float(values.max()))
            self.total = math.fsum([self.total, float(values.sum())])


class Steps:
    """The steps between times; exact while there are few different ones, else to 0.1 % of each."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last = 0
        self.back = 0
        self.largest = 0
        self._counts: dict[int, int] = {}
        self._coarse = False

    def add(self, ns: NDArray[np.int64]) -> None:
        """The next times."""
        if not len(ns):
            return
        if self.first is None:
            self.first = self.last = int(ns[0])
            ns = ns[1:]
        steps = np.diff(ns, prepend=self.last)
        self.last = int(ns[-1]) if len(ns) else self.last
        self.back += int((steps < 0).sum())
        steps = steps[steps >= 0]
        self.largest = max(self.largest, int(steps.max(initial=0)))
        self._count(*np.unique(_coarse(steps) if self._coarse else steps, return_counts=True))
        if len(self._counts) > _STEPS and not self._coarse:
            self._coarse = True
            before, self._counts = self._counts, {}
            self._count(_coarse(np.array([*before], np.int64)), np.array([*before.values()]))

    @property
    def median(self) -> int | None:
        """The median of the steps that do not go back, the lower one of two."""
        half = (sum(self._counts.values()) + 1) // 2
        for step, count in sorted(self._counts.items()):
            half -= count
            if half <= 0:
                return step
        return None

    def _count(self, steps: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        for step, count in zip(steps.tolist(), counts.tolist(), strict=True):
            self._counts[step] = self._counts.get(step, 0) + count


@dataclass
class Survey:
    """What has been found in a table."""

    head: Head | None = None
    columns: list[Column] = field(default_factory=list)
    steps: Steps = field(default_factory=Steps)
    rows: int = 0
    report: Report = field(default_factory=Report)


def survey(blocks: Iterable[Piece], layout: Layout) -> Survey:
    """Look through a table, in memory that its size does not touch.

    Parameters
    ----------
    blocks : iterable of bytes
        The table, cut anywhere.
    layout : Layout
        How it is written, as far as that is known, and its column of times.

    Examples
    --------
    >>> seen = survey([b"t,x\\n0,1\\n1,", b"\\n3,5\\n"], Layout())
    >>> seen.rows, [(column.name, column.kind, column.count, column.missing) for column in seen.columns]
    (3, [('t', 'time', 3, 0), ('x', 'number', 2, 1)])
    >>> seen.steps.median, seen.steps.largest
    (1000000000, 2000000000)
    """
    look = _Look(replace(layout, columns=["*"], seeks_time=True, strict=False, suffix=""))
    return look.through(blocks)


class _Look:
    """Goes through what a filter would be given."""

    def __init__(self, layout: Layout) -> None:
        self._intake = Intake(layout)
        self._missing = cells.MISSING | layout.na
        self._seen = Survey(report=self._intake.report)
        self._course: Course | None = None
        self._known: dict[bytes, bool] = {}  # texts, and whether they are odd

    def through(self, blocks: Iterable[Piece]) -> Survey:
        """All that there is to see."""
        with closing(self._intake.parts_ahead(blocks)) as parts:
            for part in parts:
                if isinstance(part, Found):
                    self._begin(part.head)
                elif isinstance(part, Readings):
                    self._look(part)
        return self._seen

    def _begin(self, head: Head) -> None:
        self._seen.head = head
        self._seen.columns = [Column(name, k + 1, time=k in head.time) for k, name in enumerate(head.names)]
        self._course = None if head.clock is None else head.clock.course()

    def _look(self, block: Readings) -> None:
        reader, columns = self._intake.reader, self._seen.columns
        assert reader is not None
        self._seen.rows += len(block.at)
        if block.times is not None and self._course is not None:
            self._seen.steps.add(self._course.settle(block.times))
        for column in reader.head.time:
            seen = columns[column]
            seen.count += len(block.at)
            told = block.cut(*reader.cells(block, column, block.untimed))
            odd = sum(map(self._is_odd, told))
            seen.odd += odd
            seen.missing += len(told) - odd
        for j, column in enumerate(reader.head.chosen):
            seen = columns[column]
            there = ~np.isnan(block.values[:, j])
            first, last = block.first[~there, j], block.last[~there, j]
            odd = sum(map(self._is_odd, block.cut(first, last)))
            seen.add(block.values[there, j])
            seen.odd += odd
            seen.missing += len(first) - odd

    def _is_odd(self, cell: bytes) -> bool:
        """Whether a cell that is no number is not missing either."""
        told = self._known.get(cell)
        if told is None:
            bare = cells.bare(cell)
            told = bare not in self._missing and cells.is_number(cell) is not None
            if len(self._known) < _REMEMBERED:
                self._known[cell] = told
        return told


def _coarse(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Steps without all but their leading eleven bits."""
    size = np.maximum(np.frexp(steps.astype(np.float64))[1] - 11, 0)
    return (steps >> size) << size


def described(seen: Survey) -> dict[str, Any]:
    """A survey in plain numbers and texts, fit for JSON; None where there is nothing."""
    result: dict[str, Any] = {
        "rows": seen.rows,
        "columns": [
            {
                "name": column.name,
                "number": column.number,
                "kind": column.kind,
                "count": column.count,
                "missing": column.missing,
                "odd": column.odd,
                "min": column.least if column.finite else None,
                "mean": column.mean if column.finite else None,
                "max": column.greatest if column.finite else None,
            }
            for column in seen.columns
        ],
        "time": None,
        "dialect": None,
        "passed over": {kind: count for kind, count in seen.report.counts.items() if kind != "cell"},
    }
    head = seen.head
    if head is None:
        return result
    dialect = head.dialect
    result["dialect"] = {
        "delimiter": dialect.delimiter.decode("latin-1"),
        "decimal": dialect.decimal.decode("latin-1"),
        "header": dialect.header,
        "comment": dialect.comment.decode("utf-8", "replace"),
        "lines above": dialect.top,
        "units": dialect.units,
    }
    steps = seen.steps
    if steps.first is not None:
        result["time"] = {
            "columns": [head.names[k] for k in head.time],
            "kind": head.clock.kind if head.clock else None,
            "unit": head.clock.unit if head.clock and head.clock.kind == "epoch" else None,
            "first": str(np.datetime64(steps.first, "ns")),
            "last": str(np.datetime64(steps.last, "ns")),
            "first seconds": steps.first / 1e9,
            "last seconds": steps.last / 1e9,
            "span": (steps.last - steps.first) / 1e9,
            "median step": None if steps.median is None else steps.median / 1e9,
            "largest gap": steps.largest / 1e9,
            "steps back": steps.back,
        }
    return result
