"""Edges: how steep an image is at each pixel, and the lines along which it is steepest."""

from typing import Any

import numpy as np

from sigconv._kinds import as_dtype
from sigconv.checks import not_negative
from sigconv.engines.cpu.threads import parallel, split
from sigconv.images._pixels import correlated, pixels, real_of, result_dtype
from sigconv.images.kernels import bell, parse

_TAN = np.sqrt(2) - 1  # of 22.5 degrees
_BLOCK = 1 << 17  # pixels at a time: what is in between stays in the cache


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


def edges(
    image: Any, low: float, high: float, *, sigma: float = 1.0, border: str = "mirror", cval: float = 0
) -> np.ndarray:
    """Lines along which the image is steepest (J. Canny, IEEE Trans. Pattern Anal. Mach. Intell. 8, 1986).

    The image is blurred; a pixel counts where `sobel` is greater than at the two neighbours across the edge, and above
    ``high``, or above ``low`` and joined to such a pixel by others that count.

    Parameters
    ----------
    image : array_like, shape (rows, columns)
        Integers or floats.
    low, high : float
        How steep an edge is at least, and at least once, in units of `sobel`; ``low`` is at most ``high``.
    sigma : float
        Of the Gaussian that blurs; 0 for none.
    border, cval
        What stands around the image.

    Returns
    -------
    ndarray of bool, shape of the image
        With ``sigma=0`` and ``border="nearest"`` that of OpenCV's ``Canny(image, low, high, L2gradient=True)``.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> step = [[0.0, 0.0, 0.0, 9.0, 9.0, 9.0]] * 3
    >>> edges(step, 5, 10)[1]
    array([False, False,  True, False, False, False])
    """
    from scipy.ndimage import label

    x = pixels(image)
    if x.ndim != 2:
        raise ValueError(f"image must be (rows, columns), got the shape {x.shape}")
    low, high = not_negative("low", low), not_negative("high", high)
    if low > high:
        raise ValueError(f"low must be at most high, {high:g}, got {low:g}")
    weights = np.outer(bell(sigma), bell(sigma)) if not_negative("sigma", sigma) else None
    weak, sure = np.empty(x.shape, bool), np.empty(x.shape, bool)
    around = 2 + (0 if weights is None else len(weights) // 2)  # rows that a crest depends on, above and below

    def run(first: int, last: int) -> None:
        start, stop = max(first - around, 0), min(last + around, len(x))
        part = x[start:stop]
        if weights is not None:
            part = correlated(part, weights, border, cval, real_of(x))
        across, down = _slopes("sobel", part, border, cval)
        steep = _steep(across, down, part.dtype.kind == "f", across.dtype)
        kept = slice(first - start, last - start)
        weak[first:last] = _crests(across, down, steep)[kept] & (steep[kept] > low)
        np.logical_and(weak[first:last], steep[kept] > high, out=sure[first:last])

    if border == "wrap" or not x.size:
        run(0, len(x))
    else:
        parallel(run, split(len(x), max(_BLOCK // x.shape[1], 2 * around)))
    found, _ = label(weak, np.ones((3, 3)))
    strong = np.zeros(found.max(initial=0) + 1, bool)
    strong[found[sure]] = True
    strong[0] = False  # whatever is no crest
    return strong[found]


def _crests(across: np.ndarray, down: np.ndarray, steep: np.ndarray) -> np.ndarray:
    """Whether a pixel is steeper than its two neighbours across the edge, in the nearest of four directions."""
    padded = np.pad(steep, 1)
    rows, columns = steep.shape

    def beside(i: int, j: int) -> np.ndarray:
        return padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns]

    x, y = np.abs(across), np.abs(down)
    flat, upright = y < _TAN * x, y > (2 + _TAN) * x  # less than 22.5 degrees from either axis
    falling = (across < 0) == (down < 0)
    over, under = (np.where(falling, beside(s, s), beside(s, -s)) for s in (-1, 1))
    slanted = (steep > over) & (steep > under)
    # of two that are equally steep, the first counts
    level, plumb = ((steep > beside(-i, -j)) & (steep >= beside(i, j)) for i, j in ((0, 1), (1, 0)))
    return np.where(flat, level, np.where(upright, plumb, slanted))


def _steepness(name: str, image: Any, border: str, cval: float, dtype: Any) -> np.ndarray:
    x = pixels(image)
    asked = result_dtype(dtype, x)
    across, down = _slopes(name, x, border, cval)
    return _steep(across, down, x.dtype.kind == "f", asked)


def _slopes(name: str, x: np.ndarray, border: str, cval: float) -> list[np.ndarray]:
    """The derivatives along rows and down columns."""
    return [correlated(x, parse(f"{name}_{axis}"), border, cval, real_of(x)) for axis in "xy"]


def _steep(across: np.ndarray, down: np.ndarray, careful: bool, dtype: np.dtype) -> np.ndarray:
    """The root of the sum of the squares, where care is taken of squares that are too large, or NaN beside infinity."""
    out = np.empty(across.shape, dtype)
    parts = across.reshape(-1), down.reshape(-1), out.reshape(-1)

    def run(low: int, high: int) -> None:
        a, b, target = (part[low:high] for part in parts)
        if careful:
            length = np.hypot(a, b)
        else:
            length = a * a
            length += b * b
            np.sqrt(length, out=length)
        target[...] = as_dtype(length, dtype)

    parallel(run, split(out.size, _BLOCK))
    return out
