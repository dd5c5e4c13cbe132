"""Convolution layers: sums over channels and the cells of a window, for every output channel."""

from itertools import product
from typing import Any

import numpy as np

from sigconv.borders import index_of
from sigconv.geometry import Slide


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, slide: Slide, groups: int = 1, border: str = "constant"
) -> np.ndarray:
    """What a layer makes of ``x`` (N, C, *spatial): y (N, O, *slide.output).

    ``weight`` is (O, C / groups, *kernel) and ``bias`` (O,) or None, all of one dtype, float32 or float64, and
    C-contiguous. Each output is one chain of multiply-adds from its bias on, channel by channel and through each
    channel's window row by row: its bits depend on neither threads nor sizes.
    """
    axes = len(slide.size)
    y = np.zeros((len(x), len(weight), *slide.output), x.dtype)
    if bias is not None:
        y += bias.reshape(-1, *(1,) * axes)
    per_group = len(weight) // groups
    for n, g in product(range(len(x)), range(groups)):
        inside = x[n, g * weight.shape[1] : (g + 1) * weight.shape[1]]
        filters = weight[g * per_group : (g + 1) * per_group]
        for cell in product(*map(range, slide.kernel)):
            part = inside
            for axis, j in enumerate(cell):
                places = np.arange(slide.output[axis]) * slide.stride[axis] + j * slide.dilation[axis]
                found = index_of(places - slide.before[axis], slide.size[axis], border)
                part = part.take(np.maximum(found, 0), axis + 1)
                part[(slice(None),) * (axis + 1) + (found < 0,)] = 0
            y[n, g * per_group : (g + 1) * per_group] += np.tensordot(
                filters[(slice(None), slice(None), *cell)], part, 1
            )
    return y


def describe(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], dtype: Any, slide: Slide, groups: int = 1
) -> dict[str, Any]:
    """How `convolve` would go about such arrays: the method, its tile and the bytes of scratch a thread needs."""
    return {"method": "taps", "tile": None, "workspace": 0}
