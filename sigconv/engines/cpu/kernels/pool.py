"""Windows over one to three axes: the greatest number, the sum, the sum of powers; and sums sent back.

A window is taken apart by axis. Its rows are joined number by number into a line, which border cells that change
nothing lead and follow; then the line's windows are joined. Wide windows share what they have in common: a window of
2m cells is two of m, so that a few sums or maxima of pairs, fours, eights .. make up any width, and none is taken back.

The whole numbers of a pool come in ``plan`` in the order of `pool_sizes.Plan`. For each of an axis's outputs
``depth``, ``height`` and ``columns`` hold its first cell, and then for each how many it has.
"""

from collections.abc import Callable
from math import sqrt

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined, pool_kinds
from sigconv.engines.cpu.sizes.pools import WIDE
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import pools as p
from sigconv.engines.cpu.tiles import tile as t

BIG = 4  # vectors that are worked on together
AHEAD = 2**12  # cells between what is worked on and what is asked for


def _pool(real: types.Float, kind: pool_kinds.Kind) -> tuple[str, Callable[..., None]]:
    lanes = host().vector_bytes * 8 // real.bitwidth
    big = BIG * lanes
    _, _, load_big, spread_big, _ = t.shape(real, BIG, lanes)
    _, _, load, spread, _ = t.shape(real, 1, lanes)
    cells_of = pool_kinds.cells_by(real, lanes)
    load_big_some = p.load_some(real, lanes, kind.nothing, BIG)
    load_wide, load_wide_some = t.shape(real, 2 * BIG, lanes).load, p.load_some(real, lanes, kind.nothing, 2 * BIG)
    spread_pair = t.shape(real, 2, lanes).spread
    load_pair_some = p.load_some(real, lanes, 1.0, 2)
    evens, odds = p.every_other(0), p.every_other(1)
    store, store_some, store_every_other = t.store, p.store_some, p.store_every_other
    ask_for = t.ask_for
    mul, div, root = t.mul, t.div, p.root
    nothing, prepare, join, join_one, fold = kind.nothing, kind.prepare, kind.join, kind.join_one, kind.fold
    counted, rooted, again = kind.counted, kind.rooted, kind.again

    @inlined
    def ask_ahead(x, at, n):
        for c in range(0, n, lanes):
            ask_for(x, at + c + AHEAD)

    def in_registers(count):
        load_row = p.load_some(real, lanes, kind.nothing, count)

        @inlined
        def join_registers(x, row, deep, step_d, high, step_h, n, halving, power, line, to):
            """line[to + c] = x[row + c] joined over rows of no more than ``count`` vectors; at last neighbours are."""
            if deep > 1:
                ask_ahead(x, row, n)
            cells = prepare(load_row(x, row, n), power)
            h = 0
            for _ in range(1, deep * high):
                h += 1
                row += step_h
                if h == high:
                    h = 0
                    row += step_d - high * step_h
                if deep > 1:
                    ask_ahead(x, row, n)
                cells = join(cells, prepare(load_row(x, row, n), power))
            if halving:
                store(join(evens(cells), odds(cells)), line, to >> 1)
            else:
                store(cells, line, to)

        return join_registers

    join_narrow, join_middling = in_registers(BIG), in_registers(2 * BIG)

    @inlined
    def join_row(x, at, n, fresh, halving, power, line, to):
        """line[to + c] joins x[at + c] to what it held, unless it is fresh; c < n. At last neighbours are joined."""
        c = 0
        while c < n:
            if c + big <= n:
                cells = prepare(load_big(x, at + c), power)
            else:
                cells = prepare(load_big_some(x, at + c, n - c), power)
            if not fresh:
                cells = join(load_big(line, to + c), cells)
            if halving:
                store(join(evens(cells), odds(cells)), line, (to + c) >> 1)
            else:
                store(cells, line, to + c)
            c += big

    @inlined
    def join_rows(x, at, deep, step_d, high, step_h, n, halving, power, line, to):
        """One row after the other, as they lie in memory: that is how memory is quick.

        Where they come from several planes, what lies ahead in each of them is asked for.
        """
        if deep * high == 0:  # no cell but of the border
            for c in range(to, to + n):
                line[c >> 1 if halving else c] = nothing
        elif n <= big:
            join_narrow(x, at, deep, step_d, high, step_h, n, halving, power, line, to)
        elif n <= 2 * big:
            join_middling(x, at, deep, step_d, high, step_h, n, halving, power, line, to)
        else:
            for d in range(deep):
                for h in range(high):
                    row = at + d * step_d + h * step_h
                    if deep > 1:
                        ask_ahead(x, row, n)
                    last = d == deep - 1 and h == high - 1
                    join_row(x, row, n, d + h == 0, halving and last, power, line, to)

    @inlined
    def halve(line, n):
        """line[i] = line[2 i] joined to line[2 i + 1], i < n."""
        i = 0
        while i < n:
            acc = load_big(line, 2 * i)
            store(join(evens(acc), odds(acc)), line, i)
            i += big // 2

    @inlined
    def double(line, far, n):
        """line[i] joined to line[i + far], i < n."""
        i = 0
        while i < n:
            store(join(load(line, i), load(line, i + far)), line, i)
            i += lanes

    @inlined
    def add_up(line, taps, gap, n, sums):
        """sums[i] = the sum of line[i + j * gap], j < taps; the line is used up."""
        width = 1
        done = 0
        while width <= taps:
            if taps & width:
                i = 0
                while i < n - (taps - 1) * gap:
                    part = load(line, i + done * gap)
                    store(part if done == 0 else join(load(sums, i), part), sums, i)
                    i += lanes
                done += width
            width *= 2
            if width <= taps:
                double(line, (width // 2) * gap, n - (width - 1) * gap)

    @inlined
    def join_run(line, at, count, step):
        """The numbers line[at], line[at + step], .. joined."""
        acc = line[at]
        k = 1
        if step == 1 and count >= 2 * lanes:
            accs = load(line, at)
            k = lanes
            while k + lanes <= count:
                accs = join(accs, load(line, at + k))
                k += lanes
            acc = fold(accs)
        while k < count:
            acc = join_one(acc, line[at + k * step])
            k += 1
        return acc

    @inlined
    def straight(x, at, n, kernel, over, counts, o, power, y, to):
        """y[to + i] = windows of 2 or 4 cells side by side in one row, without a line between; i < n."""
        i = 0
        while i < n:
            full = i + 2 * lanes <= n
            if kernel == 4:
                if full:
                    fours = prepare(load_wide(x, at + 4 * i), power)
                else:
                    fours = prepare(load_wide_some(x, at + 4 * i, 4 * (n - i)), power)
                twos = join(evens(fours), odds(fours))
            elif full:
                twos = prepare(load_big(x, at + 2 * i), power)
            else:
                twos = prepare(load_big_some(x, at + 2 * i, 2 * (n - i)), power)
            ones = join(evens(twos), odds(twos))
            if counted:
                ones = div(ones, mul(spread_pair(over), load_pair_some(counts, o + i, n - i)))
            if rooted and power == 2:
                ones = root(ones)
            if full:
                store(ones, y, to + i)
            else:
                store_some(ones, y, to + i, n - i)
            i += 2 * lanes

    @inlined
    def expand_line(packed, n, by, line, to):
        """line[to + i * by] = packed[i], zeros between."""
        if by == 2:
            i = 0
            while i < n:
                store_every_other(load(packed, i), line, to + 2 * i)
                i += lanes
        else:
            for k in range(n * by):
                line[to + k] = 0.0
            for i in range(n):
                line[to + i * by] = packed[i]

    def run(x, y, plan, depth, height, columns, row_counts, column_counts, line, spare, lo, hi):
        width, plane, image, deep, high, wide = plan[0], plan[1], plan[2], plan[3], plan[4], plan[5]
        step_d, step_h, step_w, kernel, stride, before = plan[6], plan[7], plan[8], plan[9], plan[10], plan[11]
        block, listed, expand, power = plan[12], plan[13], plan[14], plan[15]
        blocks = (wide + block - 1) // block
        row = lo // blocks
        o = (lo - row * blocks) * block
        first = row // (high * deep) * image
        d = row // high % deep
        h = row % high
        for _ in range(lo, hi):
            n = min(block, wide - o)
            # the line's cells: [start, stop), of which [left, right) are real
            if listed:
                start = columns[o]
                stop = columns[o + n - 1] + (columns[wide + o + n - 1] - 1) * step_w + 1
            else:
                start = o * stride - before
                stop = start + (n - 1) * stride + (kernel - 1) * step_w + 1
            left = max((start + expand - 1) // expand, 0)
            right = max(min((stop + expand - 1) // expand, width), left)
            at = first + depth[d] * plane + height[h] * width + left
            to = left * expand - start
            taps = kernel
            gap = step_w
            by = stride
            half = 1 if gap == 1 and not listed and (kernel | stride | to) & 1 == 0 and expand == 1 else 0
            rows_d, rows_h = depth[deep + d], height[high + h]
            over = row_counts[d * high + h] if counted else real(1)
            result = row * wide + o
            i = 0
            source = line
            if half and rows_d * rows_h == 1 and kernel == stride and kernel <= 4 and start == left and stop == right:
                straight(x, at, n, kernel, over, column_counts, o, power, y, result)
                i = n
            else:
                for k in range(min(to, stop - start) >> half):
                    line[k] = nothing
                joined = spare if expand > 1 else line
                joined_to = 0 if expand > 1 else to
                join_rows(x, at, rows_d, step_d, rows_h, step_h, right - left, half == 1, power, joined, joined_to)
                if expand > 1:
                    expand_line(spare, right - left, expand, line, to)
                length = (stop - start) >> half
                for k in range(max((right * expand - start + half) >> half, 0), length):
                    line[k] = nothing
                taps >>= half
                by >>= half
                while gap == 1 and not listed and (taps | by) & 1 == 0:  # windows of pairs of cells
                    length >>= 1
                    taps >>= 1
                    by >>= 1
                    halve(line, length)

                if not listed and taps >= WIDE:
                    if again:
                        span = 1
                        while 2 * span <= taps:
                            double(line, span * gap, length - (2 * span - 1) * gap)
                            span *= 2
                        gap *= taps - span
                        taps = 2 if taps > span else 1
                    else:
                        add_up(line, taps, gap, length, spare)
                        source = spare
                        taps = 1
            while listed and i < n:
                one = join_run(source, columns[o + i] - start, columns[wide + o + i], step_w)
                if counted:
                    one /= over * column_counts[o + i]
                if rooted and power == 2:
                    one = sqrt(one)
                y[result + i] = one
                i += 1
            while by == 1 and i + big <= n:
                accs = load_big(source, i)
                for j in range(1, taps):
                    accs = join(accs, load_big(source, i + j * gap))
                if counted:
                    accs = div(accs, mul(spread_big(over), load_big(column_counts, o + i)))
                if rooted and power == 2:
                    accs = root(accs)
                store(accs, y, result + i)
                i += big
            while i < n:
                at = i * by
                acc = cells_of(source, at, by)
                for j in range(1, taps):
                    acc = join(acc, cells_of(source, at + j * gap, by))
                if counted:
                    acc = div(acc, mul(spread(over), load(column_counts, o + i)))
                if rooted and power == 2:
                    acc = root(acc)
                store_some(acc, y, result + i, n - i)
                i += lanes

            o += block
            if o >= wide:
                o = 0
                row += 1
                h += 1
                if h == high:
                    h = 0
                    d += 1
                    if d == deep:
                        d = 0
                        first += image

    return "xxllllxxxxii", run


def greatest(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the greatest number of each window, NaN where there is one."""
    return _pool(real, pool_kinds.greatest(real))


def total(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of each window over row_counts * column_counts."""
    return _pool(real, pool_kinds.summed(real))


def powers(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of |x|**power in each window, of which the square root for a power of 2."""
    return _pool(real, pool_kinds.powers(real))


compile_kernel = compiler({"greatest": greatest, "total": total, "powers": powers})
