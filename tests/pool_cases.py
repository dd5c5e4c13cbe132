"""Pools for tests to draw from: sizes, windows and numbers."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

import sigconv as sc

DTYPES = (np.float32, np.float64)
TOLERANCE = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-12}


@st.composite
def pools(draw, padded=True):
    """Spatial sizes and how a window slides over them; now and then rows that are wider than what is done at once."""
    axes = draw(st.integers(1, 3))
    most = {1: 70, 2: 40, 3: 12}[axes]
    widths = {1: 30, 2: 14, 3: 5}[axes]

    def each(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))

    size, kernel = each(1, most), each(1, widths)
    if draw(st.integers(0, 9)) == 0 and axes < 3:
        size = (*size[:-1], draw(st.integers(4000, 9000)))
    window = {
        "kernel_size": kernel,
        "stride": each(1, 5),
        "dilation": each(1, 3) if draw(st.booleans()) else (1,) * axes,
    }
    if padded:
        window["padding"] = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    span = [d * (k - 1) + 1 for d, k in zip(window["dilation"], kernel, strict=True)]
    pads = window.get("padding", (0,) * axes)
    assume(all(s <= n + 2 * p for s, n, p in zip(span, size, pads, strict=True)))
    return size, window


def values(seed, shape, dtype, kind):
    """Numbers with ties, NaN or infinities among them, or none of that."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(dtype)
    if kind == "ties":
        x = np.round(x)
    elif kind == "nan":
        x[rng.random(shape) < 0.1] = np.nan
    elif kind == "infinite":
        x = rng.choice(np.array([-np.inf, -np.inf, 1, np.inf], dtype), shape)
    return x


def named(name, axes):
    return getattr(sc, f"{name}{axes}d")
