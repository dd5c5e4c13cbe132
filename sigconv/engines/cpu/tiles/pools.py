"""What pools ask of vectors besides arithmetic: partial loads and stores, every other number, and the greater of two.

NaN is greater than any number, and of two NaN the later one. These take and give single vectors or whole tiles alike.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, at_index, pack, spread_scalar, unpack

_NUMBER = ir.IntType(32)


def _first_lanes(builder: Any, lanes: int, n: Any) -> Any:
    """Which lanes are among the first n."""
    numbers = ir.VectorType(_NUMBER, lanes)
    count = spread_scalar(builder, numbers, builder.trunc(n, _NUMBER))
    return builder.icmp_signed("<", ir.Constant(numbers, list(range(lanes))), count)


def _suffix(tile: Tile) -> str:
    kind = {types.float32: "f32", types.float64: "f64", types.int64: "i64"}[tile.dtype]
    return f"v{tile.lanes}{kind}.p0"


def load_some(dtype: Any, lanes: int, others: float = 0.0, count: int = 1) -> Callable[..., Any]:
    """An intrinsic: vectors from pointer[at], of which the first n numbers are read; the ``others`` are given."""
    tile = Tile(dtype, count, lanes)

    @intrinsic
    def load_first(_: Any, pointer: Any, at: Any, n: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, n = args
            vectors = []
            for k in range(count):
                mask = _first_lanes(builder, lanes, builder.sub(n, n.type(k * lanes)))
                where = at_index(builder, p, i, k * lanes, tile.vector)
                kind = ir.FunctionType(tile.vector, [where.type, _NUMBER, mask.type, tile.vector])
                function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{_suffix(tile)}")
                vectors.append(builder.call(function, [where, _NUMBER(tile.align), mask, tile.constant(others)]))
            return pack(builder, tile, vectors)

        return tile(types.CPointer(dtype), types.int64, types.int64), codegen

    return load_first


@intrinsic
def store_some(_: Any, tile: Any, pointer: Any, at: Any, n: Any) -> Any:
    """pointer[at : at + n] = the first n numbers of the tile; nothing else is touched."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, p, i, n = args
        for k, vector in enumerate(unpack(builder, tile, value)):
            mask = _first_lanes(builder, tile.lanes, builder.sub(n, n.type(k * tile.lanes)))
            where = at_index(builder, p, i, k * tile.lanes, tile.vector)
            kind = ir.FunctionType(ir.VoidType(), [tile.vector, where.type, _NUMBER, mask.type])
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{_suffix(tile)}")
            builder.call(function, [vector, where, _NUMBER(tile.align), mask])
        return context.get_dummy_value()

    return types.none(tile, types.CPointer(tile.dtype), types.int64, types.int64), codegen


