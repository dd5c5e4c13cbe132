"""Weights that are a product of one factor along the rows and one along the columns: one pass for each, in one go.

A band of rows is made, a few columns at a time: what their windows see is brought into scratch as numbers of the kind
that is computed with, border and all. The first pass goes down the columns there. Its results are turned over, so that
the second pass, along the rows, goes down columns as well: neighbours lie whole vectors apart, and nothing has to be
shifted within a register. What comes out is turned back on its way into the result. All of this stays in the nearest
cache.

Where weights are symmetric, the two numbers that share a weight are added first: half the multiplications. Their sum
may overflow where the products would not, so what is not finite is summed tap by tap.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.sizes import passes as z
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.passes import adds_up, line_sums, seldom, turner, vector_of
from sigconv.engines.cpu.tiles.rows import reader, writer

LINES = z.LINES[host().vector_bytes]


def _size(kind: str, real: types.Float) -> int:
    """Bytes of a number."""
    return (real.bitwidth if kind == "real" else int(kind.removeprefix("uint"))) // 8


def bringing(real: types.Float, kind: str) -> Callable[..., None]:
    """A function that brings what windows see of some columns into scratch."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    width, size = z.VECTORS * lanes, _size(kind, real)
    whole, vector, one = (reader(kind, real, *shape) for shape in ((z.VECTORS, lanes), (1, lanes), (1, 1)))
    store = t.store

    @inlined
    def beside(x, row, places, first, n, fill, s, to):
        """s[to : to + n] = cells of the border, whose places in a row are listed from ``first`` on."""
        for k in range(n):
            place = places[first + k]
            if place < 0:
                s[to + k] = fill
            else:
                store(one(x, row + place), s, to + k)

    @inlined
    def bring(x, g, plane, top, rows, known, column, n, fill, s):
        """s[r * width : ..] = n cells of so many rows, of which the first ones are ``known`` from the band above."""
        first = min(max(-column, 0), n)
        last = max(min(g[z.IN_COLUMNS] - column, n), first)
        left, right = g[z.OF_LEFT] + g[z.LEFT] + column, g[z.OF_RIGHT] + column + last - g[z.IN_COLUMNS]
        table = g[z.OF_ROWS] + top
        for r in range(rows):
            row = plane + g[table + r]
            at = row + column
            to = r * width
            if row < plane:
                for k in range(n):
                    s[to + k] = fill
                continue
            if last - first == width:
                store(whole(x, at), s, to)
                if r >= known:
                    for k in range(0, width * size, 64):
                        t.ask_for_later(x, (at + 2 * width) * size + k)
                continue
            if last - first >= lanes:
                for k in range(first, last - lanes, lanes):
                    store(vector(x, at + k), s, to + k)
                store(vector(x, at + last - lanes), s, to + last - lanes)
            else:
                for k in range(first, last):
                    store(one(x, at + k), s, to + k)
            beside(x, row, g, left, first, fill, s, to)
            beside(x, row, g, right, n - last, fill, s, to + last)

    return bring


