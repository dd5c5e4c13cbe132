"""Running means, minima and maxima over N-D arrays: which passes, which bands, which memory.

A pass filters planes of rows: down the rows, along them, or both while a band of rows is in the cache. The first pass
reads the input and writes the result; later ones work in place and hold whole lines. So beside the result only the
bands take memory, some hundred kilobytes a thread unless windows are very large.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.results import apart_from
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sizes.running import CONSTANT, TILE
from sigconv.engines.cpu.threads import parallel, split

_NEAR = 2**18  # bytes of scratch that stay in the cache next to the nearest
_AT_ONCE = 2**18  # numbers that one call filters
_FAR = 2**21  # bytes of rows that are still worth filtering both ways at once
_SHORT = 64  # cells up to which float32 are summed in float32


@dataclass(frozen=True)
class Window:
    """Outputs o join ``size`` cells from o - before on."""

    size: int = 1
    before: int = 0


@dataclass(frozen=True)
class Filter:
    """A kernel and what it is compiled for, the dtype of the numbers it joins, the border and its constant.

    ``rounded`` asks for bytes; ``sums`` tells that joining a constant k times gives k of it.
    """

    name: str
    real: np.dtype
    dtype: np.dtype
    border: str
    cval: float
    rounded: bool = False
    sums: bool = False

    @cached_property
    def kernel(self) -> Callable[..., int]:
        return kernel(self.name, self.real)


@dataclass(frozen=True)
class Pass:
    """``planes`` of ``rows`` of ``columns`` cells of ``step`` numbers, and the windows down and along."""

    planes: int
    rows: int
    columns: int
    step: int
    down: Window = Window()
    along: Window = Window()

    @property
    def pitch(self) -> int:
        return self.columns * self.step


def means(x: np.ndarray, windows: dict[int, Window], border: str, cval: float) -> np.ndarray:
    """Means of windows: float32 for float16, float32 and integers of up to 16 bits, float64 for others."""
    real = np.dtype(np.float32 if x.dtype.itemsize <= (4 if x.dtype.kind == "f" else 2) else np.float64)
    y = apart_from(x, x.shape, real)
    if x.dtype in (np.uint8, np.bool_) and _exact(windows, real):
        x = np.ascontiguousarray(x).view(np.uint8)
        _run(Filter("box.of_bytes", real, real, border, cval, sums=True), x, y, windows)
        return y
    longest = max((window.size for window in windows.values()), default=1)
    wide = real == np.float32 and (x.dtype.kind != "f" or longest > _SHORT)
    one = Filter(
        "box.wide" if wide else "box.same", real, np.dtype(np.float64) if wide else real, border, cval, sums=True
    )
    _run(one, _as(x, y), y, windows)
    return y


def byte_means(x: np.ndarray, windows: dict[int, Window], border: str, cval: float) -> np.ndarray:
    """Means of uint8 as uint8, rounded half to even and kept in range; along one axis or two neighbours."""
    y = apart_from(x, x.shape, np.uint8)
    real = np.dtype(np.float32 if _exact(windows, np.dtype(np.float32)) else np.float64)
    one = Filter("box.of_bytes", real, real, border, cval, rounded=True, sums=True)
    _run(one, np.ascontiguousarray(x), y, windows, far=2**62)
    return y


def extremes(x: np.ndarray, windows: dict[int, Window], border: str, cval: float, largest: bool) -> np.ndarray:
    """The largest or the smallest of each window, in the dtype of x, which is native."""
    name = "extreme.largest" if largest else "extreme.smallest"
    if x.dtype in (np.uint8, np.bool_):
        source, name = np.ascontiguousarray(x).view(np.uint8), f"{name}_byte"
        y = apart_from(source, x.shape)
    elif x.dtype in (np.int64, np.uint64):
        turned = np.uint64(0 if x.dtype == np.int64 else 2**63)  # so that signed numbers stand in the same order
        source, name = (np.ascontiguousarray(x).view(np.uint64) ^ turned).view(np.int64), f"{name}_integer"
        y, cval = apart_from(source, x.shape), int(cval) - int(turned)
    else:
        y = apart_from(x, x.shape, np.float32 if x.dtype.itemsize <= (4 if x.dtype.kind == "f" else 2) else np.float64)
        source = _as(x, y)
    real = y.dtype if y.dtype.kind == "f" else np.dtype(np.float64)
    _run(Filter(name, real, y.dtype, border, cval), source, y, windows)
    if x.dtype == np.uint64:
        return y.view(np.uint64) ^ turned
    return y.view(bool) if x.dtype == np.bool_ else y.astype(x.dtype, copy=False)


def _exact(windows: dict[int, Window], real: np.dtype) -> bool:
    """Whether sums of bytes over all windows' cells are exact."""
    return 255 * prod(window.size for window in windows.values()) < 2 ** (np.finfo(real).nmant + 1)


