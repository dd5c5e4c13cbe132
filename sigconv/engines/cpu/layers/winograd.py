"""Layers along two axes with fewer multiplications: their windows fall into parts of up to three by three cells."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, groupby, product
from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import kept, scratch
from sigconv.engines.cpu.sizes import winograd as of
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

# What a vector of tiles costs, in multiply-adds of vectors: to make an output of its products and to add those of parts
# that are less tall or broad, for each output channel, and to mix its inputs, for each part.
_GATHERED, _SMALLER, _MIXED = 95, 15, 150
_GAIN = 1.16  # times quicker by this count, at least
_PLACES, _WORK = 36, 2**21  # outputs of a channel, and of all channels for all parts, that make up for mixing weights
_TILES, _PAIRS = (224, 448), 2**14  # in a block: the least that is enough, the most; and of those with parts
_INPUTS, _PRODUCTS = 2**19, 2**21  # bytes of a chunk's inputs and of a block's sums of products, in all kinds
_CHUNK = 32  # parts that are summed together, at least
_SHARED = 2**23  # bytes of inputs of all blocks that are made beforehand
_FEW = 2  # blocks of tiles for which weights are not made beforehand
_TASKS = 4  # blocks that a layer has at least, where there are enough output channels
_SHARE = 32  # output channels of a block, at least
_TASK = 2**15  # weights or inputs of a kind whose making is worth waking a thread for
_LINE = 16  # numbers in a cache line
_BYTES = 4  # of a number


class Part(NamedTuple):
    """Cells of a window along both axes: the first, and how many; they are as far apart as the window moves."""

    first: tuple[int, int]
    taps: tuple[int, int]


@lru_cache(maxsize=64)
def parts_of(window: tuple[int, int], stride: tuple[int, int]) -> tuple[Part, ...]:
    """A window's parts, the largest first."""
    found = [Part(*zip(*axes, strict=True)) for axes in product(*map(_along, window, stride))]
    return tuple(sorted(found, key=lambda part: part.taps, reverse=True))


