"""Layers whose windows fall into parts of up to three by three cells: four outputs together, for fewer products.

A tile of 4 x 4 inputs becomes 16 sums and differences, and so do the up to nine weights of a part. For each of the 16
kinds the products are summed over channels and parts, one chain of multiply-adds for each tile and output channel;
then 16 sums of products become 2 x 2 outputs.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.pack import padder
from sigconv.engines.cpu.sizes import winograd as of
from sigconv.engines.cpu.sizes.conv import BLOCK_COLUMNS
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles import winograd as mix
from sigconv.engines.cpu.tiles.blocks import beyond, block_shape
from sigconv.engines.cpu.tiles.outer import turn_over


def _weights_mixer(real: types.Float) -> Callable[..., Any]:
    """A function that makes the kinds of weights of n parts for some output channels.

    Kind k of part q goes to v[to + k*step + q*TOGETHER + r] for output channel r. The weights of its channels are n
    numbers from w[at] on, ``apart`` from output channel to output channel; ``space`` is scratch for them turned over.
    """
    lanes = of.TOGETHER
    turn, load = turn_over(real, lanes), block_shape(real, of.TAPS, 1, lanes).load
    store = block_shape(real, of.SEEN, 1, lanes).store
    spread = t.shape(real, of.TAPS, lanes).spread
    whole, two, one = (mix.mix_weights[taps] for taps in (3, 2, 1))

    @inlined
    def mix_cells(row, broad, v, to, step):
        if broad == 3:
            store(whole(row), v, to, step, 0)
        elif broad == 2:
            store(two(row), v, to, step, 0)
        else:
            store(one(row), v, to, step, 0)

    @inlined
    def mix_parts(w, at, apart, outputs, n, space, parts, count, v, to, step, facts):
        k = 0
        while k < n:
            k = min(k, n - lanes)
            turn(w, at + k, apart, outputs - 1, space, k * lanes, lanes)
            k += lanes
        half = spread(real(0.5))
        gap, below, down = facts[of.COLUMN_TAP_STEP] * lanes, facts[of.ROW_TAP_STEP] * lanes, of.SEEN * step
        for q in range(count):
            part = beyond(parts, q * of.PART)
            cell, tall, broad = (part[of.FIRST_CELL] - parts[of.FIRST_CELL]) * lanes, part[of.TALL], part[of.BROAD]
            here = to + q * lanes
            first = load(space, cell, gap, 0)
            mix_cells(first, broad, v, here, step)
            if tall == 1:
                mix_cells(first, broad, v, here + 3 * down, step)
            else:
                middle = load(space, cell + below, gap, 0)
                if tall == 2:
                    mix_cells(t.add(first, middle), broad, v, here + down, step)
                    mix_cells(middle, broad, v, here + 3 * down, step)
                else:
                    last = load(space, cell + 2 * below, gap, 0)
                    outer = t.add(first, last)
                    mix_cells(t.mul(half, t.add(outer, middle)), broad, v, here + down, step)
                    mix_cells(t.mul(half, t.sub(outer, middle)), broad, v, here + 2 * down, step)
                    mix_cells(last, broad, v, here + 3 * down, step)

    return mix_parts


def weights(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Blocks [lo, hi) of output channels, of.TOGETHER each but the last of a group, of which there are ``outputs``."""
    mix_parts = _weights_mixer(real)

    def run(w, outputs, space, v, maps, facts, lo, hi):
        blocks = (outputs + of.TOGETHER - 1) // of.TOGETHER
        n, step = facts[of.CHANNELS] * facts[of.CELLS], facts[of.PARTS] * of.TOGETHER
        parts = beyond(maps, facts[of.PART_MAP])
        for k in range(lo, hi):
            group = k // blocks
            first = (k - group * blocks) * of.TOGETHER
            at, some = (group * outputs + first) * n, min(of.TOGETHER, outputs - first)
            mix_parts(w, at, n, some, n, space, parts, facts[of.PARTS], v, k * of.KINDS * step, step, facts)

    return "xixxllii", run


