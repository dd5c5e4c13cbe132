"""The last numbers of a row, fewer than a vector holds; what running filters join, in registers."""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, _math, pack, spread_scalar, unpack

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


Join = Callable[[Any, Tile, Any, Any], Any]  # (builder, tile, vector, vector) -> vector, in LLVM's terms


def added(builder: Any, tile: Tile, x: Any, y: Any) -> Any:
    """The sums of two vectors of floats."""
    return builder.fadd(x, y)


def chosen(sign: str) -> Join:
    """Of each two numbers the one on that side, or the one that is NaN."""

    def choose(builder: Any, tile: Tile, x: Any, y: Any) -> Any:
        if isinstance(tile.dtype, types.Integer):
            compare = builder.icmp_signed if tile.dtype.signed else builder.icmp_unsigned
            return builder.select(compare(sign, x, y), x, y)
        side = builder.select(builder.fcmp_ordered(sign, x, y), x, y)  # y where either is NaN
        return builder.select(builder.fcmp_unordered("uno", x, x), x, side)

    return choose


def joined_by(join: Join) -> Callable[..., Any]:
    """An intrinsic that joins two tiles of one shape."""

    @intrinsic
    def joined(_: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = zip(*(unpack(builder, a, value) for value in args), strict=True)
            return pack(builder, a, [join(builder, a, x, y) for x, y in pairs])

        return (a(a, b), codegen) if a == b else None

    return joined


class Doubling(NamedTuple):
    """Windows of a row, vector by vector from its end; see `doubling`."""

    begin: Callable[..., Any]
    step: Callable[..., Any]
    whole: Callable[..., Any]
    part: Callable[..., Any]


def doubling(join: Join, dtype: Any, lanes: int, overlapping: bool) -> Doubling:
    """Windows over a row in registers, going backwards: ``state = step(state, vector, k)`` from ``begin()`` on.

    ``whole(state)`` has windows of ``lanes`` numbers that begin in the vector, joined pair by pair; ``part(state)``
    those of ``k % lanes``, where that is not 0: the shorter powers of two of which k consists, the larger first. Where
    windows are made of ``overlapping`` ones it has those of the largest power of two below lanes that is within k.
    """
    levels = lanes.bit_length() - 1
    state = Tile(dtype, 2 * levels + 1, lanes)  # windows of 1, 2, .. lanes, then of what k has below 2, 4, .. lanes
    one, integer = Tile(dtype, 1, lanes), types.int64

    @intrinsic
    def begin(_: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, state, [ir.Constant(state.vector, None)] * state.count)

        return state(), codegen

    def ahead(builder: Any, distance: int, new: Any, old: Any) -> Any:
        """Number i of a row becomes number i + distance."""
        places = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [distance + k for k in range(lanes)])
        return builder.shuffle_vector(new, old, places)

    def any_of(builder: Any, k: Any, bits: int) -> Any:
        return builder.icmp_signed("!=", builder.and_(k, ir.Constant(k.type, bits)), ir.Constant(k.type, 0))

    @intrinsic
    def step(_: Any, before: Any, vector: Any, size: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            old, k = unpack(builder, state, args[0]), args[2]
            wholes, parts = unpack(builder, one, args[1]), []
            for level in range(levels):
                distance, new = 1 << level, wholes[level]
                wholes.append(join(builder, state, new, ahead(builder, distance, new, old[level])))
                if level == 0:
                    parts.append(new)
                elif overlapping:
                    within = builder.icmp_signed(">=", k, ir.Constant(k.type, distance))
                    parts.append(builder.select(within, new, parts[-1]))
                else:
                    rest = ahead(builder, distance, parts[-1], old[levels + level])
                    longer = builder.select(any_of(builder, k, distance - 1), join(builder, state, new, rest), new)
                    parts.append(builder.select(any_of(builder, k, distance), longer, parts[-1]))
            return pack(builder, state, wholes + parts)

        return (state(state, one, integer), codegen) if before == state and vector == one else None

    def taken(place: int) -> Callable[..., Any]:
        @intrinsic
        def take(_: Any, now: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return pack(builder, one, [builder.extract_value(args[0], place)])

            return one(state), codegen

        return take

    return Doubling(begin, step, taken(levels), taken(2 * levels))
