"""What a layer's kernel reads, laid out for it: padded planes, then rows of what each cell of the window sees."""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu import tile as t
from sigconv.engines.cpu.block_tiles import beyond, block_shape, every_other_of
from sigconv.engines.cpu.conv_sizes import (
    APART, BEFORE, CELL_COUNT, CELL_MAP, CELL_STEP, COLUMN_REACH, COLUMN_START, COLUMN_STEP, COLUMNS, DEPTH_GAP,
    DEPTH_START, HEIGHT, KERNEL_DEPTH, LAYOUT, LEFT_MAP, PHASE, PHASES, PITCH, RIGHT_MAP, ROW_MAP, ROW_REACH, ROW_START,
    ROW_STEP, VOLUME, WIDTH, ZERO_MAP,
)  # fmt: skip
from sigconv.engines.cpu.kernels import inlined
from sigconv.engines.cpu.target import host


def row_copier(real: types.Float) -> Callable[..., Any]:
    """A function that copies n numbers by whole vectors: up to a vector more is written, nothing more is read."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    whole, part = (block_shape(real, 1, 1, lanes, partial) for partial in (False, True))
    load, store, load_part = whole.load, whole.store, part.load

    @inlined
    def copy(x, at, n, y, to):
        k = 0
        while k + lanes <= n:
            store(load(x, at + k, 0, lanes), y, to + k, 0, lanes)
            k += lanes
        if k < n:
            store(load_part(x, at + k, 0, n - k), y, to + k, 0, lanes)

    return copy


def strided_copier(real: types.Float) -> Callable[..., Any]:
    """A function that copies n numbers that lie ``step`` apart; only two apart are taken by whole vectors."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    load, every_other = block_shape(real, 2, 1, lanes).load, every_other_of(real, lanes)
    store = block_shape(real, 1, 1, lanes).store

    @inlined
    def take(x, at, step, n, y, to):
        k = 0
        if step == 2:
            while k + lanes < n:
                store(every_other(load(x, at + 2 * k, lanes, lanes)), y, to + k, 0, lanes)
                k += lanes
        while k < n:
            y[to + k] = x[at + k * step]
            k += 1

    return take


def row_filler(real: types.Float) -> Callable[..., Any]:
    """A function that writes n zeros, by whole vectors: up to a vector more."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    zeros, store = t.shape(real, 1, lanes).zeros, t.store

    @inlined
    def fill(y, to, n):
        k = 0
        while k < n:
            store(zeros(), y, to + k)
            k += lanes

    return fill


def padder(real: types.Float) -> Callable[..., Any]:
    """A function that copies rows of a plane with their border, columns that are ``stride`` apart side by side.

    Column k of row r goes to p[to + (k % stride)*phase + r*pitch + k // stride], for the first ``phases`` remainders
    only. ``rows`` says where each row comes from: -1 is a row of zeros, -2 one that nobody asks for. Columns [0, width)
    of x are the padded ones from ``inside`` on; ``left`` and ``right`` say where those before and behind come from.
    """
    copy, take, fill = row_copier(real), strided_copier(real), row_filler(real)

    @inlined
    def column(x, start, k, inside, width, left, right):
        source = left[k] if k < inside else right[k - inside - width]
        return x[start + source] if source >= 0 else real(0)

    @inlined
    def pad(x, at, width, rows, n_rows, inside, left, right, first, n_columns, stride, phases, p, to, phase, pitch):
        lo = min(max(inside - first, 0), n_columns)
        hi = max(min(inside + width - first, n_columns), lo)
        for j in range(phases):
            count, low, high = n_columns, lo, hi
            if stride > 1:
                count, low, high = (
                    (n_columns - j + stride - 1) // stride,
                    (lo - j + stride - 1) // stride,
                    (hi - j + stride - 1) // stride,
                )
            for r in range(n_rows):
                here = to + j * phase + r * pitch
                if rows[r] == -1:
                    fill(p, here, count)
                if rows[r] < 0:
                    continue
                start = at + rows[r] * width
                from_here = start + first - inside + j + low * stride
                if stride == 1:
                    copy(x, from_here, high - low, p, here + low)
                else:
                    take(x, from_here, stride, high - low, p, here + low)
                for k in range(low):
                    p[here + k] = column(x, start, first + j + k * stride, inside, width, left, right)
                for k in range(high, count):
                    p[here + k] = column(x, start, first + j + k * stride, inside, width, left, right)

    return pad


def unfolder(real: types.Float) -> Callable[..., Any]:
    """A function that lays rows of ``width`` numbers, ``step`` apart, end to end; nothing is written behind the last.

    Whole vectors are written, and what is too much of them again by the next rows: all but ``short`` of them.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    whole, part = (block_shape(real, 1, 1, lanes, partial) for partial in (False, True))
    load, store, store_part = whole.load, whole.store, part.store

    @inlined
    def unfold(p, at, step, rows, width, short, u, to):
        end = to + rows * width
        for r in range(rows - short):
            k = 0
            while k < width:
                store(load(p, at + k, 0, lanes), u, to + k, 0, lanes)
                k += lanes
            at += step
            to += width
        for r in range(min(rows, short)):
            k = 0
            while k < width:
                store_part(load(p, at + k, 0, lanes), u, to + k, 0, end - to - k)
                k += lanes
            at += step
            to += width

    return unfold


def layer_out(real: types.Float, unfold: Callable[..., Any]) -> Callable[..., Any]:
    """A function that pads the planes of some channels of a sample and lays out what the window's cells see of them."""
    pad = padder(real)
    lanes = host().vector_bytes * 8 // real.bitwidth

    @inlined
    def lay_out(x, at, channels, rows, cols, n, p, u, maps, sizes, block):
        height, width, kd, step = sizes[HEIGHT], sizes[WIDTH], sizes[KERNEL_DEPTH], sizes[COLUMN_STEP]
        n_rows = (rows - 1) * sizes[ROW_STEP] + sizes[ROW_REACH]
        n_columns = (cols - 1) * step + sizes[COLUMN_REACH]
        phases, phase, pitch = sizes[PHASES], sizes[PHASE], sizes[PITCH]
        left, right, starts = (
            beyond(maps, sizes[LEFT_MAP]), beyond(maps, sizes[RIGHT_MAP]), beyond(maps, sizes[CELL_MAP]),
        )  # fmt: skip
        cells, cell_step, apart = sizes[CELL_COUNT], sizes[CELL_STEP], sizes[APART]
        unfolded = n_rows if sizes[LAYOUT] == COLUMNS else rows
        short = (lanes - 1) // cols + 1
        for c in range(channels):
            for a in range(kd):
                z = maps[block[DEPTH_START] + a * sizes[DEPTH_GAP]]
                which = beyond(maps, sizes[ROW_MAP] + block[ROW_START] if z >= 0 else sizes[ZERO_MAP])
                to = (c * kd + a) * phases * phase
                pad(
                    x, at + max(z, 0) * height * width, width, which, n_rows, sizes[BEFORE], left, right,
                    block[COLUMN_START], n_columns, step, phases, p, to, phase, pitch,
                )  # fmt: skip
                for k in range(cells):
                    unfold(p, to + starts[k], cell_step, unfolded, cols, short, u, n + k * apart)
                n += cells * apart
            at += sizes[VOLUME]

    return lay_out
