"""One call of correlate or convolve: its arguments checked, its plan, and the way from the input to the output."""

import numbers
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sigconv._kinds import computed_with, into_integers, largest_sum, numeric_array, result_dtype
from sigconv.borders import border_name
from sigconv.checks import choice, output_array
from sigconv.engines.cpu.linear import correlations, slabs
from sigconv.engines.cpu.results import apart_from
from sigconv.geometry import effective_kernel, per_axis
from sigconv.plan_linear import METHODS, LinearPlan, plan_linear
from sigconv.sliding import Sliding

MODES = ("same", "valid", "full")
NAN_POLICIES = ("propagate", "omit")
OVERFLOWS = ("saturate", "wrap", "raise")
_FFT_EXACT = 2**32  # sums of integers below it come out of a transform within a half
_FAR = 8  # steps beyond which the cells that windows see are brought together first, where these are fewer
_KEPT, _KEPT_BYTES = 64, 2**14  # calls that are kept, and the most bytes of their weights
_PLAIN = {str, int, float, type(None), type}
_calls: dict[Any, "Call"] = {}
_RANGE = 2.0**-20  # of the largest number, that a transform in double precision leaves digits enough for single ones


class Asked(NamedTuple):
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
    x, w = numeric_array("x", x), numeric_array("weights", weights)
    call = _call(x, w, asked, flipped)
    if out is None:
        out = apart_from(x, call.sliding.output, call.dtype)
    else:
        output_array(out, call.sliding.output, call.dtype)
        if np.may_share_memory(out, x) or np.may_share_memory(out, w):
            out[...] = weighted(x, w, asked, flipped, None)
            return out
    if out.size:
        call.run(x, out)
    return out


def _call(x: np.ndarray, w: np.ndarray, asked: Asked, flipped: bool) -> "Call":
    """The call; one that differs in x's numbers alone from an earlier one need not be checked and planned again."""
    kinds = tuple(map(type, asked))  # True is no 1
    plain = _PLAIN.issuperset(kinds) or all(map(_is_plain, asked))
    if w.nbytes > _KEPT_BYTES or not plain:
        return Call(x, w, asked, flipped)
    of_x, of_w = (x.shape, x.strides, x.dtype, x.flags.aligned), (w.shape, w.dtype, w.tobytes())
    key = of_x, of_w, asked, kinds, str(asked.cval), flipped  # -0.0 is no 0.0
    call = _calls.get(key)
    if call is None:
        call = Call(x, w.copy(), asked, flipped)
        if call.natural.kind == "f" and not call.depends_on_cells:
            if len(_calls) >= _KEPT:
                _calls.clear()
            _calls[key] = call
    return call


def _is_plain(option: Any) -> bool:
    """Whether options that are equal mean the same."""
    if type(option) is tuple:
        return all(type(number) is int for number in option)
    return type(option) in _PLAIN or isinstance(option, np.dtype)


