"""Finite weighted windows by sample count: one ordered chain of multiply-adds per output."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

from numba import types

from sigconv.engines.cpu.causal.taps import SHARE_BYTES
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import shuffles
from sigconv.engines.cpu.tiles import tile as t

FEW = 5  # taps whose shifted inputs are made in registers


def _tiles(real: types.Float) -> list[tuple[int, int]]:
    """(vectors, lanes) of the tiles used, widest first; the last is a scalar."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    return [(host().accumulators, lanes), (1, lanes), (1, 1)]


def _tile_function(real: types.Float, count: int, lanes: int) -> Callable[..., Any]:
    """One tile of outputs at ``at``; answers whether something in its windows was missing."""
    share = SHARE_BYTES * 8 // real.bitwidth  # taps this far apart share loads
    vectors = share // lanes
    size, zeros, load, spread, _ = t.shape(real, count, lanes)
    four_taps, two_taps = (t.shape(real, count, lanes, n, vectors).fma_taps for n in (4, 2))
    most = host().sharing
    load_one = t.shape(real, 1, lanes).load
    by_one, by_two, by_three, by_four = (shuffles.behind(n) for n in range(1, FEW))
    fma, store, add, div, absolute, where_less = t.fma, t.store, t.add, t.div, t.absolute, t.where_less
    where_finite, where_equal, all_finite, all_equal = t.where_finite, t.where_equal, t.all_finite, t.all_equal

    @inlined
    def one_tile(x, at, w, order, k, step, y, to, full, least, omit, needed, mending, suspect):
        if not suspect and not (mending and omit):
            acc = zeros()
            j = 0
            if lanes == share and step == 1 and k <= FEW:
                # Input is read once and shifted in registers: a vector across two cache lines is slow to read.
                newest = load(x, at)
                acc = fma(newest, spread(w[0]), acc)
                if k > 1:
                    acc = fma(by_one(load_one(x, at - 1), newest), spread(w[1]), acc)
                if k > 2:
                    acc = fma(by_two(load_one(x, at - 2), newest), spread(w[2]), acc)
                if k > 3:
                    acc = fma(by_three(load_one(x, at - 3), newest), spread(w[3]), acc)
                if k > 4:
                    acc = fma(by_four(load_one(x, at - 4), newest), spread(w[4]), acc)
            elif lanes > 1 and step == 1:
                for r in range(min(share, k)):
                    end = j + (k - r + share - 1) // share
                    from_here = at - r
                    while most == 4 and end - j >= 4:
                        acc = four_taps(acc, x, from_here, w, j)
                        from_here -= 4 * share
                        j += 4
                    while end - j >= 2:
                        acc = two_taps(acc, x, from_here, w, j)
                        from_here -= 2 * share
                        j += 2
                    if end > j:
                        acc = fma(load(x, from_here), spread(w[j]), acc)
                        j += 1
            else:
                while j < k:
                    acc = fma(load(x, at - order[j] * step), spread(w[j]), acc)
                    j += 1
            if not omit or all_finite(acc):
                if mending:
                    before = load(y, to)
                    acc = where_finite(before, before, acc)
                store(acc, y, to)
                return False
        num = zeros()
        den = zeros()
        for j in range(k):
            value = load(x, at - order[j] * step)
            weight = spread(w[j])
            num = where_finite(value, fma(value, weight, num), num)
            den = where_finite(value, add(den, weight), den)
        ratio = where_equal(den, spread(full), num, div(num, den))
        ratio = where_less(absolute(den), spread(least), spread(real(nan)), ratio)
        if mending:
            before = load(y, to)
            ratio = where_finite(before, before, ratio)
        store(ratio, y, to)
        if needed > 1 or not all_finite(ratio):
            for lane in range(size):
                newest = real(nan)
                present = 0
                for j in range(k):
                    value = x[at + lane - j * step]
                    if abs(value) < inf:
                        if present == 0:
                            newest = value
                        present += 1
                        if present >= needed and y[to + lane] == y[to + lane]:
                            break
                if present < needed:
                    y[to + lane] = nan
                elif not abs(y[to + lane]) < inf:
                    y[to + lane] = newest
        return not all_equal(den, spread(full))

    return one_tile


def smooth(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[to + i] = sum of w[j] x[at + i - order[j] step] over present samples, / their weight; 0 <= i < n.

    ``w`` stands in the order of summation and ``order`` holds each tap's age in rows; a present weight below
    ``least`` is zero but for rounding. Windows must lie inside x. ``mending`` leaves finite outputs as they are.
    """
    (wide, wide_lanes), (one, one_lanes), (_, _) = _tiles(real)
    wide_tile = _tile_function(real, wide, wide_lanes)
    one_tile = _tile_function(real, one, one_lanes)
    scalar = _tile_function(real, 1, 1)
    big, small = wide * wide_lanes, one * one_lanes
    share = SHARE_BYTES * 8 // real.bitwidth
    load_wide, all_finite = t.shape(real, wide, wide_lanes).load, t.all_finite

    def run(x, at, w, order, k, step, y, to, n, full, least, omit, needed, mending):
        total = real(full)
        tiny = real(least)
        suspect = False
        i = 0
        if n >= big:
            suspect = wide_tile(x, at, w, order, k, step, y, to, total, tiny, omit, needed, mending, suspect)
            # from here on results are written to whole cache lines
            i = t.until_aligned(y, to + big) + big - share if n > big else n
            while i < n:
                i = min(i, n - big)  # tiles may overlap: the same bits once more
                if not (mending and all_finite(load_wide(y, to + i))):
                    suspect = wide_tile(
                        x, at + i, w, order, k, step, y, to + i, total, tiny, omit, needed, mending, suspect
                    )
                i += big
        elif n >= small:
            while i < n:
                i = min(i, n - small)
                suspect = one_tile(x, at + i, w, order, k, step, y, to + i, total, tiny, omit, needed, mending, suspect)
                i += small
        else:
            while i < n:
                suspect = scalar(x, at + i, w, order, k, step, y, to + i, total, tiny, omit, needed, mending, suspect)
                i += 1

    return "xixliixiiDDiii", run


def start(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The first rows of a series whose missing values count: windows that end at row 0, renormalised by weight."""

    def run(x, w, order, k, step, y, rows, least):
        for row in range(rows):
            for c in range(step):
                num = real(0)
                den = real(0)
                poisoned = False
                for j in range(k):
                    if order[j] <= row:
                        value = x[(row - order[j]) * step + c]
                        num += w[j] * value
                        den += w[j]
                        poisoned = poisoned or value != value
                if (den == 0 or abs(den) < least) and not poisoned:
                    num = x[row * step + c]
                    den = real(1)
                y[row * step + c] = num / den

    return "xxliixiD", run


compile_kernel = compiler({"smooth": smooth, "start": start})
