"""Convolution layers: sums over taps for blocks of output channels and places.

A block's weights are read as they are, one number for a whole row of places; what the window's cells see at these places
lies in vectors. Each output is one chain of multiply-adds in the weights' own order, whatever the blocks.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.block_tiles import block_shape
from sigconv.engines.cpu.conv_sizes import (
    APART, BLOCK_COLUMNS, BLOCK_HEIGHT, BLOCK_INPUTS, BLOCK_OUTPUTS, BLOCK_WIDTH, CHANNELS, DIRECT, GROUPS, JOINED,
    KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, LAYOUT, OUT_DEPTH, OUT_HEIGHT, OUT_WIDTH, OUTPUTS, PITCH, ROW_STEP,
    SAMPLES, VOLUME,
)  # fmt: skip
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.pack import layer_out, unfolder
from sigconv.engines.cpu.target import host


def _block(real: types.Float, rows: int, columns: int, partial: bool) -> Callable[..., Any]:
    """Sums for ``rows`` channels, from the bias or from what y holds on, over all places of a row, or so many."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    size, spread, load, store, fma = block_shape(real, rows, columns, lanes, partial)

    @inlined
    def block(u, at, places, taps, w, first, step, bias, channel, fresh, y, to, apart, present):
        if fresh:
            acc = spread(bias, channel)
        else:
            acc = load(y, to, apart, present)
        for t in range(taps):
            acc = fma(acc, u, at + places[t], w, first + t, step)
        store(acc, y, to, apart, present)

    return block


def _strip(real: types.Float, rows: int) -> Callable[..., Any]:
    """Sums for ``rows`` channels over lines of n places each."""
    whole, part = _block(real, rows, BLOCK_COLUMNS[host().vector_bytes], False), _block(real, rows, 1, True)
    lanes = host().vector_bytes * 8 // real.bitwidth
    size = lanes * BLOCK_COLUMNS[host().vector_bytes]

    @inlined
    def strip(u, line, lines, n, places, taps, w, first, step, bias, channel, fresh, y, to, row, apart):
        for r in range(lines):
            at = r * line
            there = to + r * row
            i = 0
            while i + size <= n:
                whole(u, at + i, places, taps, w, first, step, bias, channel, fresh, y, there + i, apart, size)
                i += size
            while i < n:
                part(u, at + i, places, taps, w, first, step, bias, channel, fresh, y, there + i, apart, n - i)
                i += lanes

    return strip


def _multiplier(real: types.Float) -> Callable[..., Any]:
    """A function that adds some channels' part to the sums of some outputs."""
    eight, four, two, one = (_strip(real, rows) for rows in (8, 4, 2, 1))

    @inlined
    def multiply(u, line, lines, n, places, taps, w, first, step, bias, channel, outputs, fresh, y, to, row, apart):
        o = 0
        while o < outputs:
            w_at, y_at, left = first + o * step, to + o * apart, outputs - o
            if left >= 8:
                eight(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 8
            elif left >= 4:
                four(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 4
            elif left >= 2:
                two(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 2
            else:
                one(u, line, lines, n, places, taps, w, w_at, step, bias, channel + o, fresh, y, y_at, row, apart)
                o += 1

    return multiply


def layer(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Blocks [lo, hi) of a layer: of samples, groups, planes, rows, columns, and, the first to change, of outputs."""
    lay_out, multiply, move = layer_out(real), _multiplier(real), unfolder(real)

    def run(x, w, bias, y, p, u, s, maps, places, sizes, lo, hi):
        groups, channels, outputs = sizes[GROUPS], sizes[CHANNELS], sizes[OUTPUTS]
        depth, height, width = sizes[OUT_DEPTH], sizes[OUT_HEIGHT], sizes[OUT_WIDTH]
        volume = depth * height * width
        joined, tall, wide = sizes[JOINED], sizes[BLOCK_HEIGHT], sizes[BLOCK_WIDTH]
        bands, chunks = (height + tall - 1) // tall, (width + wide - 1) // wide
        parts = (outputs + sizes[BLOCK_OUTPUTS] - 1) // sizes[BLOCK_OUTPUTS]
        cells = sizes[KERNEL_DEPTH] * sizes[KERNEL_HEIGHT] * sizes[KERNEL_WIDTH]
        step = channels * cells
        for block in range(lo, hi):
            rest, o0 = block // parts, block % parts * sizes[BLOCK_OUTPUTS]
            rest, j0 = rest // chunks, rest % chunks * wide
            rest, i0 = rest // bands, rest % bands * tall
            rest, d = rest // depth, rest % depth
            n0, g = rest // groups * joined, rest % groups
            samples = min(joined, sizes[SAMPLES] - n0)
            rows, cols, outs = min(tall, height - i0), min(wide, width - j0), min(sizes[BLOCK_OUTPUTS], outputs - o0)
            channel = g * outputs + o0
            base = (n0 * groups * outputs + channel) * volume + (d * height + i0) * width + j0
            for c0 in range(0, channels, sizes[BLOCK_INPUTS]):
                some = min(sizes[BLOCK_INPUTS], channels - c0)
                for n in range(samples):
                    at = (((n0 + n) * groups + g) * channels + c0) * sizes[VOLUME]
                    lay_out(x, at, some, d, i0, j0, rows, cols, n * rows * cols, p, u, maps, sizes)
                taps, first, fresh = some * cells, channel * step + c0 * cells, c0 == 0
                if sizes[LAYOUT] == DIRECT:
                    line = sizes[ROW_STEP] * sizes[PITCH]
                    multiply(
                        p, line, rows, cols, places, taps, w, first, step, bias, channel, outs, fresh, y, base, width,
                        volume,
                    )  # fmt: skip
                elif joined == 1:
                    multiply(
                        u, 0, 1, rows * cols, places, taps, w, first, step, bias, channel, outs, fresh, y, base, 0,
                        volume,
                    )  # fmt: skip
                else:
                    multiply(
                        u, 0, 1, samples * rows * cols, places, taps, w, first, step, bias, channel, outs, fresh, s, 0,
                        0, sizes[APART],
                    )  # fmt: skip
            if joined > 1:
                for n in range(samples):
                    for o in range(outs):
                        to = base + (n * groups * outputs + o) * volume
                        move(s, o * sizes[APART] + n * rows * cols, 0, 1, rows * cols, 1, y, to)

    return "xxxxxxxlllii", run


compile_kernel = compiler({"layer": layer})
