"""One causal filter with its policies, fed piece by piece: what `smooth` calls once and `Smoother` keeps.

The engine's filter knows windows and missing samples. This layer adds what is common to all of them: silences that
start the filter afresh, angles, channels that must be filtered apart, and the policy for missing outputs.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from sigconv._durations import read_size
from sigconv.checks import not_negative
from sigconv.engines.cpu.causal.angles import direction, unit_vectors
from sigconv.engines.cpu.causal.build import build_filter
from sigconv.engines.cpu.causal.filter import Filter
from sigconv.engines.cpu.causal.stamps import in_order
from sigconv.plan import Policy, Ranks, plan_smoothing
from sigconv.times import check_ends, refuse_disorder
from sigconv.windows import Window, as_window


def needs_times(window: Window | Ranks, policy: Policy) -> bool:
    """Whether the filter cannot work without stamps."""
    return window.timed or policy.max_gap is not None


class CausalFilter:
    """Filters (rows, channels) in pieces; the same bits whatever the pieces."""

    def __init__(self, window: Window | Ranks, policy: Policy, channels: int, dtype: np.dtype) -> None:
        plan_smoothing(window, policy)  # refuses what makes no sense together
        self.window, self.policy, self.channels, self.dtype = window, policy, channels, dtype
        self.parts = 1 if policy.period is None else 2  # an angle is filtered as a vector
        width = channels * self.parts
        first = build_filter(window, policy, self.parts if policy.max_gap is not None else width, dtype)
        if width > 1 and first.channels_apart:
            self.filters = [first] + [build_filter(window, policy, 1, dtype) for _ in range(width - 1)]
        elif policy.max_gap is not None:
            more = range(channels - 1)
            self.filters = [first] + [build_filter(window, policy, self.parts, dtype) for _ in more]
        else:
            self.filters = [first]
        self._forget_stamps()

    def restart(self) -> None:
        """Forget every sample."""
        for part in self.filters:
            part.restart()
        self._forget_stamps()

    def _forget_stamps(self) -> None:
        self.last: int | None = None  # the last stamp
        self.last_present = np.full(self.channels, np.iinfo(np.int64).min)

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray, flags: np.ndarray | None = None) -> None:
        """Filter the rows of ``x`` into ``out``; ``flags`` takes the outliers of a Hampel filter."""
        if not len(x):
            return
        if isinstance(self.window, Window) and self.window.function is not None:
            before = self.state()
            try:
                self._process(x, t, out, flags)
            except BaseException:  # whatever the window's function raises, what was fed before stays as it was
                self.restore(before)
                raise
        else:
            self._process(x, t, out, flags)

    def _process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray, flags: np.ndarray | None) -> None:
        if t is not None:
            if not in_order(t):
                refuse_disorder(t)
            check_ends(t, self.last)
        if self.policy.nan_policy == "raise":
            _refuse_missing(x)
        values, target = x, out
        if self.policy.period is not None:
            values = unit_vectors(x, self.policy.period)
            target = np.empty_like(values)
        apart = len(self.filters)
        if apart == 1 and self.policy.max_gap is None:
            self._feed(self.filters[0], values, t, target, flags, self._no_restarts)
        else:
            width = values.shape[1] // apart
            restarts = [self._restarts(x[:, channel], t, channel) for channel in range(self.channels)]
            for k, part in enumerate(self.filters):
                columns = slice(k * width, (k + 1) * width)
                self._feed_columns(part, values, t, target, flags, columns, restarts[k * self.channels // apart])
        if self.policy.period is not None:
            direction(target, self.policy.period, out)
        if self.policy.nan_policy == "keep":
            out[~np.isfinite(x)] = np.nan
        if t is not None:
            self.last = int(t[-1])

    _no_restarts = np.zeros(0, np.int64)

    def _feed_columns(
        self,
        part: Filter,
        values: np.ndarray,
        t: np.ndarray | None,
        target: np.ndarray,
        flags: np.ndarray | None,
        columns: slice,
        restarts: np.ndarray,
    ) -> None:
        """One channel's columns, copied together and back."""
        x = np.ascontiguousarray(values[:, columns])
        whole = target.shape[1] == x.shape[1]
        y = target if whole else np.empty_like(x)
        marks = None if flags is None else np.zeros(x.shape, bool)
        self._feed(part, x, t, y, marks, restarts)
        if not whole:
            target[:, columns] = y
        if flags is not None:
            flags[:, columns] = marks

    def _restarts(self, x: np.ndarray, t: np.ndarray | None, channel: int) -> np.ndarray:
        """Rows whose sample comes more than max_gap after the present one before it."""
        if self.policy.max_gap is None or t is None:
            return self._no_restarts
        there = np.flatnonzero(np.isfinite(x) if self.policy.omits else ~np.isnan(x))
        if not len(there):
            return self._no_restarts
        stamps = t[there]
        last = self.last_present[channel]
        before = np.concatenate([[stamps[0] if last == np.iinfo(np.int64).min else last], stamps[:-1]])
        self.last_present[channel] = stamps[-1]
        return there[stamps - before > self.policy.max_gap]

    def _feed(
        self,
        part: Filter,
        x: np.ndarray,
        t: np.ndarray | None,
        out: np.ndarray,
        flags: np.ndarray | None,
        restarts: np.ndarray,
    ) -> None:
        edges = [0, *restarts.tolist(), len(x)]
        for k, (lo, hi) in enumerate(pairwise(edges)):
            if k > 0:
                part.restart()
            if hi > lo:
                part.process(x[lo:hi], None if t is None else t[lo:hi], out[lo:hi])
                if flags is not None:
                    flags[lo:hi] = part.flags  # type: ignore[attr-defined]

    def state(self) -> dict[str, Any]:
        """Everything the next outputs depend on."""
        return {
            "last": self.last,
            "last_present": self.last_present.copy(),
            "filters": {str(k): part.state() for k, part in enumerate(self.filters)},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a saved state."""
        self.last = None if state["last"] is None else int(state["last"])
        self.last_present = np.array(state["last_present"], np.int64).reshape(self.channels)
        for k, part in enumerate(self.filters):
            part.restore(state["filters"][str(k)])


def _refuse_missing(x: np.ndarray) -> None:
    missing = ~np.isfinite(x)
    if missing.any():
        row, channel = np.unravel_index(int(missing.argmax()), x.shape)
        where = f"index {row}" if x.shape[1] == 1 else f"row {row}, channel {channel}"
        raise ValueError(f"nan_policy='raise': x is {x[row, channel]} at {where}")


def ranks(width: Any, hampel: bool = False, threshold: Any = 3.0, min_scale: Any = 0.0) -> Ranks:
    """A running median or Hampel filter from its public arguments."""
    timed, size = read_size("width", width)
    return Ranks(int(size), timed, hampel, not_negative("threshold", threshold), not_negative("min_scale", min_scale))


def as_filter(spec: Window | str | Ranks) -> Window | Ranks:
    """A window, or a running median or Hampel filter spelled as "median:9", "hampel:2s,threshold=4"."""
    if isinstance(spec, Ranks):
        return spec
    if not isinstance(spec, str):
        return as_window(spec)
    name, _, rest = spec.strip().partition(":")
    if name.strip() not in ("median", "hampel"):
        return as_window(spec)
    width, *options = (part.strip() for part in rest.split(","))
    known = ("threshold", "min_scale") if name.strip() == "hampel" else ()
    arguments: dict[str, Any] = {}
    for option in options:
        key, _, value = (part.strip() for part in option.partition("="))
        if key not in known:
            allowed = " and ".join(known) or "no options"
            raise ValueError(f"filter {spec!r:.80}: {name} takes {allowed}, got {option!r}")
        try:
            arguments[key] = float(value)
        except ValueError:
            raise ValueError(f"filter {spec!r:.80}: {key} must be a number, got {value!r}") from None
    try:
        number: Any = int(width)
    except ValueError:
        number = width
    try:
        return ranks(number, name.strip() == "hampel", **arguments)
    except (ValueError, TypeError) as error:
        raise ValueError(f"filter {spec!r:.80}: {error}") from None


def filter_text(spec: Window | Ranks) -> str:
    """The text that `as_filter` reads back."""
    if isinstance(spec, Window):
        return str(spec)
    from sigconv._durations import format_duration

    width = format_duration(spec.width) if spec.timed else str(spec.width)
    if not spec.hampel:
        return f"median:{width}"
    return f"hampel:{width},threshold={spec.threshold!r},min_scale={spec.min_scale!r}"
