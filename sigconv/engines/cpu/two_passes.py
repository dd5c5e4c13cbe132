"""Weights that are a product of one factor along the rows and one along the columns: one pass for each."""

from typing import NamedTuple

import numpy as np

from sigconv.engines.cpu import pass_sizes as sizes
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sliding_jobs import CACHED, KINDS, Columns, Planes, Rows
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split

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


def run(
    x: np.ndarray,
    factors: tuple[np.ndarray, np.ndarray],
    where: tuple[Rows, Columns, Planes],
    cval: float,
    out: np.ndarray,
) -> None:
    """out = x weighed by factors[0] along the rows and by factors[1] along the columns; steps are 1."""
    rows, columns, planes = where
    down, across = factors
    dtype = down.dtype
    need = space(len(down), len(across), columns.gap * columns.width, dtype)
    kinds = (KINDS.get(kind.name, "real") for kind in (x.dtype, out.dtype))
    both = kernel("_".join(("passes", *kinds)).replace("_", ".", 1), dtype)
    block = min(columns.out, _BLOCK)
    work = sizes.ROWS * block * (len(down) + len(across) + _MOVE)
    places = [address(a) for a in (x, down, across)]
    for turn in range(min(rows.gap, len(rows.out))):  # rows that dilation skips do not meet
        at, to = rows.at[turn :: rows.gap], rows.out[turn :: rows.gap]
        table = _table(at, to, columns, planes, (len(down), len(across), block), out)
        units = len(planes.at) * -(-len(to) // sizes.ROWS) * -(-columns.out // block)

        def task(lo: int, hi: int, table: np.ndarray = table) -> None:
            numbers = scratch(1, need.total, dtype)[0]  # held until the kernel has returned
            first, second = address(numbers), address(numbers[need.turned :])
            both(*places, cval, address(out), address(table), lo, hi, first, second, second)

        parallel(task, split(units, max(-(-units // _PARTS), _LEAST // work)))


def space(down: int, across: int, apart: int, dtype: np.dtype) -> Space:
    """What a thread needs for so many taps, of which those across lie so many numbers ``apart``."""
    lanes = host().vector_bytes // dtype.itemsize
    width, lines = sizes.VECTORS * lanes, sizes.LINES[host().vector_bytes]
    group = max(lines, lanes) * apart
    turned = sizes.ROWS * ((across - 1) * apart + 4 * group + width)
    return Space(turned, max((2 * sizes.ROWS + down + lines) * width, sizes.ROWS * (width + 4 * group)))


def _table(
    at: np.ndarray,
    to: np.ndarray,
    columns: Columns,
    planes: Planes,
    shape: tuple[int, int, int],
    out: np.ndarray,
) -> np.ndarray:
    """What the kernel is told; ``shape`` is (taps down, taps across, columns of a block)."""
    down, across, block = shape
    pitch = int(to[1] - to[0]) if len(to) > 1 else 0
    facts = {
        sizes.DEEP: down, sizes.TAPS: across, sizes.APART: columns.gap * columns.width, sizes.OUT_ROWS: len(to),
        sizes.OUT_COLUMNS: columns.out, sizes.IN_COLUMNS: columns.size, sizes.BEFORE: columns.before,
        sizes.LEFT: len(columns.left), sizes.BLOCK: block, sizes.OUT_PITCH: pitch, sizes.OUT_BYTES: out.itemsize,
        sizes.PAST: out.nbytes > CACHED and pitch * out.itemsize % 64 == 0,
    }  # fmt: skip
    tables = {
        sizes.OF_PLANES: planes.at[:, 0], sizes.OF_OUT_PLANES: planes.out + to[0], sizes.OF_LEFT: columns.left,
        sizes.OF_RIGHT: columns.right, sizes.OF_ROWS: at,
    }  # fmt: skip
    head = np.zeros(sizes.HEADER, np.int64)
    head[list(facts)] = list(facts.values())
    head[list(tables)] = np.cumsum([sizes.HEADER, *map(len, tables.values())])[:-1]
    return np.concatenate([head, *tables.values()])
