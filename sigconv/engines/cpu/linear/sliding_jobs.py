"""The sliding kernel's tables: where planes, rows and columns of input and output stand, and how they are cut."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu import sizes
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import room
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, shares
from sigconv.sliding import Sliding

KINDS = {"uint8": "uint8", "uint16": "uint16"}
_MOVE = 10  # products that cost as much as bringing a number in and out
_BAND, _BLOCK, _LINE = 32, 4096, 8192  # rows and columns made at a time, and columns where there is one row
_PARTS, _LEAST = 16, 2**21  # ranges that the work is cut into, at most, and products in one, at least


Run = Callable[[np.ndarray, np.ndarray], None]


class Layout(NamedTuple):
    """How an array lies in memory, which with the window is all that a plan of its places depends on."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int

    @classmethod
    def of(cls, array: np.ndarray) -> "Layout":
        return cls(array.shape, array.strides, array.itemsize)


@dataclass(frozen=True)
class Rows:
    """Along the rows: places of the cells that windows see (-1 for none) and of outputs, and how the window moves."""

    at: np.ndarray
    out: np.ndarray
    kernel: int
    step: int
    gap: int
    pitch: int
    """From one row of input to the next."""


@dataclass(frozen=True)
class Columns:
    """Along the columns, ``width`` numbers each: how many, how the window moves, and what stands in beyond the ends."""

    size: int
    out: int
    kernel: int
    step: int
    gap: int
    width: int
    before: int
    left: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Planes:
    """Places of the planes that each output plane is a sum over (outputs, cells of the window), and of outputs."""

    at: np.ndarray
    out: np.ndarray


