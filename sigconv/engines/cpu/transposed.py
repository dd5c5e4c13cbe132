"""Convolutions turned round: what each input gets back from the outputs that it took part in.

An output ``i`` and a kernel's cell ``j`` meet at input ``i * stride + j * dilation - before``. With a stride of ``s``,
inputs fall into ``s`` phases, and each phase is a convolution of stride 1 with those cells of the kernel that ever meet
it. Phases with as many cells at the same places are one convolution with more output channels.
"""

from itertools import product
from math import gcd
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.convs import convolve
from sigconv.geometry import Slide


def transpose(
    grad_out: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, slide: Slide, groups: int = 1
) -> np.ndarray:
    """The gradient of a layer's input: (N, C, *size) from grad_out (N, O, *output) and weight (O, C / groups, *kernel).

    ``slide`` is the layer's, with zeros around its input. ``bias`` (C,) or None is added. All arrays are C-contiguous
    and of one dtype, float32 or float64.
    """
    channels = weight.shape[1] * groups
    shape = len(grad_out), channels, *slide.size
    axes = [_bundles(*numbers) for numbers in zip(*slide[:5], strict=True)]
    if all(step == 1 for step in slide.stride):
        return convolve(
            grad_out,
            *_filters(weight, bias, [axis[0] for axis in axes], groups),
            _window(grad_out.shape[2:], [axis[0] for axis in axes]),
            groups,
        )
    result = np.empty(shape, grad_out.dtype)
    if any(sum(len(bundle.phases) for bundle in axis) < step for axis, step in zip(axes, slide.stride, strict=True)):
        result[...] = 0 if bias is None else bias.reshape(-1, *(1 for _ in axes))
    for bundles in product(*axes):
        kernel, offset = _filters(weight, bias, list(bundles), groups)
        part = convolve(grad_out, kernel, offset, _window(grad_out.shape[2:], list(bundles)), groups)
        _spread(part, result, list(bundles), slide, groups)
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
    grouped = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    cells = []
    for phases in product(*(bundle.phases for bundle in bundles)):
        taps = [slice(p.first_tap, None, b.jump) for p, b in zip(phases, bundles, strict=True)]
        cells.append(np.flip(grouped[(..., *taps)], range(3, grouped.ndim)))
    kernel = np.stack(cells, 1).reshape(-1, grouped.shape[2], *(bundle.taps for bundle in bundles))
    kernel = np.ascontiguousarray(kernel)
    if bias is None:
        return kernel, None
    return kernel, np.repeat(bias.reshape(groups, 1, -1), len(cells), 1).ravel()


def _spread(part: np.ndarray, result: np.ndarray, bundles: list[_Bundle], slide: Slide, groups: int) -> None:
    """Each phase's results into their places."""
    combinations = list(product(*(bundle.phases for bundle in bundles)))
    part = part.reshape(len(part), groups, len(combinations), result.shape[1] // groups, *part.shape[2:])
    grouped = result.reshape(len(result), groups, result.shape[1] // groups, *result.shape[2:])
    for k, phases in enumerate(combinations):
        source, target = [], []
        for phase, bundle, step, before in zip(phases, bundles, slide.stride, slide.before, strict=True):
            source.append(slice(phase.lo - bundle.lo, phase.hi - bundle.lo))
            begin = phase.start + phase.lo * step - before
            target.append(slice(begin, begin + (phase.hi - phase.lo - 1) * step + 1, step))
        grouped[(..., *target)] = part[(slice(None), slice(None), k, slice(None), *source)]


def bordered(x: np.ndarray, slide: Slide, border: str) -> tuple[np.ndarray, Slide]:
    """x with its border's cells around it, and the slide over that."""
    for axis, (before, n, after) in enumerate(zip(slide.before, slide.size, slide.after, strict=True)):
        x = x.take(index_of(np.arange(-before, n + max(after, 0)), n, border), axis + 2)
    zero = (0,) * len(slide.size)
    return x, slide._replace(size=x.shape[2:], before=zero, after=zero)


def folded(grad: np.ndarray, slide: Slide, border: str) -> np.ndarray:
    """The gradient of x from that of `bordered` x: each cell's own, then those of the cells that repeat it, in order."""
    for axis, (before, n) in enumerate(zip(slide.before, slide.size, strict=True)):
        padded = np.moveaxis(grad, axis + 2, 0)
        result = padded[before : before + n].copy()
        beyond = [*range(before), *range(before + n, len(padded))]
        for place, cell in zip(beyond, index_of(np.array(beyond, np.int64) - before, n, border), strict=True):
            result[cell] += padded[place]
        grad = np.moveaxis(result, 0, axis + 2)
    return np.ascontiguousarray(grad)
