"""Whole images joined to one number each: what `pool` does with windows."""

from collections.abc import Callable
from math import sqrt

from numba import types

from sigconv.engines.cpu import pool_tiles as p
from sigconv.engines.cpu import tile as t
from sigconv.engines.cpu.kernels import compiler, inlined, pool_kinds
from sigconv.engines.cpu.target import host

BIG = 8  # vectors that are worked on together
BLOCK = 2**14  # cells whose sum is made in their own precision; blocks are summed in float64


def _whole(real: types.Float, kind: pool_kinds.Kind) -> tuple[str, Callable[..., None]]:
    """y[image] = all cells of the image joined, over ``over``."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    big = BIG * lanes
    load_big, load = t.shape(real, BIG, lanes).load, t.shape(real, 1, lanes).load
    load_some, spread = p.load_some(real, lanes, kind.nothing), t.shape(real, 1, lanes).spread
    nothing, prepare, join, join_one, fold = kind.nothing, kind.prepare, kind.join, kind.join_one, kind.fold
    counted, rooted = kind.counted, kind.rooted

    @inlined
    def few(x, at, n, power):
        acc = spread(real(nothing))
        c = 0
        while c + lanes <= n:
            acc = join(acc, prepare(load(x, at + c), power))
            c += lanes
        if c < n:
            acc = join(acc, prepare(load_some(x, at + c, n - c), power))
        return fold(acc)

    @inlined
    def block(x, at, n, power):
        if n < big:
            return few(x, at, n, power)
        accs = prepare(load_big(x, at), power)
        c = big
        while c + big <= n:
            accs = join(accs, prepare(load_big(x, at + c), power))
            c += big
        return join_one(fold(accs), few(x, at + c, n - c, power)) if c < n else fold(accs)

    def run(x, y, size, over, power, lo, hi):
        for image in range(lo, hi):
            acc = types.float64(nothing)
            for at in range(0, size, BLOCK):
                acc = join_one(acc, types.float64(block(x, image * size + at, min(BLOCK, size - at), power)))
            if counted:
                acc /= over
            if rooted and power == 2:
                acc = sqrt(acc)
            y[image] = acc

    return "xxiDiii", run


def greatest(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the greatest number of each image, NaN where there is one."""
    return _whole(real, pool_kinds.greatest(real))


def total(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of each image over ``over``."""
    return _whole(real, pool_kinds.summed(real))


def powers(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of |x|**power in each image, of which the square root for a power of 2."""
    return _whole(real, pool_kinds.powers(real))


compile_kernel = compiler({"greatest": greatest, "total": total, "powers": powers})
