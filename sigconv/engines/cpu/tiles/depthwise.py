"""Tiles that go down the rows of a plane under a small window, whose sums for several rows grow side by side."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.tile import Tile, _math, at_index, pack, spread_scalar, unpack

_INDEX, _LANE = ir.IntType(64), ir.IntType(32)


class Strip(NamedTuple):
    """The operations of one strip; they are called from compiled code."""

    size: int  # outputs in a row of the strip
    reach: int  # cells of input that they see, and may read
    waiting: int  # rows of outputs behind the one that is next to be complete
    spread: Callable[..., Any]
    load: Callable[..., Any]
    taps: Callable[..., Any]
    enter: Callable[..., Any]
    begin: Callable[..., Any]
    advance: Callable[..., Any]
    store: Callable[..., Any]


def strip_of(dtype: Any, columns: int, lanes: int, cells: int, step: int, guarded: bool) -> Strip:
    """Operations on ``columns`` vectors of outputs in each row, under a square window that moves by ``step`` cells.

    The window's sums for the next outputs down the strip stand one behind the other. ``enter`` drops the first and
    puts another row behind the last; ``begin`` adds the first rows of the window at row ``top``, ``advance`` the
    ``step`` rows that complete the first sums. Rows are ``pitch`` numbers apart; of those before the first and from
    ``height`` on, zeros are read. A ``guarded`` strip does the same with columns before the first and from ``width``
    on, which must fit 32 bits.
    """
    waiting, more = (cells - 1) // step, _power_of_two(cells - step)
    sums, window = Tile(dtype, (waiting + 1) * columns, lanes), Tile(dtype, cells * cells, lanes)
    row = Tile(dtype, columns, lanes)
    pointer, integer = types.CPointer(dtype), types.int64
    kind = "f32" if dtype == types.float32 else "f64"

    def number(value: int) -> ir.Constant:
        return ir.Constant(_INDEX, value)

    def between(builder: Any, first: Any, end: Any, count: int) -> Any:
        """Which of so many cells from ``first`` on are in [0, end)."""
        vector = ir.VectorType(_LANE, count)
        limits = (builder.neg(first), builder.sub(end, first))
        start, stop = (spread_scalar(builder, vector, builder.trunc(limit, _LANE)) for limit in limits)
        lane = ir.Constant(vector, list(range(count)))
        return builder.and_(builder.icmp_signed(">=", lane, start), builder.icmp_signed("<", lane, stop))

    def masked(builder: Any, name: str, result: Any, parameters: list[Any], count: int = lanes) -> Any:
        form = ir.FunctionType(result, [argument.type for argument in parameters])
        name = f"llvm.masked.{name}.v{count}{kind}.p0"
        return builder.call(cgutils.get_or_insert_function(builder.module, form, name), parameters)

    def read(builder: Any, p: Any, at: Any, end: Any, count: int = lanes) -> Any:
        """So many cells from p[at] on; where guarded, those outside [0, end) are zeros."""
        vector = ir.VectorType(row.vector.element, count)
        where = at_index(builder, p, at, 0, vector)
        if not guarded:
            return builder.load(where, align=row.align)
        align, zeros = ir.Constant(_LANE, row.align), ir.Constant(vector, [0.0] * count)
        return masked(builder, "load", vector, [where, align, between(builder, at, end, count), zeros], count)

    def picked(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_LANE, len(places)), places))

    def seen(builder: Any, p: Any, at: Any, end: Any) -> Iterator[Any]:
        """What each column of the window sees of a row, vector by vector."""

        def cells_from(place: int, count: int = lanes) -> Any:
            return read(builder, p, builder.add(at, number(place)), end, count)

        if step == 1:
            for b in range(cells):
                yield [cells_from(c * lanes + b) for c in range(columns)]
            return
        vectors = [cells_from(k * lanes) for k in range(2 * columns)]
        further = cells_from(2 * columns * lanes, more)
        phases = []
        for b in range(2):
            every = list(range(b, 2 * lanes, 2))
            phase = [picked(builder, vectors[k], vectors[k + 1], every) for k in range(0, 2 * columns, 2)]
            places = (list(range(b, more, 2)) + [more] * lanes)[:lanes]
            phase.append(picked(builder, further, ir.Constant(further.type, ir.Undefined), places))
            phases.append(phase)
        for b in range(cells):
            moved, phase = b // 2, phases[b % 2]
            places = list(range(moved, moved + lanes))
            yield [picked(builder, phase[c], phase[c + 1], places) if moved else phase[c] for c in range(columns)]

    def adding(rows: range, first: int) -> Callable[..., Any]:
        """An intrinsic that adds these rows of the window, whose sums stand from the ``first`` on."""

        @intrinsic
        def add(
            _: Any, acc: Any, x: Any, top: Any, height: Any, pitch: Any, at: Any, width: Any, zeros: Any, w: Any
        ) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                total, p, i, bottom, apart, column, end, nothing, weights = args
                total, weights = unpack(builder, sums, total), unpack(builder, window, weights)
                for q in rows:
                    here = builder.add(i, number(q))
                    there = builder.gep(p, [builder.mul(here, apart)])
                    there = builder.select(builder.icmp_unsigned("<", here, bottom), there, nothing)
                    for b, vectors in enumerate(seen(builder, there, column, end)):
                        for d in range(q // step + 1):
                            tap = weights[(q - d * step) * cells + b]
                            for c, vector in enumerate(vectors):
                                k = (first + d) * columns + c
                                total[k] = _math(builder, row, "fma", vector, tap, total[k])
                return pack(builder, sums, total)

            form = sums(sums, pointer, integer, integer, integer, integer, integer, pointer, window)
            return form, codegen

        return add

    @intrinsic
    def spread(_: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, row, [spread_scalar(builder, row.vector, args[0])] * columns)

        return row(dtype), codegen

    @intrinsic
    def load(_: Any, x: Any, at: Any, width: Any) -> Any:
        """The first ``width`` numbers of a row."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i, end = args
            start = builder.gep(p, [i])
            return pack(builder, row, [read(builder, start, number(c * lanes), end) for c in range(columns)])

        return row(pointer, integer, integer), codegen

    @intrinsic
    def taps(_: Any, w: Any, at: Any) -> Any:
        """A window's weights, each in all lanes of a vector."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            p, i = args
            numbers = [builder.load(builder.gep(p, [builder.add(i, number(k))])) for k in range(cells * cells)]
            return pack(builder, window, [spread_scalar(builder, window.vector, value) for value in numbers])

        return window(pointer, integer), codegen

    @intrinsic
    def enter(_: Any, acc: Any, last: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, sums, unpack(builder, sums, args[0])[columns:] + unpack(builder, row, args[1]))

        return sums(sums, row), codegen

    @intrinsic
    def store(_: Any, acc: Any, y: Any, to: Any, width: Any) -> Any:
        """The first ``width`` of the sums that are complete."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            total, p, i, end = args
            align = ir.Constant(_LANE, row.align)
            for c, vector in enumerate(unpack(builder, sums, total)[:columns]):
                place = at_index(builder, p, i, c * lanes, row.vector)
                if guarded:
                    present = between(builder, number(c * lanes), end, lanes)
                    masked(builder, "store", ir.VoidType(), [vector, place, align, present])
                else:
                    builder.store(vector, place, align=row.align)
            return context.get_dummy_value()

        return types.none(sums, pointer, integer, integer), codegen

    begin, advance = adding(range(cells - step), 1), adding(range(cells - step, cells), 0)
    reach = columns * lanes + cells - 1 if step == 1 else 2 * columns * lanes + more
    return Strip(columns * lanes, reach, waiting, spread, load, taps, enter, begin, advance, store)


def _power_of_two(least: int) -> int:
    """So many or some more."""
    return 1 << (least - 1).bit_length()
