"""What layers share: their arrays as the engines take them, and the answer as the caller gave the input."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sigconv.checks import is_half, real_array, whole_number
from sigconv.geometry import Ints, Padding, Slide, convolution, transposed


class Answer(NamedTuple):
    """What the caller's input says about the result: its precision, and whether it is one sample or a batch."""

    dtype: np.dtype
    batched: bool

    def of(self, y: np.ndarray) -> np.ndarray:
        """A batch of results as the caller expects it."""
        return (y if self.batched else y[0]).astype(self.dtype, copy=False)


def layer_input(axes: int, x: Any) -> tuple[np.ndarray, Answer]:
    """``x`` as a contiguous batch (N, C, *spatial) of `layer_numbers`, and what becomes of the result."""
    values, dtype = layer_numbers("x", x)
    if values.ndim not in (axes + 1, axes + 2):
        raise ValueError(f"x must be (N, C, {_axes(axes)}) or (C, {_axes(axes)}), got the shape {values.shape}")
    answer = Answer(dtype, values.ndim == axes + 2)
    batch = np.ascontiguousarray(values if answer.batched else values[np.newaxis])
    if batch.shape[1] < 1:
        raise ValueError(f"x must have at least 1 channel, got the shape {values.shape}")
    if 0 in batch.shape[2:]:
        raise ValueError(f"x must have cells along each spatial axis, got the shape {values.shape}")
    return batch, answer


def layer_numbers(name: str, x: Any) -> tuple[np.ndarray, np.dtype]:
    """``x`` as an array of float32 or float64, and the dtype of what is made of it.

    Floats keep their precision, float16 is computed in float32; integers of up to 16 bits and bool become float32,
    larger ones float64. Nothing is copied where nothing changes.
    """
    narrow = type(x) is np.ndarray and x.dtype.kind in "iub" and x.dtype.itemsize <= 2
    values = x.astype(np.float32) if narrow else real_array(name, x)
    return values, np.dtype(np.float16) if is_half(x) else values.dtype


def layer_weight(axes: int, weight: Any, dtype: np.dtype) -> np.ndarray:
    """``weight`` as a contiguous array of ``dtype``: two axes of channels and the spatial ones, none of them empty."""
    values = np.ascontiguousarray(real_array("weight", weight), dtype)
    if values.ndim != axes + 2 or values.size == 0:
        expected = f"{axes + 2} axes, channels, channels and {_axes(axes)}, none of them empty"
        raise ValueError(f"weight must have {expected}, got the shape {values.shape}")
    return values


def layer_bias(bias: Any, channels: int, dtype: np.dtype) -> np.ndarray | None:
    """``bias`` as a contiguous array of ``dtype`` with a number for each output channel, or None."""
    if bias is None:
        return None
    values = np.ascontiguousarray(real_array("bias", bias), dtype)
    if np.shape(bias) != (channels,):
        raise ValueError(
            f"bias must be ({channels},), a number for each output channel, got the shape {np.shape(bias)}"
        )
    return values


_known = {of: lru_cache(maxsize=256)(of) for of in (convolution, transposed)}


def layer_slide(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: Ints, padding: Padding, dilation: Ints
) -> Slide:
    """How a layer's window slides."""
    return _slide(convolution, size, kernel, stride, padding, dilation)


def layer_slide_back(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    dilation: Ints,
) -> Slide:
    """How a transposed layer's window slides."""
    return _slide(transposed, size, kernel, stride, padding, output_padding, dilation)


def _slide(of: Callable[..., Slide], *arguments: Any) -> Slide:
    """The same shapes are asked for again and again."""
    return (_known[of] if all(map(_is_plain, arguments)) else of)(*arguments)


def _is_plain(value: Any) -> bool:
    """Whether value is equal to nothing that might be refused, as 1 is to True."""
    return type(value) in (int, str) or (type(value) is tuple and all(map(_is_plain, value)))


def layer_groups(groups: Any, **channels: int) -> int:
    """``groups``, which divides all the numbers of channels given."""
    groups = whole_number("groups", groups, 1)
    for name, count in channels.items():
        if count % groups:
            raise ValueError(f"groups must divide the {count} {name.replace('_', ' ')}, got {groups}")
    return groups


def layer_channels(x: np.ndarray, weight: np.ndarray, groups: int) -> None:
    """An error unless a convolution's weights see the channels that each group of x has."""
    if x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"weight must be (O, {x.shape[1] // groups}, ...) for {x.shape[1]} channels of x in {groups} groups, "
            f"got the shape {weight.shape}"
        )


def _axes(axes: int) -> str:
    return {1: "n", 2: "height, width", 3: "depth, height, width"}[axes]
