"""Pools between the mean and the maximum: norms and log-sum-exp of each window."""

from typing import Any

from sigconv._pools import divisors, finite, images_of, norm_of, pool_powers, slide_of
from sigconv.engines.cpu.pools.means import log_mean_exp
from sigconv.engines.cpu.pools.windows import windows_of
from sigconv.geometry import Ints, Padding


def lp_pool1d(
    x: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Any:
    """The norm of each window.

    See `lp_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    norm_type : float
        p, above 0; infinity is the greatest magnitude.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.

    Returns
    -------
    ndarray, shape (N, C, outputs) or (C, outputs)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> lp_pool1d([[3.0, -4.0, 0.0, 2.0]], 2, 2)
    array([[5., 2.]])
    """
    images = images_of(1, x)
    p = norm_of(norm_type)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    return images.answer(pool_powers(images.cells, windows_of(slide), p), slide.output)


def lp_pool2d(
    x: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Any:
    """The norm of each window.

    ``y[o] = (sum over j of |x[o * stride + j * dilation - padding]|^p)^(1/p)``, as ONNX's LpPool has it; torch leaves
    the sign in odd powers. Powers are taken in the result's dtype, whose range they can leave.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    norm_type : float
        p, above 0; infinity is the greatest magnitude.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.

    Returns
    -------
    ndarray, shape (N, C, oh, ow) or (C, oh, ow)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> lp_pool2d(-np.ones((1, 2, 4)), 3, 2).round(4)
    array([[[1.5874, 1.5874]]])
    """
    images = images_of(2, x)
    p = norm_of(norm_type)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    return images.answer(pool_powers(images.cells, windows_of(slide), p), slide.output)


def lp_pool3d(
    x: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Any:
    """The norm of each window.

    See `lp_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    norm_type : float
        p, above 0; infinity is the greatest magnitude.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.

    Returns
    -------
    ndarray, shape (N, C, od, oh, ow) or (C, od, oh, ow)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> lp_pool3d(np.full((1, 2, 2, 2), -1.0), 1, 2)
    array([[[[8.]]]])
    """
    images = images_of(3, x)
    p = norm_of(norm_type)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    return images.answer(pool_powers(images.cells, windows_of(slide), p), slide.output)


def lse_pool1d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    *,
    beta: float = 1.0,
    ceil_mode: bool = False,
    dilation: Ints = 1,
) -> Any:
    """The log-sum-exp mean of each window: between the mean and the maximum.

    See `lse_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.
    beta : float
        Finite.

    Returns
    -------
    ndarray, shape (N, C, outputs) or (C, outputs)
        NaN for a window of padding alone.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> lse_pool1d([[0.0, 1.0, 100.0, 101.0]], 2).round(4)
    array([[  0.6201, 100.6201]])
    """
    images = images_of(1, x)
    sharpness = finite("beta", beta)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    y = log_mean_exp(images.cells, windows_of(slide), sharpness, divisors(slide))
    return images.answer(y, slide.output)


def lse_pool2d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    *,
    beta: float = 1.0,
    ceil_mode: bool = False,
    dilation: Ints = 1,
) -> Any:
    """The log-sum-exp mean of each window: between the mean and the maximum.

    ``y[o] = log(mean over j of exp(beta * x[o * stride + j * dilation - padding])) / beta`` over cells that are not of
    the padding (P. O. Pinheiro, R. Collobert, "From Image-level to Pixel-level Labeling with Convolutional Networks",
    CVPR 2015). Beta 0 is the mean, a large one nears the maximum, a negative one the minimum. It is computed
    relative to the data's own extremes, so that no beta overflows.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.
    beta : float
        Finite.

    Returns
    -------
    ndarray, shape (N, C, oh, ow) or (C, oh, ow)
        NaN for a window of padding alone.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> [float(lse_pool2d(x, 2, beta=beta)[0, 0, 0].round(3)) for beta in (-1000, 0, 1, 1000)]
    [1.001, 2.5, 3.054, 3.999]
    """
    images = images_of(2, x)
    sharpness = finite("beta", beta)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    y = log_mean_exp(images.cells, windows_of(slide), sharpness, divisors(slide))
    return images.answer(y, slide.output)


def lse_pool3d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    *,
    beta: float = 1.0,
    ceil_mode: bool = False,
    dilation: Ints = 1,
) -> Any:
    """The log-sum-exp mean of each window: between the mean and the maximum.

    See `lse_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.
    beta : float
        Finite.

    Returns
    -------
    ndarray, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        NaN for a window of padding alone.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> lse_pool3d(np.zeros((1, 2, 2, 2)), 2)
    array([[[[0.]]]])
    """
    images = images_of(3, x)
    sharpness = finite("beta", beta)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    y = log_mean_exp(images.cells, windows_of(slide), sharpness, divisors(slide))
    return images.answer(y, slide.output)
