"""Angles are filtered as vectors: the mean of 359 and 1 degrees is 0, not 180."""

import math

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.threads import parallel, split

_GRAIN = 2**15


def unit_vectors(x: np.ndarray, period: float) -> np.ndarray:
    """(rows, channels) of angles as (rows, 2 channels) of cosines and sines, side by side."""
    y = np.empty((len(x), 2 * x.shape[1]), x.dtype)
    run, turn, item = kernel("angles.vectors", x.dtype), 2 * math.pi / period, x.dtype.itemsize
    source, target = address(x), address(y)

    def task(lo: int, hi: int) -> None:
        run(source + lo * item, target + 2 * lo * item, hi - lo, turn)

    parallel(task, split(x.size, _GRAIN))
    return y


def direction(vectors: np.ndarray, period: float, out: np.ndarray) -> None:
    """The angle of each pair of columns, in [0, period), into ``out``."""
    run, turn, item = kernel("angles.direction", out.dtype), 2 * math.pi / period, out.dtype.itemsize
    source, target = address(vectors), address(out)

    def task(lo: int, hi: int) -> None:
        run(source + 2 * lo * item, target + lo * item, hi - lo, turn, period)

    parallel(task, split(out.size, _GRAIN))