def _along(cells: int, stride: int) -> list[tuple[int, int]]:
    starts = [start for phase in range(min(stride, cells)) for start in range(phase, cells, of.TAPS * stride)]
    return [(start, min(of.TAPS, -(-(cells - start) // stride))) for start in starts]


@lru_cache(maxsize=64)
def pays(slide: Slide, channels: int, outputs: int, itemsize: int) -> bool:
    """Whether `add_products` is the quicker way for groups of so many channels and outputs."""
    if itemsize != _BYTES or len(slide.size) != 2 or set(slide.dilation) != {1}:
        return False
    if any(cells <= (of.TAPS - 1) * step for cells, step in zip(slide.kernel, slide.stride, strict=True)):
        return False  # no part has all its kinds
    parts, places = parts_of(slide.kernel, slide.stride), prod(slide.output)
    seen, width = len(parts) * channels, _whole(outputs, of.TOGETHER) / outputs
    products = sum(prod(taps + 1 for taps in part.taps) for part in parts) * channels * width
    ours = products + _GATHERED + _SMALLER * (len({part.taps for part in parts}) - 1) + _MIXED * seen / outputs
    quicker = of.TILE**2 * prod(slide.kernel) * channels >= _GAIN * ours
    return quicker and places >= _PLACES and seen * outputs * places >= _WORK * min(len(parts), 2)


@dataclass(frozen=True)
class Layer:
    """A layer's numbers and the blocks that its outputs are computed in."""

    samples: int
    groups: int
    channels: int  # of a group
    outputs: int  # of a group
    slide: Slide  # along two axes
    rows: int  # of tiles in a block
    wide: int  # tiles in a row of a block
    block_outputs: int
    chunk: int  # parts of channels at a time

    @property
    def tiles(self) -> tuple[int, int]:
        """Rows and columns of tiles in a sample."""
        height, width = self.slide.output
        return -(-height // of.TILE), -(-width // of.TILE)

    @property
    def parts(self) -> int:
        """Parts of all channels."""
        return self.channels * len(parts_of(self.slide.kernel, self.slide.stride))

    @property
    def blocks_of_tiles(self) -> int:
        rows, columns = self.tiles
        return -(-self.samples * rows // self.rows) * -(-columns // self.wide)

    @property
    def pieces(self) -> int:
        """Blocks that share their inputs."""
        return -(-self.outputs // self.block_outputs)

    @property
    def apart(self) -> int:
        """Numbers from part to part of inputs, and from kind to kind of products."""
        return _odd_lines(self.rows * self.wide + _LINE)  # rows end with whole vectors

    @property
    def pitch(self) -> int:
        """Numbers from row to row of a padded plane's even or odd columns."""
        return _whole(self.wide + 1, _LINE)

    @property
    def phase(self) -> int:
        """Numbers from the even columns to the odd ones."""
        return _odd_lines(_reach(min(self.rows, self.tiles[0])) * self.pitch)

    @property
    def inputs(self) -> int:
        """Numbers of inputs, in all kinds, that are made beforehand: where blocks share them, and they are not many."""
        numbers = self.groups * self.blocks_of_tiles * of.KINDS * self.parts * self.apart + _LINE
        return numbers if self.pieces > 1 and numbers * _BYTES <= _SHARED else 0

    @property
    def weights(self) -> int:
        """Numbers of weights, in all kinds, that are made beforehand: where several blocks of tiles ask for them."""
        blocks = self.groups * -(-self.outputs // of.TOGETHER)
        several = self.blocks_of_tiles > _FEW or self.parts > self.channels
        return blocks * of.KINDS * self.parts * of.TOGETHER if several else 0

    @property
    def turned(self) -> int:
        """Numbers of scratch for weights turned over."""
        channels = self.channels if self.weights else self.chunk
        return (channels * prod(self.slide.kernel) + of.TAPS * self.slide.stride[1]) * of.TOGETHER

    @property
    def space(self) -> list[int]:
        """Numbers of a thread's scratch: weights' kinds, weights turned over, padded planes, inputs, products."""
        outputs = _whole(self.block_outputs, of.TOGETHER)
        weights, turned = (0, 0) if self.weights else (of.KINDS * self.chunk * of.TOGETHER, self.turned)
        inputs = 0 if self.inputs else of.KINDS * self.chunk * self.apart + _LINE
        products = of.KINDS * outputs * self.apart + _LINE
        return [_whole(weights, _LINE), _whole(turned, _LINE), 2 * self.phase + 2 * _LINE, inputs, products]

    def tables(self, border: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps of rows, columns, parts and chunks; what the kernel goes by; and its blocks."""
        (height, width), (top, left), (rows, columns) = self.slide.size, self.slide.before, self.tiles
        (_, kernel_width), (down, across) = self.slide.kernel, self.slide.stride
        parts, chunks = self._parts_and_chunks()
        starts = sorted({int(start) for start in parts[:, of.ROW_MAP]})
        last = across * (_reach(columns) - 1) + kernel_width
        places = [start + down * np.arange(_reach(rows)) - top for start in starts]
        maps = [index_of(where, height, border) for where in places]
        maps += [index_of(where, width, border) for where in (np.arange(-left, 0), np.arange(width, last - left))]
        parts[:, of.ROW_MAP] = [starts.index(start) * _reach(rows) for start in parts[:, of.ROW_MAP]]
        ends = np.cumsum([sum(map(len, maps[:-2])), len(maps[-2]), len(maps[-1]), parts.size]).tolist()
        volume, out_volume = height * width, prod(self.slide.output)
        facts = [
            height, width, self.groups * self.channels * volume, self.channels, self.parts, prod(self.slide.kernel),
            down * kernel_width, across, left, border != "constant", self.pitch, self.phase, self.apart,
            (self.parts if self.inputs else self.chunk) * self.apart, rows, *self.slide.output,
            self.groups * self.outputs * out_volume, self.pieces, self.inputs > 0, self.weights > 0, len(chunks), *ends,
        ]  # fmt: skip
        tables = np.concatenate([*maps, parts.ravel(), chunks.ravel()])
        return tables.astype(np.int64), np.array(facts, np.int64), self._blocks()

    def _parts_and_chunks(self) -> tuple[np.ndarray, np.ndarray]:
        """A row for each part of each channel, with its first row for its map of rows, and one for each chunk."""
        (height, width), (cells, kernel_width) = self.slide.size, (prod(self.slide.kernel), self.slide.kernel[1])
        parts = [
            (c * height * width, row, column, c * cells + row * kernel_width + column, *taps)
            for (row, column), taps in parts_of(self.slide.kernel, self.slide.stride)
            for c in range(self.channels)
        ]
        return np.array(parts), np.array(list(self._chunks([part[of.TALL :] for part in parts])))

    def _chunks(self, taps: list[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
        first = 0
        for _, alike in groupby(taps):
            count = len(list(alike))
            pieces = -(-count // self.chunk)
            for k in range(pieces):
                yield first + k * count // pieces, (k + 1) * count // pieces - k * count // pieces
            first += count

    def _blocks(self) -> np.ndarray:
        """A row of numbers for each block; those of the same input stand together."""
        rows, columns = self.tiles
        ends = (self.groups, self.samples * rows, columns, self.outputs)
        steps = (1, self.rows, self.wide, self.block_outputs)
        axes = (np.arange(0, end, step) for end, step in zip(ends, steps, strict=True))
        firsts = [first.ravel() for first in np.meshgrid(*axes, indexing="ij")]
        sizes = [np.minimum(end - first, step) for end, step, first in zip(ends, steps, firsts, strict=True)]
        group, row, column, output = firsts
        inputs = np.arange(len(group)) // self.pieces * of.KINDS * self.parts * self.apart
        weights = (group * _whole(self.outputs, of.TOGETHER) + output) * of.KINDS * self.parts
        start = group * self.channels * prod(self.slide.size)
        channel = group * self.outputs + output
        return np.stack([row, column, *sizes[1:3], start, channel, sizes[3], inputs, weights], 1).astype(np.int64)


def _reach(tiles: int) -> int:
    """Rows that a part sees of so many rows of tiles."""
    return of.TILE * tiles + of.SEEN - of.TILE


def _whole(number: int, step: int) -> int:
    """The next multiple of ``step``."""
    return -(-number // step) * step


def _odd_lines(numbers: int) -> int:
    """So many numbers or some more: neighbours at powers of two would drive each other out of a cache."""
    return (-(-numbers // _LINE) | 1) * _LINE


def planned(samples: int, groups: int, channels: int, outputs: int, slide: Slide) -> Layer:
    """The blocks of a layer, from its sizes alone."""
    lanes = host().vector_bytes // _BYTES
    height, width = (-(-n // of.TILE) for n in slide.output)
    height *= samples
    parts = channels * len(parts_of(slide.kernel, slide.stride))
    fit = _PRODUCTS // (of.KINDS * outputs * _BYTES) - 2 * _LINE
    tiles = min(max(min(_PAIRS // parts, fit), _TILES[0]), _TILES[1])
    columns = -(-width // tiles)
    wide = -(-width // columns)

    def cost(rows: int) -> float:
        """How long two threads take for bands of so many rows: half vectors, and what each band takes besides."""
        bands = -(-height // rows)
        last = height - (bands - 1) * rows
        whole, part = (-(-2 * some * wide // lanes) / 2 + 1 for some in (rows, last))
        if bands * columns * groups < _TASKS:
            return ((bands - 1) * whole + part) / 2
        return bands // 2 * whole + bands % 2 * part

    most = max(1, min(tiles // wide, height))
    rows = min(range(most, max(most // 3, 1) - 1, -1), key=cost)
    layer = Layer(samples, groups, channels, outputs, slide, rows, wide, outputs, channels)
    of_part = of.KINDS * layer.apart * _BYTES
    many = -(-outputs // max(_PRODUCTS // of_part, of.TOGETHER))
    pieces = max(many, min(-(-_TASKS // (layer.blocks_of_tiles * groups)), outputs // _SHARE), 1)
    share = min(_whole(-(-outputs // pieces), of.TOGETHER), outputs)
    return replace(layer, block_outputs=share, chunk=min(max(_INPUTS // of_part, _CHUNK), parts))


class _Prepared(NamedTuple):
    """A layer's plan: tables, ranges of work, and where in scratch the parts of it begin."""

    layer: Layer
    maps: np.ndarray
    facts: np.ndarray
    blocks: np.ndarray
    weights: list[tuple[int, int]]
    inputs: list[tuple[int, int]]
    rooms: list[int]


@lru_cache(maxsize=64)
def _prepared(samples: int, groups: int, channels: int, outputs: int, slide: Slide, border: str) -> _Prepared:
    """A layer's plan; the layers of a network are asked for again and again."""
    layer = planned(samples, groups, channels, outputs, slide)
    weights = groups * -(-outputs // of.TOGETHER) if layer.weights else 0
    inputs = groups * layer.blocks_of_tiles * layer.parts if layer.inputs else 0
    return _Prepared(
        layer,
        *layer.tables(border),
        split(weights, -(-_TASK // (layer.parts * of.TOGETHER))),
        split(inputs, -(-_TASK // (of.KINDS * layer.apart))),
        [0, *accumulate(layer.space)],
    )


def add_products(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, slide: Slide, groups: int, border: str
) -> list[tuple[int, int]]:
    """y = a layer's outputs, along two axes; returns which rows of tiles hold other than finite numbers.

    They are (first, how many), counted through all samples. An output's sums go from part to part and from channel to
    channel in order: its bits depend on neither threads nor blocks.
    """
    outputs = len(weight) // groups
    layer, maps, facts, blocks, of_weights, of_inputs, rooms = _prepared(
        len(x), groups, weight.shape[1], outputs, slide, border
    )
    weights, inputs = kept("weights", layer.weights, x.dtype), kept("inputs", layer.inputs, x.dtype)
    finite = np.empty(len(blocks), np.uint8)
    source, filters, start, target = (address(array) for array in (x, weight, bias, y))
    known = [address(table) for table in (maps, facts, blocks)]
    mix_weights, mix_inputs, run = (kernel(f"winograd.{name}", x.dtype) for name in ("weights", "inputs", "layer"))
    ready_weights, ready_inputs, told = address(weights), address(inputs), address(finite)

    def make_weights(lo: int, hi: int) -> None:
        turned = scratch(1, layer.turned, x.dtype)[0]
        mix_weights(filters, outputs, address(turned), ready_weights, *known[:2], lo, hi)

    def make_inputs(lo: int, hi: int) -> None:
        planes = scratch(1, rooms[3] - rooms[2], x.dtype)[0]
        mix_inputs(source, address(planes), ready_inputs, *known, lo, hi)

    def add(lo: int, hi: int) -> None:
        space = scratch(1, rooms[-1], x.dtype)[0]  # held until the kernel has returned
        kinds, turned, planes, seen, products = (address(space) + room * _BYTES for room in rooms[:-1])
        kinds, seen = ready_weights if of_weights else kinds, ready_inputs if of_inputs else seen
        run(source, filters, start, target, kinds, turned, planes, seen, products, told, *known, lo, hi)

    parallel(make_weights, of_weights)
    parallel(make_inputs, of_inputs)
    parallel(add, split(len(blocks), 1))
    bad = blocks[finite == 0] if not finite.all() else blocks[:0]
    return sorted({(int(block[of.FIRST]), int(block[of.ROWS])) for block in bad})
