"""Running filters over lines of vectors: down the rows of a band by van Herk, along each row by doubling.

Down: rows are cut into blocks as long as the window. A window that is no block ends one and begins the next,

    w[i] = (x[i] + .. + x[end of block]) + (x[start of next block] + .. + x[i + k - 1]),

so it takes what was joined back from the block's end and what is joined on from there: three operations a number for
any size. Along: windows of 2, 4, 8, .. numbers are made of two of half the size, and a window consists of those whose
sizes the binary digits of k name, the largest first. Nothing is ever taken away again, so nothing that left a window
leaves a trace.

Pointers are to bytes and places count numbers. `running_sizes` tells what the numbers of the first table mean.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sigconv.engines.cpu.kernels import inlined
from sigconv.engines.cpu.sizes import running as z
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles.rows import reader, writer
from sigconv.engines.cpu.tiles.running import Join, doubling, joined_by, part_reader

DEEP = 4  # vectors of a tile


class Kind(NamedTuple):
    """What a running filter joins, and how numbers come in and go out.

    ``read(whole)`` makes (pointer, place, present) -> tile, ``read_one`` is (pointer, place) -> tile of one number,
    ``finish(whole)`` makes (tile, divisor, pointer, place,
    present, form), which stores; a tile is DEEP vectors where it is ``whole``, else one, of which only so many numbers
    are ``present``. ``emit`` joins two vectors, and ``overlapping`` tells whether a number may be joined twice.
    """

    number: Any
    read: Callable[[bool], Callable[..., Any]]
    read_one: Callable[..., Any]
    emit: Join
    finish: Callable[[bool], Callable[..., Any]]
    overlapping: bool

    @property
    def join(self) -> Callable[..., Any]:
        return joined_by(self.emit)


def lanes_of(number: Any) -> int:
    """How many numbers a vector holds."""
    return host().vector_bytes * 8 // number.bitwidth


def read_as(kind: str, number: Any) -> Callable[[bool], Callable[..., Any]]:
    """A kind's ``read`` for numbers that stand in memory as `row_tiles` says."""

    def of_tile(whole: bool) -> Callable[..., Any]:
        if not whole:
            return part_reader(kind, number, lanes_of(number))
        load = reader(kind, number, DEEP, lanes_of(number))

        @inlined
        def read(x, at, present):
            return load(x, at)

        return read

    return of_tile


def _over(step: Callable[[Kind, bool], Callable[..., Any]], kind: Kind) -> Callable[..., Any]:
    """A step of the way down for a row of n numbers, tile by tile."""
    whole, part, lanes = step(kind, True), step(kind, False), lanes_of(kind.number)
    big = DEEP * lanes

    @inlined
    def over(x, at, inside, first, s, partner, to, n):
        i = 0
        while i + big <= n:
            whole(x, at + i, inside, first, s, partner + i, to + i, big)
            i += big
        while i < n:
            part(x, at + i, inside, first, s, partner + i, to + i, min(lanes, n - i))
            i += lanes

    return over


def _back(kind: Kind, whole: bool) -> Callable[..., Any]:
    """A row joined with what there is of its block below it."""
    read, load, store, join = kind.read(whole), _loader(kind, whole), writer("real"), kind.join

    @inlined
    def back(x, at, inside, first, s, below, to, present):
        value = read(x, at, present) if inside else load(s, 0)
        store(value if first else join(value, load(s, below)), s, to)

    return back


def _ahead(kind: Kind, whole: bool) -> Callable[..., Any]:
    """What there is of the next block joined with a row, and with the end of the block before."""
    read, load, store, join = kind.read(whole), _loader(kind, whole), writer("real"), kind.join

    @inlined
    def ahead(x, at, inside, first, s, above, to, present):
        value = read(x, at, present) if inside else load(s, 0)
        if not first:
            value = join(load(s, above), value)
        store(value, s, above)
        store(join(load(s, to), value), s, to)

    return ahead


def _result(kind: Kind, whole: bool) -> Callable[..., Any]:
    """One tile of results, each of one part of a window or of two."""
    load, join, finish = _loader(kind, whole), kind.join, kind.finish(whole)

    @inlined
    def result(s, one, other, joined, divisor, y, to, present, form):
        value = load(s, one)
        finish(join(value, load(s, other)) if joined else value, divisor, y, to, present, form)

    return result


def _loader(kind: Kind, whole: bool) -> Callable[..., Any]:
    return reader("real", kind.number, DEEP if whole else 1, lanes_of(kind.number))


