"""Convolution layers: sums over channels and the cells of a window, for every output channel."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.conv_sizes import BLOCK_CHANNELS, CELLS, COLUMNS, DIRECT
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

_NEAR = 3 * 2**17  # bytes of laid-out input that stay in a core's second cache beside the weights
_PLACES = 480  # outputs of a channel in a block
_TASKS = 8  # blocks that a layer has at least, where its outputs can be divided
_SUMS = 2**21  # multiply-adds worth waking a thread for


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, slide: Slide, groups: int = 1, border: str = "constant"
) -> np.ndarray:
    """What a layer makes of ``x`` (N, C, *spatial): y (N, O, *slide.output).

    ``weight`` is (O, C / groups, *kernel) and ``bias`` (O,) or None, all of one dtype, float32 or float64, and
    C-contiguous. Each output is one chain of multiply-adds from its bias on, channel by channel and through each
    channel's window row by row: its bits depend on neither threads nor sizes.
    """
    y = np.empty((len(x), len(weight), *slide.output), x.dtype)
    if y.size == 0:
        return y
    if bias is None:
        bias = np.zeros(len(weight), x.dtype)
    if _is_dense(slide) and len(x) > 1 and groups == 1:
        return _dense(x, weight, bias, y)
    _layer(x, weight, bias, y, _as_volume(slide), groups, border)
    return y


def _is_dense(slide: Slide) -> bool:
    """Whether the window is all of the input, so that samples are what it slides over."""
    return slide.kernel == slide.size and not any(slide.before + slide.after) and set(slide.dilation) == {1}


_DENSE = 256  # samples that are turned to lie side by side


def _dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A fully connected layer: samples become the places of a kernel of one cell."""
    inputs, outputs = weight[0].size, len(weight)
    filters = weight.reshape(outputs, inputs, 1, 1, 1)
    for lo in range(0, len(x), _DENSE):
        part = x[lo : lo + _DENSE].reshape(-1, inputs)
        ones = (1, 1, 1)
        slide = Slide((1, 1, len(part)), ones, ones, ones, (0, 0, 0), (0, 0, 0), (1, 1, len(part)))
        sums = np.empty((1, outputs, 1, 1, len(part)), x.dtype)
        _layer(np.ascontiguousarray(part.T), filters, bias, sums, slide, 1, "constant")
        y[lo : lo + _DENSE] = sums.reshape(outputs, -1).T.reshape(-1, outputs, *y.shape[2:])
    return y


