"""Which kinds of numbers go in, are computed with, and come out of N-D filters."""

import sys
from typing import Any

import numpy as np

from sigconv.checks import cpu_array

# below which every whole number is one of the kind
_EXACT: list[tuple[np.dtype, int]] = [
    (np.dtype(np.float32), 2**24), (np.dtype(np.float64), 2**53), (np.dtype(np.int64), 2**63)
]  # fmt: skip


def numeric_array(name: str, x: Any) -> np.ndarray:
    """``x`` as an array of booleans, integers, floats or complex numbers, as it lies in memory.

    What an array of numpy.ma masks becomes NaN.
    """
    x = cpu_array(name, x)
    if x.dtype.kind not in "biufc":
        raise TypeError(f"{name} must hold numbers, got dtype {x.dtype}")
    if "numpy.ma" in sys.modules and np.ma.is_masked(x):  # which is not imported to learn that it was not
        x = np.ma.filled(x.astype(x.dtype if x.dtype.kind in "fc" else _float_of(x.dtype)), np.nan)
    return np.asarray(x)


def result_dtype(x: np.dtype, weights: np.dtype) -> np.dtype:
    """What a weighted sum of ``x`` is: floats stay, integers become int64 or, weighed by floats, floats."""
    if x.kind == "c" or weights.kind == "c":
        single = _float_of(x).itemsize <= 4
        return np.dtype(np.complex64 if single else np.complex128)
    if x.kind == "f":
        return np.dtype(np.float64) if x.itemsize > 8 else x.newbyteorder("=")
    return _float_of(x) if weights.kind == "f" else np.dtype(np.int64)


def _float_of(x: np.dtype) -> np.dtype:
    """The real float for a kind: single where it holds every number of the kind."""
    small = {"c": 8, "f": 4}.get(x.kind, 2)
    return np.dtype(np.float32 if x.itemsize <= small else np.float64)


def computed_with(result: np.dtype, largest: int) -> np.dtype:
    """The real dtype that sums are made in: where the result is an integer, one that holds the ``largest`` sum.

    Raises
    ------
    ValueError
        Where a sum of integers could be too large for int64.
    """
    if result.kind != "i":
        return np.dtype(np.float64 if result.itemsize > (8 if result.kind == "c" else 4) else np.float32)
    for dtype, limit in _EXACT:
        if largest < limit:
            return dtype
    raise ValueError("weights must keep the sums of integers below 2**63; use floating weights for larger ones")


def largest_sum(x: np.ndarray, weights: np.ndarray, outside: int) -> int:
    """What no sum of integers exceeds, ``outside`` being the value beyond the array."""
    if x.dtype.kind == "b":
        most = 1
    elif x.dtype.itemsize < 8:
        info = np.iinfo(x.dtype)
        most = max(-int(info.min), int(info.max))
    else:
        most = max(-int(x.min()), int(x.max())) if x.size else 0
    return max(most, abs(outside)) * sum(map(abs, weights.ravel().tolist()))


def into_integers(values: np.ndarray, out: np.ndarray, overflow: str) -> None:
    """Put numbers into an integer array: floats are rounded half to even, what does not fit as ``overflow`` says."""
    info = np.iinfo(out.dtype)
    if values.dtype.kind == "f":
        if np.isnan(values).any():
            raise ValueError(f"out_dtype {out.dtype} cannot hold NaN, which the result has")
        values = np.rint(values)
    low, high = values < info.min, values >= info.max + 1.0 if values.dtype.kind == "f" else values > info.max
    if overflow == "raise" and (low.any() or high.any()):
        raise ValueError(f"out_dtype {out.dtype} must hold the result, which is in [{values.min()}, {values.max()}]")
    if overflow == "wrap":
        out[...] = (_wrapped(values) if values.dtype.kind == "f" else values).astype(out.dtype)
        return
    kept = np.where(low | high, 0, values)
    out[...] = kept.astype(out.dtype)
    out[low], out[high] = info.min, info.max


def as_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats as ``dtype``, in whose place they may be rounded: integers half to even and kept in range.

    Raises
    ------
    ValueError
        Where a NaN would have to become an integer.

    Examples
    --------
    >>> as_dtype(np.array([-3.0, 0.5, 1.5, 300.0]), np.dtype("uint8"))
    array([  0,   0,   2, 255], dtype=uint8)
    """
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    if values.size and np.isnan(values.min()):
        raise ValueError(f"{dtype} cannot hold NaN, which the result has")
    info = np.iinfo(dtype)
    if info.bits < values.itemsize * 8:  # both ends are floats of the kind
        np.rint(values, out=values)
        return np.clip(values, info.min, info.max, out=values).astype(dtype)
    out = np.empty(values.shape, dtype)
    into_integers(values, out, "saturate")
    return out


def _wrapped(values: np.ndarray) -> np.ndarray:
    """Whole numbers modulo 2**64, as int64; infinities have no remainder and become 0."""
    with np.errstate(invalid="ignore"):
        left = np.fmod(values, 2.0**64)
    left = np.where(np.isfinite(left), left, 0)
    return (left - np.where(left >= 2.0**63, 2.0**64, 0) + np.where(left < -(2.0**63), 2.0**64, 0)).astype(np.int64)
