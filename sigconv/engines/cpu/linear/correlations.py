"""N-D correlation: an array's axes told apart into planes, rows and columns, and the kernel run over them."""

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from sigconv.engines.cpu.linear import fours, two_passes
from sigconv.engines.cpu.linear.sliding_jobs import (
    KINDS,
    Columns,
    Job,
    Layout,
    Planes,
    Rows,
    Run,
    columns_of,
    planes_of,
    rows_of,
)
from sigconv.engines.cpu.results import CACHED
from sigconv.sliding import Sliding

_KEPT = 64  # plans that are kept for the next call of the same kind
_FEW_PLACES = 2**14  # up to which a plan's tables are small enough to be kept


def takes(x: np.ndarray, dtype: np.dtype) -> bool:
    """Whether the kernel reads such an array where it lies; others are converted part by part."""
    known = x.dtype == dtype or (x.dtype.name in KINDS and dtype == np.float32)
    flat = all(step >= 0 and step % x.itemsize == 0 for step in x.strides)  # places are counted upwards
    return bool(known and x.dtype.isnative and flat and x.flags.aligned)


def gives(out: np.ndarray, source: np.ndarray, dtype: np.dtype) -> bool:
    """Whether the kernel writes such a result itself."""
    known = out.dtype == dtype or (out.dtype == source.dtype and out.dtype.name in KINDS and dtype == np.float32)
    return known and is_plain(out)


def is_plain(out: np.ndarray) -> bool:
    """Whether a result lies in memory as the kernel writes it."""
    return out.flags.c_contiguous and out.flags.aligned


@dataclass(frozen=True)
class Axes:
    """Which axes are columns (several, where they lie side by side), which is the rows', and the rest."""

    planes: tuple[int, ...]
    rows: int | None
    columns: tuple[int, ...]
    width: int  # numbers in a step along the filtered one of the columns


def told_apart(x: np.ndarray, sliding: Sliding) -> Axes | None:
    """The axes' parts, or None where no column lies side by side in memory."""
    return _told_apart(Layout.of(x), sliding)


@lru_cache(_KEPT)
def _told_apart(x: Layout, sliding: Sliding) -> Axes | None:
    ndim = len(x.shape)
    filtered = [a for a in range(ndim) if sliding.kernel[a] > 1 or sliding.stride[a] > 1]
    filtered += [a for a in range(ndim) if a not in filtered and sliding.output[a] != sliding.size[a]]
    last = max(filtered, default=ndim - 1)
    behind = tuple(range(last + 1, ndim))
    if prod(x.shape[a] for a in behind) == 1:
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


def side_by_side(x: Layout | np.ndarray, axes: tuple[int, ...]) -> bool:
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
    if out.size:
        prepared(x, w, sliding, border, cval, out, axes)(x, out)


def prepared(
    x: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, cval: float, out: np.ndarray, axes: Axes
) -> Run:
    """What makes the result of any two arrays that are laid out as these are."""
    jobs = _remembered(_jobs, x, out, sliding, border, axes, w.dtype)
    runs = [job.prepared(w, cval, x.dtype, out.dtype) for job in jobs]

    def run(x: np.ndarray, out: np.ndarray) -> None:
        for each in runs:
            each(x, out)

    return runs[0] if len(runs) == 1 else run


def _remembered(
    plan: Any, x: np.ndarray, out: np.ndarray, sliding: Sliding, border: str, axes: Axes, dtype: np.dtype
) -> Any:
    """A plan, kept for the next call of the same kind where its tables are small."""
    cells = prod(sliding.output[a] * sliding.kernel[a] for a in axes.planes)
    cells += 0 if axes.rows is None else sliding.seen(axes.rows)
    small = max(cells, *sliding.dilation, *sliding.kernel) <= _FEW_PLACES
    plan = plan if small else plan.__wrapped__
    return plan(Layout.of(x), Layout.of(out), sliding, border, axes, dtype)


