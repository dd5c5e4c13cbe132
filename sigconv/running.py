"""Running filters over arrays of any number of dimensions: the mean, the smallest and the largest of a window."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sigconv.borders import border_name
from sigconv.checks import axis_of, is_half, real_array
from sigconv.engines.cpu.linear import running_filters
from sigconv.engines.cpu.linear.running_filters import Window
from sigconv.geometry import per_axis

Ints = int | Sequence[int]


def uniform_filter(
    x: Any, size: Ints, *, border: str | None = None, cval: float = 0.0, origin: Ints = 0, axes: Ints | None = None
) -> np.ndarray:
    """The mean of the ``size`` cells around each cell, along each axis.

    ``y[i] = sum(x[i - size // 2 - origin + j] for j in range(size)) / size``, along one axis after another, as
    ``scipy.ndimage.uniform_filter`` has it. Nothing is subtracted: what left a window leaves no trace, and a NaN or an
    infinity is in the windows that hold it and in no other.

    Parameters
    ----------
    x : array_like of real numbers, any shape
        It is not changed.
    size : int or sequence of int
        Cells of the window along each of ``axes``, at least 1; an even one has one cell more before than after.
    border : str, optional
        What stands beyond the edges, as `sigconv.borders` has it; "reflect" (d c b a | a b c d | d c b a) where none
        is given.
    cval : float
        The value beyond the edges of border "constant".
    origin : int or sequence of int
        How many cells the result moves towards higher indices, in [-(size // 2), (size - 1) // 2].
    axes : int or sequence of int, optional
        The axes filtered, all where none are given.

    Returns
    -------
    ndarray, shape of ``x``
        Floats keep their dtype (float16 is computed in float32). Integers give float32 up to 16 bits and float64
        above, not rounded to integers as in scipy.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Notes
    -----
    The time does not depend on the size but for its logarithm. Windows of float32 are summed in float32, and overflow
    as float32 does, unless they have more than 64 cells along an axis: those are summed in float64. An input that is
    not contiguous, or of integers of more than 8 bits, is copied into the result first.

    Examples
    --------
    >>> uniform_filter([0.0, 0.0, 6.0, 0.0, 0.0], 3)
    array([0., 2., 2., 2., 0.])
    >>> uniform_filter([[1, 2], [3, 4]], (1, 2), border="constant")
    array([[0.5, 1.5],
           [1.5, 3.5]])
    """
    x = _numbers(x)
    windows = _windows(x.ndim, size, origin, axes)
    y = running_filters.means(x, windows, _border(border), _number(cval))
    return y.astype(np.float16) if is_half(x) else y


def minimum_filter(
    x: Any, size: Ints, *, border: str | None = None, cval: float = 0.0, origin: Ints = 0, axes: Ints | None = None
) -> np.ndarray:
    """The smallest of the ``size`` cells around each cell, along each axis: a grey erosion.

    ``y[i] = min(x[i - size // 2 - origin + j] for j in range(size))``, as ``scipy.ndimage.minimum_filter`` has it, but
    that a window which holds a NaN gives NaN.

    Parameters
    ----------
    x, size, border, origin, axes
        As in `uniform_filter`.
    cval : float
        The value beyond the edges of border "constant"; where ``x`` holds integers it must be one of their dtype.

    Returns
    -------
    ndarray, shape and dtype of ``x``

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Notes
    -----
    float32, float64, and integers of 8 and 64 bits are compared as they are, others as floats that hold them exactly.

    Examples
    --------
    >>> minimum_filter([5, 3, 4, 6, 1], 3)
    array([3, 3, 3, 1, 1])
    """
    return _extremes(x, size, border, cval, origin, axes, largest=False)


def maximum_filter(
    x: Any, size: Ints, *, border: str | None = None, cval: float = 0.0, origin: Ints = 0, axes: Ints | None = None
) -> np.ndarray:
    """The largest of the ``size`` cells around each cell, along each axis: a grey dilation.

    ``y[i] = max(x[i - size // 2 - origin + j] for j in range(size))``, as ``scipy.ndimage.maximum_filter`` has it, but
    that a window which holds a NaN gives NaN.

    Parameters
    ----------
    x, size, border, cval, origin, axes
        As in `minimum_filter`.

    Returns
    -------
    ndarray, shape and dtype of ``x``

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind.

    Examples
    --------
    >>> maximum_filter([5, 3, 4, 6, 1], 3, origin=-1)
    array([5, 6, 6, 6, 6])
    """
    return _extremes(x, size, border, cval, origin, axes, largest=True)


def _extremes(
    x: Any, size: Ints, border: str | None, cval: float, origin: Ints, axes: Ints | None, largest: bool
) -> np.ndarray:
    x = _numbers(x)
    windows, border = _windows(x.ndim, size, origin, axes), _border(border)
    if x.dtype.kind in "iub":
        low, high = (0, 1) if x.dtype.kind == "b" else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
        if not low <= _number(cval) <= high or cval != int(cval):
            raise ValueError(f"cval must be a whole number in [{low}, {high}] for an array of {x.dtype}, got {cval!r}")
    return running_filters.extremes(x, windows, border, _number(cval), largest)


def _numbers(x: Any) -> np.ndarray:
    """``x`` as a native array of float16, float32, float64, integers or bool."""
    x = np.asarray(x) if isinstance(x, (list, tuple, int, float)) else x
    kept = type(x) is np.ndarray and (x.dtype.kind in "iub" or is_half(x))
    x = x.astype(x.dtype.newbyteorder("="), copy=False) if kept else real_array("x", x)
    if x.ndim == 0:
        raise ValueError(f"x must have at least one axis, got {x!r:.80}")
    return x


def _number(cval: Any) -> float:
    if isinstance(cval, (bool, str)) or not isinstance(cval, (int, float, np.number)):
        raise TypeError(f"cval must be a number, got {cval!r:.80}")
    return cval if isinstance(cval, int) else float(cval)


def _border(border: str | None) -> str:
    return "reflect" if border is None else border_name(border)


def _windows(ndim: int, size: Ints, origin: Ints, axes: Ints | None) -> dict[int, Window]:
    """The window along each axis."""
    if axes is None:
        chosen = list(range(ndim))
    else:
        chosen = [axis_of(axis, ndim) for axis in (axes if isinstance(axes, Iterable) else (axes,))]
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"axes must be different, got {axes!r:.80}")
    sizes = per_axis("size", size, len(chosen))
    origins = per_axis("origin", origin, len(chosen), -(2**62))
    for k, n in zip(origins, sizes, strict=True):
        if not -(n // 2) <= k <= (n - 1) // 2:
            raise ValueError(f"origin must be in [{-(n // 2)}, {(n - 1) // 2}] for a size of {n}, got {k}")
    return {axis: Window(n, n // 2 + k) for axis, n, k in zip(chosen, sizes, origins, strict=True)}
