"""Convolution layers: sums over taps for blocks of output channels and places.

A block's weights are read as they are, one number for a whole row of places; what the window's cells see at these places
lies in vectors. Each output is one chain of multiply-adds in the weights' own order, whatever the blocks.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.block_tiles import block_shape
from sigconv.engines.cpu.conv_sizes import (
    APART,
    BEFORE,
    BLOCK_COLUMNS,
    BLOCK_HEIGHT,
    BLOCK_INPUTS,
    BLOCK_OUTPUTS,
    BLOCK_WIDTH,
    CHANNELS,
    COLUMN_GAP,
    COLUMN_MAP,
    COLUMN_STEP,
    DEPTH_GAP,
    DEPTH_STEP,
    GROUPS,
    HEIGHT,
    JOINED,
    KERNEL_DEPTH,
    KERNEL_HEIGHT,
    KERNEL_WIDTH,
    LAYOUT,
    OUT_DEPTH,
    OUT_HEIGHT,
    OUT_WIDTH,
    OUTPUTS,
    PHASE,
    PITCH,
    ROW_GAP,
    ROW_MAP,
    ROW_STEP,
    SAMPLES,
    VOLUME,
    WIDTH,
)  # fmt: skip
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.pack import padder, row_copier, unfolder
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


def layer(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Blocks [lo, hi) of a layer: samples, a group, a plane, rows and columns of it, and output channels."""
    pad, unfold, copy = padder(real), unfolder(real), row_copier(real)
    eight, four, two, one = (_strip(real, rows) for rows in (8, 4, 2, 1))

    def run(x, w, bias, y, p, u, s, maps, places, sizes, lo, hi):
        samples, groups, channels, outputs = sizes[SAMPLES], sizes[GROUPS], sizes[CHANNELS], sizes[OUTPUTS]
        height, width, volume = sizes[HEIGHT], sizes[WIDTH], sizes[VOLUME]
        out_depth, out_height, out_width = sizes[OUT_DEPTH], sizes[OUT_HEIGHT], sizes[OUT_WIDTH]
        kd, kh, kw = sizes[KERNEL_DEPTH], sizes[KERNEL_HEIGHT], sizes[KERNEL_WIDTH]
        sd, sh, sw = sizes[DEPTH_STEP], sizes[ROW_STEP], sizes[COLUMN_STEP]
        dd, dh, dw = sizes[DEPTH_GAP], sizes[ROW_GAP], sizes[COLUMN_GAP]
        inside, joined, unfolded, apart = sizes[BEFORE], sizes[JOINED], sizes[LAYOUT], sizes[APART]
        ib, jb, cb, ob = sizes[BLOCK_HEIGHT], sizes[BLOCK_WIDTH], sizes[BLOCK_INPUTS], sizes[BLOCK_OUTPUTS]
        pitch, phase, row_map, column_map = sizes[PITCH], sizes[PHASE], sizes[ROW_MAP], sizes[COLUMN_MAP]
        bands = (out_height + ib - 1) // ib
        chunks = (out_width + jb - 1) // jb
        parts = (outputs + ob - 1) // ob
        cell = kd * kh * kw
        step = channels * cell
        plane = sw * phase
        out_plane = out_height * out_width
        out_volume = out_depth * out_plane
        for b in range(lo, hi):
            o0 = b % parts * ob
            b //= parts
            j0 = b % chunks * jb
            b //= chunks
            i0 = b % bands * ib
            b //= bands
            d = b % out_depth
            b //= out_depth
            g = b % groups
            n0 = b // groups * joined
            m = min(joined, samples - n0)
            rows, cols, outs = min(ib, out_height - i0), min(jb, out_width - j0), min(ob, outputs - o0)
            n_rows, n_columns = (rows - 1) * sh + (kh - 1) * dh + 1, (cols - 1) * sw + (kw - 1) * dw + 1
            base = ((n0 * groups + g) * outputs + o0) * out_volume + d * out_plane + i0 * out_width + j0
            for c0 in range(0, channels, cb):
                cs = min(cb, channels - c0)
                for n in range(m):
                    at = ((n0 + n) * groups + g) * channels + c0
                    for q in range(cs * kd):
                        z = maps[d * sd + q % kd * dd]
                        # a plane of zeros has none but rows of zeros: they stand behind the others
                        r0 = row_map + i0 * sh if z >= 0 else column_map - n_rows
                        pad(
                            x, (at + q // kd) * volume + max(z, 0) * height * width, width, maps, r0, n_rows,
                            maps, column_map + j0 * sw, n_columns, column_map + inside, column_map + inside + width, sw,
                            p, q * plane, phase, pitch,
                        )  # fmt: skip
                        if unfolded == 1:
                            for k in range(kw):
                                start = q * plane + k * dw % sw * phase + k * dw // sw
                                unfold(p, start, pitch, n_rows, cols, u, (q * kw + k) * apart)
                        elif unfolded == 2:
                            for k in range(kh * kw):
                                a, e = k // kw * dh, k % kw * dw
                                start = q * plane + e % sw * phase + a * pitch + e // sw
                                unfold(p, start, sh * pitch, rows, cols, u, (q * kh * kw + k) * apart + n * rows * cols)
                taps = cs * cell
                fresh = c0 == 0
                if unfolded:
                    source, line, lines, n_places, row = u, 0, 1, m * rows * cols, 0
                else:
                    source, line, lines, n_places, row = p, sh * pitch, rows, cols, out_width
                if joined > 1:
                    target, there, between = s, 0, apart
                else:
                    target, there, between = y, base, out_volume
                o = 0
                channel = g * outputs + o0
                while o + 8 <= outs:
                    eight(
                        source, line, lines, n_places, places, taps, w, (channel + o) * step + c0 * cell, step, bias,
                        channel + o, fresh, target, there + o * between, row, between,
                    )  # fmt: skip
                    o += 8
                if o + 4 <= outs:
                    four(
                        source, line, lines, n_places, places, taps, w, (channel + o) * step + c0 * cell, step, bias,
                        channel + o, fresh, target, there + o * between, row, between,
                    )  # fmt: skip
                    o += 4
                if o + 2 <= outs:
                    two(
                        source, line, lines, n_places, places, taps, w, (channel + o) * step + c0 * cell, step, bias,
                        channel + o, fresh, target, there + o * between, row, between,
                    )  # fmt: skip
                    o += 2
                if o < outs:
                    one(
                        source, line, lines, n_places, places, taps, w, (channel + o) * step + c0 * cell, step, bias,
                        channel + o, fresh, target, there + o * between, row, between,
                    )  # fmt: skip
            if joined > 1:
                for n in range(m):
                    for o in range(outs):
                        unfold(
                            s,
                            o * apart + n * rows * cols,
                            0,
                            1,
                            rows * cols,
                            y,
                            base + (n * groups * outputs + o) * out_volume,
                        )

    return "xxxxxxxlllii", run


compile_kernel = compiler({"layer": layer})
