"""Many dot products at a time: each of some vectors with each of others, lane by lane, until the lanes are added up."""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, _math, at_index, pack, spread_scalar, unpack


class DotShape(NamedTuple):
    """The constructors of a tile of dot products; they are called from compiled code."""

    size: int  # numbers in a tile
    load: Callable[..., Any]
    store: Callable[..., Any]
    fma_dots: Callable[..., Any]
    fma_first: Callable[..., Any]
    add_lanes: Callable[..., Any]


def dot_shape(dtype: Any, rows: int, columns: int, lanes: int) -> DotShape:
    """Constructors for ``rows`` x ``columns`` sums of ``lanes`` numbers each.

    ``fma_dots(sums, g, at, g_step, last, x, base, places, j)`` adds, lane by lane, g[at + r*g_step : + lanes] *
    x[base + places[j + c] : + lanes] to the sum of row r and column c; rows after ``last`` repeat it. ``fma_first``
    does so for the first n lanes and touches no others. ``add_lanes(sums, y)`` stores the sums' totals.
    """
    tile, vector = Tile(dtype, rows * columns, lanes), Tile(dtype, 1, lanes)
    pointer, table, whole = types.CPointer(dtype), types.CPointer(types.int64), types.int64
    kind = f"v{lanes}{'f32' if dtype == types.float32 else 'f64'}"

    @intrinsic
    def load(_: Any, y: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            places = [at_index(builder, p, i, k * lanes, tile.vector) for k in range(tile.count)]
            return pack(builder, tile, [builder.load(place, align=tile.align) for place in places])

        return tile(pointer, whole), codegen

    @intrinsic
    def store(_: Any, sums: Any, y: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value, p, i = args
            for k, vector in enumerate(unpack(builder, tile, value)):
                builder.store(vector, at_index(builder, p, i, k * lanes, tile.vector), align=tile.align)
            return context.get_dummy_value()

        return types.none(tile, pointer, whole), codegen

    def add_products(builder: Any, read: Callable[..., Any], args: Any) -> Any:
        sums, g, at, g_step, last, x, base, places, j = args
        sums = unpack(builder, tile, sums)
        left, right = [], []
        for r in range(rows):
            row = ir.Constant(last.type, r)
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            left.append(read(builder, g, builder.add(at, builder.mul(row, g_step))))
        for c in range(columns):
            place = builder.load(builder.gep(places, [builder.add(j, ir.Constant(j.type, c))]))
            right.append(read(builder, x, builder.add(base, place)))
        for k in range(tile.count):
            sums[k] = _math(builder, vector, "fma", left[k // columns], right[k % columns], sums[k])
        return pack(builder, tile, sums)

    def all_lanes(builder: Any, p: Any, at: Any) -> Any:
        return builder.load(at_index(builder, p, at, 0, tile.vector), align=tile.align)

    @intrinsic
    def fma_dots(_: Any, sums: Any, g: Any, at: Any, g_step: Any, last: Any, x: Any, base: Any, places: Any, j: Any):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return add_products(builder, all_lanes, args)

        return tile(tile, pointer, whole, whole, whole, pointer, whole, table, whole), codegen

    @intrinsic
    def fma_first(
        _: Any, sums: Any, g: Any, at: Any, g_step: Any, last: Any, x: Any, base: Any, places: Any, j: Any, n: Any
    ):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            n = args[-1]
            integers, number = ir.VectorType(n.type, lanes), ir.IntType(32)
            ranks = ir.Constant(integers, list(range(lanes)))
            chosen = builder.icmp_signed("<", ranks, spread_scalar(builder, integers, n))
            form = ir.FunctionType(tile.vector, [tile.vector.as_pointer(), number, chosen.type, tile.vector])
            function = cgutils.get_or_insert_function(builder.module, form, f"llvm.masked.load.{kind}.p0")

            def first_lanes(builder: Any, p: Any, at: Any) -> Any:
                where = at_index(builder, p, at, 0, tile.vector)
                return builder.call(function, [where, ir.Constant(number, tile.align), chosen, tile.constant(0.0)])

            return add_products(builder, first_lanes, args[:-1])

        return tile(tile, pointer, whole, whole, whole, pointer, whole, table, whole, whole), codegen

    @intrinsic
    def add_lanes(_: Any, sums: Any, y: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            for k, vector in enumerate(unpack(builder, tile, args[0])):
                builder.store(_total(builder, vector), builder.gep(args[1], [ir.Constant(ir.IntType(64), k)]))
            return context.get_dummy_value()

        return types.none(tile, pointer), codegen

    return DotShape(rows * columns * lanes, load, store, fma_dots, fma_first, add_lanes)


@intrinsic
def total(_: Any, tile: Any) -> Any:
    """The sum of a tile's numbers: vectors are added to one another, then halves of the last."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = unpack(builder, tile, args[0])
        while len(vectors) > 1:
            vectors = [builder.fadd(*vectors[:2]), *vectors[2:]]
        return _total(builder, vectors[0])

    return tile.dtype(tile), codegen


def _total(builder: Any, vector: Any) -> Any:
    number, width = ir.IntType(32), vector.type.count
    while width > 1:
        width //= 2
        halves = [
            builder.shuffle_vector(
                vector, vector, ir.Constant(ir.VectorType(number, width), list(range(first, first + width)))
            )
            for first in (0, width)
        ]
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, ir.Constant(number, 0))
