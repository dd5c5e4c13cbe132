"""What pools share: their arrays as the engine takes them, the answer as the caller gave the input, their windows."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import inf, isinf, prod
from typing import Any, NamedTuple

import numpy as np

from sigconv._layer_arguments import layer_input
from sigconv.checks import positive, whole_number
from sigconv.engines.cpu.pools import pools
from sigconv.engines.cpu.pools.means import mapped
from sigconv.engines.cpu.pools.windows import Windows, windows_of
from sigconv.engines.cpu.results import apart_from
from sigconv.geometry import Ints, Padding, Slide, per_axis, pooling, transposed

Sizes = int | Iterable[int | None] | None


class Images(NamedTuple):
    """Input as (images, d, h, w), and what its answer is like: the axes ahead of the spatial ones, and the dtype."""

    cells: np.ndarray
    size: tuple[int, ...]
    lead: tuple[int, ...]
    dtype: np.dtype

    def answer(self, y: np.ndarray, output: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        """Results (images, d, h, w) as the caller expects them."""
        return y.reshape(self.lead + output).astype(dtype or self.dtype, copy=False)


def images_of(axes: int, x: Any) -> Images:
    """``x`` as contiguous float32 or float64 images; see `layer_input`."""
    batch, answer = layer_input(axes, x)
    size = batch.shape[2:]
    lead = batch.shape[:2] if answer.batched else batch.shape[1:2]
    return Images(stacked(batch, axes), size, lead, answer.dtype)


def stacked(x: np.ndarray, axes: int) -> np.ndarray:
    """(.., spatial axes) as (images, d, h, w)."""
    lead, size = x.shape[:-axes], x.shape[x.ndim - axes :]
    return np.ascontiguousarray(x).reshape(prod(lead), *(1,) * (3 - axes), *size)


def slide_of(
    size: tuple[int, ...],
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> Slide:
    """`geometry.pooling`, whose kernel is named as pools name it."""
    try:
        return pooling(size, kernel_size, stride, padding, dilation, bool(ceil_mode))
    except (ValueError, TypeError) as error:
        raise type(error)(re.sub(r"^kernel\b", "kernel_size", str(error))) from None


@lru_cache(64)
def divisors(slide: Slide, include_pad: bool = False, override: Any = None) -> pools.Counts:
    """What the sum of each window is divided by: its cells, those of the padding included or not."""
    windows = windows_of(slide)
    counts = [axis.cells.astype(np.float64) for axis in windows.axes]
    if override is not None:
        counts = [np.ones(len(count)) for count in counts]
        counts[2] *= override
    elif include_pad:
        named = zip(slide.size, slide.kernel, slide.stride, slide.dilation, slide.before, slide.after, strict=True)
        for axis, (n, kernel, stride, gap, before, after) in enumerate(named, 3 - len(slide.size)):
            start = np.arange(len(counts[axis])) * stride - before
            counts[axis] = np.minimum(-((start - n - after) // gap), kernel).astype(np.float64)
    return np.outer(counts[0], counts[1]).ravel(), counts[2]


class Greatest(NamedTuple):
    """The largest number of windows in the caller's dtype, and where it stands."""

    values: np.ndarray
    places: np.ndarray | None


def pool_greatest(axes: int, x: Any, windows: Callable[[tuple[int, ...]], Windows], places: bool) -> Greatest:
    """Max pools of floats and, exactly, of integers; ``windows`` is told the spatial sizes."""
    values, back = _ordered(x)
    images = images_of(axes, values)
    over = windows(images.size)
    output = over.output[3 - axes :]
    if places:
        y, where = pools.greatest_places(images.cells, over)
        return Greatest(back(images.answer(y, output)), images.answer(where, output, np.int64))
    return Greatest(back(images.answer(pools.greatest(images.cells, over), output)), None)


