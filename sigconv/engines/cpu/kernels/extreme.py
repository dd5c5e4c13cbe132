"""Running minima and maxima over N-D arrays; a NaN is in every window that holds one."""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.separable import Kind, read_as, separable
from sigconv.engines.cpu.tiles.rows import reader, writer
from sigconv.engines.cpu.tiles.running import Join, chosen, part_writer


def _extremes(number: Any, join: Join) -> tuple[str, Callable[..., None]]:
    def finish(whole: bool) -> Callable[..., Any]:
        store = writer("real") if whole else part_writer("real")

        @inlined
        def write(value, divisor, y, to, present, form):
            if whole:
                store(value, y, to)
            else:
                store(value, y, to, present)

        return write

    return "bblb", separable(Kind(number, read_as("real", number), reader("real", number, 1, 1), join, finish, True))


def largest(real: types.Float) -> tuple[str, Callable[..., None]]:
    return _extremes(real, chosen(">"))


def smallest(real: types.Float) -> tuple[str, Callable[..., None]]:
    return _extremes(real, chosen("<"))


def largest_byte(_: types.Float) -> tuple[str, Callable[..., None]]:
    return _extremes(types.uint8, chosen(">"))


def smallest_byte(_: types.Float) -> tuple[str, Callable[..., None]]:
    return _extremes(types.uint8, chosen("<"))


def largest_integer(_: types.Float) -> tuple[str, Callable[..., None]]:
    return _extremes(types.int64, chosen(">"))


def smallest_integer(_: types.Float) -> tuple[str, Callable[..., None]]:
    return _extremes(types.int64, chosen("<"))


compile_kernel = compiler(
    {
        "largest": largest,
        "smallest": smallest,
        "largest_byte": largest_byte,
        "smallest_byte": smallest_byte,
        "largest_integer": largest_integer,
        "smallest_integer": smallest_integer,
    }
)
