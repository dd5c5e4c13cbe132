"""Convolution layers of well-known networks, in single and double precision, beside torch's."""

from functools import partial
from typing import NamedTuple

import numpy as np

import sigconv as sc
from sigconv.geometry import convolution

from . import array_peers as peers
from .harness import Case, Summary, Target, Workload

TITLE = "Convolution layers"
SIZE, UNIT = None, ""  # each layer has its own
TORCH = ("torch",)
SUMMARIES = tuple(
    Summary(name=f"geometric mean, {dtype}", part=dtype, against=TORCH, ratio=ratio)
    for dtype, ratio in (("float32", 1.3), ("float64", 1.5))
)


class Layer(NamedTuple):
    """The shapes of a layer's input and weight, and its options."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def options(self) -> tuple[int, int, int, int]:
        return self[2:]

    @property
    def output(self) -> tuple[int, ...]:
        n, k = self.x[2:], self.weight[2:]
        slide = convolution(n, k, self.stride, self.padding, self.dilation)
        return (self.x[0], self.weight[0], *slide.output)

    def arrays(self, dtype: str) -> list[np.ndarray]:
        """Input, weight, bias and the output's gradient: noise, always the same."""
        rng = np.random.default_rng(1)
        shapes = (self.x, self.weight, self.weight[:1], self.output)
        return [rng.standard_normal(shape).astype(dtype) for shape in shapes]

    @property
    def flops(self) -> float:
        """Of a pass forward: a product and a sum for each weight at every place."""
        return 2.0 * np.prod(self.output) * np.prod(self.weight[1:])


LAYERS = {
    "LeNet-5 C1": Layer((64, 1, 32, 32), (6, 1, 5, 5)),
    "LeNet-5 C3": Layer((64, 6, 14, 14), (16, 6, 5, 5)),
    "AlexNet 1": Layer((4, 3, 227, 227), (96, 3, 11, 11), stride=4),
    "AlexNet 2": Layer((4, 96, 27, 27), (256, 48, 5, 5), padding=2, groups=2),
    "AlexNet 3": Layer((4, 256, 13, 13), (384, 256, 3, 3), padding=1),
    "VGG 1.1": Layer((1, 3, 224, 224), (64, 3, 3, 3), padding=1),
    "VGG 1.2": Layer((1, 64, 224, 224), (64, 64, 3, 3), padding=1),
    "VGG 3.2": Layer((1, 256, 56, 56), (256, 256, 3, 3), padding=1),
    "VGG 5.1": Layer((1, 512, 14, 14), (512, 512, 3, 3), padding=1),
    "ResNet-50 7x7/2": Layer((4, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3),
    "ResNet-50 1x1, 64 to 256": Layer((4, 64, 56, 56), (256, 64, 1, 1)),
    "ResNet-50 3x3, 128": Layer((4, 128, 28, 28), (128, 128, 3, 3), padding=1),
    "ResNet-50 1x1/2, 256 to 512": Layer((4, 256, 56, 56), (512, 256, 1, 1), stride=2),
    "ResNet-50 3x3, 512": Layer((4, 512, 7, 7), (512, 512, 3, 3), padding=1),
    "depthwise 3x3, 64": Layer((4, 64, 112, 112), (64, 1, 3, 3), padding=1, groups=64),
    "depthwise 3x3/2, 128": Layer((4, 128, 56, 56), (128, 1, 3, 3), stride=2, padding=1, groups=128),
    "depthwise 3x3, 512": Layer((4, 512, 14, 14), (512, 1, 3, 3), padding=1, groups=512),
    "1080p RGB 5x5 to 8": Layer((1, 3, 1080, 1920), (8, 3, 5, 5), padding=2),
    "WaveNet 2, dilated by 256": Layer((4, 64, 16000), (128, 64, 2), dilation=256),
    "fully connected 2048 to 1000": Layer((64, 2048, 1, 1), (1000, 2048, 1, 1)),
}
LARGE_RATIO = ("depthwise", "1080p")


def workloads(size: None, threads: int) -> list[Workload]:
    """Every layer in both precisions; peers use so many threads."""
    return [
        Workload(name=f"{name}, {dtype}", build=partial(forward, layer, dtype, threads), target=target(name, dtype))
        for dtype in ("float32", "float64")
        for name, layer in LAYERS.items()
    ]


def target(name: str, dtype: str) -> Target:
    """No layer may be slower, and those that torch has no fast way for are to be much faster."""
    wanted = dtype == "float32" and name.startswith(LARGE_RATIO)
    return Target(ratio=3 if wanted else 0.95, against=TORCH)


def forward(layer: Layer, dtype: str, threads: int) -> Case:
    x, weight, bias, y = layer.arrays(dtype)
    name = f"conv{len(layer.x) - 2}d"
    function = getattr(sc, name)
    return Case(
        ours=lambda: function(x, weight, bias, *layer.options),
        x=max(x, weight, key=np.size),
        moved=x.nbytes + weight.nbytes + y.nbytes,
        flops=layer.flops,
        peers={"torch": partial(peers.torch_call, threads, name, (x, weight, bias), *layer.options)},
    )
