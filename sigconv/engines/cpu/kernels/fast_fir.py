"""Many taps with 3/8 of the multiplications: fast FIR over groups of four samples, counted from the start.

Two outputs in a row, y[1] = p x[1] + q x[0] and y[0] = p x[0] + q x[-1], share a product:

    y[1] = (p + q) x[0] + p (x[1] - x[0]),    y[0] = (p + q) x[0] + q (x[-1] - x[0]).

With p the taps of even age, q those of odd age and x every second sample, these are three filters of half the length at
half the rate instead of four; done twice, nine of a quarter of the length instead of sixteen (Winograd 1980; Mou and
Duhamel 1991). Each of the nine saves another third: outputs d groups apart, y[d] = p x[d] + q x[0] + r x[-d] and
y[0] = p x[0] + q x[-d] + r x[-2d], share two of four products,

    y[d] = s + t + p (x[d] - x[-d]),    y[0] = s - t - r (x[0] - x[-2d]),
    s = (p + q + r)/2 (x[0] + x[-d]),   t = (q - p - r)/2 (x[0] - x[-d]).

Samples are added and subtracted in registers there, beside the multiplications, and only those in an output's own
window: a constant's differences are exactly zero, and what a window does not hold leaves no trace.

The price is rounding. Against one chain of multiply-adds the error is about 1.3 times as large for noise, no larger for
noise on a level far from zero, and up to 5 times for a signal that changes sign with every sample, which sums to nearly
nothing. Differences may overflow where the output
would not: such outputs, like those with something missing, are not finite, and are for `fir.smooth` to mend.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.causal.taps import APART, group_lanes, turn_lanes
from sigconv.engines.cpu.kernels import always_inlined, compiler, inlined
from sigconv.engines.cpu.tiles import groups as group_tiles
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.blocks import beyond

NONE = 9  # where the first sums start from: a tile of zeros


AHEAD = 240  # so far ahead a lane's samples, and places of its outputs, are asked for


@inlined
def _start(stream):
    """The sum that a stream's goes on from."""
    if stream < 3:
        return NONE
    return 0 if stream < 5 else 3 + (stream - 5) // 2


