"""The registry: every window, every policy and the data that the tests run them on.

A window is the oracle's plain dict; ``window_of`` turns it into the package's own. Cases are shared by the tests of
whole arrays, of streams and of threads, so that what one of them covers, all cover.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import oracle
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sigconv as sc
from sigconv import windows

MS, S = 10**6, 10**9
EPOCH = 1_700_000_000 * S


def harmonic(age):
    """A window as a function of age, in samples or in seconds."""
    return 1 / (1 + age)


BY_COUNT: dict[str, dict[str, Any]] = {
    "uniform-1": {"shape": "uniform", "width": 1},
    "uniform-2": {"shape": "uniform", "width": 2},
    "uniform-7": {"shape": "uniform", "width": 7},
    "uniform-31": {"shape": "uniform", "width": 31},
    "uniform-500": {"shape": "uniform", "width": 500},
    "linear-6": {"shape": "linear", "width": 6},
    "linear-90": {"shape": "linear", "width": 90},
    "triangular-5": {"shape": "triangular", "width": 5},
    "triangular-8": {"shape": "triangular", "width": 8},
    "gaussian-0.3": {"shape": "gaussian", "sigma": 0.3},
    "gaussian-2": {"shape": "gaussian", "sigma": 2.0},
    "gaussian-1.7-truncated": {"shape": "gaussian", "sigma": 1.7, "truncate": 2.5},
    "exponential-alpha": {"shape": "exponential", "alpha": 0.3},
    "exponential-alpha-1": {"shape": "exponential", "alpha": 1.0},
    "exponential-span": {"shape": "exponential", "span": 10},
    "exponential-com": {"shape": "exponential", "com": 0.5},
    "exponential-halflife": {"shape": "exponential", "halflife": 3.0},
    "exponential-tau": {"shape": "exponential", "tau": 4.0},
    "polynomial-1": {"shape": "polynomial", "width": 1, "degree": 0, "deriv": 0},
    "polynomial-7": {"shape": "polynomial", "width": 7, "degree": 2, "deriv": 0},
    "polynomial-9-cubic": {"shape": "polynomial", "width": 9, "degree": 3, "deriv": 0},
    "polynomial-2-slope": {"shape": "polynomial", "width": 2, "degree": 1, "deriv": 1},
    "polynomial-5-slope": {"shape": "polynomial", "width": 5, "degree": 1, "deriv": 1},
    "polynomial-8-slope": {"shape": "polynomial", "width": 8, "degree": 2, "deriv": 1},
    "hann-6": {"shape": "named", "name": "hann", "width": 6},
    "hamming-9": {"shape": "named", "name": "hamming", "width": 9},
    "custom-weights": {"shape": "custom", "weights": (0.5, 0.25, 0.125)},
    "custom-delay": {"shape": "custom", "weights": (0.0, 0.0, 1.0)},
    "custom-negative": {"shape": "custom", "weights": (2.0, -0.5, 0.25, -0.125)},
    "custom-function": {"shape": "custom", "function": harmonic, "width": 6},
}

BY_TIME: dict[str, dict[str, Any]] = {
    "uniform-1ns": {"shape": "uniform", "width_ns": 1},
    "uniform-250ms": {"shape": "uniform", "width_ns": 250 * MS},
    "uniform-2s": {"shape": "uniform", "width_ns": 2 * S},
    "uniform-1h": {"shape": "uniform", "width_ns": 3600 * S},
    "linear-2s": {"shape": "linear", "width_ns": 2 * S},
    "triangular-2s": {"shape": "triangular", "width_ns": 2 * S},
    "gaussian-500ms": {"shape": "gaussian", "sigma_ns": 500 * MS},
    "gaussian-1s-truncated": {"shape": "gaussian", "sigma_ns": S, "truncate": 2.5},
    "exponential-tau-1s": {"shape": "exponential", "tau_ns": S},
    "exponential-halflife-30d": {"shape": "exponential", "halflife_ns": 30 * 86400 * S},
    "polynomial-2s": {"shape": "polynomial", "width_ns": 2 * S, "degree": 2, "deriv": 0},
    "polynomial-3s-slope": {"shape": "polynomial", "width_ns": 3 * S, "degree": 1, "deriv": 1},
    "custom-function-2s": {"shape": "custom", "function": harmonic, "width_ns": 2 * S},
}

MEDIANS: dict[str, dict[str, Any]] = {
    "1": {"width": 1},
    "4": {"width": 4},
    "9": {"width": 9},
    "31": {"width": 31},
    "200": {"width": 200},
    "2s": {"width_ns": 2 * S},
    "1h": {"width_ns": 3600 * S},
}

POLICIES: dict[str, dict[str, Any]] = {
    "default": {},
    "first": {"initial": "first"},
    "zero": {"initial": "zero"},
    "nan": {"initial": "nan"},
    "keep": {"nan_policy": "keep"},
    "propagate": {"nan_policy": "propagate"},
    "min_samples": {"min_samples": 3},
    "max_gap": {"max_gap_ns": 900 * MS},
    "max_gap-first": {"max_gap_ns": 900 * MS, "initial": "first"},
    "max_gap-nan": {"max_gap_ns": 900 * MS, "initial": "nan", "nan_policy": "keep"},
    "hold": {"measure": "hold"},
    "hold-max_gap": {"measure": "hold", "max_gap_ns": 900 * MS, "min_samples": 2},
    "hold-nan": {"measure": "hold", "initial": "nan"},
    "hold-propagate": {"measure": "hold", "nan_policy": "propagate"},
    "linear": {"measure": "linear"},
    "linear-max_gap": {"measure": "linear", "max_gap_ns": 900 * MS, "nan_policy": "keep"},
    "period": {"period": 5.0},
    "period-max_gap": {"period": 360.0, "max_gap_ns": 900 * MS},
    "period-hold": {"period": 360.0, "measure": "hold", "max_gap_ns": 900 * MS},
}


@dataclass(frozen=True)
class Case:
    """One operation with its window and policies: how to run it, as an array or a stream, and what must come out."""

    name: str
    operation: str
    spec: dict[str, Any]
    policies: dict[str, Any] = field(default_factory=dict)

    @property
    def timed(self):
        return oracle.is_timed(self.spec)

    @property
    def needs_times(self):
        return self.timed or "max_gap_ns" in self.policies

    @property
    def options(self):
        return options_of(self.policies)

    def run(self, x, times=None, **more):
        if isinstance(times, np.ndarray) and times.dtype.kind == "i":
            times = times.astype("datetime64[ns]")  # small integers may look like epoch seconds
        if self.operation == "smooth":
            return sc.smooth(x, window_of(self.spec), times=times, **self.options, **more)
        if self.operation == "median":
            return sc.moving_median(x, width_of(self.spec), times=times, **self.options, **more)
        return sc.hampel(x, width_of(self.spec), times=times, **self.options, **more)[0]

    def stream(self, **more):
        window = window_of(self.spec) if self.operation == "smooth" else self.text
        options = {k: v for k, v in self.options.items() if k not in ("threshold", "min_scale")}
        return sc.Smoother(window, **options, **more)

    @property
    def text(self):
        extra = [f",{k}={self.policies[k]}" for k in ("threshold", "min_scale") if k in self.policies]
        return f"{self.operation}:{width_of(self.spec)}{''.join(extra)}"

    def expected(self, x, times=None):
        """The oracle's answer and the magnitude that its error is measured against (infinite: nothing is promised)."""
        if self.operation == "smooth":
            return oracle.smooth(x, self.spec, times, **self.policies)
        if self.operation == "median":
            y = oracle.moving_median(x, **self.spec, times_ns=times, **self.policies)
            return y, np.where(np.isfinite(y), np.abs(y), 0)
        y, _, margin = oracle.hampel(x, **self.spec, times_ns=times, **self.policies)
        return y, np.where(margin > 2e-6, np.where(np.isfinite(y), np.abs(y), 0), np.inf)


