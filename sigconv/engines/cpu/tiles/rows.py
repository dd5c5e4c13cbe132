"""Tiles of several rows, and numbers of other kinds that go in and out of tiles.

A row tile holds ``rows`` rows of ``columns`` vectors; what is loaded once is multiplied into several rows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, _math, at_index, pack, spread_scalar, unpack

_BYTES = types.CPointer(types.uint8)
_SHARING = 4  # taps that share what is loaded
_INTEGERS = {"uint8": (8, False), "uint16": (16, False), "int16": (16, True)}


class RowShape(NamedTuple):
    """The constructors of one row tile; they are called from compiled code."""

    zeros: Callable[..., Any]
    fma: Callable[[int, int], Callable[..., Any]]
    row: tuple[Callable[..., Any], ...]


def row_shape(dtype: Any, rows: int, columns: int, lanes: int, source: str = "real", taps: int = 0) -> RowShape:
    """Constructors for tiles of ``rows`` x ``columns`` vectors of ``lanes`` numbers.

    ``fma(first, last)(tile, x, at, w, j, n, places, of, close)`` adds x[at + places[of + b] + ..] times the weight
    w[j + b - (r - first) * n] to the rows r in [first, last), for b = 0, 1, .. n - 1 in this order. Where the places
    are ``close``, 0, 1, .. n - 1, what is loaded for several b is shifted in registers: a vector that lies across two
    cache lines is slow to load. Integers, for which ``source`` is the name of their dtype and x a pointer to bytes, are
    short enough to be loaded for each b. Where ``taps`` are given, n is that number and they are close: there is then
    nothing to decide. ``row[r]`` is a row as a plain tile.
    """
    tile = Tile(dtype, rows * columns, lanes)
    pointer, places = types.CPointer(dtype), types.CPointer(types.int64)
    whole_numbers, known = source in _INTEGERS, taps

    def fma_rows(first: int, last: int) -> Callable[..., Any]:
        def add(builder: Any, sums: list[Any], x: Any, places: list[Any], w: Any, j: Any, n: Any, taps: int) -> None:
            """Add so many taps, each at its place or all from one on, to ``sums``: variables, which are registers."""
            bits = ir.VectorType(ir.IntType(dtype.bitwidth), lanes)

            def load(at: Any, offset: int) -> Any:
                if whole_numbers:
                    return _converted(builder, source, tile, x, at, offset)
                vector = builder.bitcast(at_index(builder, x, at, offset, tile.vector), bits.as_pointer())
                return builder.load(vector, align=tile.align)

            loaded = [load(places[0], c * lanes) for c in range(columns)]
            for b in range(taps):
                row = builder.add(j, ir.Constant(j.type, b))
                weights = []
                for _ in range(first, last):
                    weights.append(spread_scalar(builder, tile.vector, builder.load(builder.gep(w, [row]))))
                    row = builder.sub(row, n)
                for c in range(columns):
                    if b < len(places):
                        shifted = loaded[c] if b == 0 else load(places[b], c * lanes)
                    elif c == columns - 1:  # so that nothing beyond the last tap is read
                        shifted = load(places[0], c * lanes + b)
                    else:
                        shifted = _behind(builder, loaded[c], loaded[c + 1], b)
                    shifted = builder.bitcast(shifted, tile.vector)
                    for r, weight in zip(range(first, last), weights, strict=True):
                        total = sums[r * columns + c]
                        builder.store(_math(builder, tile, "fma", shifted, weight, builder.load(total)), total)

        @intrinsic
        def fma(_: Any, acc: Any, x: Any, at: Any, w: Any, j: Any, n: Any, g: Any, of: Any, close: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                value, p, i, weights, first_weight, many, table, begin, together = args
                sums = [cgutils.alloca_once_value(builder, v) for v in unpack(builder, tile, value)]
                number = ir.IntType(64)
                done = ir.Constant(number, 0)
                together = builder.icmp_unsigned("!=", together, ir.Constant(together.type, 0))
                together = ir.Constant(together.type, 1) if whole_numbers else together
                whole = builder.select(together, builder.and_(many, ir.Constant(number, -_SHARING)), done)

                def some(of: Any, taps: int) -> None:
                    places = [builder.add(i, of)]
                    if whole_numbers or taps == 1:
                        begins = [builder.add(builder.add(begin, of), ir.Constant(number, b)) for b in range(taps)]
                        places = [builder.add(i, builder.load(builder.gep(table, [b]))) for b in begins]
                    add(builder, sums, p, places, weights, builder.add(first_weight, of), many, taps)

                if known:
                    some(done, known)
                    return pack(builder, tile, [builder.load(total) for total in sums])
                with cgutils.for_range_slice(builder, done, whole, ir.Constant(number, _SHARING), number) as (b, _):
                    some(b, _SHARING)
                done = whole
                for rest in range(2, _SHARING):
                    left = builder.icmp_signed("==", builder.sub(many, whole), ir.Constant(number, rest))
                    left = builder.and_(together, left)
                    with builder.if_then(left):
                        some(whole, rest)
                    done = builder.select(left, many, done)
                with cgutils.for_range_slice(builder, done, many, ir.Constant(number, 1), number) as (b, _):
                    some(b, 1)
                return pack(builder, tile, [builder.load(total) for total in sums])

            numbers, cells = types.int64, _BYTES if whole_numbers else pointer
            return tile(tile, cells, numbers, pointer, numbers, numbers, places, numbers, types.boolean), codegen

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


def _behind(builder: Any, first: Any, second: Any, shift: int) -> Any:
    """The vector that begins ``shift`` numbers into two vectors that follow each other."""
    lanes = first.type.count
    mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [shift + lane for lane in range(lanes)])
    return builder.shuffle_vector(first, second, mask)


def _element(kind: str, dtype: Any) -> Any:
    """The LLVM type of a number in memory."""
    return ir.IntType(_INTEGERS[kind][0]) if kind in _INTEGERS else Tile(dtype, 1, 1).vector.element


def _place(builder: Any, pointer: Any, index: Any, offset: int, vector: Any) -> Any:
    """Where element ``index + offset`` of a vector's kind stands behind a pointer to bytes."""
    first = builder.bitcast(pointer, vector.element.as_pointer())
    return builder.bitcast(
        builder.gep(first, [builder.add(index, ir.Constant(index.type, offset))]), vector.as_pointer()
    )