def _smooth(real: types.Float, turned: bool, apart: int, lanes: int) -> tuple[str, Callable[..., None]]:
    part = turn_lanes()
    at_once, parts = part // 4, lanes // part  # groups in a turn, and turns that fill a row
    count = 2 * apart  # groups in a tile: one lane's, of one series
    turns = count // at_once * parts
    chunk = apart // 2
    size, both, none = count * lanes, t.shape(real, 2 * chunk, lanes), t.shape(real, count, lanes).zeros
    near, far, rest = group_tiles.products_of(real, lanes, apart, chunk)
    crossed, load, store_two = group_tiles.two_of(real, lanes, apart, chunk)
    differences = group_tiles.differences_of(real, lanes, part, turned)
    in_order = group_tiles.in_order_of(real, lanes, part, size, turned)
    load_apart, store_apart = group_tiles.apart_of(real, part)
    no_doubt, spread = t.shape(real, 1, part).zeros, t.shape(real, part, part).spread
    zeros, one_row = both.zeros, t.shape(real, 1, lanes).load
    add, sub, fma, store, ask_for, total = t.add, t.sub, t.fma, t.store, t.ask_for_later, group_tiles.total

    @always_inlined
    def finish(sums, turn, x, at, along, across, recent, extra, y, to, doubt):
        """One turn of outputs; what is not finite is infinite or NaN in ``doubt`` from now on."""
        lane = turn % parts * part
        of = turn // parts * at_once * lanes + lane
        done = turn // parts * at_once * 4 * along + lane * (across if turned else 1)
        at += done
        to += done
        rows = in_order(sums, of)
        if extra > 0:
            rows = fma(load_apart(x, at, across), spread(recent[0]), rows)
        if extra > 1:
            rows = fma(load_apart(x, at - along, across), spread(recent[1]), rows)
        if extra > 2:
            rows = fma(load_apart(x, at - 2 * along, across), spread(recent[2]), rows)
        store_apart(rows, y, to, across)
        if turned:
            for line in range(part):
                ask_for(y, to + line * across + AHEAD)
        row = total(rows)
        return add(doubt, sub(row, row))

    @always_inlined
    def prepare(turn, x, here, along, across, space, streams, row, pitch):
        """Differences of one turn."""
        lane = turn % parts * part
        k = turn // parts * at_once
        here += 4 * k * along + lane * (across if turned else 1)
        differences(x, here, across, beyond(space, lane), streams, lanes * (row + k) + lane, pitch)
        if turned:
            for line in range(part):
                ask_for(x, here + line * across + AHEAD)

    def run(x, at, along, w, groups, paired, recent, extra, y, to, tiles, deep, space, pitch):
        history = groups // at_once * at_once  # of earlier groups; the first of an even number of them is not used
        left = groups - 3 * paired
        weights = 4 * paired + left
        streams = beyond(space, 4 * lanes)
        sums = beyond(streams, 9 * pitch)  # nine and nothing, twice: while some are made, the others become outputs
        store(none(), sums, NONE * size)
        store(none(), sums, (10 + NONE) * size)
        doubt = no_doubt()
        across = 4 * tiles * count if turned else along
        old = at - extra * along
        for k in range(3):
            for lane in range(lanes):
                space[k * lanes + lane] = x[old - (4 * history + 3 - k) * along + lane * (across if turned else 1)]
        here = old - 4 * history * along
        for turn in range((history + count) // at_once * parts):
            prepare(turn, x, here, along, across, space, streams, 0, pitch)
        row = history  # where the tile's own groups are in the streams
        now = 0
        for tile in range(tiles):
            # Differences of the next tile and outputs of the last are made between the products of this one:
            # in pieces so small that the processor, which looks some hundred instructions ahead, does both at once.
            here = old + 4 * (tile + 1) * count * along
            done = 4 * (tile - 1) * count * along
            last = beyond(sums, (10 - now) * size)
            for step in range(18):
                stream = step >> 1
                first = (step & 1) * chunk * lanes
                base = stream * pitch + lanes * row + first
                v = stream * weights
                start = (now + _start(stream)) * size + first
                acc = zeros()
                j = 0
                while j < paired:
                    acc = near(acc, streams, base - 3 * lanes * j, w, v + j, paired)
                    j += apart
                acc = add(crossed(acc), load(sums, start))
                if step < turns and tile + 1 < tiles:
                    prepare(step, x, here, along, across, space, streams, row + count, pitch)
                j = 0
                while j < paired:
                    acc = far(acc, streams, base - 3 * lanes * j, w, v + 2 * paired + j, paired)
                    j += apart
                for k in range(left):
                    acc = rest(acc, streams, base - lanes * (3 * paired + k), w, v + 4 * paired + k)
                store_two(acc, sums, (now + stream) * size + first)
                if step < turns and tile > 0:
                    doubt = finish(last, step, x, at + done, along, across, recent, extra, y, to + done, doubt)
            for step in range(18, turns):
                if tile + 1 < tiles:
                    prepare(step, x, here, along, across, space, streams, row + count, pitch)
                if tile > 0:
                    doubt = finish(last, step, x, at + done, along, across, recent, extra, y, to + done, doubt)
            now = 10 - now
            row += count
            if row + 2 * count > history + deep:
                for stream in range(9):
                    for k in range(history + count):
                        back = stream * pitch + lanes * k
                        store(one_row(streams, back + lanes * (row - history)), streams, back)
                row = history
        last = beyond(sums, (10 - now) * size)
        done = 4 * (tiles - 1) * count * along
        for turn in range(turns):
            doubt = finish(last, turn, x, at + done, along, across, recent, extra, y, to + done, doubt)
        store(one_row(sums, NONE * size), space, 3 * lanes)
        store(doubt, space, 3 * lanes)

    return "xiixiixixiiixi", run


def series(real: types.Float, apart: int, lanes: int) -> tuple[str, Callable[..., None]]:
    """y[to + i] = sum of w[j] x[at + i - j] for 0 <= i < 4 * lanes * (groups in a tile) * tiles, ``at`` on a tile.

    ``recent`` holds the weights of the ``extra`` newest taps, ``w`` what `taps.fold` makes of the 4 * groups others:
    ``paired`` products of each kind. Lanes are stretches of the series. ``space`` holds three rows of lanes, then a row
    of zeros if all outputs are finite, then nine streams ``pitch`` apart, of ``deep`` groups and a window's, and sums.
    ``along`` is 1, and windows must lie inside x, and four samples before the first.
    """
    return _smooth(real, True, apart, lanes)


def columns(real: types.Float, apart: int, lanes: int) -> tuple[str, Callable[..., None]]:
    """The same down as many columns as there are lanes, of rows ``along`` apart; tiles follow one another."""
    return _smooth(real, False, apart, lanes)


def _variant(build: Callable[..., Any], *shape: int) -> Callable[[types.Float], tuple[str, Callable[..., None]]]:
    return lambda real: build(real, *shape)


compile_kernel = compiler(
    {
        f"{build.__name__}_{apart}_{lanes}": _variant(build, apart, lanes)
        for build in (series, columns)
        for apart in APART
        for lanes in {group_lanes(), turn_lanes()}
    }
)
