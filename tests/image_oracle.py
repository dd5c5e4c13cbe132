"""What tests of images share: images, their windows written out, and what rounding allows; nothing of ours."""

import numpy as np
from hypothesis import strategies as st

INTEGERS = (np.uint8, np.int8, np.uint16, np.int16, np.int32)
shapes = st.tuples(st.integers(1, 23), st.integers(1, 40)) | st.tuples(
    st.integers(1, 12), st.integers(1, 30), st.integers(1, 4)
)
seeds = st.integers(0, 2**32)


def whole_image(seed, shape, dtype):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max, shape, dtype, endpoint=True)


def spread(kernel, x):
    """A kernel of rows and columns for an image that may have channels."""
    return kernel.reshape(*kernel.shape, *[1] * (x.ndim - 2))


def rounded(values, dtype):
    info = np.iinfo(dtype)
    return np.clip(np.rint(values), info.min, info.max).astype(dtype)


def same_but_for_ties(y, expected):
    """Every pixel equal to what is expected before rounding, give or take the rounding of sums."""
    info = np.iinfo(y.dtype)
    kept = np.clip(expected, info.min, info.max)
    assert np.abs(y - kept).max(initial=0) <= 0.5 + 2e-6 * np.abs(expected).max(initial=1)


def windows(x, size, border, cval):
    """Every pixel's window as the last axes, cut out of a padded image."""
    names = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}
    widths = [(k // 2, (k - 1) // 2) for k in size] + [(0, 0)] * (x.ndim - 2)
    options = {"constant_values": cval} if border == "constant" else {}
    padded = np.pad(x, widths, names.get(border, "constant"), **options)
    return np.lib.stride_tricks.sliding_window_view(padded, size, (0, 1)).reshape(*x.shape, -1)
