"""Convolutions turned round: what each input gets back from the outputs that it took part in.

An output ``i`` and a kernel's cell ``j`` meet at input ``i * stride + j * dilation - before``. With a stride of ``s``,
inputs fall into ``s`` phases, and each phase is a convolution of stride 1 with those cells of the kernel that ever meet
it. Phases with as many cells at the same places are one convolution with more output channels.
"""

from collections.abc import Iterator
from itertools import product
from math import gcd, prod
from operator import mul
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.conv_grads import steps
from sigconv.engines.cpu.convs import convolve
from sigconv.engines.cpu.scratch import kept
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

_TURNED, _SPREAD = 2**17, 2**16  # numbers of weights and of results that a thread moves at a time


def transpose(
    grad_out: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, slide: Slide, groups: int = 1
) -> np.ndarray:
    """The gradient of a layer's input: (N, C, *size) from grad_out (N, O, *output) and weight (O, C / groups, *kernel).

    ``slide`` is the layer's, with zeros around its input. ``bias`` (C,) or None is added. All arrays are C-contiguous
    and of one dtype, float32 or float64.
    """
    axes = [_bundles(*numbers) for numbers in zip(*slide[:5], strict=True)]

    def convolved(bundles: list[_Bundle]) -> np.ndarray:
        filters, offset = _filters(weight, bias, bundles, groups)
        return convolve(grad_out, filters, offset, _window(grad_out.shape[2:], bundles), groups)

    if all(step == 1 for step in slide.stride):
        return convolved([bundle for (bundle,) in axes])
    result = np.empty((len(grad_out), weight.shape[1] * groups, *slide.size), grad_out.dtype)
    if any(sum(len(bundle.phases) for bundle in axis) < step for axis, step in zip(axes, slide.stride, strict=True)):
        result[...] = 0 if bias is None else bias.reshape(-1, *(1 for _ in axes))
    for bundles in map(list, product(*axes)):
        _spread(convolved(bundles), result, bundles, slide, groups)
    return result


class _Phase(NamedTuple):
    """Inputs whose place, counted from the first cell of padding, is ``start`` modulo the stride.

    They are numbered by how many strides they lie behind: ``lo`` to ``hi - 1`` lie in the array.
    """

    start: int
    first_tap: int
    lo: int
    hi: int


class _Bundle(NamedTuple):
    """Phases of an axis that ``taps`` cells each meet: every ``jump``-th, ``gap`` outputs apart, ``shift`` behind."""

    taps: int
    jump: int
    gap: int
    shift: int
    phases: list[_Phase]

    @property
    def lo(self) -> int:
        return min(phase.lo for phase in self.phases)

    @property
    def hi(self) -> int:
        return max(phase.hi for phase in self.phases)


