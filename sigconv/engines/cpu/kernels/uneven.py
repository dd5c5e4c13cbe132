"""Windows over uneven stamps: each output sums over the samples younger than the window's support.

`boxcar` keeps two running sums and never subtracts; the `pairs` kernels weigh every pair of an output and a sample in
its window, outputs side by side in vector lanes; `integral` weighs readings by how long they were current, or the
straight lines between them. Values and sums are float64; stamps are int64.
"""

from collections.abc import Callable
from math import inf, nan
from typing import Any

from numba import types

from sigconv.engines.cpu import tile as t
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.decay import tile_functions
from sigconv.engines.cpu.target import host

GRID = 4096  # the running sums start afresh at least at multiples of this many samples
AHEAD = 8  # stamps looked at together
BLOCK = 512  # outputs whose windows are found, then summed, then divided


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
    load_rows, ramp = t.shape(types.int64, 4, size // 4).load, t.ramp(4, size // 4)
    sub, div, store, to_float, where_less = t.sub, t.div, t.store, t.to_float, t.where_less
    all_finite, count_until = t.all_finite, t.count_until(AHEAD)

    @inlined
    def look_back(x, omit, first, left, anchor, sums, counts):  # type: ignore[no-untyped-def]
        total = 0.0
        count = 0
        for j in range(anchor - 1, left - 1, -1):
            value = x[j]
            if omit == 0 or abs(value) < inf:
                total += value
                count += 1
            sums[j - first] = total
            counts[j - first] = count

    @inlined
    def search(t, begin, low, high):  # type: ignore[no-untyped-def]
        """The first row in [low, high] whose stamp is later than ``begin``."""
        while low < high:
            middle = (low + high) >> 1
            if t[middle] <= begin:
                low = middle + 1
            else:
                high = middle
        return low

    @inlined
    def advance(t, begin, left):  # type: ignore[no-untyped-def]
        some = count_until(t, left, begin)
        left += some
        while some == AHEAD:  # hardly ever: windows lose a sample or two at a step
            some = count_until(t, left, begin)
            left += some
        return left

    @inlined
    def oldest(t, i, left, support, lefts):  # type: ignore[no-untyped-def]
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
    def oldest_near_the_end(t, i, n, left, support, lefts):  # type: ignore[no-untyped-def]
        for k in range(n):
            begin = t[i + k] - support
            while t[left] <= begin:
                left += 1
            lefts[k] = left
        return left

    @inlined
    def count_rows(i, lefts, n, dens):  # type: ignore[no-untyped-def]
        """dens[k] = how many rows the window of output i + k holds."""
        k = 0
        while k + size <= n:
            store(to_float(sub(ramp(i + k + 1), load_rows(lefts, k))), dens, k)
            k += size
        while k < n:
            dens[k] = float(i + k + 1 - lefts[k])
            k += 1

    @inlined
    def divide(y, at, dens, n, needed):  # type: ignore[no-untyped-def]
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
    def look_back_whole(x, first, left, anchor, sums):  # type: ignore[no-untyped-def]
        total = 0.0
        for j in range(anchor - 1, left - 1, -1):
            total += x[j]
            sums[j - first] = total

    @inlined
    def whole(x, at, n):  # type: ignore[no-untyped-def]
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
    def afresh(k, offset, start, anchor):  # type: ignore[no-untyped-def]
        """Whether the window is cut anew at output k."""
        if start > anchor:
            return True
        if ((k + offset) & (GRID - 1)) != 0:
            return False
        stride = GRID
        while stride < k - start:
            stride *= 2
        return ((k + offset) & (stride - 1)) == 0

    def run(x, t, y, first, lo, hi, offset, support, omit, needed, state, sums, counts, lefts, dens):  # type: ignore[no-untyped-def]
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
                for k in range(i, i + n):
                    start = lefts[k - i]
                    if afresh(k, offset, start, anchor):
                        anchor = k
                        look_back_whole(x, first, start, anchor, sums)
                        total = 0.0
                    total += x[k]
                    y[k] = total + sums[start - first] if start < anchor else total
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
                    if start < anchor:
                        y[k] = total + sums[start - first]
                        dens[k - i] = float(count + counts[start - first])
                    else:
                        y[k] = total
                        dens[k - i] = float(count)
            divide(y, i, dens, n, max(needed, 1))
            i += n
        state[0] = anchor

    return "dldiiiiiiildlld", run


def _pairs(weigh: Callable[..., Any], count: int, lanes: int) -> Callable[..., Any]:
    """A tile of outputs at ``at``, each over up to ``reach`` samples back.

    ``weigh`` maps ages and what is left of the support, both over the scale, to weights.
    """
    size, zeros, load, spread, _ = t.shape(types.float64, count, lanes)
    _, _, load_stamp, spread_stamp, _ = t.shape(types.int64, count, lanes)
    fma, add, sub, mul, div, store = t.fma, t.add, t.sub, t.mul, t.div, t.store
    to_float, where_younger, where_finite, all_finite = t.to_float, t.where_younger, t.where_finite, t.all_finite

    @inlined
    def tile(x, t, y, at, reach, support, scale, omit):  # type: ignore[no-untyped-def]
        now = load_stamp(t, at)
        limit = spread_stamp(support)
        rate = spread(scale)
        nothing = zeros()
        num = zeros()
        den = zeros()
        for back in range(reach):
            age = sub(now, load_stamp(t, at - back))
            value = load(x, at - back)
            left = sub(limit, age)
            weight = weigh(mul(to_float(age), rate), mul(to_float(left), rate))
            weight = where_younger(age, limit, weight, nothing)
            if omit:
                weight = where_finite(value, weight, nothing)
                value = where_finite(value, value, nothing)
            else:
                value = where_younger(age, limit, value, nothing)
            num = fma(weight, value, num)
            den = add(den, weight)
        mean = div(num, den)
        store(mean, y, at)
        return all_finite(mean)

    return tile


def pairs(shape: str) -> Callable[[types.Float], tuple[str, Callable[..., None]]]:
    """The kernel of one shape: y[i] over the samples younger than ``support``, for outputs [lo, hi)."""

    def weigher(count: int, lanes: int) -> Callable[..., Any]:
        spread = t.shape(types.float64, count, lanes).spread
        mul, where_less = t.mul, t.where_less
        exp, _ = tile_functions(count, lanes)

        @inlined
        def gaussian(u, left):  # type: ignore[no-untyped-def]
            return exp(mul(mul(u, u), spread(-0.5)))

        @inlined
        def linear(u, left):  # type: ignore[no-untyped-def]
            return left

        @inlined
        def triangular(u, left):  # type: ignore[no-untyped-def]
            return mul(where_less(u, left, u, left), spread(2.0))

        return {"gaussian": gaussian, "linear": linear, "triangular": triangular}[shape]

    def build(real: types.Float) -> tuple[str, Callable[..., None]]:
        lanes = host().vector_bytes // 8
        wide = 4 * lanes
        wide_tile = _pairs(weigher(4, lanes), 4, lanes)
        scalar = _pairs(weigher(1, 1), 1, 1)

        def run(x, t, y, first, lo, hi, support, scale, omit, needed):  # type: ignore[no-untyped-def]
            left = first
            i = lo
            while i < hi:
                begin = t[i] - support
                while t[left] <= begin:
                    left += 1
                outputs = 1
                whole = False
                if i + wide <= hi:
                    far = left  # the lanes' own windows start at `far`, which moves on; the widest decides the reach
                    reach = 0
                    for lane in range(wide):
                        begin = t[i + lane] - support
                        while t[far] <= begin:
                            far += 1
                        reach = max(reach, i + lane - far + 1)
                    if i - (reach - 1) >= first:
                        whole = wide_tile(x, t, y, i, reach, support, scale, omit)
                        outputs = wide
                if outputs == 1:
                    whole = scalar(x, t, y, i, i - left + 1, support, scale, omit)
                if needed > 1 or not whole:
                    far = left
                    for k in range(i, i + outputs):
                        begin = t[k] - support
                        while t[far] <= begin:
                            far += 1
                        present = 0
                        newest = nan
                        poisoned = False
                        for j in range(k, far - 1, -1):
                            poisoned = poisoned or (omit == 0 and x[j] != x[j])
                            if abs(x[j]) < inf or omit == 0:
                                if present == 0:
                                    newest = x[j]
                                present += 1
                                if present >= needed and y[k] == y[k]:
                                    break
                        if present < needed or poisoned:
                            y[k] = nan
                        elif y[k] != y[k] or (omit and not abs(y[k]) < inf):
                            y[k] = newest
                i += outputs

        return "dldiiiiDii", run

    return build


def given(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Weights computed elsewhere: ``w`` holds those of each output's window, newest first, one window after another."""

    def run(x, w, y, left, lo, hi, omit, needed):  # type: ignore[no-untyped-def]
        at = 0
        for i in range(lo, hi):
            num = 0.0
            den = 0.0
            present = 0
            newest = nan
            for j in range(i, left[i - lo] - 1, -1):
                value = x[j]
                if omit == 0 or abs(value) < inf:
                    if present == 0:
                        newest = value
                    present += 1
                    num += w[at] * value
                    den += w[at]
                at += 1
            if present < needed or present == 0:
                y[i] = nan
            else:
                y[i] = num / den if den != 0 else newest

    return "dddliiii", run


UNIFORM, LINEAR_SHAPE, TRIANGULAR, GAUSSIAN = range(4)


def integral(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Each reading weighed by the integral of w over the time it was current ("hold"), or lines between readings.

    Ages are in units of ``scale`` (1 = the support, or sigma), ``far`` is the support in them; readings younger than
    ``edge`` count as samples in the window. Integrals use Gauss-Legendre quadrature of five nodes on pieces short enough to be exact to rounding.
    """
    exp_tile, _ = tile_functions(1, 1)
    single = t.shape(types.float64, 1, 1).spread
    store = t.store
    n1, n2 = 0.5384693101056831, 0.9061798459386640
    g0, g1, g2 = 128 / 225, 0.4786286704993665, 0.2369268850561891

    @inlined
    def weight(shape, u, scratch):  # type: ignore[no-untyped-def]
        if shape == UNIFORM:
            return 1.0
        if shape == LINEAR_SHAPE:
            return 1.0 - u
        if shape == TRIANGULAR:
            return 2.0 * min(u, 1.0 - u)
        store(exp_tile(single(-0.5 * u * u)), scratch, 0)
        return scratch[0]

    @inlined
    def pieces(shape, p, q, scratch, out):  # type: ignore[no-untyped-def]
        """out[0] = integral of w over [p, q], out[1] = integral of w(s) (s - p)."""
        plain = 0.0
        slanted = 0.0
        a = p
        while a < q:
            b = q
            if shape == TRIANGULAR and a < 0.5 < b:
                b = 0.5
            if shape == GAUSSIAN:
                b = min(q, a + 0.25)
            half = 0.5 * (b - a)
            middle = 0.5 * (a + b)
            for k in range(5):
                if k == 0:
                    node, share = 0.0, g0
                elif k == 1:
                    node, share = n1, g1
                elif k == 2:
                    node, share = -n1, g1
                elif k == 3:
                    node, share = n2, g2
                else:
                    node, share = -n2, g2
                s = middle + half * node
                w = weight(shape, s, scratch) * share * half
                plain += w
                slanted += w * (s - p)
            a = b
        out[0] = plain
        out[1] = slanted

    def run(x, t, y, first, lo, hi, support, edge, scale, far, shape, lines, omit, needed, scratch, out):  # type: ignore[no-untyped-def]  # noqa: E501
        for i in range(lo, hi):
            num = 0.0
            den = 0.0
            inside = 0
            reached = False  # a present reading has been met
            poisoned = False
            newest = nan
            newer = nan
            newer_age = 0
            j = i
            while j >= first:
                value = x[j]
                age = t[i] - t[j]
                if omit == 0 and value != value:
                    poisoned = poisoned or age < edge
                elif omit == 0 or abs(value) < inf:
                    if not reached:
                        newest = value
                    elif newer_age >= support:
                        break
                    inside += 1 if age < edge else 0
                    p = newer_age * scale
                    q = min(age * scale, far)
                    if q > p and (reached or lines == 0):
                        pieces(shape, p, q, scratch, out)
                        if lines == 0:
                            num += out[0] * value
                        else:
                            older = out[1] / ((age - newer_age) * scale)
                            num += older * value + (out[0] - older) * newer
                        den += out[0]
                    reached = True
                    newer = value
                    newer_age = age
                    if age >= support:
                        break
                j -= 1
            if inside < needed or inside == 0 or poisoned:
                y[i] = nan
            elif den > 0:
                y[i] = num / den
            else:
                y[i] = newest

    return "dldiiiiiDDiiiidd", run


compile_kernel = compiler(
    {
        "boxcar": boxcar,
        "gaussian": pairs("gaussian"),
        "linear": pairs("linear"),
        "triangular": pairs("triangular"),
        "given": given,
        "integral": integral,
    }
)
