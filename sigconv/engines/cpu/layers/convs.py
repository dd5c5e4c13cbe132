"""Convolution layers: sums over channels and the cells of a window, for every output channel."""

from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from typing import Any

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.layers import across, depthwise
from sigconv.engines.cpu.layers.conv_plans import planned, prepared
from sigconv.engines.cpu.layers.winograd import add_products, pays
from sigconv.engines.cpu.layers.winograd import planned as planned_in_tiles
from sigconv.engines.cpu.results import apart_from
from sigconv.engines.cpu.scratch import kept, scratch
from sigconv.engines.cpu.sizes.conv import (
    ACROSS,
    BLOCK_CHANNELS,
    BLOCK_COLUMNS,
    CELLS,
    COLUMNS,
    DIRECT,
)
from sigconv.engines.cpu.sizes.winograd import TILE, TOGETHER
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

_DENSE = 256  # samples that are turned to lie side by side
_SMALL = {4: 1024, 8: 64}  # by the bytes of a number: outputs of a channel, at most, that fill vectors badly themselves
_BESIDE, _PART = 2**21, 3 * 2**21  # bytes of samples side by side; multiply-adds for which they are worth a thread


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, slide: Slide, groups: int = 1, border: str = "constant"
) -> np.ndarray:
    """What a layer makes of ``x`` (N, C, *spatial): y (N, O, *slide.output).

    ``weight`` is (O, C / groups, *kernel) and ``bias`` (O,) or None, all of one dtype, float32 or float64, and
    C-contiguous. Each output is one chain of multiply-adds from its bias on, channel by channel and through each
    channel's window row by row: its bits depend on neither threads nor sizes. Where `pays` says so there are 16 chains
    for each 2 x 2 outputs, and bits depend on where in them an output is.
    """
    y = apart_from(x, (len(x), len(weight), *slide.output))
    if y.size:
        bias = np.zeros(len(weight), x.dtype) if bias is None else bias
        _way(x.shape, weight.shape, x.itemsize, slide, groups, border)(x, weight, bias, y)
    return y


Way = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], object]


@lru_cache(maxsize=256)
def _way(x: tuple[int, ...], weight: tuple[int, ...], itemsize: int, slide: Slide, groups: int, border: str) -> Way:
    """What fills y from x, the weights and the biases, from their shapes alone."""
    outputs, channels = weight[0] // groups, weight[1]
    volume = _as_volume(slide)
    if depthwise.serves(volume, channels, outputs, border):
        return partial(depthwise.convolve, slide=volume, groups=groups, border=border)
    if _is_dense(slide) and x[0] > 1 and groups == 1:
        return _dense
    if pays(slide, channels, outputs, itemsize):
        return partial(_in_tiles, slide=slide, groups=groups, border=border)
    if across.serves(channels, outputs, itemsize, volume):
        return partial(across.convolve, slide=volume, groups=groups, border=border)
    if groups == 1 and border == "constant" and _is_for_many(slide, x, weight, itemsize):
        return partial(_beside, slide=slide)
    return partial(_layer, slide=volume, groups=groups, border=border)


def _is_dense(slide: Slide) -> bool:
    """Whether the window is all of the input, so that samples are what it slides over."""
    return slide.kernel == slide.size and not any(slide.before + slide.after) and set(slide.dilation) == {1}