def options_of(policies):
    """The package's spelling of the oracle's policies."""
    options = dict(policies)
    if "max_gap_ns" in options:
        options["max_gap"] = f"{options.pop('max_gap_ns')}ns"
    return options


def width_of(spec):
    return f"{spec['width_ns']}ns" if "width_ns" in spec else spec["width"]


def window_of(spec):
    """The package's window for the oracle's plain dict."""
    options = {k.removesuffix("_ns"): f"{v}ns" if k.endswith("_ns") else v for k, v in spec.items() if k != "shape"}
    if spec["shape"] == "custom":
        return windows.custom(*options.values())
    return getattr(windows, spec["shape"])(**options)


def possible(spec, policies, operation="smooth"):
    """Whether a window and policies go together (where they do not, the package refuses)."""
    timed, shape = oracle.is_timed(spec), spec.get("shape")
    initial, measure = policies.get("initial", "renormalize"), policies.get("measure", "sample")
    if measure != "sample" and (not timed or shape in ("polynomial", "custom")):
        return False
    if (initial == "zero" and timed) or (initial == "first" and timed and shape != "exponential"):
        return False
    if initial == "nan" and shape == "exponential":
        return False
    if policies.get("min_samples", 1) > 1 and not timed and shape != "exponential" and length(spec) < 3:
        return False
    return not (operation != "smooth" and "period" in policies) and not (shape == "polynomial" and "period" in policies)


