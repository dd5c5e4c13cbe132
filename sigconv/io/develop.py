"""What stands between the samples of a picture and the filters: colour and opacity, light, rounding, which way is up.

A filter sees colours multiplied by their opacity, in floats where that matters, and what comes out is divided by the
opacity again, so that what nobody sees (the black under transparent pixels) leaks nowhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import lcm
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sigconv._kinds import as_dtype
from sigconv.io.images.curves import srgb

if TYPE_CHECKING:
    from sigconv.io.strips import Stage as Bands

_LARGE = 1 << 22  # bytes of a page from which on it is done in bands
_ROWS = 1 << 20  # samples that are worked on at once where it is done pixel by pixel
_NONE = {4: 1e-6, 8: 1e-12}  # opacity that is none, by the bytes of a float


class Stage(Protocol):
    """What this module asks of `sigconv.images.stages.Stage`."""

    text: Any
    apply: Any
    reach: Any
    total: Any
    exact: Any
    order: Any
    upright: Any
    whole: Any
    align: Any
    size: Any
    step: Any
    padding: Any


@dataclass(frozen=True)
class Recipe:
    """Stages, and what is done to samples before and after them.

    Attributes
    ----------
    stages : sequence of Stage
        In their order. What is between two is not rounded: integers become floats before the first that needs it, and
        are rounded, half to even, and brought into range once, after the last.
    border, cval
        What stands around the picture; a constant is opaque.
    linear : bool
        Filter amounts of light: samples are decoded by the curve that they follow, and encoded again.
    gamma : float, optional
        The exponent of that curve; sRGB's (IEC 61966-2-1), if none is given.
    scale, offset : float
        What comes of the stages, ``y``, becomes ``scale * y + offset``; opacity stays. In linear light, it is encoded
        after that.
    dtype : dtype, optional
        Of the result; the picture's, if none is given. Values are kept as they are, opacity goes by the full scale.
    stride : int
        Every so many-th pixel of the last result along rows and columns.
    """

    stages: Sequence[Stage]
    border: str = "mirror"
    cval: float = 0.0
    linear: bool = False
    gamma: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    dtype: Any = None
    stride: int = 1
    upright: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        turned = self.stride > 1 or any(stage.upright for stage in self.stages)
        object.__setattr__(self, "upright", turned)

    def bands(self, alpha: bool) -> "Bands | None":
        """The recipe for an image that comes band by band; None where a pixel may depend on all others."""
        if self.border == "wrap" or any(stage.whole for stage in self.stages):
            return None
        from sigconv.io.strips import Stage as Bands

        run = partial(self, alpha=alpha)
        block = self.stages[0] if len(self.stages) == 1 else None
        if block is not None and block.size * block.step > 1:
            return Bands(run, block.size, block.step, (block.padding, block.padding))
        align = lcm(*(stage.align for stage in self.stages))
        return Bands.around(run, *self.reach, stride=self.stride, align=align)

    def beside(self, samples: int, itemsize: int, alpha: bool) -> tuple[int, str]:
        """Bytes that it takes, at least, beside a page of so many samples in memory; why."""
        if self.bands(alpha) is not None:
            return 0, ""
        whole = next((f"{stage.text} looks at all of it at once" for stage in self.stages if stage.whole), "")
        return 2 * samples * (4 if itemsize == 1 else 8), whole or "border wrap joins its top and its bottom"

    @property
    def reach(self) -> tuple[int, int]:
        """Rows above and below a pixel that its result depends on."""
        above, below = (sum(stage.reach[k] for stage in self.stages) for k in (0, 1))
        return above, below

    def __call__(self, page: np.ndarray, alpha: bool = False) -> np.ndarray:
        """The result for samples of shape (rows, columns) or (rows, columns, channels), the last one opacity or not.

        Examples
        --------
        >>> Recipe([], scale=-1, offset=255)(np.array([[0, 100]], np.uint8))
        array([[255, 155]], dtype=uint8)
        """
        dtype = np.dtype(self.dtype) if self.dtype is not None else page.dtype
        plain = dtype == page.dtype and not alpha and not self.linear and self.scale == 1 and self.offset == 0
        if plain and self._keeps_integers(page.dtype):
            return self._thinned(self._run(page, self.cval, full_scale(page.dtype)))
        return self._in_floats(page, alpha, dtype)

    def over(self, page: np.ndarray, alpha: bool = False, progress: Callable[[int, int], None] | None = None) -> Any:
        """What calling it gives; of a large page band by band, which takes less time and far less memory.

        ``progress`` is told after each band how many rows are done, and how many there will be; it may raise.
        """
        bands = self.bands(alpha) if page.nbytes >= _LARGE else None
        if bands is None or not bands.height(len(page)):
            return self(page, alpha)
        from sigconv.io.strips import filter_array

        return filter_array(page, [bands], progress)

    def _keeps_integers(self, dtype: np.dtype) -> bool:
        """Whether integers through every stage give what rounding once gives.

        Rounding keeps the order of values, so that it may come before or after what picks one of them.
        """
        sums = [stage for stage in self.stages if not stage.order]
        if dtype.kind == "f":
            return len(sums) <= 1 or dtype.itemsize > 2
        return len(sums) <= 1 and (dtype.itemsize == 1 or all(stage.exact for stage in sums))

    def _run(self, values: np.ndarray, cval: float, full: float) -> np.ndarray:
        for stage in self.stages:
            values = stage.apply(values, self.border, cval, full)
        return values

    def _thinned(self, values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values[:: self.stride, :: self.stride]) if self.stride > 1 else values

    def _in_floats(self, page: np.ndarray, alpha: bool, dtype: np.dtype) -> np.ndarray:
        full = full_scale(page.dtype)
        real = np.dtype(np.float32 if page.dtype in (np.uint8, np.float16, np.float32) else np.float64)
        colours, opacity = apart(page, alpha)
        values = light(colours, real, self.gamma) if self.linear else colours.astype(real)
        cval = float(light(np.array(self.cval / full), real, self.gamma)) * full if self.linear else self.cval
        if opacity is None:
            y = self._thinned(self._run(values, cval, full))
            return self._finished(y, dtype, full)
        share = opacity.astype(real)
        share /= real.type(full)
        values *= _beside(share, values)
        for stage in self.stages:
            values = stage.apply(values, self.border, cval, full)
            if stage.total:
                share = stage.apply(share, self.border, 1.0, 1.0)
                share /= real.type(stage.total)
        values, share = self._thinned(values), self._thinned(share)
        seen = share > _NONE[real.itemsize]
        values /= _beside(np.where(seen, share, real.type(1)), values)
        y = self._finished(values, dtype, full)
        hidden = self._thinned(colours)
        if hidden.shape == y.shape and dtype == page.dtype:
            y[~seen] = hidden[~seen]  # nobody sees them: they stay what they were
        else:
            y[~seen] = 0
        np.clip(share, 0, 1, out=share)
        share *= real.type(full_scale(dtype))
        return np.dstack((y, as_dtype(share, dtype)))

    def _finished(self, y: np.ndarray, dtype: np.dtype, full: float) -> np.ndarray:
        if self.scale != 1:
            y *= y.dtype.type(self.scale)
        if self.offset:
            y += y.dtype.type(self.offset)
        return as_dtype(encoded(y, full, self.gamma) if self.linear else y, dtype)


def _beside(share: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Opacity as it goes with every colour."""
    return share if values.ndim == 2 else share[..., np.newaxis]


