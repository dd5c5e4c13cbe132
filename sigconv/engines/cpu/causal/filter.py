"""What every causal filter of this engine offers, and what those that count samples share."""

from typing import Any

import numpy as np

from sigconv.engines.cpu.causal.tail import Piece, Tail
from sigconv.engines.cpu.compile import kernel
from sigconv.plan import Policy

State = dict[str, Any]


def whole(value: Any) -> int:
    """A count from a saved state."""
    count = int(value)
    if count < 0:
        raise ValueError(f"a count cannot be {count}")
    return count


class Filter:
    """A filter fed piece by piece: the same bits whatever the pieces.

    ``process`` takes (rows, channels), C-contiguous and of ``dtype``, int64 stamps or None, and writes every row of
    ``out``. A filter whose ``channels_apart`` is set takes one channel only.
    """

    channels_apart = False

    def __init__(self, channels: int, dtype: np.dtype, policy: Policy) -> None:
        self.channels, self.dtype, self.policy = channels, dtype, policy
        self.omit = int(policy.omits)
        self.needed = policy.min_samples

    @property
    def zero(self) -> np.ndarray:
        """What a past of zeros is, channel by channel; an angle of zero is the vector (1, 0)."""
        return np.tile([0.0] if self.policy.period is None else [1.0, 0.0], self.channels)[: self.channels]

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray) -> None:
        raise NotImplementedError

    def restart(self) -> None:
        """Forget every sample."""
        raise NotImplementedError

    def state(self) -> State:
        """Everything the next outputs depend on, as arrays and numbers."""
        raise NotImplementedError

    def restore(self, state: State) -> None:
        raise NotImplementedError

    def present(self, x: np.ndarray) -> np.ndarray:
        """Which samples are there: neither NaN nor, where missing samples are left out, infinite."""
        return np.isfinite(x) if self.omit else ~np.isnan(x)

    def kernel(self, name: str) -> Any:
        return kernel(name, self.dtype)


class Counted(Filter):
    """A window of ``width`` rows: what its start, its past and its first outputs have in common."""

    starts_apart = False  # whether the first rows need a kernel of their own where missing samples count
    beyond = 0  # rows kept beyond those that the next window holds

    def __init__(self, width: int, channels: int, dtype: np.dtype, policy: Policy) -> None:
        super().__init__(channels, dtype, policy)
        self.width = width
        self.has_past = policy.initial in ("first", "zero")
        self.restart()

    def restart(self) -> None:
        self.tail = Tail(self.width - 1 + self.beyond, self.channels, self.dtype)
        self.rows = 0  # since the start
        self.seen = np.zeros(self.channels, np.int64)  # present samples, counted while the past still matters

    def state(self) -> State:
        return {"rows": self.rows, "seen": self.seen.copy(), "tail": self.tail.rows().copy()}

    def restore(self, state: State) -> None:
        self.rows = whole(state["rows"])
        self.seen = np.array(state["seen"], np.int64).reshape(self.channels)
        self.tail.restore(state["tail"])

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray) -> None:
        if not len(x):
            return
        starting = self.width - 1 - self.rows  # rows whose windows reach behind the start
        early = x[: max(starting, 0)]
        if self.has_past:
            self._fill_past(x)
        done = 0
        for piece in self.tail.feed(x):
            target = out[done : done + piece.rows]
            self.run(piece, target)
            if done == 0 and starting > 0 and not self.omit and not self.has_past:
                self._start_with_missing(piece, target[:starting])
            done += piece.rows
            self.rows += piece.rows
        if starting > 0:
            self._mend_start(early, out[:starting], self.rows - len(x))

    def run(self, piece: Piece, out: np.ndarray) -> None:
        """Outputs for the new rows of ``piece``, as if what lies before the start were in its source."""
        raise NotImplementedError

    def known(self, piece: Piece) -> int:
        """The first row of the piece's source that belongs to the series or its assumed past."""
        return piece.first - (self.width - 1 if self.has_past else min(self.rows, self.width - 1))

    def _fill_past(self, x: np.ndarray) -> None:
        before_start = self.tail.rows()[: max(self.tail.keep - self.rows, 0)]
        if self.policy.initial == "zero":
            if self.rows == 0:
                before_start[:] = self.zero
        else:
            for c in np.flatnonzero(self.seen == 0).tolist():
                there = self.present(x[:, c])
                if there.any():
                    before_start[:, c] = x[there.argmax(), c]
                    self.past_changed(c)
        if (self.seen == 0).any() and self.rows >= self.width - 1:
            self.seen += self.present(x).any(axis=0)

    def past_changed(self, channel: int) -> None:
        """Called when the rows before the start have got their value."""

    def _start_with_missing(self, piece: Piece, out: np.ndarray) -> None:
        """Where NaN counts, rows before the start must not: the first windows are summed by a kernel of their own."""
        if not self.starts_apart:
            return
        rows = self.rows + len(out)
        source = np.ascontiguousarray(piece.source[piece.first - self.rows : piece.first + len(out)])
        y = np.empty_like(source)
        self.run_start(source, y, rows)
        out[:] = y[self.rows :]

    def run_start(self, source: np.ndarray, y: np.ndarray, rows: int) -> None:
        raise NotImplementedError

    def _mend_start(self, early: np.ndarray, out: np.ndarray, before: int) -> None:
        if self.policy.initial == "nan":
            out[:] = np.nan
        elif self.has_past:
            counts = self.seen + np.cumsum(self.present(early), axis=0)
            out[counts < self.needed] = np.nan
            self.seen = counts[-1]
        elif not self.omit and self.needed > 1:
            out[: max(0, self.needed - 1 - before)] = np.nan


__all__ = ["Counted", "Filter", "State", "whole"]
