"""Many taps with 9/16 of the multiplications: fast FIR over groups of four samples, counted from the start.

Two outputs in a row, y[1] = p x[1] + q x[0] and y[0] = p x[0] + q x[-1], share a product:

    y[1] = (p + q) x[0] + p (x[1] - x[0]),    y[0] = (p + q) x[0] + q (x[-1] - x[0]).

With p the taps of even age, q those of odd age and x every second sample, these are three filters of half the length at
half the rate instead of four; done twice, nine of a quarter of the length instead of sixteen (Winograd 1980; Mou and
Duhamel 1991). Only samples are subtracted, and only those in an output's own window: a constant's differences are
exactly zero, and what a window does not hold leaves no trace.

The price is rounding. Against one chain of multiply-adds the error is about 2 times as large for noise, 1.5 times for
noise on a level far from zero, and 25 times for a signal that changes sign with every sample, which sums to nearly
nothing; even then, of a thousand taps, it is some 30 eps * sum |w| * max |x|. Differences may overflow where the output
would not: such outputs, like those with something missing, are not finite, and are for `fir.smooth` to mend.
"""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu import group_tiles
from sigconv.engines.cpu import tile as t
from sigconv.engines.cpu.block_tiles import beyond
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.taps import TURNS, group_lanes

NONE = 9  # where the first sums start from: a tile of zeros


@inlined
def _start(stream):
    """The sum that a stream's goes on from."""
    if stream < 3:
        return NONE
    return 0 if stream < 5 else 3 + (stream - 5) // 2


def _smooth(real: types.Float, turned: bool) -> tuple[str, Callable[..., None]]:
    lanes = group_lanes()
    at_once = lanes // 4  # groups in a turn
    count = TURNS * at_once  # groups in a tile: one lane's, of one series
    size, zeros, load, _, _ = t.shape(real, count, lanes)
    four_taps, three_taps, two_taps, one_tap = (t.shape(real, count, lanes, n).fma_taps for n in (4, 3, 2, 1))
    differences = group_tiles.differences_of(real, lanes, turned)
    in_order = group_tiles.in_order_of(real, lanes, size, turned)
    load_apart, store_apart = group_tiles.apart_of(real, lanes)
    no_doubt, spread = t.shape(real, 1, lanes).zeros, t.shape(real, lanes, lanes).spread
    add, sub, fma, store, ask_for, total = t.add, t.sub, t.fma, t.store, t.ask_for_later, group_tiles.total

    @inlined
    def finish(sums, of, x, at, along, across, recent, extra, y, to, doubt):
        """One turn of outputs; what is not finite is infinite or NaN in ``doubt`` from now on."""
        rows = in_order(sums, of)
        if extra > 0:
            rows = fma(load_apart(x, at, across), spread(recent[0]), rows)
        if extra > 1:
            rows = fma(load_apart(x, at - along, across), spread(recent[1]), rows)
        if extra > 2:
            rows = fma(load_apart(x, at - 2 * along, across), spread(recent[2]), rows)
        store_apart(rows, y, to, across)
        row = total(rows)
        return add(doubt, sub(row, row))

    def run(x, at, along, w, groups, recent, extra, y, to, tiles, most, space, pitch):
        history = groups // at_once * at_once  # of earlier groups; the first of an even number of them is not used
        streams = beyond(space, 4 * lanes)
        sums = beyond(streams, 9 * pitch)  # nine and nothing, twice: while some are made, the others become outputs
        store(zeros(), sums, NONE * size)
        store(zeros(), sums, (10 + NONE) * size)
        doubt = no_doubt()
        while tiles > 0:
            rows = min(tiles, most) * count
            across = 4 * rows if turned else along
            old = at - extra * along
            g = -history
            for k in range(3):
                for lane in range(lanes):
                    space[k * lanes + lane] = x[old + (4 * g - 3 + k) * along + lane * (across if turned else 1)]
            while g < count:
                differences(x, old + 4 * g * along, across, space, streams, lanes * (g + history), pitch)
                g += at_once
            g = 0
            now = 0
            while g < rows:
                # Differences of the next tile and outputs of the last are made between the products of this one:
                # in pieces so small that the processor, which looks some hundred instructions ahead, does both at once.
                for stream in range(9):
                    acc = load(sums, (now + _start(stream)) * size)
                    from_here = stream * pitch + lanes * (g + history)
                    j = stream * groups
                    end = j + groups
                    for part in range(2):
                        stop = j + groups // 8 * 4 if part == 0 else end
                        while stop - j >= 4:
                            acc = four_taps(acc, streams, from_here, w, j)
                            from_here -= 4 * lanes
                            j += 4
                        turn = (2 * stream + part) // 3 * 2 + (2 * stream + part) % 3
                        if (2 * stream + part) % 3 == 2:
                            pass
                        elif turn < TURNS:
                            next_turn = g + count + turn * at_once
                            if next_turn < rows:
                                here = old + 4 * next_turn * along
                                to_streams = lanes * (next_turn + history)
                                differences(x, here, across, space, streams, to_streams, pitch)
                                if turned:  # what this turn reads of the next block, were it read in order
                                    for line in range(lanes * lanes // 16):
                                        ask_for(x, at + 4 * lanes * (rows + next_turn) + 16 * line)
                        elif g > 0:
                            turn -= TURNS
                            done = (g - count + turn * at_once) * 4 * along
                            of = (10 - now) * size + turn * at_once * lanes
                            doubt = finish(sums, of, x, at + done, along, across, recent, extra, y, to + done, doubt)
                    if end - j == 3:
                        acc = three_taps(acc, streams, from_here, w, j)
                    elif end - j == 2:
                        acc = two_taps(acc, streams, from_here, w, j)
                    elif end - j == 1:
                        acc = one_tap(acc, streams, from_here, w, j)
                    store(acc, sums, (now + stream) * size)
                now = 10 - now
                g += count
            for turn in range(TURNS):
                done = (rows - count + turn * at_once) * 4 * along
                of = (10 - now) * size + turn * at_once * lanes
                doubt = finish(sums, of, x, at + done, along, across, recent, extra, y, to + done, doubt)
            done = 4 * rows * (lanes if turned else along)
            at += done
            to += done
            tiles -= min(tiles, most)
        store(doubt, space, 3 * lanes)

    return "xiixixixiiixi", run


def series(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[to + i] = sum of w[j] x[at + i - j] for 0 <= i < 4 * lanes * (groups in a tile) * tiles, ``at`` on a group.

    ``recent`` holds the weights of the ``extra`` newest taps, ``w`` what `taps.fold` makes of the 4 * groups others.
    Lanes are stretches of the series, of at most ``most`` tiles. ``space`` holds three rows of lanes, then a row of
    zeros if all outputs are finite. ``along`` is 1, and windows must lie inside x, and four samples before the first.
    """
    return _smooth(real, True)


def columns(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The same down as many columns as there are lanes, of rows ``along`` apart; tiles follow one another."""
    return _smooth(real, False)


compile_kernel = compiler({"series": series, "columns": columns})
