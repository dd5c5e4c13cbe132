"""Stamps in order."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t


def ordered(real: types.Float) -> tuple[str, Callable[..., None]]:
    """back[0] = the first row in [lo, hi) whose stamp is earlier than the one before it, where there is one."""
    lanes = host().vector_bytes // 8
    size, _, load, _, _ = t.shape(types.int64, 4, lanes)
    none_less = t.none_less

    def run(stamps, lo, hi, back):
        i = lo
        while i + size <= hi:
            if not none_less(load(stamps, i), load(stamps, i - 1)):
                break
            i += size
        while i < hi:
            if stamps[i] < stamps[i - 1]:
                back[0] = i
                return
            i += 1

    return "liil", run


compile_kernel = compiler({"ordered": ordered})