def full_scale(dtype: np.dtype) -> float:
    """What white and opaque are: the largest of integers, 1 for floats."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def light(samples: np.ndarray, real: np.dtype, gamma: float | None = None) -> np.ndarray:
    """Amounts of light, 0 to full scale, of samples encoded as sRGB has it, or by another exponent.

    Examples
    --------
    >>> light(np.array([0, 188, 255], np.uint8), np.dtype("float32")).round(1)
    array([  0. , 128.2, 255. ], dtype=float32)
    """
    full = full_scale(samples.dtype)
    if samples.dtype.kind in "iu" and samples.dtype.itemsize <= 2:
        return (_decoded(np.arange(full + 1) / full, gamma) * full).astype(real)[samples]
    return _by_rows(partial(_decoded, gamma=gamma), samples.astype(real), full)


def encoded(amounts: np.ndarray, full: float, gamma: float | None = None) -> np.ndarray:
    """Samples, 0 to full scale, of amounts of light; the other way round than `light`.

    Examples
    --------
    >>> encoded(np.array([0.0, 128.2, 255.0]), 255).round(1)
    array([  0., 188., 255.])
    """
    return _by_rows(partial(_encoded, gamma=gamma), amounts, full)


def _by_rows(function: Callable[[np.ndarray], np.ndarray], values: np.ndarray, full: float) -> np.ndarray:
    flat = values.reshape(-1)
    for lo in range(0, flat.size, _ROWS):
        part = flat[lo : lo + _ROWS]
        part[:] = function(part / full) * full
    return flat.reshape(values.shape)


def _decoded(v: np.ndarray, gamma: float | None) -> np.ndarray:
    return srgb(v) if gamma is None else np.copysign(np.abs(v) ** gamma, v)


def _encoded(v: np.ndarray, gamma: float | None) -> np.ndarray:
    size = np.abs(v)
    if gamma is not None:
        return np.copysign(size ** (1 / gamma), v)
    return np.copysign(np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055), v)


def apart(page: np.ndarray, alpha: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours, and opacity if the last channel is that; of one colour, the axis of channels goes."""
    if not alpha:
        return page, None
    return page[..., :-1] if page.shape[2] != 2 else page[..., 0], page[..., -1]


def turned(page: np.ndarray, orientation: int) -> np.ndarray:
    """The page as it is looked at, where its orientation is ``orientation``, 1 to 8, as EXIF and TIFF count them.

    Examples
    --------
    >>> turned(np.array([[1, 2, 3]]), 6)  # a quarter turn clockwise
    array([[1],
           [2],
           [3]])
    """
    if orientation >= 5:
        page = page.swapaxes(0, 1)
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    down, along = flips.get(orientation, (1, 1))
    return np.ascontiguousarray(page[::down, ::along])


def turned_back(page: np.ndarray, orientation: int) -> np.ndarray:
    """The other way round: `turned` of it is ``page``.

    Examples
    --------
    >>> page = np.arange(6).reshape(2, 3)
    >>> all((turned_back(turned(page, k), k) == page).all() for k in range(1, 9))
    True
    """
    return turned(page, {6: 8, 8: 6}.get(orientation, orientation))
