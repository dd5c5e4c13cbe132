"""Gradients of adaptive and global pools."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sigconv._pools import axes_of, cells_of, norm_of, pool_greatest
from sigconv.engines.cpu.pools.windows import adaptive_windows
from sigconv.grad._pools import adaptive_pass, gradient_of, input_size, matching, max_back, mean_back, powers_back


def adaptive_avg_pool1d(grad_out: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.adaptive_avg_pool1d` with respect to its input.

    See `adaptive_avg_pool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, outputs) or (C, outputs)
        Gradients with respect to the pool's result.
    input_shape : sequence of int
        (N, C, n) or (C, n).

    Returns
    -------
    ndarray, shape (N, C, n) or (C, n)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.

    Examples
    --------
    >>> adaptive_avg_pool1d([[3.0, 30.0]], (1, 5))
    array([[ 1.,  1., 11., 10., 10.]])
    """
    given = gradient_of(1, grad_out)
    size = input_size(1, input_shape, given.lead)
    ways = adaptive_pass(size, given.size)
    return mean_back(given, ways, cells_of(ways.there), size)


def adaptive_avg_pool2d(grad_out: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.adaptive_avg_pool2d` with respect to its input.

    A cell has the sum of ``grad_out / count`` over the windows that it is in.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, oh, ow) or (C, oh, ow)
        Gradients with respect to the pool's result.
    input_shape : sequence of int
        (N, C, h, w) or (C, h, w).

    Returns
    -------
    ndarray, shape (N, C, h, w) or (C, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    given = gradient_of(2, grad_out)
    size = input_size(2, input_shape, given.lead)
    ways = adaptive_pass(size, given.size)
    return mean_back(given, ways, cells_of(ways.there), size)


def adaptive_avg_pool3d(grad_out: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.adaptive_avg_pool3d` with respect to its input.

    See `adaptive_avg_pool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        Gradients with respect to the pool's result.
    input_shape : sequence of int
        (N, C, d, h, w) or (C, d, h, w).

    Returns
    -------
    ndarray, shape (N, C, d, h, w) or (C, d, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    given = gradient_of(3, grad_out)
    size = input_size(3, input_shape, given.lead)
    ways = adaptive_pass(size, given.size)
    return mean_back(given, ways, cells_of(ways.there), size)


def adaptive_max_pool1d(grad_out: Any, indices: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.adaptive_max_pool1d` with respect to its input; see `max_pool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, outputs) or (C, outputs)
        Gradients with respect to the pool's result.
    indices : array_like of int, shape of grad_out
        What the pool returned; -1 is passed over.
    input_shape : sequence of int
        (N, C, n) or (C, n).

    Returns
    -------
    ndarray, shape (N, C, n) or (C, n)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    return max_back(1, grad_out, indices, input_shape)


def adaptive_max_pool2d(grad_out: Any, indices: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.adaptive_max_pool2d` with respect to its input; see `max_pool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, oh, ow) or (C, oh, ow)
        Gradients with respect to the pool's result.
    indices : array_like of int, shape of grad_out
        What the pool returned; -1 is passed over.
    input_shape : sequence of int
        (N, C, h, w) or (C, h, w).

    Returns
    -------
    ndarray, shape (N, C, h, w) or (C, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    return max_back(2, grad_out, indices, input_shape)


def adaptive_max_pool3d(grad_out: Any, indices: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.adaptive_max_pool3d` with respect to its input; see `max_pool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        Gradients with respect to the pool's result.
    indices : array_like of int, shape of grad_out
        What the pool returned; -1 is passed over.
    input_shape : sequence of int
        (N, C, d, h, w) or (C, d, h, w).

    Returns
    -------
    ndarray, shape (N, C, d, h, w) or (C, d, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    return max_back(3, grad_out, indices, input_shape)


def global_max_pool(x: Any, grad_out: Any) -> Any:
    """Gradient of `sigconv.global_max_pool`: it goes to the first of the greatest numbers.

    Parameters
    ----------
    x : array_like, shape (N, C, *spatial)
    grad_out : array_like, shape (N, C, 1, ..)

    Returns
    -------
    ndarray, shape (N, C, *spatial)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.

    Examples
    --------
    >>> global_max_pool([[[1.0, 5.0, 5.0]]], [[[2.0]]])
    array([[[0., 2., 0.]]])
    """
    axes = axes_of(x)
    found = pool_greatest(axes, x, lambda size: adaptive_windows(size, (1,) * axes), True)
    return max_back(axes, grad_out, found.places, np.shape(x))


def global_avg_pool(grad_out: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.global_avg_pool`: equal parts for every cell.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, 1, ..)
    input_shape : sequence of int
        (N, C, *spatial).

    Returns
    -------
    ndarray, shape (N, C, *spatial)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.

    Examples
    --------
    >>> global_avg_pool([[[3.0]]], (1, 1, 4))
    array([[[0.75, 0.75, 0.75, 0.75]]])
    """
    axes = axes_of(grad_out)
    given = gradient_of(axes, grad_out)
    size = input_size(axes, input_shape, given.lead)
    matching(given, given.lead, (1,) * axes)
    ways = adaptive_pass(size, (1,) * axes)
    return mean_back(given, ways, cells_of(ways.there), size)


def global_lp_pool(x: Any, grad_out: Any, norm_type: float = 2.0) -> Any:
    """Gradient of `sigconv.global_lp_pool`; see `lp_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, *spatial)
    grad_out : array_like, shape (N, C, 1, ..)
    norm_type : float
        The pool's.

    Returns
    -------
    ndarray, shape (N, C, *spatial)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.

    Examples
    --------
    >>> global_lp_pool([[[3.0, -4.0]]], [[[5.0]]])
    array([[[ 3., -4.]]])
    """
    axes = axes_of(x)
    return powers_back(axes, x, grad_out, norm_of(norm_type), lambda size: adaptive_pass(size, (1,) * axes))
