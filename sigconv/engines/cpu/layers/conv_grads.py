"""Gradients of convolution layers: what each weight and each input did for the outputs."""

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import accumulate
from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.layers.conv_dots import add_dots, is_for_dots
from sigconv.engines.cpu.scratch import kept
from sigconv.engines.cpu.sizes import OF_PLACES, OUTER_CHUNK, OUTER_ROWS
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

_PACKED = 2**23  # bytes of packed gradients that are made at a time, if one image has no more
_ITEMS, _ITEM_PRODUCTS = 8, 2**17  # work is cut into so many items or more, of so many products of vectors or fewer
_MOVED = 2**17  # numbers that a thread copies at a time

_Job = Callable[[], None]


def weight_sums(x: np.ndarray, grad_out: np.ndarray, slide: Slide, groups: int = 1) -> np.ndarray:
    """The gradient of a layer's weights: (O, C / groups, *kernel) from x (N, C, *size) and grad_out (N, O, *output).

    Both are C-contiguous and of one dtype, float32 or float64. Cells around x are zero. Sums run over runs of pixels,
    and these over images, in an order that follows from the sizes alone.
    """
    channels, outputs = x.shape[1] // groups, grad_out.shape[1]
    shape = outputs, channels, *slide.kernel
    if x.size == 0:
        return np.zeros(shape, x.dtype)
    y = np.empty(shape, x.dtype)
    if is_for_dots(slide, channels, outputs // groups, x.itemsize):
        add_dots(x, grad_out, slide, groups, y)
        return y
    for lo, hi in split(len(x), max(_PACKED // (x[0].nbytes + grad_out[0].nbytes), 1)):
        _add_products(x[lo:hi], grad_out[lo:hi], slide, groups, y, lo == 0)
    return y


class _Block(NamedTuple):
    """Output channels that are summed together: their group, the first of them, how many, and in how many lanes."""

    group: int
    first: int
    present: int
    width: int


def _blocks(groups: int, outputs: int, lanes: int) -> list[_Block]:
    found = []
    for group in range(groups):
        for first in range(0, outputs, 2 * lanes):
            count = min(outputs - first, 2 * lanes)
            found.append(_Block(group, group * outputs + first, count, 2 * lanes if count > lanes else lanes))
    return found


def _add_products(x: np.ndarray, grad_out: np.ndarray, slide: Slide, groups: int, y: np.ndarray, fresh: bool) -> None:
    """y += the sums over some images; ``y`` holds nothing yet where it is fresh."""
    item, lanes = x.dtype.itemsize, host().vector_bytes // x.dtype.itemsize
    channels, taps, pixels = y.shape[1], prod(y.shape[1:]), len(x) * prod(slide.output)
    rows = OUTER_ROWS[host().vector_bytes]
    blocks = _blocks(groups, len(y) // groups, lanes)
    packed, starts, packing = _packed(grad_out, blocks)
    cells, apart, pitch, padding = _with_border(x, slide)
    jobs = [*packing, *padding]
    parallel(lambda lo, _: jobs[lo](), split(len(jobs), 1))
    table = _table(slide, channels, len(x), x.shape[1] * pitch, apart, pitch, rows)
    tiles = -(-taps // rows)
    pieces = max(-(-_ITEMS // len(blocks)), tiles * rows * pixels // _ITEM_PRODUCTS)
    ranges = [(lo * rows, min(hi * rows, taps)) for lo, hi in split(tiles, -(-tiles // min(pieces, tiles)))]
    wide, narrow = (kernel(f"conv_grad.{name}", x.dtype) for name in ("products", "few_products"))
    g, source, target, at = address(packed), address(cells), address(y), address(table)

    def add(lo: int, hi: int) -> None:
        space = address(kept("tile", (2 * rows + lanes) * lanes, x.dtype))
        for k in range(lo, hi):
            which, piece = divmod(k, len(ranges))
            group, first, count, width = blocks[which]
            (wide if width > lanes else narrow)(
                g + starts[which] * pixels * item, source + group * channels * pitch * item, at,
                target + first * taps * item, count, *ranges[piece], fresh, space,
            )  # fmt: skip

    parallel(add, split(len(blocks) * len(ranges), 1))


def _packed(grad_out: np.ndarray, blocks: list[_Block]) -> tuple[np.ndarray, list[int], list[_Job]]:
    """Each block's channels side by side, for each pixel of each image; the lanes before each block; and the work."""
    item, images = grad_out.dtype.itemsize, len(grad_out)
    pixels = prod(grad_out.shape[2:])
    starts = list(accumulate((block.width for block in blocks), initial=0))
    packed = kept("packed", starts[-1] * images * pixels, grad_out.dtype)
    turn = kernel("conv_grad.turn", grad_out.dtype)
    source, target, image = address(grad_out), address(packed), grad_out[:1].nbytes

    def pack(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            which, n = divmod(k, images)
            _, first, count, width = blocks[which]
            to = (starts[which] * images + n * width) * pixels
            turn(source + n * image + first * pixels * item, pixels, pixels, count, target + to * item, width)

    ranges = split(len(blocks) * images, max(_MOVED // (blocks[0].width * pixels), 1))
    return packed, starts, [partial(pack, *some) for some in ranges]


def _with_border(x: np.ndarray, slide: Slide) -> tuple[np.ndarray, tuple[int, ...], int, list[_Job]]:
    """x as windows see it, zeros around or cells cut off; its steps along axes and from plane to plane; and the work.

    Planes are so far apart that the same place in each of several stays in the cache.
    """
    reach = [
        (out - 1) * step + gap * (k - 1) + 1
        for out, step, gap, k in zip(slide.output, slide.stride, slide.dilation, slide.kernel, strict=True)
    ]
    fits = all(b == 0 and r <= n for b, r, n in zip(slide.before, reach, slide.size, strict=True))
    if fits and prod(slide.size) * x.dtype.itemsize % 1024:
        return x, steps(slide.size), prod(slide.size), []
    line = 64 // x.dtype.itemsize
    pitch = (-(-prod(reach) // line) | 1) * line
    room = kept("cells", len(x) * x.shape[1] * pitch, x.dtype).reshape(-1, pitch)
    planes = room[:, : prod(reach)].reshape(-1, *reach)
    x = x.reshape(-1, *slide.size)
    source, target = [], []
    for before, r, n in zip(slide.before, reach, slide.size, strict=True):
        lo, hi = max(-before, 0), min(r - before, n)
        source.append(slice(lo, max(hi, lo)))
        target.append(slice(lo + before, max(hi, lo) + before))

    def pad(lo: int, hi: int) -> None:
        room[lo:hi] = 0
        planes[(slice(lo, hi), *target)] = x[(slice(lo, hi), *source)]

    return room, steps(reach), pitch, [partial(pad, *some) for some in split(len(room), max(_MOVED // pitch, 1))]


def steps(shape: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    """How far apart in memory neighbours along each axis are."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


@lru_cache(maxsize=64)
def _table(
    slide: Slide,
    channels: int,
    images: int,
    image_step: int,
    apart: tuple[int, ...],
    pitch: int,
    rows: int,
) -> np.ndarray:
    """What the sums over positions need to know: where pixels, channels and taps stand in x."""
    axes = range(len(slide.size))
    places = np.arange(channels).reshape(-1, *(1 for _ in axes)) * pitch
    for axis in axes:
        cells = np.arange(slide.kernel[axis]) * (slide.dilation[axis] * apart[axis])
        places = places + cells.reshape(-1, *(1 for _ in axes[axis + 1 :]))
    places = np.append(places, np.zeros(-places.size % rows, np.int64))
    output, jumps = list(slide.output), [s * step for s, step in zip(slide.stride, apart, strict=True)]
    while len(output) > 1 and jumps[-2] == output[-1] * jumps[-1]:  # rows that follow one another are one
        output[-2:], jumps[-2:] = [output[-2] * output[-1]], [jumps[-1]]
    starts = np.zeros((), np.int64)
    for size, jump in zip(output[:-1], jumps[:-1], strict=True):
        starts = starts[..., np.newaxis] + np.arange(size) * jump
    pieces = np.arange(0, output[-1], OUTER_CHUNK)
    counts = np.minimum(output[-1] - pieces, OUTER_CHUNK)
    segments = np.stack(np.broadcast_arrays(starts.reshape(-1, 1) + pieces * jumps[-1], counts), -1).reshape(-1, 2)
    taps = channels * prod(slide.kernel)
    header = [images, len(segments), image_step, jumps[-1], taps, OF_PLACES + places.size]
    return np.concatenate([header, places, segments.ravel()]).astype(np.int64)


def bias_sums(grad_out: np.ndarray) -> np.ndarray:
    """The gradient of a layer's bias: (O,) from grad_out (N, O, *output)."""
    cells = prod(grad_out.shape[2:])
    per_image = np.empty(grad_out.shape[:2], grad_out.dtype)
    totals, source, target = kernel("conv_dots.totals", grad_out.dtype), address(grad_out), address(per_image)
    parallel(lambda lo, hi: totals(source, cells, target, lo, hi), split(per_image.size, max(2**17 // cells, 1)))
    return per_image.sum(0, dtype=np.float64).astype(grad_out.dtype)
