"""Orders of pixels: medians, smallest and largest, blocks that become one pixel, and peaks."""

from math import prod
from typing import Any

import numpy as np

from sigconv._kinds import as_dtype, numeric_array
from sigconv.borders import border_name
from sigconv.checks import choice, whole_number
from sigconv.geometry import Ints, Padding, per_axis
from sigconv.images._medians import median_of_nine
from sigconv.images._pixels import pixels
from sigconv.pooling import avg_pool2d, max_pool2d
from sigconv.running import maximum_filter, minimum_filter

POOLS = ("max", "min", "mean")


def median(image: Any, size: Ints, *, border: str = "mirror", cval: float = 0) -> np.ndarray:
    """The median of the ``size`` x ``size`` pixels around each, of an even count the larger of the middle two.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers, floats or bool. A window that holds a NaN gives NaN.
    size : int or (int, int)
        Rows and columns.
    border, cval
        What stands around the image.

    Returns
    -------
    ndarray, shape and dtype of the image

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Notes
    -----
    Of 3 x 3 pixels by comparing many pixels at once; of others by ``scipy.ndimage.median_filter``, on one thread.

    Examples
    --------
    >>> median([[1.0, 1.0, 9.0, 1.0, 1.0]], (1, 3))
    array([[1., 1., 1., 1., 1.]])
    """
    x, border = pixels(image, "iufb"), border_name(border)
    size = per_axis("size", size, 2)
    window = (*size, *(1,) * (x.ndim - 2))
    cells = x.astype(np.float32) if x.dtype == np.float16 else x
    missing = np.isnan(cells) if x.dtype.kind == "f" else np.zeros((), bool)
    if size == (3, 3) and not missing.any() and _holds(x.dtype, cval, border):
        return median_of_nine(x, border, cval)
    from scipy.ndimage import median_filter  # slow to import

    if not missing.any() and cval == cval:
        return median_filter(cells, window, mode=border, cval=cval).astype(x.dtype, copy=False)
    y = median_filter(np.where(missing, 0, cells), window, mode=border, cval=0 if cval != cval else cval)
    hidden = maximum_filter(missing, size, border=border, cval=int(cval != cval), axes=(0, 1))
    return np.where(hidden, np.nan, y).astype(x.dtype, copy=False)


def erode(image: Any, size: Ints = 3, *, border: str = "mirror", cval: float = 0) -> np.ndarray:
    """The smallest of the ``size`` x ``size`` pixels around each: what is bright shrinks.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers, floats or bool. A window that holds a NaN gives NaN.
    size : int or (int, int)
        Rows and columns; an even window has one cell more before than after.
    border, cval
        What stands around the image. Around a mirror, an odd window counts pixels of the image alone.

    Returns
    -------
    ndarray, shape and dtype of the image

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> erode([[7, 5, 6, 8, 9]])
    array([[5, 5, 5, 6, 8]])
    """
    return minimum_filter(pixels(image, "iufb"), per_axis("size", size, 2), border=border, cval=cval, axes=(0, 1))


def dilate(image: Any, size: Ints = 3, *, border: str = "mirror", cval: float = 0) -> np.ndarray:
    """The largest of the ``size`` x ``size`` pixels around each: what is bright grows.

    Parameters
    ----------
    image, size, border, cval
        As in `erode`, as is what it returns and raises.

    Examples
    --------
    >>> dilate([[7, 5, 6, 8, 9]])
    array([[7, 7, 8, 9, 9]])
    """
    return maximum_filter(pixels(image, "iufb"), per_axis("size", size, 2), border=border, cval=cval, axes=(0, 1))


