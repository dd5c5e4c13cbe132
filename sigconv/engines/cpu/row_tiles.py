"""Tiles of several rows, and numbers of other kinds that go in and out of tiles.

A row tile holds ``rows`` rows of ``columns`` vectors; what is loaded once is multiplied into several rows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sigconv.engines.cpu.tile import Tile, _math, at_index, pack, spread_scalar, unpack

_BYTES = types.CPointer(types.uint8)
_INTEGERS = {"uint8": (8, False), "uint16": (16, False), "int16": (16, True)}


class RowShape(NamedTuple):
    """The constructors of one row tile; they are called from compiled code."""

    zeros: Callable[..., Any]
    fma_all: Callable[..., Any]
    fma_first: tuple[Callable[..., Any], ...]
    fma_last: tuple[Callable[..., Any], ...]
    row: tuple[Callable[..., Any], ...]


def row_shape(dtype: Any, rows: int, columns: int, lanes: int) -> RowShape:
    """Constructors for tiles of ``rows`` x ``columns`` vectors of ``lanes`` numbers.

    ``fma_all(tile, x, at, w, j, step)`` adds x[at + ..] * w[j + r*step] to row r; ``fma_first[n]`` does so for the
    first n rows, ``fma_last[n]`` for the last n, w[j] being the first of these rows'. ``row[r]`` is a row as a plain
    tile.
    """
    tile = Tile(dtype, rows * columns, lanes)
    pointer = types.CPointer(dtype)

    def fma_rows(first: int, last: int) -> Callable[..., Any]:
        @intrinsic
        def fma(_: Any, acc: Any, x: Any, at: Any, w: Any, j: Any, step: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                sums, p, i, weights, index, by = args
                sums = unpack(builder, tile, sums)
                loaded = [
                    builder.load(at_index(builder, p, i, c * lanes, tile.vector), align=tile.align)
                    for c in range(columns)
                ]
                for r in range(first, last):
                    weight = spread_scalar(builder, tile.vector, builder.load(builder.gep(weights, [index])))
                    for c in range(columns):
                        k = r * columns + c
                        sums[k] = _math(builder, tile, "fma", loaded[c], weight, sums[k])
                    index = builder.add(index, by)
                return pack(builder, tile, sums)

            return tile(tile, pointer, types.int64, pointer, types.int64, types.int64), codegen

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

    return RowShape(
        zeros,
        fma_rows(0, rows),
        tuple(fma_rows(0, n) for n in range(rows)),
        tuple(fma_rows(rows - n, rows) for n in range(rows)),
        tuple(one_row(r) for r in range(rows)),
    )


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
