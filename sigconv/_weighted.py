"""One call of correlate or convolve: its arguments checked, its plan, and the way from the input to the output."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sigconv._kinds import computed_with, into_integers, numeric_array, result_dtype
from sigconv.borders import border_name
from sigconv.checks import choice, output_array
from sigconv.engines.cpu import correlations, slabs
from sigconv.geometry import effective_kernel, per_axis
from sigconv.plan_linear import METHODS, plan_linear
from sigconv.sliding import Sliding

MODES = ("same", "valid", "full")
NAN_POLICIES = ("propagate", "omit")
OVERFLOWS = ("saturate", "wrap", "raise")


@dataclass(frozen=True)
class Asked:
    """The options of a call, as they came."""

    mode: Any
    border: Any
    cval: Any
    origin: Any
    axes: Any
    stride: Any
    dilation: Any
    nan_policy: Any
    method: Any
    out_dtype: Any
    overflow: Any


def weighted(x: Any, weights: Any, asked: Asked, flipped: bool, out: np.ndarray | None) -> np.ndarray:
    call = Call(x, weights, asked, flipped)
    if out is None:
        out = np.empty(call.sliding.output, call.dtype)
    else:
        output_array(out, call.sliding.output, call.dtype)
        if np.may_share_memory(out, call.x) or np.may_share_memory(out, call.w):
            out[...] = weighted(x, weights, asked, flipped, None)
            return out
    if out.size:
        call.run(out)
    return out


class Call:
    """A call's arguments, checked, with the weights spread over all axes of x, and its plan."""

    def __init__(self, x: Any, weights: Any, asked: Asked, flipped: bool) -> None:
        self.x = numeric_array("x", x)
        w = numeric_array("weights", weights)
        if self.x.ndim == 0:
            raise ValueError("x must have at least one dimension, got a single number")
        self.mode = choice("mode", asked.mode, MODES)
        self.omits = choice("nan_policy", asked.nan_policy, NAN_POLICIES) == "omit"
        self.overflow = choice("overflow", asked.overflow, OVERFLOWS)
        method = choice("method", asked.method, METHODS)
        border = {"full": "constant"}.get(self.mode, "reflect") if asked.border is None else asked.border
        self.border = border_name(border)
        self.cval = asked.cval
        axes = _axes(asked.axes, self.x.ndim)
        if w.ndim != len(axes):
            raise ValueError(f"weights must have a dimension for each of {len(axes)} axes, got shape {w.shape}")
        if not w.size:
            raise ValueError(f"weights must hold at least one number, got shape {w.shape}")
        self.sliding, flip = self._slide(w.shape, axes, asked, flipped)
        order = np.argsort(axes)
        w = w.transpose(order) if w.ndim else w
        w = w.reshape(self.sliding.kernel)
        if flip:
            w = np.flip(w)
        elif w.dtype.kind == "c":
            w = w.conj()
        self.w = w
        natural = result_dtype(self.x.dtype, w.dtype)
        self.dtype = _out_dtype(asked.out_dtype, natural)
        sums = computed_with(self.x, w, natural)
        if self.omits and natural.kind == "c":
            raise ValueError("nan_policy 'omit' needs real numbers")
        plain = method == "auto" and w.size > 1000 and sums == np.float32 and not self.omits and _finite(self.x)
        self.plan = plan_linear("direct" if self.omits else method, w, sums, plain, self.sliding.output)
        self.natural = natural

    def _slide(self, kernel: tuple[int, ...], axes: list[int], asked: Asked, flipped: bool) -> tuple[Sliding, bool]:
        count = len(axes)
        strides = per_axis("stride", asked.stride, count)
        gaps = per_axis("dilation", asked.dilation, count)
        origins = per_axis("origin", asked.origin, count, -(2**31))
        if self.mode != "same" and any(origins):
            raise ValueError(f"origin must be 0 in mode {self.mode!r}, got {asked.origin!r:.80}")
        sliding = Sliding(self.x.shape, *((1,) * self.x.ndim,) * 3, (0,) * self.x.ndim, self.x.shape)
        for axis, k, stride, gap, origin in zip(axes, kernel, strides, gaps, origins, strict=True):
            n, span = self.x.shape[axis], effective_kernel(k, gap)
            low, high = -(span // 2), (span - 1) // 2
            if not low <= origin <= high:
                raise ValueError(f"origin must be in [{low}, {high}] for a window of {span} cells, got {origin}")
            moved = origin if not flipped else -origin - (span % 2 == 0)
            before = {"same": span // 2 + moved, "valid": 0, "full": span - 1}[self.mode]
            whole = {"same": n, "valid": n - span + 1, "full": n + span - 1 if n else 0}[self.mode]
            if whole < 0 or (self.mode == "valid" and whole == 0 and n):
                raise ValueError(f"weights must span at most the {n} cells of axis {axis} in mode 'valid', got {span}")
            sliding = sliding.along(
                axis, kernel=k, stride=stride, dilation=gap, before=before, output=-(-whole // stride)
            )
        return sliding, flipped

    def run(self, out: np.ndarray) -> None:
        """Fill ``out``."""
        if self.natural.kind == "c":
            self._run_complex(out)
            return
        sums = self.plan.dtype
        fill = _real("cval", self.cval)
        w = np.ascontiguousarray(self.w, sums)
        if self._in_place(out, sums, w, fill) and (axes := correlations.told_apart(self.x, self.sliding)) is not None:
            if self.plan.method == "direct":
                correlations.correlate(self.x, w, self.sliding, self.border, fill, out, axes)
                return
            factors = [np.ascontiguousarray(factor, sums) for factor in self.plan.factors]
            if correlations.correlate_each(self.x, factors, self.sliding, self.border, fill, out, axes):
                return
        for part in slabs.slabs(self.x, self.sliding, self.border, fill, sums):
            self._put(self._part(part, w, fill), out[part.where])

    def _in_place(self, out: np.ndarray, sums: np.dtype, w: np.ndarray, fill: float) -> bool:
        """Whether the kernel reads the input and writes the result where they lie."""
        if self.plan.method == "fft" or self.omits or sums.kind != "f" or not correlations.takes(self.x, sums):
            return False
        saturates = self.natural.kind == "f" and self.overflow == "saturate"
        certain = out.dtype.kind == "f" or (saturates and np.isfinite(fill) and bool(np.isfinite(w).all()))
        return certain and correlations.gives(out, self.x, sums)

    def _part(self, part: slabs.Slab, w: np.ndarray, fill: float) -> np.ndarray:
        cells, sliding, _ = part
        if self.omits and w.dtype.kind == "f":
            return _normalised(cells, w, sliding, self.border, fill)
        if self.plan.method == "fft":
            return slabs.correlate_fft(cells, w, sliding, self.border, fill)
        if self.plan.method == "separable":
            factors = [np.ascontiguousarray(factor, w.dtype) for factor in self.plan.factors]
            return slabs.correlate_each(cells, factors, sliding, self.border, fill)
        return slabs.correlate(cells, w, sliding, self.border, fill)

    def _put(self, values: np.ndarray, out: np.ndarray) -> None:
        if out.dtype.kind == "i" and self.natural.kind == "i" and out.dtype.itemsize == 8:
            out[...] = values  # sums that are exact in whatever they were made
        elif out.dtype.kind in "iu":
            into_integers(values, out, self.overflow)
        else:
            out[...] = values

    def _run_complex(self, out: np.ndarray) -> None:
        """Sums of products of real and imaginary parts."""
        fill, w, sums = complex(self.cval), self.w, self.plan.dtype
        parts = [(1.0, w.real.astype(sums))] + ([(1j, w.imag.astype(sums))] if w.dtype.kind == "c" else [])
        halves = [(1.0, self.x.real, fill.real)] + ([(1j, self.x.imag, fill.imag)] if self.x.dtype.kind == "c" else [])
        out[...] = 0
        for unit_w, weights in parts:
            for unit_x, half, outside in halves:
                for part in slabs.slabs(half, self.sliding, self.border, outside, sums):
                    found = slabs.correlate(
                        part.cells, np.ascontiguousarray(weights), part.sliding, self.border, outside
                    )
                    out[part.where] += (unit_w * unit_x * found).astype(out.dtype)


def _normalised(cells: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, fill: float) -> np.ndarray:
    """The sum over what is no NaN, by its weight, times all weights."""
    missing = np.isnan(cells)
    if not missing.any() and fill == fill:
        return slabs.correlate(cells, w, sliding, border, fill)
    present = np.logical_not(missing).astype(w.dtype)
    known = np.where(missing, w.dtype.type(0), cells)
    outside = 0.0 if fill != fill else 1.0
    total = slabs.correlate(known, w, sliding, border, fill if outside else 0.0)
    weight = slabs.correlate(present, w, sliding, border, outside)
    one = Sliding(w.shape, w.shape, *((1,) * w.ndim,) * 2, (0,) * w.ndim, (1,) * w.ndim)
    full = slabs.correlate(np.ones(w.shape, w.dtype), w, one, "constant", 0.0).item()
    least = 8 * float(np.finfo(w.dtype).eps) * float(np.abs(w).sum())
    if abs(full) <= least:
        raise ValueError(
            "weights must not sum to zero for nan_policy 'omit', which divides by the weight that is present"
        )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(np.abs(weight) <= least, np.nan, np.where(weight == full, total, total * (full / weight)))


def _axes(axes: Any, ndim: int) -> list[int]:
    """Axes counted from the front, each once."""
    if axes is None:
        return list(range(ndim))
    numbers = per_axis("axes", axes, len(axes) if hasattr(axes, "__len__") else 1, -(2**31))
    for axis in numbers:
        if not -ndim <= axis < ndim:
            raise ValueError(f"axes must be in [{-ndim}, {ndim - 1}] for an array of {ndim} dimensions, got {axis}")
    found = [axis % ndim for axis in numbers]
    if len(set(found)) != len(found):
        raise ValueError(f"axes must name each axis once, got {axes!r:.80}")
    return found


def _out_dtype(asked: Any, natural: np.dtype) -> np.dtype:
    if asked is None:
        return natural
    try:
        dtype = np.dtype(asked)
    except TypeError:
        raise TypeError(f"out_dtype must be a dtype, got {asked!r:.80}") from None
    kinds = "c" if natural.kind == "c" else "iufc"
    if dtype.kind not in kinds:
        raise ValueError(f"out_dtype must be {'complex' if kinds == 'c' else 'a number'}, got {dtype}")
    return dtype


def _real(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r:.80}") from None


def _finite(x: np.ndarray) -> bool:
    if x.dtype.kind != "f" or not x.size:
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(x.min()) and np.isfinite(x.max()))
