"""What a layer's kernel reads, laid out for it: padded planes, then rows of what each cell of the window sees."""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import inlined
from sigconv.engines.cpu.sizes import conv as of
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.blocks import beyond, block_shape, every_of, load_between_of


def row_copier(real: types.Float, step: int) -> Callable[..., Any]:
    """A function that copies the part of a row that is there, and zeros around it: one number of ``step``.

    y[to + k] becomes x[at + k*step] where lo <= k*step < hi, else 0, by whole vectors until n numbers are written.
    ``step`` is a power of two.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    load, store = t.shape(real, step, lanes).load, t.store
    load_between, every = load_between_of(real, step, lanes), every_of(real, step, lanes)

    @inlined
    def copy(x, at, lo, hi, y, to, n):
        for k in range(0, n, lanes):
            first = k * step
            if first >= lo and first + step * lanes <= hi:
                row = load(x, at + first)
            else:
                row = load_between(x, at + first, max(lo - first, 0), max(hi - first, 0))
            store(every(row), y, to + k)

    return copy


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
    of x are the padded ones from ``inside`` on; where there is a border, ``left`` and ``right`` say where those before
    and behind come from.
    """
    copy, copy_second, copy_fourth, copy_eighth = (row_copier(real, step) for step in (1, 2, 4, 8))
    fill = row_filler(real)
    lanes = host().vector_bytes * 8 // real.bitwidth
    load_between, store = load_between_of(real, 1, lanes), t.store

    @inlined
    def pad_phase(x, at, width, rows, n_rows, lo, hi, stride, p, to, pitch, count):
        if stride == 1 and count <= lanes:  # what is there of a row is found once
            first, last = max(lo, 0), max(hi, 0)
            for r in range(n_rows):
                if rows[r] >= 0:
                    store(load_between(x, at + rows[r] * width, first, last), p, to + r * pitch)
        elif stride == 1:
            for r in range(n_rows):
                if rows[r] >= 0:
                    copy(x, at + rows[r] * width, lo, hi, p, to + r * pitch, count)
        elif stride == 2:
            for r in range(n_rows):
                if rows[r] >= 0:
                    copy_second(x, at + rows[r] * width, lo, hi, p, to + r * pitch, count)
        elif stride == 4:
            for r in range(n_rows):
                if rows[r] >= 0:
                    copy_fourth(x, at + rows[r] * width, lo, hi, p, to + r * pitch, count)
        elif stride == 8:
            for r in range(n_rows):
                if rows[r] >= 0:
                    copy_eighth(x, at + rows[r] * width, lo, hi, p, to + r * pitch, count)
        else:
            for r in range(n_rows):
                if rows[r] >= 0:
                    for k in range(count):
                        inside = lo <= k * stride < hi
                        p[to + r * pitch + k] = x[at + rows[r] * width + k * stride] if inside else real(0)
        for r in range(n_rows):
            if rows[r] == -1:
                fill(p, to + r * pitch, count)

    @inlined
    def border_phase(x, at, width, rows, n_rows, inside, left, right, first, stride, p, to, pitch, count):
        for r in range(n_rows):
            if rows[r] >= 0:
                start = at + rows[r] * width
                for k in range(count):
                    column = first + k * stride
                    if column < inside:
                        p[to + r * pitch + k] = x[start + left[column]]
                    elif column >= inside + width:
                        p[to + r * pitch + k] = x[start + right[column - inside - width]]

    @inlined
    def pad(
        x, at, width, rows, n_rows, inside, left, right, bordered, first, n_columns, stride, phases, p, to, phase, pitch
    ):
        lo = min(max(inside - first, 0), n_columns)
        hi = max(min(inside + width - first, n_columns), lo)
        for j in range(phases):
            count = n_columns if stride == 1 else (n_columns - j + stride - 1) // stride
            here, from_here = to + j * phase, at + first - inside + j
            pad_phase(x, from_here, width, rows, n_rows, lo - j, hi - j, stride, p, here, pitch, count)
            if bordered:
                border_phase(x, at, width, rows, n_rows, inside, left, right, first + j, stride, p, here, pitch, count)

    return pad


def unfolder(real: types.Float) -> Callable[..., Any]:
    """A function that lays rows of ``width`` numbers, ``step`` apart, end to end.

    Whole vectors are written: what is too much of one is written again by the next row, and behind the last row there
    must be room.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    load, store = t.shape(real, 1, lanes).load, t.store

    @inlined
    def unfold(p, at, step, rows, width, u, to):
        if width <= lanes:
            for r in range(rows):
                store(load(p, at + r * step), u, to + r * width)
        else:
            for r in range(rows):
                for k in range(0, width, lanes):
                    store(load(p, at + r * step + k), u, to + r * width + k)

    return unfold


def mover(real: types.Float) -> Callable[..., Any]:
    """A function that copies n numbers, and nothing behind them."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    load, store = t.shape(real, 1, lanes).load, block_shape(real, 1, 1, lanes, True).store

    @inlined
    def move(x, at, n, y, to):
        for k in range(0, n, lanes):
            store(load(x, at + k), y, to + k, 0, n - k)

    return move


def layer_out(real: types.Float) -> Callable[..., Any]:
    """A function that pads the planes of some channels of a sample and lays out what the window's cells see of them."""
    pad, unfold = padder(real), unfolder(real)

    @inlined
    def lay_out(x, at, channels, rows, cols, n, p, u, maps, sizes, block):
        height, width, kd, step = sizes[of.HEIGHT], sizes[of.WIDTH], sizes[of.KERNEL_DEPTH], sizes[of.COLUMN_STEP]
        n_rows = (rows - 1) * sizes[of.ROW_STEP] + sizes[of.ROW_REACH]
        n_columns = (cols - 1) * step + sizes[of.COLUMN_REACH]
        phases, phase, pitch = sizes[of.PHASES], sizes[of.PHASE], sizes[of.PITCH]
        left, right, starts = (
            beyond(maps, sizes[of.LEFT_MAP]), beyond(maps, sizes[of.RIGHT_MAP]), beyond(maps, sizes[of.CELL_MAP]),
        )  # fmt: skip
        cells, cell_step, apart = sizes[of.CELL_COUNT], sizes[of.CELL_STEP], sizes[of.APART]
        unfolded = n_rows if sizes[of.LAYOUT] == of.COLUMNS else rows
        for c in range(channels):
            for a in range(kd):
                z = maps[block[of.DEPTH_START] + a * sizes[of.DEPTH_GAP]]
                which = beyond(maps, sizes[of.ROW_MAP] + block[of.ROW_START] if z >= 0 else sizes[of.ZERO_MAP])
                to = (c * kd + a) * phases * phase
                pad(
                    x, at + max(z, 0) * height * width, width, which, n_rows, sizes[of.BEFORE], left, right,
                    sizes[of.BORDERED], block[of.COLUMN_START], n_columns, step, phases, p, to, phase, pitch,
                )  # fmt: skip
                for k in range(cells):
                    unfold(p, to + starts[k], cell_step, unfolded, cols, u, n + k * apart)
                n += cells * apart
            at += sizes[of.VOLUME]

    return lay_out
