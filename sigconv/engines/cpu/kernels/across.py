"""Convolution layers with a vector of output channels at each place: no place is lost where rows are short.

Weights are laid out so that those of a tap for a vector of channels lie side by side; a number of the input meets all
of them. Each output is one chain of multiply-adds in the weights' own order, whatever the blocks.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.pack import layer_out, mover
from sigconv.engines.cpu.sizes import conv as of
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.across import across_shape
from sigconv.engines.cpu.tiles.blocks import beyond
from sigconv.engines.cpu.tiles.outer import turn_over


def _tile(real: types.Float, places: int, lanes: int) -> Callable[..., Any]:
    """Sums for ``places`` neighbours, from the vector before the first weights on or from what ``s`` holds."""
    repeat, fma = across_shape(real, places, lanes)
    load, store = t.shape(real, places, lanes).load, t.store

    @inlined
    def add(p, at, places, first, taps, w, s, to):
        if first:
            acc = load(s, to)
        else:
            acc = repeat(w, 0)
        j = (first + 1) * lanes
        for tap in range(first, first + taps):
            acc = fma(acc, p, at + places[tap], w, j)
            j += lanes
        store(acc, s, to)

    return add


def _row(real: types.Float, lanes: int) -> Callable[..., Any]:
    """Sums for a row of n places: as few tiles as will do, of sizes that differ by one at most."""
    one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen = (
        _tile(real, places, lanes) for places in range(1, of.ACROSS + 1)
    )

    @inlined
    def row(p, at, n, places, first, taps, w, s, to):
        end = at + n
        left = (n + of.ACROSS - 1) // of.ACROSS
        while at < end:
            size = (end - at) // left
            if size == 1:
                one(p, at, places, first, taps, w, s, to)
            elif size == 2:
                two(p, at, places, first, taps, w, s, to)
            elif size == 3:
                three(p, at, places, first, taps, w, s, to)
            elif size == 4:
                four(p, at, places, first, taps, w, s, to)
            elif size == 5:
                five(p, at, places, first, taps, w, s, to)
            elif size == 6:
                six(p, at, places, first, taps, w, s, to)
            elif size == 7:
                seven(p, at, places, first, taps, w, s, to)
            elif size == 8:
                eight(p, at, places, first, taps, w, s, to)
            elif size == 9:
                nine(p, at, places, first, taps, w, s, to)
            elif size == 10:
                ten(p, at, places, first, taps, w, s, to)
            elif size == 11:
                eleven(p, at, places, first, taps, w, s, to)
            elif size == 12:
                twelve(p, at, places, first, taps, w, s, to)
            else:
                thirteen(p, at, places, first, taps, w, s, to)
            at += size
            to += size * lanes
            left -= 1

    return row


def _packer(real: types.Float, lanes: int) -> Callable[..., Any]:
    """A function that lays out some channels' biases, then their weights of each tap: vectors of channels."""
    block = turn_over(real, lanes)

    @inlined
    def pack(w, at, taps, bias, channel, outputs, packed):
        to = 0
        for o in range(0, outputs, lanes):
            some = min(outputs - o, lanes)
            for k in range(lanes):
                packed[to + k] = bias[channel + o + min(k, some - 1)]
            to += lanes
            first = at + o * taps
            if taps >= lanes:
                j = 0
                while j < taps:
                    j = min(j, taps - lanes)  # the last block overlaps the one before it
                    block(w, first + j, taps, some - 1, packed, to + j * lanes, lanes)
                    j += lanes
            else:
                for k in range(lanes):
                    for j in range(taps):
                        packed[to + j * lanes + k] = w[first + min(k, some - 1) * taps + j]
            to += taps * lanes

    return pack


def _giver(real: types.Float, lanes: int) -> Callable[..., Any]:
    """A function that turns over the sums of ``some`` channels at n places: y[to + o*apart + k] = s[at + k*lanes + o].

    Up to a vector's lanes of places behind them are read; ``t`` has room for a vector of vectors.
    """
    block, move = turn_over(real, lanes), mover(real)

    @inlined
    def give(s, at, n, some, t, y, to, apart):
        k = 0
        if some == lanes and n >= lanes:
            while k < n:
                k = min(k, n - lanes)
                block(s, at + k * lanes, lanes, lanes - 1, y, to + k, apart)
                k += lanes
        else:
            while k < n:
                block(s, at + k * lanes, lanes, lanes - 1, t, 0, lanes)
                for o in range(some):
                    move(t, o * lanes, min(n - k, lanes), y, to + o * apart + k)
                k += lanes

    return give


def layer(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Blocks [lo, hi) of a layer, whose planes are padded unless they are read ``bare``.

    ``p``, ``packed``, ``s`` and ``t`` are scratch for padded planes, for weights laid out, for sums and for a block of
    them turned over; ``maps``, ``places``, ``sizes`` and ``blocks`` are tables of integers. The sums of a block are
    kept while ``some`` taps at a time are added to them.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    lay_out, pack, row, give = layer_out(real), _packer(real, lanes), _row(real, lanes), _giver(real, lanes)

    def run(x, w, bias, y, p, packed, s, t, maps, places, sizes, blocks, some, bare, lo, hi):
        channels, apart, line = sizes[of.CHANNELS], sizes[of.OUT_VOLUME], sizes[of.LINE_STEP]
        taps = channels * sizes[of.KERNEL_CELLS]
        known = -1
        for k in range(lo, hi):
            block = beyond(blocks, k * of.BLOCK)
            rows, cols, outputs, channel = block[of.ROWS], block[of.WIDE], block[of.OUTPUTS], block[of.CHANNEL]
            if channel != known:
                pack(w, channel * taps, taps, bias, channel, outputs, packed)
                known = channel
            size, source = rows * cols, p
            if bare:
                at = block[of.START] + block[of.ROW_START] * sizes[of.WIDTH] + block[of.COLUMN_START]
                source = beyond(x, at)
            else:
                lay_out(x, block[of.START], channels, rows, cols, 0, p, p, maps, sizes, block)
            for first in range(0, taps, some):
                count = min(some, taps - first)
                for o in range(0, outputs, lanes):
                    weights = beyond(packed, o * (taps + 1))
                    for r in range(rows):
                        row(source, r * line, cols, places, first, count, weights, s, o * size + r * cols * lanes)
                    if first + count == taps:
                        give(s, o * size, size, min(outputs - o, lanes), t, y, block[of.TO] + o * apart, apart)

    return "xxxxxxxxlllliiii", run


compile_kernel = compiler({"layer": layer})
