"""Where the windows of pools stand, forward and backward, as the tables that kernels read."""

from functools import cached_property, lru_cache
from math import gcd
from typing import NamedTuple

import numpy as np

from sigconv.engines.cpu.compile import address
from sigconv.engines.cpu.sizes.pools import SLACK, Plan
from sigconv.geometry import Slide, effective_kernel

_LINE = 4096  # cells of a row that are worked on together
_LANES = 16  # numbers in the widest vector
_TALL = 12  # cells of windows from which on an axis may have a pass of its own
_TILE = 64  # outputs that are worked on together


class Row(NamedTuple):
    """Windows of ``kernel`` cells, ``gap`` apart: output o starts at o * stride - before.

    Cells are ``expand`` apart with zeros between them.
    """

    kernel: int
    stride: int
    gap: int
    before: int
    expand: int = 1


class Axis(NamedTuple):
    """Windows along an axis of ``size`` cells: output o joins ``cells[o]`` cells from ``first[o]``, ``step`` apart.

    Where they stand evenly ``row`` tells the same with cells of the border included.
    """

    size: int
    first: np.ndarray
    cells: np.ndarray
    step: int = 1
    row: Row | None = None

    @property
    def tall(self) -> bool:
        """Whether windows have so much in common that it is worth a pass of its own."""
        row = self.row
        return row is not None and row.gap == row.expand == 1 and row.kernel >= max(_TALL, 4 * row.stride)


