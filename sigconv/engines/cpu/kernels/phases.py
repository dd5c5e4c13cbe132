"""Convolutions turned round: kernels with their channels changed for one another, and phases put in their places."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import outer as o
from sigconv.engines.cpu.tiles import tile as t

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


def interleave(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[e + stride*q] = what phase e has at q, in rows of planes lo to hi - 1: so many phases make up a row.

    ``at`` holds the depth, height and width of what is filled, the channels of a group, the steps in y from plane to
    plane and along depth and height, and the stride; then for each phase where it begins in x, or -1 for one that is
    left as it is, and its steps from group to group, channel to channel, and along depth and height.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    load = t.shape(real, 1, lanes).load
    store_in_turn = o.store_in_turn

    @inlined
    def begin(at, phase, plane, i, j):
        row = plane // at[3]
        here = at[phase] + row * at[phase + 1] + (plane - row * at[3]) * at[phase + 2]
        return here + i * at[phase + 3] + j * at[phase + 4]

    def run(x, y, at, lo, hi):
        width, stride = at[2], at[7]
        for plane in range(lo, hi):
            for i in range(at[0]):
                for j in range(at[1]):
                    to = plane * at[4] + i * at[5] + j * at[6]
                    q = 0
                    if stride == 2 and at[8] >= 0 and at[13] >= 0:
                        a, b = begin(at, 8, plane, i, j), begin(at, 13, plane, i, j)
                        while 2 * (q + lanes) <= width:
                            store_in_turn(load(x, a + q), load(x, b + q), y, to + 2 * q)
                            q += lanes
                    for e in range(stride):
                        phase = 8 + 5 * e
                        if at[phase] >= 0:
                            here = begin(at, phase, plane, i, j)
                            for k in range(q, (width - e + stride - 1) // stride):
                                y[to + e + k * stride] = x[here + k]

    return "xxlii", run


compile_kernel = compiler({"turn": turn, "interleave": interleave})
