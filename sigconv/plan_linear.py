"""Which method a weighted sum over an N-D array takes, and why: nothing but the weights' numbers is looked at."""

from dataclasses import dataclass, field
from math import prod

import numpy as np

METHODS = ("auto", "direct", "separable", "fft")
_FEW = 16  # taps up to which passes along each axis do not pay
_FFT_TAPS = 1500  # from which a transform does


@dataclass(frozen=True)
class LinearPlan:
    """How `sigconv.correlate` would go about it."""

    method: str
    reason: str
    dtype: np.dtype
    """What sums are made in."""
    workspace: int
    """Bytes beside the output, at most."""
    factors: list[np.ndarray] = field(default_factory=list, repr=False)
    """For each axis the weights of its own pass, where the method is separable."""

    def __str__(self) -> str:
        return f"{self.method}: {self.reason}; sums in {self.dtype}, workspace {self.workspace / 2**20:.1f} MiB"


def factors_of(weights: np.ndarray, dtype: np.dtype) -> list[np.ndarray] | None:
    """One factor for each axis whose outer product the weights are, to the rounding of ``dtype``; else None.

    The factors are the lines through the largest weight: weights of rank one are multiples of any of their lines.
    """
    w = np.asarray(weights, np.float64)
    size = np.abs(w)
    if not np.isfinite(size.sum()) or not size.any():
        return None
    pivot = np.unravel_index(size.argmax(), w.shape)
    lines = [np.moveaxis(w, axis, -1)[tuple(np.delete(pivot, axis))] for axis in range(w.ndim)]
    factors = [line / np.abs(w[pivot]) ** (1 - 1 / w.ndim) for line in lines]
    factors[-1] = factors[-1] * np.sign(w[pivot]) ** (w.ndim - 1)
    shapes = [[-1 if a == axis else 1 for a in range(w.ndim)] for axis in range(w.ndim)]
    factors = [factor.reshape(shape) for factor, shape in zip(factors, shapes, strict=True)]
    product = np.ones([1] * w.ndim)
    for factor in factors:
        product = product * factor
    return factors if np.abs(product - w).max() <= 2 * np.finfo(dtype).eps * size.max() else None


def plan_linear(method: str, weights: np.ndarray, dtype: np.dtype, plain: bool, shape: tuple[int, ...]) -> LinearPlan:
    """The method, asked for or chosen.

    ``plain`` tells that the input is made of finite floats of single precision or less, which a transform in double
    precision leaves as they are.
    """
    taps = weights.size
    wide = sum(n > 1 for n in weights.shape)
    exact = dtype.kind == "i"
    part = 2**22 * dtype.itemsize // 8
    if method == "direct":
        return LinearPlan("direct", "asked for", dtype, part)
    if method == "fft":
        return LinearPlan(
            "fft", "asked for: it spreads NaN and infinity, and rounds by the largest value", dtype, 8 * part
        )
    factors = factors_of(weights, dtype) if (method == "separable" or (wide > 1 and taps > _FEW)) and not exact else None
    if method == "separable":
        if factors is None:
            raise ValueError("method 'separable' needs weights that are a product of one factor for each axis")
        return LinearPlan("separable", "asked for", dtype, 4 * part, factors)
    if factors is not None:
        passes = sum(weights.shape)
        return LinearPlan("separable", f"{passes} taps in {wide} passes instead of {taps}", dtype, 4 * part, factors)
    if taps >= _FFT_TAPS and wide > 1 and plain and prod(shape) > 8 * taps and not exact:
        return LinearPlan("fft", f"{taps} taps, finite input of at most 24 bits", np.dtype(np.float64), 8 * part)
    why = "integers are exact" if exact else f"{taps} taps" if factors is None else ""
    return LinearPlan("direct", why, dtype, part)
