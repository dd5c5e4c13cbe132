"""Gradients of convolution weights: sums over positions, as outer products of channels and taps."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.sizes import (
    IMAGE_STEP,
    IMAGES,
    OF_PLACES,
    OF_SEGMENTS,
    OUTER_CHUNK,
    OUTER_ROWS,
    PIXEL_STEP,
    SEGMENTS,
    TAPS,
)
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import outer as o


def turn(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[p*width + c] = x[c*cells + p] for p < n, c < width; channels from ``channels`` on repeat the last.

    ``width`` is a multiple of a vector's lanes.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    block = o.turn_over(real, lanes)

    def run(x, cells, n, channels, y, width):
        for c in range(0, width, lanes):
            first = min(c, channels - 1)
            last = channels - 1 - first
            if n >= lanes:
                p = 0
                while p < n:
                    p = min(p, n - lanes)
                    block(x, first * cells + p, cells, last, y, p * width + c, width)
                    p += lanes
            else:
                for p in range(n):
                    for lane in range(lanes):
                        y[p * width + c + lane] = x[(first + min(lane, last)) * cells + p]

    return "xiiixi", run


def _products(real: types.Float, columns: int) -> tuple[str, Callable[..., None]]:
    """y[c, r] += the sum over positions of g[position, c] * x[place of r there], for c < channels, first <= r < last.

    ``g`` holds ``columns`` vectors of channels for each pixel of each image; the table ``at`` knows where the pixels
    and the rows r stand in x. A ``fresh`` y is overwritten. ``space`` is scratch for a tile and a block.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    rows = OUTER_ROWS[host().vector_bytes]
    width = columns * lanes
    zeros, fma_outer, store_outer = o.outer_shape(real, rows, columns, lanes)
    block = o.turn_over(real, lanes)
    _, _, add_first, store_first, _ = o.partial_shape(real, lanes)

    @inlined
    def sum_tile(g, x, at, row, lo, hi, pixel, space):
        """The sums of rows from ``row`` over segments lo to hi - 1, counted through all images, into space."""
        acc = zeros()
        segments = at[SEGMENTS]
        step = at[PIXEL_STEP]
        n = lo // segments
        s = lo - n * segments
        where = pixel * width
        for _ in range(lo, hi):
            base = n * at[IMAGE_STEP] + at[at[OF_SEGMENTS] + 2 * s]
            for _ in range(at[at[OF_SEGMENTS] + 2 * s + 1]):
                acc = fma_outer(acc, g, where, x, base, at, OF_PLACES + row)
                where += width
                base += step
            s += 1
            if s == segments:
                s = 0
                n += 1
        store_outer(acc, space, 0)

    @inlined
    def add_tile(space, at, row, y, channels, fresh):
        turned = rows * width
        for r in range(0, rows, lanes):
            here = min(lanes, rows - r, at[TAPS] - row - r)
            if here > 0:
                for c in range(0, width, lanes):
                    block(space, r * width + c, width, rows - 1 - r, space, turned, lanes)
                    for k in range(min(lanes, channels - c)):
                        to = (c + k) * at[TAPS] + row + r
                        if fresh:
                            store_first(y, to, space, turned + k * lanes, here)
                        else:
                            add_first(y, to, space, turned + k * lanes, here)

    def run(g, x, at, y, channels, first, last, fresh, space):
        every = at[IMAGES] * at[SEGMENTS]
        lo = 0
        pixel = 0
        while lo < every:
            hi = lo
            pixels = 0
            while hi < every and pixels < OUTER_CHUNK:
                pixels += at[at[OF_SEGMENTS] + 2 * (hi % at[SEGMENTS]) + 1]
                hi += 1
            for row in range(first, last, rows):
                sum_tile(g, x, at, row, lo, hi, pixel, space)
                add_tile(space, at, row, y, channels, fresh != 0 and lo == 0)
            lo = hi
            pixel += pixels

    return "xxlxiiiix", run


def products(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Sums of outer products with two vectors of channels; see `_products`."""
    return _products(real, 2)


def few_products(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The same with one vector of channels."""
    return _products(real, 1)


compile_kernel = compiler({"turn": turn, "products": products, "few_products": few_products})