def rows_of(
    x: Layout | np.ndarray,
    out: Layout | np.ndarray,
    sliding: Sliding,
    axis: int | None,
    border: str,
    turn: int = 0,
    turns: int = 1,
) -> Rows:
    """Every ``turns``-th row from the one numbered ``turn`` on."""
    if axis is None:
        return Rows(np.zeros(1, np.int64), np.zeros(1, np.int64), 1, 1, 1, 0)
    step = x.strides[axis] // x.itemsize
    wanted = np.arange(sliding.seen(axis)) - sliding.before[axis]
    found = index_of(wanted, sliding.size[axis], border)
    at = np.where(found < 0, -1, found * step)[turn::turns]
    to = np.arange(turn, sliding.output[axis], turns, dtype=np.int64) * (out.strides[axis] // out.itemsize)
    gap = 1 if turns > 1 else sliding.dilation[axis]
    return Rows(at, to, sliding.kernel[axis], sliding.stride[axis], gap, step * turns)


def columns_of(
    x: Layout | np.ndarray, out: Layout | np.ndarray, sliding: Sliding, axes: tuple[int, ...], width: int, border: str
) -> Columns:
    """Of axes that lie side by side; the window extends over the first, unless its columns are one number wide."""
    inside, outside = (prod(array.shape[a] for a in axes) for array in (x, out))
    none = np.empty(0, np.int64)
    if width == 1 and len(axes) > 1:
        return Columns(inside, outside, 1, 1, 1, 1, 0, none, none)
    a = axes[0]
    cells, before = x.shape[a], sliding.before[a]
    sides = np.arange(-before, 0), np.arange(cells, max(sliding.seen(a) - before, cells))
    numbers = np.arange(width)
    left, right = (index_of(side, cells, border)[:, None] for side in sides)
    left, right = (np.where(side < 0, -1, side * width + numbers).ravel() for side in (left, right))
    return Columns(
        inside, outside, sliding.kernel[a], sliding.stride[a], sliding.dilation[a], width, before * width, left, right
    )


def planes_of(
    x: Layout | np.ndarray, out: Layout | np.ndarray, sliding: Sliding, axes: tuple[int, ...], border: str
) -> Planes:
    """All combinations of the places along several axes."""
    found, outs = np.zeros((1, 1), np.int64), np.zeros(1, np.int64)
    missing = np.zeros((1, 1), bool)
    for a in axes:
        step, out_step = x.strides[a] // x.itemsize, out.strides[a] // out.itemsize
        cells = np.arange(sliding.kernel[a]) * sliding.dilation[a] - sliding.before[a]
        at = index_of(np.arange(sliding.output[a])[:, None] * sliding.stride[a] + cells, sliding.size[a], border)
        shape = len(found) * len(at), found.shape[1] * at.shape[1]
        missing = (missing[:, None, :, None] | (at < 0)[None, :, None, :]).reshape(shape)
        found = (found[:, None, :, None] + (at * step)[None, :, None, :]).reshape(shape)
        outs = (outs[:, None] + np.arange(sliding.output[a]) * out_step).ravel()
    return Planes(np.where(missing, -1, found), outs)


def tile_width(rows: int, itemsize: int) -> int:
    """Numbers in a row of a register tile of so many rows."""
    return sizes.TILE_COLUMNS[host().vector_bytes == 64][rows] * host().vector_bytes // itemsize


@cache
def _kernel_names(rows: int, three: bool, source: np.dtype, target: np.dtype) -> list[str]:
    kinds = [KINDS.get(dtype.name, "real") for dtype in (source, target)]
    first, *others = ["rows"] if kinds[0] == "real" else ["inside", "rows"]
    names = ["_".join((f"correlate.{name}{rows}", *kinds)) for name in (first, *others)]
    return [names[0] + "_3" * three, *names[1:]]


class Job:
    """The table of one call of the kernel, cut into units of a band of rows by a block of columns of one plane."""

    def __init__(
        self,
        dtype: np.dtype,
        rows: Rows,
        columns: Columns,
        planes: Planes,
        out_bytes: int,
        band: int | None = None,
        block: int | None = None,
        large: bool = False,
        apart: int = 0,
    ) -> None:
        self.dtype = dtype
        shared = rows.step == rows.gap == 1 and rows.kernel >= 3
        self.tile_rows = 4 if shared else 1
        self.three, self.close = shared and columns.kernel == 3, columns.step * columns.gap * columns.width == 1
        width = tile_width(self.tile_rows, dtype.itemsize)
        step, numbers = columns.step, columns.gap * columns.width
        reach = (columns.kernel - 1) * columns.gap // step if step > 1 else (columns.kernel - 1) * numbers
        most = _LINE if self.tile_rows == 1 and step == 1 else _BLOCK
        self.block = block or min(columns.out, max(most // width, 1) * width)
        line = 64 // dtype.itemsize
        self.pitch = pitch = -(-(max(self.block, width) + reach + line) // line) * line
        # a taller window makes each band fetch more again
        high = max(_BAND, (rows.kernel - 1) * rows.gap // max(rows.step, 1) + 1)
        self.band = band or max(min(len(rows.out), high), 1)
        depth = max((self.band - 1) * rows.step + (rows.kernel - 1) * rows.gap + 1, self.tile_rows + rows.kernel - 1)
        taps = np.arange(columns.kernel, dtype=np.int64) * columns.gap
        taps = taps % step * pitch + taps // step if step > 1 else taps * columns.width
        self.blocks = -(-columns.out // self.block)
        self.units = len(planes.at) * -(-len(rows.out) // self.band) * self.blocks
        many = planes.at.shape[1]
        self.work = (many * rows.kernel * columns.kernel + _MOVE) * self.band * self.block
        self.numbers = many * depth * pitch * step + 4 * width
        tables = {
            sizes.OF_PLANES: planes.at.ravel(), sizes.OF_ROWS: rows.at, sizes.OF_LEFT: columns.left,
            sizes.OF_RIGHT: columns.right, sizes.OF_TAPS: taps, sizes.OF_OUT_PLANES: planes.out,
            sizes.OF_OUT_ROWS: rows.out,
        }  # fmt: skip
        facts = {
            sizes.PLANES: many, sizes.KERNEL_ROWS: rows.kernel, sizes.KERNEL_COLUMNS: columns.kernel,
            sizes.ROW_STEP: rows.step, sizes.ROW_GAP: rows.gap, sizes.COLUMN_STEP: step,
            sizes.OUT_ROWS: len(rows.out), sizes.OUT_COLUMNS: columns.out, sizes.IN_COLUMNS: columns.size,
            sizes.BEFORE: columns.before, sizes.BAND: self.band, sizes.BLOCK_COLUMNS: self.block, sizes.REACH: reach,
            sizes.PITCH: pitch, sizes.LEFT: len(columns.left), sizes.RIGHT: len(columns.right),
            sizes.ROW_PITCH: rows.pitch, sizes.OUT_BYTES: out_bytes, sizes.LARGE: large,
            sizes.WEIGHTS_APART: apart,
        }  # fmt: skip
        head = np.zeros(sizes.HEADER, np.int64)
        head[list(facts)] = list(facts.values())
        head[list(tables)] = np.cumsum([sizes.HEADER, *map(len, tables.values())])[:-1]
        self.table = np.concatenate([head, *tables.values()])

    def kernel(self, source: np.dtype, target: np.dtype) -> Callable[..., int]:
        """The kernel for this tile and these kinds of numbers, or those that together make all outputs."""
        three = self.three and (self.close or source.kind == "u")  # whole numbers are loaded tap by tap
        kernels = [kernel(name, self.dtype) for name in _kernel_names(self.tile_rows, three, source, target)]

        def one_after_another(*arguments: object) -> int:
            for each in kernels:
                each(*arguments)
            return 0

        return one_after_another if len(kernels) > 1 else kernels[0]

    def prepared(self, w: np.ndarray, cval: float, source: np.dtype, target: np.dtype) -> Run:
        """What makes all outputs of any input and result of these kinds, laid out as this job's are."""
        slide = self.kernel(source, target)
        weights, table = address(w), address(self.table)
        room_needed = self.numbers * self.dtype.itemsize
        ranges = shares(self.units, max(-(-self.units // _PARTS), _LEAST // self.work))

        def run(x: np.ndarray, out: np.ndarray, _held: object = (w, self.table)) -> None:
            at, to = address(x), address(out)

            def task(lo: int, hi: int) -> None:
                space, _held = room("space", room_needed)
                slide(at, weights, cval, to, table, lo, hi, space)

            parallel(task, ranges)

        return run
