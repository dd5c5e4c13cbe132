"""N-D correlation: planes, rows and columns told apart, tables of where they stand, and the kernel."""

from dataclasses import dataclass
from math import prod

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu import sizes
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split
from sigconv.sliding import Sliding

_KINDS = {"uint8": "uint8", "uint16": "uint16"}
_MOVE = 10  # products that cost as much as bringing a number in and out
_BAND, _BLOCK, _LINE = 32, 4096, 8192
_PARTS, _LEAST = 16, 2**21  # ranges that the work is cut into, at most, and products in one, at least


def takes(x: np.ndarray, dtype: np.dtype) -> bool:
    """Whether the kernel reads such an array where it lies; others are converted part by part."""
    known = x.dtype == dtype or (x.dtype.name in _KINDS and dtype == np.float32)
    flat = all(step % x.itemsize == 0 for step in x.strides)
    return bool(known and x.dtype.isnative and flat and x.flags.aligned)


def gives(out: np.ndarray, source: np.ndarray, dtype: np.dtype) -> bool:
    """Whether the kernel writes such a result itself."""
    known = out.dtype == dtype or (out.dtype == source.dtype and out.dtype.name in _KINDS and dtype == np.float32)
    return bool(known and out.flags.c_contiguous and out.flags.aligned)


@dataclass(frozen=True)
class Axes:
    """Which axes are columns (several, where they lie side by side), which is the rows', and the rest."""

    planes: tuple[int, ...]
    rows: int | None
    columns: tuple[int, ...]
    width: int  # numbers in a step along the filtered one of the columns


def told_apart(x: np.ndarray, sliding: Sliding) -> Axes | None:
    """The axes' parts, or None where no column lies side by side in memory."""
    ndim = x.ndim
    filtered = [a for a in range(ndim) if sliding.kernel[a] > 1 or sliding.stride[a] > 1]
    filtered += [a for a in range(ndim) if a not in filtered and sliding.output[a] != sliding.size[a]]
    last = max(filtered, default=ndim - 1)
    behind = tuple(range(last + 1, ndim))
    if not behind:
        columns: tuple[int, ...] = (last,)
    elif len(filtered) > 1 and sliding.stride[last] == 1:
        columns = (last, *behind)
    else:
        columns = behind
    if not side_by_side(x, columns):
        return None
    rest = [a for a in range(ndim) if a not in columns]
    rows = max((a for a in rest if a in filtered), default=rest[-1] if rest else None)
    width = prod(x.shape[a] for a in columns[1:]) if columns[0] == last else 1
    return Axes(tuple(a for a in rest if a != rows), rows, columns, width)


def side_by_side(x: np.ndarray, axes: tuple[int, ...]) -> bool:
    """Whether these axes are one line in memory."""
    step = x.itemsize
    for axis in reversed(axes):
        if x.shape[axis] > 1 and x.strides[axis] != step:
            return False
        step *= x.shape[axis]
    return True


def correlate(
    x: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, cval: float, out: np.ndarray, axes: Axes
) -> None:
    """out = x correlated with w, both of which the kernel takes."""
    if out.size == 0:
        return
    gap = sliding.dilation[axes.rows] if axes.rows is not None and sliding.kernel[axes.rows] > 1 else 1
    if gap > 1 and sliding.stride[axes.rows] == 1:  # type: ignore[index]
        for residue in range(min(gap, sliding.output[axes.rows])):  # type: ignore[index]
            _Job(x, w, sliding, border, out, axes, (residue, gap)).run(cval)
    else:
        _Job(x, w, sliding, border, out, axes, (0, 1)).run(cval)


