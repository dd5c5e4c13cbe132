"""Pools of whole channels, and the way back from max pools."""

from typing import Any

from sigconv._pools import axes_of, cells_of, images_of, norm_of, pool_greatest, pool_powers, unpooled
from sigconv.engines.cpu.pools import pools
from sigconv.engines.cpu.pools.windows import adaptive_windows
from sigconv.geometry import Ints, Padding


def global_max_pool(x: Any) -> Any:
    """The greatest number of each channel, NaN where there is one, as ONNX's GlobalMaxPool.

    Parameters
    ----------
    x : array_like, shape (N, C, *spatial)
        One to three spatial axes.

    Returns
    -------
    ndarray, shape (N, C, 1, ..)
        One number for each channel, of x's dtype.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> global_max_pool(np.arange(8).reshape(1, 2, 2, 2)).ravel()
    array([3, 7])
    """
    axes = axes_of(x)
    return pool_greatest(axes, x, lambda size: adaptive_windows(size, (1,) * axes), False).values


def global_avg_pool(x: Any) -> Any:
    """The mean of each channel, as ONNX's GlobalAveragePool.

    Parameters
    ----------
    x : array_like, shape (N, C, *spatial)
        One to three spatial axes.

    Returns
    -------
    ndarray, shape (N, C, 1, ..)
        One number for each channel, of x's dtype (float32 for integers of up to 16 bits, float64 for larger ones).

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2)).ravel()
    array([1.5, 5.5])
    """
    axes = axes_of(x)
    images = images_of(axes, x)
    windows = adaptive_windows(images.size, (1,) * axes)
    return images.answer(pools.total(images.cells, windows, cells_of(windows)), (1,) * axes)


def global_lp_pool(x: Any, norm_type: float = 2.0) -> Any:
    """The norm of each channel, (sum |x|^p)^(1/p), as ONNX's GlobalLpPool.

    Parameters
    ----------
    x : array_like, shape (N, C, *spatial)
        One to three spatial axes.
    norm_type : float
        p, above 0; infinity is the greatest magnitude.


    Returns
    -------
    ndarray, shape (N, C, 1, ..)
        One number for each channel, of x's dtype (float32 for integers of up to 16 bits, float64 for larger ones).

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> global_lp_pool(np.array([[[3.0, -4.0]]]))
    array([[[5.]]])
    """
    axes = axes_of(x)
    images = images_of(axes, x)
    windows = adaptive_windows(images.size, (1,) * axes)
    return images.answer(pool_powers(images.cells, windows, norm_of(norm_type)), (1,) * axes)


def max_unpool1d(
    x: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Any = None,
) -> Any:
    """Numbers put back to where a max pool found them, zero elsewhere.

    See `max_unpool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        What a max pool returned, or something in its place.
    indices : array_like of int, shape of x
        Its indices: cells of the output's spatial axes counted in C order.
    kernel_size, stride, padding
        The max pool's.
    output_size : int or sequence of int, optional
        The spatial sizes, or a whole shape that ends in them: less than a stride from
        ``(n - 1) * stride - 2 * padding + kernel_size``, which they are unless given.

    Returns
    -------
    ndarray, shape (N, C, *output_size) or (C, *output_size)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and for indices outside the output.

    Examples
    --------
    >>> max_unpool1d([[5.0, 4.0]], [[1, 3]], 2)
    array([[0., 5., 0., 4.]])
    """
    return unpooled(1, x, indices, (kernel_size, stride, padding), output_size)


def max_unpool2d(
    x: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Any = None,
) -> Any:
    """Numbers put back to where a max pool found them, zero elsewhere.

    As ``torch.nn.functional.max_unpool2d``; of several numbers for a cell the last one stays.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        What a max pool returned, or something in its place.
    indices : array_like of int, shape of x
        Its indices: cells of the output's spatial axes counted in C order.
    kernel_size, stride, padding
        The max pool's.
    output_size : int or sequence of int, optional
        The spatial sizes, or a whole shape that ends in them: less than a stride from
        ``(n - 1) * stride - 2 * padding + kernel_size``, which they are unless given.

    Returns
    -------
    ndarray, shape (N, C, *output_size) or (C, *output_size)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and for indices outside the output.

    Examples
    --------
    >>> max_unpool2d([[[5.0]]], [[[3]]], 2)
    array([[[0., 0.],
            [0., 5.]]])
    """
    return unpooled(2, x, indices, (kernel_size, stride, padding), output_size)


def max_unpool3d(
    x: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Any = None,
) -> Any:
    """Numbers put back to where a max pool found them, zero elsewhere.

    See `max_unpool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        What a max pool returned, or something in its place.
    indices : array_like of int, shape of x
        Its indices: cells of the output's spatial axes counted in C order.
    kernel_size, stride, padding
        The max pool's.
    output_size : int or sequence of int, optional
        The spatial sizes, or a whole shape that ends in them: less than a stride from
        ``(n - 1) * stride - 2 * padding + kernel_size``, which they are unless given.

    Returns
    -------
    ndarray, shape (N, C, *output_size) or (C, *output_size)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and for indices outside the output.

    Examples
    --------
    >>> max_unpool3d([[[[5.0]]]], [[[[1]]]], (1, 1, 2))
    array([[[[0., 5.]]]])
    """
    return unpooled(3, x, indices, (kernel_size, stride, padding), output_size)
