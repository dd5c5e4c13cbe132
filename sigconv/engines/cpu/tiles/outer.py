"""Sums of outer products in registers, blocks turned over, and vectors that hold less than all their lanes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, _math, at_index, pack, spread_scalar, unpack

_NUMBER = ir.IntType(32)


class OuterShape(NamedTuple):
    """The constructors of a tile of outer products; they are called from compiled code."""

    zeros: Callable[..., Any]
    fma_outer: Callable[..., Any]
    store_outer: Callable[..., Any]


def outer_shape(dtype: Any, rows: int, columns: int, lanes: int) -> OuterShape:
    """Constructors for ``rows`` sums of ``columns`` vectors of ``lanes`` numbers.

    ``fma_outer(sums, g, at, x, base, places, j)`` adds g[at : at + columns*lanes] * x[base + places[j + r]] to row r;
    ``store_outer(sums, y, at)`` puts the rows one behind the other.
    """
    tile = Tile(dtype, rows * columns, lanes)
    pointer = types.CPointer(dtype)

    @intrinsic
    def zeros(_: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, tile, [tile.constant(0.0)] * tile.count)

        return tile(), codegen

    @intrinsic
    def fma_outer(_: Any, sums: Any, g: Any, at: Any, x: Any, base: Any, places: Any, j: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, g, at, x, base, places, j = args
            sums = unpack(builder, tile, sums)
            wide = [
                builder.load(at_index(builder, g, at, c * lanes, tile.vector), align=tile.align) for c in range(columns)
            ]
            start = builder.gep(x, [base])
            for r in range(rows):
                place = builder.load(builder.gep(places, [builder.add(j, ir.Constant(j.type, r))]))
                factor = spread_scalar(builder, tile.vector, builder.load(builder.gep(start, [place])))
                for c in range(columns):
                    k = r * columns + c
                    sums[k] = _math(builder, tile, "fma", wide[c], factor, sums[k])
            return pack(builder, tile, sums)

        table = types.CPointer(types.int64)
        return tile(tile, pointer, types.int64, pointer, types.int64, table, types.int64), codegen

    @intrinsic
    def store_outer(_: Any, sums: Any, y: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            for k, vector in enumerate(unpack(builder, tile, args[0])):
                builder.store(vector, at_index(builder, args[1], args[2], k * lanes, tile.vector), align=tile.align)
            return context.get_dummy_value()

        return types.none(tile, pointer, types.int64), codegen

    return OuterShape(zeros, fma_outer, store_outer)


def turn_over(dtype: Any, lanes: int) -> Callable[..., Any]:
    """An intrinsic: y[to + q*y_step + r] = x[at + r*x_step + q] for a block of ``lanes`` x ``lanes``.

    Rows after ``last`` repeat it: they need not be there.
    """
    tile = Tile(dtype, lanes, lanes)
    pointer = types.CPointer(dtype)

    @intrinsic
    def turned(_: Any, x: Any, at: Any, x_step: Any, last: Any, y: Any, to: Any, y_step: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, at, x_step, last, y, to, y_step = args
            rows = []
            for r in range(lanes):
                row = ir.Constant(last.type, r)
                row = builder.select(builder.icmp_signed("<", row, last), row, last)
                where = builder.add(at, builder.mul(row, x_step))
                rows.append(builder.load(at_index(builder, x, where, 0, tile.vector), align=tile.align))
            for q, column in enumerate(_turn(builder, rows, lanes)):
                where = builder.add(to, builder.mul(ir.Constant(to.type, q), y_step))
                builder.store(column, at_index(builder, y, where, 0, tile.vector), align=tile.align)
            return context.get_dummy_value()

        whole = types.int64
        return types.none(pointer, whole, whole, whole, pointer, whole, whole), codegen

    return turned


def _turn(builder: Any, rows: list[Any], lanes: int) -> list[Any]:
    """The columns of ``lanes`` vectors, by swapping ever smaller quarters."""
    vectors = list(rows)
    half = lanes // 2
    while half:
        upper = [k if not k & half else lanes + k - half for k in range(lanes)]
        lower = [k + half if not k & half else lanes + k for k in range(lanes)]
        for k in range(lanes):
            if not k & half:
                pair = vectors[k], vectors[k + half]
                for place, mask in ((k, upper), (k + half, lower)):
                    mask = ir.Constant(ir.VectorType(_NUMBER, lanes), mask)
                    vectors[place] = builder.shuffle_vector(*pair, mask)
        half //= 2
    return vectors


class Partial(NamedTuple):
    """Operations on the first ``n`` lanes of a vector; memory behind the others is not touched."""

    load_first: Callable[..., Any]
    load_between: Callable[..., Any]
    add_first: Callable[..., Any]
    store_first: Callable[..., Any]
    copy_backwards: Callable[..., Any]


def partial_shape(dtype: Any, lanes: int) -> Partial:
    """Constructors of `Partial` for vectors of ``lanes`` numbers.

    ``load_first(x, at, n)`` is x[at : at + n] and zeros; ``load_between(x, at, lo, hi)`` has x[at + k] in lanes k from
    lo to hi - 1, which may be out of a vector's range, and zeros around them. ``store_first(y, to, x, at, n)`` copies
    n numbers to y[to], ``add_first`` adds them to those there. ``copy_backwards(y, to, x, end, n)`` is y[to + k] =
    x[end - 1 - k].
    """
    tile = Tile(dtype, 1, lanes)
    pointer = types.CPointer(dtype)
    kind = f"v{lanes}{'f32' if dtype == types.float32 else 'f64'}"
    flags = ir.VectorType(ir.IntType(1), lanes)
    to_vector = tile.vector.as_pointer()
    align = ir.Constant(_NUMBER, tile.align)

    def mask(builder: Any, n: Any, last: bool = False) -> Any:
        """The first n lanes, or the last."""
        integers = ir.VectorType(n.type, lanes)
        ranks = ir.Constant(integers, list(range(lanes))[:: -1 if last else 1])
        return builder.icmp_signed("<", ranks, spread_scalar(builder, integers, n))

    def load(builder: Any, p: Any, at: Any, chosen: Any) -> Any:
        kinds = ir.FunctionType(tile.vector, [to_vector, _NUMBER, flags, tile.vector])
        function = cgutils.get_or_insert_function(builder.module, kinds, f"llvm.masked.load.{kind}.p0")
        return builder.call(function, [at_index(builder, p, at, 0, tile.vector), align, chosen, tile.constant(0.0)])

    @intrinsic
    def load_first(_: Any, x: Any, at: Any, n: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, at, n = args
            return pack(builder, tile, [load(builder, x, at, mask(builder, n))])

        return tile(pointer, types.int64, types.int64), codegen

    @intrinsic
    def load_between(_: Any, x: Any, at: Any, lo: Any, hi: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, at, lo, hi = args
            chosen = builder.and_(mask(builder, hi), builder.not_(mask(builder, lo)))
            return pack(builder, tile, [load(builder, x, at, chosen)])

        return tile(pointer, types.int64, types.int64, types.int64), codegen

    def into(adding: bool = False, backwards: bool = False) -> Callable[..., Any]:
        @intrinsic
        def into_first(_: Any, y: Any, to: Any, x: Any, at: Any, n: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                y, to, x, at, n = args
                chosen = mask(builder, n)
                if backwards:
                    first = builder.sub(at, ir.Constant(at.type, lanes))
                    value = load(builder, x, first, mask(builder, n, last=True))
                    order = ir.Constant(ir.VectorType(_NUMBER, lanes), list(range(lanes))[::-1])
                    value = builder.shuffle_vector(value, value, order)
                else:
                    value = load(builder, x, at, chosen)
                if adding:
                    value = builder.fadd(load(builder, y, to, chosen), value)
                kinds = ir.FunctionType(ir.VoidType(), [tile.vector, to_vector, _NUMBER, flags])
                function = cgutils.get_or_insert_function(builder.module, kinds, f"llvm.masked.store.{kind}.p0")
                builder.call(function, [value, at_index(builder, y, to, 0, tile.vector), align, chosen])
                return context.get_dummy_value()

            whole = types.int64
            return types.none(pointer, whole, pointer, whole, whole), codegen

        return into_first

    return Partial(load_first, load_between, into(adding=True), into(), into(backwards=True))


@intrinsic
def store_in_turn(_: Any, a: Any, b: Any, y: Any, at: Any) -> Any:
    """y[at + 2*k] = a[k] and y[at + 2*k + 1] = b[k]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (left,), (right,) = unpack(builder, a, args[0]), unpack(builder, a, args[1])
        for half in range(2):
            first = half * a.lanes // 2
            mask = [side + first + k for k in range(a.lanes // 2) for side in (0, a.lanes)]
            vector = builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(_NUMBER, a.lanes), mask))
            builder.store(vector, at_index(builder, args[2], args[3], half * a.lanes, a.vector), align=a.align)
        return context.get_dummy_value()

    return types.none(a, a, types.CPointer(a.dtype), types.int64), codegen


def every_second(first: int) -> Callable[..., Any]:
    """An intrinsic: numbers ``first``, ``first`` + 2, .. of two vectors."""

    @intrinsic
    def second(_: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            (left,), (right,) = (unpack(builder, a, value) for value in args)
            mask = ir.Constant(ir.VectorType(_NUMBER, a.lanes), list(range(first, 2 * a.lanes, 2)))
            return pack(builder, a, [builder.shuffle_vector(left, right, mask)])

        return a(a, b), codegen

    return second
