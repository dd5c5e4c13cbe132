"""Scratch space for kernels: aligned to cache lines, and kept by each thread from call to call.

Fresh memory costs a page fault every four kilobytes, which is more than many kernels spend on them.
"""

import threading

import numpy as np

from sigconv.engines.cpu.compile import address

_KEPT = 2**24  # bytes a thread keeps; more is given back after the call
_LINE = 64
_local = threading.local()


def scratch(rows: int, columns: int, dtype: np.dtype) -> np.ndarray:
    """An array of (rows, at least columns) with each row at the start of a cache line.

    Its content is arbitrary, and the next call in the same thread overwrites it.
    """
    per_line = _LINE // dtype.itemsize
    columns = -(-columns // per_line) * per_line
    return kept("space", rows * columns, dtype).reshape(rows, columns)


def kept(name: str, size: int, dtype: np.dtype) -> np.ndarray:
    """``size`` numbers from the start of a cache line on, as `scratch`, but only calls of its name overwrite them."""
    first, space = room(name, size * dtype.itemsize)
    start = first - address(space)
    return space[start : start + size * dtype.itemsize].view(dtype)


def room(name: str, size: int) -> tuple[int, np.ndarray]:
    """The address of the first of ``size`` bytes, as `kept` has them, and what must be held while they are used."""
    found: tuple[int, np.ndarray] | None = getattr(_local, name, None)
    if found is None or len(found[1]) < size + _LINE:
        space = np.empty(size + _LINE, np.uint8)
        first = address(space)
        found = first + -first % _LINE, space
        if len(space) <= _KEPT:
            setattr(_local, name, found)
    return found
