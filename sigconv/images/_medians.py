"""Medians of 3 x 3 pixels by the smaller and the larger of pairs, which vectors of many pixels find at once."""

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.threads import parallel, split

_BLOCK = 1 << 17  # bytes of rows at a time: what is in between stays in the cache


def median_of_nine(x: np.ndarray, border: str, cval: float) -> np.ndarray:
    """The median of each pixel and its eight neighbours, of numbers that have an order."""
    out = np.empty_like(x, order="C")
    rows, columns = x.shape[:2]
    if not x.size:
        return out
    beside = index_of(np.array([-1, columns]), columns, border)

    def run(low: int, high: int) -> None:
        padded = np.empty((high - low + 2, columns + 2, *x.shape[2:]), x.dtype)
        around = index_of(np.arange(low - 1, high + 1), rows, border)
        inner = padded[1:-1, 1:-1]
        inner[...] = x[low:high]
        for place, row in ((0, around[0]), (-1, around[-1])):
            padded[place, 1:-1] = cval if row < 0 else x[row]
        for place, column in ((0, beside[0]), (-1, beside[1])):
            padded[:, place] = cval if column < 0 else padded[:, 1 + column]
        out[low:high] = _nine(padded)

    row = max(x[0].nbytes, 1)
    parallel(run, split(rows, max(_BLOCK // row, 1)))
    return out


def _nine(p: np.ndarray) -> np.ndarray:
    """Columns of three sorted; then the median of their largest least, middle middle and least largest."""
    least, most = np.minimum(p[:-2], p[1:-1]), np.maximum(p[:-2], p[1:-1])
    middle = np.maximum(least, np.minimum(most, p[2:]))
    np.minimum(least, p[2:], out=least)
    np.maximum(most, p[2:], out=most)
    a, b, c = ([part[:, k : part.shape[1] - 2 + k] for k in range(3)] for part in (least, middle, most))
    low = np.maximum(np.maximum(a[0], a[1]), a[2])
    high = np.minimum(np.minimum(c[0], c[1]), c[2])
    return _middle(low, _middle(*b), high)


def _middle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
