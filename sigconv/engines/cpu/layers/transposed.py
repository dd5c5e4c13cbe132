"""Convolutions turned round: what each input gets back from the outputs that it took part in.

An output ``i`` and a kernel's cell ``j`` meet at input ``i * stride + j * dilation - before``. With a stride of ``s``,
inputs fall into ``s`` phases, and each phase is a convolution of stride 1 with those cells of the kernel that ever meet
it. Phases with as many cells at the same places are one convolution with more output channels.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import product
from math import gcd, prod
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.layers.conv_grads import steps
from sigconv.engines.cpu.layers.convs import convolve
from sigconv.engines.cpu.results import apart_from
from sigconv.engines.cpu.scratch import kept
from sigconv.engines.cpu.threads import parallel, split
from sigconv.geometry import Slide

_TURNED, _SPREAD = 2**17, 2**16  # numbers of weights and of results that a thread moves at a time
_APART = 2**24  # bytes of results whose phases wait for one another


def transpose(
    grad_out: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, slide: Slide, groups: int = 1
) -> np.ndarray:
    """The gradient of a layer's input: (N, C, *size) from grad_out (N, O, *output) and weight (O, C / groups, *kernel).

    ``slide`` is the layer's, with zeros around its input. ``bias`` (C,) or None is added. All arrays are C-contiguous
    and of one dtype, float32 or float64.
    """
    axes, parts = _parts(slide)
    filters = [_filters(weight, bias, part, groups) for part in parts]
    if all(step == 1 for step in slide.stride):
        return convolve(grad_out, *filters[0], parts[0].window, groups)
    result = apart_from(grad_out, (len(grad_out), weight.shape[1] * groups, *slide.size))
    if any(sum(len(bundle.phases) for bundle in axis) < step for axis, step in zip(axes, slide.stride, strict=True)):
        result[...] = 0 if bias is None else bias.reshape(-1, *(1 for _ in axes))
    for lo, hi in split(len(result), max(_APART // max(result[:1].nbytes, 1), 1)):
        results = [
            convolve(grad_out[lo:hi], *these, part.window, groups) for part, these in zip(parts, filters, strict=True)
        ]
        _interleave(results, result[lo:hi], slide, groups)
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
    phases: tuple[_Phase, ...]

    @property
    def lo(self) -> int:
        return min(phase.lo for phase in self.phases)

    @property
    def hi(self) -> int:
        return max(phase.hi for phase in self.phases)


@lru_cache(maxsize=256)
def _bundles(size: int, kernel: int, stride: int, dilation: int, before: int) -> list[_Bundle]:
    common = gcd(stride, dilation)
    jump, gap = stride // common, dilation // common
    found: dict[tuple[int, int], list[_Phase]] = {}
    for start in range(stride):
        first = next((j for j in range(min(kernel, jump)) if j * dilation % stride == start), None)
        lo, hi = -((start - before) // stride), -((start - before - size) // stride)
        if first is None or hi <= lo:
            continue
        taps, shift = -((first - kernel) // jump), (start - first * dilation) // stride
        found.setdefault((taps, shift), []).append(_Phase(start, first, lo, hi))
    return [_Bundle(taps, jump, gap, shift, tuple(phases)) for (taps, shift), phases in found.items()]


_Bundles = tuple[_Bundle, ...]


class _Part(NamedTuple):
    """What a bundle of phases along each axis needs: its convolution, and which taps each phase has, in reverse."""

    bundles: _Bundles
    window: Slide
    taps: np.ndarray


@lru_cache(maxsize=64)
def _parts(slide: Slide) -> tuple[list[list[_Bundle]], list[_Part]]:
    """Each axis' bundles, and all combinations of them."""
    axes = [_bundles(*numbers) for numbers in zip(*slide[:5], strict=True)]
    cells = np.arange(prod(slide.kernel)).reshape(slide.kernel)
    parts = []
    for bundles in product(*axes):
        phases = product(*(bundle.phases for bundle in bundles))
        taps = [tuple(slice(p.first_tap, None, b.jump) for p, b in zip(each, bundles, strict=True)) for each in phases]
        chosen = np.stack([np.flip(cells[each]).ravel() for each in taps])
        parts.append(_Part(bundles, _window(slide.output, bundles), chosen))
    return axes, parts


def _window(sizes: tuple[int, ...], bundles: _Bundles) -> Slide:
    """How the turned kernel of a bundle slides over the outputs."""
    rows = []
    for size, bundle in zip(sizes, bundles, strict=True):
        reach, output = (bundle.taps - 1) * bundle.gap, bundle.hi - bundle.lo
        before = reach - bundle.shift - bundle.lo
        rows.append((size, bundle.taps, 1, bundle.gap, before, output + reach - before - size, output))
    return Slide(*zip(*rows, strict=True))


