"""Gradients of pools that pick or average: maxima, means and the way back from maxima."""

from collections.abc import Sequence
from typing import Any

from sigconv._pools import divisor_of, divisors, slide_of
from sigconv.geometry import Ints, Padding
from sigconv.grad._pools import gradient_of, input_size, matching, max_back, mean_back, slide_pass, unpool_back


def max_pool1d(grad_out: Any, indices: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.max_pool1d` with respect to its input.

    See `max_pool2d`.

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

    Examples
    --------
    >>> max_pool1d([[1.0, 10.0]], [[1, 1]], (1, 3))
    array([[ 0., 11.,  0.]])
    """
    return max_back(1, grad_out, indices, input_shape)


def max_pool2d(grad_out: Any, indices: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.max_pool2d` with respect to its input.

    Each gradient goes to the cell that was picked; a cell picked by several windows has the sum, in the windows' order.

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


def max_pool3d(grad_out: Any, indices: Any, input_shape: Sequence[int]) -> Any:
    """Gradient of `sigconv.max_pool3d` with respect to its input.

    See `max_pool2d`.

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


def avg_pool1d(
    grad_out: Any,
    input_shape: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.avg_pool1d` with respect to its input.

    See `avg_pool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, outputs) or (C, outputs)
        Gradients with respect to the pool's result.
    input_shape : sequence of int
        (N, C, n) or (C, n).
    kernel_size, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override
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
    >>> avg_pool1d([[1.0, 10.0]], (1, 3), 2, 1)
    array([[0.5, 5.5, 5. ]])
    """
    given = gradient_of(1, grad_out)
    size = input_size(1, input_shape, given.lead)
    slide = slide_of(size, kernel_size, stride, padding, dilation, ceil_mode)
    matching(given, given.lead, slide.output)
    counts = divisors(slide, count_include_pad, divisor_of(divisor_override))
    return mean_back(given, slide_pass(slide), counts, size)


def avg_pool2d(
    grad_out: Any,
    input_shape: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.avg_pool2d` with respect to its input.

    A cell has the sum of ``grad_out / count`` over the windows that it is in.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, oh, ow) or (C, oh, ow)
        Gradients with respect to the pool's result.
    input_shape : sequence of int
        (N, C, h, w) or (C, h, w).
    kernel_size, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override
        The pool's.

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
    slide = slide_of(size, kernel_size, stride, padding, dilation, ceil_mode)
    matching(given, given.lead, slide.output)
    counts = divisors(slide, count_include_pad, divisor_of(divisor_override))
    return mean_back(given, slide_pass(slide), counts, size)


def avg_pool3d(
    grad_out: Any,
    input_shape: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Any:
    """Gradient of `sigconv.avg_pool3d` with respect to its input.

    See `avg_pool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        Gradients with respect to the pool's result.
    input_shape : sequence of int
        (N, C, d, h, w) or (C, d, h, w).
    kernel_size, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override
        The pool's.

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
    slide = slide_of(size, kernel_size, stride, padding, dilation, ceil_mode)
    matching(given, given.lead, slide.output)
    counts = divisors(slide, count_include_pad, divisor_of(divisor_override))
    return mean_back(given, slide_pass(slide), counts, size)


def max_unpool1d(grad_out: Any, indices: Any) -> Any:
    """Gradient of `sigconv.max_unpool1d` with respect to its input: what stands at the indices.

    See `max_unpool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, n) or (C, n)
        Gradients with respect to what was unpooled.
    indices : array_like of int, shape (N, C, outputs) or (C, outputs)

    Returns
    -------
    ndarray, shape of indices

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and indices outside grad_out.

    Examples
    --------
    >>> max_unpool1d([[0.0, 5.0, 7.0]], [[1]])
    array([[5.]])
    """
    return unpool_back(1, grad_out, indices)


def max_unpool2d(grad_out: Any, indices: Any) -> Any:
    """Gradient of `sigconv.max_unpool2d` with respect to its input: what stands at the indices.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, h, w) or (C, h, w)
        Gradients with respect to what was unpooled.
    indices : array_like of int, shape (N, C, oh, ow) or (C, oh, ow)

    Returns
    -------
    ndarray, shape of indices

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and indices outside grad_out.
    """
    return unpool_back(2, grad_out, indices)


def max_unpool3d(grad_out: Any, indices: Any) -> Any:
    """Gradient of `sigconv.max_unpool3d` with respect to its input: what stands at the indices.

    See `max_unpool2d`.

    Parameters
    ----------
    grad_out : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        Gradients with respect to what was unpooled.
    indices : array_like of int, shape (N, C, od, oh, ow) or (C, od, oh, ow)

    Returns
    -------
    ndarray, shape of indices

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these, and indices outside grad_out.
    """
    return unpool_back(3, grad_out, indices)
