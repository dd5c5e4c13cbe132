"""Medians: the window's present samples kept sorted, one out and one in a step."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined

_COUNTED = 96  # up to here a place is found by counting, which vectorises; beyond, by bisection


def _functions(real: types.Float) -> tuple[Callable[..., Any], ...]:
    @inlined
    def place(s, n, value):  # type: ignore[no-untyped-def]
        """How many of the sorted s[:n] are below value."""
        if n <= _COUNTED:
            below = 0
            for k in range(n):
                below += 1 if s[k] < value else 0
            return below
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
    def insert(s, n, value):  # type: ignore[no-untyped-def]
        k = place(s, n, value)
        for j in range(n, k, -1):
            s[j] = s[j - 1]
        s[k] = value

    @inlined
    def remove(s, n, value):  # type: ignore[no-untyped-def]
        for j in range(place(s, n, value), n - 1):
            s[j] = s[j + 1]

    @inlined
    def replace(s, n, old, new):  # type: ignore[no-untyped-def]
        """One out and one in, moving only what lies between them."""
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

    @inlined
    def middle(s, n):  # type: ignore[no-untyped-def]
        if n & 1:
            return s[n >> 1]
        low = s[(n >> 1) - 1]
        high = s[n >> 1]
        total = low + high
        if abs(total) < inf:
            return total * real(0.5)
        return low * real(0.5) + high * real(0.5)

    @inlined
    def deviation(s, n, center):  # type: ignore[no-untyped-def]
        """The median of |s - center|: deviations grow from the middle outwards on both sides."""
        right = place(s, n, center)
        left = right - 1
        low = real(0)
        high = real(0)
        for _ in range((n >> 1) + 1):
            low = high
            if left < 0:
                high = s[right] - center
                right += 1
            elif right >= n or center - s[left] <= s[right] - center:
                high = center - s[left]
                left -= 1
            else:
                high = s[right] - center
                right += 1
        if n & 1:
            return high
        return low * real(0.5) + high * real(0.5)

    return insert, remove, replace, middle, deviation


def median(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Outputs [lo, hi) of channel c of x (rows, step): medians, or where ``flags`` are asked for x with outliers mended.

    ``s`` holds the sorted window and ``state`` its size, its count of NaN, and the first row still in it: when
    state[0] < 0 they are made from the rows before lo. A window is ``support`` rows, or time where ``timed``.
    """
    insert, remove, replace, middle, deviation = _functions(real)

    @inlined
    def missing(value, omit):  # type: ignore[no-untyped-def]
        return not abs(value) < inf if omit else value != value

    def run(x, t, y, flags, first, lo, hi, c, step, timed, support, hampel, threshold, least, omit, needed, s, state):  # type: ignore[no-untyped-def]  # noqa: E501
        n = state[0]
        bad = state[1]
        left = state[2]
        if n < 0:
            n = 0
            bad = 0
            left = first
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
                    insert(s, n, value)
                    n += 1
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
                    replace(s, n, old, value)
                    pending = False
                else:
                    n -= 1
                    remove(s, n + 1, old)
            if pending:
                insert(s, n, value)
                n += 1
            center = real(nan)
            if n >= needed and n > 0 and (omit or bad == 0):
                center = middle(s, n)
            if hampel == 0:
                y[i * step + c] = center
                continue
            y[i * step + c] = x[i * step + c] if center == center else center
            flags[i * step + c] = 0
            if center == center and abs(value) < inf:
                scale = max(1.4826 * float(deviation(s, n, center)), least)
                if scale > 0 and abs(float(value) - float(center)) > threshold * scale:
                    y[i * step + c] = center
                    flags[i * step + c] = 1
        state[0] = n
        state[1] = bad
        state[2] = left

    return "xlxbiiiiiiiiDDiixl", run


compile_kernel = compiler({"median": median})
