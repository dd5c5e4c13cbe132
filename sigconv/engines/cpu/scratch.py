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
    needed = size * dtype.itemsize + _LINE
    space = getattr(_local, name, None)
    if space is None or len(space) < needed:
        space = np.empty(needed, np.uint8)
        if needed <= _KEPT:
            setattr(_local, name, space)
    start = -address(space) % _LINE
    return space[start : start + size * dtype.itemsize].view(dtype)
