"""Means sent back where windows lie side by side: every cell has the number of the one window that it is in."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import pools as p
from sigconv.engines.cpu.tiles import tile as t

BIG = 4  # vectors that are worked on together


def means(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[i] = x[(i + before) // step] / over along each axis, zero beyond the last window.

    For depth, height and width ``plan`` holds how many windows there are, how many cells, their step, and how many
    cells of border come first. The work is numbered by image and by rows of windows, those beyond the last included.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    big = BIG * lanes
    load, load_some = t.shape(real, 1, lanes).load, p.load_some(real, lanes)
    load_big, spread = t.shape(real, BIG, lanes).load, t.shape(real, 1, lanes).spread
    store, store_some, store_twice, div = t.store, p.store_some, p.store_twice, t.div

    @inlined
    def expand(x, at, n, step, over, line):
        """line[i * step + k] = x[at + i] / over, k < step."""
        divisor = spread(over)
        if step == 2:
            for i in range(0, n, lanes):
                store_twice(div(load_some(x, at + i, n - i), divisor), line, 2 * i)
        else:
            for i in range(n):
                value = x[at + i] / over
                for k in range(step):
                    line[i * step + k] = value

    @inlined
    def copy(line, at, n, y, to):
        c = 0
        while c + big <= n:
            store(load_big(line, at + c), y, to + c)
            c += big
        while c < n:
            store_some(load(line, at + c), y, to + c, n - c)
            c += lanes

    def run(x, y, plan, over, line, lo, hi):
        out_d, size_d, step_d, before_d = plan[0], plan[1], plan[2], plan[3]
        out_h, size_h, step_h, before_h = plan[4], plan[5], plan[6], plan[7]
        out_w, size_w, step_w, before_w = plan[8], plan[9], plan[10], plan[11]
        deep = (size_d + before_d + step_d - 1) // step_d
        high = (size_h + before_h + step_h - 1) // step_h
        for item in range(lo, hi):
            image = item // (deep * high)
            d = item // high % deep
            h = item % high
            done = 0
            if d < out_d and h < out_h:
                expand(x, ((image * out_d + d) * out_h + h) * out_w, out_w, step_w, real(over), line)
                done = out_w * step_w
            for c in range(done, size_w + before_w):
                line[c] = 0
            for plane in range(max(d * step_d - before_d, 0), min((d + 1) * step_d - before_d, size_d)):
                for row in range(max(h * step_h - before_h, 0), min((h + 1) * step_h - before_h, size_h)):
                    copy(line, before_w, size_w, y, ((image * size_d + plane) * size_h + row) * size_w)

    return "xxlDxii", run


compile_kernel = compiler({"means": means})
