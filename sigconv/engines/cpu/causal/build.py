"""From a plan to the filter that carries it out."""

import numpy as np

from sigconv.engines.cpu.causal.counted import Boxcar, Polynomial, Taps
from sigconv.engines.cpu.causal.exponential import Exponential, ExponentialByTime
from sigconv.engines.cpu.causal.filter import Filter
from sigconv.engines.cpu.causal.grouped import FEWEST, GroupedTaps
from sigconv.engines.cpu.causal.ranked import Ranked, RankedByTime
from sigconv.engines.cpu.causal.timed import BoxcarByTime, Given, Integral, Pairs, PolynomialByTime
from sigconv.plan import Policy, Ranks, plan_smoothing
from sigconv.windows import Window


def build_filter(window: Window | Ranks, policy: Policy, channels: int, dtype: np.dtype) -> Filter:
    """A filter at its start; a window by time filters one channel."""
    if isinstance(window, Ranks):
        return RankedByTime(window, dtype, policy) if window.timed else Ranked(window, channels, dtype, policy)
    method = plan_smoothing(window, policy).method
    if not window.timed:
        if method == "recursive":
            assert window.alpha is not None
            return Exponential(window.alpha, channels, dtype, policy)
        if method == "boxcar":
            assert window.length is not None
            return Boxcar(window.length, channels, dtype, policy)
        if method == "polynomial":
            return Polynomial(window.raw_weights(), window.degree, window.deriv, channels, dtype, policy)
        weights = window.raw_weights()
        grouped = dtype == np.float32 and len(weights) >= FEWEST
        return (GroupedTaps if grouped else Taps)(weights, channels, dtype, policy)
    assert window.scale_ns is not None
    if method == "recursive-timed":
        return ExponentialByTime(window.scale_ns, channels, dtype, policy)
    assert window.support_ns is not None
    support = window.support_ns
    if method == "boxcar-timed":
        return BoxcarByTime(support, dtype, policy)
    if method == "polynomial-timed":
        return PolynomialByTime(window.degree, window.deriv, support, dtype, policy)
    if method == "integral":
        return Integral(window.shape, support, window.scale_ns, dtype, policy)
    if method == "given":
        assert window.function is not None
        return Given(window.function, support, dtype, policy)
    return Pairs(window.shape, support, window.scale_ns, dtype, policy)