def _bundles(size: int, kernel: int, stride: int, dilation: int, before: int) -> list[_Bundle]:
    common = gcd(stride, dilation)
    jump, gap = stride // common, dilation // common
    found: dict[tuple[int, int], _Bundle] = {}
    for start in range(stride):
        first = next((j for j in range(min(kernel, jump)) if j * dilation % stride == start), None)
        lo, hi = -((start - before) // stride), -((start - before - size) // stride)
        if first is None or hi <= lo:
            continue
        taps, shift = -((first - kernel) // jump), (start - first * dilation) // stride
        bundle = found.setdefault((taps, shift), _Bundle(taps, jump, gap, shift, []))
        bundle.phases.append(_Phase(start, first, lo, hi))
    return list(found.values())


def _window(sizes: tuple[int, ...], bundles: list[_Bundle]) -> Slide:
    """How the turned kernel of a bundle slides over the outputs."""
    rows = []
    for size, bundle in zip(sizes, bundles, strict=True):
        reach, output = (bundle.taps - 1) * bundle.gap, bundle.hi - bundle.lo
        before = reach - bundle.shift - bundle.lo
        rows.append((size, bundle.taps, 1, bundle.gap, before, output + reach - before - size, output))
    return Slide(*zip(*rows, strict=True))


def _filters(
    weight: np.ndarray, bias: np.ndarray | None, bundles: list[_Bundle], groups: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """The kernels of a bundle's phases: cells in reverse, channels changed for one another; and biases for each."""
    outputs, channels = len(weight) // groups, weight.shape[1]
    cells = np.arange(prod(weight.shape[2:])).reshape(weight.shape[2:])
    phases = list(product(*(bundle.phases for bundle in bundles)))
    taps = [tuple(slice(p.first_tap, None, b.jump) for p, b in zip(each, bundles, strict=True)) for each in phases]
    chosen = np.stack([np.flip(cells[each]).ravel() for each in taps])
    shape = groups * len(phases) * channels, outputs, *(bundle.taps for bundle in bundles)
    kernels = _turned(weight, chosen, groups).reshape(shape)
    if bias is None:
        return kernels, None
    return kernels, np.repeat(bias.reshape(groups, 1, -1), len(phases), 1).ravel()


def _turned(weight: np.ndarray, chosen: np.ndarray, groups: int) -> np.ndarray:
    """(groups, phases, C / groups, O / groups, taps of a phase): the taps ``chosen`` for each phase.

    The thread's next call overwrites them.
    """
    outputs, channels, cells = len(weight) // groups, weight.shape[1], prod(weight.shape[2:])
    phases, taps = chosen.shape
    if outputs == channels == 1:
        return weight.reshape(groups, cells).take(chosen, 1)
    result = kept("turned", len(weight) * channels * chosen.size, weight.dtype)
    whole = taps == cells == 1 and outputs % (64 // weight.itemsize) == 0
    turn = kernel("conv_grad.turn" if whole else "phases.turn", weight.dtype)
    source, target = address(weight), address(result)
    backwards = int(phases == 1 and taps == cells)

    def task(lo: int, hi: int) -> None:
        for row, c, n in _rows(lo, hi, channels):
            group, phase = divmod(row, phases)
            w = source + group * outputs * channels * cells * weight.itemsize
            y = target + row * channels * outputs * taps * weight.itemsize
            if whole:
                turn(w + c * weight.itemsize, channels, n, outputs, y + c * outputs * weight.itemsize, outputs)
            else:
                turn(w, channels, outputs, cells, address(chosen[phase]), taps, backwards, y, c, c + n)

    grain = max(_TURNED // (outputs * taps), 1)
    parallel(task, split(groups * phases * channels, grain))
    return result


def _rows(lo: int, hi: int, length: int) -> Iterator[tuple[int, int, int]]:
    """The rows of ``length`` that a range runs through: each one's number, where in it to begin and how far to go."""
    while lo < hi:
        row, begin = divmod(lo, length)
        n = min(length - begin, hi - lo)
        yield row, begin, n
        lo += n


def _spread(part: np.ndarray, result: np.ndarray, bundles: list[_Bundle], slide: Slide, groups: int) -> None:
    """Each phase's results into their places."""
    phases = list(product(*(bundle.phases for bundle in bundles)))
    groups = groups if len(phases) > 1 else 1
    channels, item = result.shape[1] // groups, result.itemsize
    spread = kernel("phases.spread", result.dtype)
    inner, outer = steps(part.shape[2:]), steps(result.shape[2:])
    for k, each in enumerate(phases):
        at = [phase.lo - bundle.lo for phase, bundle in zip(each, bundles, strict=True)]
        to = [p.start + p.lo * step - before for p, step, before in zip(each, slide.stride, slide.before, strict=True)]
        missing = [0] * (3 - len(each))
        shape = [1] * len(missing) + [phase.hi - phase.lo for phase in each]
        shape += [prod(part.shape[2:]), *missing, *inner, prod(slide.size), *missing]
        shape += [step * outer_step for step, outer_step in zip(slide.stride, outer, strict=True)]
        numbers = np.array(shape, np.int64)
        source = address(part) + (k * channels * prod(part.shape[2:]) + sum(map(mul, at, inner))) * item
        target = address(result) + sum(map(mul, to, outer)) * item

        def task(lo: int, hi: int, source: int = source, target: int = target, numbers: np.ndarray = numbers) -> None:
            for row, c, n in _rows(lo, hi, channels):
                x = source + row * len(phases) * channels * prod(part.shape[2:]) * item
                y = target + row * channels * prod(slide.size) * item
                spread(x, y, address(numbers), c, c + n)

        parallel(task, split(len(result) * result.shape[1], max(_SPREAD // prod(part.shape[2:]), 1)))


def bordered(x: np.ndarray, slide: Slide, border: str) -> tuple[np.ndarray, Slide]:
    """x with its border's cells around it, and the slide over that."""
    for axis, (before, n, after) in enumerate(zip(slide.before, slide.size, slide.after, strict=True)):
        x = x.take(index_of(np.arange(-before, n + max(after, 0)), n, border), axis + 2)
    zero = (0,) * len(slide.size)
    return x, slide._replace(size=x.shape[2:], before=zero, after=zero)


def folded(grad: np.ndarray, slide: Slide, border: str) -> np.ndarray:
    """The gradient of x from that of `bordered` x: each cell's own, then its copies' in the border, in order."""
    for axis, (before, n) in enumerate(zip(slide.before, slide.size, strict=True)):
        padded = np.moveaxis(grad, axis + 2, 0)
        result = padded[before : before + n].copy()
        beyond = [*range(before), *range(before + n, len(padded))]
        for place, cell in zip(beyond, index_of(np.array(beyond, np.int64) - before, n, border), strict=True):
            result[cell] += padded[place]
        grad = np.moveaxis(result, 0, axis + 2)
    return np.ascontiguousarray(grad)
