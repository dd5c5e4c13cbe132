"""Gradients: what a change of each number that an operation was given does to the loss at its end."""

from sigconv.grad.layers import (
    LayerGradients,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)

__all__ = [
    "LayerGradients",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]
