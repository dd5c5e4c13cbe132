"""Layers whose window is three by three: four outputs of a channel together, for sixteen products instead of 36.

A tile of 4 x 4 inputs becomes 16 sums and differences, and so do a channel's 9 weights. For each of the 16 kinds the
products are summed over channels, one chain of multiply-adds for each tile and output channel; then 16 sums of
products become 2 x 2 outputs.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu import tile as t
from sigconv.engines.cpu import winograd_sizes as of
from sigconv.engines.cpu import winograd_tiles as mix
from sigconv.engines.cpu.block_tiles import beyond, block_shape
from sigconv.engines.cpu.conv_sizes import BLOCK_COLUMNS
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.pack import padder
from sigconv.engines.cpu.outer_tiles import turn_over
from sigconv.engines.cpu.target import host


def _weights_mixer(real: types.Float) -> Callable[..., Any]:
    """A function that makes the 16 kinds of weights of n input channels and some output channels.

    Kind k of input channel c goes to v[to + k*step + c*TOGETHER + r] for output channel r. ``space`` is scratch for
    the weights turned over.
    """
    lanes, cells = of.TOGETHER, of.KERNEL**2
    turn, load = turn_over(real, lanes), t.shape(real, of.KERNEL, lanes).load
    store = block_shape(real, of.SEEN, 1, lanes).store
    spread = t.shape(real, of.KERNEL, lanes).spread

    @inlined
    def mix_channels(w, at, w_step, outputs, n, space, v, to, step):
        size = n * cells
        k = 0
        while k < size:
            k = min(k, size - lanes)
            turn(w, at + k, w_step, outputs - 1, space, k * lanes, lanes)
            k += lanes
        half = spread(real(0.5))
        for c in range(n):
            from_here = c * cells * lanes
            first = load(space, from_here)
            middle = load(space, from_here + of.KERNEL * lanes)
            last = load(space, from_here + 2 * of.KERNEL * lanes)
            outer = t.add(first, last)
            here = to + c * lanes
            store(mix.mix_weights(first), v, here, step, 0)
            store(mix.mix_weights(t.mul(half, t.add(outer, middle))), v, here + of.SEEN * step, step, 0)
            store(mix.mix_weights(t.mul(half, t.sub(outer, middle))), v, here + 2 * of.SEEN * step, step, 0)
            store(mix.mix_weights(last), v, here + 3 * of.SEEN * step, step, 0)

    return mix_channels


def weights(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Blocks [lo, hi) of output channels, of.TOGETHER each but the last of a group, of which there are ``outputs``."""
    mix_channels = _weights_mixer(real)

    def run(w, channels, outputs, space, v, lo, hi):
        blocks = (outputs + of.TOGETHER - 1) // of.TOGETHER
        step = channels * of.TOGETHER
        for k in range(lo, hi):
            group = k // blocks
            first = (k - group * blocks) * of.TOGETHER
            at = (group * outputs + first) * channels * of.KERNEL**2
            some = min(of.TOGETHER, outputs - first)
            mix_channels(w, at, channels * of.KERNEL**2, some, channels, space, v, k * of.KINDS * step, step)

    return "xiixxii", run