def pool(image: Any, kind: str = "max", size: Ints = 2, stride: Ints | None = None, padding: Padding = 0) -> np.ndarray:
    """Join each block of pixels to one: its largest, its smallest or its mean.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers or floats.
    kind : {"max", "min", "mean"}
    size, stride, padding
        As in `sigconv.max_pool2d`: blocks lie side by side where no stride is given. Padding takes no part, not even in
        the count that a mean divides by.

    Returns
    -------
    ndarray, shape (rows, columns) or (rows, columns, channels) of the blocks, dtype of the image

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> pool([[1, 2, 3, 4], [5, 6, 7, 8]])
    array([[6, 8]])
    """
    x, kind, size = pixels(image), choice("kind", kind, POOLS), per_axis("size", size, 2)
    planes = np.ascontiguousarray(x[np.newaxis] if x.ndim == 2 else np.moveaxis(x, -1, 0))
    if kind == "mean":
        y = _block_means(planes, size, stride, padding)
    elif kind == "min":
        turned = np.negative if x.dtype.kind == "f" else np.invert  # the order, and each is its own inverse
        y = turned(max_pool2d(turned(planes), size, stride, padding))
    else:
        y = max_pool2d(planes, size, stride, padding)
    return y[0] if x.ndim == 2 else np.ascontiguousarray(np.moveaxis(y, 0, -1))


def peaks(score: Any, threshold: float, min_distance: int = 1) -> np.ndarray:
    """Places of local maxima, the greatest first, such as those that `sigconv.match_template` scores highest.

    Parameters
    ----------
    score : array_like, shape (rows, columns) or any other number of dimensions
        Real numbers; NaN is no peak.
    threshold : float
        What a peak must reach.
    min_distance : int
        A peak is the greatest of all cells up to so many steps away along every axis. Of equal ones so near to each
        other the first counts.

    Returns
    -------
    ndarray of int64, shape (peaks, dimensions)
        Row and column of each.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> peaks([[0, 3, 0, 0], [0, 0, 0, 5]], threshold=1)
    array([[1, 3],
           [0, 1]])
    """
    values = numeric_array("score", score)
    if values.ndim == 0 or values.dtype.kind == "c":
        raise ValueError(f"score must hold real numbers along one axis or more, got {score!r:.80}")
    reach = whole_number("min_distance", min_distance, 0)
    if isinstance(threshold, str) or threshold != threshold:
        raise ValueError(f"threshold must be a number, got {threshold!r}")
    high = values >= threshold  # no NaN is
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), -np.inf, values)
    if values.size:
        high &= values == maximum_filter(values, 2 * reach + 1, border="mirror")
    backwards = np.argwhere(high)[::-1]
    falling = backwards[np.argsort(values[tuple(backwards.T)], kind="stable")[::-1]]  # the first of equals first
    found, free = [], np.ones(values.shape, bool)
    for place in falling.tolist():
        if free[tuple(place)]:
            found.append(place)
            free[tuple(slice(max(i - reach, 0), i + reach + 1) for i in place)] = False
    return np.array(found, np.int64).reshape(-1, values.ndim)


def _holds(dtype: np.dtype, cval: float, border: str) -> bool:
    """Whether pixels can be what stands around the image."""
    if border != "constant" or dtype.kind == "f":
        return cval == cval
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return bool(least <= cval <= most) and cval == int(cval)


def _block_means(planes: np.ndarray, size: Ints, stride: Ints | None, padding: Padding) -> np.ndarray:
    """Sums by counts, both exact where pixels are integers of up to 32 bits, so that halves are halves."""
    cells, count = planes, prod(per_axis("size", size, 2))
    if planes.dtype.kind in "iu":
        most = 2 ** (8 * planes.dtype.itemsize) * count
        # a float holds the sum, and tells a quotient that is nearly a half from a half
        cells = planes.astype(np.float32 if most < 2**23 else np.float64)
    sums = avg_pool2d(cells, size, stride, padding, divisor_override=1)
    counts = np.array(count, cells.dtype)
    if not isinstance(padding, int | str) or padding not in (0, "valid"):
        present = np.ones((1, *planes.shape[1:]), cells.dtype)
        counts = avg_pool2d(present, size, stride, padding, divisor_override=1)
    with np.errstate(invalid="ignore"):  # a block of padding alone
        return as_dtype(np.divide(sums, counts, out=sums), planes.dtype)
