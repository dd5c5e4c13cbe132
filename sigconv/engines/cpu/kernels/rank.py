"""Medians: the window's present samples kept sorted, one out and one in a step.

A sorted window s, padded with infinities, gives up ``old`` and takes in ``new`` without a branch, lane by lane:

    t[k] = s[k] where s[k] < old, else s[k + 1]           s'[k] = min(t[k], max(t[k - 1], new))

An infinity as ``old`` means that nothing leaves, as ``new`` that nothing comes.
"""

from collections.abc import Callable
from math import inf, nan
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import shuffles
from sigconv.engines.cpu.tiles import tile as t

double = types.float64  # float() leaves a float32 what it is
_VECTORED = 1024  # up to here the whole window is rewritten by vectors; beyond, only what lies between old and new


def _functions(real: types.Float) -> tuple[Callable[..., Any], ...]:
    lanes = host().vector_bytes * 8 // real.bitwidth
    _, _, load, spread, _ = t.shape(real, 1, lanes)
    where_less, store = t.where_less, t.store
    shifted_down, shifted_up = shuffles.shifted_by(-1), shuffles.shifted_by(1)

    @inlined
    def place(s, n, value):
        """How many of the sorted s[:n] are below value."""
        low = 0
        high = n
        while low < high:
            middle = (low + high) >> 1
            if s[middle] < value:
                low = middle + 1
            else:
                high = middle
        return low

    @inlined
    def exchange(s, n, old, new):
        """Take old out of the sorted s[:n] and put new in; n is the larger of the sizes before and after."""
        if n > _VECTORED:
            a = place(s, n, old)
            b = place(s, n, new)
            if a < b:
                for j in range(a, b - 1):
                    s[j] = s[j + 1]
                s[b - 1] = new
            else:
                for j in range(a, b, -1):
                    s[j] = s[j - 1]
                s[b] = new
            return
        leaving = spread(old)
        coming = spread(new)
        here = load(s, 0)
        before = spread(real(-inf))
        for k in range(0, n, lanes):
            following = load(s, k + lanes)
            rest = where_less(here, leaving, here, shifted_down(here, following))
            under = shifted_up(before, rest)
            larger = where_less(under, coming, coming, under)
            store(where_less(rest, larger, rest, larger), s, k)
            here = following
            before = rest

    @inlined
    def middle(s, n):
        if n & 1:
            return s[n >> 1]
        low = s[(n >> 1) - 1]
        high = s[n >> 1]
        total = low + high
        if abs(total) < inf:
            return total * real(0.5)
        return low * real(0.5) + high * real(0.5)

    @inlined
    def distance(s, n, center, below, rank):
        """The rank-th smallest |s - center|, from 0: both sides of the middle are sorted, and merged by bisection."""
        low = max(0, rank + 1 - (n - below))
        high = min(below, rank + 1)
        while low < high:  # how many of the rank + 1 nearest lie below the center
            left = (low + high) >> 1
            if center - s[below - 1 - left] < s[below + rank - left] - center:
                low = left + 1
            else:
                high = left
        far = real(-inf)
        if low > 0:
            far = center - s[below - low]
        if low <= rank:
            far = max(far, s[below + rank - low] - center)
        return far

    @inlined
    def deviation(s, n, center):
        """The median of |s - center|."""
        below = place(s, n, center)
        high = distance(s, n, center, below, n >> 1)
        if n & 1:
            return high
        return distance(s, n, center, below, (n >> 1) - 1) * real(0.5) + high * real(0.5)

    return exchange, middle, deviation


def median(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Outputs [lo, hi) of channel c of x (rows, step): medians, or for ``hampel`` x with outliers mended and flagged.

    A window is ``support`` rows, or time where ``timed``. ``s`` holds its samples in order and infinities behind them,
    ``state`` its size, its count of NaN, and the first row still in it; where state[0] < 0 they are made from the
    rows before lo. ``s`` has room for the largest window and two vectors more.
    """
    exchange, middle, deviation = _functions(real)
    endless = real(inf)

    @inlined
    def missing(value, omit):
        return not abs(value) < inf if omit else value != value

    def run(
        x, t, y, flags, first, lo, hi, c, step, timed, support, hampel, threshold, least, omit, needed, s, room, state
    ):
        n = state[0]
        bad = state[1]
        left = state[2]
        if n < 0:
            n = 0
            bad = 0
            left = first
            for k in range(room):
                s[k] = endless
            if lo > first:
                if timed:
                    while left < lo and t[lo - 1] - t[left] >= support:
                        left += 1
                else:
                    left = max(first, lo - support)
            for j in range(left, lo):
                value = x[j * step + c] + real(0)
                if missing(value, omit):
                    bad += 1
                else:
                    n += 1
                    exchange(s, n, endless, value)
        for i in range(lo, hi):
            value = x[i * step + c] + real(0)  # -0 becomes 0: they compare equal, so their order would be chance
            absent = missing(value, omit)
            pending = not absent  # still to be put in; the first sample that leaves makes room for it
            bad += 1 if absent else 0
            while (t[i] - t[left] if timed else i - left) >= support:
                old = x[left * step + c] + real(0)
                left += 1
                if missing(old, omit):
                    bad -= 1
                elif pending:
                    exchange(s, n, old, value)
                    pending = False
                else:
                    exchange(s, n, old, endless)
                    n -= 1
            if pending:
                n += 1
                exchange(s, n, endless, value)
            center = real(nan)
            if n >= needed and n > 0 and (omit or bad == 0):
                center = middle(s, n)
            if hampel == 0:
                y[i * step + c] = center
                continue
            y[i * step + c] = x[i * step + c] if center == center else center
            flags[i * step + c] = 0
            if center == center and not absent:
                scale = max(1.4826 * deviation(s, n, center), least)
                if scale > 0 and abs(double(value) - double(center)) > threshold * scale:
                    y[i * step + c] = center
                    flags[i * step + c] = 1
        state[0] = n
        state[1] = bad
        state[2] = left

    return "xlxbiiiiiiiiDDiixil", run


compile_kernel = compiler({"median": median})