def _inputs_mixer(real: types.Float) -> Callable[..., Any]:
    """A function that makes the 16 kinds of inputs of some channels for a block's tiles.

    Kind k of tile t of channel ``channel`` + c goes to u[to + k*KIND_STEP + c*APART + t].
    """
    pad = padder(real)
    lanes = host().vector_bytes * 8 // real.bitwidth
    shape = block_shape(real, of.SEEN, 1, lanes)
    load, store = shape.load, shape.store

    @inlined
    def mix_row(p, at, pitch, phase, wide, u, to, step):
        for j in range(0, wide, lanes):
            even, next_even = load(p, at + j, pitch, 0), load(p, at + j + 1, pitch, 0)
            odd, next_odd = load(p, at + phase + j, pitch, 0), load(p, at + phase + j + 1, pitch, 0)
            here = to + j
            store(mix.mix_inputs(t.sub(even, next_even)), u, here, of.SEEN * step, 0)
            store(mix.mix_inputs(t.add(odd, next_even)), u, here + step, of.SEEN * step, 0)
            store(mix.mix_inputs(t.sub(next_even, odd)), u, here + 2 * step, of.SEEN * step, 0)
            store(mix.mix_inputs(t.sub(odd, next_odd)), u, here + 3 * step, of.SEEN * step, 0)

    @inlined
    def mix_tiles(x, channel, channels, block, p, u, to, maps, facts):
        height, width, pitch, phase = facts[of.HEIGHT], facts[of.WIDTH], facts[of.PITCH], facts[of.PHASE]
        tile_rows, wide = facts[of.TILE_ROWS], block[of.WIDE]
        left, right = beyond(maps, facts[of.LEFT_MAP]), beyond(maps, facts[of.RIGHT_MAP])
        for c in range(channels):
            row, end = block[of.FIRST], block[of.FIRST] + block[of.ROWS]
            there = to + c * facts[of.APART]
            while row < end:
                sample = row // tile_rows
                first = row - sample * tile_rows
                rows = min(tile_rows - first, end - row)
                at = sample * facts[of.SAMPLE_STEP] + block[of.START] + (channel + c) * height * width
                pad(
                    x, at, width, beyond(maps, of.TILE * first), of.TILE * rows + of.SEEN - of.TILE, facts[of.BEFORE],
                    left, right, facts[of.BORDERED], of.TILE * block[of.COLUMN], of.TILE * wide + of.SEEN - of.TILE,
                    of.TILE, of.TILE, p, 0, phase, pitch,
                )  # fmt: skip
                for r in range(rows):
                    mix_row(p, of.TILE * r * pitch, pitch, phase, wide, u, there, facts[of.KIND_STEP])
                    there += wide
                row += rows

    return mix_tiles


def _multiplier(real: types.Float) -> Callable[..., Any]:
    """A function that adds one kind's products to the sums of of.TOGETHER output channels."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    most = BLOCK_COLUMNS[host().vector_bytes]

    def strip(columns):
        size, _, load, store, fma = block_shape(real, of.TOGETHER, columns, lanes)
        zeros = t.shape(real, of.TOGETHER * columns, lanes).zeros

        @inlined
        def add_products(u, at, apart, n, v, first, m, to, step, fresh):
            if fresh:
                acc = zeros()
            else:
                acc = load(m, to, step, size)
            for _ in range(n):
                acc = fma(acc, u, at, v, first, 1)
                at += apart
                first += of.TOGETHER
            store(acc, m, to, step, size)

        return add_products

    three, two, one = (strip(min(columns, most)) for columns in (3, 2, 1))

    @inlined
    def multiply(u, at, apart, tiles, n, v, first, m, to, step, fresh):
        k = 0
        while k < tiles:
            left = (tiles - k + lanes - 1) // lanes
            if most >= 3 and left >= 3 and left != 4:
                three(u, at + k, apart, n, v, first, m, to + k, step, fresh)
                k += 3 * lanes
            elif most >= 2 and left >= 2:
                two(u, at + k, apart, n, v, first, m, to + k, step, fresh)
                k += 2 * lanes
            else:
                one(u, at + k, apart, n, v, first, m, to + k, step, fresh)
                k += lanes

    return multiply


def _gatherer(real: types.Float) -> Callable[..., Any]:
    """A function that makes a block's outputs from the sums of their products; it says whether all are finite."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    load, spread = block_shape(real, of.SEEN, 1, lanes).load, t.shape(real, of.TILE, lanes).spread
    rows_in_turn = mix.in_turn(0), mix.in_turn(1)
    upper, lower = rows_in_turn

    @inlined
    def put(value, y, to, n):
        if n >= 2 * lanes:
            t.store(value, y, to)
            return t.all_finite(value)
        mix.store_first(value, y, to, n)
        return t.all_finite(mix.first_of(value, n))

    @inlined
    def gather_row(m, at, apart, number, y, to, below, n):
        finite = True
        bias = spread(number)
        for j in range(0, n, 2 * lanes):
            here = at + j // 2
            first, second = (
                mix.mix_products(load(m, here, of.SEEN * apart, 0)),
                mix.mix_products(load(m, here + apart, of.SEEN * apart, 0)),
            )
            third, fourth = (
                mix.mix_products(load(m, here + 2 * apart, of.SEEN * apart, 0)),
                mix.mix_products(load(m, here + 3 * apart, of.SEEN * apart, 0)),
            )
            even = t.add(t.add(t.add(first, second), third), bias)
            odd = t.add(t.sub(t.sub(second, third), fourth), bias)
            finite &= put(upper(even, odd), y, to + j, n - j)
            if below > 0:
                finite &= put(lower(even, odd), y, to + below + j, n - j)
        return finite

    @inlined
    def gather(m, bias, y, block, facts):
        finite = True
        apart, tile_rows, height, width = (
            facts[of.APART],
            facts[of.TILE_ROWS],
            facts[of.OUT_HEIGHT],
            facts[of.OUT_WIDTH],
        )
        column, wide = of.TILE * block[of.COLUMN], block[of.WIDE]
        n = min(of.TILE * wide, width - column)
        for o in range(block[of.OUTPUTS]):
            channel = block[of.CHANNEL] + o
            at = o * of.KINDS * apart
            for row in range(block[of.FIRST], block[of.FIRST] + block[of.ROWS]):
                sample = row // tile_rows
                i = of.TILE * (row - sample * tile_rows)
                to = sample * facts[of.OUT_SAMPLE_STEP] + (channel * height + i) * width + column
                finite &= gather_row(m, at, apart, bias[channel], y, to, width if i + 1 < height else 0, n)
                at += wide
        return finite

    return gather


