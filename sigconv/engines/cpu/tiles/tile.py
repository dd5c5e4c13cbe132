"""Register tiles: a Numba type that is a block of vector registers, and the operations on it.

A plain loop leaves the compiler much to prove before it may use vector registers. A tile proves it by construction:
``load`` reads ``count`` vectors of ``lanes`` numbers from a raw address, arithmetic works element by element, and the
values live in registers between. Every lane computes what a scalar would, in the same order, so a result's bits do not
depend on the tile's shape.

Nothing here checks bounds. The caller proves that every load and store lies inside its array.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

_ELEMENTS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}
_ELEMENTS |= {types.int64: ir.IntType(64), types.uint8: ir.IntType(8)}


class Tile(types.Type):
    """``count`` vectors of ``lanes`` numbers of type ``dtype``."""

    def __init__(self, dtype: Any, count: int, lanes: int) -> None:
        self.dtype, self.count, self.lanes = dtype, count, lanes
        super().__init__(name=f"Tile({dtype}, {count}x{lanes})")

    @property
    def key(self) -> tuple[Any, int, int]:
        return self.dtype, self.count, self.lanes

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(_ELEMENTS[self.dtype], self.lanes)

    @property
    def align(self) -> int:
        return self.dtype.bitwidth // 8

    def constant(self, value: float) -> ir.Constant:
        return ir.Constant(self.vector, [value] * self.lanes)


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Tile) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(fe_type.vector, fe_type.count))


def pack(builder: Any, tile: Tile, vectors: list[Any]) -> Any:
    value = ir.Constant(ir.ArrayType(tile.vector, tile.count), ir.Undefined)
    for k, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, k)
    return value


def unpack(builder: Any, tile: Tile, value: Any) -> list[Any]:
    return [builder.extract_value(value, k) for k in range(tile.count)]


def spread_scalar(builder: Any, vector: ir.VectorType, scalar: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def _math(builder: Any, tile: Tile, name: str, *vectors: Any) -> Any:
    """An LLVM intrinsic such as fma or fabs on vectors."""
    kind = "f32" if tile.dtype == types.float32 else "f64"
    signature = ir.FunctionType(tile.vector, [tile.vector] * len(vectors))
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.v{tile.lanes}{kind}")
    return builder.call(function, vectors)


def _finite(builder: Any, tile: Tile, vector: Any) -> Any:
    """Which lanes hold neither NaN nor infinity."""
    return builder.fcmp_ordered("olt", _math(builder, tile, "fabs", vector), tile.constant(float("inf")))


def _all(builder: Any, lanes: int, masks: list[Any]) -> Any:
    both = masks[0]
    for mask in masks[1:]:
        both = builder.and_(both, mask)
    if lanes == 1:
        return builder.extract_element(both, ir.Constant(ir.IntType(32), 0))
    bits = builder.bitcast(both, ir.IntType(lanes))
    return builder.icmp_unsigned("==", bits, ir.Constant(bits.type, (1 << lanes) - 1))


def at_index(builder: Any, pointer: Any, index: Any, offset: int, vector: ir.VectorType) -> Any:
    where = builder.gep(pointer, [builder.add(index, ir.Constant(index.type, offset))])
    return builder.bitcast(where, vector.as_pointer())


class Shape(NamedTuple):
    """The constructors of one tile shape; they are called from compiled code."""

    size: int  # numbers in a tile: count * lanes
    zeros: Callable[..., Any]
    load: Callable[..., Any]
    spread: Callable[..., Any]
    fma_taps: Callable[..., Any]


def shape(dtype: Any, count: int, lanes: int, sharing: int = 1, distance: int = 1) -> Shape:
    """Constructors for tiles of ``count`` vectors of ``lanes`` numbers.

    ``fma_taps`` adds ``sharing`` taps that lie ``distance`` vectors apart, so that their shifted inputs share loads.
    """
    tile = Tile(dtype, count, lanes)

    @intrinsic
    def zeros(_: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, tile, [tile.constant(0.0 if dtype != types.int64 else 0)] * count)

        return tile(), codegen

    @intrinsic
    def load(_: Any, pointer: Any, at: Any) -> Any:
        """``count`` vectors from pointer[at]."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            vectors = [
                builder.load(at_index(builder, p, i, k * lanes, tile.vector), align=tile.align) for k in range(count)
            ]
            return pack(builder, tile, vectors)

        return tile(types.CPointer(dtype), types.int64), codegen

    @intrinsic
    def spread(_: Any, value: Any) -> Any:
        """Every lane the same scalar."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, tile, [spread_scalar(builder, tile.vector, args[0])] * count)

        return tile(dtype), codegen

    @intrinsic
    def fma_taps(_: Any, acc: Any, x: Any, at: Any, w: Any, j: Any) -> Any:
        """acc += x[at - q*distance*lanes] * w[j + q] for q = 0, 1, .. sharing - 1, in this order."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, p, i, weights, first = args
            sums = unpack(builder, tile, sums)
            reach = (sharing - 1) * distance
            loaded = {
                k: builder.load(at_index(builder, p, i, k * lanes, tile.vector), align=tile.align)
                for k in range(-reach, count)
            }
            for q in range(sharing):
                weight = builder.load(builder.gep(weights, [builder.add(first, ir.Constant(first.type, q))]))
                weight = spread_scalar(builder, tile.vector, weight)
                sums = [_math(builder, tile, "fma", loaded[c - q * distance], weight, s) for c, s in enumerate(sums)]
            return pack(builder, tile, sums)

        pointer = types.CPointer(dtype)
        return tile(tile, pointer, types.int64, pointer, types.int64), codegen

    return Shape(count * lanes, zeros, load, spread, fma_taps)


