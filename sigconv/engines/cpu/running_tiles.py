"""The last numbers of a row, fewer than a vector holds; the larger and the smaller of two tiles."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tile import Tile, _math, pack, spread_scalar, unpack

_BYTES = types.CPointer(types.uint8)


def _memory(kind: str, tile: Tile) -> ir.VectorType:
    """A vector of numbers as they stand in memory: ``kind`` is "real" for the tile's own, else "uint8"."""
    return tile.vector if kind == "real" else ir.VectorType(ir.IntType(8), tile.lanes)


def _masked(builder: Any, name: str, vector: ir.VectorType, place: tuple[Any, Any], present: Any, value: Any) -> Any:
    """LLVM's load or store of the first ``present`` lanes; ``value`` is what to store, or the other lanes."""
    element = vector.element
    pointer = builder.gep(builder.bitcast(place[0], element.as_pointer()), [place[1]])
    count = spread_scalar(builder, ir.VectorType(ir.IntType(64), vector.count), present)
    inside = builder.icmp_signed("<", ir.Constant(count.type, list(range(vector.count))), count)
    pointer = builder.bitcast(pointer, vector.as_pointer())
    kind = {"float": "f32", "double": "f64"}.get(str(element), str(element))
    bits = {"f32": 32, "f64": 64}.get(kind) or element.width
    align = ir.Constant(ir.IntType(32), bits // 8)
    parts = [pointer, align, inside, value] if name == "load" else [value, pointer, align, inside]
    form = ir.FunctionType(vector if name == "load" else ir.VoidType(), [part.type for part in parts])
    function = cgutils.get_or_insert_function(builder.module, form, f"llvm.masked.{name}.v{vector.count}{kind}.p0")
    return builder.call(function, parts)


def part_reader(kind: str, dtype: Any, lanes: int) -> Callable[..., Any]:
    """An intrinsic: a vector from element ``at`` on, of which only the first ``present`` are there; others are 0."""
    tile = Tile(dtype, 1, lanes)

    @intrinsic
    def read(_: Any, pointer: Any, at: Any, present: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, count = args
            vector = _memory(kind, tile)
            loaded = _masked(builder, "load", vector, (p, i), count, ir.Constant(vector, None))
            if kind != "real":
                loaded = builder.zext(loaded, ir.VectorType(ir.IntType(32), lanes))
                loaded = builder.sitofp(loaded, tile.vector)
            return pack(builder, tile, [loaded])

        return tile(_BYTES, types.int64, types.int64), codegen

    return read


def part_writer(kind: str) -> Callable[..., Any]:
    """An intrinsic that stores a vector's first ``present`` numbers; uint8 are rounded half to even and clipped."""

    @intrinsic
    def write(_: Any, tile: Any, pointer: Any, at: Any, present: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value, p, i, count = args
            (vector,) = unpack(builder, tile, value)
            if kind != "real":
                for sign, bound in ((">", tile.constant(0.0)), ("<", tile.constant(255.0))):
                    vector = builder.select(builder.fcmp_ordered(sign, vector, bound), vector, bound)
                vector = builder.fptosi(_math(builder, tile, "rint", vector), ir.VectorType(ir.IntType(32), tile.lanes))
                vector = builder.trunc(vector, _memory(kind, tile))
            _masked(builder, "store", vector.type, (p, i), count, vector)
            return context.get_dummy_value()

        return types.none(tile, _BYTES, types.int64, types.int64), codegen

    return write


def _chosen(sign: str) -> Callable[..., Any]:
    """An intrinsic on two tiles of one shape: of each two numbers the one on that side, or the one that is NaN."""

    @intrinsic
    def choose(_: Any, a: Any, b: Any) -> Any:
        def one(builder: Any, x: Any, y: Any) -> Any:
            if isinstance(a.dtype, types.Integer):
                compare = builder.icmp_signed if a.dtype.signed else builder.icmp_unsigned
                return builder.select(compare(sign, x, y), x, y)
            side = builder.select(builder.fcmp_ordered(sign, x, y), x, y)  # y where either is NaN
            return builder.select(builder.fcmp_unordered("uno", x, x), x, side)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = zip(*(unpack(builder, a, value) for value in args), strict=True)
            return pack(builder, a, [one(builder, x, y) for x, y in pairs])

        return (a(a, b), codegen) if a == b else None

    return choose


larger = _chosen(">")
smaller = _chosen("<")
