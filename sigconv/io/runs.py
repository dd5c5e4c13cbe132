"""Rows taken out of blocks, and blocks put together in the order of their times, with all that was read of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sigconv.engines.cpu import text
from sigconv.engines.cpu.sizes import COMMENT_ROW
from sigconv.io.reader import Head, Places, Readings


@dataclass
class Run:
    """Rows that follow each other in their text."""

    rows: Readings
    times: Places
    """Of every row: one without a time has that of the row it follows."""

    def __len__(self) -> int:
        return len(self.times)

    def part(self, start: int, end: int) -> "Run":
        """Some of the rows, on the same text."""
        return Run(part(self.rows, start, end), self.times[start:end])


def part(block: Readings, start: int, end: int) -> Readings:
    """Some rows of a block, on the same text."""
    rows, some = block.rows, slice(start, end)
    a, b = np.searchsorted(block.at, [start, end])
    return replace(
        block,
        rows=text.Rows(
            rows.start[some], rows.end[some], rows.kind[some], rows.cells[some], rows.first[:, some],
            rows.last[:, some], int(rows.start[end]) if end < len(rows) else rows.rest, False,
        ),
        failures=[],
        repeats=_within(block.repeats, start, end),
        untimed=_within(block.untimed, start, end),
        at=block.at[a:b] - start,
        values=block.values[a:b],
        first=block.first[a:b],
        last=block.last[a:b],
        times=None if block.times is None else block.times[a:b],
        origin=None if block.origin is None else block.origin[some],
    )  # fmt: skip


def merged(runs: Sequence[Run]) -> Run:
    """All rows on one text in the order of their times; those of one time as they stand."""
    blocks = [run.rows for run in runs]
    times = np.concatenate([run.times for run in runs])
    order = np.argsort(times, kind="stable")
    place = np.empty_like(order)  # of each row in that order
    place[order] = np.arange(len(order))

    bounds = [np.append(block.rows.start, block.rows.rest) for block in blocks]
    length = np.concatenate([np.diff(each) for each in bounds])
    joined, size = text.padded(*(block.text for block in blocks))
    start = np.cumsum(length) - length
    new = (np.cumsum(length[order]) - length[order])[place]
    if not np.array_equal(new, start):
        nowhere, (nothing, _) = np.zeros(len(order), np.int64), text.padded()
        ordered = text.splice(
            nothing, 0, nowhere, nowhere, joined[:size].tobytes(), start[order], (start + length)[order]
        )
        joined, size = text.padded(ordered)
    shift = new - np.concatenate([each[:-1] for each in bounds])

    begin = np.cumsum([0, *map(len, runs)])[:-1].tolist()
    each = list(zip(blocks, begin, np.split(shift, begin[1:]), strict=True))
    at = np.concatenate([block.at + first for block, first, _ in each])
    sooner = np.argsort(place[at])

    def of_rows(name: str) -> Places:
        found = [(getattr(block.rows, name), by) for block, _, by in each]
        return np.concatenate([np.where(b < 0, b, b + by) for b, by in found], axis=-1)[..., order]

    def of_filtered(name: str) -> Places:
        return np.concatenate([getattr(block, name) + by[block.at][:, None] for block, _, by in each])[sooner]

    def of_some(name: str) -> Places:
        return np.sort(place[np.concatenate([getattr(block, name) + first for block, first, _ in each])])

    rows = text.Rows(
        of_rows("start"), of_rows("end"), np.concatenate([block.rows.kind for block in blocks])[order],
        np.concatenate([block.rows.cells for block in blocks])[order], of_rows("first"), of_rows("last"), size, False,
    )  # fmt: skip
    made = Readings(
        joined, rows, blocks[0].line, 0,
        repeats=of_some("repeats"),
        untimed=of_some("untimed"),
        at=place[at][sooner],
        values=np.concatenate([block.values for block in blocks])[sooner],
        first=of_filtered("first"),
        last=of_filtered("last"),
        times=np.concatenate([_or_zeros(block.times, len(block.at)) for block in blocks])[sooner],
        origin=np.concatenate([_or_zeros(block.origin, len(block.rows)) for block in blocks])[order],
    )  # fmt: skip
    return Run(made, times[order])


def passing(piece: bytes, head: Head) -> Readings:
    """A piece of text that is no row of the table, as one of which nothing is read."""
    data, size = text.padded(piece)
    one, nothing = np.zeros(1, np.int64), np.full((len(head.needed), 1), -1)
    none = np.empty((0, len(head.chosen)), np.int64)
    return Readings(
        data, text.Rows(one, one + size, one + COMMENT_ROW, one, nothing, nothing, size, False), 0, 0,
        values=none.astype(np.float64), first=none, last=none, times=none[:, 0], origin=one,
    )  # fmt: skip


def _within(places: Places, start: int, end: int) -> Places:
    return places[(places >= start) & (places < end)] - start


def _or_zeros(places: Places | None, count: int) -> Places:
    return np.zeros(count, np.int64) if places is None else places