class _Job:
    """The tables of one call; every ``every``-th row from ``first`` on is made, as these share what dilation skips."""

    def __init__(
        self,
        x: np.ndarray,
        w: np.ndarray,
        sliding: Sliding,
        border: str,
        out: np.ndarray,
        axes: Axes,
        turn: tuple[int, int],
    ) -> None:
        self.x, self.w, self.out, self.dtype = x, w, out, w.dtype
        first, every = turn
        steps = [step // x.itemsize for step in x.strides]
        out_steps = [step // out.itemsize for step in out.strides]
        column, width = axes.columns[0], axes.width
        many = axes.columns if width == 1 and len(axes.columns) > 1 else ()  # columns no window extends over
        kernel_columns = 1 if many else sliding.kernel[column]
        stride, dilation = (1, 1) if many else (sliding.stride[column], sliding.dilation[column])
        before = 0 if many else sliding.before[column]
        in_columns = prod(x.shape[a] for a in axes.columns)
        out_columns = prod(out.shape[a] for a in axes.columns)
        if axes.rows is None:
            rows, out_rows, step, gap = np.zeros(1, np.int64), np.zeros(1, np.int64), 1, 1
            kernel_rows, row_pitch = 1, 0
        else:
            a = axes.rows
            rows = places(sliding, a, border, steps[a])[first::every]
            out_rows = np.arange(first, sliding.output[a], every, dtype=np.int64) * out_steps[a]
            step, kernel_rows, row_pitch = sliding.stride[a], sliding.kernel[a], steps[a] * every
            gap = 1 if every > 1 else sliding.dilation[a]
        planes, out_planes = _planes(sliding, axes.planes, border, steps, out_steps)
        self.planes = planes.shape[1]
        self.tile_rows = 1 if step > 1 or gap > 1 or kernel_rows == 1 else 2 if kernel_rows < 3 else 4
        reach = (kernel_columns - 1) * dilation // stride if stride > 1 else (kernel_columns - 1) * dilation * width
        self.line = self._columns(out_columns, reach, stride)
        block, pitch = self.line
        self.band = self._rows(len(out_rows), kernel_rows, step, gap, pitch * stride)
        taps = np.arange(kernel_columns, dtype=np.int64) * dilation
        taps = taps % stride * pitch + taps // stride if stride > 1 else taps * width
        span = (kernel_columns - 1) * dilation + 1
        seen = ((out_columns // width - 1) * stride + span) * width
        left, right = _margins(x.shape[column] if not many else 1, before, seen, width, border, bool(many))
        self.units = len(planes) * -(-len(out_rows) // self.band) * -(-out_columns // block)
        self.work = (self.planes * kernel_rows * kernel_columns + _MOVE) * self.band * block
        self.numbers = self.planes * self._depth(kernel_rows, step, gap) * pitch * stride + 4 * self.tile_width
        head = np.zeros(sizes.HEADER, np.int64)
        head[[
            sizes.PLANES, sizes.KERNEL_ROWS, sizes.KERNEL_COLUMNS, sizes.ROW_STEP, sizes.ROW_GAP, sizes.COLUMN_STEP,
            sizes.OUT_ROWS, sizes.OUT_COLUMNS, sizes.IN_COLUMNS, sizes.BEFORE, sizes.BAND, sizes.BLOCK_COLUMNS,
            sizes.REACH, sizes.PITCH, sizes.LEFT, sizes.RIGHT, sizes.ROW_PITCH, sizes.OUT_BYTES,
        ]] = (
            self.planes, kernel_rows, kernel_columns, step, gap, stride, len(out_rows), out_columns, in_columns,
            before * width, self.band, block, reach, pitch, len(left), len(right), row_pitch, out.itemsize,
        )  # fmt: skip
        tables = (planes.ravel(), rows, left, right, taps, out_planes, out_rows)
        starts = np.cumsum([sizes.HEADER, *(len(table) for table in tables[:-1])])
        head[[
            sizes.OF_PLANES, sizes.OF_ROWS, sizes.OF_LEFT, sizes.OF_RIGHT, sizes.OF_TAPS, sizes.OF_OUT_PLANES,
            sizes.OF_OUT_ROWS,
        ]] = starts  # fmt: skip
        self.table = np.concatenate([head, *tables])

    @property
    def tile_width(self) -> int:
        """Columns of a register tile."""
        return {1: 12, 2: 8, 4: 4}[self.tile_rows] * 64 // self.dtype.itemsize if host().vector_bytes == 64 else 64

    def _columns(self, columns: int, reach: int, stride: int) -> tuple[int, int]:
        """Output columns made at a time, and numbers from one line of scratch to the next."""
        width = self.tile_width
        most = _LINE if self.tile_rows == 1 and stride == 1 else _BLOCK
        block = min(columns, max(most // width, 1) * width)
        per_line = 64 // self.dtype.itemsize
        pitch = max(block, width) + reach + per_line
        return block, -(-pitch // per_line) * per_line

    def _rows(self, rows: int, kernel_rows: int, step: int, gap: int, line: int) -> int:
        """Output rows made at a time: more where a taller window makes each band fetch more again."""
        return max(min(rows, max(_BAND, (kernel_rows - 1) * gap // max(step, 1) + 1)), 1)

    def _depth(self, kernel_rows: int, step: int, gap: int) -> int:
        return max((self.band - 1) * step + (kernel_rows - 1) * gap + 1, self.tile_rows + kernel_rows - 1)

    def run(self, cval: float) -> None:
        """Make all outputs."""
        source = _KINDS.get(self.x.dtype.name, "real")
        target = _KINDS.get(self.out.dtype.name, "real")
        slide = kernel(f"correlate.rows{self.tile_rows}_{source}_{target}", self.dtype)
        x, w, y, g = (address(a) for a in (self.x, self.w, self.out, self.table))

        def task(lo: int, hi: int) -> None:
            slide(x, w, cval, y, g, lo, hi, address(scratch(1, self.numbers, self.dtype)))

        parallel(task, split(self.units, max(-(-self.units // _PARTS), _LEAST // self.work)))


def places(sliding: Sliding, axis: int, border: str, step: int) -> np.ndarray:
    """Where each cell of the bordered axis stands that windows see, in numbers from the first; -1 for no cell."""
    wanted = np.arange(sliding.seen(axis)) - sliding.before[axis]
    found = index_of(wanted, sliding.size[axis], border)
    return np.where(found < 0, -1, found * step)


def _planes(
    sliding: Sliding, axes: tuple[int, ...], border: str, steps: list[int], out_steps: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where the planes stand that each output plane is a sum over (outputs, cells of the window), and where it goes."""
    found, outs = np.zeros((1, 1), np.int64), np.zeros(1, np.int64)
    missing = np.zeros((1, 1), bool)
    for a in axes:
        cells = np.arange(sliding.kernel[a]) * sliding.dilation[a] - sliding.before[a]
        at = index_of(np.arange(sliding.output[a])[:, None] * sliding.stride[a] + cells, sliding.size[a], border)
        shape = len(found) * len(at), found.shape[1] * at.shape[1]
        missing = (missing[:, None, :, None] | (at < 0)[None, :, None, :]).reshape(shape)
        found = (found[:, None, :, None] + (at * steps[a])[None, :, None, :]).reshape(shape)
        outs = (outs[:, None] + np.arange(sliding.output[a]) * out_steps[a]).ravel()
    return np.where(missing, -1, found), outs


def _margins(cells: int, before: int, seen: int, width: int, border: str, none: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which columns stand in for those before the first and behind the last."""
    if none:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    sides = np.arange(-before, 0), np.arange(cells, max(seen // width - before, cells))
    left, right = (index_of(side, cells, border) for side in sides)
    inside = np.arange(width)
    return tuple(  # type: ignore[return-value]
        np.where(side[:, None] < 0, -1, side[:, None] * width + inside).ravel() for side in (left, right)
    )
