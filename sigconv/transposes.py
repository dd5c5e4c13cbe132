"""Transposed convolution layers: ``torch.nn.functional``'s names, order of arguments and meaning."""

from typing import Any

import numpy as np

from sigconv._layer_arguments import layer_bias, layer_groups, layer_input, layer_slide_back, layer_weight
from sigconv.engines.cpu.layers.transposed import transpose
from sigconv.geometry import Ints, Padding, Slide


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> np.ndarray:
    """Spread channels of series over longer ones with a bank of kernels; see `conv_transpose2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
    weight : array_like, shape (C, O / groups, k)
    bias, stride, padding, output_padding, groups, dilation
        As in `conv_transpose2d`, along one axis.

    Returns
    -------
    ndarray, shape (N, O, outputs) or (O, outputs)

    Raises
    ------
    ValueError, TypeError
        As in `conv_transpose2d`.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.conv_transpose1d([[1.0, 2.0, 4.0]], [[[1.0, 10.0, 100.0]]], stride=2)
    array([[  1.,  10., 102.,  20., 204.,  40., 400.]])
    """
    return _layer(1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> np.ndarray:
    """Spread channels of images over larger ones with a bank of kernels: what `conv2d` does, turned round.

    Each input is laid down as a kernel, scaled by it, and overlapping ones add up. Along each axis, with ``p`` cut off
    before the first output,

        y[n, o, u] = bias[o] + sum over c, i, j with stride i + dilation j - p = u of x[n, c, i] weight[c, o, j].

    It is the gradient of `conv2d` with respect to its input, and not its inverse.

    Parameters
    ----------
    x : array_like, shape (N, C, height, width) or (C, height, width)
        One image or N of them. float32 and float64 keep their precision; float16 is computed in float32 and returned
        as float16; integers of up to 16 bits and bool become float32, larger ones float64.
    weight : array_like, shape (C, O / groups, kernel height, kernel width)
        Used in x's precision.
    bias : array_like, shape (O,), optional
    stride, dilation : int or (int, int)
        How far apart the kernels are laid, and their cells; at least 1.
    padding : int, (int, int), ((lo, hi), (lo, hi)) or {"valid", "same", "same_lower"}
        Cells cut off the outputs: at both ends of an axis, at each end, none, or as many as leave n * stride outputs.
    output_padding : int or (int, int)
        Cells more at the end, fewer than the larger of stride and dilation.
    groups : int
        C and O fall into so many parts, and each part of C is spread over its part of O only.

    Returns
    -------
    ndarray, shape (N, O, outputs, outputs) or (O, outputs, outputs)
        ``(n - 1) * stride - lo - hi + dilation * (k - 1) + 1 + output_padding`` outputs along each axis, or
        ``n * stride`` for "same" and "same_lower".

    Raises
    ------
    ValueError
        For shapes that do not fit one another, and numbers and names out of their range.
    TypeError
        For what is no array of real numbers, and numbers that are not whole.

    Notes
    -----
    Equal to ``torch.nn.functional.conv_transpose2d`` but for rounding; "same" and "same_lower" are those of ONNX's
    ConvTranspose. A stride of s cuts the outputs into s phases along its axis, and each is a plain convolution with the
    cells of the kernel that reach it (W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?",
    2016): nothing is multiplied by the zeros between inputs. Bits are the same at any number of threads.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> sc.conv_transpose2d(np.ones((1, 2, 2)), np.ones((1, 1, 2, 2)))[0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    >>> sc.conv_transpose2d(np.ones((16, 8, 10, 10)), np.ones((8, 3, 5, 5)), stride=2, padding="same").shape
    (16, 3, 20, 20)
    """
    return _layer(2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> np.ndarray:
    """Spread channels of volumes over larger ones with a bank of kernels; see `conv_transpose2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, depth, height, width) or (C, depth, height, width)
    weight : array_like, shape (C, O / groups, kernel depth, kernel height, kernel width)
    bias, stride, padding, output_padding, groups, dilation
        As in `conv_transpose2d`, along three axes.

    Returns
    -------
    ndarray, shape (N, O, outputs, outputs, outputs) or (O, outputs, outputs, outputs)

    Raises
    ------
    ValueError, TypeError
        As in `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> sc.conv_transpose3d(np.ones((2, 4, 4, 4)), np.ones((2, 5, 3, 3, 3)), stride=2, output_padding=1).shape
    (5, 10, 10, 10)
    """
    return _layer(3, x, weight, bias, stride, padding, output_padding, groups, dilation)


def _layer(
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
) -> np.ndarray:
    x, answer = layer_input(axes, x)
    weight = layer_weight(axes, weight, x.dtype)
    groups = layer_groups(groups, input_channels=x.shape[1])
    slide = slide_back(x, weight, stride, padding, output_padding, dilation)
    bias = layer_bias(bias, weight.shape[1] * groups, x.dtype)
    return answer.of(transpose(x, weight, bias, slide, groups))


def slide_back(
    x: np.ndarray, weight: np.ndarray, stride: Ints, padding: Padding, output_padding: Ints, dilation: Ints
) -> Slide:
    """How the convolution slides, over the outputs, that goes back from them to ``x``."""
    if x.shape[1] != len(weight):
        raise ValueError(
            f"weight must be ({x.shape[1]}, O / groups, ...) for {x.shape[1]} channels of x, "
            f"got the shape {weight.shape}"
        )
    slide = layer_slide_back(x.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation)
    return slide._replace(size=slide.output, output=slide.size)