def _filters(
    weight: np.ndarray, bias: np.ndarray | None, part: _Part, groups: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """The kernels of a bundle's phases: cells in reverse, channels changed for one another; and biases for each."""
    outputs, channels, phases = len(weight) // groups, weight.shape[1], len(part.taps)
    kernels = _turned(weight, part.taps, groups).reshape(groups * phases * channels, outputs, *part.window.kernel)
    if bias is None:
        return kernels, None
    return kernels, np.repeat(bias.reshape(groups, 1, -1), phases, 1).ravel()


def _turned(weight: np.ndarray, chosen: np.ndarray, groups: int) -> np.ndarray:
    """(groups, phases, C / groups, O / groups, taps of a phase): the taps ``chosen`` for each phase.

    All taps backwards stand where the thread's next call overwrites them.
    """
    outputs, channels, cells = len(weight) // groups, weight.shape[1], prod(weight.shape[2:])
    phases, taps = chosen.shape
    if outputs == channels == 1:
        return weight.reshape(groups, cells).take(chosen, 1)
    backwards = int(phases == 1 and taps == cells)
    size = len(weight) * channels * chosen.size
    result = kept("turned", size, weight.dtype) if backwards else np.empty(size, weight.dtype)
    whole = taps == cells == 1 and outputs % (64 // weight.itemsize) == 0
    turn = kernel("conv_grad.turn" if whole else "phases.turn", weight.dtype)
    source, target = address(weight), address(result)

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


class _Weave(NamedTuple):
    """What the kernel is told about phases that lie alike along all axes but the last, whose rows become whole.

    ``begins`` says which of the numbers are to be counted from which part's first one.
    """

    numbers: np.ndarray
    begins: list[tuple[int, int]]
    to: int
    grain: int


def _interleave(parts: list[np.ndarray], result: np.ndarray, slide: Slide, groups: int) -> None:
    """The phases' results into their places."""
    item, starts = result.itemsize, [address(part) for part in parts]
    base, y, run = min(starts, default=0), address(result), kernel("phases.interleave", result.dtype)
    for weave in _weaves(slide, result.shape[1] // groups):
        numbers = weave.numbers.copy()
        for place, part in weave.begins:
            numbers[place] += (starts[part] - base) // item
        these = split(len(result) * result.shape[1], weave.grain)
        parallel(partial(run, base, y + weave.to * item, address(numbers)), these)


@lru_cache(maxsize=64)
def _weaves(slide: Slide, channels: int) -> list[_Weave]:
    """How the results of phases, for so many channels in a group, go to their places."""
    axes, parts = _parts(slide)
    outer, number_of = steps(slide.size), {part.bundles: number for number, part in enumerate(parts)}
    rows = [[(bundle, phase) for bundle in axis for phase in bundle.phases] for axis in axes]

    def source(chosen: tuple[tuple[_Bundle, _Phase], ...]) -> tuple[int, list[int]]:
        """A combination's part, where in it that begins, and how far apart its groups, channels and rows are."""
        bundles, phases = zip(*chosen, strict=True)
        part = parts[number_of[bundles]]
        combinations = list(product(*(bundle.phases for bundle in bundles)))
        inner, volume = steps(part.window.output), prod(part.window.output)
        begin = sum((phase.lo - bundle.lo) * step for (bundle, phase), step in zip(chosen, inner, strict=True))
        begin += combinations.index(phases) * channels * volume
        return number_of[bundles], [begin, len(combinations) * channels * volume, volume, *_three(inner, 0)[:2]]

    weaves = []
    for chosen in product(*rows[:-1]):
        counts = _three([phase.hi - phase.lo for _, phase in chosen] + [slide.size[-1]], 1)
        apart = _three([stride * step for stride, step in zip(slide.stride, outer, strict=True)], 0)
        to = 0
        for (_, phase), step, before, size in zip(chosen, slide.stride, slide.before, outer, strict=False):
            to += (phase.start + phase.lo * step - before) * size
        numbers, begins = [*counts, channels, prod(slide.size), *apart[:2], slide.stride[-1]], []
        for cell in range(slide.stride[-1]):
            start = (cell + slide.before[-1]) % slide.stride[-1]
            found = [source((*chosen, last)) for last in rows[-1] if last[1].start == start]
            if found:
                begins.append((len(numbers), found[0][0]))
            numbers += found[0][1] if found else [-1] * 5
        weaves.append(_Weave(np.array(numbers, np.int64), begins, to, max(_SPREAD // prod(counts), 1)))
    return weaves


def _three(numbers: Sequence[int], missing: int) -> list[int]:
    """Numbers for each axis as numbers for three."""
    return [missing] * (3 - len(numbers)) + list(numbers)


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
