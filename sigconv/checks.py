"""Arguments: arrays as the engines take them, and one line for whatever is wrong."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from sigconv._durations import parse_duration

_NATIVE = np.dtype(np.float32), np.dtype(np.float64)

INITIAL = ("renormalize", "first", "zero", "nan")
NAN_POLICY = ("omit", "keep", "propagate", "raise")
MEASURE = ("sample", "hold", "linear")


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """``value`` where it is one of the names allowed."""
    if isinstance(value, str) and value in allowed:
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r:.80}")


def whole_number(name: str, value: Any, least: int) -> int:
    """``value`` as an int of at least ``least``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {value!r:.80}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def positive(name: str, value: Any) -> float:
    """``value`` as a finite number above zero."""
    number = _number(name, value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}")
    return number


def not_negative(name: str, value: Any) -> float:
    """``value`` as a finite number of at least zero."""
    number = _number(name, value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    return number


def _number(name: str, value: Any) -> float:
    if isinstance(value, (bool, np.bool_, str)):
        raise TypeError(f"{name} must be a number, got {value!r:.80}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r:.80}") from None


def duration(name: str, value: Any) -> int:
    """A duration such as "10s", a timedelta or a timedelta64, as whole nanoseconds above zero."""
    try:
        ns = parse_duration(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    if ns <= 0:
        raise ValueError(f"{name} must be a duration above 0, got {value!r}")
    return ns


def cpu_array(name: str, x: Any) -> np.ndarray:
    """``x`` as an array of whatever it holds, if it lies where this version computes."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__cuda_array_interface__") or type(x).__module__.startswith("dask"):
        raise TypeError(
            f"{name} is a {type(x).__module__}.{type(x).__name__}; this version takes NumPy arrays on the CPU, "
            "no CUDA device's and no Dask arrays"
        )
    try:
        return np.asarray(x)
    except ValueError as error:  # nested lists of different lengths
        raise ValueError(f"{name} must be an array of numbers: {error}") from None


def real_array(name: str, x: Any) -> np.ndarray:
    """``x`` as a native float32 or float64 array: floats keep their precision, integers become float64.

    Nothing is copied where nothing changes.
    """
    if type(x) is np.ndarray and x.dtype in _NATIVE:
        return x
    x = cpu_array(name, x)
    if "numpy.ma" in sys.modules and np.ma.isMaskedArray(x):  # which is not imported to learn that it was not
        x = np.ma.filled(x.astype(_real_dtype(name, x.dtype)), np.nan)
    if x.dtype == object:
        try:
            return x.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must hold numbers, got an array of Python objects") from None
    return np.asarray(x, _real_dtype(name, x.dtype))


def is_half(x: Any) -> bool:
    """Whether ``x`` is an array of float16, in whatever order its bytes are."""
    dtype = getattr(x, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize == 2


def _real_dtype(name: str, dtype: np.dtype) -> np.dtype:
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    if dtype.kind in "iub":
        return np.dtype(np.float64)
    if dtype.kind == "O":
        return dtype
    raise TypeError(f"{name} must hold real numbers, got dtype {dtype}")


def axis_of(axis: Any, ndim: int) -> int:
    """``axis`` counted from the front."""
    axis = whole_number("axis", axis, -(2**31))
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis must be in [{-ndim}, {ndim - 1}] for an array of {ndim} dimensions, got {axis}")
    return axis % ndim


def output_array(out: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """An error unless ``out`` can take the result."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"out must have the shape of the result, {shape}, got {out.shape}")
    if out.dtype != dtype:
        raise ValueError(f"out must have the dtype of the result, {dtype}, got {out.dtype}")
    if not out.flags.writeable:
        raise ValueError("out must be writeable")
