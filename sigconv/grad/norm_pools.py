"""Gradients of pools between the mean and the maximum."""

from typing import Any

from sigconv._pools import finite, norm_of, slide_of
from sigconv.geometry import Ints, Padding, Slide
from sigconv.grad._pools import Pass, log_mean_back, powers_back, slide_pass


def lp_pool1d(
    x: Any,
    grad_out: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.lp_pool1d` with respect to its input.

    See `lp_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        The pool's input.
    grad_out : array_like, shape (N, C, outputs) or (C, outputs)
        Gradients with respect to the pool's result.
    norm_type, kernel_size, stride, padding, dilation, ceil_mode
        The pool's.

    Returns
    -------
    ndarray, shape (N, C, n) or (C, n)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.

    Examples
    --------
    >>> lp_pool1d([[3.0, -4.0, 0.0, 2.0]], [[5.0, 1.0]], 2, 2)
    array([[ 3., -4.,  0.,  1.]])
    """
    p = norm_of(norm_type)

    def ways(size: tuple[int, ...]) -> Pass:
        return slide_pass(slide_of(size, kernel_size, stride, padding, dilation, ceil_mode))

    return powers_back(1, x, grad_out, p, ways)


def lp_pool2d(
    x: Any,
    grad_out: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.lp_pool2d` with respect to its input.

    ``sign(x) * |x|^(p-1)`` times the sum of ``grad_out * y^(1-p)`` over the windows that a cell is in, where y is the
    pool's result; a window of zeros gives nothing. The norm of infinite order leads to the first of the
    greatest magnitudes.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        The pool's input.
    grad_out : array_like, shape (N, C, oh, ow) or (C, oh, ow)
        Gradients with respect to the pool's result.
    norm_type, kernel_size, stride, padding, dilation, ceil_mode
        The pool's.

    Returns
    -------
    ndarray, shape (N, C, h, w) or (C, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    p = norm_of(norm_type)

    def ways(size: tuple[int, ...]) -> Pass:
        return slide_pass(slide_of(size, kernel_size, stride, padding, dilation, ceil_mode))

    return powers_back(2, x, grad_out, p, ways)


def lp_pool3d(
    x: Any,
    grad_out: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.lp_pool3d` with respect to its input.

    See `lp_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        The pool's input.
    grad_out : array_like, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        Gradients with respect to the pool's result.
    norm_type, kernel_size, stride, padding, dilation, ceil_mode
        The pool's.

    Returns
    -------
    ndarray, shape (N, C, d, h, w) or (C, d, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    p = norm_of(norm_type)

    def ways(size: tuple[int, ...]) -> Pass:
        return slide_pass(slide_of(size, kernel_size, stride, padding, dilation, ceil_mode))

    return powers_back(3, x, grad_out, p, ways)


def lse_pool1d(
    x: Any,
    grad_out: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    *,
    beta: float = 1.0,
    ceil_mode: bool = False,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.lse_pool1d` with respect to its input.

    See `lse_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        The pool's input.
    grad_out : array_like, shape (N, C, outputs) or (C, outputs)
        Gradients with respect to the pool's result.
    beta, kernel_size, stride, padding, dilation, ceil_mode
        The pool's.

    Returns
    -------
    ndarray, shape (N, C, n) or (C, n)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.

    Examples
    --------
    >>> lse_pool1d([[0.0, 0.0, 0.0, 900.0]], [[1.0, 1.0]], 2)
    array([[0.5, 0.5, 0. , 1. ]])
    """
    sharpness = finite("beta", beta)

    def slide(size: tuple[int, ...]) -> Slide:
        return slide_of(size, kernel_size, stride, padding, dilation, ceil_mode)

    return log_mean_back(1, x, grad_out, sharpness, slide)


def lse_pool2d(
    x: Any,
    grad_out: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    *,
    beta: float = 1.0,
    ceil_mode: bool = False,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.lse_pool2d` with respect to its input.

    The sum of ``grad_out * exp(beta * (x - y)) / count`` over the windows that a cell is in, where y is the
    pool's result.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        The pool's input.
    grad_out : array_like, shape (N, C, oh, ow) or (C, oh, ow)
        Gradients with respect to the pool's result.
    beta, kernel_size, stride, padding, dilation, ceil_mode
        The pool's.

    Returns
    -------
    ndarray, shape (N, C, h, w) or (C, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    sharpness = finite("beta", beta)

    def slide(size: tuple[int, ...]) -> Slide:
        return slide_of(size, kernel_size, stride, padding, dilation, ceil_mode)

    return log_mean_back(2, x, grad_out, sharpness, slide)


def lse_pool3d(
    x: Any,
    grad_out: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    *,
    beta: float = 1.0,
    ceil_mode: bool = False,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.lse_pool3d` with respect to its input.

    See `lse_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        The pool's input.
    grad_out : array_like, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        Gradients with respect to the pool's result.
    beta, kernel_size, stride, padding, dilation, ceil_mode
        The pool's.

    Returns
    -------
    ndarray, shape (N, C, d, h, w) or (C, d, h, w)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and shapes that do not fit each other.
    """
    sharpness = finite("beta", beta)

    def slide(size: tuple[int, ...]) -> Slide:
        return slide_of(size, kernel_size, stride, padding, dilation, ceil_mode)

    return log_mean_back(3, x, grad_out, sharpness, slide)