@intrinsic
def store(_: Any, tile: Any, pointer: Any, at: Any) -> Any:
    """pointer[at : at + size] = tile."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, p, i = args
        for k, vector in enumerate(unpack(builder, tile, value)):
            builder.store(vector, at_index(builder, p, i, k * tile.lanes, tile.vector), align=tile.align)
        return context.get_dummy_value()

    return types.none(tile, types.CPointer(tile.dtype), types.int64), codegen


@intrinsic
def store_past_cache(_: Any, tile: Any, pointer: Any, at: Any) -> Any:
    """As `store`, to an address that whole vectors divide, without reading what was there into the cache first."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, p, i = args
        past = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        for k, vector in enumerate(unpack(builder, tile, value)):
            where = at_index(builder, p, i, k * tile.lanes, tile.vector)
            stored = builder.store(vector, where, align=tile.align * tile.lanes)
            stored.set_metadata("nontemporal", past)
        return context.get_dummy_value()

    return types.none(tile, types.CPointer(tile.dtype), types.int64), codegen


@intrinsic
def until_aligned(_: Any, pointer: Any, at: Any) -> Any:
    """How many numbers come before the first at or after pointer[at] whose address 64 bytes divide."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        whole = ir.IntType(64)
        where = builder.ptrtoint(builder.gep(args[0], [args[1]]), whole)
        bytes_left = builder.and_(builder.neg(where), ir.Constant(whole, 63))
        return builder.udiv(bytes_left, ir.Constant(whole, pointer.dtype.bitwidth // 8))

    return types.int64(pointer, types.int64), codegen


def _asking(level: int) -> Callable[..., Any]:
    @intrinsic
    def ask(_: Any, pointer: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            address = builder.bitcast(builder.gep(args[0], [args[1]]), byte)
            builder.call(function, [address, *(ir.Constant(number, v) for v in (0, level, 1))])  # a read of data
            return context.get_dummy_value()

        return types.none(pointer, types.int64), codegen

    return ask


# Ask for the cache line of pointer[at] ahead of its use; any address will do, as nothing is read. What is wanted later
# goes to the second cache.
ask_for, ask_for_later = _asking(3), _asking(2)


def _elementwise(name: str, emit: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    """An intrinsic that maps tiles of one shape to a tile of that shape, vector by vector."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile = signature.return_type
        unpacked = [unpack(builder, tile, value) for value in args]
        return pack(builder, tile, [emit(builder, tile, *vectors) for vectors in zip(*unpacked, strict=True)])

    return _of_tiles(name, inputs, lambda tiles: tiles[0](*tiles), codegen)


def _of_tiles(name: str, inputs: int, sign: Callable[..., Any], codegen: Callable[..., Any]) -> Callable[..., Any]:
    """An intrinsic of so many tiles, all of one shape; ``sign`` makes its signature from theirs."""

    def typed(*tiles: Any) -> Any:
        return (sign(tiles), codegen) if len(set(tiles)) == 1 else None

    form: Any = {
        1: lambda _, a: typed(a),
        2: lambda _, a, b: typed(a, b),
        3: lambda _, a, b, c: typed(a, b, c),
        4: lambda _, a, b, c, d: typed(a, b, c, d),
    }[inputs]
    form.__name__ = name
    return intrinsic(form)


def _by_kind(floating: str, integer: str) -> Callable[..., Any]:
    def emit(builder: Any, tile: Tile, a: Any, b: Any) -> Any:
        return getattr(builder, integer if tile.dtype == types.int64 else floating)(a, b)

    return emit


def _less(builder: Any, tile: Tile, a: Any, b: Any) -> Any:
    if tile.dtype == types.int64:
        return builder.icmp_signed("<", a, b)
    return builder.fcmp_ordered("olt", a, b)