def _as_volume(slide: Slide) -> Slide:
    """The same slide along three axes; a window of one cell that misses none slides along one."""
    if set(slide.kernel + slide.stride) == {1} and not any(slide.before + slide.after):
        cells = prod(slide.size)
        ones = (1, 1, 1)
        return Slide((1, 1, cells), ones, ones, ones, (0, 0, 0), (0, 0, 0), (1, 1, cells))
    missing = 3 - len(slide.size)
    nothing = (1, 1, 1, 1, 0, 0, 1)
    return Slide(*((one,) * missing + values for one, values in zip(nothing, slide, strict=True)))


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
        """Numbers from row to row of the padded planes."""
        return -(-self._reach(2, self.block_width) // self.slide.stride[2])

    @property
    def phase(self) -> int:
        """Numbers of a padded plane whose columns are a multiple of the stride apart."""
        return self.rows * self.pitch

    @property
    def apart(self) -> int:
        """Numbers that one cell of the window sees: its places, and rows between them that others see."""
        height = self.rows if self.layout == COLUMNS else self.block_height
        return self.joined * height * self.block_width

    @property
    def cells(self) -> int:
        """Cells of the window that are laid out, in each plane."""
        _, kh, kw = self.slide.kernel
        return {DIRECT: 0, COLUMNS: kw, CELLS: kh * kw}[self.layout]

    @property
    def space(self) -> tuple[int, int, int]:
        """Numbers of scratch for padded planes, for cells laid out, and for sums of samples joined."""
        slack = 64 // self.itemsize * 4
        planes = self.block_inputs * self.slide.kernel[0]
        padded = planes * self.slide.stride[2] * self.phase + slack
        sums = self.block_outputs * self.apart + slack if self.joined > 1 else 0
        return padded, planes * self.cells * self.apart + slack, sums

    @property
    def blocks(self) -> int:
        depth, height, width = self.slide.output
        area = depth * -(-height // self.block_height) * -(-width // self.block_width)
        return -(-self.samples // self.joined) * self.groups * area * -(-self.outputs // self.block_outputs)

    @property
    def sums(self) -> int:
        """Multiply-adds of a block."""
        places = self.joined * self.block_height * self.block_width * self.block_outputs
        return places * self.channels * prod(self.slide.kernel)

    def _reach(self, axis: int, outputs: int) -> int:
        slide = self.slide
        return (outputs - 1) * slide.stride[axis] + (slide.kernel[axis] - 1) * slide.dilation[axis] + 1

    def places(self) -> np.ndarray:
        """Where each tap of a block's channels finds what it sees at the block's first place."""
        (kd, kh, kw), (_, dh, dw), stride = self.slide.kernel, self.slide.dilation, self.slide.stride[2]
        plane, a, b = (index.ravel() for index in np.indices((self.block_inputs * kd, kh, kw)))
        if self.layout == DIRECT:
            at = plane * stride * self.phase + b * dw % stride * self.phase + a * dh * self.pitch + b * dw // stride
        elif self.layout == COLUMNS:
            at = (plane * kw + b) * self.apart + a * dh * self.block_width
        else:
            at = ((plane * kh + a) * kw + b) * self.apart
        return at.astype(np.int64)

    def maps(self, border: str) -> tuple[np.ndarray, np.ndarray]:
        """Where planes, rows and columns of the padded input come from, and where the kernel finds all that."""
        planes, rows, columns = (self._map(axis, border) for axis in range(3))
        used = np.zeros(len(rows), bool)
        used[
            np.add.outer(
                np.arange(self.slide.output[1]) * self.slide.stride[1],
                np.arange(self.slide.kernel[1]) * self.slide.dilation[1],
            )
        ] = True
        rows[~used] = -2
        nothing = np.full(self.rows, -1)
        slide = self.slide
        facts = [
            self.samples,
            self.groups,
            self.channels,
            self.outputs,
            *slide.size[1:],
            prod(slide.size),
            *slide.output,
            *slide.kernel,
            *slide.stride,
            *slide.dilation,
            slide.before[2],
            self.joined,
            self.block_height,
            self.block_width,
            self.block_inputs,
            self.block_outputs,
            self.pitch,
            self.phase,
            self.layout,
            self.apart,
            len(planes),
            len(planes) + len(rows) + len(nothing),
        ]
        return np.concatenate([planes, rows, nothing, columns]).astype(np.int64), np.array(facts, np.int64)

    def _map(self, axis: int, border: str) -> np.ndarray:
        slide = self.slide
        return index_of(np.arange(self._reach(axis, slide.output[axis])) - slide.before[axis], slide.size[axis], border)


def planned(samples: int, groups: int, channels: int, outputs: int, itemsize: int, slide: Slide) -> Layer:
    """The layout and the blocks of a layer, from its sizes alone."""
    _, height, width = slide.output
    depth, kh, kw = slide.kernel
    lanes = host().vector_bytes // itemsize

    def waste(places: int) -> float:
        return -(-places // lanes) * lanes / places

    joined = 1
    if outputs < BLOCK_CHANNELS or waste(width) < 1.04:
        layout, tall, wide = DIRECT, min(height, 8), min(width, _PLACES)
    else:
        wide, tall = width, min(height, max(1, _PLACES // width))
        if width > 2 * _PLACES:
            layout, wide = DIRECT, _PLACES
        elif height * width <= _PLACES and samples > 1 and outputs >= 64 and waste(height * width) > 1.02:
            joined = min(samples, max(2, _PLACES // (height * width)))
            layout, tall = CELLS, height
        else:
            layout = COLUMNS if slide.stride[1] == 1 else CELLS
            if height > tall:
                tall = min(range(tall, tall // 2, -1), key=lambda rows: waste(rows * width))
    step, span = slide.stride[1], (kh - 1) * slide.dilation[1] + 1
    if layout == DIRECT:
        each = ((tall - 1) * step + span) * ((wide - 1) * slide.stride[2] + (kw - 1) * slide.dilation[2] + 1)
    elif layout == COLUMNS:
        each = kw * wide * (tall - 1 + span)
    else:
        each = kh * kw * wide * tall * joined
    parts = max(1, -(-channels * depth * each * itemsize // _NEAR))
    block_inputs = -(-channels // min(parts, channels))
    whole = Layer(
        samples, groups, channels, outputs, slide, itemsize, layout, joined, tall, wide, block_inputs, outputs
    )
    if whole.blocks < _TASKS:
        parts = -(-_TASKS // whole.blocks)
        share = max(-(-outputs // parts), 2 * BLOCK_CHANNELS)
        share = -(-share // BLOCK_CHANNELS) * BLOCK_CHANNELS
        whole = Layer(
            samples,
            groups,
            channels,
            outputs,
            slide,
            itemsize,
            layout,
            joined,
            tall,
            wide,
            block_inputs,
            min(share, outputs),
        )
    return whole


def _layer(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, slide: Slide, groups: int, border: str
) -> None:
    samples = y.size // (len(weight) * prod(slide.output))
    layer = planned(samples, groups, weight.shape[1], len(weight) // groups, x.itemsize, slide)
    run = kernel("conv.layer", x.dtype)
    maps, facts = layer.maps(border)
    places = layer.places()
    space = layer.space
    starts = np.concatenate([[0], np.cumsum([-(-size // 16) * 16 for size in space])])

    def task(lo: int, hi: int) -> None:
        room = scratch(1, int(starts[-1]), x.dtype)[0]
        p, u, s = (address(room) + int(start) * x.itemsize for start in starts[:3])
        run(
            address(x), address(weight), address(bias), address(y), p, u, s, address(maps), address(places),
            address(facts), lo, hi,
        )  # fmt: skip

    grain = max(1, -(-layer.blocks // 64), -(-_SUMS // layer.sums))
    parallel(task, split(layer.blocks, grain))


def describe(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], dtype: Any, slide: Slide, groups: int = 1
) -> dict[str, Any]:
    """How `convolve` would go about such arrays: the method, its tile and the bytes of scratch a thread needs."""
    return {"method": "taps", "tile": None, "workspace": 0}
