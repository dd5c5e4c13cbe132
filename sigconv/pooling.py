"""Pools: the greatest number or the mean of each window of one, two or three axes."""

from collections.abc import Callable
from typing import Any

from sigconv._pools import divisor_of, divisors, images_of, pool_greatest, slide_of
from sigconv.engines.cpu.pools import pools
from sigconv.engines.cpu.pools.windows import Windows, windows_of
from sigconv.geometry import Ints, Padding


def max_pool1d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The greatest number of each window.

    See `max_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        Real numbers; the result has their dtype.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.
    return_indices : bool
        Whether to return also where each result stands.

    Returns
    -------
    ndarray, shape (N, C, outputs) or (C, outputs)
        And, if asked, int64 indices of the same shape: cells of the spatial axes counted in C order.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> max_pool1d([[1.0, 5.0, 2.0, 4.0]], 2)
    array([[5., 4.]])
    """

    def windows(size: tuple[int, ...]) -> Windows:
        return windows_of(slide_of(size, kernel_size, stride, padding, dilation, ceil_mode))

    return _with_places(1, x, windows, return_indices)


def max_pool2d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The greatest number of each window.

    ``y[o] = max over j of x[o * stride + j * dilation - padding]``, as ``torch.nn.functional.max_pool2d``: cells of the
    padding never win, NaN wins over any number, and of equal numbers the first one's index is returned, of several NaN
    the last one's. A window of padding alone, which dilation makes possible, gives -inf and the index -1.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        Real numbers; the result has their dtype.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.
    return_indices : bool
        Whether to return also where each result stands.

    Returns
    -------
    ndarray, shape (N, C, oh, ow) or (C, oh, ow)
        And, if asked, int64 indices of the same shape: cells of the spatial axes counted in C order.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(16.0).reshape(1, 4, 4)
    >>> max_pool2d(x, 2, return_indices=True)
    (array([[[ 5.,  7.],
            [13., 15.]]]), array([[[ 5,  7],
            [13, 15]]]))
    """

    def windows(size: tuple[int, ...]) -> Windows:
        return windows_of(slide_of(size, kernel_size, stride, padding, dilation, ceil_mode))

    return _with_places(2, x, windows, return_indices)


def max_pool3d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The greatest number of each window.

    See `max_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        Real numbers; the result has their dtype.
    kernel_size, stride, padding, dilation : int or sequence of int, padding also pairs or a name
        One number for all axes or one for each, as in `sigconv.geometry.pooling`: no stride is the kernel's size,
        padding is at most half the kernel, a (lo, hi) pair for each axis, "valid", "same" or "same_lower".
    ceil_mode : bool
        Whether the output size is rounded up; a window that starts past the input and ``lo`` is dropped.
    return_indices : bool
        Whether to return also where each result stands.

    Returns
    -------
    ndarray, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        And, if asked, int64 indices of the same shape: cells of the spatial axes counted in C order.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
    array([[[[7.]]]])
    """

    def windows(size: tuple[int, ...]) -> Windows:
        return windows_of(slide_of(size, kernel_size, stride, padding, dilation, ceil_mode))

    return _with_places(3, x, windows, return_indices)


def avg_pool1d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Any:
    """The mean of each window.

    See `avg_pool2d`.

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
    count_include_pad : bool
        Whether cells of the padding count; those that ``ceil_mode`` adds beyond it never do.
    divisor_override : int, optional
        What sums are divided by instead, not 0.

    Returns
    -------
    ndarray, shape (N, C, outputs) or (C, outputs)
        NaN for a window of padding alone, where that is not counted.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> avg_pool1d([[1.0, 5.0, 2.0, 4.0]], 2)
    array([[3., 3.]])
    """
    images = images_of(1, x)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    counts = divisors(slide, count_include_pad, divisor_of(divisor_override))
    return images.answer(pools.total(images.cells, windows_of(slide), counts), slide.output)


def avg_pool2d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Any:
    """The mean of each window.

    ``y[o] = sum over j of x[o * stride + j * dilation - padding] / count``, as ``torch.nn.functional.avg_pool2d``. Sums
    of wide windows are made of sums that windows share, and nothing is ever subtracted.

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
    count_include_pad : bool
        Whether cells of the padding count; those that ``ceil_mode`` adds beyond it never do.
    divisor_override : int, optional
        What sums are divided by instead, not 0.

    Returns
    -------
    ndarray, shape (N, C, oh, ow) or (C, oh, ow)
        NaN for a window of padding alone, where that is not counted.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.ones((1, 3, 3)), 3, stride=2, padding=1)
    array([[[0.44444444, 0.44444444],
            [0.44444444, 0.44444444]]])
    >>> avg_pool2d(np.ones((1, 3, 3)), 3, stride=2, padding=1, count_include_pad=False)
    array([[[1., 1.],
            [1., 1.]]])
    """
    images = images_of(2, x)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    counts = divisors(slide, count_include_pad, divisor_of(divisor_override))
    return images.answer(pools.total(images.cells, windows_of(slide), counts), slide.output)


def avg_pool3d(
    x: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Any:
    """The mean of each window.

    See `avg_pool2d`.

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
    count_include_pad : bool
        Whether cells of the padding count; those that ``ceil_mode`` adds beyond it never do.
    divisor_override : int, optional
        What sums are divided by instead, not 0.

    Returns
    -------
    ndarray, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        NaN for a window of padding alone, where that is not counted.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and a kernel that spans more than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
    array([[[[3.5]]]])
    """
    images = images_of(3, x)
    slide = slide_of(images.size, kernel_size, stride, padding, dilation, ceil_mode)
    counts = divisors(slide, count_include_pad, divisor_of(divisor_override))
    return images.answer(pools.total(images.cells, windows_of(slide), counts), slide.output)


def _with_places(axes: int, x: Any, windows: Callable[[tuple[int, ...]], Windows], places: bool) -> Any:
    found = pool_greatest(axes, x, windows, bool(places))
    return tuple(found) if places else found.values
