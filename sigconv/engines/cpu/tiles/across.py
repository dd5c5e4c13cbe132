"""Tiles of a few places with a vector of output channels at each: a number of the input meets a vector of weights."""

from collections.abc import Callable
from typing import Any, NamedTuple

from numba import types
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, _math, at_index, pack, spread_scalar, unpack


class AcrossShape(NamedTuple):
    """The operations of one tile; they are called from compiled code."""

    repeat: Callable[..., Any]
    fma: Callable[..., Any]


def across_shape(dtype: Any, places: int, lanes: int) -> AcrossShape:
    """Operations on tiles of ``places`` vectors of ``lanes`` numbers.

    ``repeat(w, at)`` is the vector at w[at] at each place; ``fma(sums, x, at, w, j)`` adds x[at + k] times the vector
    at w[j] to that of place k.
    """
    tile = Tile(dtype, places, lanes)
    pointer, integer = types.CPointer(dtype), types.int64

    @intrinsic
    def repeat(_: Any, w: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            vector = builder.load(at_index(builder, p, i, 0, tile.vector), align=tile.align)
            return pack(builder, tile, [vector] * places)

        return tile(pointer, integer), codegen

    @intrinsic
    def fma(_: Any, sums: Any, x: Any, at: Any, w: Any, j: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, x, at, w, j = args
            weights = builder.load(at_index(builder, w, j, 0, tile.vector), align=tile.align)
            start = builder.gep(x, [at])
            added = []
            for k, vector in enumerate(unpack(builder, tile, sums)):
                number = builder.load(builder.gep(start, [at.type(k)]))
                added.append(_math(builder, tile, "fma", weights, spread_scalar(builder, tile.vector, number), vector))
            return pack(builder, tile, added)

        return tile(tile, pointer, integer, pointer, integer), codegen

    return AcrossShape(repeat, fma)