def load_every(dtype: Any, lanes: int) -> Callable[..., Any]:
    """An intrinsic: one vector of pointer[at], pointer[at + step], .., number by number."""
    tile = Tile(dtype, 1, lanes)

    @intrinsic
    def load_steps(_: Any, pointer: Any, at: Any, step: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, by = args
            vector = ir.Constant(tile.vector, ir.Undefined)
            for lane in range(lanes):
                vector = builder.insert_element(vector, builder.load(builder.gep(p, [i])), _NUMBER(lane))
                i = builder.add(i, by)
            return pack(builder, tile, [vector])

        return tile(types.CPointer(dtype), types.int64, types.int64), codegen

    return load_steps


def every_other(phase: int) -> Callable[..., Any]:
    """An intrinsic: the numbers phase, phase + 2, .. of a tile, in half as many vectors."""

    @intrinsic
    def every_other_number(_: Any, tile: Any) -> Any:
        result = Tile(tile.dtype, tile.count // 2, tile.lanes)
        mask = ir.Constant(ir.VectorType(_NUMBER, tile.lanes), [2 * k + phase for k in range(tile.lanes)])

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = unpack(builder, tile, args[0])
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            return pack(builder, result, [builder.shuffle_vector(a, b, mask) for a, b in pairs])

        return result(tile), codegen

    return every_other_number


@intrinsic
def store_every_other(_: Any, tile: Any, pointer: Any, at: Any) -> Any:
    """pointer[at], pointer[at + 2], .. = one vector, with zeros after each."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, p, i = args
        (vector,) = unpack(builder, tile, value)
        nothing = ir.Constant(tile.vector, None)
        for half in range(2):
            lanes = [(half * tile.lanes + k) // 2 if k % 2 == 0 else tile.lanes for k in range(tile.lanes)]
            mask = ir.Constant(ir.VectorType(_NUMBER, tile.lanes), lanes)
            where = at_index(builder, p, i, half * tile.lanes, tile.vector)
            builder.store(builder.shuffle_vector(vector, nothing, mask), where, align=tile.align)
        return context.get_dummy_value()

    return types.none(tile, types.CPointer(tile.dtype), types.int64), codegen


@intrinsic
def store_twice(_: Any, tile: Any, pointer: Any, at: Any) -> Any:
    """pointer[at], pointer[at + 1] = the first number of one vector, and so on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, p, i = args
        (vector,) = unpack(builder, tile, value)
        for half in range(2):
            lanes = [(half * tile.lanes + k) // 2 for k in range(tile.lanes)]
            mask = ir.Constant(ir.VectorType(_NUMBER, tile.lanes), lanes)
            where = at_index(builder, p, i, half * tile.lanes, tile.vector)
            builder.store(builder.shuffle_vector(vector, vector, mask), where, align=tile.align)
        return context.get_dummy_value()

    return types.none(tile, types.CPointer(tile.dtype), types.int64), codegen


@intrinsic
def root(_: Any, tile: Any) -> Any:
    """The square root of every number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(tile.vector, [tile.vector])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.{_suffix(tile)[:-3]}")
        return pack(builder, tile, [builder.call(function, [v]) for v in unpack(builder, tile, args[0])])

    return tile(tile), codegen


def _nan(builder: Any, x: Any) -> Any:
    return builder.fcmp_unordered("uno", x, x)


def _greater(builder: Any, tile: Tile, p: Any, q: Any) -> Any:
    # one instruction, which keeps p where there is a NaN, and a blend; telling which NaN would cost two more
    more = builder.select(builder.fcmp_ordered("ogt", q, p), q, p)
    return builder.select(_nan(builder, q), tile.constant(float("nan")), more)


@intrinsic
def greater(_: Any, a: Any, b: Any) -> Any:
    """The greater of a and b, a where they are equal, NaN where b is, or a."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(*(unpack(builder, a, value) for value in args), strict=True)
        return pack(builder, a, [_greater(builder, a, *pair) for pair in pairs])

    return (a(a, b), codegen) if a == b else None


def _fold(name: str, join: Callable[..., Any]) -> Callable[..., Any]:
    """An intrinsic that joins all numbers of a tile: halves of its vectors, then halves of the vector that is left."""

    @intrinsic
    def folded(_: Any, tile: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = unpack(builder, tile, args[0])
            while len(vectors) > 1:
                half = len(vectors) // 2
                vectors = [join(builder, tile, *pair) for pair in zip(vectors[:half], vectors[half:], strict=True)]
            (vector,) = vectors
            half = tile.lanes // 2
            while half:
                lanes = [(k + half) % tile.lanes for k in range(tile.lanes)]
                mask = ir.Constant(ir.VectorType(_NUMBER, tile.lanes), lanes)
                vector = join(builder, tile, vector, builder.shuffle_vector(vector, vector, mask))
                half //= 2
            return builder.extract_element(vector, _NUMBER(0))

        return tile.dtype(tile), codegen

    folded.__name__ = name
    return folded


fold_sum = _fold("fold_sum", lambda builder, tile, p, q: builder.fadd(p, q))
fold_greater = _fold("fold_greater", _greater)


def _by_place(values: bool) -> Callable[..., Any]:
    """An intrinsic of two tiles and their places: the value, or else the place, that a pool takes of each pair.

    It is the greater; the one of the lower place where they are equal; of two NaN the one of the higher place.
    """

    @intrinsic
    def winner(_: Any, a: Any, b: Any, place_a: Any, place_b: Any) -> Any:
        result = a if values else place_a

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            tiles = [unpack(builder, kind, value) for kind, value in zip(signature.args, args, strict=True)]
            chosen = []
            for p, q, i, k in zip(*tiles, strict=True):
                before = builder.icmp_signed("<", k, i)
                more = builder.fcmp_ordered("ogt", q, p)
                equal = builder.and_(builder.fcmp_ordered("oeq", q, p), before)
                first_nan = builder.or_(builder.not_(_nan(builder, p)), builder.not_(before))
                wins = builder.or_(builder.or_(more, equal), builder.and_(_nan(builder, q), first_nan))
                chosen.append(builder.select(wins, q, p) if values else builder.select(wins, k, i))
            return pack(builder, result, chosen)

        return (result(a, b, place_a, place_b), codegen) if a == b and place_a == place_b else None

    return winner


winning_value, winning_place = _by_place(True), _by_place(False)


@intrinsic
def later_place(_: Any, a: Any, b: Any, place_a: Any, place_b: Any) -> Any:
    """The place of what `greater` chooses: the same for a's before b's, in fewer steps."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tiles = [unpack(builder, kind, value) for kind, value in zip(signature.args, args, strict=True)]
        chosen = [
            builder.select(builder.or_(builder.fcmp_ordered("ogt", q, p), _nan(builder, q)), k, i)
            for p, q, i, k in zip(*tiles, strict=True)
        ]
        return pack(builder, place_a, chosen)

    return (place_a(a, b, place_a, place_b), codegen) if a == b and place_a == place_b else None
