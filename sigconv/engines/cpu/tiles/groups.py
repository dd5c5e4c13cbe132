"""Groups of four rows in registers: their differences, and their sums put back in the order of time."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.outer import _turn
from sigconv.engines.cpu.tiles.tile import Tile, _math, at_index, pack, spread_scalar, unpack


def differences_of(dtype: Any, lanes: int, part: int, turned: bool) -> Callable[..., Any]:
    """An intrinsic: the next ``part`` rows, four to a group, become nine streams of one row a group.

    Vector k comes from x[at + k*step]: a row of as many columns, or, ``turned``, as many rows of one of the series.
    A turn is ``part`` rows of as many lanes.
    ``before`` holds the three rows before and takes the last three. Streams lie ``pitch`` apart in ``streams``.
    """
    tile = Tile(dtype, part, part)
    pointer, whole = types.CPointer(dtype), types.int64

    @intrinsic
    def differences(_: Any, x: Any, at: Any, step: Any, before: Any, streams: Any, to: Any, pitch: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, by, kept, out, first, gap = args

            def place(pointer: Any, index: Any, offset: int) -> Any:
                return at_index(builder, pointer, index, offset * lanes, tile.vector)

            rows = []
            for _ in range(part):
                rows.append(builder.load(place(p, i, 0), align=tile.align))
                i = builder.add(i, by)
            rows = _turn(builder, rows, part) if turned else rows
            start = ir.Constant(first.type, 0)
            rows = [builder.load(place(kept, start, k), align=tile.align) for k in range(3)] + rows
            for k, row in enumerate(rows[-3:]):
                builder.store(row, place(kept, start, k), align=tile.align)
            less = builder.fsub
            for group in range(part // 4):
                g, f, e, a, b, c, d = rows[4 * group : 4 * group + 7]  # a, b, c, d after .. e, f, g going back
                odd, even = less(b, a), less(e, a)
                streams = [a, odd, even, less(c, a), less(f, a)]
                streams += [less(less(d, c), odd), less(less(b, c), even)]
                streams += [less(less(e, f), odd), less(less(g, f), even)]
                where = first
                for stream in streams:
                    builder.store(stream, place(out, where, group), align=tile.align)
                    where = builder.add(where, gap)
            return context.get_dummy_value()

        return types.none(pointer, whole, whole, pointer, pointer, whole, whole), codegen

    return differences


def products_of(dtype: Any, lanes: int, apart: int, chunk: int) -> tuple[Callable[..., Any], ...]:
    """Three intrinsics that add to 2 * ``chunk`` sums; additions cost nothing beside fused multiply-adds.

    With the taps w[j + q] of the first half and w[j + gap + q] of the second, q < ``apart``, and rows x[k] of a stream:
    ``near`` adds x[c - q] + x[c - q - apart] to the first half and the difference to the second; ``far`` adds
    x[c - q + apart] - x[c - q - apart] and x[c - q] - x[c - q - 2 * apart]; ``rest`` adds one tap: x[apart + c], x[c].
    """
    tile = Tile(dtype, 2 * chunk, lanes)
    pointer, whole = types.CPointer(dtype), types.int64

    def weight(builder: Any, w: Any, j: Any, q: int) -> Any:
        scalar = builder.load(builder.gep(w, [builder.add(j, ir.Constant(j.type, q))]))
        return spread_scalar(builder, tile.vector, scalar)

    def products(builder: Any, sums: list[Any], w: Any, firsts: tuple[Any, Any], terms: Callable[..., Any]) -> Any:
        known: dict[int, Any] = {}
        for q in range(apart):
            weights = [weight(builder, w, j, q) for j in firsts]
            for c in range(chunk):
                if c - q not in known:
                    known[c - q] = terms(c - q)
                for k, term in zip((c, chunk + c), zip(known[c - q], weights, strict=True), strict=True):
                    sums[k] = _math(builder, tile, "fma", *term, sums[k])
        return pack(builder, tile, sums)

    def loader(builder: Any, p: Any, i: Any) -> Callable[[int], Any]:
        return lambda k: builder.load(at_index(builder, p, i, k * lanes, tile.vector), align=tile.align)

    @intrinsic
    def near(_: Any, sums: Any, x: Any, at: Any, w: Any, j: Any, gap: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, p, i, weights, first, apart_by = args
            load = loader(builder, p, i)

            def terms(k: int) -> Any:
                new, old = load(k), load(k - apart)
                return builder.fadd(new, old), builder.fsub(new, old)

            return products(builder, unpack(builder, tile, sums), weights, (first, builder.add(first, apart_by)), terms)

        return tile(tile, pointer, whole, pointer, whole, whole), codegen

    @intrinsic
    def far(_: Any, sums: Any, x: Any, at: Any, w: Any, j: Any, gap: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, p, i, weights, first, apart_by = args
            load = loader(builder, p, i)

            def terms(k: int) -> Any:
                return builder.fsub(load(k + apart), load(k - apart)), builder.fsub(load(k), load(k - 2 * apart))

            return products(builder, unpack(builder, tile, sums), weights, (first, builder.add(first, apart_by)), terms)

        return tile(tile, pointer, whole, pointer, whole, whole), codegen

    @intrinsic
    def rest(_: Any, sums: Any, x: Any, at: Any, w: Any, j: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, p, i, weights, first = args
            sums = unpack(builder, tile, sums)
            load, factor = loader(builder, p, i), weight(builder, weights, first, 0)
            rows = [load(k) for k in (*range(apart, apart + chunk), *range(chunk))]
            sums = [_math(builder, tile, "fma", x, factor, s) for x, s in zip(rows, sums, strict=True)]
            return pack(builder, tile, sums)

        return tile(tile, pointer, whole, pointer, whole), codegen

    return near, far, rest


def two_of(dtype: Any, lanes: int, apart: int, chunk: int) -> tuple[Callable[..., Any], ...]:
    """Three intrinsics: a + b and a - b of a tile's halves; a load and a store of halves ``apart`` rows apart."""
    tile = Tile(dtype, 2 * chunk, lanes)
    pointer, whole = types.CPointer(dtype), types.int64
    rows = (*range(apart, apart + chunk), *range(chunk))

    @intrinsic
    def crossed(_: Any, sums: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = unpack(builder, tile, args[0])
            pairs = list(zip(vectors[:chunk], vectors[chunk:], strict=True))
            return pack(builder, tile, [join(a, b) for join in (builder.fadd, builder.fsub) for a, b in pairs])

        return tile(tile), codegen

    @intrinsic
    def load(_: Any, x: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            places = [at_index(builder, p, i, k * lanes, tile.vector) for k in rows]
            return pack(builder, tile, [builder.load(place, align=tile.align) for place in places])

        return tile(pointer, whole), codegen

    @intrinsic
    def store(_: Any, sums: Any, y: Any, to: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value, p, i = args
            for k, vector in zip(rows, unpack(builder, tile, value), strict=True):
                builder.store(vector, at_index(builder, p, i, k * lanes, tile.vector), align=tile.align)
            return context.get_dummy_value()

        return types.none(tile, pointer, whole), codegen

    return crossed, load, store


def in_order_of(dtype: Any, lanes: int, part: int, size: int, turned: bool) -> Callable[..., Any]:
    """An intrinsic: the outputs of groups from their sums at sums[at], nine tiles of ``size`` one after another.

    The tile's vectors are rows, or, ``turned``, the series' own pieces: what `differences_of` loads.
    """
    tile = Tile(dtype, part, part)

    @intrinsic
    def in_order(_: Any, sums: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args

            def load(which: int, group: int) -> Any:
                place = at_index(builder, p, i, which * size + group * lanes, tile.vector)
                return builder.load(place, align=tile.align)

            rows = []
            for group in range(part // 4):
                odd, even = load(1, group), load(2, group)
                for which, share in ((8, even), (7, odd), (6, even), (5, odd)):
                    rows.append(builder.fadd(load(which, group), share))
            return pack(builder, tile, _turn(builder, rows, part) if turned else rows)

        return tile(types.CPointer(dtype), types.int64), codegen

    return in_order


def apart_of(dtype: Any, lanes: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Two intrinsics: a tile of ``lanes`` vectors from, and to, places ``step`` apart."""
    tile = Tile(dtype, lanes, lanes)
    pointer, whole = types.CPointer(dtype), types.int64

    def places(builder: Any, p: Any, i: Any, step: Any) -> Any:
        for _ in range(lanes):
            yield at_index(builder, p, i, 0, tile.vector)
            i = builder.add(i, step)

    @intrinsic
    def load(_: Any, x: Any, at: Any, step: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, tile, [builder.load(place, align=tile.align) for place in places(builder, *args)])

        return tile(pointer, whole, whole), codegen

    @intrinsic
    def store(_: Any, value: Any, y: Any, to: Any, step: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            for vector, place in zip(unpack(builder, tile, args[0]), places(builder, *args[1:]), strict=True):
                builder.store(vector, place, align=tile.align)
            return context.get_dummy_value()

        return types.none(tile, pointer, whole, whole), codegen

    return load, store


@intrinsic
def total(_: Any, tile: Any) -> Any:
    """The sum of a tile's vectors."""
    one = Tile(tile.dtype, 1, tile.lanes)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = unpack(builder, tile, args[0])
        while len(vectors) > 1:
            half = len(vectors) // 2
            vectors = [builder.fadd(a, b) for a, b in zip(vectors[:half], vectors[half:], strict=True)]
        return pack(builder, one, vectors)

    return one(tile), codegen
