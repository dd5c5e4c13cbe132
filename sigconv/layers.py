"""Convolution layers of neural networks, forward: ``torch.nn.functional``'s names, order of arguments and meaning."""

from functools import lru_cache
from typing import Any

import numpy as np

from sigconv._layer_arguments import layer_bias, layer_groups, layer_input, layer_slide, layer_weight
from sigconv.borders import layer_border
from sigconv.engines.cpu.layers.convs import convolve
from sigconv.geometry import Ints, Padding, Slide


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    border: str = "zeros",
) -> np.ndarray:
    """Convolve channels of series with a bank of kernels, as a layer of a network does; see `conv2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
    weight : array_like, shape (O, C / groups, k)
    bias, stride, padding, dilation, groups, border
        As in `conv2d`, along one axis.

    Returns
    -------
    ndarray, shape (N, O, outputs) or (O, outputs)

    Raises
    ------
    ValueError, TypeError
        As in `conv2d`.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.conv1d([[1.0, 2.0, 4.0, 8.0]], [[[-1.0, 1.0]]])
    array([[1., 2., 4.]])
    """
    return _layer(1, x, weight, bias, stride, padding, dilation, groups, border)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    border: str = "zeros",
) -> np.ndarray:
    """Convolve channels of images with a bank of kernels, as a layer of a network does.

    Along each axis, with ``p`` the padding before it and zeros (or the border's cells) around x,

        y[n, o, i] = bias[o] + sum over c, j of weight[o, c, j] x[n, c, stride i + dilation j - p].

    As everywhere in networks the kernel is not flipped: this is a correlation.

    Parameters
    ----------
    x : array_like, shape (N, C, height, width) or (C, height, width)
        One image or N of them. float32 and float64 keep their precision; float16 is computed in float32 and returned
        as float16; integers of up to 16 bits and bool become float32, larger ones float64.
    weight : array_like, shape (O, C / groups, kernel height, kernel width)
        Used in x's precision.
    bias : array_like, shape (O,), optional
    stride, dilation : int or (int, int)
        How far the kernel moves, and how far apart its cells are; at least 1.
    padding : int, (int, int), ((lo, hi), (lo, hi)) or {"valid", "same", "same_lower"}
        Cells added around x: at both ends of an axis, at each end, none, or as many as give ceil(n / stride) outputs
        with an odd cell at the end ("same") or at the start ("same_lower").
    groups : int
        C and O fall into so many parts, and each part of O sees its part of C only; with groups = C each channel has
        kernels of its own ("depthwise").
    border : str
        What the added cells hold: "zeros", or "mirror", "symmetric", "nearest", "wrap" and their aliases in
        `sigconv.borders`. torch's "reflect" is "mirror" here.

    Returns
    -------
    ndarray, shape (N, O, outputs, outputs) or (O, outputs, outputs)
        ``floor((n + lo + hi - dilation * (k - 1) - 1) / stride) + 1`` outputs along each axis.

    Raises
    ------
    ValueError
        For shapes that do not fit one another, and numbers and names out of their range.
    TypeError
        For what is no array of real numbers, and numbers that are not whole.

    Notes
    -----
    Equal to ``torch.nn.functional.conv2d`` but for rounding; "same" with a stride, "same_lower" and pairs are those of
    ONNX's Conv. Each output is one chain of fused multiply-adds, so its bits are the same at any number of threads. NaN
    and infinities reach the outputs whose windows hold them and no others.

    Where many channels of float32 meet many outputs in windows of 3 x 3 cells or more, 2 x 2 outputs are computed
    together from sums and differences of inputs and of weights: 16 products instead of 36 for 3 x 3 cells, which larger
    windows and strides are parts of (S. Winograd's F(2 x 2, 3 x 3) [1]_). All of the above still holds. On noise the
    error is no larger than that of the chain; but it is measured by the largest products in the window, so that weights
    much smaller than their neighbours count with fewer digits.

    .. [1] A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.

    Examples
    --------
    96 filters of 11 x 11 that move by 4 over three channels of 227 x 227:

    >>> import numpy as np, sigconv as sc
    >>> x, weight = np.ones((3, 227, 227), np.float32), np.ones((96, 3, 11, 11), np.float32)
    >>> sc.conv2d(x, weight, stride=4).shape
    (96, 55, 55)
    """
    return _layer(2, x, weight, bias, stride, padding, dilation, groups, border)


def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    border: str = "zeros",
) -> np.ndarray:
    """Convolve channels of volumes with a bank of kernels, as a layer of a network does; see `conv2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, depth, height, width) or (C, depth, height, width)
    weight : array_like, shape (O, C / groups, kernel depth, kernel height, kernel width)
    bias, stride, padding, dilation, groups, border
        As in `conv2d`, along three axes.

    Returns
    -------
    ndarray, shape (N, O, outputs, outputs, outputs) or (O, outputs, outputs, outputs)

    Raises
    ------
    ValueError, TypeError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> sc.conv3d(np.ones((2, 1, 4, 8, 8)), np.ones((5, 1, 2, 3, 3)), padding="same", border="nearest").shape
    (2, 5, 4, 8, 8)
    """
    return _layer(3, x, weight, bias, stride, padding, dilation, groups, border)


def _layer(
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    border: str,
) -> np.ndarray:
    x, answer = layer_input(axes, x)
    weight = layer_weight(axes, weight, x.dtype)
    bias = layer_bias(bias, len(weight), x.dtype)
    options = stride, padding, dilation, groups, border
    told = _told_again if all(type(option) in (int, str) for option in options) else _told
    slide, groups, border = told(x.shape[1:], weight.shape, *options)
    return answer.of(convolve(x, weight, bias, slide, groups, border))


def _told(
    x: tuple[int, ...],
    weight: tuple[int, ...],
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    border: str,
) -> tuple[Slide, int, str]:
    """How the window slides over samples of the shape ``x``, the groups and the border, checked."""
    border = layer_border(border)
    groups = layer_groups(groups, input_channels=x[0], output_channels=weight[0])
    if x[0] != weight[1] * groups:
        raise ValueError(
            f"weight must be (O, {x[0] // groups}, ...) for {x[0]} channels of x in {groups} groups, "
            f"got the shape {weight}"
        )
    return layer_slide(x[1:], weight[2:], stride, padding, dilation), groups, border


_told_again = lru_cache(maxsize=256)(_told)  # for options that are equal only where they mean the same
