"""Convolutions turned round: kernels with their channels changed for one another, and phases put in their places."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu import outer_tiles as o
from sigconv.engines.cpu.kernels import compiler
from sigconv.engines.cpu.target import host

BLOCK = 8  # kernels that are turned together, so that what is read lies together as well


def turn(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[(c*outputs + j)*cells + k] = w[(j*channels + c)*taps + chosen[k]] for lo <= c < hi, j < outputs, k < cells.

    ``backwards`` says that ``chosen`` is all taps from the last to the first.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    copy_backwards = o.partial_shape(real, lanes).copy_backwards

    def run(w, channels, outputs, taps, chosen, cells, backwards, y, lo, hi):
        for first in range(lo, hi, BLOCK):
            for j in range(outputs):
                for c in range(first, min(first + BLOCK, hi)):
                    at = (j * channels + c) * taps
                    to = (c * outputs + j) * cells
                    if backwards:
                        k = 0
                        while k < cells:
                            copy_backwards(y, to + k, w, at + taps - k, min(lanes, cells - k))
                            k += lanes
                    else:
                        for k in range(cells):
                            y[to + k] = w[at + chosen[k]]

    return "xiiiliixii", run


def spread(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Planes lo to hi - 1 of x into every so many cells of y's.

    ``shape`` is the depth, height and width that are copied, then for x and for y the steps from plane to plane and
    along these axes.
    """

    def run(x, y, shape, lo, hi):
        for plane in range(lo, hi):
            for i in range(shape[0]):
                for j in range(shape[1]):
                    at = plane * shape[3] + i * shape[4] + j * shape[5]
                    to = plane * shape[7] + i * shape[8] + j * shape[9]
                    step = shape[10]
                    for k in range(shape[2]):
                        y[to + k * step] = x[at + k]

    return "xxlii", run


compile_kernel = compiler({"turn": turn, "spread": spread})
