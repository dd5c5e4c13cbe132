"""Gradients of convolution layers: with respect to their input, their weights and their bias."""

from typing import Any, NamedTuple

import numpy as np

from sigconv._layer_arguments import Answer, layer_channels, layer_groups, layer_input, layer_slide, layer_weight
from sigconv.borders import layer_border
from sigconv.checks import real_array
from sigconv.engines.cpu.layers.conv_grads import bias_sums, weight_sums
from sigconv.engines.cpu.layers.convs import convolve
from sigconv.engines.cpu.layers.transposed import bordered, folded, transpose
from sigconv.geometry import Ints, Padding
from sigconv.transposes import slide_back


class LayerGradients(NamedTuple):
    """What a change of each number of a layer does to the loss: arrays of the input's, weight's and bias's shapes."""

    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


def conv1d(
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    border: str = "zeros",
) -> LayerGradients:
    """Gradients of `sigconv.conv1d`; see `conv2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
    weight : array_like, shape (O, C / groups, k)
    grad_out : array_like, shape (N, O, outputs) or (O, outputs)
    stride, padding, dilation, groups, border
        As in `sigconv.conv1d`.

    Returns
    -------
    LayerGradients
        Of ndarrays: x as x is, weight as weight is, bias (O,).

    Raises
    ------
    ValueError, TypeError
        As in `conv2d`.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.grad.conv1d([[1.0, 2.0, 4.0]], [[[-1.0, 1.0]]], [[1.0, 10.0]])
    LayerGradients(x=array([[-1., -9., 10.]]), weight=array([[[21., 42.]]]), bias=array([11.]))
    """
    return _conv(1, x, weight, grad_out, stride, padding, dilation, groups, border)


def conv2d(
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    border: str = "zeros",
) -> LayerGradients:
    """Gradients of `sigconv.conv2d` with respect to its input, its weights and its bias.

    Along each axis, with ``p`` the padding before it and g = ``grad_out``, the loss's gradient with respect to the
    layer's output y, where y[n, o, i] = bias[o] + sum over c, j of weight[o, c, j] x[n, c, stride i + dilation j - p]:

        x[n, c, u]      = sum over o, i, j with stride i + dilation j - p = u of g[n, o, i] weight[o, c, j]
        weight[o, c, j] = sum over n, i of g[n, o, i] x[n, c, stride i + dilation j - p]
        bias[o]         = sum over n, i of g[n, o, i]

    Parameters
    ----------
    x : array_like, shape (N, C, height, width) or (C, height, width)
        What the layer was given; its dtype is treated as the layer does.
    weight : array_like, shape (O, C / groups, kernel height, kernel width)
    grad_out : array_like, shape (N, O, outputs, outputs) or (O, outputs, outputs)
        Of the shape of the layer's output, used in x's precision.
    stride, padding, dilation, groups, border
        As in `sigconv.conv2d`.

    Returns
    -------
    LayerGradients
        Of ndarrays: ``x`` as x is, ``weight`` as weight is, ``bias`` (O,), all of the layer's dtype.

    Raises
    ------
    ValueError
        For shapes that do not fit one another, and numbers and names out of their range.
    TypeError
        For what is no array of real numbers, and numbers that are not whole.

    Notes
    -----
    Equal to what ``torch.autograd`` finds but for rounding. A weight's gradient is summed over runs of 512 or more
    outputs, and these sums over images, in an order that follows from the sizes alone: bits are the same at any number
    of threads. Cells of a border other than zeros send their part to the cell that they repeat.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> x, weight, grad_out = np.ones((8, 3, 32, 32)), np.ones((20, 3, 5, 5)), np.ones((8, 20, 15, 15))
    >>> [gradient.shape for gradient in sc.grad.conv2d(x, weight, grad_out, stride=2, padding=1)]
    [(8, 3, 32, 32), (20, 3, 5, 5), (20,)]
    """
    return _conv(2, x, weight, grad_out, stride, padding, dilation, groups, border)


def conv3d(
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    border: str = "zeros",
) -> LayerGradients:
    """Gradients of `sigconv.conv3d`; see `conv2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, depth, height, width) or (C, depth, height, width)
    weight : array_like, shape (O, C / groups, kernel depth, kernel height, kernel width)
    grad_out : array_like, shape (N, O, outputs, outputs, outputs) or (O, outputs, outputs, outputs)
    stride, padding, dilation, groups, border
        As in `sigconv.conv3d`.

    Returns
    -------
    LayerGradients
        Of ndarrays: x as x is, weight as weight is, bias (O,).

    Raises
    ------
    ValueError, TypeError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> x, weight = np.ones((1, 1, 3, 3, 3)), np.ones((1, 1, 2, 2, 2))
    >>> sc.grad.conv3d(x, weight, np.ones((1, 1, 2, 2, 2))).x[0, 0, 1]
    array([[2., 4., 2.],
           [4., 8., 4.],
           [2., 4., 2.]])
    """
    return _conv(3, x, weight, grad_out, stride, padding, dilation, groups, border)