def _dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A fully connected layer: samples become the places of a kernel of one cell."""
    inputs, outputs = weight[0].size, len(weight)
    filters = weight.reshape(outputs, inputs, 1, 1, 1)
    for lo in range(0, len(x), _DENSE):
        part = x[lo : lo + _DENSE].reshape(-1, inputs)
        slide = _pointwise(len(part))
        sums = np.empty((1, outputs, 1, 1, len(part)), x.dtype)
        _layer(np.ascontiguousarray(part.T), filters, bias, sums, slide, 1, "constant")
        y[lo : lo + _DENSE] = sums.reshape(outputs, -1).T.reshape(-1, outputs, *y.shape[2:])
    return y


def _in_tiles(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, slide: Slide, groups: int, border: str
) -> np.ndarray:
    """A layer with fewer multiplications; infinities, whose differences are NaN, get the direct way's answers."""
    (height, width), (top, left) = slide.output, slide.before
    tiles = -(-height // TILE)
    for first, rows in add_products(x, weight, bias, y, slide, groups, border):
        for n in range(first // tiles, (first + rows - 1) // tiles + 1):
            lo, hi = (min(max(TILE * (row - n * tiles), 0), height) for row in (first, first + rows))
            band = slide._replace(before=(top - lo * slide.stride[0], left), output=(hi - lo, width))
            direct = np.empty((1, len(weight), hi - lo, width), y.dtype)
            _layer(x[n : n + 1], weight, bias, direct, _as_volume(band), groups, border)
            found = y[n, :, lo:hi]
            np.copyto(found, direct[0], where=~np.isfinite(found))
    return y


def _is_for_many(slide: Slide, x: tuple[int, ...], weight: tuple[int, ...], itemsize: int) -> bool:
    """Whether samples should lie side by side, so that vectors go over them."""
    lanes, places = host().vector_bytes // itemsize, prod(slide.output)
    fits = min(x[0], prod(x[1:]), weight[0] * places) >= lanes
    return fits and slide.stride[-1] == 1 and places <= _SMALL[itemsize]


def _beside(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, slide: Slide) -> np.ndarray:
    """A layer over many small samples: they become neighbours along the last axis, in which windows step over them."""
    part = _side_by_side(x.shape, weight.shape, slide, x.itemsize)
    volume = _widened(slide, part)

    def task(lo: int, _: int) -> None:
        first = min(lo, len(x) - part)  # samples may be computed twice: the same bits once more
        given, results = x[first : first + part], y[first : first + part]
        inputs, sums = kept("beside", given.size, x.dtype), kept("besides", results.size, x.dtype)
        _turn(given.reshape(part, -1), inputs)
        _layer(inputs, weight, bias, sums, volume, 1, "constant", alone=True)
        _turn(sums.reshape(-1, part), results)

    parallel(task, split(len(x), part))
    return y


@lru_cache(maxsize=64)
def _side_by_side(x: tuple[int, ...], weight: tuple[int, ...], slide: Slide, itemsize: int) -> int:
    """How many samples lie side by side: so many that it is worth a thread, but no more than lie in its cache."""
    samples, places, lanes = x[0], prod(slide.output), host().vector_bytes // itemsize
    each = (prod(x[1:]) + weight[0] * places) * itemsize
    most, least = max(_BESIDE // each, lanes), max(-(-_PART // (places * prod(weight))), lanes)
    parts = -(-samples // max(min(most, samples), 1))
    if parts % 2 and samples // (parts + 1) >= least:
        parts += 1
    return max(-(-samples // parts), lanes)


@lru_cache(maxsize=64)
def _widened(slide: Slide, samples: int) -> Slide:
    """The same slide over so many samples side by side."""
    *spatial, (size, kernel, stride, dilation, before, after, output) = zip(*slide, strict=True)
    step = dilation * samples
    widened = (size * samples, kernel, stride, step, before * samples, after * samples, output * samples)
    return _as_volume(Slide(*zip(*spatial, widened, strict=True)))


def _turn(x: np.ndarray, y: np.ndarray) -> None:
    """y = the transpose of x."""
    rows, columns = x.shape
    blocks = -(-rows * x.itemsize // host().vector_bytes)
    kernel("conv.turned", x.dtype)(address(x), rows, columns, address(y), 0, blocks)


@lru_cache(maxsize=64)
def _as_volume(slide: Slide) -> Slide:
    """The same slide along three axes; a window of one cell that misses none slides along one."""
    if set(slide.kernel + slide.stride) == {1} and not any(slide.before + slide.after):
        return _pointwise(prod(slide.size))
    missing = 3 - len(slide.size)
    nothing = (1, 1, 1, 1, 0, 0, 1)
    return Slide(*((one,) * missing + values for one, values in zip(nothing, slide, strict=True)))


def _pointwise(cells: int) -> Slide:
    """A window of one cell that slides along a row."""
    ones, nothing = (1, 1, 1), (0, 0, 0)
    return Slide((1, 1, cells), ones, ones, ones, nothing, nothing, (1, 1, cells))


def _layer(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    y: np.ndarray,
    slide: Slide,
    groups: int,
    border: str,
    alone: bool = False,
) -> None:
    samples, itemsize = y.size // (len(weight) * prod(slide.output)), x.itemsize
    _, known, ranges, rooms = prepared(samples, groups, weight.shape[1], len(weight) // groups, itemsize, slide, border)
    run = kernel("conv.layer", x.dtype)
    given = [address(array) for array in (x, weight, bias, y)]

    def task(lo: int, hi: int) -> None:
        space = scratch(1, rooms[-1], x.dtype)[0]  # held until the kernel has returned
        start = address(space)
        run(*given, *(start + room * itemsize for room in rooms[:-1]), *known, lo, hi)

    if alone:
        task(0, ranges[-1][1])
    else:
        parallel(task, ranges)


def describe(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], dtype: Any, slide: Slide, groups: int = 1
) -> dict[str, Any]:
    """How `convolve` would go about such arrays.

    "method" is what becomes of the input: read where it lies ("rows"), as it is but for its border ("direct"), laid out
    as it is while vectors go over output channels ("across"), as the window's columns or all of its cells see it, or
    mixed so that four outputs need fewer products ("winograd").
    "tile" is how many output channels and places are summed at a time in registers, "workspace" the bytes of scratch
    that each thread needs, "shared" those that all need together.
    """
    dtype = np.dtype(dtype)
    outputs, channels = weight_shape[0] // groups, weight_shape[1]
    lanes = host().vector_bytes // dtype.itemsize
    tile = BLOCK_CHANNELS, BLOCK_COLUMNS[host().vector_bytes] * lanes
    if depthwise.serves(_as_volume(slide), channels, outputs, "constant"):
        zeros = slide.size[-1] * dtype.itemsize  # a row of them
        return {"method": "rows", "tile": depthwise.tile(dtype.itemsize), "workspace": 0, "shared": zeros}
    if pays(slide, channels, outputs, dtype.itemsize):
        mixed = planned_in_tiles(x_shape[0], groups, channels, outputs, slide)
        own, shared = (numbers * dtype.itemsize for numbers in (sum(mixed.space), mixed.weights + mixed.inputs))
        return {"method": "winograd", "tile": (TOGETHER, tile[1]), "workspace": own, "shared": shared}
    samples, volume, turned = x_shape[0], _as_volume(slide), 0
    if _is_dense(slide) and samples > 1 and groups == 1:
        channels, samples, volume = prod(weight_shape[1:]), 1, _pointwise(min(samples, _DENSE))
    elif across.serves(channels, outputs, dtype.itemsize, volume):
        layer = across.planned(samples, groups, channels, outputs, dtype.itemsize, volume)
        tile = lanes, ACROSS
        return {"method": "across", "tile": tile, "workspace": sum(across.space(layer)) * dtype.itemsize, "shared": 0}
    elif groups == 1 and _is_for_many(slide, x_shape, weight_shape, dtype.itemsize):
        part = _side_by_side(x_shape, weight_shape, slide, dtype.itemsize)
        samples, volume, turned = 1, _widened(slide, part), part * (prod(x_shape[1:]) + outputs * prod(slide.output))
    layer = planned(samples, groups, channels, outputs, dtype.itemsize, volume)
    method = {DIRECT: "direct", COLUMNS: "columns", CELLS: "cells"}[layer.layout]
    return {"method": method, "tile": tile, "workspace": (sum(layer.space) + turned) * dtype.itemsize, "shared": 0}
