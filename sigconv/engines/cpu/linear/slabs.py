"""N-D correlation of whatever the kernel does not take as it lies: part by part, so that memory stays bounded."""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.linear import correlations
from sigconv.engines.cpu.results import apart_from
from sigconv.engines.cpu.threads import get_num_threads
from sigconv.sliding import Sliding

_NUMBERS = 2**19  # of input in a part


class Slab(NamedTuple):
    """A part of the output along one axis, and the input that it sees, border and all."""

    cells: np.ndarray
    """Its input, whose border along the axis is there already."""
    sliding: Sliding
    where: tuple[slice, ...]
    """Where its output belongs."""


def slabs(x: np.ndarray, sliding: Sliding, border: str, fill: float, dtype: np.dtype) -> Iterator[Slab]:
    """Parts of the output with their input, converted to ``dtype``, side by side in memory."""
    axis, many = cut(sliding)
    others = [a for a in range(x.ndim) if a != axis and sliding.stride[a] > sliding.span(a)]
    for lo in range(0, sliding.output[axis], many):
        hi = min(lo + many, sliding.output[axis])
        found, one = _seen(sliding, axis, border, lo, hi)
        inside = bool(found[0] >= 0 and (np.diff(found) == 1).all())
        part = x[(slice(None),) * axis + (slice(found[0], found[-1] + 1) if inside else found,)]
        cells = np.ascontiguousarray(part, dtype)
        if (found < 0).any():
            if cells.base is not None or cells is x:
                cells = cells.copy()
            cells[(slice(None),) * axis + (found < 0,)] = fill
        for other in others:
            found, one = _seen(one, other, border, 0, one.output[other])
            cells = np.take(cells, found, other)
            cells[(slice(None),) * other + (found < 0,)] = fill
        yield Slab(cells, one, (slice(None),) * axis + (slice(lo, hi),))


def _seen(sliding: Sliding, axis: int, border: str, lo: int, hi: int) -> tuple[np.ndarray, Sliding]:
    """Which cells of an axis the windows of outputs [lo, hi) see, side by side, and how they slide over these."""
    step, span = sliding.stride[axis], sliding.span(axis)
    if step > span:  # what no window sees is left out
        wanted, step = (np.arange(lo, hi)[:, None] * step + np.arange(span)).ravel(), span
    else:
        wanted = np.arange(lo * step, (hi - 1) * step + span)
    found = index_of(wanted - sliding.before[axis], sliding.size[axis], border)
    return found, sliding.along(axis, size=len(found), before=0, output=hi - lo, stride=step)


def cut(sliding: Sliding) -> tuple[int, int]:
    """The axis to cut along, and the outputs in a part: the first axis that gives parts small enough, or the best."""
    lines = [prod(sliding.size) // size for size in sliding.size]
    least = [line * sliding.span(axis) for axis, line in enumerate(lines)]
    axis = next((axis for axis, numbers in enumerate(least) if 2 * numbers <= _NUMBERS), least.index(min(least)))
    step, span = sliding.stride[axis], sliding.span(axis)
    many = max((_NUMBERS // lines[axis] - span) // step + 1, -(-span // (2 * step)), 1)
    return axis, min(many, sliding.output[axis])


def correlate(x: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, cval: float) -> np.ndarray:
    """A new array of x, which lies side by side, correlated with w."""
    out = apart_from(x, sliding.output, w.dtype)
    if w.dtype.kind == "i":
        _correlate_integers(x, w, sliding, border, cval, out)
        return out
    axes = correlations.told_apart(x, sliding)
    assert axes is not None
    correlations.correlate(x, w, sliding, border, cval, out, axes)
    return out


def bordered(x: np.ndarray, sliding: Sliding, border: str, cval: float) -> np.ndarray:
    """All that the windows see of a part, border included."""
    for axis in range(x.ndim):
        found = index_of(np.arange(sliding.seen(axis)) - sliding.before[axis], sliding.size[axis], border)
        if len(found) != x.shape[axis] or (found != np.arange(len(found))).any():
            x = np.take(x, found, axis)
            x[(slice(None),) * axis + (found < 0,)] = cval
    return x


def _correlate_integers(
    x: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, cval: float, out: np.ndarray
) -> None:
    """Tap by tap, for sums that no float holds."""
    whole = bordered(x, sliding, border, cval)
    out[...] = 0
    for cell in np.ndindex(w.shape):
        starts = [j * gap for j, gap in zip(cell, sliding.dilation, strict=True)]
        spans = zip(starts, sliding.output, sliding.stride, strict=True)
        out += w[cell] * whole[tuple(slice(a, a + (n - 1) * s + 1, s) for a, n, s in spans)]


def correlate_fft(x: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, cval: float) -> np.ndarray:
    """The same by the product of Fourier transforms: the part's border is made, and what wraps around is dropped."""
    from scipy import fft

    whole = bordered(x, sliding, border, cval)
    spread = np.zeros([sliding.span(axis) for axis in range(x.ndim)], w.dtype)
    spread[tuple(slice(None, None, gap) for gap in sliding.dilation)] = w
    axes = [axis for axis in range(x.ndim) if spread.shape[axis] > 1]
    if not axes:
        return correlate(x, w, sliding, border, cval)
    lengths = [fft.next_fast_len(whole.shape[axis], real=axis == axes[-1]) for axis in axes]
    workers = get_num_threads()
    product = fft.rfftn(whole, lengths, axes, workers=workers)
    product *= np.conj(fft.rfftn(spread, lengths, axes))
    found = fft.irfftn(product, lengths, axes, workers=workers, overwrite_x=True)
    steps = zip(sliding.output, sliding.stride, strict=True)
    return np.ascontiguousarray(found[tuple(slice(0, (n - 1) * s + 1, s) for n, s in steps)])


def correlate_each(x: np.ndarray, factors: list[np.ndarray], sliding: Sliding, border: str, cval: float) -> np.ndarray:
    """The same for weights that are a product of one factor for each axis: axis after axis, the first one last."""
    out, axes = apart_from(x, sliding.output, factors[0].dtype), correlations.told_apart(x, sliding)
    if axes is not None and out.dtype.kind == "f" and out.size:
        quick = correlations.prepared_each(x, factors, sliding, border, cval, out, axes)
        if quick is not None:
            quick(x, out)
            return out
    for axis in reversed(range(x.ndim)):
        still = sliding.kernel[axis] == sliding.stride[axis] == 1 and sliding.output[axis] == x.shape[axis]
        if still and factors[axis].ravel()[0] == 1:
            continue
        ones = [1] * x.ndim
        alone = Sliding(x.shape, tuple(ones), tuple(ones), tuple(ones), (0,) * x.ndim, x.shape)
        alone = alone.along(
            axis, kernel=sliding.kernel[axis], stride=sliding.stride[axis], dilation=sliding.dilation[axis],
            before=sliding.before[axis], output=sliding.output[axis],
        )  # fmt: skip
        x = correlate(x, factors[axis], alone, border, cval)
        cval = (cval * factors[axis]).sum().item()  # what the cells beyond the next axis have become
    return x
