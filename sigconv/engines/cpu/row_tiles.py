"""Tiles of several rows, and numbers of other kinds that go in and out of tiles.

A row tile holds ``rows`` rows of ``columns`` vectors; what is loaded once is multiplied into several rows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tile import Tile, _math, at_index, pack, spread_scalar, unpack

_BYTES = types.CPointer(types.uint8)
_MOST = {1: 4, 2: 4, 3: 4, 4: 2}  # taps that share what is loaded, by the rows that they are added to
_INTEGERS = {"uint8": (8, False), "uint16": (16, False), "int16": (16, True)}


class RowShape(NamedTuple):
    """The constructors of one row tile; they are called from compiled code."""

    zeros: Callable[..., Any]
    fma: Callable[[int, int], Callable[..., Any]]
    row: tuple[Callable[..., Any], ...]


def row_shape(dtype: Any, rows: int, columns: int, lanes: int) -> RowShape:
    """Constructors for tiles of ``rows`` x ``columns`` vectors of ``lanes`` numbers.

    ``fma(first, last)(tile, x, at, w, j, n, places, of, close)`` adds x[at + places[of + b] + ..] times the weight
    w[j + b - (r - first) * n] to the rows r in [first, last), for b = 0, 1, .. n - 1 in this order. Where the places
    are ``close``, 0, 1, .. n - 1, what is loaded for several b is shifted in registers: a vector that lies across two
    cache lines is slow to load. ``row[r]`` is a row as a plain tile.
    """
    tile = Tile(dtype, rows * columns, lanes)
    pointer, places = types.CPointer(dtype), types.CPointer(types.int64)

    def fma_rows(first: int, last: int) -> Callable[..., Any]:
        def add(builder: Any, sums: list[Any], x: Any, at: Any, w: Any, j: Any, n: Any, taps: int) -> None:
            """Add so many taps; ``sums`` are variables, which stay in registers."""
            ends = [c * lanes for c in range(columns)]
            if taps > 1:  # the last vector ends where the last tap does, so that nothing beyond is read
                ends.append((columns - 1) * lanes + taps - 1)
            loaded = [builder.load(at_index(builder, x, at, end, tile.vector), align=tile.align) for end in ends]
            for b in range(taps):
                shifted = [_from(builder, tile, loaded, c, b, taps) for c in range(columns)]
                place = builder.add(j, ir.Constant(j.type, b))
                for r in range(first, last):
                    weight = spread_scalar(builder, tile.vector, builder.load(builder.gep(w, [place])))
                    for c, vector in enumerate(shifted):
                        total = sums[r * columns + c]
                        builder.store(_math(builder, tile, "fma", vector, weight, builder.load(total)), total)
                    place = builder.sub(place, n)

        @intrinsic
        def fma(_: Any, acc: Any, x: Any, at: Any, w: Any, j: Any, n: Any, g: Any, of: Any, close: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                value, p, i, weights, first_weight, many, table, begin, together = args
                sums = [cgutils.alloca_once_value(builder, v) for v in unpack(builder, tile, value)]
                number = ir.IntType(64)
                done = ir.Constant(number, 0)
                together = builder.icmp_unsigned("!=", together, ir.Constant(together.type, 0))
                most = _MOST[last - first]
                size = ir.Constant(number, most)
                whole = builder.and_(many, ir.Constant(number, -most))
                whole = builder.select(together, whole, done)
                with cgutils.for_range_slice(builder, done, whole, size, number) as (b, _):
                    add(builder, sums, p, builder.add(i, b), weights, builder.add(first_weight, b), many, most)
                done = whole
                while most > 2:
                    most //= 2
                    size = ir.Constant(number, most)
                    enough = builder.icmp_signed(">=", builder.sub(many, done), size)
                    enough = builder.and_(together, enough)
                    with builder.if_then(enough):
                        add(
                            builder, sums, p, builder.add(i, done), weights, builder.add(first_weight, done), many, most
                        )
                    done = builder.add(done, builder.select(enough, size, ir.Constant(number, 0)))
                with cgutils.for_range_slice(builder, done, many, ir.Constant(number, 1), number) as (b, _):
                    at = builder.add(i, builder.load(builder.gep(table, [builder.add(begin, b)])))
                    add(builder, sums, p, at, weights, builder.add(first_weight, b), many, 1)
                return pack(builder, tile, [builder.load(total) for total in sums])

            numbers = types.int64
            return tile(tile, pointer, numbers, pointer, numbers, numbers, places, numbers, types.boolean), codegen

        return fma

    def one_row(r: int) -> Callable[..., Any]:
        part = Tile(dtype, columns, lanes)

        @intrinsic
        def row(_: Any, acc: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return pack(builder, part, unpack(builder, tile, args[0])[r * columns : (r + 1) * columns])

            return part(tile), codegen

        return row

    @intrinsic
    def zeros(_: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, tile, [tile.constant(0.0)] * tile.count)

        return tile(), codegen

    return RowShape(zeros, fma_rows, tuple(one_row(r) for r in range(rows)))


def _from(builder: Any, tile: Tile, loaded: list[Any], column: int, shift: int, taps: int) -> Any:
    """The vector that begins ``shift`` numbers into a column; the vector after the last one begins early."""
    if shift == 0:
        return loaded[column]
    if column == len(loaded) - 2 and shift == taps - 1:
        return loaded[-1]
    lanes = [shift + lane for lane in range(tile.lanes)]
    if column == len(loaded) - 2:
        lanes = [lane if lane < tile.lanes else lane + tile.lanes - taps + 1 for lane in lanes]
    mask = ir.Constant(ir.VectorType(ir.IntType(32), tile.lanes), lanes)
    return builder.shuffle_vector(loaded[column], loaded[column + 1], mask)


def _element(kind: str, dtype: Any) -> Any:
    """The LLVM type of a number in memory."""
    return ir.IntType(_INTEGERS[kind][0]) if kind in _INTEGERS else Tile(dtype, 1, 1).vector.element


def _place(builder: Any, pointer: Any, index: Any, offset: int, vector: Any) -> Any:
    """Where element ``index + offset`` of a vector's kind stands behind a pointer to bytes."""
    first = builder.bitcast(pointer, vector.element.as_pointer())
    return builder.bitcast(
        builder.gep(first, [builder.add(index, ir.Constant(index.type, offset))]), vector.as_pointer()
    )


