"""How a convolution layer's outputs are cut into blocks, and what of its input is laid out for them."""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.compile import address
from sigconv.engines.cpu.results import CACHED
from sigconv.engines.cpu.sizes.conv import (
    BLOCK_CHANNELS,
    CELLS,
    COLUMNS,
    DIRECT,
)
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import split
from sigconv.geometry import Slide

_NEAR = 2**19  # bytes of laid-out input that stay in a core's second cache beside the weights
_PLACES = 480  # outputs of a channel in a block
_TASKS = 4  # blocks that a layer has at least, where there are enough output channels
_SHARE = {DIRECT: 32, COLUMNS: 64, CELLS: 128}  # as many as make up for laying out a block's input
_WORK = 2**22  # multiply-adds worth waking a thread for


@dataclass(frozen=True)
class Layer:
    """A layer's numbers, along three axes, and the blocks its outputs are computed in."""

    samples: int
    groups: int
    channels: int  # of a group
    outputs: int  # of a group
    slide: Slide
    itemsize: int
    layout: int
    joined: int  # samples in a block
    block_height: int
    block_width: int
    block_inputs: int
    block_outputs: int

    @property
    def rows(self) -> int:
        """Rows of input that a block reads."""
        return self._reach(1, self.block_height)

    @property
    def pitch(self) -> int:
        """Numbers from row to row of the padded planes: whole vectors."""
        line = 64 // self.itemsize
        return -(-self._reach(2, self.block_width) // (self.slide.stride[2] * line)) * line

    @property
    def phase(self) -> int:
        """Numbers of a padded plane whose columns are a multiple of the stride apart."""
        return self._odd_lines(self.rows * self.pitch)

    @property
    def apart(self) -> int:
        """Numbers that one cell of the window sees: its places, and rows between them that others see."""
        height = self.rows if self.layout == COLUMNS else self.block_height
        line = 64 // self.itemsize
        return self._odd_lines(self.joined * height * self.block_width + line)  # rows end with whole vectors

    @property
    def cells(self) -> int:
        """Cells of the window that are laid out, in each plane."""
        _, kh, kw = self.slide.kernel
        return {COLUMNS: kw, CELLS: kh * kw}.get(self.layout, 0)

    @property
    def space(self) -> tuple[int, int, int]:
        """Numbers of scratch for padded planes, for cells laid out, and for sums of samples joined."""
        line = 64 // self.itemsize
        planes = self.block_inputs * self.slide.kernel[0]
        padded, laid_out = planes * self.phases * self.phase, planes * self.cells * self.apart
        sums = self.block_outputs * self.apart if self.joined > 1 else 0
        # whole vectors are read and written behind the last number
        padded, laid_out, sums = (-(-numbers // line) * line + line for numbers in (padded, laid_out, sums))
        return padded, laid_out, sums

    @property
    def blocks(self) -> int:
        depth, height, width = self.slide.output
        area = depth * -(-height // self.block_height) * -(-width // self.block_width)
        return -(-self.samples // self.joined) * self.groups * area * -(-self.outputs // self.block_outputs)

    @property
    def work(self) -> int:
        """What a block costs, in multiply-adds."""
        places = self.joined * self.block_height * self.block_width * self.block_outputs
        return places * self.channels * prod(self.slide.kernel) + 16 * self.space[0] * self.joined

    def _odd_lines(self, numbers: int) -> int:
        """So many numbers or some more: neighbours at powers of two would drive each other out of a cache."""
        line = 64 // self.itemsize
        return (-(-numbers // line) | 1) * line

    def _reach(self, axis: int, outputs: int) -> int:
        slide = self.slide
        return (outputs - 1) * slide.stride[axis] + (slide.kernel[axis] - 1) * slide.dilation[axis] + 1

    @property
    def phases(self) -> int:
        """How many remainders of columns by the stride the window has cells in."""
        return min(self.slide.stride[2], self._reach(2, 1))

    def starts(self) -> np.ndarray:
        """Where the cells that are laid out begin in a padded plane."""
        (_, kh, kw), (_, dh, dw), stride = self.slide.kernel, self.slide.dilation, self.slide.stride[2]
        a, b = (index.ravel() for index in np.indices((1 if self.layout == COLUMNS else kh, kw)))
        return b * dw % stride * self.phase + a * dh * self.pitch + b * dw // stride

    def places(self) -> np.ndarray:
        """Where each tap of a block's channels finds what it sees at the block's first place."""
        kd, kh, kw = self.slide.kernel
        plane, cell = (index.ravel() for index in np.indices((self.block_inputs * kd, kh * kw)))
        if self.layout == DIRECT:
            return plane * self.phases * self.phase + self.starts()[cell]
        if self.layout == COLUMNS:
            return (plane * kw + cell % kw) * self.apart + cell // kw * self.slide.dilation[1] * self.block_width
        return (plane * kh * kw + cell) * self.apart

    def maps(self, border: str) -> tuple[np.ndarray, np.ndarray]:
        """Where planes, rows and columns of the padded input come from, and the numbers that the kernel goes by."""
        slide, (planes, rows) = self.slide, (self._map(axis, border) for axis in range(2))
        firsts, cells = np.arange(slide.output[1]) * slide.stride[1], np.arange(slide.kernel[1]) * slide.dilation[1]
        rows[np.isin(np.arange(len(rows)), np.add.outer(firsts, cells), invert=True)] = -2
        tables = [planes, rows, np.full(self.rows, -1), *self._edges(border), self.starts()]
        where = np.cumsum([len(table) for table in tables])[:-1]
        row_step = slide.stride[1]
        volume, out_volume = prod(slide.size), prod(slide.output)
        out_step = self.groups * self.outputs * out_volume
        facts = [
            *slide.size[1:], volume, slide.kernel[0], prod(slide.kernel), self.channels, self.block_inputs,
            self.groups * self.channels * volume,
            slide.dilation[0], self._reach(1, 1), row_step, self._reach(2, 1), slide.stride[2], slide.before[2],
            border != "constant",
            self.phases, self.pitch, self.phase,
            self.layout, self.cells, self.pitch * (1 if self.layout == COLUMNS else row_step), self.apart,
            self.pitch * row_step, slide.output[2], out_volume, out_step,
            self.samples * out_step * self.itemsize > CACHED, *where,
        ]  # fmt: skip
        return np.concatenate(tables).astype(np.int64), np.array(facts, np.int64)

    def table(self) -> np.ndarray:
        """A row of numbers for each block; those of the same input stand together."""
        slide, (depth, height, width) = self.slide, self.slide.output
        sizes = (self.samples, self.groups, depth, height, width, self.outputs)
        steps = (self.joined, 1, 1, self.block_height, self.block_width, self.block_outputs)
        firsts = np.meshgrid(
            *(np.arange(0, size, step) for size, step in zip(sizes, steps, strict=True)), indexing="ij"
        )
        n, g, d, i, j, o = (first.ravel() for first in firsts)
        samples, _, _, rows, cols, outputs = (
            np.minimum(size - first, step) for size, step, first in zip(sizes, steps, (n, g, d, i, j, o), strict=True)
        )
        channel = g * self.outputs + o
        start = (n * self.groups + g) * self.channels * prod(slide.size)
        to = (((n * self.groups * self.outputs + channel) * depth + d) * height + i) * width + j
        d, i, j = (first * step for first, step in zip((d, i, j), slide.stride, strict=True))
        return np.stack([start, d, i, j, samples, rows, cols, outputs, channel, to], 1).astype(np.int64)

    def _map(self, axis: int, border: str) -> np.ndarray:
        """Where each padded plane or row comes from, -1 for zeros."""
        slide = self.slide
        return index_of(np.arange(self._reach(axis, slide.output[axis])) - slide.before[axis], slide.size[axis], border)

    def _edges(self, border: str) -> list[np.ndarray]:
        """Where the padded columns before the first of the input and behind its last come from."""
        before, size = self.slide.before[2], self.slide.size[2]
        end = self._reach(2, self.slide.output[2]) - before
        places = np.arange(-before, min(0, end)), np.arange(size, end)
        return [index_of(where, size, border) for where in places]


def planned(samples: int, groups: int, channels: int, outputs: int, itemsize: int, slide: Slide) -> Layer:
    """The layout and the blocks of a layer, from its sizes alone."""
    depth, height, width = slide.output
    lanes = host().vector_bytes // itemsize

    def waste(places: int) -> float:
        return -(-places // lanes) * lanes / places

    def uneven(rows: int) -> float:
        """How much longer bands of so many rows take than they must: vectors in part, bands that are one too many."""
        bands = -(-height // rows)
        vectors = (bands - 1) * -(-rows * wide // lanes) + -(-(height - (bands - 1) * rows) * wide // lanes)
        blocks = bands * samples * groups * depth
        return vectors * (-(-blocks // 2) * 2 / blocks)

    joined, wide, most = 1, width, max(1, _PLACES // width)
    if outputs < BLOCK_CHANNELS or waste(width) < 1.04 or width > 2 * _PLACES:
        layout, wide, most = DIRECT, min(width, _PLACES), 8
    elif height * width <= _PLACES and samples > 1 and outputs >= 64 and waste(height * width) > 1.02:
        layout, most = CELLS, height
        joined = min(samples, max(2, _PLACES // (height * width)))
    else:
        layout = COLUMNS if slide.stride[1] == 1 else CELLS
    tall = height if height <= most else min(range(most, most // 2, -1), key=uneven)
    whole = Layer(samples, groups, channels, outputs, slide, itemsize, layout, joined, tall, wide, channels, outputs)
    parts = min(channels, -(-sum(whole.space[:2]) * itemsize // _NEAR))
    whole = replace(whole, block_inputs=-(-channels // parts))
    parts = min(-(-_TASKS // whole.blocks), max(outputs // _SHARE[layout], 1))
    share = -(-outputs // parts)
    return replace(whole, block_outputs=min(-(-share // BLOCK_CHANNELS) * BLOCK_CHANNELS, outputs))


class Prepared(NamedTuple):
    """A layer's plan: tables, where they are, ranges of blocks, and where in scratch its parts begin."""

    tables: list[np.ndarray]
    known: list[int]
    ranges: list[tuple[int, int]]
    rooms: list[int]


@lru_cache(maxsize=64)
def prepared(
    samples: int, groups: int, channels: int, outputs: int, itemsize: int, slide: Slide, border: str
) -> Prepared:
    """A layer's plan and tables; the layers of a network are asked for again and again."""
    layer = planned(samples, groups, channels, outputs, itemsize, slide)
    least = max(1, -(-layer.blocks // 64), -(-_WORK // layer.work))
    grain = -(-layer.blocks // max(layer.blocks // least, 1))
    given = tables(layer, border)
    return Prepared(given, [address(t) for t in given], split(layer.blocks, grain), [0, *accumulate(layer.space)])


def tables(layer: Layer, border: str) -> list[np.ndarray]:
    """The tables of integers that a layer's kernel goes by: maps, places of taps, sizes, blocks."""
    maps, facts = layer.maps(border)
    return [maps, layer.places().astype(np.int64), facts, layer.table()]
