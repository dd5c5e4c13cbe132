"""Operations across a tile's lanes: shifts by some lanes, counts, ramps."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, at_index, pack, spread_scalar, unpack


def shifted_by(distance: int) -> Callable[..., Any]:
    """An intrinsic on single vectors: lane k holds lane k - distance of b, the first ones come from the end of a.

    A negative distance looks ahead: lane k holds lane k - distance of a, the last ones come from the start of b.
    """

    @intrinsic
    def shifted(_: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            (left,), (right,) = (unpack(builder, a, value) for value in args)
            first = -distance if distance < 0 else max(a.lanes - distance, 0)
            lanes = [min(first + k, 2 * a.lanes - 1) for k in range(a.lanes)]
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), a.lanes), lanes)
            return pack(builder, a, [builder.shuffle_vector(left, right, lanes)])

        return a(a, b), codegen

    return shifted


def delayed(distance: int) -> Callable[..., Any]:
    """An intrinsic on whole tiles: number k becomes number k - distance, the first ones zero."""

    @intrinsic
    def delayed_tile(_: Any, tile: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = unpack(builder, tile, args[0])
            nothing = tile.constant(0.0)
            whole, part = divmod(distance, tile.lanes)
            mask = [tile.lanes - part + lane for lane in range(tile.lanes)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), tile.lanes), mask)
            moved = []
            for k in range(tile.count):
                newer = vectors[k - whole] if k >= whole else nothing
                older = vectors[k - whole - 1] if k > whole else nothing
                moved.append(builder.shuffle_vector(older, newer, mask) if part else newer)
            return pack(builder, tile, moved)

        return tile(tile), codegen

    return delayed_tile


def behind(distance: int) -> Callable[..., Any]:
    """An intrinsic: number k of a tile becomes number k - distance; the first vector of the result is given."""

    @intrinsic
    def tile_behind(_: Any, first: Any, tile: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = unpack(builder, tile, args[1])
            mask = [tile.lanes - distance + lane for lane in range(tile.lanes)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), tile.lanes), mask)
            moved = [builder.shuffle_vector(older, newer, mask) for older, newer in pairwise(vectors)]
            return pack(builder, tile, unpack(builder, first, args[0]) + moved)

        return tile(first, tile), codegen

    return tile_behind


def count_until(lanes: int) -> Callable[..., Any]:
    """An intrinsic: how many of the ``lanes`` integers from pointer[at] are no larger than a limit."""
    tile = Tile(types.int64, 1, lanes)

    @intrinsic
    def count(_: Any, pointer: Any, at: Any, limit: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, bound = args
            values = builder.load(at_index(builder, p, i, 0, tile.vector), align=tile.align)
            mask = builder.icmp_signed("<=", values, spread_scalar(builder, tile.vector, bound))
            bits = builder.zext(builder.bitcast(mask, ir.IntType(lanes)), ir.IntType(64))
            return builder.ctpop(bits)

        return types.int64(types.CPointer(types.int64), types.int64, types.int64), codegen

    return count


def ramp(count: int, lanes: int) -> Callable[..., Any]:
    """An intrinsic: first, first + 1, first + 2, .. as int64."""
    tile = Tile(types.int64, count, lanes)

    @intrinsic
    def ramp_from(_: Any, first: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            start = spread_scalar(builder, tile.vector, args[0])
            steps = [ir.Constant(tile.vector, [k * lanes + lane for lane in range(lanes)]) for k in range(count)]
            return pack(builder, tile, [builder.add(start, step) for step in steps])

        return tile(types.int64), codegen

    return ramp_from
