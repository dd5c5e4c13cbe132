"""Tiles of several rows that lie apart in memory: sums for some output channels over some places."""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, _math, at_index, pack, spread_scalar, unpack


class BlockShape(NamedTuple):
    """The operations of one block: ``rows`` rows of ``columns`` vectors; they are called from compiled code."""

    size: int  # numbers in a row
    spread: Callable[..., Any]
    load: Callable[..., Any]
    store: Callable[..., Any]
    fma: Callable[..., Any]


def block_shape(
    dtype: Any, rows: int, columns: int, lanes: int, partial: bool = False, past_cache: bool = False
) -> BlockShape:
    """Operations on blocks of ``rows`` rows of ``columns`` vectors of ``lanes`` numbers.

    ``load`` and ``store`` take the distance between rows and how many numbers of each there are; only a ``partial``
    block, of one column, heeds the latter. What is stored ``past_cache`` needs addresses that whole vectors divide.
    ``fma`` multiplies the numbers from x[at], read whole, by w[j + r*step] and adds them to row r.
    """
    tile = Tile(dtype, rows * columns, lanes)
    pointer, integer = types.CPointer(dtype), types.int64
    kind = "f32" if dtype == types.float32 else "f64"

    def places(builder: Any, p: Any, i: Any, step: Any) -> Any:
        for _ in range(rows):
            for c in range(columns):
                yield at_index(builder, p, i, c * lanes, tile.vector)
            i = builder.add(i, step)

    def mask(builder: Any, present: Any) -> Any:
        count = spread_scalar(builder, ir.VectorType(ir.IntType(64), lanes), present)
        return builder.icmp_signed("<", ir.Constant(count.type, list(range(lanes))), count)

    def masked(builder: Any, name: str, result: Any, parameters: list[Any], place: Any) -> Any:
        form = ir.FunctionType(result, [argument.type for argument in parameters])
        name = f"llvm.masked.{name}.v{lanes}{kind}.p0"
        return builder.call(cgutils.get_or_insert_function(builder.module, form, name), parameters)

    @intrinsic
    def spread(_: Any, x: Any, at: Any) -> Any:
        """Row r holds x[at + r] everywhere."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            numbers = [builder.load(builder.gep(p, [builder.add(i, ir.Constant(i.type, r))])) for r in range(rows)]
            vectors = [spread_scalar(builder, tile.vector, number) for number in numbers for _ in range(columns)]
            return pack(builder, tile, vectors)

        return tile(pointer, integer), codegen

    @intrinsic
    def load(_: Any, x: Any, at: Any, step: Any, present: Any) -> Any:
        """Row r from x[at + r*step]."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, by, count = args
            if not partial:
                return pack(builder, tile, [builder.load(q, align=tile.align) for q in places(builder, p, i, by)])
            inside, align = mask(builder, count), ir.Constant(ir.IntType(32), tile.align)
            vectors = [
                masked(builder, "load", tile.vector, [q, align, inside, tile.constant(0.0)], q)
                for q in places(builder, p, i, by)
            ]
            return pack(builder, tile, vectors)

        return tile(pointer, integer, integer, integer), codegen

    @intrinsic
    def store(_: Any, value: Any, y: Any, to: Any, step: Any, present: Any) -> Any:
        """y[to + r*step ..] = row r."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            rows_, p, i, by, count = args
            vectors = unpack(builder, tile, rows_)
            if partial:
                inside, align = mask(builder, count), ir.Constant(ir.IntType(32), tile.align)
            for vector, q in zip(vectors, places(builder, p, i, by), strict=True):
                if partial:
                    masked(builder, "store", ir.VoidType(), [vector, q, align, inside], q)
                else:
                    stored = builder.store(vector, q, align=tile.align * lanes if past_cache else tile.align)
                    if past_cache:
                        one = ir.Constant(ir.IntType(32), 1)
                        stored.set_metadata("nontemporal", builder.module.add_metadata([one]))
            return context.get_dummy_value()

        return types.none(tile, pointer, integer, integer, integer), codegen

    @intrinsic
    def fma(_: Any, acc: Any, x: Any, at: Any, w: Any, j: Any, step: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, p, i, weights, index, by = args
            sums = unpack(builder, tile, sums)
            loaded = [
                builder.load(at_index(builder, p, i, c * lanes, tile.vector), align=tile.align) for c in range(columns)
            ]
            for r in range(rows):
                weight = spread_scalar(builder, tile.vector, builder.load(builder.gep(weights, [index])))
                for c in range(columns):
                    k = r * columns + c
                    sums[k] = _math(builder, tile, "fma", loaded[c], weight, sums[k])
                index = builder.add(index, by)
            return pack(builder, tile, sums)

        return tile(tile, pointer, integer, pointer, integer, integer), codegen

    return BlockShape(columns * lanes, spread, load, store, fma)


def load_between_of(dtype: Any, count: int, lanes: int) -> Callable[..., Any]:
    """An intrinsic: ``count`` vectors from x[at], of which numbers [lo, hi) are read and the others are zero.

    The limits must fit 32 bits.
    """
    tile = Tile(dtype, count, lanes)
    kind = "f32" if dtype == types.float32 else "f64"

    @intrinsic
    def load_between(_: Any, x: Any, at: Any, lo: Any, hi: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, first, last = args
            number, align = ir.VectorType(ir.IntType(32), lanes), ir.Constant(ir.IntType(32), tile.align)
            first, last = (spread_scalar(builder, number, builder.trunc(v, ir.IntType(32))) for v in (first, last))
            vectors = []
            for c in range(count):
                lane = ir.Constant(number, list(range(c * lanes, (c + 1) * lanes)))
                inside = builder.and_(builder.icmp_signed(">=", lane, first), builder.icmp_signed("<", lane, last))
                place = at_index(builder, p, i, c * lanes, tile.vector)
                parameters = [place, align, inside, tile.constant(0.0)]
                form = ir.FunctionType(tile.vector, [argument.type for argument in parameters])
                function = cgutils.get_or_insert_function(builder.module, form, f"llvm.masked.load.v{lanes}{kind}.p0")
                vectors.append(builder.call(function, parameters))
            return pack(builder, tile, vectors)

        return tile(types.CPointer(dtype), types.int64, types.int64, types.int64), codegen

    return load_between


def every_of(dtype: Any, step: int, lanes: int) -> Callable[..., Any]:
    """An intrinsic: of ``step`` vectors, a power of two, the numbers at places that are multiples of it."""
    several, one = Tile(dtype, step, lanes), Tile(dtype, 1, lanes)

    @intrinsic
    def every(_: Any, tile: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = unpack(builder, several, args[0])
            even = ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(0, 2 * lanes, 2)))
            while len(vectors) > 1:
                pairs = zip(vectors[::2], vectors[1::2], strict=True)
                vectors = [builder.shuffle_vector(a, b, even) for a, b in pairs]
            return pack(builder, one, vectors)

        return one(several), codegen

    return every


@intrinsic
def beyond(_: Any, pointer: Any, places: Any) -> Any:
    """The pointer to pointer[places]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), codegen
