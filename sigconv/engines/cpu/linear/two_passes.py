"""Weights that are a product of one factor along the rows and one along the columns: one pass for each."""

from typing import NamedTuple

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.linear.sliding_jobs import KINDS, Columns, Planes, Rows, Run
from sigconv.engines.cpu.scratch import room
from sigconv.engines.cpu.sizes import passes as sizes
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, shares

_BLOCK = 4096  # columns made at a time
_PARTS, _LEAST = 16, 2**21  # ranges that the work is cut into, at most, and products in one, at least
_MOVE = 20  # products that cost as much as bringing a number in and out


class Space(NamedTuple):
    """How many numbers of scratch a thread needs: turned over, and brought in or on their way out."""

    turned: int
    others: int

    @property
    def total(self) -> int:
        return self.turned + self.others


class Passes:
    """The tables of a filter, from the places of its cells and outputs alone; steps are 1."""

    def __init__(self, dtype: np.dtype, where: tuple[Rows, Columns, Planes], out_bytes: int, large: bool) -> None:
        rows, columns, planes = where
        apart, block = columns.gap * columns.width, min(columns.out, _BLOCK)
        self.dtype = dtype
        self.space = space(rows.kernel, columns.kernel, apart, dtype)
        self.work = sizes.ROWS * block * (rows.kernel + columns.kernel + _MOVE)
        facts = {
            sizes.DEEP: rows.kernel, sizes.TAPS: columns.kernel, sizes.APART: apart, sizes.OUT_COLUMNS: columns.out,
            sizes.IN_COLUMNS: columns.size, sizes.BEFORE: columns.before, sizes.LEFT: len(columns.left),
            sizes.BLOCK: block, sizes.OUT_BYTES: out_bytes,
        }  # fmt: skip
        self.jobs = []
        for turn in range(min(rows.gap, len(rows.out))):  # rows that dilation skips do not meet
            at, to = rows.at[turn :: rows.gap], rows.out[turn :: rows.gap]
            pitch = int(to[1] - to[0]) if len(to) > 1 else 0
            lines = large and pitch * out_bytes % 64 == 0
            facts |= {sizes.OUT_ROWS: len(to), sizes.OUT_PITCH: pitch, sizes.PAST: lines}
            tables = {
                sizes.OF_PLANES: planes.at[:, 0], sizes.OF_OUT_PLANES: planes.out + to[0],
                sizes.OF_LEFT: columns.left, sizes.OF_RIGHT: columns.right, sizes.OF_ROWS: at,
            }  # fmt: skip
            head = np.zeros(sizes.HEADER, np.int64)
            head[list(facts)] = list(facts.values())
            head[list(tables)] = np.cumsum([sizes.HEADER, *map(len, tables.values())])[:-1]
            units = len(planes.at) * -(-len(to) // sizes.ROWS) * -(-columns.out // block)
            self.jobs.append((np.concatenate([head, *tables.values()]), units))

    def prepared(self, down: np.ndarray, across: np.ndarray, cval: float, source: np.dtype, target: np.dtype) -> Run:
        """What weighs x by ``down`` along the rows and by ``across`` along the columns, laid out as planned."""
        kinds = (KINDS.get(kind.name, "real") for kind in (source, target))
        both = kernel("passes.{}_{}".format(*kinds), self.dtype)
        weights_down, weights = address(down), address(across)
        beside, size = self.space.turned * self.dtype.itemsize, self.space.total * self.dtype.itemsize
        jobs = [
            (address(table), shares(units, max(-(-units // _PARTS), _LEAST // self.work))) for table, units in self.jobs
        ]

        def run(x: np.ndarray, out: np.ndarray, _held: object = (down, across, self.jobs)) -> None:
            at, to = address(x), address(out)
            for places, ranges in jobs:

                def task(lo: int, hi: int, places: int = places) -> None:
                    first, _held = room("space", size)
                    second = first + beside
                    both(at, weights_down, weights, cval, to, places, lo, hi, first, second, second)

                parallel(task, ranges)

        return run


def space(down: int, across: int, apart: int, dtype: np.dtype) -> Space:
    """What a thread needs for so many taps, of which those across lie so many numbers ``apart``."""
    lanes = host().vector_bytes // dtype.itemsize
    width, lines = sizes.VECTORS * lanes, sizes.LINES[host().vector_bytes]
    group = max(lines, lanes) * apart
    turned = sizes.ROWS * ((across - 1) * apart + 4 * group + width)
    return Space(turned, max((2 * sizes.ROWS + down + lines) * width, sizes.ROWS * (width + 4 * group)))
