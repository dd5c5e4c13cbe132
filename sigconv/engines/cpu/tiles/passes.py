"""Tiles for filters along one axis: sums over lines that share what is loaded, and squares of numbers turned over.

A line is a few vectors side by side; where lines begin is looked up in a table of places. Several outputs, whose
windows begin one line after the other, are summed at a time: each line that is loaded serves all of them.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.tiles.rows import _element, _place
from sigconv.engines.cpu.tiles.tile import Tile, _all, _finite, _math, at_index, pack, spread_scalar, unpack

_BYTES = types.CPointer(types.uint8)
_WORD = ir.IntType(64)
_TAPS = (4, 1)


class _Lines:
    """Lines to be loaded and sums to be kept, while the code of a sum is written."""

    def __init__(self, builder: Any, tile: Tile, args: Any) -> None:
        self.builder, self.tile = builder, tile
        self.x, self.at, self.step, self.weights = args
        self.sums = self.keep([tile.constant(0.0)] * tile.count)

    def keep(self, values: list[Any]) -> list[Any]:
        """Variables, which stay in registers."""
        return [cgutils.alloca_once_value(self.builder, value) for value in values]

    def kept(self, places: list[Any]) -> list[Any]:
        return [self.builder.load(place) for place in places]

    def change(self, places: list[Any], values: list[Any]) -> None:
        for place, value in zip(places, values, strict=True):
            self.builder.store(value, place)

    def load(self, i: Any) -> Any:
        """The line with the number ``i``."""
        place = self.builder.add(self.at, self.builder.mul(self.step, i))
        return self.builder.load(at_index(self.builder, self.x, place, 0, self.tile.vector), align=self.tile.align)

    def add(self, lines: list[Any], j: Any) -> None:
        """Add lines, one to each sum, with the weight w[j]."""
        weight = spread_scalar(self.builder, self.tile.vector, self.builder.load(self.builder.gep(self.weights, [j])))
        for total, line in zip(self.sums, lines, strict=True):
            self.builder.store(_math(self.builder, self.tile, "fma", line, weight, self.builder.load(total)), total)


def _number(value: int) -> ir.Constant:
    return ir.Constant(_WORD, value)


def _repeat(builder: Any, times: Any, step: Callable[[Any, int], None]) -> None:
    """``step(j, n)`` for all j in [0, times), n at a time."""
    done = _number(0)
    for n in _TAPS:
        end = builder.and_(times, _number(-n))
        with cgutils.for_range_slice(builder, done, end, _number(n), _WORD) as (j, _):
            step(j, n)
        done = end


def _each(lines: _Lines, k: Any) -> None:
    """Tap by tap: a window of lines moves on by one."""
    b, before = lines.builder, len(lines.sums) - 1
    window = lines.keep([lines.load(_number(r)) for r in range(before)])

    def step(j: Any, n: int) -> None:
        seen = lines.kept(window)
        for q in range(n):
            tap = b.add(j, _number(q))
            seen.append(lines.load(b.add(tap, _number(before))))
            lines.add(seen, tap)
            del seen[0]
        lines.change(window, seen)

    _repeat(b, k, step)


def _folded(lines: _Lines, k: Any) -> None:
    """From both ends to the middle: a window of lines moves on, and those across from it are added."""
    b, before = lines.builder, len(lines.sums) - 1
    last, half = b.sub(k, _number(1)), b.lshr(k, _number(1))
    near = lines.keep([lines.load(_number(r)) for r in range(before)])

    def step(j: Any, n: int) -> None:
        above = lines.kept(near)
        for q in range(n):
            tap = b.add(j, _number(q))
            above.append(lines.load(b.add(tap, _number(before))))
            far = b.sub(last, tap)
            below = [lines.load(b.add(far, _number(r))) for r in range(before + 1)]
            lines.add([b.fadd(*pair) for pair in zip(above, below, strict=True)], tap)
            del above[0]
        lines.change(near, above)

    _repeat(b, half, step)
    with b.if_then(b.trunc(k, ir.IntType(1))):
        lines.add([*lines.kept(near), lines.load(b.add(half, _number(before)))], half)


def line_sums(dtype: Any, count: int, lanes: int, even: bool) -> Callable[..., Any]:
    """An intrinsic: ``count`` sums of k lines each.

    Sum r is that of w[j] times the line r + j; a line i is the vector at x[at + i * step]. Where weights are ``even``,
    w[j] == w[k - 1 - j], the two lines that share a weight are added first.
    """
    tile = Tile(dtype, count, lanes)
    pointer = types.CPointer(dtype)

    @intrinsic
    def sums(_: Any, x: Any, at: Any, step: Any, w: Any, k: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            lines = _Lines(builder, tile, args[:4])
            (_folded if even else _each)(lines, args[4])
            return pack(builder, tile, lines.kept(lines.sums))

        return tile(pointer, types.int64, types.int64, pointer, types.int64), codegen

    return sums


def vector_of(dtype: Any, count: int, lanes: int) -> tuple[Callable[..., Any], ...]:
    """Intrinsics that take a vector each out of a tile."""
    tile, part = Tile(dtype, count, lanes), Tile(dtype, 1, lanes)

    def one(k: int) -> Callable[..., Any]:
        @intrinsic
        def vector(_: Any, whole: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return pack(builder, part, unpack(builder, tile, args[0])[k : k + 1])

            return part(tile), codegen

        return vector

    return tuple(map(one, range(count)))


@intrinsic
def adds_up(_: Any, tile: Any) -> Any:
    """Whether the sum of all numbers is finite; if so, each of them is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = unpack(builder, tile, args[0])
        while len(vectors) > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [builder.fadd(a, b) for a, b in pairs]
        return _all(builder, tile.lanes, [_finite(builder, tile, vectors[0])])

    return types.boolean(tile), codegen


