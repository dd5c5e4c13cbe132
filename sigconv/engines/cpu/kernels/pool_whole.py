"""Blocks of images joined to one number each: what `pool` does with windows, for a window that holds all cells."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined, pool_kinds
from sigconv.engines.cpu.sizes.pools import BLOCK
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import pools as p
from sigconv.engines.cpu.tiles import tile as t

BIG = 4  # vectors that are worked on together


def _whole(real: types.Float, kind: pool_kinds.Kind) -> tuple[str, Callable[..., None]]:
    """y[b] = the cells of block b joined; images have ``size`` cells, and the last block of each what is left."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    big = BIG * lanes
    _, _, load_big, spread_big, _ = t.shape(real, BIG, lanes)
    load_some = p.load_some(real, lanes, kind.nothing, BIG)
    nothing, prepare, join, fold = real(kind.nothing), kind.prepare, kind.join, kind.fold

    @inlined
    def rest(accs, x, at, stop, power):
        while at + big <= stop:
            accs = join(accs, prepare(load_big(x, at), power))
            at += big
        if at < stop:
            accs = join(accs, prepare(load_some(x, at, stop - at), power))
        return fold(accs)

    def run(x, y, size, power, lo, hi):
        blocks = (size + BLOCK - 1) // BLOCK
        ahead = (hi - lo) // 2
        for one in range(lo, hi - ahead):  # two streams come from memory faster than one
            two = one + ahead
            at = one // blocks * size + one % blocks * BLOCK
            stop = min(at + BLOCK, (one // blocks + 1) * size)
            other = two // blocks * size + two % blocks * BLOCK
            other_stop = min(other + BLOCK, (two // blocks + 1) * size)
            accs = spread_big(nothing)
            others = spread_big(nothing)
            while at + big <= stop and other + big <= other_stop:
                accs = join(accs, prepare(load_big(x, at), power))
                others = join(others, prepare(load_big(x, other), power))
                at += big
                other += big
            y[one] = rest(accs, x, at, stop, power)
            y[two] = rest(others, x, other, other_stop, power)

    return "xdiiii", run


def greatest(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the greatest number of each block, NaN where there is one."""
    return _whole(real, pool_kinds.greatest(real))


def total(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of each block."""
    return _whole(real, pool_kinds.summed(real))


def powers(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the sum of |x|**power in each block."""
    return _whole(real, pool_kinds.powers(real))


compile_kernel = compiler({"greatest": greatest, "total": total, "powers": powers})
