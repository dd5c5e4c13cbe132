"""Layers whose rows of outputs fill vectors badly: vectors go over output channels."""

from dataclasses import replace
from functools import lru_cache
from itertools import accumulate, pairwise
from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.layers.conv_plans import Layer, tables
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sizes.conv import CHANNEL, DIRECT
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel
from sigconv.geometry import Slide

_LOST = 1.1  # times as many channels in whole vectors as there are, at most
_GOOD = 1.04  # times as many places in whole vectors as a row has, with which no other way is needed
_NARROW = 4  # places in a row that keep an FMA unit busy
_LARGE = 3 * 2**17  # bytes of weights from which on to pack them takes longer than what is gained
_PLACES = 256  # outputs of a channel in a block, at most: their sums stay near
_TAPS = 192  # cells of channels' windows that are added at a time: their weights stay in the first cache
_NEAR = 2**19  # bytes of padded planes, and of a block's weights, that stay in a core's second cache
_FEW = 4  # ranges of work that make up for waking threads; those of more make up for calling kernels
_WORK = 2**24, 2**26  # multiply-adds of such a range, times the bytes of a number


@lru_cache(maxsize=64)
def serves(channels: int, outputs: int, itemsize: int, slide: Slide) -> bool:
    """Whether this is the quicker way for groups of so many channels and outputs; ``slide`` has three axes."""
    width = slide.output[2]
    if _whole(outputs, itemsize) > _LOST * outputs or width < _NARROW:
        return False
    if width > _whole(1, itemsize) * 2 and _whole(width, itemsize) <= _GOOD * width:
        return False
    if prod(slide.kernel) == 1 and slide.stride[2] > 1:  # to bring the cells together is most of the work
        return False
    return channels * outputs * prod(slide.kernel) * itemsize <= _LARGE


def _whole(numbers: int, itemsize: int) -> int:
    """So many numbers or some more: whole vectors."""
    lanes = host().vector_bytes // itemsize
    return -(-numbers // lanes) * lanes


class _Bare(Layer):
    """A layer whose input is read where it lies, as there is no border."""

    @property
    def pitch(self) -> int:
        return self.slide.size[2]

    @property
    def phase(self) -> int:
        return prod(self.slide.size)

    @property
    def space(self) -> tuple[int, int, int]:
        return 0, 0, 0


def _is_bare(slide: Slide) -> bool:
    """Whether windows lie in planes, side by side."""
    return not any(slide.before) and max(slide.after) <= 0 and slide.size[0] == slide.stride[2] == 1


def planned(samples: int, groups: int, channels: int, outputs: int, itemsize: int, slide: Slide) -> Layer:
    """The blocks of a layer, from its sizes alone."""
    _, height, width = slide.output
    wide, kind = min(width, _PLACES), _Bare if _is_bare(slide) else Layer

    def in_bands(bands: int) -> Layer:
        tall = -(-height // bands)
        return kind(samples, groups, channels, outputs, slide, itemsize, DIRECT, 1, tall, wide, channels, outputs)

    bands = -(-height // max(_PLACES // width, 1))
    layer = in_bands(bands)
    while bands < height and layer.space[0] * itemsize > _NEAR:
        bands = min(2 * bands, height)
        layer = in_bands(bands)
    pieces = max(-(-_parts(layer) // layer.blocks), -(-_packed(layer) * itemsize // _NEAR))
    return replace(layer, block_outputs=min(_whole(-(-outputs // pieces), itemsize), outputs))


def _parts(layer: Layer) -> int:
    """How many ranges of work are worth it: an even number, which two threads share."""
    few, many = (layer.blocks * layer.work * layer.itemsize // least for least in _WORK)
    parts = max(min(few, _FEW), many, 1)
    return parts + parts % 2 if parts > 1 else 1


def _packed(layer: Layer) -> int:
    """Numbers of a block's weights and biases as they are laid out."""
    return _whole(layer.block_outputs, layer.itemsize) * (1 + layer.channels * prod(layer.slide.kernel))


def space(layer: Layer) -> tuple[int, ...]:
    """Numbers of scratch for padded planes, for weights laid out, for sums, and for a block of them turned over."""
    line, lanes = 64 // layer.itemsize, _whole(1, layer.itemsize)
    sums = _whole(layer.block_outputs, layer.itemsize) * layer.block_height * layer.block_width + lanes * lanes
    return tuple(-(-numbers // line) * line for numbers in (layer.space[0], _packed(layer), sums, lanes * lanes))


class _Prepared(NamedTuple):
    """A layer's plan: tables, where they are, ranges of blocks, where in scratch parts begin, how the input is read."""

    tables: list[np.ndarray]
    known: list[int]
    ranges: list[tuple[int, int]]
    rooms: list[int]
    taps: int
    bare: bool


@lru_cache(maxsize=64)
def _prepared(
    samples: int, groups: int, channels: int, outputs: int, itemsize: int, slide: Slide, border: str
) -> _Prepared:
    """A layer's plan; the layers of a network are asked for again and again."""
    layer = planned(samples, groups, channels, outputs, itemsize, slide)
    *maps, blocks = tables(layer, border)
    told = [*maps, blocks[np.argsort(blocks[:, CHANNEL], kind="stable")]]  # those of the same weights stand together
    parts = min(_parts(layer), layer.blocks)
    ranges = list(pairwise(k * layer.blocks // parts for k in range(parts + 1)))
    taps = channels * prod(slide.kernel)
    taps = -(-taps // -(-taps // _TAPS))
    return _Prepared(told, [address(t) for t in told], ranges, [0, *accumulate(space(layer))], taps, _is_bare(slide))


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, slide: Slide, groups: int, border: str
) -> None:
    """y = a layer's outputs, along three axes: each is a chain as in `convs.convolve`."""
    size = x.itemsize
    _, known, ranges, rooms, taps, bare = _prepared(
        len(x), groups, weight.shape[1], len(weight) // groups, size, slide, border
    )
    run = kernel("across.layer", x.dtype)
    given = [address(array) for array in (x, weight, bias, y)]

    def task(lo: int, hi: int) -> None:
        room = scratch(1, rooms[-1], x.dtype)[0]  # held until the kernel has returned
        start = address(room)
        run(*given, *(start + part * size for part in rooms[:-1]), *known, taps, bare, lo, hi)

    parallel(task, ranges)