def reader(kind: str, dtype: Any, count: int, lanes: int) -> Callable[..., Any]:
    """An intrinsic: a tile of ``dtype`` from element ``at`` on of an array of ``kind`` behind a pointer to bytes.

    ``kind`` is "real" for the tile's own, or the name of an integer dtype.
    """
    tile = Tile(dtype, count, lanes)
    vector = ir.VectorType(_element(kind, dtype), lanes)
    align = vector.element.width // 8 if kind in _INTEGERS else tile.align

    @intrinsic
    def read(_: Any, pointer: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            loaded = [builder.load(_place(builder, p, i, k * lanes, vector), align=align) for k in range(count)]
            if kind in _INTEGERS:
                _, signed = _INTEGERS[kind]
                wide = ir.VectorType(ir.IntType(32), lanes)
                loaded = [builder.sext(v, wide) if signed else builder.zext(v, wide) for v in loaded]
                loaded = [builder.sitofp(v, tile.vector) for v in loaded]
            return pack(builder, tile, loaded)

        return tile(pointer, types.int64), codegen

    return read


def writer(kind: str) -> Callable[..., Any]:
    """An intrinsic that stores a tile as numbers of ``kind``: integers are rounded half to even and kept in range."""

    @intrinsic
    def write(_: Any, tile: Any, pointer: Any, at: Any) -> Any:
        vector = ir.VectorType(_element(kind, tile.dtype), tile.lanes)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value, p, i = args
            for k, number in enumerate(unpack(builder, tile, value)):
                align = tile.align
                if kind in _INTEGERS:
                    bits, signed = _INTEGERS[kind]
                    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
                    low, high = tile.constant(float(least)), tile.constant(float(most))
                    number = builder.select(builder.fcmp_ordered("ogt", number, low), number, low)
                    number = builder.select(builder.fcmp_ordered("olt", number, high), number, high)
                    number = _math(builder, tile, "rint", number)
                    number = builder.fptosi(number, ir.VectorType(ir.IntType(32), tile.lanes))
                    number, align = builder.trunc(number, vector), bits // 8
                builder.store(number, _place(builder, p, i, k * tile.lanes, vector), align=align)
            return context.get_dummy_value()

        return types.none(tile, _BYTES, types.int64), codegen

    return write
