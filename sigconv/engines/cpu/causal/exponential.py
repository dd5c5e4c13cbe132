"""Exponential windows, by sample count and by time: a running estimate a channel."""

import numpy as np

from sigconv.engines.cpu.causal.filter import Filter, State, whole
from sigconv.engines.cpu.compile import address
from sigconv.engines.cpu.sizes import GROUP
from sigconv.engines.cpu.threads import parallel, split
from sigconv.plan import Policy

# Rows of the state arrays; the kernels' own names for them stand in kernels/recursive.py and uneven.py.
_ESTIMATE, _MASS, _COUNT = range(3)
_CURRENT, _FILLED, _NEWEST = 3, 6, 10
_BESIDE = 32  # channels that one thread takes side by side


class _Recursive(Filter):
    rows_of_state: int

    def __init__(self, channels: int, dtype: np.dtype, policy: Policy) -> None:
        super().__init__(channels, dtype, policy)
        self.restart()

    def restart(self) -> None:
        self.memory = np.zeros((self.rows_of_state, self.channels))
        self.rows = 0

    def state(self) -> State:
        return {"rows": self.rows, "memory": self.memory.copy()}

    def restore(self, state: State) -> None:
        self.rows = whole(state["rows"])
        self.memory = np.array(state["memory"], np.float64).reshape(self.rows_of_state, self.channels)

    def _assume_past(self, x: np.ndarray, mass: float, *places: int) -> None:
        """Before the first present sample of a channel all was as that sample (or zero): give it the past's weight."""
        if self.rows == 0:
            self.memory[_MASS] = mass
            if self.policy.initial == "zero":
                self.memory[_ESTIMATE] = self.zero
        if self.policy.initial == "first":
            for c in np.flatnonzero(self.memory[_COUNT] == 0):
                there = self.present(x[:, c])
                if there.any():
                    for place in places:
                        self.memory[place, c] = x[there.argmax(), c]


class Exponential(_Recursive):
    """Equal steps: each sample weighs 1 - alpha times the next one."""

    rows_of_state = 7

    def __init__(self, alpha: float, channels: int, dtype: np.dtype, policy: Policy) -> None:
        self.alpha = alpha
        super().__init__(channels, dtype, policy)

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray) -> None:
        if not len(x):
            return
        if self.policy.initial != "renormalize":
            self._assume_past(x, 1.0 / self.alpha, _ESTIMATE)
        run = self.kernel("recursive.even")
        source, y, memory = address(x), address(out), address(self.memory)

        def task(lo: int, hi: int) -> None:
            run(
                source, y, len(x), lo, hi, self.channels, memory, self.alpha, self.rows & 3, self.omit, self.needed
            )  # fmt: skip

        parallel(task, split(self.channels, _BESIDE if x.size > 2**15 else self.channels))
        self.rows += len(x)


class ExponentialByTime(_Recursive):
    """Uneven steps: the past decays by exp(-dt/tau) from stamp to stamp."""

    rows_of_state = 12 + 2 * GROUP

    def __init__(self, tau_ns: float, channels: int, dtype: np.dtype, policy: Policy) -> None:
        self.rate = 1.0 / tau_ns
        self.mode = {"sample": 0, "hold": 2, "linear": 3}[policy.measure]
        if self.mode == 0 and policy.initial == "first":
            self.mode = 1
        super().__init__(channels, dtype, policy)

    def restart(self) -> None:
        super().restart()
        self.last = 0  # the last stamp
        self.clock = np.zeros(self.channels, np.int64)  # the stamps of the kernel's bases

    def state(self) -> State:
        return {**super().state(), "last": self.last, "clock": self.clock.copy()}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.last = int(state["last"])
        self.clock = np.array(state["clock"], np.int64).reshape(self.channels)
        filled = self.memory[_FILLED]
        if not ((filled >= 0) & (filled <= GROUP)).all():
            raise ValueError("a group's rows are out of range")

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray) -> None:
        if not len(x):
            return
        assert t is not None
        if self.mode >= 2 and self.policy.initial == "first":
            self._assume_past(x, 1.0, _CURRENT, _NEWEST)
        run = self.kernel("uneven.smooth")
        before = self.last if self.rows else int(t[0])
        memory = np.ascontiguousarray(self.memory.T)

        def task(lo: int, hi: int) -> None:
            decays = np.empty(64)
            for c in range(lo, hi):
                run(
                    address(x), address(out), address(t), before, len(x), self.rows % GROUP, c, self.channels,
                    address(memory[c]), address(self.clock[c:]), self.rate, self.mode, self.omit, self.needed,
                    address(decays),
                )  # fmt: skip

        parallel(task, split(self.channels, 1 if x.size > 2**15 else self.channels))
        self.memory = np.ascontiguousarray(memory.T)
        self.last = int(t[-1])
        self.rows += len(x)
