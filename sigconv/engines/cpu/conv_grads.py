"""Gradients of convolution layers: what each weight and each input did for the outputs."""

from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sizes import OF_PLACES, OUTER_CHUNK, OUTER_ROWS
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

_PACKED = 2**23  # bytes of packed gradients that are made at a time, if one image has no more
_ITEMS, _TILES = 8, 24  # work is cut into at least so many items where it can be, of at most so many tiles


def weight_sums(x: np.ndarray, grad_out: np.ndarray, slide: Slide, groups: int = 1) -> np.ndarray:
    """The gradient of a layer's weights: (O, C / groups, *kernel) from x (N, C, *size) and grad_out (N, O, *output).

    Both are C-contiguous and of one dtype, float32 or float64. Cells around x are zero. Sums run over runs of pixels,
    and these over images, in an order that follows from the sizes alone.
    """
    channels, outputs = x.shape[1] // groups, grad_out.shape[1]
    y = np.zeros((outputs, channels, *slide.kernel), x.dtype)
    per_image = (grad_out[:1].nbytes + x[:1].nbytes) or 1
    for lo, hi in split(len(x), max(_PACKED // per_image, 1)):
        _add_products(x[lo:hi], grad_out[lo:hi], slide, groups, y)
    return y


class _Block(NamedTuple):
    """Output channels of one group that are summed together: ``count`` from ``first`` on, in ``width`` lanes."""

    group: int
    first: int
    count: int
    width: int


def _blocks(groups: int, outputs: int, lanes: int) -> list[_Block]:
    found = []
    for group in range(groups):
        for first in range(0, outputs, 2 * lanes):
            count = min(outputs - first, 2 * lanes)
            found.append(_Block(group, group * outputs + first, count, 2 * lanes if count > lanes else lanes))
    return found


def _add_products(x: np.ndarray, grad_out: np.ndarray, slide: Slide, groups: int, y: np.ndarray) -> None:
    item, lanes = x.dtype.itemsize, host().vector_bytes // x.dtype.itemsize
    images, pixels = len(x), prod(slide.output)
    outputs, channels, taps = len(y) // groups, y.shape[1], prod(y.shape[1:])
    rows = OUTER_ROWS[host().vector_bytes]
    blocks = _blocks(groups, outputs, lanes)
    starts = np.cumsum([0, *(images * pixels * block.width for block in blocks)])
    packed = _aligned(int(starts[-1]), x.dtype)
    turn = kernel("conv_grad.turn", x.dtype)

    def pack(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            block, n = blocks[k // images], k % images
            source = address(grad_out) + (n * groups * outputs + block.first) * pixels * item
            target = address(packed) + (int(starts[k // images]) + n * pixels * block.width) * item
            turn(source, pixels, block.count, target, block.width, 0, pixels)

    parallel(pack, split(len(blocks) * images, max(2**16 // (2 * lanes * pixels), 1)))
    cells, strides, pitch = _with_border(x, slide)
    tiles = -(-taps // rows)
    pieces = min(max(-(-_ITEMS // len(blocks)), -(-tiles // _TILES)), tiles)
    ranges = split(tiles, -(-tiles // pieces))
    tables = {
        block.count: _table(slide, channels, images, x.shape[1] * pitch, strides, pitch, block.count, rows)
        for block in blocks
    }

    def add(lo: int, hi: int) -> None:
        space = address(scratch(1, 2 * rows * lanes + lanes * lanes, x.dtype))
        for k in range(lo, hi):
            which, (first, last) = k // len(ranges), ranges[k % len(ranges)]
            block = blocks[which]
            products = kernel("conv_grad.products" if block.width > lanes else "conv_grad.few_products", x.dtype)
            products(
                address(packed) + int(starts[which]) * item,
                address(cells) + block.group * channels * pitch * item,
                address(tables[block.count]),
                address(y) + block.first * taps * item,
                first * rows,
                min(last * rows, taps),
                space,
            )

    parallel(add, split(len(blocks) * len(ranges), 1))


def _aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """An array that starts a cache line."""
    room = np.empty(size * dtype.itemsize + 64, np.uint8)
    start = -address(room) % 64
    return room[start : start + size * dtype.itemsize].view(dtype)


def _with_border(x: np.ndarray, slide: Slide) -> tuple[np.ndarray, tuple[int, ...], int]:
    """x as windows see it, zeros around or cells cut off; with its steps along the spatial axes and from plane to plane.

    Planes are so far apart that the same place in each of several stays in the cache.
    """
    reach = [
        (out - 1) * step + gap * (k - 1) + 1
        for out, step, gap, k in zip(slide.output, slide.stride, slide.dilation, slide.kernel, strict=True)
    ]
    fits = all(b == 0 and r <= n for b, r, n in zip(slide.before, reach, slide.size, strict=True))
    if fits and prod(slide.size) * x.dtype.itemsize % 1024:
        return x, _steps(slide.size), prod(slide.size)
    line = 64 // x.dtype.itemsize
    pitch = (-(-prod(reach) // line) | 1) * line
    room = np.zeros((*x.shape[:2], pitch), x.dtype)
    planes = room[..., : prod(reach)].reshape(*x.shape[:2], *reach)
    source, target = [], []
    for before, r, n in zip(slide.before, reach, slide.size, strict=True):
        lo, hi = max(-before, 0), min(r - before, n)
        source.append(slice(lo, max(hi, lo)))
        target.append(slice(lo + before, max(hi, lo) + before))
    planes[(..., *target)] = x[(..., *source)]
    return room, _steps(reach), pitch


def _steps(shape: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _table(
    slide: Slide,
    channels: int,
    images: int,
    image_step: int,
    steps: tuple[int, ...],
    pitch: int,
    count: int,
    rows: int,
) -> np.ndarray:
    """What the sums over positions need to know: where pixels, channels and taps stand in x."""
    axes = range(len(slide.size))
    places = np.arange(channels).reshape(-1, *(1 for _ in axes)) * pitch
    for axis in axes:
        taps = np.arange(slide.kernel[axis]) * (slide.dilation[axis] * steps[axis])
        places = places + taps.reshape(-1, *(1 for _ in axes[axis + 1 :]))
    places = np.append(places, np.zeros(-places.size % rows, np.int64))
    output, jumps = list(slide.output), [s * step for s, step in zip(slide.stride, steps, strict=True)]
    while len(output) > 1 and jumps[-2] == output[-1] * jumps[-1]:  # rows that follow one another are one
        output[-2:], jumps[-2:] = [output[-2] * output[-1]], [jumps[-1]]
    starts = np.zeros((), np.int64)
    for size, jump in zip(output[:-1], jumps[:-1], strict=True):
        starts = starts[..., np.newaxis] + np.arange(size) * jump
    pieces = np.arange(0, output[-1], OUTER_CHUNK)
    counts = np.minimum(output[-1] - pieces, OUTER_CHUNK)
    segments = np.stack(np.broadcast_arrays(starts.reshape(-1, 1) + pieces * jumps[-1], counts), -1).reshape(-1, 2)
    header = [images, len(segments), image_step, jumps[-1], places.size, count, OF_PLACES + places.size]
    header[4] = channels * prod(slide.kernel)
    return np.concatenate([header, places, segments.ravel()]).astype(np.int64)
