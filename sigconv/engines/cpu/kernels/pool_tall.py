"""Windows over one axis of arrays (arrays, rows, columns), in time that does not depend on how high they are.

Rows are cut into blocks as high as the window. A window is the end of one block and the start of the next: ends are
joined once for each block, from its last row up, starts while the window slides over them. This is M. van Herk's way
(1992, A fast algorithm for local minimum and maximum filters); nothing is ever taken back.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined, pool_kinds
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import pools as p
from sigconv.engines.cpu.tiles import tile as t

BIG = 4  # vectors that are worked on together


def _tall(real: types.Float, kind: pool_kinds.Kind) -> tuple[str, Callable[..., None]]:
    """y[array, o] = rows o * stride - before .. of an array joined, ``kernel`` of them, as far as there are any.

    The work is numbered by array, strip of ``strip`` columns, and block; ``ends`` has room for a block and a row more
    of ``pitch`` numbers.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    big = BIG * lanes
    _, _, load, spread, _ = t.shape(real, BIG, lanes)
    load_some = p.load_some(real, lanes, kind.nothing, BIG)
    load_one, store, store_some = t.shape(real, 1, lanes).load, t.store, p.store_some
    nothing, prepare, join = real(kind.nothing), kind.prepare, kind.join

    def joiner(first: bool) -> Any:
        @inlined
        def join_row(x, at, n, power, line, old, new):
            """line[new + c] = line[old + c] and x[at + c] joined, x's first or last."""
            for c in range(0, n, big):
                if c + big <= n:
                    cells = prepare(load(x, at + c), power)
                else:
                    cells = prepare(load_some(x, at + c, n - c), power)
                if first:
                    cells = join(cells, load(line, old + c))
                else:
                    cells = join(load(line, old + c), cells)
                store(cells, line, new + c)

        return join_row

    join_above, join_below = joiner(first=True), joiner(first=False)

    @inlined
    def clear(line, at, n):
        for c in range(0, n, big):
            store(spread(nothing), line, at + c)

    @inlined
    def write(line, one, other, n, y, to):
        c = 0
        while c + big <= n:
            store(join(load(line, one + c), load(line, other + c)), y, to + c)
            c += big
        while c < n:
            store_some(join(load_one(line, one + c), load_one(line, other + c)), y, to + c, n - c)
            c += lanes

    def run(x, y, rows, columns, out, kernel, stride, before, strip, pitch, power, ends, lo, hi):
        blocks = ((out - 1) * stride + kernel) // kernel  # those in which a window starts
        strips = (columns + strip - 1) // strip
        start = kernel * pitch  # where the starts are joined, behind the ends
        for item in range(lo, hi):
            array = item // (blocks * strips)
            left = item // blocks % strips * strip
            n = min(strip, columns - left)
            first = item % blocks * kernel - before  # the block's first row
            source = array * rows * columns + left
            target = array * out * columns + left
            clear(ends, start, n)
            old = start
            for r in range(kernel - 1, -1, -1):
                new = r * pitch
                if 0 <= first + r < rows:
                    join_above(x, source + (first + r) * columns, n, power, ends, old, new)
                    old = new
                elif old == start:
                    clear(ends, new, n)
                else:
                    break  # no window starts ahead of the padding, and none has more to join
            begin = item % blocks * kernel
            o = (begin + stride - 1) // stride
            for r in range(kernel):
                if o >= out or o * stride >= begin + kernel:
                    break
                if begin + r == o * stride:
                    write(ends, max(r, -first) * pitch, start, n, y, target + o * columns)
                    o += 1
                if 0 <= first + kernel + r < rows:
                    join_below(x, source + (first + kernel + r) * columns, n, power, ends, start, start)

    return "xxiiiiiiiiixii", run


def greatest(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the greatest number of each window, NaN where there is one."""
    return _tall(real, pool_kinds.greatest(real))


def total(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of each window."""
    return _tall(real, pool_kinds.summed(real))


def powers(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of |x|**power in each window."""
    return _tall(real, pool_kinds.powers(real))


compile_kernel = compiler({"greatest": greatest, "total": total, "powers": powers})