def length(spec):
    return oracle.length({"shape": "uniform", **spec})


def _cases():
    for name, spec in {**BY_COUNT, **BY_TIME}.items():
        for policy, policies in POLICIES.items():
            if possible(spec, policies):
                yield Case(f"{name}-{policy}", "smooth", spec, policies)
    for operation, more in (("median", {}), ("hampel", {}), ("hampel", {"threshold": 1.5, "min_scale": 0.5})):
        for name, spec in MEDIANS.items():
            for policy, policies in POLICIES.items():
                if possible(spec, policies, operation) and "measure" not in policies:
                    label = f"{operation}{'-min_scale' if more else ''}-{name}-{policy}"
                    yield Case(label, operation, spec, {**policies, **more})


CASES = list(_cases())
PLAIN = [case for case in CASES if not set(case.policies) - {"measure", "threshold", "min_scale"}]


def stamps(rng, n, even=False):
    """Stamps in ns: bursts, equal stamps and silent gaps, or multiples of 250 ms so that ages meet window edges."""
    if even:
        return EPOCH + np.cumsum(rng.integers(0, 4, n)) * 250 * MS
    steps = rng.choice([0, 1, 1000, 3 * MS, 40 * MS, 170 * MS, 600 * MS, 1100 * MS, 7 * S], n)
    return EPOCH + np.cumsum(np.where(steps > 1000, steps + rng.integers(0, 1000, n), steps))


def samples(rng, n, missing=0.2, dtype=np.float64):
    """Noise on a level, some of it missing."""
    x = 3 + rng.standard_normal(n)
    x[rng.random(n) < missing] = np.nan
    x[rng.random(n) < missing / 10] = np.inf
    return x.astype(dtype)


def tolerance(dtype):
    return 1e-5 if np.dtype(dtype).itemsize < 8 else 1e-12


def assert_close(y, expected, scale, rtol, period=None):
    """Missing where the oracle says so, endless where an infinity counts, else within rounding of the magnitude."""
    y = np.asarray(y, np.float64)
    free, endless = np.isinf(scale), np.isinf(expected)
    wrong = np.isnan(y) != np.isnan(expected)
    wrong[endless] = np.isfinite(y[endless])
    both = np.isfinite(y) & np.isfinite(expected)
    apart = np.abs(y[both] - expected[both])
    if period is not None:
        assert ((y[both] >= 0) & (y[both] < period)).all(), f"outside [0, {period}): {y[both]}"
        apart = np.minimum(apart, period - apart)
    least = 1e-37 if rtol > 1e-9 else 1e-290  # below, weights and answers may vanish
    wrong[both] = apart > rtol * scale[both] + least
    wrong &= ~free
    assert not wrong.any(), explain(y, expected, scale, np.flatnonzero(wrong))


def explain(y, expected, scale, rows):
    i = rows[0]
    return f"{rows.size} wrong, the first at {i}: {y[i]!r} instead of {expected[i]!r} (magnitude {scale[i]!r}); {rows}"


