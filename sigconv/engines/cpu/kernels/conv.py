"""Convolution layers: sums over taps for blocks of output channels and places.

A block's weights are read as they are, one number for a whole row of places; what the window's cells see at these
places lies in vectors. Each output is one chain of multiply-adds in the weights' own order, whatever the blocks.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.pack import layer_out, mover
from sigconv.engines.cpu.sizes import conv as of
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.blocks import beyond, block_shape
from sigconv.engines.cpu.tiles.outer import turn_over


def _strip(real: types.Float, rows: int) -> Callable[..., Any]:
    """Sums for ``rows`` channels over lines of n places each, from the bias on or from what y holds.

    Those are ``fresh``, 1 or 2, that begin with the bias; 2 are complete too, and written past the cache.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    size, spread, load, store, fma = block_shape(real, rows, of.BLOCK_COLUMNS[host().vector_bytes], lanes)
    store_past_cache = block_shape(real, rows, of.BLOCK_COLUMNS[host().vector_bytes], lanes, past_cache=True).store
    _, spread_part, load_part, store_part, fma_part = block_shape(real, rows, 1, lanes, True)

    @inlined
    def strip(u, line, lines, n, places, taps, w, first, step, bias, channel, fresh, y, to, row, apart):
        for r in range(lines):
            at = r * line
            there = to + r * row
            end = at + n
            while at + size <= end:
                if fresh > 0:
                    acc = spread(bias, channel)
                else:
                    acc = load(y, there, apart, size)
                for tap in range(taps):
                    acc = fma(acc, u, at + places[tap], w, first + tap, step)
                if fresh > 1 and t.until_aligned(y, there) == 0 and apart % lanes == 0:
                    store_past_cache(acc, y, there, apart, size)
                else:
                    store(acc, y, there, apart, size)
                at += size
                there += size
            while at < end:
                if fresh > 0:
                    part = spread_part(bias, channel)
                else:
                    part = load_part(y, there, apart, end - at)
                for tap in range(taps):
                    part = fma_part(part, u, at + places[tap], w, first + tap, step)
                store_part(part, y, there, apart, end - at)
                at += lanes
                there += lanes

    return strip


def _multiplier(real: types.Float) -> Callable[..., Any]:
    """A function that adds some channels' part to the sums of some outputs."""
    eight, four, two, one = (_strip(real, rows) for rows in (8, 4, 2, 1))

    @inlined
    def multiply(u, line, lines, n, places, taps, w, first, step, bias, channel, outputs, fresh, y, to, row, apart):
        o = 0
        while o < outputs:
            w_at, y_at = first + o * step, to + o * apart
            if o + 8 <= outputs:
                eight(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 8
            elif o + 4 <= outputs:
                four(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 4
            elif o + 2 <= outputs:
                two(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 2
            else:
                one(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 1

    return multiply


def layer(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Blocks [lo, hi) of a layer: for each some channels at a time are laid out and added to its outputs' sums.

    ``p``, ``u`` and ``s`` are scratch for padded planes, for what the window's cells see, and for sums of several
    samples; ``maps``, ``places``, ``sizes`` and ``blocks`` are tables of integers.
    """
    lay_out, multiply, move = layer_out(real), _multiplier(real), mover(real)

    def run(x, w, bias, y, p, u, s, maps, places, sizes, blocks, lo, hi):
        channels, cells, layout = sizes[of.CHANNELS], sizes[of.KERNEL_CELLS], sizes[of.LAYOUT]
        step = channels * cells
        for k in range(lo, hi):
            block = beyond(blocks, k * of.BLOCK)
            samples, rows, cols, outputs = block[of.SAMPLES], block[of.ROWS], block[of.WIDE], block[of.OUTPUTS]
            size = rows * cols
            source, line, lines, width, row = u, 0, 1, samples * size, 0
            target, to, apart = y, block[of.TO], sizes[of.OUT_VOLUME]
            if layout == of.DIRECT:
                source, line, lines, width, row = p, sizes[of.LINE_STEP], rows, cols, sizes[of.OUT_WIDTH]
            elif samples > 1:
                target, to, apart = s, 0, sizes[of.APART]
            first = block[of.CHANNEL] * step
            for c in range(0, channels, sizes[of.BLOCK_INPUTS]):
                some = min(sizes[of.BLOCK_INPUTS], channels - c)
                for n in range(samples):
                    at = block[of.START] + n * sizes[of.SAMPLE_STEP] + c * sizes[of.VOLUME]
                    lay_out(x, at, some, rows, cols, n * size, p, u, maps, sizes, block)
                fresh = 0 if c > 0 else 2 if some == channels and samples == 1 and sizes[of.LARGE] > 0 else 1
                multiply(
                    source, line, lines, width, places, some * cells, w, first + c * cells, step, bias,
                    block[of.CHANNEL], outputs, fresh, target, to, row, apart,
                )  # fmt: skip
            if samples > 1:
                for n in range(samples):
                    for o in range(outputs):
                        to = block[of.TO] + n * sizes[of.OUT_SAMPLE_STEP] + o * sizes[of.OUT_VOLUME]
                        move(s, o * apart + n * size, size, y, to)

    return "xxxxxxxllllii", run


def turned(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[c*rows + r] = x[r*columns + c] for blocks [lo, hi) of rows, each of a vector's lanes; there are no fewer."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    block = turn_over(real, lanes)

    def run(x, rows, columns, y, lo, hi):
        for k in range(lo, hi):
            r = min(k * lanes, rows - lanes)  # the last blocks overlap those before them
            c = 0
            while c < columns:
                c = min(c, columns - lanes)
                block(x, r * columns + c, columns, lanes - 1, y, c * rows + r, rows)
                c += lanes

    return "xiixii", run


compile_kernel = compiler({"layer": layer, "turned": turned})
