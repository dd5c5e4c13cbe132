"""What stands behind an estimate: weight present, effective count and delay, output by output.

Written for clarity, in NumPy: every pair of an output and a present sample in its window is listed and summed. An
exponential is followed for 40 time constants, beyond which its weights are below rounding.
"""

from typing import Any

import numpy as np

from sigconv._layout import Signal
from sigconv.causal import CausalFilter
from sigconv.plan import Policy
from sigconv.windows import Window

_PAIRS = 2**20  # pairs listed at a time
_FORGOTTEN = 40.0  # exp(-40) is below float64's rounding


def diagnose_signal(signal: Signal, window: Window, policy: Policy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weight, count, delay) of every output of a signal."""
    signal.x = signal.x.astype(np.float64)

    def part(which: int) -> np.ndarray:
        def run(x: np.ndarray, out: np.ndarray, _: np.ndarray | None) -> None:
            CausalFilter(window, policy, x.shape[1], x.dtype).process(x, signal.t, out)
            for c in range(x.shape[1]):
                numbers = _Channel(x[:, c], signal.t, window, policy).numbers()[which]
                out[:, c] = np.where(np.isnan(out[:, c]), np.nan, numbers)

        return signal.run(None, run)

    return part(0), part(1), part(2)


class _Channel:
    """One series: its present samples, and for each output which of them its window holds."""

    def __init__(self, x: np.ndarray, t: np.ndarray | None, window: Window, policy: Policy) -> None:
        self.n, self.window, self.policy = len(x), window, policy
        self.there = np.flatnonzero(np.isfinite(x) if policy.omits else ~np.isnan(x))
        self.clock = t if window.timed else np.arange(self.n)
        self.start = np.zeros(self.n, np.int64)  # the row where each output's filter started
        if policy.max_gap is not None and t is not None and len(self.there):
            gaps = np.flatnonzero(np.diff(t[self.there]) > policy.max_gap) + 1
            self.start[self.there[gaps]] = self.there[gaps]
            self.start = np.maximum.accumulate(self.start)
        self.unit = 1e-9 if window.timed else 1.0

    def numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        weight, count, delay = np.full((3, self.n), np.nan)
        last = np.searchsorted(self.there, np.arange(self.n), side="right")  # present samples up to each output
        first = np.searchsorted(self.there, self._oldest(beyond=self.policy.measure != "sample"))
        lo = 0
        while lo < self.n:
            pairs = np.cumsum(last[lo:] - np.minimum(first[lo:], last[lo:]) + 1)
            hi = lo + max(1, int(np.searchsorted(pairs, _PAIRS)))
            weight[lo:hi], count[lo:hi], delay[lo:hi] = self._some(np.arange(lo, hi), first[lo:hi], last[lo:hi])
            lo = hi
        return weight, count, delay

    def _reach(self) -> int:
        """The ages that have weight are below this (a gaussian's up to it)."""
        window = self.window
        if window.shape == "exponential":
            if window.timed:
                return int(_FORGOTTEN * float(window.scale_ns or 0))
            return 1 if window.alpha == 1 else int(_FORGOTTEN / -np.log1p(-float(window.alpha or 0))) + 1
        return (window.support_ns if window.timed else window.length) or 0

    def _oldest(self, beyond: bool) -> np.ndarray:
        """The first row that each output's window holds; ``beyond``: and the reading current at its far edge."""
        clock = np.asarray(self.clock)
        reach = self._reach()
        if self.window.shape == "exponential":  # counted from the newest present sample, so that it is never empty
            newest = np.searchsorted(self.there, np.arange(self.n), side="right") - 1
            now = clock[self.there[np.maximum(newest, 0)]] if len(self.there) else clock
            oldest = np.searchsorted(clock, now - reach, side="left")
        else:
            side: Any = "left" if self.window.shape == "gaussian" and self.window.timed else "right"
            oldest = np.searchsorted(clock, clock - reach, side=side)
        if beyond and len(self.there):
            before = np.searchsorted(self.there, oldest) - 1
            oldest = np.where(before >= 0, self.there[np.maximum(before, 0)], oldest)
        return np.maximum(oldest, self.start)

    def _some(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, ...]:
        counts = np.maximum(last - first, 0)
        out = np.repeat(np.arange(len(rows)), counts)
        place = np.arange(len(out)) - np.repeat(np.cumsum(counts) - counts, counts)
        sample = self.there[np.repeat(first, counts) + place] if len(out) else np.zeros(0, np.int64)
        clock = np.asarray(self.clock)
        ages = (clock[rows[out]] - clock[sample]).astype(np.float64)
        weights = self._weights(ages, out, counts)

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(out, values, len(rows))

        w, ww, wa = total(weights), total(weights**2), total(weights * ages)
        newest = np.full(len(rows), np.nan)
        newest[counts > 0] = ages[np.cumsum(counts)[counts > 0] - 1]
        w, ww, wa, whole = self._with_the_rest(rows, w, ww, wa, newest)
        with np.errstate(invalid="ignore", divide="ignore"):
            alone = (w == 0) & (counts > 0)  # the newest present sample is the answer
            return (
                np.where(alone, 0.0, w / whole),
                np.where(alone, 1.0, w**2 / ww),
                np.where(alone, newest, wa / w) * self.unit,
            )

    def _weights(self, ages: np.ndarray, out: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """What each pair weighs; pairs are in order of output, oldest sample first."""
        window, policy = self.window, self.policy
        if window.shape == "polynomial":
            return self._fitted(ages, counts)
        ends = np.cumsum(counts)
        is_newest = np.zeros(len(out), bool)
        is_newest[ends[counts > 0] - 1] = True
        is_oldest = np.zeros(len(out), bool)
        is_oldest[(ends - counts)[counts > 0]] = True
        newest = np.repeat(ages[is_newest], counts[counts > 0])
        if policy.measure == "sample":
            if window.shape != "exponential":
                return self._shape(ages)
            weights = self._shape(ages - newest)
            if window.timed and policy.initial == "first":
                before = np.where(is_oldest, np.inf, np.roll(ages, 1) - ages)
                weights = weights * -np.expm1(-before / float(window.scale_ns or 1))
            return weights
        from sigconv._window_integrals import line_shares, span

        origin = newest if window.shape == "exponential" and policy.measure == "linear" else 0.0
        if policy.measure == "hold":
            until = np.where(is_newest, 0.0, np.roll(ages, -1))
            weights = span(window, until, ages)
        else:
            until = np.where(is_newest, ages, np.roll(ages, -1))
            older, newer = line_shares(window, until - origin, ages - origin)
            weights = older + np.where(is_oldest, 0.0, np.roll(newer, 1))
        if window.shape == "exponential" and policy.initial == "first":
            weights = weights + np.where(is_oldest, np.exp(-(ages - origin) / float(window.scale_ns or 1)), 0.0)
        return weights

    def _shape(self, ages: np.ndarray) -> np.ndarray:
        window = self.window
        if not window.timed:
            if window.shape == "exponential":
                return (1.0 - float(window.alpha or 0)) ** ages
            return window.raw_weights()[ages.astype(np.int64)]
        u = ages / float(window.scale_ns or 1)
        if window.shape == "custom":
            assert window.function is not None
            return np.asarray(window.function(ages * 1e-9), np.float64)
        shapes = {
            "uniform": lambda: np.ones_like(u),
            "linear": lambda: 1 - u,
            "triangular": lambda: 2 * np.minimum(u, 1 - u),
            "gaussian": lambda: np.exp(-0.5 * u * u),
            "exponential": lambda: np.exp(-u),
        }
        return shapes[window.shape]()

    def _fitted(self, ages: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The weights of each window's own least-squares fit."""
        window, weights, at = self.window, np.zeros(len(ages)), 0
        scale = float((window.support_ns if window.timed else window.length) or 1)
        for n in counts:
            if n:
                u = ages[at : at + n] / scale
                degree = min(window.degree, len(np.unique(u)) - 1)
                if degree >= window.deriv:
                    basis = np.linalg.pinv(np.vander(u, degree + 1, increasing=True))
                    factor = float(np.prod(np.arange(1, window.deriv + 1))) * (-1 / (scale * self.unit)) ** window.deriv
                    weights[at : at + n] = basis[window.deriv] * factor
            at += n
        return weights

    def _with_the_rest(
        self, rows: np.ndarray, w: np.ndarray, ww: np.ndarray, wa: np.ndarray, newest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | float]:
        """The sums with what an assumed past adds, and the weight of a window with nothing missing."""
        window, policy = self.window, self.policy
        if window.shape == "polynomial":
            return w, ww, wa, 1.0
        if policy.measure != "sample":
            from sigconv._window_integrals import span

            if window.shape != "exponential":
                return w, ww, wa, float(span(window, np.zeros(1), np.array([float(self._reach())]))[0])
            tau = float(window.scale_ns or 1)
            return w, ww, wa, np.exp(newest / tau) if policy.measure == "linear" else 1.0
        if window.timed:
            return w, ww, wa, w + self._missing_weight(rows, newest)
        past = rows - self.start[rows] + 1  # the age of the newest assumed sample
        assumed = policy.initial in ("first", "zero")
        if window.shape == "exponential":
            alpha = float(window.alpha or 0)
            d = 1 - alpha
            with np.errstate(divide="ignore"):
                shift = d**-newest
            if assumed:
                first = d**past * shift
                w, ww = w + first / alpha, ww + first**2 / (1 - d * d)
                wa = wa + first * (past / alpha + d / alpha**2)
            return w, ww, wa, shift / alpha
        weights = window.raw_weights()
        if assumed:
            ages = np.arange(len(weights))
            sums = [np.append(np.cumsum(part[::-1])[::-1], 0) for part in (weights, weights**2, weights * ages)]
            place = np.minimum(past, len(weights))
            w, ww, wa = w + sums[0][place], ww + sums[1][place], wa + sums[2][place]
        return w, ww, wa, float(weights.sum())

    def _missing_weight(self, rows: np.ndarray, newest: np.ndarray) -> np.ndarray:
        """The weight that the window's missing samples would have."""
        clock = np.asarray(self.clock)
        absent = np.setdiff1d(np.arange(self.n), self.there)
        total = np.zeros(len(rows))
        if not len(absent):
            return total
        oldest = np.maximum(self._oldest(beyond=False), self.start)[rows]
        if self.window.shape == "exponential":
            oldest = self.start[rows]
        first, last = np.searchsorted(absent, oldest), np.searchsorted(absent, rows, side="right")
        for k in np.flatnonzero(last > first):
            ages = (clock[rows[k]] - clock[absent[first[k] : last[k]]]).astype(np.float64)
            if self.window.shape == "exponential":
                ages = ages - newest[k]
            total[k] = self._shape(ages).sum()
        return total