def summing(real: types.Float, write: Any) -> Callable[..., None]:
    """A function that makes many sums, LINES at a time."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    each, folded = (line_sums(real, LINES, lanes, even) for even in (False, True))
    vectors = vector_of(real, LINES, lanes)
    v0, v1, v2, v3, v4, v5, v6, v7 = (vectors[min(k, LINES - 1)] for k in range(8))
    where_finite = t.where_finite

    @inlined
    def put(found, y, to, pitch):
        write(v0(found), y, to)
        write(v1(found), y, to + pitch)
        write(v2(found), y, to + 2 * pitch)
        write(v3(found), y, to + 3 * pitch)
        if LINES > 4:
            write(v4(found), y, to + 4 * pitch)
            write(v5(found), y, to + 5 * pitch)
            write(v6(found), y, to + 6 * pitch)
            write(v7(found), y, to + 7 * pitch)

    @inlined
    def tap_by_tap(s, at, step, w, k, y, to, pitch):
        put(each(s, at, step, w, k), y, to, pitch)

    @inlined
    def mend(found, s, at, step, w, k, y, to, pitch):
        seldom()
        put(where_finite(found, found, each(s, at, step, w, k)), y, to, pitch)

    @inlined
    def sums(s, at, step, w, k, folds, y, to, pitch, n, last):
        """Of n lines from s[at] on, to y[to] on; the last ones begin at the line ``last`` at the latest."""
        if folds:
            for first in range(0, n, LINES):
                i = min(first, last)
                found = folded(s, at + i * step, step, w, k)
                if adds_up(found):
                    put(found, y, to + i * pitch, pitch)
                else:
                    mend(found, s, at + i * step, step, w, k, y, to + i * pitch, pitch)
        else:
            for first in range(0, n, LINES):
                i = min(first, last)
                tap_by_tap(s, at + i * step, step, w, k, y, to + i * pitch, pitch)

    return sums


def two(real: types.Float, source: str, target: str) -> tuple[str, Callable[..., None]]:
    """Units [lo, hi) of the output, each a band of rows by a block of columns of one plane.

    y[plane, i, j] = sum over b of across[b] times the sum over a of down[a] x[plane, i + a, j + b * apart]. See
    `pass_sizes` for the table ``g``.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    width, rows_of = z.VECTORS * lanes, z.ROWS
    bring = bringing(real, source)
    first_pass, second_pass = summing(real, t.store), summing(real, writer(target))
    turn, turn_out = turner("real", real, lanes), turner(target, real, lanes)
    turn_past = turner("real", real, lanes, True) if target == "real" else turn_out
    load, store = t.shape(real, rows_of // lanes, lanes).load, t.store
    one_out, store_out = reader(target, real, 1, 1), writer(target)
    size_in = _size(source, real)

    @inlined
    def put_part(o, at, rows, n, y, to, pitch):
        """Store n columns, number by number."""
        for r in range(rows):
            for c in range(n):
                store_out(one_out(o, at + c * rows_of + r), y, to + r * pitch + c)

    @inlined
    def put_squares(o, at, rows, n, y, to, pitch, past):
        """Store n columns, squares side by side."""
        for first in range(0, rows, lanes):
            r = min(first, rows - lanes)
            if past:
                for c in range(0, n, lanes):
                    turn_past(o, at + c * rows_of + r, rows_of, y, to + r * pitch + c, pitch)
            else:
                for c in range(0, n, lanes):
                    turn_out(o, at + c * rows_of + r, rows_of, y, to + r * pitch + c, pitch)

    @inlined
    def put(o, rows, n, first, y, to, pitch, past):
        """Store n columns, in squares from ``first`` on; those at the ends overlap them."""
        if n < lanes or rows < lanes:
            put_part(o, 0, rows, n, y, to, pitch)
            return
        if first > 0:
            put_squares(o, 0, rows, lanes, y, to, pitch, False)
        squares = (n - first) // lanes * lanes
        put_squares(o, first * rows_of, rows, squares, y, to + first, pitch, past)
        if first + squares < n:
            put_squares(o, (n - lanes) * rows_of, rows, lanes, y, to + n - lanes, pitch, False)

    @inlined
    def symmetric(w, k):
        found = True
        for j in range(k):
            found = found and w[j] == w[k - 1 - j]
        return found

    def run(x, down, across, fill, y, g, lo, hi, s, f, o):
        deep, taps, apart = g[z.DEEP], g[z.TAPS], g[z.APART]
        down_folds, across_folds = symmetric(down, deep), symmetric(across, taps)
        rows, block, size, pitch = min(rows_of, g[z.OUT_ROWS]), g[z.BLOCK], g[z.OUT_BYTES], g[z.OUT_PITCH]
        bands, blocks = (g[z.OUT_ROWS] + rows_of - 1) // rows_of, (g[z.OUT_COLUMNS] + block - 1) // block
        reach, group = (taps - 1) * apart, max(LINES, lanes) * apart
        room = reach + 3 * group + width
        between = 0 if rows % LINES == 0 else (rows + deep + LINES) * width  # in place, unless sums overlap
        for unit in range(lo, hi):
            plane = g[g[z.OF_PLANES] + unit // (bands * blocks)]
            out_plane = g[g[z.OF_OUT_PLANES] + unit // (bands * blocks)]
            top = min(unit // blocks % bands * rows_of, g[z.OUT_ROWS] - rows)
            left = unit % blocks * block
            wide = min(block, g[z.OUT_COLUMNS] - left)
            out = out_plane + top * pitch + left
            until_line = t.until_aligned(y, out * size) // size % lanes if pitch * size % 64 == 0 else 0
            # columns brought in, of which scratch holds those from ``kept`` on, and made
            seen = 0
            kept = 0
            made = 0
            while made < wide:
                if seen - kept + width > room:
                    for k in range(seen - made):
                        store(load(s, (made - kept + k) * rows_of), s, k * rows_of)
                    kept = made
                column = left + seen - g[z.BEFORE]
                n = width
                if seen == 0:  # from here on vectors are read that do not lie across two cache lines
                    n -= (lanes - t.until_aligned(x, (plane + column + width) * size_in) // size_in) % lanes
                n = min(n, wide + reach - seen)
                bring(x, g, plane, top, rows + deep - 1, deep - 1, column, n, real(fill), f)
                for c in range(0, n, lanes):
                    first_pass(f, c, width, down, deep, down_folds, f, between + c, width, rows, max(rows - LINES, 0))
                for r in range(0, rows, lanes):
                    for c in range(0, n, lanes):
                        turn(f, between + r * width + c, width, s, (seen - kept + c) * rows_of + r, rows_of)
                seen += n
                n = wide - made
                if seen < wide + reach:
                    # whole squares, which begin at cache lines; sums are made LINES at a time and must see as many
                    n = max(seen - reach - made - (until_line if made == 0 else 0), 0) // group * group
                    if made == 0 and n > 0:
                        n += until_line - (group if until_line > 0 else 0)
                for c in range(min(apart, n)):
                    many = (n - c + apart - 1) // apart
                    for r in range(0, rows, lanes):
                        second_pass(
                            s, (made - kept + c) * rows_of + r, apart * rows_of, across, taps, across_folds,
                            o, c * rows_of + r, apart * rows_of, many, many,
                        )  # fmt: skip
                put(o, rows, n, min(until_line if made == 0 else 0, n), y, out + made, pitch, g[z.PAST] > 0)
                made += n

    return "bxxDbliixxb", run


def _variant(source: str, target: str) -> Callable[[types.Float], tuple[str, Callable[..., None]]]:
    return lambda real: two(real, source, target)


compile_kernel = compiler(
    {
        "real_real": _variant("real", "real"),
        "uint8_real": _variant("uint8", "real"),
        "uint8_uint8": _variant("uint8", "uint8"),
        "uint16_real": _variant("uint16", "real"),
        "uint16_uint16": _variant("uint16", "uint16"),
    }
)