@lru_cache(_KEPT)
def _jobs(x: Layout, out: Layout, sliding: Sliding, border: str, axes: Axes, dtype: np.dtype) -> list[Job]:
    """One job, or one for each of the rows that dilation keeps apart."""
    gap = sliding.dilation[axes.rows] if axes.rows is not None and sliding.kernel[axes.rows] > 1 else 1
    every = gap if gap > 1 and sliding.stride[axes.rows] == 1 else 1  # type: ignore[index]
    columns = columns_of(x, out, sliding, axes.columns, axes.width, border)
    planes = planes_of(x, out, sliding, axes.planes, border)
    turns = range(every if axes.rows is None else min(every, sliding.output[axes.rows]))
    rows = [rows_of(x, out, sliding, axes.rows, border, turn, every) for turn in turns]
    return [Job(dtype, part, columns, planes, out.itemsize, large=_large(out)) for part in rows]


def meets(x: np.ndarray, sliding: Sliding, axes: Axes) -> bool:
    """Whether a window is one of rows and columns that moves by single steps, so that two passes meet in the cache."""
    still = all(s == 1 for s in sliding.stride) and axes.width == prod(x.shape[c] for c in axes.columns[1:])
    alone = all(sliding.kernel[c] == 1 and sliding.output[c] == x.shape[c] for c in axes.planes)
    return still and alone and axes.rows is not None and sliding.kernel[axes.columns[0]] > 1


def products_of_fours(x: np.ndarray, w: np.ndarray, sliding: Sliding) -> int:
    """Multiplications for an output where it pays to make four rows together, else 0."""
    axes = told_apart(x, sliding) if x.dtype == np.float32 and takes(x, x.dtype) else None
    if axes is None or axes.rows is None or not meets(x, sliding, axes) or any(gap > 1 for gap in sliding.dilation):
        return 0
    w = w.reshape(sliding.kernel[axes.rows], -1)
    numbers = prod(sliding.output[c] for c in axes.columns)
    return fours.products(w) if fours.pays(w, (sliding.output[axes.rows], numbers)) else 0


def correlate_fours(
    x: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, cval: float, out: np.ndarray, axes: Axes
) -> None:
    """`correlate` where `products_of_fours` are any."""
    where = _places(x, out, sliding, border, axes)
    fours.run(x, w.reshape(where[0].kernel, -1), where, cval, out)


def _places(
    x: Layout | np.ndarray, out: Layout | np.ndarray, sliding: Sliding, border: str, axes: Axes
) -> tuple[Rows, Columns, Planes]:
    rows = rows_of(x, out, sliding, axes.rows, border)
    columns = columns_of(x, out, sliding, axes.columns, axes.width, border)
    return rows, columns, planes_of(x, out, sliding, axes.planes, border)


def _large(out: Layout) -> bool:
    """Whether a result is written past the cache."""
    return prod(out.shape) * out.itemsize > CACHED


def prepared_each(
    x: np.ndarray, factors: list[np.ndarray], sliding: Sliding, border: str, cval: float, out: np.ndarray, axes: Axes
) -> Run | None:
    """`prepared` for weights that are a product of two factors, along the columns and the rows, and nothing for others.

    What lies between the two passes stays in the cache.
    """
    if not meets(x, sliding, axes):
        return None
    a, b = axes.rows, axes.columns[0]
    assert a is not None
    rest = np.prod([factors[c].item() for c in (*axes.planes, *axes.columns[1:])])
    along_rows, along_columns = (factors[a] * rest).astype(factors[a].dtype).ravel(), factors[b].ravel()
    passes = _remembered(_passes, x, out, sliding, border, axes, along_rows.dtype)
    return passes.prepared(along_rows, along_columns, cval, x.dtype, out.dtype)


@lru_cache(_KEPT)
def _passes(x: Layout, out: Layout, sliding: Sliding, border: str, axes: Axes, dtype: np.dtype) -> two_passes.Passes:
    return two_passes.Passes(dtype, _places(x, out, sliding, border, axes), out.itemsize, _large(out))
