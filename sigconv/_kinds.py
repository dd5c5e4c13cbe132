"""Which kinds of numbers go in, are computed with, and come out of N-D filters."""

from typing import Any

import numpy as np

# below which every whole number is one of the kind
_EXACT: list[tuple[np.dtype, int]] = [(np.dtype(np.float32), 2**24), (np.dtype(np.float64), 2**53), (np.dtype(np.int64), 2**63)]


def numeric_array(name: str, x: Any) -> np.ndarray:
    """``x`` as an array of booleans, integers, floats or complex numbers, as it lies in memory."""
    if not isinstance(x, np.ndarray):
        if hasattr(x, "__cuda_array_interface__") or type(x).__module__.startswith("dask"):
            raise TypeError(
                f"{name} is a {type(x).__module__}.{type(x).__name__}; this version takes NumPy arrays on the CPU, "
                "no CUDA device's and no Dask arrays"
            )
        try:
            x = np.asarray(x)
        except ValueError as error:  # nested lists of different lengths
            raise ValueError(f"{name} must be an array of numbers: {error}") from None
    if x.dtype.kind not in "biufc":
        raise TypeError(f"{name} must hold numbers, got dtype {x.dtype}")
    return x


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


def computed_with(x: np.ndarray, weights: np.ndarray, result: np.dtype) -> np.dtype:
    """The real dtype that sums are made in: one that is exact where the result is an integer.

    Raises
    ------
    ValueError
        Where a sum of integers could be too large for int64.
    """
    if result.kind != "i":
        return np.dtype(np.float64 if result.itemsize > (8 if result.kind == "c" else 4) else np.float32)
    if x.dtype.itemsize < 8:
        info = np.iinfo(x.dtype) if x.dtype.kind != "b" else np.iinfo(np.uint8)
        most = max(-int(info.min), int(info.max))
    else:
        most = max(-int(x.min()), int(x.max())) if x.size else 0
    bound = most * sum(map(abs, weights.ravel().tolist()))
    for dtype, limit in _EXACT:
        if bound < limit:
            return dtype
    raise ValueError("weights must keep the sums of integers below 2**63; use floating weights for larger ones")


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
    if overflow == "wrap" and values.dtype.kind == "f" and (low.any() or high.any()):
        values = np.array([int(v) % 2**info.bits if np.isfinite(v) else 0 for v in values.ravel()], object)
        out[...] = values.reshape(out.shape).astype(np.uint64).astype(out.dtype)
        return
    if overflow == "wrap":
        out[...] = values.astype(out.dtype)
        return
    kept = np.where(low | high, 0, values)
    out[...] = kept.astype(out.dtype)
    out[low], out[high] = info.min, info.max