class Call:
    """A call's arguments, checked, with the weights spread over all axes of x, and its plan; nothing of x is kept."""

    depends_on_cells = False
    quick: Callable[[np.ndarray, np.ndarray], None] | None = None
    """The way from any x laid out as this one to its result, once it is known."""

    def __init__(self, x: np.ndarray, w: np.ndarray, asked: Asked, flipped: bool) -> None:
        if x.ndim == 0:
            raise ValueError("x must have at least one dimension, got a single number")
        self.mode = choice("mode", asked.mode, MODES)
        self.omits = choice("nan_policy", asked.nan_policy, NAN_POLICIES) == "omit"
        self.overflow = choice("overflow", asked.overflow, OVERFLOWS)
        method = choice("method", asked.method, METHODS)
        border = {"full": "constant"}.get(self.mode, "reflect") if asked.border is None else asked.border
        self.border = border_name(border)
        axes = _axes(asked.axes, x.ndim)
        if w.ndim != len(axes):
            raise ValueError(f"weights must have a dimension for each of {len(axes)} axes, got shape {w.shape}")
        if not w.size:
            raise ValueError(f"weights must hold at least one number, got shape {w.shape}")
        steps = per_axis("stride", asked.stride, w.ndim), per_axis("dilation", asked.dilation, w.ndim)
        origins = per_axis("origin", asked.origin, w.ndim, -(2**31))
        if self.mode != "same" and any(origins):
            raise ValueError(f"origin must be 0 in mode {self.mode!r}, got {asked.origin!r:.80}")
        self.sliding = _sliding(x.shape, w.shape, axes, self.mode, *steps, origins, flipped)
        w = w.transpose(np.argsort(axes)) if w.ndim else w
        w = w.reshape(self.sliding.kernel)
        self.w = np.flip(w) if flipped else w.conj() if w.dtype.kind == "c" else w
        self.natural = result_dtype(x.dtype, w.dtype)
        self.dtype = _out_dtype(asked.out_dtype, self.natural)
        self.fill = self._outside(asked.cval, x)
        self.plan = self._plan(method, x)

    def _outside(self, cval: Any, x: np.ndarray) -> Any:
        """The value beyond a constant border, of a kind that the sums are made in."""
        known = isinstance(cval, numbers.Number) and not isinstance(cval, (bool, np.bool_))
        if not known:
            raise TypeError(f"cval must be a number, got {cval!r:.80}")
        if x.dtype.kind == "c":
            return complex(cval)
        if np.iscomplexobj(cval):
            raise TypeError(f"cval must be a real number for an array of {x.dtype}, got {cval!r:.80}")
        if self.natural.kind != "i":
            return float(cval)
        if self.border != "constant":
            return 0
        if not (isinstance(cval, int) or (np.isfinite(cval) and cval == int(cval))):
            raise ValueError(f"cval must be a whole number for integers weighed by integers, got {cval!r:.80}")
        return int(cval)

    def _plan(self, method: str, x: np.ndarray) -> LinearPlan:
        kind = self.natural.kind
        largest = largest_sum(x, self.w, self.fill) if kind == "i" else 0
        sums = computed_with(self.natural, largest)
        if method == "fft" and largest >= _FFT_EXACT:
            raise ValueError("method 'fft' keeps sums of integers exact below 2**32 only; use method 'direct'")
        if self.omits:
            if kind == "c":
                raise ValueError("nan_policy 'omit' needs real numbers")
            if method not in ("auto", "direct"):
                raise ValueError(f"method must be 'auto' or 'direct' for nan_policy 'omit', got {method!r}")
            if kind == "f" and abs(self.w.sum(dtype=float)) <= least_weight(self.w, sums):
                raise ValueError("weights must not sum to 0 for nan_policy 'omit', which divides by what is present")
            return LinearPlan("direct", "weights over NaN are left out window by window", sums)
        if kind == "c":
            if method == "separable":
                raise ValueError("method 'separable' needs real numbers")
            if method == "auto":
                parts = (1 + (self.w.dtype.kind == "c")) * (1 + (x.dtype.kind == "c"))
                return LinearPlan("direct", f"complex numbers as {parts} sums of real ones", sums)
        single = kind == "f" and sums == np.float32
        plan = plan_linear(method, self.w, sums, lambda: single and self._even(x), self.sliding)
        if method == "auto" and plan.method == "direct" and single:
            products = correlations.products_of_fours(x, self.w, self.sliding)
            if products:
                return replace(plan, method="winograd", reason=f"{products} products instead of {self.w.size}")
        return plan

    def _even(self, x: np.ndarray) -> bool:
        """Whether x is finite and nowhere much smaller than elsewhere, so that one rounding error suits all of it."""
        self.depends_on_cells = True
        kernel = [max(k // 2, 1) for k in self.sliding.kernel]  # every window holds a whole block of half its size
        once = tuple(slice(0, 1) if step == 0 else slice(None) for step in x.strides)
        low = high = x[once]
        if not low.size:
            return True
        for axis in sorted(range(low.ndim), key=lambda a: -kernel[a]):
            starts = np.arange(0, low.shape[axis], kernel[axis])
            low, high = np.minimum.reduceat(low, starts, axis), np.maximum.reduceat(high, starts, axis)
        size = np.maximum(np.abs(low.astype(float)), np.abs(high.astype(float))).ravel()
        if self.border == "constant":
            size = np.append(size, abs(self.fill))
        present = size[size != 0]
        return bool(np.isfinite(size).all() and (present >= size.max() * _RANGE).all())

    def run(self, x: np.ndarray, out: np.ndarray) -> None:
        """Fill ``out`` from the array that the call was made for, or one that differs from it in its numbers alone."""
        if self.quick is not None and correlations.is_plain(out):
            self.quick(x, out)
            return
        if self.natural.kind == "c":
            self._run_complex(x, out)
            return
        sums = self.plan.dtype
        with np.errstate(over="ignore"):
            fill, w = sums.type(self.fill).item(), np.ascontiguousarray(self.w, sums)
        axes = correlations.told_apart(x, self.sliding) if self.reads_in_place(x, out.dtype, w, fill) else None
        if axes is not None and correlations.gives(out, x, sums):
            if self.plan.method == "winograd" and out.dtype == sums:
                correlations.correlate_fours(x, w, self.sliding, self.border, fill, out, axes)
                return
            slides = x, w, self.sliding, self.border, fill, out, axes
            if self.plan.method == "separable":
                self.quick = correlations.prepared_each(x, self._factors(), *slides[2:])
            else:
                self.quick = correlations.prepared(*slides)
            if self.quick is not None:
                self.quick(x, out)
                return
        for part in slabs.slabs(x, self.sliding, self.border, fill, sums):
            self._put(self._part(part, w, fill), out[part.where])

    def reads_in_place(self, x: np.ndarray, target: np.dtype, w: np.ndarray, fill: float) -> bool:
        """Whether the kernel reads the input where it lies and rounds the result as it is asked to."""
        if self.plan.method == "fft" or self.omits or w.dtype.kind != "f" or not correlations.takes(x, w.dtype):
            return False
        if any(step > max(self.sliding.span(axis), _FAR) for axis, step in enumerate(self.sliding.stride)):
            return False
        if target.kind == "f":
            return True
        saturates = self.natural.kind == "f" and self.overflow == "saturate"
        largest = float(np.abs(w).sum(dtype=float)) * (2.0**16 + abs(fill))  # of what the kernel makes integers of
        return saturates and largest < np.finfo(w.dtype).max

    def _factors(self) -> list[np.ndarray]:
        with np.errstate(over="ignore"):
            return [np.ascontiguousarray(factor, self.plan.dtype) for factor in self.plan.factors]

    def _part(self, part: slabs.Slab, w: np.ndarray, fill: float) -> np.ndarray:
        cells, sliding, _ = part
        if self.omits and w.dtype.kind == "f":
            return _normalised(cells, w, sliding, self.border, fill)
        if self.plan.method == "fft":
            found = slabs.correlate_fft(cells, w, sliding, self.border, fill)
            return np.rint(found, out=found) if self.natural.kind == "i" else found
        if self.plan.method == "separable":
            return slabs.correlate_each(cells, self._factors(), sliding, self.border, fill)
        return slabs.correlate(cells, w, sliding, self.border, fill)

    def _put(self, values: np.ndarray, out: np.ndarray) -> None:
        if out.dtype.kind == "i" and self.natural.kind == "i" and out.dtype.itemsize == 8:
            out[...] = values  # sums that are exact in whatever they were made
        elif out.dtype.kind in "iu":
            into_integers(values, out, self.overflow)
        else:
            with np.errstate(over="ignore"):
                out[...] = values

    def _run_complex(self, x: np.ndarray, out: np.ndarray) -> None:
        """Sums of products of real and imaginary parts, each where it belongs: 0 * inf would be NaN."""
        sums, outside = self.plan.dtype, complex(self.fill)
        weights = [self.w.real, self.w.imag][: 1 + (self.w.dtype.kind == "c")]
        halves = [(x.real, outside.real), (x.imag, outside.imag)][: 1 + (x.dtype.kind == "c")]
        out[...] = 0
        for a, of_weights in enumerate(weights):
            w = np.ascontiguousarray(of_weights, sums)
            for b, (half, fill) in enumerate(halves):
                target = out.real if a == b else out.imag
                combine = np.subtract if a and b else np.add
                for part in slabs.slabs(half, self.sliding, self.border, fill, sums):
                    there = target[part.where]
                    combine(there, self._part(part, w, fill), out=there, casting="same_kind")


@lru_cache(64)
def _sliding(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    axes: tuple[int, ...],
    mode: str,
    strides: tuple[int, ...],
    gaps: tuple[int, ...],
    origins: tuple[int, ...],
    flipped: bool,
) -> Sliding:
    """How a window over some of the axes slides in this mode."""
    count = len(size)
    sliding = Sliding(size, *((1,) * count,) * 3, (0,) * count, size)
    for axis, k, stride, gap, origin in zip(axes, kernel, strides, gaps, origins, strict=True):
        n, span = size[axis], effective_kernel(k, gap)
        low, high = -(span // 2), (span - 1) // 2
        if not low <= origin <= high:
            raise ValueError(f"origin must be in [{low}, {high}] for a window of {span} cells, got {origin}")
        moved = origin if not flipped else -origin - (span % 2 == 0)
        before = {"same": span // 2 + moved, "valid": 0, "full": span - 1}[mode]
        whole = {"same": n, "valid": n - span + 1, "full": n + span - 1 if n else 0}[mode]
        if whole < 0 or (mode == "valid" and whole == 0 and n):
            raise ValueError(f"weights must span at most the {n} cells of axis {axis} in mode 'valid', got {span}")
        output = -(-whole // stride)
        step = stride if output > 1 else 1
        sliding = sliding.along(axis, kernel=k, stride=step, dilation=gap, before=before, output=output)
    return sliding


def least_weight(w: np.ndarray, dtype: np.dtype) -> float:
    """Up to which a sum of weights may be the rounding of none: 0 unless weights of both signs cancel."""
    if (w >= 0).all() or (w <= 0).all():
        return 0.0
    return 8 * float(np.finfo(dtype).eps) * float(np.abs(w).sum(dtype=float))


def _normalised(cells: np.ndarray, w: np.ndarray, sliding: Sliding, border: str, fill: float) -> np.ndarray:
    """The sum over what is no NaN, by its weight, times all weights."""
    missing = np.isnan(cells)
    if not missing.any() and fill == fill:
        return slabs.correlate(cells, w, sliding, border, fill)
    present = np.logical_not(missing).astype(w.dtype)
    known = np.where(missing, w.dtype.type(0), cells)
    there = fill == fill
    total = slabs.correlate(known, w, sliding, border, fill if there else 0.0)
    weight = slabs.correlate(present, w, sliding, border, float(there))
    one = Sliding(w.shape, w.shape, *((1,) * w.ndim,) * 2, (0,) * w.ndim, (1,) * w.ndim)
    full = slabs.correlate(np.ones(w.shape, w.dtype), w, one, "constant", 0.0).item()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = np.where(weight == full, total, total * (full / weight))
    found[np.abs(weight) <= least_weight(w, w.dtype)] = np.nan
    return found


def _axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front, each once."""
    if axes is None:
        return tuple(range(ndim))
    numbers = per_axis("axes", axes, len(axes) if hasattr(axes, "__len__") else 1, -(2**31))
    for axis in numbers:
        if not -ndim <= axis < ndim:
            raise ValueError(f"axes must be in [{-ndim}, {ndim - 1}] for an array of {ndim} dimensions, got {axis}")
    found = tuple(axis % ndim for axis in numbers)
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