def _forward(n: int, kernel: int, stride: int, dilation: int, before: int, after: int, out: int) -> Axis:
    start = np.arange(out) * stride - before
    skipped = np.maximum(-(start // dilation), 0)  # cells before the first real one
    count = np.maximum(np.minimum(-((start - n) // dilation), kernel) - skipped, 0)
    first = np.where(count > 0, start + skipped * dilation, 0)
    return Axis(n, first, count, dilation, Row(kernel, stride, dilation, before))


def _backward(n: int, kernel: int, stride: int, dilation: int, before: int, after: int, out: int) -> Axis:
    at = np.arange(n) + before
    if dilation == 1:
        first = np.maximum(-((kernel - 1 - at) // stride), 0)
        count = np.maximum(np.minimum(at // stride, out - 1) - first + 1, 0)
    else:
        start = at[:, None] - np.arange(kernel) * dilation
        meets = (start % stride == 0) & (start >= 0) & (start < out * stride)
        count = meets.sum(1)
        first = np.where(meets, start // stride, out).min(1)
    first = np.where(count > 0, first, 0)
    ahead = effective_kernel(kernel, dilation) - 1 - before
    return Axis(out, first, count, dilation // gcd(dilation, stride), Row(kernel, 1, dilation, ahead, stride))


def _adaptive(n: int, out: int) -> Axis:
    first = np.arange(out) * n // out
    count = -(-np.arange(1, out + 1) * n // out) - first
    return Axis(n, first, count, 1, Row(n // out, n // out, 1, 0) if n % out == 0 else None)


def _adaptive_backward(n: int, out: int) -> Axis:
    first = np.arange(n) * out // n
    count = -(-np.arange(1, n + 1) * out // n) - first
    if n % out == 0:
        return Axis(out, first, count, 1, Row(n // out, 1, 1, n // out - 1, n // out))
    return Axis(out, first, count)


class Windows:
    """The windows over the three axes of images; fewer axes are led by axes of one cell."""

    def __init__(self, axes: tuple[Axis, ...]) -> None:
        one = Axis(1, np.zeros(1, np.int64), np.ones(1, np.int64), 1, Row(1, 1, 1, 0))
        self.axes = (one,) * (3 - len(axes)) + axes
        self.tables = [np.concatenate([axis.first, axis.cells]).astype(np.int64) for axis in self.axes]
        self.input = tuple(axis.size for axis in self.axes)
        self.output = tuple(len(axis.first) for axis in self.axes)
        self._read: dict[int, tuple[np.ndarray, list[int]]] = {}

    def after(self, place: int) -> "Windows":
        """What is left to do when the windows of one axis are joined already."""
        n = self.output[place]
        joined = Axis(n, np.arange(n), np.ones(n, np.int64), 1, Row(1, 1, 1, 0))
        return Windows((*self.axes[:place], joined, *self.axes[place + 1 :]))

    @cached_property
    def whole(self) -> bool:
        """Whether every window holds a cell."""
        return all(axis.cells.min(initial=1) > 0 for axis in self.axes)

    @cached_property
    def side_by_side(self) -> bool:
        """Whether the windows lie side by side, each cell in one of them or beyond the last."""
        rows = [axis.row for axis in self.axes]
        return all(row is not None and row.kernel == row.stride and row.gap == row.expand == 1 for row in rows)

    @cached_property
    def everything(self) -> bool:
        """Whether the one window holds all cells."""
        return self.output == (1, 1, 1) and all(axis.cells[0] == axis.size for axis in self.axes)

    @cached_property
    def cells(self) -> int:
        """About how many cells are read for a row of outputs."""
        most = [int(axis.cells.max(initial=1)) for axis in self.axes]
        return most[0] * most[1] * self.input[2]

    @cached_property
    def block(self) -> int:
        """Outputs of a row that are worked on together."""
        *_, axis = self.axes
        wide = max(self.output[2], 1)
        if axis.row is None:
            return max(wide * _LINE // max(axis.size, _LINE), 1)
        span = effective_kernel(axis.row.kernel, axis.row.gap)
        block = max(_LINE, span) // axis.row.stride // _TILE * _TILE
        return min(max(block, _TILE), -(-wide // _TILE) * _TILE)

    @cached_property
    def room(self) -> int:
        """Numbers that a line of scratch must hold."""
        *_, axis = self.axes
        if axis.row is not None:
            reach = effective_kernel(axis.row.kernel, axis.row.gap)
            return self.block * axis.row.stride + reach + axis.row.expand * _LANES + SLACK * _LANES
        begins = axis.first[:: self.block]
        ends = (axis.first + axis.cells)[np.minimum(np.arange(1, len(begins) + 1) * self.block, len(axis.first)) - 1]
        return int((ends - begins).max(initial=0)) + SLACK * _LANES

    def pointers(self, power: int) -> list[int]:
        """Where the plan and the tables are that kernels read: they stay there as long as this lives."""
        if power not in self._read:
            plan = self.plan(power)
            self._read[power] = plan, [address(array) for array in (plan, *self.tables)]
        return self._read[power][1]

    def plan(self, power: int) -> np.ndarray:
        """The whole numbers that kernels read."""
        depth, height, axis = self.axes
        row = axis.row or Row(1, 1, axis.step, 0)
        plane = height.size * axis.size
        plan = Plan(
            width=axis.size, plane=plane, image=depth.size * plane,
            deep=self.output[0], high=self.output[1], wide=self.output[2],
            step_d=depth.step * plane, step_h=height.step * axis.size, step_w=row.gap,
            kernel=row.kernel, stride=row.stride, before=row.before,
            block=self.block, listed=axis.row is None, expand=row.expand, power=power,
        )  # fmt: skip
        return np.array(plan, np.int64)


@lru_cache(64)
def windows_of(slide: Slide) -> Windows:
    """The windows of a pool."""
    return Windows(tuple(_forward(*numbers) for numbers in zip(*slide, strict=True)))


@lru_cache(64)
def windows_back(slide: Slide) -> Windows:
    """For each cell of a pool's input the outputs whose windows it is in."""
    return Windows(tuple(_backward(*numbers) for numbers in zip(*slide, strict=True)))


@lru_cache(64)
def adaptive_windows(size: tuple[int, ...], output: tuple[int, ...]) -> Windows:
    """Windows from floor(o * n / out) up to ceil((o + 1) * n / out) along each axis."""
    return Windows(tuple(_adaptive(*numbers) for numbers in zip(size, output, strict=True)))


@lru_cache(64)
def adaptive_back(size: tuple[int, ...], output: tuple[int, ...]) -> Windows:
    """For each cell the outputs of `adaptive_windows` whose windows it is in."""
    return Windows(tuple(_adaptive_backward(*numbers) for numbers in zip(size, output, strict=True)))
