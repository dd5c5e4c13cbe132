"""Which method a weighted sum over an N-D array takes, and why: nothing but the weights' numbers is looked at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from sigconv.sliding import Sliding

METHODS = ("auto", "direct", "separable", "fft")
_FEW = 16  # taps up to which passes along each axis do not pay
_FFT_TAPS = 1500  # for each number transformed, from which a transform does


@dataclass(frozen=True)
class LinearPlan:
    """How `sigconv.correlate` would go about it."""

    method: str
    reason: str
    dtype: np.dtype
    """What sums are made in."""
    factors: list[np.ndarray] = field(default_factory=list, repr=False)
    """For each axis the weights of its own pass, where the method is separable."""
    workspace: int = 0
    """Bytes beside the output, at most."""

    def __str__(self) -> str:
        return f"{self.method}: {self.reason}; sums in {self.dtype}, workspace {self.workspace / 2**20:.1f} MiB"


def factors_of(weights: np.ndarray, dtype: np.dtype) -> list[np.ndarray] | None:
    """One factor for each axis whose outer product the weights are, else None.

    The factors are the lines through the largest weight: weights of rank one are multiples of any of their lines.
    Every single product must be its weight, to the rounding of ``dtype``, so that no weight of zero lets anything
    through; integers have factors that are integers.
    """
    w = np.asarray(weights, np.float64)
    size = np.abs(w)
    whole = weights.dtype.kind in "biu"
    if not np.isfinite(size.sum()) or not size.any() or (whole and size.max() >= 2**31):
        return None
    pivot = np.unravel_index(size.argmax(), w.shape)
    lines = [np.moveaxis(w, axis, -1)[tuple(np.delete(pivot, axis))] for axis in range(w.ndim)]
    if whole:
        lines = [line / np.gcd.reduce(line.astype(np.int64)) for line in lines]
    else:
        lines = [line / size[pivot] ** (1 - 1 / w.ndim) for line in lines]
    lines[-1] = lines[-1] * (w[pivot] / prod(line[place] for line, place in zip(lines, pivot, strict=True)))
    shapes = [[-1 if a == axis else 1 for a in range(w.ndim)] for axis in range(w.ndim)]
    factors = [line.reshape(shape) for line, shape in zip(lines, shapes, strict=True)]
    off = np.abs(prod(factors, start=np.ones([1] * w.ndim)) - w)
    if not whole:
        limits = np.finfo(dtype)
        off -= 2 * w.ndim * limits.eps * np.maximum(size, limits.smallest_normal)
    return factors if (off <= 0).all() else None


def plan_linear(
    method: str, weights: np.ndarray, dtype: np.dtype, plain: Callable[[], bool], sliding: Sliding
) -> LinearPlan:
    """The method, asked for or chosen, for weights that are real.

    ``plain`` tells whether the result is of single precision, and a transform in double precision would lose none: it
    reads all of the input, and is asked last.
    """
    taps, wide = weights.size, sum(n > 1 for n in weights.shape)
    if method == "direct":
        return LinearPlan("direct", "asked for", dtype)
    if method == "fft":
        reason = "asked for: it spreads NaN and infinity, and rounds by the largest value"
        return LinearPlan("fft", reason, np.dtype(np.float64))
    factors = factors_of(weights, dtype) if method == "separable" or (wide > 1 and taps > _FEW) else None
    if method == "separable":
        if factors is None:
            raise ValueError("method 'separable' needs weights that are a product of one factor for each axis")
        return LinearPlan("separable", "asked for", dtype, factors)
    if factors is not None:
        passes = sum(n for n in weights.shape if n > 1)
        return LinearPlan("separable", f"{passes} taps in {wide} passes instead of {taps}", dtype, factors)
    transformed = prod(map(sliding.seen, range(weights.ndim)))
    worth = wide > 1 and taps * prod(sliding.output) >= _FFT_TAPS * transformed > 0
    if worth and np.isfinite(weights).all() and plain():
        return LinearPlan("fft", f"{taps} taps over finite numbers of much the same size", np.dtype(np.float64))
    return LinearPlan("direct", f"{taps} taps", dtype)
