"""Weighted sums around each pixel: kernels of any kind, Gaussians, boxes, and what sharpens."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from sigconv._kinds import as_dtype, numeric_array
from sigconv.borders import border_name
from sigconv.checks import not_negative, positive
from sigconv.geometry import Ints, per_axis
from sigconv.images._pixels import correlated, correlated_by, pixels, real_of, result_dtype
from sigconv.images.kernels import bell, bend, parse


def filter(image: Any, kernel: Any, *, border: str = "mirror", cval: float = 0, dtype: Any = None) -> np.ndarray:
    """Correlate with a kernel: ``y[i] = sum over j of w[j] x[i + j - size // 2]``, not normalised, not flipped.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers or floats.
    kernel : str or array_like, shape (rows, columns)
        A name as `kernel` takes it, or weights.
    border, cval
        What stands around the image.
    dtype : dtype, optional
        Of the result; the image's, if none is given. Derivatives have signs: ask for "int16" or "float32".

    Returns
    -------
    ndarray, shape of the image

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind, and a NaN that would have to become an integer.

    Examples
    --------
    >>> import numpy as np
    >>> step = np.array([[0, 0, 100, 100]] * 3, np.uint8)
    >>> filter(step, "sobel_x")[0], filter(-step, "sobel_x", dtype="int16")[0]
    (array([  0, 255, 255,   0], dtype=uint8), array([   0,  624,  624,    0], dtype=int16))
    """
    x = pixels(image)
    out_dtype = result_dtype(dtype, x)
    if isinstance(kernel, str):
        return correlated(x, parse(kernel), border, cval, out_dtype)
    w = numeric_array("kernel", kernel)
    if w.ndim != 2 or w.dtype.kind == "c":
        raise ValueError(f"kernel must be real, of rows and columns, got {w.dtype} of shape {w.shape}")
    if w.dtype.kind in "iub" and x.dtype.kind in "iu" and x.dtype.itemsize <= 2:
        most = 2 ** (8 * x.dtype.itemsize) * sum(map(abs, w.ravel().tolist()))
        w = w.astype(np.float32) if most < 2**24 else w  # sums that floats hold exactly need no integers
    return correlated(x, w, border, cval, out_dtype)


def gaussian(
    image: Any, sigma: float | Sequence[float], *, truncate: float = 4.0, border: str = "mirror", cval: float = 0
) -> np.ndarray:
    """Blur with a Gaussian that ends at ``truncate * sigma`` and sums to 1, as ``scipy.ndimage.gaussian_filter`` does.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers or floats.
    sigma : float or (float, float)
        Standard deviation in pixels, or one down the columns and one along the rows; 0 leaves an axis as it is.
    truncate : float
        Where the bell ends, in sigmas.
    border, cval
        What stands around the image.

    Returns
    -------
    ndarray, shape and dtype of the image

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> gaussian([[0.0, 0.0, 1.0, 0.0, 0.0]], 0.5).round(3)
    array([[0.001, 0.106, 0.787, 0.106, 0.001]])
    """
    x, truncate = pixels(image), positive("truncate", truncate)
    down, along = (bell(s, truncate) for s in _sigmas(sigma))
    return correlated_by(x, down, along, border, cval, x.dtype)


def box(image: Any, size: Ints, *, border: str = "mirror", cval: float = 0) -> np.ndarray:
    """The mean of the ``size`` x ``size`` pixels around each; its time hardly depends on the size.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers or floats.
    size : int or (int, int)
        Rows and columns; an even window has one cell more before than after.
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
    Integers of more than 8 bits are averaged in float64.

    Examples
    --------
    >>> import numpy as np
    >>> box(np.array([[0, 0, 6, 0, 0]], np.uint8), (1, 3))
    array([[0, 2, 2, 2, 0]], dtype=uint8)
    """
    from sigconv.engines.cpu.linear.running_filters import Window, byte_means
    from sigconv.running import uniform_filter

    x, border = pixels(image), border_name(border)
    size = per_axis("size", size, 2)
    if x.dtype == np.uint8 and cval in range(256):
        return byte_means(x, {axis: Window(k, k // 2) for axis, k in enumerate(size)}, border, float(cval))
    if x.dtype.kind == "f":  # halves as singles, whose sums begin anew every so many rows: bands give the same
        wide = x.astype(np.float32) if x.dtype == np.float16 else x
        return uniform_filter(wide, size, border=border, cval=cval, axes=(0, 1)).astype(x.dtype, copy=False)
    means = uniform_filter(x.astype(float), size, border=border, cval=cval, axes=(0, 1))
    if float(cval).is_integer():  # then sums are whole, and what they round to does not depend on how they were made
        means = np.rint(means * prod(size)) / prod(size)
    return as_dtype(means, x.dtype)


def sharpen(image: Any, *, border: str = "mirror", cval: float = 0) -> np.ndarray:
    """Each pixel five times less its four neighbours: `filter` with the kernel "sharpen".

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
    border, cval
        As in `filter`, as is what it returns and raises.

    Examples
    --------
    >>> sharpen([[1.0, 1.0, 2.0, 2.0]])
    array([[1., 0., 3., 2.]])
    """
    return filter(image, "sharpen", border=border, cval=cval)


def unsharp(
    image: Any, sigma: float | Sequence[float] = 1.0, *, amount: float = 1.0, border: str = "mirror", cval: float = 0
) -> np.ndarray:
    """Sharpen by unsharp masking: ``image + amount * (image - gaussian(image, sigma))``.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers or floats.
    sigma : float or (float, float)
        As in `gaussian`.
    amount : float
        How much of what the blur took away is added, at least 0.
    border, cval
        What stands around the image.

    Returns
    -------
    ndarray, shape and dtype of the image

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> unsharp([[1.0, 1.0, 9.0, 9.0]], 0.4).round(2)
    array([[1.  , 0.68, 9.32, 9.  ]])
    """
    x, amount = pixels(image), not_negative("amount", amount)
    down, along = (bell(s) for s in _sigmas(sigma))
    real = real_of(x)
    y = correlated_by(x, down, along, border, cval, real)
    np.subtract(x, y, out=y)
    y *= real.type(amount)
    y += x
    return as_dtype(y, x.dtype)


def laplacian(image: Any, *, border: str = "mirror", cval: float = 0, dtype: Any = None) -> np.ndarray:
    """The sum of each pixel's four neighbours less four times itself: `filter` with the kernel "laplacian".

    Parameters
    ----------
    image, border, cval, dtype
        As in `filter`, as is what it returns and raises. Bytes hold the positive half alone.

    Examples
    --------
    >>> laplacian([[0.0, 0.0, 1.0, 0.0]])
    array([[ 0.,  1., -2.,  2.]])
    """
    return filter(image, "laplacian", border=border, cval=cval, dtype=dtype)


def log(
    image: Any, sigma: float, *, truncate: float = 4.0, border: str = "mirror", cval: float = 0, dtype: Any = None
) -> np.ndarray:
    """The Laplacian of the image blurred by a Gaussian (D. Marr and E. Hildreth, Proc. R. Soc. B 207, 1980).

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (rows, columns, channels)
        Integers or floats.
    sigma : float
        Standard deviation in pixels, above 0.
    truncate : float
        Where the bell ends, in sigmas.
    border, cval, dtype
        As in `filter`.

    Returns
    -------
    ndarray, shape of the image
        Unlike scipy's, the weights sum to zero: an even surface gives 0.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> spot = np.zeros((9, 9))
    >>> spot[4, 4] = 1
    >>> log(spot, 1)[4, 2:].round(3)
    array([ 0.043, -0.097, -0.318, -0.097,  0.043,  0.012,  0.001])
    """
    x = pixels(image)
    out_dtype = result_dtype(dtype, x)
    sigma, truncate = positive("sigma", sigma), positive("truncate", truncate)
    g, bent = bell(sigma, truncate), bend(sigma, truncate)
    y = correlated_by(x, bent, g, border, cval, real_of(x))
    y += correlated_by(x, g, bent, border, cval, real_of(x))
    return as_dtype(y, out_dtype)


def emboss(image: Any, *, border: str = "mirror", cval: float = 0) -> np.ndarray:
    """Make the image a relief that is lit from the top left: `filter` with the kernel "emboss".

    Parameters
    ----------
    image, border, cval
        As in `filter`, as is what it returns and raises.

    Examples
    --------
    >>> emboss([[0.0, 0.0, 1.0, 1.0, 1.0]])
    array([[0., 3., 4., 1., 1.]])
    """
    return filter(image, "emboss", border=border, cval=cval)


def _sigmas(sigma: Any) -> tuple[float, float]:
    """Down the columns and along the rows."""
    down, along = sigma if isinstance(sigma, Sequence) and len(sigma) == 2 else (sigma, sigma)
    return not_negative("sigma", down), not_negative("sigma", along)
