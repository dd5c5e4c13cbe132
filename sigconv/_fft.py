"""Smoothing by overlap-add: for thousands of taps where neither chunks nor spikes matter."""

import numpy as np

from sigconv._layout import Signal
from sigconv.causal import CausalFilter
from sigconv.plan import Policy, plan_smoothing
from sigconv.windows import Window


def smooth_fft(signal: Signal, window: Window, policy: Policy, out: np.ndarray | None) -> np.ndarray:
    """`smooth` with method="fft"."""
    plan_smoothing(window, policy)
    if window.timed or window.length is None or window.shape == "polynomial" or policy.max_gap or policy.period:
        raise ValueError(
            f"method='fft' is for finite weights counted in samples, without max_gap and period; got window {window}"
        )
    if policy.nan_policy == "propagate":
        raise ValueError("method='fft' spreads NaN over whole blocks: nan_policy must not be 'propagate'")
    from scipy.signal import oaconvolve

    weights = window.raw_weights()
    weights = weights / weights.sum()

    def run(x: np.ndarray, y: np.ndarray, _: np.ndarray | None) -> None:
        there = np.isfinite(x)
        if policy.nan_policy == "raise" and not there.all():
            CausalFilter(window, policy, x.shape[1], x.dtype).process(x, signal.t, y)  # says which
        w = weights[:, None]  # in float64 also for float32: a transform's rounding is that of its largest value
        head = len(w) - 1
        values = np.zeros((head + len(x), x.shape[1]))
        mask = np.zeros_like(values)
        values[head:], mask[head:] = np.where(there, x, 0), there
        if policy.initial in ("first", "zero"):
            mask[:head] = 1
            if policy.initial == "first":
                firsts = x[there.argmax(axis=0), np.arange(x.shape[1])]
                values[:head] = np.where(there.any(axis=0), firsts, 0)
        whole = there.all() and policy.initial in ("first", "zero")
        num = oaconvolve(values, w, mode="full", axes=0)[head : head + len(x)]
        den = np.ones(x.shape) if whole else oaconvolve(mask, w, mode="full", axes=0)[head : head + len(x)]
        nothing = np.abs(den) < 1e-9 * np.abs(w).sum()  # rounding in a transform is no weight: the taps decide
        counts = np.cumsum(mask[head:], axis=0, dtype=np.float64)
        counts[len(w) :] -= counts[: -len(w)].copy()
        if nothing.any():
            exact = np.empty_like(x)
            CausalFilter(window, policy, x.shape[1], x.dtype).process(x, signal.t, exact)
        with np.errstate(invalid="ignore", divide="ignore"):
            y[:] = np.where(counts >= policy.min_samples, num / den, np.nan)
        if nothing.any():
            y[nothing] = exact[nothing]
        if policy.initial == "nan":
            y[:head] = np.nan
        if policy.nan_policy == "keep":
            y[~there] = np.nan

    return signal.run(out, run)