def _inputs_mixer(real: types.Float) -> Callable[..., Any]:
    """A function that makes the kinds of inputs of some parts for a block's tiles.

    Kind k of tile i of part q goes to u[to + k*KIND_STEP + q*APART + i].
    """
    pad = padder(real)
    lanes = host().vector_bytes * 8 // real.bitwidth
    shape = block_shape(real, of.SEEN, 1, lanes)
    load, store = shape.load, shape.store
    whole, two, one = (mix.mix_inputs[taps] for taps in (3, 2, 1))

    @inlined
    def mix_rows(value, tall, u, to, step):
        if tall == 3:
            store(whole(value), u, to, step, 0)
        elif tall == 2:
            store(two(value), u, to, step, 0)
        else:
            store(one(value), u, to, step, 0)

    @inlined
    def mix_row(p, at, pitch, phase, wide, tall, broad, u, to, step):
        down = of.SEEN * step
        for j in range(0, wide, lanes):
            here = to + j
            first, second = load(p, at + j, pitch, 0), load(p, at + phase + j, pitch, 0)
            if broad == 3:
                third, fourth = load(p, at + j + 1, pitch, 0), load(p, at + phase + j + 1, pitch, 0)
                mix_rows(t.sub(first, third), tall, u, here, down)
                mix_rows(t.add(second, third), tall, u, here + step, down)
                mix_rows(t.sub(third, second), tall, u, here + 2 * step, down)
                mix_rows(t.sub(second, fourth), tall, u, here + 3 * step, down)
            elif broad == 2:
                third = load(p, at + j + 1, pitch, 0)
                mix_rows(t.sub(first, second), tall, u, here, down)
                mix_rows(second, tall, u, here + step, down)
                mix_rows(t.sub(second, third), tall, u, here + 3 * step, down)
            else:
                mix_rows(first, tall, u, here, down)
                mix_rows(t.negative(second), tall, u, here + 3 * step, down)

    @inlined
    def mix_tiles(x, parts, count, block, p, u, to, maps, facts):
        width, pitch, phase = facts[of.WIDTH], facts[of.PITCH], facts[of.PHASE]
        tile_rows, wide, step = facts[of.TILE_ROWS], block[of.WIDE], facts[of.COLUMN_TAP_STEP]
        left, right = beyond(maps, facts[of.LEFT_MAP]), beyond(maps, facts[of.RIGHT_MAP])
        for q in range(count):
            part = beyond(parts, q * of.PART)
            row, end = block[of.FIRST], block[of.FIRST] + block[of.ROWS]
            there = to + q * facts[of.APART]
            column = of.TILE * step * block[of.COLUMN] + part[of.FIRST_COLUMN]
            while row < end:
                sample = row // tile_rows
                first = row - sample * tile_rows
                rows = min(tile_rows - first, end - row)
                at = sample * facts[of.SAMPLE_STEP] + block[of.START] + part[of.PLANE]
                for odd in range(2):
                    pad(
                        x, at, width, beyond(maps, part[of.ROW_MAP] + of.TILE * first),
                        of.TILE * rows + of.SEEN - of.TILE, facts[of.BEFORE], left, right, facts[of.BORDERED],
                        column + odd * step, of.TILE * step * wide + 1, of.TILE * step, 1, p, odd * phase, phase, pitch,
                    )  # fmt: skip
                for r in range(rows):
                    from_here = of.TILE * r * pitch
                    mix_row(
                        p, from_here, pitch, phase, wide, part[of.TALL], part[of.BROAD], u, there, facts[of.KIND_STEP]
                    )
                    there += wide
                row += rows

    return mix_tiles


