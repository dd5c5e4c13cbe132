"""Running means over N-D arrays: sums down and along, then one division."""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.separable import DEEP, Kind, lanes_of, read_as, separable
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.rows import reader, writer
from sigconv.engines.cpu.tiles.running import added, part_reader, part_writer

LETTERS = "bblb"


def _means(number: Any, whole: bool) -> Callable[..., Any]:
    spread, div = t.shape(number, DEEP if whole else 1, lanes_of(number)).spread, t.div

    @inlined
    def mean(total, divisor):
        return div(total, spread(number(divisor)))

    return mean


def _writer(kind: str, whole: bool) -> Callable[..., Any]:
    store = writer(kind) if whole else part_writer(kind)

    @inlined
    def write(tile, y, to, present):
        if whole:
            store(tile, y, to)
        else:
            store(tile, y, to, present)

    return write


def same(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Samples, sums and means of one dtype."""

    def finish(whole: bool) -> Callable[..., Any]:
        mean, write = _means(real, whole), _writer("real", whole)

        @inlined
        def store_means(total, divisor, y, to, present, form):
            write(mean(total, divisor), y, to, present)

        return store_means

    return LETTERS, separable(Kind(real, read_as("real", real), reader("real", real, 1, 1), added, finish, False))


def wide(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Samples and means of one dtype, sums in float64."""
    widen, narrow, wider = t.widen, t.narrow_to(real), types.float64
    one = reader("real", real, 1, 1)

    def read(whole: bool) -> Callable[..., Any]:
        lanes = lanes_of(wider)
        load = reader("real", real, DEEP, lanes) if whole else part_reader("real", real, lanes)

        @inlined
        def widened(x, at, present):
            return widen(load(x, at) if whole else load(x, at, present))

        return widened

    @inlined
    def read_one(x, at):
        return widen(one(x, at))

    def finish(whole: bool) -> Callable[..., Any]:
        mean, write = _means(wider, whole), _writer("real", whole)

        @inlined
        def store_means(total, divisor, y, to, present, form):
            write(narrow(mean(total, divisor)), y, to, present)

        return store_means

    return LETTERS, separable(Kind(wider, read, read_one, added, finish, False))


def of_bytes(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Samples of uint8; means as uint8 where ``form`` is 1, else not rounded."""

    def finish(whole: bool) -> Callable[..., Any]:
        mean, write, write_bytes = _means(real, whole), _writer("real", whole), _writer("uint8", whole)

        @inlined
        def store_means(total, divisor, y, to, present, form):
            if form:
                write_bytes(mean(total, divisor), y, to, present)
            else:
                write(mean(total, divisor), y, to, present)

        return store_means

    return LETTERS, separable(Kind(real, read_as("uint8", real), reader("uint8", real, 1, 1), added, finish, False))


compile_kernel = compiler({"same": same, "wide": wide, "of_bytes": of_bytes})
