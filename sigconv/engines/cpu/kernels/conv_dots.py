"""Gradients of the weights of layers with few outputs in a group: dot products of rows of pixels."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.sizes.dots import (
    CHANNELS,
    COLUMNS,
    COPIED,
    DOT_SHAPES,
    FIRST,
    GRAD_IMAGE,
    IMAGE,
    IMAGES,
    LEFT,
    OF_BASES,
    OF_PLACES,
    OF_SOURCES,
    OUTPUTS,
    PHASE,
    PIXELS,
    ROW_STEP,
    ROWS,
    RUNS,
    STRIDE,
    TAPS,
    VOLUME,
)
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import outer as o
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.dots import dot_shape, total


def _dots(real: types.Float, alone: bool) -> tuple[str, Callable[..., None]]:
    """y[j, r] = the sum over positions of g[j, position] * x[place of r there], for blocks lo to hi - 1.

    A block is some output channels of a group, and the taps of all its input channels. The group's planes are laid
    into ``planes``, one image after another, with zeros around them and columns a stride apart side by side; the sums
    wait in ``space`` meanwhile.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    rows, columns = DOT_SHAPES[host().vector_bytes, alone]
    size, load, keep, fma_dots, fma_first, add_lanes = dot_shape(real, rows, columns, lanes)
    load_between = o.partial_shape(real, lanes).load_between
    store, evens, odds = t.store, o.every_second(0), o.every_second(1)
    zero = real(0)

    @inlined
    def lay(x, source, at, p, to):
        """A row of the padded plane: what x holds from ``source`` on, zeros around; a vector more may be written."""
        lo = at[LEFT]
        hi = lo + at[COPIED] if source >= 0 else lo
        start = source + at[FIRST] - lo
        stride = at[STRIDE]
        if stride == 1:
            for k in range(0, at[ROW_STEP], lanes):
                store(load_between(x, start + k, lo - k, hi - k), p, to + k)
        elif stride == 2:
            for k in range(0, at[PHASE], lanes):
                a = load_between(x, start + 2 * k, lo - 2 * k, hi - 2 * k)
                b = load_between(x, start + 2 * k + lanes, lo - 2 * k - lanes, hi - 2 * k - lanes)
                store(evens(a, b), p, to + k)
            for k in range(0, at[PHASE], lanes):
                a = load_between(x, start + 2 * k, lo - 2 * k, hi - 2 * k)
                b = load_between(x, start + 2 * k + lanes, lo - 2 * k - lanes, hi - 2 * k - lanes)
                store(odds(a, b), p, to + at[PHASE] + k)
        else:
            for k in range(at[ROW_STEP]):
                p[to + k] = zero
            for column in range(lo, hi):
                p[to + column % stride * at[PHASE] + column // stride] = x[start + column]

    @inlined
    def add_rows(g, where, last, p, at, j, space, here):
        acc = load(space, here)
        width = at[COLUMNS]
        for row in range(at[RUNS]):
            base = at[at[OF_BASES] + row]
            k = 0
            while k + lanes <= width:
                acc = fma_dots(acc, g, where + k, at[PIXELS], last, p, base + k, at, j)
                k += lanes
            if k < width:
                acc = fma_first(acc, g, where + k, at[PIXELS], last, p, base + k, at, j, width - k)
            where += width
        keep(acc, space, here)

    def run(x, g, at, y, planes, space, lo, hi):
        tiles = (at[TAPS] + columns - 1) // columns
        blocks = (at[OUTPUTS] + rows - 1) // rows
        for block in range(lo, hi):
            group = block // blocks
            first = block % blocks * rows
            last = min(rows, at[OUTPUTS] - first) - 1
            for k in range(tiles * size):
                space[size + k] = zero
            for n in range(at[IMAGES]):
                for c in range(at[CHANNELS]):
                    plane = n * at[IMAGE] + (group * at[CHANNELS] + c) * at[VOLUME]
                    for row in range(at[ROWS]):
                        source = at[at[OF_SOURCES] + row]
                        to = (c * at[ROWS] + row) * at[ROW_STEP]
                        lay(x, plane + source if source >= 0 else -1, at, planes, to)
                where = n * at[GRAD_IMAGE] + (group * at[OUTPUTS] + first) * at[PIXELS]
                for tile in range(tiles):
                    add_rows(g, where, last, planes, at, at[OF_PLACES] + tile * columns, space, size + tile * size)
            for tile in range(tiles):
                add_lanes(load(space, size + tile * size), space)
                for j in range(last + 1):
                    to = (group * at[OUTPUTS] + first + j) * at[TAPS] + tile * columns
                    for r in range(min(columns, at[TAPS] - tile * columns)):
                        y[to + r] = space[j * columns + r]

    return "xxlxxxii", run


def dots(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Several output channels together; see `_dots`."""
    return _dots(real, alone=False)


def lone_dots(real: types.Float) -> tuple[str, Callable[..., None]]:
    """One output channel at a time."""
    return _dots(real, alone=True)


def totals(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[r] = the sum of the n numbers from x[r*n] on, for lo <= r < hi."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    size, zeros, load, _, _ = t.shape(real, 4, lanes)
    single = t.shape(real, 1, lanes).zeros
    load_first = o.partial_shape(real, lanes).load_first
    add = t.add

    def run(x, n, y, lo, hi):
        for row in range(lo, hi):
            acc = zeros()
            rest = single()
            k = 0
            while k + size <= n:
                acc = add(acc, load(x, row * n + k))
                k += size
            while k < n:
                rest = add(rest, load_first(x, row * n + k, min(lanes, n - k)))
                k += lanes
            y[row] = total(acc) + total(rest)

    return "xixii", run


compile_kernel = compiler({"dots": dots, "lone_dots": lone_dots, "totals": totals})
