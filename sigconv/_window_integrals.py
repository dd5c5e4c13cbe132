"""Integrals of a window's shape over ages in ns: what a reading weighs while it is current."""

from itertools import pairwise

import numpy as np

from sigconv.windows import Window

_NODES, _SHARES = np.polynomial.legendre.leggauss(12)
_STEP = 0.25  # pieces of this many sigmas or time constants are integrated to rounding by twelve nodes


def _density(window: Window, ages: np.ndarray) -> np.ndarray:
    u = ages / float(window.scale_ns or 1)
    if window.shape == "uniform":
        return np.ones_like(u)
    if window.shape == "linear":
        return 1 - u
    if window.shape == "triangular":
        return 2 * np.minimum(u, 1 - u)
    if window.shape == "gaussian":
        return np.exp(-0.5 * u * u)
    return np.exp(-u) / float(window.scale_ns or 1)


def _moments(window: Window, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The integrals of w(s) and of w(s) (s - low) for low <= s <= high, clipped to the window."""
    scale = float(window.scale_ns or 1)
    if window.shape == "exponential":
        length = np.maximum(high - low, 0.0) / scale
        decay = -np.expm1(-length)
        with np.errstate(divide="ignore", invalid="ignore"):
            ramp = np.where(length > 1e-3, decay - length * np.exp(-length), length**2 / 2 - length**3 / 3)
        front = np.exp(-low / scale)
        return front * decay, front * ramp * scale
    end = np.minimum(high, float(window.support_ns or 0))
    begin = np.minimum(low, end)
    area, slope = np.zeros_like(begin), np.zeros_like(begin)
    if window.shape == "triangular":
        edges = [0.0, scale / 2, scale]
    elif window.shape == "gaussian":
        edges = list(np.arange(0.0, float(window.support_ns or 0) + _STEP * scale, _STEP * scale))
    else:
        edges = [0.0, scale]
    for a, b in pairwise(edges):
        p, q = np.clip(begin, a, b), np.clip(end, a, b)
        half = (q - p) / 2
        for node, share in zip(_NODES, _SHARES, strict=True):
            s = (p + q) / 2 + half * node
            w = _density(window, s) * share * half
            area += w
            slope += w * (s - low)
    return area, slope


def span(window: Window, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The integral of w over each span of ages."""
    return _moments(window, low, high)[0]


def line_shares(window: Window, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights that a straight line between readings of ages low and high gives to the older and the newer one."""
    area, slope = _moments(window, low, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        older = np.where(high > low, slope / (high - low), 0.0)
    return older, area - older
