"""Equal weights over uneven stamps: two running sums, nothing subtracted. Values and sums are float64, stamps int64."""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.sizes import BLOCK
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import shuffles
from sigconv.engines.cpu.tiles import tile as t

GRID = 4096  # the running sums start afresh at least at multiples of this many samples
AHEAD = 8  # stamps looked at together


def boxcar(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Means of the window (stamp - support, stamp] for outputs [lo, hi).

    The window is cut at an anchor: sums from the anchor on grow with each sample, sums back from it were made when it
    was set. When the window has left the old part behind, the anchor moves to the newest sample. It also moves at
    samples whose place in the whole series (index + ``offset``) is a multiple of GRID, or of the next power of two
    that is no smaller than the window, so that any such place can start a range.
    ``state`` holds the anchor, in and out; ``sums`` and ``counts`` are scratch for samples from ``first`` on, ``lefts``
    and ``dens`` for BLOCK outputs.
    """
    size, _, load, spread, _ = t.shape(types.float64, 4, host().vector_bytes // 8)
    load_rows, ramp = t.shape(types.int64, 4, size // 4).load, shuffles.ramp(4, size // 4)
    sub, div, store, to_float, where_less = t.sub, t.div, t.store, t.to_float, t.where_less
    all_finite, count_until = t.all_finite, shuffles.count_until(AHEAD)

    @inlined
    def look_back(x, omit, first, left, anchor, sums, counts):
        total = 0.0
        count = 0
        for j in range(anchor - 1, left - 1, -1):
            value = x[j]
            if omit == 0 or abs(value) < inf:
                total += value
                count += 1
            sums[j - first] = total
            counts[j - first] = count
        if anchor >= left:
            sums[anchor - first] = 0.0
            counts[anchor - first] = 0

    @inlined
    def search(t, begin, low, high):
        """The first row in [low, high] whose stamp is later than ``begin``."""
        while low < high:
            middle = (low + high) >> 1
            if t[middle] <= begin:
                low = middle + 1
            else:
                high = middle
        return low

    @inlined
    def advance(t, begin, left):
        some = count_until(t, left, begin)
        left += some
        while some == AHEAD:  # hardly ever: windows lose a sample or two at a step
            some = count_until(t, left, begin)
            left += some
        return left

    @inlined
    def oldest(t, i, left, support, lefts):
        """lefts[k] = the first row in the window of output i + k, for a block: in four parts that overlap in time."""
        part = BLOCK // 4
        a = left
        b = search(t, t[i + part] - support, left, i + part)
        c = search(t, t[i + 2 * part] - support, b, i + 2 * part)
        d = search(t, t[i + 3 * part] - support, c, i + 3 * part)
        for k in range(part):
            a = advance(t, t[i + k] - support, a)
            b = advance(t, t[i + part + k] - support, b)
            c = advance(t, t[i + 2 * part + k] - support, c)
            d = advance(t, t[i + 3 * part + k] - support, d)
            lefts[k] = a
            lefts[part + k] = b
            lefts[2 * part + k] = c
            lefts[3 * part + k] = d
        return d

    @inlined
    def oldest_near_the_end(t, i, n, left, support, lefts):
        for k in range(n):
            begin = t[i + k] - support
            while t[left] <= begin:
                left += 1
            lefts[k] = left
        return left

    @inlined
    def count_rows(i, lefts, n, dens):
        """dens[k] = how many rows the window of output i + k holds."""
        k = 0
        while k + size <= n:
            store(to_float(sub(ramp(i + k + 1), load_rows(lefts, k))), dens, k)
            k += size
        while k < n:
            dens[k] = float(i + k + 1 - lefts[k])
            k += 1

    @inlined
    def divide(y, at, dens, n, needed):
        k = 0
        while k + size <= n:
            den = load(dens, k)
            mean = div(load(y, at + k), den)
            store(where_less(den, spread(float(needed)), spread(nan), mean), y, at + k)
            k += size
        while k < n:
            y[at + k] = y[at + k] / dens[k] if dens[k] >= needed else nan
            k += 1

    @inlined
    def look_back_whole(x, first, left, anchor, sums):
        total = 0.0
        for j in range(anchor - 1, left - 1, -1):
            total += x[j]
            sums[j - first] = total
        sums[anchor - first] = 0.0

    @inlined
    def whole(x, at, n):
        """Whether none of the n samples from x[at] is missing."""
        k = 0
        while k + size <= n:
            if not all_finite(load(x, at + k)):
                return False
            k += size
        while k < n:
            if not abs(x[at + k]) < inf:
                return False
            k += 1
        return True

    @inlined
    def afresh(k, offset, start, anchor):
        """Whether the window is cut anew at output k."""
        if start > anchor:
            return True
        if ((k + offset) & (GRID - 1)) != 0:
            return False
        stride = GRID
        while stride < k - start:
            stride *= 2
        return ((k + offset) & (stride - 1)) == 0

    def run(x, t, y, first, lo, hi, offset, support, omit, needed, state, sums, counts, lefts, dens):
        left = first
        anchor = state[0]
        begin = t[lo] - support
        while t[left] <= begin:  # at most as many steps as there is history
            left += 1
        look_back(x, omit, first, left, anchor, sums, counts)
        total = 0.0
        count = 0
        for j in range(anchor if anchor >= left else lo, lo):
            value = x[j]
            if omit == 0 or abs(value) < inf:
                total += value
                count += 1
        counted = True  # whether counts are kept: where nothing is missing they follow from the rows
        missing = lo - 1 if omit else first - 1  # no sample after this one is missing
        i = lo
        while i < hi:
            n = min(BLOCK, hi - i)
            if i + BLOCK + 2 * AHEAD < hi:  # looking ahead stays inside
                left = oldest(t, i, left, support, lefts)
            else:
                left = oldest_near_the_end(t, i, n, left, support, lefts)
            if omit and not whole(x, i, n):
                missing = i + n - 1
            if missing < lefts[0]:
                counted = False
                k = i
                while k < i + n:
                    if afresh(k, offset, lefts[k - i], anchor):
                        anchor = k
                        look_back_whole(x, first, lefts[k - i], anchor, sums)
                        total = 0.0
                    stop = min(i + n, ((k + offset) | (GRID - 1)) + 1 - offset)
                    total += x[k]
                    y[k] = total + sums[lefts[k - i] - first]
                    k += 1
                    while k < stop and lefts[k - i] <= anchor:
                        total += x[k]
                        y[k] = total + sums[lefts[k - i] - first]
                        k += 1
                count_rows(i, lefts, n, dens)
            else:
                if not counted:
                    look_back(x, omit, first, lefts[0], anchor, sums, counts)
                    count = i - anchor
                    counted = True
                for k in range(i, i + n):
                    start = lefts[k - i]
                    if afresh(k, offset, start, anchor):
                        anchor = k
                        look_back(x, omit, first, start, anchor, sums, counts)
                        total = 0.0
                        count = 0
                    value = x[k]
                    if abs(value) < inf:
                        total += value
                        count += 1
                    y[k] = total + sums[start - first]
                    dens[k - i] = float(count + counts[start - first])
            divide(y, i, dens, n, max(needed, 1))
            i += n
        state[0] = anchor

    return "dldiiiiiiildlld", run


compile_kernel = compiler({"boxcar": boxcar})