def separable(kind: Kind) -> Callable[..., None]:
    """The filter of planes of rows: out[p, r, c] joins x[p, r + i, c + j step], 0 <= i < k rows, 0 <= j < k columns.

    ``numbers`` holds sizes, steps and places, then the row of x for each row that the band's windows see, then the
    number of that row for each one to the left and to the right of those read; -1 and CONSTANT stand for a constant.
    The scratch ``s`` begins with TILE bytes of constants and as many of windows down over them; after that come two
    rows for parts of windows, one for the start of a block, and a block, LINE numbers each.
    """
    lanes = lanes_of(kind.number)
    big = DEEP * lanes
    constants = z.TILE * 8 // kind.number.bitwidth
    back, ahead = _over(_back, kind), _over(_ahead, kind)
    result, result_part = _result(kind, True), _result(kind, False)
    read_one, load_one = kind.read_one, reader("real", kind.number, 1, 1)
    overlapping = kind.overlapping
    load, load_vector, store, join = _loader(kind, True), _loader(kind, False), writer("real"), kind.join
    begin, step_back, whole_windows, part_windows = doubling(kind.emit, kind.number, lanes, kind.overlapping)

    @inlined
    def ends(x, at, numbers, r, s, row):
        """What is beside the numbers read: others of the row, or a constant."""
        seen, left, right = numbers[z.SEEN], numbers[z.LEFT], numbers[z.RIGHT]
        tall = numbers[z.DOWN] > 1
        table = z.HEADER + numbers[z.BAND] + numbers[z.DOWN] - 1
        at += numbers[z.HEADER + r] * numbers[z.PITCH]
        for i in range(left + right):
            place = row + i if i < left else row + seen + i
            column = numbers[table + i]
            if column == z.CONSTANT:
                store(load_one(s, constants), s, place)
            elif tall:
                store(load_one(s, row + left + column), s, place)
            else:
                one = read_one(x, at + column)
                store(one, s, place)

    @inlined
    def pairs(s, first, second, to, n):
        """s[to + i] = s[first + i] and s[second + i] joined; a tile more than n may be written."""
        for i in range(0, n, big):
            store(join(load(s, first + i), load(s, second + i)), s, to + i)

    @inlined
    def results(s, first, second, joined, divisor, y, to, n, form):
        i = 0
        while i + big <= n:
            result(s, first + i, second + i, joined, divisor, y, to + i, big, form)
            i += big
        while i < n:
            result_part(s, first + i, second + i, joined, divisor, y, to + i, min(lanes, n - i), form)
            i += lanes

    @inlined
    def short_windows(s, row, k, n, part, acc):
        """part[i] = the windows of ``lanes`` numbers from s[row + i] on, acc[i] = the shorter ones; n of each."""
        state = begin()
        for i in range((n - 1) // lanes * lanes, -1, -lanes):
            state = step_back(state, load_vector(s, row + i), k)
            if k >= lanes:
                store(whole_windows(state), s, part + i)
            store(part_windows(state), s, acc + i)

    @inlined
    def along(numbers, s, row, part, y, to):
        """The windows of a row: of two that overlap, or of those of which k consists, the largest first."""
        k, step, n = numbers[z.ALONG], numbers[z.STEP], numbers[z.OUT]
        divisor, form = numbers[z.COUNT], numbers[z.FORM]
        acc = part + numbers[z.LINE]
        p = 1  # s[here + i] joins p numbers, and s[rest + i] as many as k has below that
        here = row
        rest = row
        if step == 1 and k > 1:
            short_windows(s, row, k, n + k - 1, part, acc)
            p = lanes
            here = part
            rest = acc
            if overlapping and k < lanes:
                here = acc
                while p > k:
                    p >>= 1
        while 2 * p <= k:
            below = k % p
            if k & p and not overlapping:
                if below:
                    pairs(s, here, rest + p * step, acc, n + (k - p - below) * step)
                    rest = acc
                elif p > 1:
                    for i in range(0, n + (k - p) * step, big):
                        store(load(s, here + i), s, acc + i)
                    rest = acc
            pairs(s, here, here + p * step, part, n + (k - 2 * p) * step)
            here = part
            p *= 2
        if k < p:
            results(s, rest, rest, False, divisor, y, to, n, form)
        elif overlapping:
            results(s, here, here + (k - p) * step, k > p, divisor, y, to, n, form)
        else:
            results(s, here, rest + p * step, k > p, divisor, y, to, n, form)

    @inlined
    def block(x, at, numbers, start, s, to):
        """The ends of a block's windows that lie in it, each joined back from the block's last row."""
        pitch, line, last = numbers[z.PITCH], numbers[z.LINE], numbers[z.DOWN] - 1
        for r in range(last, -1, -1):
            row = numbers[z.HEADER + start + r]
            place = to + r * line
            back(x, at + row * pitch, row >= 0, r == last, s, place + line, place, numbers[z.SEEN])

    def run(x, y, numbers, s):
        band, k, line, pitch = numbers[z.BAND], numbers[z.DOWN], numbers[z.LINE], numbers[z.PITCH]
        left, seen = numbers[z.LEFT], numbers[z.SEEN]
        part = 2 * constants
        above, first = part + 2 * line, part + 3 * line + numbers[z.START]
        for p in range(numbers[z.PLANES]):
            at = numbers[z.AT] + p * numbers[z.PLANE]
            to = numbers[z.TO] + p * numbers[z.OUT_PLANE]
            for start in range(0, band, k):
                block(x, at, numbers, start, s, first + left)
                for r in range(min(k, band - start)):
                    here = first + r * line
                    if r > 0:
                        row = numbers[z.HEADER + start + k - 1 + r]
                        ahead(x, at + row * pitch, row >= 0, r == 1, s, above, here + left, seen)
                    ends(x, at, numbers, start + r, s, here)
                    along(numbers, s, here, part, y, to + (start + r) * numbers[z.OUT_PITCH])

    return run
