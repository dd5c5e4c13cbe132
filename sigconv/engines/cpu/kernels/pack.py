"""What a layer's kernel reads, laid out for it: padded planes, then rows of what each cell of the window sees."""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.block_tiles import block_shape
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


def padder(real: types.Float) -> Callable[..., Any]:
    """A function that copies a plane's rows, with a border around them, columns ``stride`` apart side by side.

    Column k of row r goes to p[to + (k % stride)*phase + r*pitch + k // stride]. ``rows`` and ``columns`` say where
    each comes from: -1 is a row or a column of zeros, -2 a row that nobody asks for. Columns [inside, outside) are
    neighbours in x, too.
    """
    copy = row_copier(real)
    zero = real(0)

    @inlined
    def pad(x, at, width, rows, r0, n_rows, columns, k0, n_columns, inside, outside, stride, p, to, phase, pitch):
        lo = min(max(inside - k0, 0), n_columns)
        hi = max(min(outside - k0, n_columns), lo)
        for r in range(n_rows):
            source = rows[r0 + r]
            if source == -2:
                continue
            here = to + r * pitch
            if source == -1:
                for first in range(stride):
                    for k in range((n_columns - first + stride - 1) // stride):
                        p[here + first * phase + k] = zero
                continue
            start = at + source * width
            if stride == 1:
                copy(x, start + k0 + lo - inside, hi - lo, p, here + lo)
            else:
                for first in range(stride):
                    low = (lo - first + stride - 1) // stride
                    high = (hi - first + stride - 1) // stride
                    there = start + k0 - inside + first
                    for k in range(low, high):
                        p[here + first * phase + k] = x[there + k * stride]
            for k in range(lo):
                column = columns[k0 + k]
                p[here + k % stride * phase + k // stride] = x[start + column] if column >= 0 else zero
            for k in range(hi, n_columns):
                column = columns[k0 + k]
                p[here + k % stride * phase + k // stride] = x[start + column] if column >= 0 else zero

    return pad


def unfolder(real: types.Float) -> Callable[..., Any]:
    """A function that lays rows of ``width`` numbers, ``step`` apart, end to end; nothing is written behind the last."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    whole, part = (block_shape(real, 1, 1, lanes, partial) for partial in (False, True))
    load, store, store_part = whole.load, whole.store, part.store

    @inlined
    def unfold(p, at, step, rows, width, u, to):
        end = to + rows * width
        for r in range(rows):
            here = to + r * width
            k = 0
            while k < width and here + k + lanes <= end:  # what is too much is written again by the next row
                store(load(p, at + r * step + k, 0, lanes), u, here + k, 0, lanes)
                k += lanes
            while k < width:
                store_part(load(p, at + r * step + k, 0, lanes), u, here + k, 0, end - here - k)
                k += lanes

    return unfold
