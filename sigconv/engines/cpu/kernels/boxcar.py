"""Equal weights by sample count: sums of sums, so that a wide window costs few additions and nothing is subtracted.

From its newest sample on, a window is cut into groups of G samples, of 4 G, of 4 many G, and single samples, where G
samples fill 64 bytes: only the widest sums are looked back on from far, so that the others are still in the nearest
cache. Sums over G neighbours, and over four such groups, are made by doubling,

    s2[i] = s[i] + s[i-1],   s4[i] = s2[i] + s2[i-2],   s8[i] = s4[i] + s4[i-4],  ..

in registers, and shared by the windows around them, sums over ``many`` of the latter likewise: about 2 sqrt(W/4G)
further additions an output, each output a fixed tree over its own window. The vectors of groups G apart are all
equally aligned.
"""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.causal.taps import SHARE_BYTES
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import shuffles
from sigconv.engines.cpu.tiles import tile as t

STRETCH = 512


def smooth(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[to + i] = mean of the present among x[at + i - j step], 0 <= j < width; 0 <= i < n.

    Outputs are computed ``block`` at a time; ``sums``, ``fours``, ``wider``, ``clean`` and ``present`` are scratch of
    block + width * step + 128 numbers each, aligned to 64 bytes. ``past`` is how many outputs come before the first
    whose address 64 bytes divide, where results are to go past the cache, else -1.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    group = SHARE_BYTES * 8 // real.bitwidth
    doubling = lanes == group
    wide = group == 16
    size, zeros, load, spread, _ = t.shape(real, 8, lanes)
    _, _, load_one, _, _ = t.shape(real, 1, lanes)
    add, mul, fma, negative = t.add, t.mul, t.fma, t.negative
    store, store_past_cache = t.store, t.store_past_cache
    where_finite, where_equal, where_less, div = t.where_finite, t.where_equal, t.where_less, t.div
    all_finite, all_equal, scalar_fma = t.all_finite, t.all_equal, t.scalar_fma_of(real)
    by_one, by_two, by_four, by_eight = (shuffles.shifted_by(k) for k in (1, 2, 4, 8))

    @inlined
    def eight(x, i, step):
        """x[i] and the seven before it, by doubling."""
        a = (x[i] + x[i - step]) + (x[i - 2 * step] + x[i - 3 * step])
        return a + ((x[i - 4 * step] + x[i - 5 * step]) + (x[i - 6 * step] + x[i - 7 * step]))

    @inlined
    def sum_group(x, i, step):
        if wide:
            return eight(x, i, step) + eight(x, i - 8 * step, step)
        return eight(x, i, step)

    @inlined
    def eight_lanes(x, i, step):
        a = add(
            add(load_one(x, i), load_one(x, i - step)),
            add(load_one(x, i - 2 * step), load_one(x, i - 3 * step)),
        )
        b = add(
            add(load_one(x, i - 4 * step), load_one(x, i - 5 * step)),
            add(load_one(x, i - 6 * step), load_one(x, i - 7 * step)),
        )
        return add(a, b)

    @inlined
    def groups(x, at, step, sums, to, n, by_fours, fours):
        """sums[to + i] = sum of the group that ends at x[at + i], and ``fours`` of them where wanted."""
        i = 0
        if doubling and step == 1 and n >= 2 * lanes:
            pairs = add(load_one(x, at), load_one(x, at - 1))
            twos = add(pairs, add(load_one(x, at - 2), load_one(x, at - 3)))
            eights = eight_lanes(x, at, 1)
            whole = eights
            if wide:
                whole = add(eights, eight_lanes(x, at - 8, 1))
            store(whole, sums, to)
            newest = whole
            old_x = load_one(x, at)
            two = whole
            two_before = whole
            i = lanes
            if by_fours:  # the groups before are there already
                one = load_one(sums, to - lanes)
                two = add(whole, one)
                two_before = add(one, load_one(sums, to - 2 * lanes))
                store(add(two, add(load_one(sums, to - 2 * lanes), load_one(sums, to - 3 * lanes))), fours, to)
            while i + lanes <= n:
                new_x = load_one(x, at + i)
                new_pairs = add(new_x, by_one(old_x, new_x))
                new_twos = add(new_pairs, by_two(pairs, new_pairs))
                new_eights = add(new_twos, by_four(twos, new_twos))
                whole = new_eights
                if wide:
                    whole = add(new_eights, by_eight(eights, new_eights))
                store(whole, sums, to + i)
                if by_fours:
                    new_two = add(whole, newest)
                    store(add(new_two, two_before), fours, to + i)
                    two_before = two
                    two = new_two
                    newest = whole
                pairs = new_pairs
                old_x = new_x
                twos = new_twos
                eights = new_eights
                i += lanes
        made = i
        while i + lanes <= n:
            whole = eight_lanes(x, at + i, step)
            if wide:
                whole = add(whole, eight_lanes(x, at + i - 8 * step, step))
            store(whole, sums, to + i)
            i += lanes
        while i < n:
            sums[to + i] = sum_group(x, at + i, step)
            i += 1
        if by_fours:
            sum_fours(sums, to + made, group * step, fours, n - made)

    @inlined
    def sum_fours(sums, at, stride, fours, n):
        """fours[at + i] = sum of sums[at + i - j stride], 0 <= j < 4."""
        i = 0
        while i + size <= n:
            new = add(load(sums, at + i), load(sums, at + i - stride))
            old = add(load(sums, at + i - 2 * stride), load(sums, at + i - 3 * stride))
            store(add(new, old), fours, at + i)
            i += size
        while i < n:
            new = sums[at + i] + sums[at + i - stride]
            fours[at + i] = new + (sums[at + i - 2 * stride] + sums[at + i - 3 * stride])
            i += 1

    @inlined
    def sum_many(fours, at, stride, many, wider, n):
        """wider[at + i] = sum of fours[at + i - j stride], 0 <= j < many."""
        i = 0
        while i + size <= n:
            acc = load(fours, at + i)
            for j in range(1, many):
                acc = add(acc, load(fours, at + i - j * stride))
            store(acc, wider, at + i)
            i += size
        while i < n:
            total = fours[at + i]
            for j in range(1, many):
                total += fours[at + i - j * stride]
            wider[at + i] = total
            i += 1

    @inlined
    def quotient(total, count, inverse):
        mean = total * inverse
        return scalar_fma(scalar_fma(-mean, count, total), inverse, mean)

    @inlined
    def bring(sums, to, n, distance):
        """The last sums of one block to where the next one looks back on them."""
        for k in range(to, to + n):
            sums[k] = sums[k + distance]

    @inlined
    def windows(x, at, width, many, step, sums, fours, wider, out, to, n, divide, past, carried):
        """out[to + i] = sum, or mean, of the window that ends at x[at + i]; whether all are finite."""
        stride = group * step
        narrow = width // group
        single = width - narrow * group
        most = 0
        quads = 0
        if many > 1:
            most = narrow // (4 * many)
            narrow -= most * 4 * many
            quads = narrow // 4
            narrow -= quads * 4
        large = 4 * stride
        huge = many * large
        here = (width // group) * stride + 64  # where output 0 stands in the scratch
        here -= here % 64
        reach = max(width // group - 1, 0) * stride
        back = max(reach - 3 * stride, 0) if many > 1 else 0
        far = max(back - (many - 1) * large, 0) if most > 0 else 0
        to_fours = narrow * stride
        to_wider = to_fours + quads * large
        if carried > 0:
            near = min(reach, max(narrow, 4) * stride)
            middle = min(back, max(to_wider, many * large))
            bring(sums, here - near, near, carried)
            bring(fours, here - middle, middle, carried)
            bring(wider, here - far, far, carried)
        else:
            groups(x, at - reach, step, sums, here - reach, reach, False, fours)
            sum_fours(sums, here - back, stride, fours, back)
            sum_many(fours, here - far, large, many, wider, far)
        count = real(width)
        inverse = real(1) / count
        finite = True
        for lo in range(0, n, STRETCH):  # so that sums are used while they are in the nearest cache
            hi = min(lo + STRETCH, n)
            if width >= group:
                groups(x, at + lo, step, sums, here + lo, hi - lo, many > 1, fours)
            if most > 0:
                sum_many(fours, here + lo, large, many, wider, hi - lo)
            i = lo
            while i + size <= hi:
                acc = zeros()
                for j in range(narrow):
                    acc = add(acc, load(sums, here + i - j * stride))
                for j in range(quads):
                    acc = add(acc, load(fours, here + i - to_fours - j * large))
                for j in range(most):
                    acc = add(acc, load(wider, here + i - to_wider - j * huge))
                for j in range(single):
                    acc = add(acc, load(x, at + i - (width - single + j) * step))
                for line in range(size // group):  # while sums are made, the next stretch is on its way
                    t.ask_for(x, at + i + STRETCH + line * group)
                finite = finite and all_finite(acc)
                if divide:  # the quotient, then what it leaves: together as exact as a division
                    mean = mul(acc, spread(inverse))
                    acc = fma(fma(negative(mean), spread(count), acc), spread(inverse), mean)
                if past >= 0:
                    store_past_cache(acc, out, to + i)
                else:
                    store(acc, out, to + i)
                i += size
            while i < hi:
                total = real(0)
                for j in range(narrow):
                    total += sums[here + i - j * stride]
                for j in range(quads):
                    total += fours[here + i - to_fours - j * large]
                for j in range(most):
                    total += wider[here + i - to_wider - j * huge]
                for j in range(single):
                    total += x[at + i - (width - single + j) * step]
                finite = finite and abs(total) < inf
                out[to + i] = quotient(total, count, inverse) if divide else total
                i += 1
        return finite

    @inlined
    def four(x, at, step):
        """The sum of four groups."""
        apart = group * step
        new = sum_group(x, at, step) + sum_group(x, at - apart, step)
        return new + (sum_group(x, at - 2 * apart, step) + sum_group(x, at - 3 * apart, step))

    @inlined
    def tree(x, at, width, many, step):
        total = real(0)
        narrow = width // group
        most = 0
        quads = 0
        if many > 1:
            most = narrow // (4 * many)
            quads = narrow % (4 * many) // 4
            narrow %= 4
        age = 0
        for _ in range(narrow):
            total += sum_group(x, at - age * step, step)
            age += group
        for _ in range(quads):
            total += four(x, at - age * step, step)
            age += 4 * group
        for _ in range(most):
            wider = four(x, at - age * step, step)
            age += 4 * group
            for _ in range(1, many):
                wider += four(x, at - age * step, step)
                age += 4 * group
            total += wider
        while age < width:
            total += x[at - age * step]
            age += 1
        return total

    @inlined
    def one(x, at, width, many, step, omit, needed, there):
        """The same tree of additions for a single output, over a copy where some are missing."""
        count = width
        if omit:
            for j in range(width):
                if not abs(x[at - j * step]) < inf:
                    count -= 1
        if count < width:
            for j in range(width):
                value = x[at - j * step]
                there[width - 1 - j] = value if abs(value) < inf else real(0)
            total = tree(there, width - 1, width, many, 1)
        else:
            total = tree(x, at, width, many, step)
        if count < needed or count == 0:
            return real(nan)
        if count < width:
            return total / real(count)
        return quotient(total, real(width), real(1) / real(width))

    @inlined
    def with_missing(x, at, width, many, step, y, to, n, needed, sums, fours, wider, clean, present):
        """Sums over the present samples, then over ones in their place."""
        far = at - (width - 1) * step
        reach = (width - 1) * step + n
        i = 0
        while i + size <= reach:
            value = load(x, far + i)
            store(where_finite(value, value, zeros()), clean, i)
            store(where_finite(value, spread(real(1)), zeros()), present, i)
            i += size
        while i < reach:
            there = abs(x[far + i]) < inf
            clean[i] = x[far + i] if there else real(0)
            present[i] = real(1) if there else real(0)
            i += 1
        windows(clean, at - far, width, many, step, sums, fours, wider, y, to, n, False, -1, 0)
        windows(present, at - far, width, many, step, sums, fours, wider, clean, 0, n, False, -1, 0)
        inverse = real(1) / real(width)
        whole = True
        full = spread(real(width))
        least = spread(real(max(needed, 1)))
        i = 0
        while i + size <= n:
            total = load(y, to + i)
            counts = load(clean, i)
            mean = mul(total, spread(inverse))
            mean = fma(fma(negative(mean), full, total), spread(inverse), mean)
            mean = where_equal(counts, full, mean, div(total, counts))
            store(where_less(counts, least, spread(real(nan)), mean), y, to + i)
            whole = whole and all_equal(counts, full)
            i += size
        while i < n:
            count = clean[i]
            whole = whole and count == width
            if count == width:
                y[to + i] = quotient(y[to + i], count, inverse)
            elif count >= needed and count > 0:
                y[to + i] = y[to + i] / count
            else:
                y[to + i] = real(nan)
            i += 1
        return whole

    def run(x, at, width, many, step, y, to, n, block, past, omit, needed, sums, fours, wider, clean, present):
        if n <= 8:
            for i in range(n):
                y[to + i] = one(x, at + i, width, many, step, omit, needed, clean)
            return
        whole = True  # until something missing is met; the block after it then counts at once
        carried = 0  # outputs of the block before, whose sums are still there
        i = 0
        while i < n:
            m = min(block, n - i)
            if i == 0 and past > 0:  # up to where whole vectors divide the address
                m = min(past, n)
            if whole:
                aligned = past if i > 0 or past == 0 else -1
                whole = windows(x, at + i, width, many, step, sums, fours, wider, y, to + i, m, True, aligned, carried)
                whole = whole or not omit
                carried = m
                if whole:
                    i += m
                    continue
            carried = 0
            whole = with_missing(x, at + i, width, many, step, y, to + i, m, needed, sums, fours, wider, clean, present)
            i += m

    return "xiiiixiiiiiixxxxx", run


def start(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The mean of all rows so far, missing values counting as they are: the first rows of a series."""

    def run(x, step, y, rows):
        for c in range(step):
            total = real(0)
            for row in range(rows):
                total += x[row * step + c]
                y[row * step + c] = total / real(row + 1)

    return "xixi", run


compile_kernel = compiler({"smooth": smooth, "start": start})
