"""Equal weights by sample count: sums of sums, so that a wide window costs few additions and nothing is subtracted.

A window of W samples is cut, from its newest sample on, into groups of g2 = b1 b2 samples, groups of b1 and single
samples. Sums over b1 neighbours are computed once and shared by the windows around them, sums over b1 groups
likewise: about 3 cbrt(W) additions an output, each output a fixed tree over its own window.
"""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu import tile as t
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.target import host


def smooth(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[to + i] = mean of the present among x[at + i - j step], 0 <= j < width; 0 <= i < n.

    Outputs are computed ``block`` at a time; ``sums1``, ``sums2``, ``clean`` and ``present`` are scratch of
    block + width * step numbers each.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    size, zeros, load, spread, _ = t.shape(real, 4, lanes)
    add, store, div, where_finite, all_finite = t.add, t.store, t.div, t.where_finite, t.all_finite

    @inlined
    def group(x, at, stride, count, out, to, n, more):  # type: ignore[no-untyped-def]
        """out[to + i] (+)= sum of x[at + i - j stride], 0 <= j < count."""
        if count == 0 and more:
            return
        i = 0
        while i + size <= n:
            acc = load(out, to + i) if more else zeros()
            for j in range(count):
                acc = add(acc, load(x, at + i - j * stride))
            store(acc, out, to + i)
            i += size
        while i < n:
            total = out[to + i] if more else real(0)
            for j in range(count):
                total += x[at + i - j * stride]
            out[to + i] = total
            i += 1

    @inlined
    def windows(x, at, width, b1, b2, step, sums1, sums2, out, to, n):  # type: ignore[no-untyped-def]
        """out[to + i] = sum of the window that ends at x[at + i]."""
        g1 = b1 * step
        g2 = b1 * b2 * step
        wide = width // (b1 * b2) if b2 > 1 else 0
        rest = width - wide * b1 * b2
        narrow = rest // b1 if b1 > 1 else 0
        single = rest - narrow * b1
        far = at - (width - 1) * step  # the oldest sample of the first window
        # sums1[q] ends at x[far + q], sums2 likewise: only what lies whole inside is computed
        reach = at - far + n
        if b1 > 1:
            start1 = (b1 - 1) * step
            group(x, far + start1, step, b1, sums1, start1, reach - start1, False)
        if wide > 0:
            start2 = (b1 * b2 - 1) * step
            group(sums1, start2, g1, b2, sums2, start2, reach - start2, False)
        here = at - far
        group(sums2, here, g2, wide, out, to, n, False)
        here -= wide * g2
        group(sums1, here, g1, narrow, out, to, n, True)
        here -= narrow * g1
        group(x, far + here, step, single, out, to, n, True)

    @inlined
    def finite_block(y, to, n):  # type: ignore[no-untyped-def]
        i = 0
        while i + size <= n:
            if not all_finite(load(y, to + i)):
                return False
            i += size
        while i < n:
            if not abs(y[to + i]) < inf:
                return False
            i += 1
        return True

    @inlined
    def mean(y, to, n, width):  # type: ignore[no-untyped-def]
        i = 0
        whole = spread(real(width))
        while i + size <= n:
            store(div(load(y, to + i), whole), y, to + i)
            i += size
        while i < n:
            y[to + i] /= real(width)
            i += 1

    @inlined
    def one(x, at, width, b1, b2, step, omit, needed):  # type: ignore[no-untyped-def]
        """The same tree of additions for a single output."""
        total = real(0)
        present = 0
        age = 0
        while width - age >= b1 * b2 and b1 * b2 > 1:
            wide = real(0)
            for _ in range(b2):
                narrow = real(0)
                for _ in range(b1):
                    value = x[at - age * step]
                    if not omit or abs(value) < inf:
                        narrow += value
                        present += 1
                    age += 1
                wide += narrow
            total += wide
        while width - age >= b1 and b1 > 1:
            narrow = real(0)
            for _ in range(b1):
                value = x[at - age * step]
                if not omit or abs(value) < inf:
                    narrow += value
                    present += 1
                age += 1
            total += narrow
        while age < width:
            value = x[at - age * step]
            if not omit or abs(value) < inf:
                total += value
                present += 1
            age += 1
        if present < needed or present == 0:
            return real(nan)
        return total / real(present)

    @inlined
    def block_of_outputs(x, at, width, b1, b2, step, y, to, n, omit, needed, sums1, sums2, clean, present):  # type: ignore[no-untyped-def]
        windows(x, at, width, b1, b2, step, sums1, sums2, y, to, n)
        if not omit or finite_block(y, to, n):
            mean(y, to, n, width)
            return
        far = at - (width - 1) * step
        reach = at - far + n
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
        windows(clean, at - far, width, b1, b2, step, sums1, sums2, y, to, n)
        # the sums of the values are in y; the counts go where the values were
        windows(present, at - far, width, b1, b2, step, sums1, sums2, clean, 0, n)
        for i in range(n):
            count = clean[i]
            y[to + i] = y[to + i] / count if count >= needed and count > 0 else real(nan)

    def run(x, at, width, b1, b2, step, y, to, n, block, omit, needed, sums1, sums2, clean, present):  # type: ignore[no-untyped-def]
        if n <= 8:
            for i in range(n):
                y[to + i] = one(x, at + i, width, b1, b2, step, omit, needed)
            return
        for i in range(0, n, block):
            m = min(block, n - i)
            block_of_outputs(
                x, at + i, width, b1, b2, step, y, to + i, m, omit, needed, sums1, sums2, clean, present
            )

    return "xiiiiixiiiiixxxx", run


def start(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The mean of all rows so far, missing values counting as they are: the first rows of a series."""

    def run(x, step, y, rows):  # type: ignore[no-untyped-def]
        for c in range(step):
            total = real(0)
            for row in range(rows):
                total += x[row * step + c]
                y[row * step + c] = total / real(row + 1)

    return "xixi", run


compile_kernel = compiler({"smooth": smooth, "start": start})