def conv_transpose1d(
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> LayerGradients:
    """Gradients of `sigconv.conv_transpose1d`; see `conv_transpose2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
    weight : array_like, shape (C, O / groups, k)
    grad_out : array_like, shape (N, O, outputs) or (O, outputs)
    stride, padding, output_padding, groups, dilation
        As in `sigconv.conv_transpose1d`.

    Returns
    -------
    LayerGradients
        Of ndarrays: x as x is, weight as weight is, bias (O,).

    Raises
    ------
    ValueError, TypeError
        As in `conv_transpose2d`.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.grad.conv_transpose1d([[1.0, 3.0]], [[[1.0, 2.0]]], [[1.0, 0.0, 10.0]])
    LayerGradients(x=array([[ 1., 20.]]), weight=array([[[ 1., 30.]]]), bias=array([11.]))
    """
    return _transpose(1, x, weight, grad_out, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> LayerGradients:
    """Gradients of `sigconv.conv_transpose2d` with respect to its input, its weights and its bias.

    The gradient of x is the convolution of ``grad_out`` with the same weights; the weights' is that of a convolution
    whose input is ``grad_out`` and whose output's gradient is x.

    Parameters
    ----------
    x : array_like, shape (N, C, height, width) or (C, height, width)
        What the layer was given; its dtype is treated as the layer does.
    weight : array_like, shape (C, O / groups, kernel height, kernel width)
    grad_out : array_like, shape (N, O, outputs, outputs) or (O, outputs, outputs)
        Of the shape of the layer's output, used in x's precision.
    stride, padding, output_padding, groups, dilation
        As in `sigconv.conv_transpose2d`.

    Returns
    -------
    LayerGradients
        Of ndarrays: ``x`` as x is, ``weight`` as weight is, ``bias`` (O,), all of the layer's dtype.

    Raises
    ------
    ValueError
        For shapes that do not fit one another, and numbers and names out of their range.
    TypeError
        For what is no array of real numbers, and numbers that are not whole.

    Notes
    -----
    Equal to what ``torch.autograd`` finds but for rounding, with the same bits at any number of threads.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> x, weight, grad_out = np.ones((1, 2, 2)), np.ones((1, 1, 2, 2)), np.ones((1, 4, 4))
    >>> sc.grad.conv_transpose2d(x, weight, grad_out, stride=2).x
    array([[[4., 4.],
            [4., 4.]]])
    """
    return _transpose(2, x, weight, grad_out, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> LayerGradients:
    """Gradients of `sigconv.conv_transpose3d`; see `conv_transpose2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, depth, height, width) or (C, depth, height, width)
    weight : array_like, shape (C, O / groups, kernel depth, kernel height, kernel width)
    grad_out : array_like, shape (N, O, outputs, outputs, outputs) or (O, outputs, outputs, outputs)
    stride, padding, output_padding, groups, dilation
        As in `sigconv.conv_transpose3d`.

    Returns
    -------
    LayerGradients
        Of ndarrays: x as x is, weight as weight is, bias (O,).

    Raises
    ------
    ValueError, TypeError
        As in `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> x, weight, grad_out = np.ones((1, 2, 2, 2)), np.ones((1, 1, 2, 2, 2)), np.ones((1, 3, 3, 3))
    >>> sc.grad.conv_transpose3d(x, weight, grad_out).weight.ravel()
    array([8., 8., 8., 8., 8., 8., 8., 8.])
    """
    return _transpose(3, x, weight, grad_out, stride, padding, output_padding, groups, dilation)


def _conv(
    axes: int,
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    border: str,
) -> LayerGradients:
    border = layer_border(border)
    x, answer = layer_input(axes, x)
    weight = layer_weight(axes, weight, x.dtype)
    groups = layer_groups(groups, input_channels=x.shape[1], output_channels=len(weight))
    layer_channels(x, weight, groups)
    slide = layer_slide(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    grad_out = _gradient(grad_out, (len(x), len(weight), *slide.output), answer, x.dtype)
    if border == "constant":
        gradients = transpose(grad_out, weight, None, slide, groups), weight_sums(x, grad_out, slide, groups)
    else:
        x, inner = bordered(x, slide, border)
        grad_x = folded(transpose(grad_out, weight, None, inner, groups), slide, border)
        gradients = grad_x, weight_sums(x, grad_out, inner, groups)
    return _answer(answer, *gradients, bias_sums(grad_out))


def _transpose(
    axes: int,
    x: Any,
    weight: Any,
    grad_out: Any,
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
) -> LayerGradients:
    x, answer = layer_input(axes, x)
    weight = layer_weight(axes, weight, x.dtype)
    groups = layer_groups(groups, input_channels=x.shape[1])
    slide = slide_back(x, weight, stride, padding, output_padding, dilation)
    grad_out = _gradient(grad_out, (len(x), weight.shape[1] * groups, *slide.size), answer, x.dtype)
    grad_x = convolve(grad_out, weight, None, slide, groups)
    return _answer(answer, grad_x, weight_sums(grad_out, x, slide, groups), bias_sums(grad_out))


def _gradient(grad_out: Any, shape: tuple[int, ...], answer: Answer, dtype: np.dtype) -> np.ndarray:
    """``grad_out`` as a contiguous batch."""
    values = real_array("grad_out", grad_out)
    expected = shape if answer.batched else shape[1:]
    if values.shape != expected:
        raise ValueError(f"grad_out must have the shape of the layer's output, {expected}, got {values.shape}")
    return np.ascontiguousarray(values, dtype).reshape(shape)


def _answer(answer: Answer, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> LayerGradients:
    return LayerGradients(answer.of(x), *(values.astype(answer.dtype, copy=False) for values in (weight, bias)))
