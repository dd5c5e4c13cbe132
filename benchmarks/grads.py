"""Gradients of convolution layers: input, weight and bias at once, beside torch's."""

from functools import partial

import numpy as np

import sigconv as sc

from . import array_peers as peers
from .harness import Case, Summary, Target, Workload
from .layers import LAYERS, TORCH, Layer

TITLE = "Gradients of convolution layers"
SIZE, UNIT = None, ""  # each layer has its own
SUMMARIES = (Summary(name="geometric mean", part="", against=TORCH, ratio=1.1),)
SINGLE = ("LeNet-5 C3", "AlexNet 2", "VGG 1.2", "VGG 5.1", "ResNet-50 7x7/2", "ResNet-50 1x1, 64 to 256")
SINGLE += ("ResNet-50 3x3, 128", "depthwise 3x3, 64", "1080p RGB 5x5 to 8", "WaveNet 2, dilated by 256")
DOUBLE = ("LeNet-5 C3", "ResNet-50 3x3, 128", "depthwise 3x3, 64")


def workloads(size: None, threads: int) -> list[Workload]:
    """A choice of layers; peers use so many threads."""
    return [
        Workload(
            name=f"{name}, {dtype}",
            build=partial(backward, LAYERS[name], dtype, threads),
            target=Target(ratio=0.8, against=TORCH),
        )
        for dtype, names in (("float32", SINGLE), ("float64", DOUBLE))
        for name in names
    ]


def backward(layer: Layer, dtype: str, threads: int) -> Case:
    x, weight, _, grad_out = layer.arrays(dtype)
    function = getattr(sc.grad, f"conv{len(layer.x) - 2}d")
    return Case(
        ours=lambda: tuple(function(x, weight, grad_out, *layer.options)),
        x=max(x, weight, key=np.size),
        moved=2 * (x.nbytes + weight.nbytes) + grad_out.nbytes,
        flops=2 * layer.flops,
        peers={"torch": partial(peers.torch_conv_backward, threads, x, weight, grad_out, *layer.options)},
        tolerance=1e-4 if dtype == "float32" else None,  # a weight's gradient is a sum over every place of the batch
    )