add = _elementwise("add", _by_kind("fadd", "add"), 2)
sub = _elementwise("sub", _by_kind("fsub", "sub"), 2)
mul = _elementwise("mul", lambda b, t, x, y: b.fmul(x, y), 2)
div = _elementwise("div", lambda b, t, x, y: b.fdiv(x, y), 2)
fma = _elementwise("fma", lambda b, t, x, y, z: _math(b, t, "fma", x, y, z), 3)
absolute = _elementwise("absolute", lambda b, t, x: _math(b, t, "fabs", x), 1)
negative = _elementwise("negative", lambda b, t, x: b.fneg(x), 1)
where_finite = _elementwise("where_finite", lambda b, t, x, y, z: b.select(_finite(b, t, x), y, z), 3)
where_less = _elementwise("where_less", lambda b, t, x, y, p, q: b.select(_less(b, t, x, y), p, q), 4)
where_equal = _elementwise("where_equal", lambda b, t, x, y, p, q: b.select(b.fcmp_ordered("oeq", x, y), p, q), 4)


def _question(name: str, emit: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    """An intrinsic that asks something of every lane of its tiles."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile = signature.args[0]
        unpacked = [unpack(builder, tile, value) for value in args]
        masks = [emit(builder, tile, *vectors) for vectors in zip(*unpacked, strict=True)]
        return _all(builder, tile.lanes, masks)

    return _of_tiles(name, inputs, lambda tiles: types.boolean(*tiles), codegen)


all_finite = _question("all_finite", _finite, 1)
none_less = _question("none_less", lambda b, t, x, y: b.not_(_less(b, t, x, y)), 2)
all_equal = _question("all_equal", lambda b, t, x, y: b.fcmp_ordered("oeq", x, y), 2)


@intrinsic
def to_float(_: Any, tile: Any) -> Any:
    """int64 lanes as float64."""
    result = Tile(types.float64, tile.count, tile.lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = [builder.sitofp(v, result.vector) for v in unpack(builder, tile, args[0])]
        return pack(builder, result, vectors)

    return result(tile), codegen


@intrinsic
def widen(_: Any, tile: Any) -> Any:
    """float32 or float64 lanes as float64."""
    result = Tile(types.float64, tile.count, tile.lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if tile == result:
            return args[0]
        return pack(builder, result, [builder.fpext(v, result.vector) for v in unpack(builder, tile, args[0])])

    return result(tile), codegen


def narrow_to(dtype: Any) -> Callable[..., Any]:
    """An intrinsic that rounds float64 lanes to ``dtype``."""

    @intrinsic
    def narrow(_: Any, tile: Any) -> Any:
        result = Tile(dtype, tile.count, tile.lanes)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if tile == result:
                return args[0]
            return pack(builder, result, [builder.fptrunc(v, result.vector) for v in unpack(builder, tile, args[0])])

        return result(tile), codegen

    return narrow


@intrinsic
def power_of_two(_: Any, shifted: Any) -> Any:
    """2**n for lanes that hold n + 1.5 * 2**52: the low bits of such a sum are n's."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integers = ir.VectorType(ir.IntType(64), shifted.lanes)
        bias, place = (ir.Constant(integers, [c] * shifted.lanes) for c in (1023, 52))
        powers = [
            builder.bitcast(builder.shl(builder.add(builder.bitcast(v, integers), bias), place), shifted.vector)
            for v in unpack(builder, shifted, args[0])
        ]
        return pack(builder, shifted, powers)

    return shifted(shifted), codegen


def scalar_fma_of(dtype: Any) -> Callable[..., Any]:
    """An intrinsic on scalars: a*b + c with one rounding."""

    @intrinsic
    def fused(_: Any, a: Any, b: Any, c: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            number = _ELEMENTS[dtype]
            name = f"llvm.fma.{'f32' if dtype == types.float32 else 'f64'}"
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(number, [number] * 3), name)
            return builder.call(function, args)

        return dtype(dtype, dtype, dtype), codegen

    return fused


scalar_fma = scalar_fma_of(types.float64)


@intrinsic
def where_younger(_: Any, age: Any, limit: Any, a: Any, b: Any) -> Any:
    """a where age < limit, else b: int64 tiles choose between float64 tiles."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        ages, limits, ours, theirs = (
            unpack(builder, kind, value) for kind, value in zip(signature.args, args, strict=True)
        )
        chosen = [
            builder.select(builder.icmp_signed("<", *pair), p, q)
            for *pair, p, q in zip(ages, limits, ours, theirs, strict=True)
        ]
        return pack(builder, a, chosen)

    return (a(age, limit, a, b), codegen) if a == b and age == limit else None
