"""Edges: how steep an image is at each pixel."""

from typing import Any

import numpy as np

from sigconv.images._pixels import as_dtype, correlated, pixels, real_of, result_dtype
from sigconv.images.kernels import parse


def sobel(image: Any, *, border: str = "mirror", cval: float = 0, dtype: Any = None) -> np.ndarray:
    """How steep the image is: the root of the squares of the derivatives "sobel_x" and "sobel_y".

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers or floats.
    border, cval
        What stands around the image.
    dtype : dtype, optional
        Of the result; the image's, if none is given, where bytes end at 255.

    Returns
    -------
    ndarray, shape of the image
        In units of the kernel: a slope of 1 a pixel is 8 here, 6 in `prewitt`, 32 in `scharr`. The derivatives are
        OpenCV's and scipy's, who do not divide either. For each by itself, with its sign,
        ``filter(image, "sobel_x", dtype="float32")``.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> sobel([[0.0, 1.0, 2.0, 3.0]] * 2)
    array([[0., 8., 8., 0.],
           [0., 8., 8., 0.]])
    """
    return _steepness("sobel", image, border, cval, dtype)


def scharr(image: Any, *, border: str = "mirror", cval: float = 0, dtype: Any = None) -> np.ndarray:
    """`sobel` with the weights 3, 10, 3 along the edge, whose result depends least on the edge's direction.

    Parameters
    ----------
    image, border, cval, dtype
        As in `sobel`, as is what it returns and raises.

    Examples
    --------
    >>> scharr([[0.0, 1.0, 2.0, 3.0]])
    array([[ 0., 32., 32.,  0.]])
    """
    return _steepness("scharr", image, border, cval, dtype)


def prewitt(image: Any, *, border: str = "mirror", cval: float = 0, dtype: Any = None) -> np.ndarray:
    """`sobel` with equal weights along the edge.

    Parameters
    ----------
    image, border, cval, dtype
        As in `sobel`, as is what it returns and raises.

    Examples
    --------
    >>> prewitt([[0.0, 1.0, 2.0, 3.0]])
    array([[0., 6., 6., 0.]])
    """
    return _steepness("prewitt", image, border, cval, dtype)


def _steepness(name: str, image: Any, border: str, cval: float, dtype: Any) -> np.ndarray:
    x = pixels(image)
    asked, real = result_dtype(dtype, x), real_of(x)
    across, down = (correlated(x, parse(f"{name}_{axis}"), border, cval, real) for axis in "xy")
    if x.dtype.kind == "f":  # whose squares might be too large, or be NaN beside an infinity
        return as_dtype(np.hypot(across, down, out=across), asked)
    across *= across
    down *= down
    across += down
    return as_dtype(np.sqrt(across, out=across), asked)
