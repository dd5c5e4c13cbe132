"""Gradients of the weights of layers with few outputs in a group, depthwise ones above all."""

from functools import lru_cache
from math import prod

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import kept
from sigconv.engines.cpu.sizes.dots import DOT_SHAPES, FACTS
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

_OUTPUTS = 8  # of a group, at most
_SUMS, _PLANES = 2**19, 2**26  # bytes of scratch for sums and for planes, at most
_PRODUCTS = 2**20  # multiply-adds worth waking a thread for


def is_for_dots(slide: Slide, channels: int, outputs: int, itemsize: int) -> bool:
    """Whether `add_dots` is the way to sum for groups of so many channels and outputs."""
    sums, planes = _space(slide, channels, outputs, itemsize)
    return outputs <= _OUTPUTS and sums * itemsize <= _SUMS and planes * itemsize <= _PLANES


def add_dots(x: np.ndarray, grad_out: np.ndarray, slide: Slide, groups: int, y: np.ndarray) -> None:
    """y = the sums over all positions."""
    outputs, channels = len(y) // groups, y.shape[1]
    rows, _ = _tile(outputs)
    run = kernel("conv_dots.lone_dots" if outputs == 1 else "conv_dots.dots", x.dtype)
    sums, planes = _space(slide, channels, outputs, x.itemsize)
    table = _table(slide, len(x), groups, channels, outputs)
    source, g, at, target = (address(array) for array in (x, grad_out, table, y))

    def task(lo: int, hi: int) -> None:
        room, space = kept("planes", planes, x.dtype), kept("sums", sums, x.dtype)
        run(source, g, at, target, address(room), address(space), lo, hi)

    work = len(x) * prod(slide.output) * y[0].size * rows
    parallel(task, split(groups * -(-outputs // rows), max(_PRODUCTS // work, 1)))


def _tile(outputs: int) -> tuple[int, int]:
    return DOT_SHAPES[host().vector_bytes, outputs == 1]


def _reach(slide: Slide) -> list[int]:
    """How many cells of each axis the windows see, from the first to the last."""
    numbers = zip(slide.output, slide.stride, slide.dilation, slide.kernel, strict=True)
    return [(out - 1) * step + gap * (k - 1) + 1 for out, step, gap, k in numbers]


def _row(slide: Slide) -> tuple[int, int]:
    """Numbers in a row of a padded plane: of one phase, and of all."""
    phase = slide.output[-1] + (slide.kernel[-1] - 1) * slide.dilation[-1] // slide.stride[-1]
    return phase, phase * slide.stride[-1]


def _space(slide: Slide, channels: int, outputs: int, itemsize: int) -> tuple[int, int]:
    """Numbers of scratch for sums and for planes."""
    rows, columns = _tile(outputs)
    tiles = -(-channels * prod(slide.kernel) // columns)
    size = rows * columns * host().vector_bytes // itemsize
    lanes = host().vector_bytes // itemsize  # the last row of the last plane ends with a whole vector
    return (tiles + 1) * size, channels * prod(_reach(slide)[:-1]) * _row(slide)[1] + lanes


@lru_cache(maxsize=64)
def _table(slide: Slide, images: int, groups: int, channels: int, outputs: int) -> np.ndarray:
    """What the kernel is told; see `dot_sizes`."""
    heights = _reach(slide)[:-1]
    steps = [prod(heights[axis + 1 :]) for axis in range(len(heights))]
    sources, bases, places = np.zeros((3, 1), np.int64)
    for axis, (height, step) in enumerate(zip(heights, steps, strict=True)):
        cells = np.arange(height) - slide.before[axis]
        there = (cells >= 0) & (cells < slide.size[axis])
        found = np.where(there, cells * prod(slide.size[axis + 1 :]), -(2**62))  # any sum with it is negative
        sources = np.maximum(np.add.outer(sources, found), -(2**62)).ravel()
        bases = np.add.outer(bases, np.arange(slide.output[axis]) * slide.stride[axis] * step).ravel()
        places = np.add.outer(places, np.arange(slide.kernel[axis]) * slide.dilation[axis] * step).ravel()
    phase, pitch = _row(slide)
    behind, part = np.divmod(np.arange(slide.kernel[-1]) * slide.dilation[-1], slide.stride[-1])
    places = np.add.outer(np.arange(channels) * prod(heights), places).ravel() * pitch
    places = np.add.outer(places, part * phase + behind).ravel()
    taps, (_, columns) = places.size, _tile(outputs)
    places = np.append(places, np.zeros(-taps % columns, np.int64))
    first, volume, pixels = max(-slide.before[-1], 0), prod(slide.size), prod(slide.output)
    facts = [
        images, channels, outputs, taps, groups * channels * volume, volume, groups * outputs * pixels, pixels,
        len(sources), pitch, phase, slide.stride[-1], max(slide.before[-1], 0), first,
        max(min(slide.size[-1], _reach(slide)[-1] - slide.before[-1]) - first, 0), len(bases), slide.output[-1],
        FACTS, FACTS + len(sources), FACTS + len(sources) + len(bases),
    ]  # fmt: skip
    return np.concatenate([facts, sources, bases * pitch, places]).astype(np.int64)
