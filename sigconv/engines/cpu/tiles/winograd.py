"""The sums and differences that let a window's cells, up to three by three, make four outputs with fewer products.

They are S. Winograd's F(2, 3), along rows and along columns: from inputs d0, .., d3 and weights g0, g1, g2 the outputs
d0 g0 + d1 g1 + d2 g2 and d1 g0 + d2 g1 + d3 g2 are m0 + m1 + m2 and m1 - m2 - m3 for four products m instead of six.
Two weights need three of the four, one needs two; the other kinds are left as they are.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, at_index, pack, spread_scalar, unpack


def _mixing(name: str, before: int, after: int, mix: Callable[..., list[Any]]) -> Callable[..., Any]:
    """An intrinsic from tiles of ``before`` vectors to tiles of ``after``."""

    def form(_: Any, tile: Any) -> Any:
        if tile.count != before:
            return None
        result = Tile(tile.dtype, after, tile.lanes)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, result, mix(builder, tile, *unpack(builder, tile, args[0])))

        return result(tile), codegen

    form.__name__ = name
    return intrinsic(form)


def _of_products(b: Any, tile: Tile, m0: Any, m1: Any, m2: Any, m3: Any) -> list[Any]:
    return [b.fadd(b.fadd(m0, m1), m2), b.fsub(b.fsub(m1, m2), m3)]


def _of_inputs(taps: int) -> Callable[..., list[Any]]:
    def mix(b: Any, tile: Tile, d0: Any, d1: Any, d2: Any, d3: Any) -> list[Any]:
        return {
            3: lambda: [b.fsub(d0, d2), b.fadd(d1, d2), b.fsub(d2, d1), b.fsub(d1, d3)],
            2: lambda: [b.fsub(d0, d1), d1, d1, b.fsub(d1, d2)],
            1: lambda: [d0, d0, d0, b.fneg(d1)],
        }[taps]()

    return mix


def _of_weights(taps: int) -> Callable[..., list[Any]]:
    def mix(b: Any, tile: Tile, g0: Any, g1: Any, g2: Any) -> list[Any]:
        half, outer = tile.constant(0.5), b.fadd(g0, g2)
        return {
            3: lambda: [g0, b.fmul(half, b.fadd(outer, g1)), b.fmul(half, b.fsub(outer, g1)), g2],
            2: lambda: [g0, b.fadd(g0, g1), g1, g1],
            1: lambda: [g0] * 4,
        }[taps]()

    return mix


mix_products = _mixing("mix_products", 4, 2, _of_products)
mix_inputs = {taps: _mixing("mix_inputs", 4, 4, _of_inputs(taps)) for taps in (1, 2, 3)}
mix_weights = {taps: _mixing("mix_weights", 3, 4, _of_weights(taps)) for taps in (1, 2, 3)}


def in_turn(row: int) -> Callable[..., Any]:
    """An intrinsic: vector ``row`` of two tiles, a number of the one and a number of the other in turn."""

    @intrinsic
    def taken_in_turn(_: Any, a: Any, b: Any) -> Any:
        both = Tile(a.dtype, 2, a.lanes)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            left, right = (builder.extract_value(value, row) for value in args)
            order = [side + k for k in range(a.lanes) for side in (0, a.lanes)]
            masks = [
                ir.Constant(ir.VectorType(ir.IntType(32), a.lanes), part)
                for part in (order[: a.lanes], order[a.lanes :])
            ]
            return pack(builder, both, [builder.shuffle_vector(left, right, mask) for mask in masks])

        return both(a, b), codegen

    return taken_in_turn


def _inside(builder: Any, tile: Tile, n: Any) -> list[Any]:
    """For each vector of a tile, which of its lanes hold one of the tile's first n numbers."""
    numbers = ir.VectorType(n.type, tile.lanes)
    limit = spread_scalar(builder, numbers, n)
    places = [ir.Constant(numbers, [k * tile.lanes + lane for lane in range(tile.lanes)]) for k in range(tile.count)]
    return [builder.icmp_signed("<", place, limit) for place in places]


@intrinsic
def first_of(_: Any, tile: Any, n: Any) -> Any:
    """The first n numbers of a tile, and zeros."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors, nothing = unpack(builder, tile, args[0]), tile.constant(0.0)
        masks = _inside(builder, tile, args[1])
        return pack(builder, tile, [builder.select(m, v, nothing) for m, v in zip(masks, vectors, strict=True)])

    return tile(tile, types.int64), codegen


@intrinsic
def store_first(_: Any, tile: Any, pointer: Any, at: Any, n: Any) -> Any:
    """The first n numbers of a tile to pointer[at]; what lies behind is not touched."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, p, i, count = args
        kind = "f32" if tile.dtype == types.float32 else "f64"
        align = ir.Constant(ir.IntType(32), tile.align)
        masks = _inside(builder, tile, count)
        for k, (vector, mask) in enumerate(zip(unpack(builder, tile, value), masks, strict=True)):
            parameters = [vector, at_index(builder, p, i, k * tile.lanes, tile.vector), align, mask]
            form = ir.FunctionType(ir.VoidType(), [argument.type for argument in parameters])
            name = f"llvm.masked.store.v{tile.lanes}{kind}.p0"
            builder.call(cgutils.get_or_insert_function(builder.module, form, name), parameters)
        return context.get_dummy_value()

    return types.none(tile, types.CPointer(tile.dtype), types.int64, types.int64), codegen