def layer(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Blocks [lo, hi) of a layer; finite[k] becomes 1 where all of a block's outputs are.

    ``v`` holds the weights' kinds, or is scratch for those of some channels; ``s``, ``p``, ``u`` and ``m`` are scratch
    for weights turned over, for padded planes, and for inputs' and products' kinds.
    """
    mix_channels, mix_tiles = _weights_mixer(real), _inputs_mixer(real)
    multiply, gather = _multiplier(real), _gatherer(real)

    def run(x, w, bias, y, v, s, p, u, m, finite, maps, facts, blocks, lo, hi):
        channels, apart, cells = facts[of.CHANNELS], facts[of.APART], of.KERNEL**2
        for k in range(lo, hi):
            block = beyond(blocks, k * of.BLOCK)
            tiles = block[of.ROWS] * block[of.WIDE]
            for c in range(0, channels, facts[of.CHUNK]):
                some = min(facts[of.CHUNK], channels - c)
                if facts[of.INPUTS_READY] == 0:
                    mix_tiles(x, c, some, block, p, u, 0, maps, facts)
                at = block[of.INPUTS] + c * apart if facts[of.INPUTS_READY] != 0 else 0
                for o in range(0, block[of.OUTPUTS], of.TOGETHER):
                    if facts[of.WEIGHTS_READY] != 0:
                        first, step = (
                            block[of.WEIGHTS] + (o * of.KINDS * channels) + c * of.TOGETHER,
                            channels * of.TOGETHER,
                        )
                    else:
                        first, step = 0, some * of.TOGETHER
                        here = ((block[of.CHANNEL] + o) * channels + c) * cells
                        outputs = min(of.TOGETHER, block[of.OUTPUTS] - o)
                        mix_channels(w, here, channels * cells, outputs, some, s, v, first, step)
                    for kind in range(of.KINDS):
                        multiply(
                            u, at + kind * facts[of.KIND_STEP], apart, tiles, some, v, first + kind * step,
                            m, (o * of.KINDS + kind) * apart, of.KINDS * apart, c == 0,
                        )  # fmt: skip
            finite[k] = gather(m, bias, y, block, facts)

    return "xxxxxxxxxblllii", run


def inputs(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Channels [lo, hi) of a layer's inputs, counted through all blocks of tiles; ``p`` is scratch for planes."""
    mix_tiles = _inputs_mixer(real)

    def run(x, p, u, maps, facts, blocks, lo, hi):
        channels = facts[of.CHANNELS]
        for k in range(lo, hi):
            which = k // channels
            channel = k - which * channels
            block = beyond(blocks, which * facts[of.PIECES] * of.BLOCK)
            mix_tiles(x, channel, 1, block, p, u, block[of.INPUTS] + channel * facts[of.APART], maps, facts)

    return "xxxlllii", run


compile_kernel = compiler({"layer": layer, "inputs": inputs, "weights": weights})