@intrinsic
def seldom(_: Any) -> Any:
    """Keeps the function that says so out of those that call it, and its registers out of theirs."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), codegen


def turner(kind: str, dtype: Any, lanes: int, past: bool = False) -> Callable[..., Any]:
    """An intrinsic that copies a square: y[to + j * out_pitch + i] = x[at + i * pitch + j], 0 <= i, j < lanes.

    Numbers are of ``kind``, as `row_tiles.reader` has it; all that is read is read before anything is written.
    ``past`` the cache, stores need places that whole vectors divide.
    """
    element = _element(kind, dtype)
    bits = element.width if isinstance(element, ir.IntType) else dtype.bitwidth
    vector = ir.VectorType(element, lanes)

    @intrinsic
    def turn(_: Any, x: Any, at: Any, pitch: Any, y: Any, to: Any, out_pitch: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source, i, step, target, o, out_step = args
            rows = []
            for _ in range(lanes):
                rows.append(builder.load(_place(builder, source, i, 0, vector), align=bits // 8))
                i = builder.add(i, step)
            align = bits // 8 * (lanes if past else 1)
            for row in _turned(builder, rows, max(128 // bits, 1)):
                stored = builder.store(row, _place(builder, target, o, 0, vector), align=align)
                if past:
                    stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
                o = builder.add(o, out_step)
            return context.get_dummy_value()

        whole = types.int64
        return types.none(x, whole, whole, y, whole, whole), codegen

    return turn


def _turned(builder: Any, rows: list[Any], wide: int) -> list[Any]:
    """The columns of a square of rows, by shuffles of two vectors each; ``wide`` numbers are 128 bits.

    Within 128 bits, numbers of two rows are interleaved, then pairs of these, and so on; then whole 128 bits are
    sorted into those with even and with odd numbers. Labels go through the same shuffles and tell where all ends up.
    """
    n = len(rows)
    wide = min(wide, n)
    labels = [[(r, c) for c in range(n)] for r in range(n)]
    distance = 1
    while distance < n:
        if distance < wide:
            halves = [[g // (2 * distance) * distance + g % distance + g // distance % 2 * n for g in range(wide)]]
            halves.append([lane + wide // 2 for lane in halves[0]])
            masks = [[lane + block for block in range(0, n, wide) for lane in half] for half in halves]
        else:
            blocks = range(0, 2 * n, wide)
            masks = [[b + lane for b in blocks[side::2] for lane in range(wide)] for side in (0, 1)]
        for i in range(n):
            if i & distance == 0:
                pair, names = (rows[i], rows[i + distance]), labels[i] + labels[i + distance]
                for place, mask in zip((i, i + distance), masks, strict=True):
                    lanes = ir.Constant(ir.VectorType(ir.IntType(32), n), mask)
                    rows[place] = builder.shuffle_vector(*pair, lanes)
                    labels[place] = [names[lane] for lane in mask]
        distance *= 2
    order = [labels.index([(r, c) for r in range(n)]) for c in range(n)]
    return [rows[place] for place in order]
