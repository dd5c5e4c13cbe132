"""What filters of images share: the image as they take it, one way to correlate, and the dtype of the result."""

from typing import Any

import numpy as np

from sigconv._kinds import numeric_array
from sigconv.linear import correlate

_TABLE = 2**16  # weights up to which two passes are told as one table, and run as one sweep


def pixels(image: Any, kinds: str = "iuf") -> np.ndarray:
    """``image`` as a native array of rows and columns, with or without channels."""
    x = numeric_array("image", image)
    if x.dtype.kind not in kinds or x.dtype.itemsize > 8:
        allowed = "integers or floats of up to 64 bits" + (" or bool" if "b" in kinds else "")
        raise TypeError(f"image must hold {allowed}, got dtype {x.dtype}")
    if x.ndim not in (2, 3):
        raise ValueError(f"image must be (rows, columns) or (rows, columns, channels), got the shape {x.shape}")
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def result_dtype(dtype: Any, x: np.ndarray) -> np.dtype:
    """The dtype asked for, the image's where none is."""
    if dtype is None:
        return x.dtype
    try:
        asked = np.dtype(dtype)
    except TypeError:
        asked = np.dtype(object)
    if asked.kind not in "iuf":
        raise TypeError(f"dtype must be one of integers or floats, got {dtype!r:.80}")
    return asked


def real_of(x: np.ndarray) -> np.dtype:
    """The floats that an image is computed with: single up to 16 bits and for floats of single precision."""
    return np.dtype(np.float32 if x.dtype.itemsize <= (4 if x.dtype.kind == "f" else 2) else np.float64)


def correlated(x: np.ndarray, weights: np.ndarray, border: str, cval: float, dtype: np.dtype) -> np.ndarray:
    """Every channel correlated with the weights, rounded half to even and kept in range where dtype is of integers."""
    options: dict[str, Any] = dict(border=border, cval=cval, axes=(0, 1), out_dtype=dtype)
    return correlate(x, weights, **options)


def correlated_by(
    x: np.ndarray, down: np.ndarray, along: np.ndarray, border: str, cval: float, dtype: np.dtype
) -> np.ndarray:
    """The same for weights that are the product of those down the columns and along the rows, however many."""
    if down.size * along.size <= _TABLE:
        return correlated(x, np.outer(down, along), border, cval, dtype)
    y = correlated(x, down[:, np.newaxis], border, cval, real_of(x))
    return correlated(y, along[np.newaxis], border, cval * float(down.sum()), dtype)