def _ordered(x: Any) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """Floats in the order of ``x``, and the way back from some of them, -inf being the least number."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iub":
        return x, lambda y: y
    native = x.dtype.newbyteorder("=")
    least = False if native.kind == "b" else np.iinfo(native).min
    if native.itemsize < 8:
        return x, lambda y: np.where(np.isneginf(y), least, y).astype(native)
    known, ranks = np.unique(x, return_inverse=True)
    if not len(known):
        return x, lambda y: y.astype(native)
    known = known.astype(native)
    return ranks.reshape(x.shape), lambda y: np.where(
        np.isneginf(y), least, known[np.maximum(y, 0).astype(np.int64)]
    ).astype(native)


def norm_of(norm_type: Any) -> float:
    """The order of a norm: a number above 0, or infinity."""
    return inf if isinstance(norm_type, float) and norm_type == inf else positive("norm_type", norm_type)


def pool_powers(cells: np.ndarray, windows: Windows, p: float) -> np.ndarray:
    """(sum |x|^p)^(1/p) of each window."""
    if isinf(p):
        return np.maximum(pools.greatest(np.abs(cells), windows), 0)
    if p == int(p) and p <= 8:
        sums = pools.powers(cells, windows, int(p))
    else:
        sums = pools.total(mapped(lambda v: np.abs(v) ** cells.dtype.type(p), cells), windows)
    if p in (1, 2):
        return sums
    root = np.cbrt if p == 3 else lambda v: v ** v.dtype.type(1 / p)
    return mapped(root, sums)


def adaptive_output(size: tuple[int, ...], output_size: Sizes) -> tuple[int, ...]:
    """An adaptive pool's output: a number for all axes or one for each, where None keeps the axis as it is."""
    axes = len(size)
    if isinstance(output_size, Iterable) and not isinstance(output_size, str):
        asked = tuple(output_size)
    else:
        asked = (output_size,) * axes
    if len(asked) != axes:
        raise ValueError(f"output_size must be a whole number or None, or {axes} of them, got {output_size!r:.80}")
    return tuple(
        n if wanted is None else whole_number("output_size", wanted, 1) for n, wanted in zip(size, asked, strict=True)
    )


def places_of(name: str, indices: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Indices as contiguous int64 of the given shape."""
    where = np.asarray(indices)
    if where.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold whole numbers, got dtype {where.dtype}")
    if where.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {where.shape}")
    return np.ascontiguousarray(where, np.int64)


def no_place_outside(name: str, outside: int, size: tuple[int, ...]) -> None:
    """An error where indices were outside their image."""
    if outside:
        cells = prod(size)
        raise ValueError(f"{name} must be in [0, {cells - 1}], a cell of {size}, got {outside} that are not")


def finite(name: str, value: Any) -> float:
    """A number that is neither NaN nor infinite."""
    if isinstance(value, (bool, np.bool_, str)) or not np.isscalar(value):
        raise TypeError(f"{name} must be a number, got {value!r:.80}")
    number = float(value)  # type: ignore[arg-type]
    if not np.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return number


def divisor_of(override: Any) -> int | None:
    """What sums are divided by, where it is given: any whole number but 0."""
    if override is None:
        return None
    number = whole_number("divisor_override", override, -(2**62))
    if number == 0:
        raise ValueError("divisor_override must not be 0, got 0")
    return number


def axes_of(x: Any) -> int:
    """How many spatial axes follow (N, C)."""
    axes = np.ndim(x) - 2
    if not 1 <= axes <= 3:
        raise ValueError(f"x must be (N, C, *spatial) with 1 to 3 spatial axes, got the shape {np.shape(x)}")
    return axes


def cells_of(windows: Windows) -> pools.Counts:
    """How many cells each window has."""
    deep, high, wide = (axis.cells.astype(np.float64) for axis in windows.axes)
    return np.outer(deep, high).ravel(), wide


def unpooled(axes: int, x: Any, indices: Any, window: tuple[Any, Any, Any], output_size: Any) -> np.ndarray:
    """Numbers at their places, zeros elsewhere."""
    images = images_of(axes, x)
    size = _unpooled_size(images.size, *window, output_size)
    where = places_of("indices", indices, images.lead + images.size)
    out = apart_from(images.cells, (len(images.cells), *(1,) * (3 - axes), *size))
    outside = pools.put(images.cells, stacked(where, axes), out)
    no_place_outside("indices", outside, size)
    return images.answer(out, size)


def _unpooled_size(n: tuple[int, ...], kernel: Any, stride: Any, padding: Any, asked: Any) -> tuple[int, ...]:
    axes = len(n)
    steps = per_axis("stride", kernel if stride is None else stride, axes)
    try:
        most = transposed(n, kernel, steps, padding, [step - 1 for step in steps]).output
    except (ValueError, TypeError) as error:
        raise type(error)(re.sub(r"^kernel\b", "kernel_size", str(error))) from None
    named = padding in ("same", "same_lower")
    size = tuple(cells if named else cells - step + 1 for cells, step in zip(most, steps, strict=True))
    if asked is None and min(size) < 1:
        raise ValueError(f"padding must leave at least 1 cell of output along each axis, got {padding!r} and {size}")
    if asked is None:
        return size
    given = tuple(asked)[-axes:] if isinstance(asked, Iterable) and len(tuple(asked)) >= axes else asked
    wanted = per_axis("output_size", given, axes)
    for axis, (natural, step, cells) in enumerate(zip(size, steps, wanted, strict=True)):
        if not natural - step < cells < natural + step:
            bounds = f"[{max(natural - step + 1, 1)}, {natural + step - 1}]"
            raise ValueError(f"output_size must be in {bounds} on axis {axis}, got {cells}")
    return wanted