def assert_same_bits(a, b):
    """Equal bit for bit; one NaN is as good as another."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, a.shape, b.dtype, b.shape)
    differ = (a != b) & ~(np.isnan(a) & np.isnan(b)) | (np.signbit(a) != np.signbit(b)) & ~np.isnan(a)
    assert not differ.any(), f"{np.count_nonzero(differ)} differ, the first at {np.argwhere(differ)[0]}"


def duration():
    return st.one_of(st.integers(1, 5 * S), st.sampled_from([1000, 250 * MS, S, 2 * S, 3600 * S, 30 * 86400 * S]))


@st.composite
def windows_by_count(draw):
    shape = draw(
        st.sampled_from(["uniform", "linear", "triangular", "gaussian", "exponential", "polynomial", "custom"])
    )
    width = draw(st.integers(1, 40))
    if shape == "gaussian":
        return {"shape": shape, "sigma": draw(st.floats(0.05, 8)), "truncate": draw(st.floats(0.5, 6))}
    if shape == "exponential":
        least = {"alpha": 1e-3, "span": 1.0, "com": 0.0, "halflife": 0.25, "tau": 0.25}
        name = draw(st.sampled_from(sorted(least)))
        return {"shape": shape, name: draw(st.floats(least[name], 1.0 if name == "alpha" else 1e3))}
    if shape == "polynomial":
        degree = draw(st.integers(0, min(4, width - 1)))
        return {"shape": shape, "width": width, "degree": degree, "deriv": draw(st.integers(0, min(1, degree)))}
    if shape == "custom":
        weights = draw(st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=1, max_size=12))
        assume(sum(weights) > 0)
        return {"shape": shape, "weights": tuple(weights)}
    return {"shape": shape, "width": width}


@st.composite
def windows_by_time(draw):
    shape = draw(
        st.sampled_from(["uniform", "linear", "triangular", "gaussian", "exponential", "polynomial", "custom"])
    )
    width = draw(duration())
    if shape == "gaussian":
        return {"shape": shape, "sigma_ns": width, "truncate": draw(st.sampled_from([1.0, 2.5, 4.0, 6.0]))}
    if shape == "exponential":
        return {"shape": shape, draw(st.sampled_from(["tau_ns", "halflife_ns"])): width}
    if shape == "polynomial":
        degree = draw(st.integers(0, 3))
        deriv = draw(st.integers(0, min(1, degree)))
        return {"shape": shape, "width_ns": max(width, MS), "degree": degree, "deriv": deriv}
    return {"shape": shape, **({"function": harmonic} if shape == "custom" else {}), "width_ns": width}


@st.composite
def policies_for(draw, spec, operation="smooth"):
    policies = {
        "initial": draw(st.sampled_from(["renormalize", "first", "zero", "nan"])),
        "nan_policy": draw(st.sampled_from(["omit", "keep", "propagate"])),
        "min_samples": draw(st.integers(1, 4)),
        "max_gap_ns": draw(st.one_of(st.none(), duration())),
    }
    if operation == "smooth":
        policies["measure"] = draw(st.sampled_from(["sample", "hold", "linear"]))
        policies["period"] = draw(st.sampled_from([None, None, None, 1.0, 360.0]))
    policies = {k: v for k, v in policies.items() if v not in (None, "renormalize", "omit", "sample", 1)}
    assume(possible(spec, policies, operation))
    count = (
        None if oracle.is_timed(spec) or spec.get("shape") == "exponential" else oracle.length({"shape": "", **spec})
    )
    assume(count is None or policies.get("min_samples", 1) <= count)
    return policies


def values(width):
    level = st.floats(-1e6, 1e6, width=width, allow_subnormal=False)
    elements = st.one_of(level, level, st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0]))
    return hnp.arrays(np.float64 if width == 64 else np.float32, st.integers(0, 40), elements=elements)


@st.composite
def times_for(draw, n):
    steps = st.sampled_from([0, 1, 1000, MS, 40 * MS, 250 * MS, 250 * MS, S, 2 * S, 60 * S])
    gaps = draw(st.lists(st.one_of(steps, st.integers(0, 3 * S)), min_size=n, max_size=n))
    return draw(st.sampled_from([-EPOCH, EPOCH])) + np.cumsum(np.array(gaps, np.int64))


@st.composite
def problems(draw, specs, operation="smooth"):
    spec = draw(specs)
    case = Case("drawn", operation, spec, draw(policies_for(spec, operation)))
    x = draw(values(draw(st.sampled_from([64, 32]))))
    return case, x, draw(times_for(x.size))


WIDTHS = st.one_of(
    st.fixed_dictionaries({"width": st.integers(1, 30)}), st.fixed_dictionaries({"width_ns": duration()})
)