def _multiplier(real: types.Float) -> Callable[..., Any]:
    """A function that adds one kind's products to the sums of of.TOGETHER output channels."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    most = BLOCK_COLUMNS[host().vector_bytes]

    def strip(columns, lanes):
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

    three, two, one = (strip(min(columns, most), lanes) for columns in (3, 2, 1))
    half = strip(1, lanes // 2)

    @inlined
    def multiply(u, at, apart, tiles, n, v, first, m, to, step, fresh):
        vectors, rest = tiles // lanes, tiles % lanes
        if rest > lanes // 2:
            vectors += 1
        end = at + tiles
        while vectors > 0:
            columns = 3 if most >= 3 and vectors >= 3 and vectors != 4 else 2 if most >= 2 and vectors >= 2 else 1
            if columns == 3:
                three(u, at, apart, n, v, first, m, to, step, fresh)
            elif columns == 2:
                two(u, at, apart, n, v, first, m, to, step, fresh)
            else:
                one(u, at, apart, n, v, first, m, to, step, fresh)
            vectors -= columns
            at += columns * lanes
            to += columns * lanes
        if at < end:
            half(u, at, apart, n, v, first, m, to, step, fresh)

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
    mix_parts, mix_tiles = _weights_mixer(real), _inputs_mixer(real)
    multiply, gather = _multiplier(real), _gatherer(real)

    def run(x, w, bias, y, v, s, p, u, m, finite, maps, facts, blocks, lo, hi):
        apart, window = facts[of.APART], facts[of.CHANNELS] * facts[of.CELLS]
        for k in range(lo, hi):
            block = beyond(blocks, k * of.BLOCK)
            tiles = block[of.ROWS] * block[of.WIDE]
            for c in range(facts[of.CHUNKS]):
                chunk = beyond(maps, facts[of.CHUNK_MAP] + c * of.CHUNK)
                q, count = chunk[of.FIRST_PART], chunk[of.PART_COUNT]
                parts = beyond(maps, facts[of.PART_MAP] + q * of.PART)
                at = block[of.INPUTS] + q * apart
                if facts[of.INPUTS_READY] == 0:
                    at = 0
                    mix_tiles(x, parts, count, block, p, u, at, maps, facts)
                for o in range(0, block[of.OUTPUTS], of.TOGETHER):
                    step = facts[of.PARTS] * of.TOGETHER
                    first = block[of.WEIGHTS] + o * of.KINDS * facts[of.PARTS] + q * of.TOGETHER
                    if facts[of.WEIGHTS_READY] == 0:
                        first, step = 0, count * of.TOGETHER
                        here, cells = (block[of.CHANNEL] + o) * window + parts[of.FIRST_CELL], count * facts[of.CELLS]
                        outputs = min(of.TOGETHER, block[of.OUTPUTS] - o)
                        mix_parts(w, here, window, outputs, cells, s, parts, count, v, first, step, facts)
                    for kind in range(of.KINDS):
                        i, j = kind // of.SEEN, kind % of.SEEN
                        if (i in (0, 3) or i < parts[of.TALL]) and (j in (0, 3) or j < parts[of.BROAD]):
                            multiply(
                                u, at + kind * facts[of.KIND_STEP], apart, tiles, count, v, first + kind * step,
                                m, (o * of.KINDS + kind) * apart, of.KINDS * apart, c == 0,
                            )  # fmt: skip
            finite[k] = gather(m, bias, y, block, facts)

    return "xxxxxxxxxblllii", run


def inputs(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Parts [lo, hi) of a layer's inputs, counted through all blocks of tiles; ``p`` is scratch for padded planes."""
    mix_tiles = _inputs_mixer(real)

    def run(x, p, u, maps, facts, blocks, lo, hi):
        for k in range(lo, hi):
            which = k // facts[of.PARTS]
            q = k - which * facts[of.PARTS]
            block = beyond(blocks, which * facts[of.PIECES] * of.BLOCK)
            parts = beyond(maps, facts[of.PART_MAP] + q * of.PART)
            mix_tiles(x, parts, 1, block, p, u, block[of.INPUTS] + q * facts[of.APART], maps, facts)

    return "xxxlllii", run


compile_kernel = compiler({"layer": layer, "inputs": inputs, "weights": weights})
