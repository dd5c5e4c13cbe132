"""Tall windows over float32: four rows of outputs together, for 9/16 of the multiplications."""

from dataclasses import replace

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.linear.sliding_jobs import Columns, Job, Planes, Rows
from sigconv.engines.cpu.scratch import kept
from sigconv.engines.cpu.threads import parallel, shares

FILTERS = 9
_BAND, _BLOCK = 64, 512  # outputs made at a time, so that their nine filters' inputs and outputs stay in the cache
_TAPS, _PIXELS = 400, 2**16  # of a window and of a plane, from which this pays
_RANGE = 2.0**-12  # of the largest of four weights below each other, that the least may be


def pays(weights: np.ndarray, outputs: tuple[int, int]) -> bool:
    """Whether these weights, rows by columns, are many and even enough, each among its neighbours in the column.

    A cell's rounding error is weighed by its neighbours' weights too.
    """
    rows, columns = weights.shape
    size = np.abs(weights[: rows // 4 * 4])
    if rows < 8 or columns < 8 or size.size < _TAPS or outputs[0] * outputs[1] < _PIXELS or outputs[0] < _BAND:
        return False
    fours = size.reshape(-1, 4, columns)
    return bool((fours.min(1) >= _RANGE * fours.max(1)).all() and np.isfinite(size).all())


def products(weights: np.ndarray) -> int:
    """Multiplications for one output."""
    rows, columns = weights.shape
    return (rows // 4 * FILTERS + rows % 4 * 4) * columns // 4


def numbers(rows: int, taps: int) -> int:
    """How many a thread keeps beside what the window's rows would take for themselves, about."""
    line = _BLOCK + taps // rows + 128
    return (FILTERS + 4) * (_BAND + rows) // 4 * line + FILTERS * _BAND // 4 * _BLOCK


def run(x: np.ndarray, w: np.ndarray, where: tuple[Rows, Columns, Planes], cval: float, out: np.ndarray) -> None:
    """out = x correlated with w, rows by columns, by single steps."""
    rows, columns, planes = where
    tall, rest = w.shape[0] // 4 * 4, w.shape[0] % 4
    blocks = -(-columns.out // _BLOCK)
    block = -(-columns.out // blocks // 64) * 64
    whole = Job(w.dtype, rows, columns, planes, out.itemsize, _BAND, block)
    quarter = (_BAND + tall) // 4 - 1
    nine = _nine(quarter, whole.pitch, tall // 4, columns, block, w.dtype)
    filters = np.ascontiguousarray(_filters(w[:tall]))
    mix, unmix = kernel("fours.mix", w.dtype), kernel("fours.unmix", w.dtype)
    slide_nine, slide_whole = (job.kernel(w.dtype, w.dtype) for job in (nine, whole))
    source, target, weights, table = address(x), address(out), address(w), address(whole.table)
    finite = np.zeros(whole.units, np.int64)
    if rest:
        below = Job(w.dtype, replace(rows, kernel=rest, at=rows.at[tall:]), columns, planes, out.itemsize, _BAND, block)
        slide_rest, lowest = below.kernel(w.dtype, w.dtype), weights + tall * columns.kernel * w.itemsize

    def task(lo: int, hi: int) -> None:
        space = kept("space", max(whole.numbers, (4 * quarter + 3) * whole.pitch + 64), w.dtype)
        mixed = kept("mixed", FILTERS * quarter * whole.pitch + 64, w.dtype)
        found = kept("found", FILTERS * (_BAND // 4) * block + 64, w.dtype)
        free, of_mixed, of_found = (address(array) for array in (space, mixed, found))
        for unit in range(lo, hi):
            if rest:
                slide_rest(source, lowest, cval, target, address(below.table), unit, unit + 1, free)
            mix(source, cval, table, unit, quarter, of_mixed, free)
            slide_nine(of_mixed, address(filters), 0.0, of_found, address(nine.table), 0, FILTERS, free)
            unmix(of_found, block, target, table, unit, rest, address(finite))
            if not finite[unit]:
                slide_whole(source, weights, cval, target, table, unit, unit + 1, free)

    parallel(task, shares(whole.units, max(-(-whole.units // 32), 1)))


def _nine(quarter: int, pitch: int, kernel_rows: int, along: Columns, block: int, dtype: np.dtype) -> Job:
    """The nine filters of a unit, as nine planes each with its own weights."""
    outputs = _BAND // 4
    counted = np.arange(quarter, dtype=np.int64)
    rows = Rows(counted * pitch, counted[:outputs] * block, kernel_rows, 1, 1, pitch)
    none = np.empty(0, np.int64)
    reach = (along.kernel - 1) * along.width
    columns = Columns(block + reach, block, along.kernel, 1, 1, along.width, 0, none, none)
    nine = np.arange(FILTERS, dtype=np.int64)
    planes = Planes(nine[:, None] * (quarter * pitch), nine * (outputs * block))
    return Job(dtype, rows, columns, planes, dtype.itemsize, outputs, block, apart=kernel_rows * along.kernel)


def _filters(w: np.ndarray) -> np.ndarray:
    """Nine windows of a quarter of the rows, of the even rows, all and the odd ones, and so once more."""
    halves = w[0::2], w[0::2] + w[1::2], w[1::2]
    return np.stack([part for half in halves for part in (half[0::2], half[0::2] + half[1::2], half[1::2])])