def _converted(builder: Any, kind: str, tile: Tile, pointer: Any, at: Any, offset: int) -> Any:
    """The vector of the tile's kind from element ``at + offset`` on behind a pointer to bytes."""
    vector = ir.VectorType(_element(kind, tile.dtype), tile.lanes)
    align = vector.element.width // 8 if kind in _INTEGERS else tile.align
    loaded = builder.load(_place(builder, pointer, at, offset, vector), align=align)
    if kind not in _INTEGERS:
        return loaded
    wide = ir.VectorType(ir.IntType(32), tile.lanes)
    _, signed = _INTEGERS[kind]
    return builder.sitofp(builder.sext(loaded, wide) if signed else builder.zext(loaded, wide), tile.vector)


def reader(kind: str, dtype: Any, count: int, lanes: int) -> Callable[..., Any]:
    """An intrinsic: a tile of ``dtype`` from element ``at`` on of an array of ``kind`` behind a pointer to bytes.

    ``kind`` is "real" for the tile's own, or the name of an integer dtype.
    """
    tile = Tile(dtype, count, lanes)

    @intrinsic
    def read(_: Any, pointer: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            return pack(builder, tile, [_converted(builder, kind, tile, p, i, k * lanes) for k in range(count)])

        return tile(pointer, types.int64), codegen

    return read


def writer(kind: str, past_cache: bool = False) -> Callable[..., Any]:
    """An intrinsic that stores a tile as numbers of ``kind``: integers are rounded half to even and kept in range.

    What is written ``past_cache`` needs an address that whole vectors divide.
    """

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
                align = align * tile.lanes if past_cache else align
                stored = builder.store(number, _place(builder, p, i, k * tile.lanes, vector), align=align)
                if past_cache:
                    number_one = ir.Constant(ir.IntType(32), 1)
                    stored.set_metadata("nontemporal", builder.module.add_metadata([number_one]))
            return context.get_dummy_value()

        return types.none(tile, _BYTES, types.int64), codegen

    return write
