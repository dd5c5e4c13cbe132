"""Memory for results: where kernels write whole cache lines, and far enough from what they read."""

from math import prod
from typing import Any

import numpy as np

from sigconv.engines.cpu.compile import address

_LINE = 64
_PAGE = 4096  # a load waits for a store ahead of it whose address differs by a multiple of this
CACHED = 2**23  # results of more bytes than this are written past the cache
_LARGE = 2**18  # bytes of results from which on they are laid out with that in mind


def apart_from(x: np.ndarray, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
    """A new array, of x's dtype if none is given; a large one starts half a page from where x lies in its own."""
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < _LARGE or dtype.hasobject:
        return np.empty(shape, dtype)
    space = np.empty(size + _PAGE, np.uint8)
    start = (address(x) // _LINE * _LINE + _PAGE // 2 - address(space)) % _PAGE
    return np.ndarray(shape, dtype, space, start)
