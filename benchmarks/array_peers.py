"""The same work on images, layers and pools in other libraries: every function prepares and returns what is timed.

A library is imported only here, inside its functions, so that one that is not installed merely leaves its column empty.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Call = Callable[[], object]


# Images, mirrored at their borders ------------------------------------------------------------------------------------
def cv_filter(x: np.ndarray, w: np.ndarray, threads: int) -> Call:
    cv2 = _opencv(threads)
    return lambda: cv2.filter2D(x, -1, w, borderType=cv2.BORDER_REFLECT_101)


def ndimage_filter(x: np.ndarray, w: np.ndarray) -> Call:
    from scipy.ndimage import correlate

    kernel = w.reshape(*w.shape, *[1] * (x.ndim - 2))
    return lambda: correlate(x, kernel, mode="mirror")


def torch_filter(x: np.ndarray, w: np.ndarray, threads: int) -> Call:
    torch = _torch(threads)
    image, kernel = torch.from_numpy(x)[None, None], torch.from_numpy(w)[None, None]
    edges = [n // 2 for n in w.shape for _ in range(2)]

    def call():
        with torch.inference_mode():
            padded = torch.nn.functional.pad(image, edges, mode="reflect")
            return torch.nn.functional.conv2d(padded, kernel)[0, 0]

    return call


def cv_gaussian(x: np.ndarray, sigma: float, taps: int, threads: int) -> Call:
    cv2 = _opencv(threads)
    return lambda: cv2.GaussianBlur(x, (taps, taps), sigma, borderType=cv2.BORDER_REFLECT_101)


def ndimage_gaussian(x: np.ndarray, sigma: float) -> Call:
    from scipy.ndimage import gaussian_filter

    return lambda: gaussian_filter(x, sigma, mode="mirror")


def skimage_gaussian(x: np.ndarray, sigma: float) -> Call:
    from skimage.filters import gaussian

    return lambda: gaussian(x, sigma, mode="mirror", preserve_range=True)


def cv_box(x: np.ndarray, k: int, threads: int) -> Call:
    cv2 = _opencv(threads)
    return lambda: cv2.blur(x, (k, k), borderType=cv2.BORDER_REFLECT_101)


def ndimage_box(x: np.ndarray, k: int) -> Call:
    from scipy.ndimage import uniform_filter

    return lambda: uniform_filter(x, k, mode="mirror")


# Layers and pools -----------------------------------------------------------------------------------------------------
def torch_call(threads: int, name: str, arrays: Sequence[np.ndarray], *args: Any, **options: Any) -> Call:
    """A function of torch.nn.functional, without the bookkeeping that gradients need."""
    torch = _torch(threads)
    function = getattr(torch.nn.functional, name)
    tensors = [torch.from_numpy(array) for array in arrays]

    def call():
        with torch.inference_mode():
            return function(*tensors, *args, **options)

    return call


def torch_conv_backward(threads: int, x: np.ndarray, weight: np.ndarray, grad_out: np.ndarray, *options: int) -> Call:
    """The backward pass alone, which autograd calls: gradients of input, weight and bias."""
    torch = _torch(threads)
    arrays = [torch.from_numpy(array) for array in (grad_out, x, weight)]
    axes, channels = x.ndim - 2, [weight.shape[0]]
    stride, padding, dilation = ([number] * axes for number in options[:3])
    back = torch.ops.aten.convolution_backward
    rest = (channels, stride, padding, dilation, False, [0] * axes, options[3], [True] * 3)

    def call():
        with torch.inference_mode():
            return tuple(back(*arrays, *rest))

    return call


def torch_backward(threads: int, name: str, x: np.ndarray, grad_out: np.ndarray, *arguments: int) -> Call:
    """The gradient of a pool from a graph that is kept, so that the backward pass alone is timed."""
    torch = _torch(threads)
    leaf = torch.from_numpy(x).requires_grad_()
    y, gradient = getattr(torch.nn.functional, name)(leaf, *arguments), torch.from_numpy(grad_out)
    return lambda: torch.autograd.grad(y, leaf, gradient, retain_graph=True)[0]


def _opencv(threads: int) -> Any:
    import cv2

    cv2.setNumThreads(threads)
    return cv2


def _torch(threads: int) -> Any:
    import torch

    torch.set_num_threads(threads)
    return torch