def _as(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x where a kernel may read it as y's dtype, else y holding a copy."""
    if x.dtype == y.dtype and x.flags.c_contiguous:
        return x
    y[...] = x
    return y


def _run(filters: Filter, x: np.ndarray, y: np.ndarray, windows: dict[int, Window], far: int = _FAR) -> None:
    """Filter x into y along some axes; both are contiguous. They may be the same array."""
    todo = passes(x.shape, windows, filters.dtype.itemsize, 0 if x is y else far) if x.size else []
    for one in todo:
        _run_pass(filters, one, x, y)
        x = y
    if not todo:
        y[...] = x


def passes(shape: tuple[int, ...], windows: dict[int, Window], itemsize: int, far: int) -> list[Pass]:
    """The passes over a contiguous array: two neighbouring axes at once if a band of theirs is small, then others."""
    axes = [axis for axis in sorted(windows) if windows[axis] != Window()]
    found = []
    for axis in reversed(axes[1:]):
        if axis - 1 in axes:
            rows, columns = shape[axis - 1], shape[axis]
            planes, step = prod(shape[: axis - 1]), prod(shape[axis + 1 :])
            both = Pass(planes, rows, columns, step, windows[axis - 1], windows[axis])
            if _line(both.pitch + both.along.size * both.step, itemsize) * itemsize * both.down.size <= far:
                found.append(both)
                axes = [other for other in axes if other not in (axis - 1, axis)]
            break
    for axis in sorted(axes, key=lambda axis: -shape[axis]):  # the longest lines are cut, which is not done in place
        before, n, after = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
        if after * itemsize < TILE:
            found.append(Pass(1, before, n, after, along=windows[axis]))
        else:
            found.append(Pass(before, n, after, 1, down=windows[axis]))
    return found


def _line(numbers: int, itemsize: int) -> int:
    """Numbers in a row of scratch: whole tiles, one more than is used, not a power of two apart."""
    tile = TILE // itemsize
    return (-(-numbers // tile) + 2) * tile + tile // 4


def _run_pass(filters: Filter, one: Pass, x: np.ndarray, y: np.ndarray) -> None:
    planes, rows, columns = _cut(one, filters.dtype.itemsize, x is y)
    edges = {c: _Edges(filters, one, c) for c in split(one.columns, columns)}
    jobs = list(product(split(one.planes, planes), split(one.rows, rows), edges))

    def task(lo: int, hi: int) -> None:
        for p, r, c in jobs[lo:hi]:
            _run_job(filters, one, x, y, p, r, edges[c])

    parallel(task, split(len(jobs), 1))


def _cut(one: Pass, itemsize: int, in_place: bool) -> tuple[int, int, int]:
    """How many planes, rows and columns are filtered at a time; in place all lines are whole."""
    down, along, step = one.down.size, one.along.size, one.step * itemsize
    columns = one.columns
    if not in_place and down == 1:
        columns = min(max(_NEAR // (4 * step), 4 * along), columns)
    if along == 1:
        tall = max(one.rows, down) if in_place else down
        columns = min(max(_NEAR // (tall * step), TILE // step, 1), columns)
    rows = max(_AT_ONCE // ((columns + along) * one.step), 1)
    if in_place and down > 1:
        rows = one.rows
    rows = min(-(-rows // down) * down, one.rows)
    whole = rows == one.rows and columns == one.columns
    return max(_AT_ONCE // (rows * (columns + along) * one.step), 1) if whole else 1, rows, columns


class _Edges:
    """A range of columns: which numbers of a row are read, and what stands beside them."""

    def __init__(self, filters: Filter, one: Pass, columns: tuple[int, int]) -> None:
        step = one.step
        lo, hi = columns[0] - one.along.before, columns[1] - one.along.before + one.along.size - 1
        first, last = max(lo, 0), min(hi, one.columns)
        beside = index_of(np.concatenate([np.arange(lo, first), np.arange(last, hi)]), one.columns, filters.border)
        table = (beside[:, None] - first) * step + np.arange(step)
        table[beside < 0] = CONSTANT
        self.table, self.first, self.to, self.out = (
            table.ravel(),
            first * step,
            columns[0] * step,
            (columns[1] - columns[0]) * step,
        )
        self.seen, self.left, self.right = (last - first) * step, (first - lo) * step, (hi - last) * step
        self.line = _line((hi - lo) * step, filters.dtype.itemsize)


def _run_job(
    filters: Filter,
    one: Pass,
    x: np.ndarray,
    y: np.ndarray,
    planes: tuple[int, int],
    rows: tuple[int, int],
    edges: _Edges,
) -> None:
    down, along, pitch, band, count = one.down.size, one.along.size, one.pitch, rows[1] - rows[0], planes[1] - planes[0]
    top, table = _rows(one, rows, filters.border)
    if x is y:  # results go where samples are that others' windows hold
        lo, hi = (0, one.rows) if down > 1 else rows
        x = x.reshape(one.planes, one.rows, pitch)[
            planes[0] : planes[1], lo:hi, edges.first : edges.first + edges.seen
        ].copy()
        source = x.strides[0] // x.itemsize, edges.seen, (top - lo) * edges.seen
    else:
        source = one.rows * pitch, pitch, (planes[0] * one.rows + top) * pitch + edges.first
    tile = TILE // filters.dtype.itemsize
    header = (
        *source, count, band, down, along, one.step, edges.seen, edges.left, edges.right, edges.out,
        one.rows * pitch, pitch, (planes[0] * one.rows + rows[0]) * pitch + edges.to,
        edges.line, -edges.left % (tile // 4), down * along, int(filters.rounded),
    )  # fmt: skip
    numbers = np.concatenate((header, table, edges.table))
    (space,) = scratch(1, 2 * tile + (down + 3) * edges.line, filters.dtype)
    if filters.border == "constant":
        space[:tile] = filters.cval
        space[tile : 2 * tile] = filters.cval * down if filters.sums else filters.cval
    filters.kernel(address(x), address(y), address(numbers), address(space))


def _rows(one: Pass, rows: tuple[int, int], border: str) -> tuple[int, np.ndarray]:
    """The row from which those that a band's windows see are counted, and these."""
    lo, hi = rows[0] - one.down.before, rows[1] - one.down.before + one.down.size - 1
    if lo >= 0 and hi <= one.rows:
        return lo, np.arange(hi - lo)
    return 0, index_of(np.arange(lo, hi), one.rows, border)
