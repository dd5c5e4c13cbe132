"""Windows by time over uneven stamps, one channel each."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from sigconv.engines.cpu.causal.counted import power_of_two_below
from sigconv.engines.cpu.causal.filter import Filter, State, whole
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sizes import BLOCK, FIT_ROWS
from sigconv.engines.cpu.threads import parallel, split
from sigconv.plan import Policy

_GRAIN = 2**14  # outputs a thread takes at a time
_SPAN = 2**17  # the running sums of a boxcar may start afresh at multiples of this
_PAIRS = 2**20  # pairs of an output and a sample that are asked of a Python function at once


class Timed(Filter):
    """A window of ``support`` ns: the samples it still reaches, and outputs for the new ones."""

    channels_apart = True
    reads_beyond = False  # whether the reading current at the window's far edge is needed too
    real: np.dtype | None = np.dtype(np.float64)  # what the kernel computes in, where it is not the samples' own type

    def __init__(self, support: int, dtype: np.dtype, policy: Policy) -> None:
        super().__init__(1, dtype, policy)
        self.support = support
        self.edge = support  # samples younger than this are in the window
        self.real = self.real or dtype
        self.restart()

    def restart(self) -> None:
        self.x = np.zeros(0, self.real)
        self.t = np.zeros(0, np.int64)
        self.rows = 0
        self.began = 0  # the first row's stamp

    def state(self) -> State:
        return {"rows": self.rows, "began": self.began, "x": self.x.copy(), "t": self.t.copy()}

    def restore(self, state: State) -> None:
        self.rows, self.began = whole(state["rows"]), int(state["began"])
        self.x = np.array(state["x"], self.real).reshape(-1)
        self.t = np.array(state["t"], np.int64).reshape(-1)
        if len(self.x) != len(self.t) or len(self.x) > self.rows or (self.t[1:] < self.t[:-1]).any():
            raise ValueError("samples and stamps do not belong together")

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray) -> None:
        if not len(x):
            return
        assert t is not None
        if self.rows == 0:
            self.began = int(t[0])
        old = len(self.x)
        xs, ts = x[:, 0].astype(self.real, copy=False), t
        if old:
            xs, ts = np.concatenate([self.x, xs]), np.concatenate([self.t, t])
        y = out[:, 0] if old == 0 and out.dtype == self.real else np.empty(len(xs), self.real)
        self.run(xs, ts, y, old)
        if y.base is not out:
            out[:, 0] = y[old:]
        if self.policy.initial == "nan":
            out[: np.searchsorted(t, self.began + self.support), 0] = np.nan
        self.rows += len(x)
        keep = self.oldest(ts, int(ts[-1]))
        if self.reads_beyond:
            before = np.flatnonzero(self.present(xs[:keep]))
            keep = int(before[-1]) if len(before) else keep
        kept: slice | np.ndarray = slice(keep, None)
        if self.reads_beyond and self.omit:  # a long silence must not fill the memory with what is missing
            kept = keep + np.flatnonzero(self.present(xs[keep:]))
        self.x, self.t = xs[kept].copy(), ts[kept].copy()

    def oldest(self, t: np.ndarray, now: int) -> int:
        """The first sample inside the window that ends at ``now``."""
        return int(np.searchsorted(t, now - self.edge, side="right"))

    def run(self, x: np.ndarray, t: np.ndarray, y: np.ndarray, lo: int) -> None:
        """Outputs from row ``lo`` on; what lies before is history."""
        raise NotImplementedError

    def ranges(self, lo: int, hi: int, task: Callable[[int, int], None], grain: int = _GRAIN) -> None:
        parallel(lambda a, b: task(lo + a, lo + b), split(hi - lo, grain))

    def largest_window(self, t: np.ndarray, lo: int, hi: int) -> int:
        """The most samples that a window of outputs [lo, hi) holds."""
        oldest = np.searchsorted(t, t[lo:hi] - self.support, side="right")
        return int((np.arange(lo, hi) - oldest).max()) + 1


class BoxcarByTime(Timed):
    """Equal weights."""

    def restart(self) -> None:
        super().restart()
        self.anchor = -1  # where the window is cut, as a place in the whole series

    def state(self) -> State:
        return {**super().state(), "anchor": self.anchor}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.anchor = int(state["anchor"])
        if not -1 <= self.anchor < max(self.rows, 1):
            raise ValueError(f"a place in the series cannot be {self.anchor}")

    def run(self, x: np.ndarray, t: np.ndarray, y: np.ndarray, lo: int) -> None:
        boxcar = kernel("running.boxcar")
        offset = self.rows - lo  # the place in the series of the source's first row
        ranges = self._ranges(t, lo, offset)
        anchors = np.full(len(ranges), -1, np.int64)
        anchors[0] = self.anchor - offset if self.anchor >= 0 else -1
        places = {first: k for k, (first, _) in enumerate(ranges)}

        def task(a: int, b: int) -> None:
            first = self.oldest(t, int(t[a]))
            sums, counts, lefts, dens = scratch(4, max(b - first, BLOCK), x.dtype)
            k = places[a]
            boxcar(
                address(x), address(t), address(y), first, a, b, offset, self.support, self.omit, self.needed,
                address(anchors[k:]), address(sums), address(counts), address(lefts), address(dens),
            )  # fmt: skip

        parallel(task, ranges)
        self.anchor = int(anchors[-1]) + offset

    def _ranges(self, t: np.ndarray, lo: int, offset: int) -> list[tuple[int, int]]:
        """Cuts at places where the sums start afresh anyway: multiples of _SPAN that end a window no wider."""
        first = lo + (-(lo + offset)) % _SPAN
        cuts = [i for i in range(first, len(t), _SPAN) if i > lo and i - self.oldest(t, int(t[i])) <= _SPAN]
        edges = [lo, *cuts, len(t)]
        return list(pairwise(edges))


class Pairs(Timed):
    """A shape with a kernel of its own: gaussian, linear, triangular."""

    def __init__(self, shape: str, support: int, scale: float, dtype: np.dtype, policy: Policy) -> None:
        self.shape, self.scale = shape, 1.0 / scale
        super().__init__(support, dtype, policy)
        self.edge += int(shape == "gaussian")  # whose support includes its far edge

    def run(self, x: np.ndarray, t: np.ndarray, y: np.ndarray, lo: int) -> None:
        smooth = kernel(f"pairs.{self.shape}")

        def task(a: int, b: int) -> None:
            smooth(
                address(x), address(t), address(y), self.oldest(t, int(t[a])), a, b, self.edge, self.scale,
                self.omit, self.needed,
            )  # fmt: skip

        self.ranges(lo, len(x), task)


class Given(Timed):
    """Weights from a Python function of an array of ages in seconds."""

    def __init__(self, function: Callable, support: int, dtype: np.dtype, policy: Policy) -> None:
        self.function = function
        super().__init__(support, dtype, policy)

    def run(self, x: np.ndarray, t: np.ndarray, y: np.ndarray, lo: int) -> None:
        smooth = kernel("pairs.given")
        while lo < len(x):
            left = np.searchsorted(t, t[lo : lo + _GRAIN] - self.support, side="right").astype(np.int64)
            counts = np.arange(lo, lo + len(left)) - left + 1
            n = max(1, int(np.searchsorted(np.cumsum(counts), _PAIRS)))
            left, counts = left[:n], counts[:n]
            rows = np.repeat(np.arange(lo, lo + len(left)), counts)
            back = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
            ages = (t[rows] - t[rows - back]) * 1e-9
            weights = np.asarray(self.function(ages), np.float64)
            if weights.shape != ages.shape or not np.isfinite(weights).all():
                raise ValueError(f"a window's function must return one finite weight an age, got {weights!r:.80}")
            weights = np.ascontiguousarray(weights)
            smooth(
                address(x), address(weights), address(y), address(left), lo, lo + len(left), self.omit, self.needed
            )  # fmt: skip
            lo += len(left)


class Integral(Timed):
    """Readings weighed by the time they were current ("hold"), or straight lines between them ("linear")."""

    reads_beyond = True
    _SHAPES = ("uniform", "linear", "triangular", "gaussian")

    def __init__(self, shape: str, support: int, scale: float, dtype: np.dtype, policy: Policy) -> None:
        self.shape, self.scale = self._SHAPES.index(shape), 1.0 / scale
        self.lines = int(policy.measure == "linear")
        super().__init__(support, dtype, policy)
        self.edge += int(shape == "gaussian")

    def run(self, x: np.ndarray, t: np.ndarray, y: np.ndarray, lo: int) -> None:
        smooth = kernel("integral.smooth")

        def task(a: int, b: int) -> None:
            space = np.empty(4)
            smooth(
                address(x), address(t), address(y), 0, a, b, self.support, self.edge, self.scale,
                self.shape, self.lines, self.omit, self.needed, address(space), address(space[2:]),
            )  # fmt: skip

        self.ranges(lo, len(x), task, _GRAIN // 4)


class PolynomialByTime(Timed):
    """Local least squares over uneven stamps, per second where a derivative is asked for."""

    def __init__(self, degree: int, deriv: int, support: int, dtype: np.dtype, policy: Policy) -> None:
        self.degree, self.deriv = degree, deriv
        super().__init__(support, dtype, policy)

    def run(self, x: np.ndarray, t: np.ndarray, y: np.ndarray, lo: int) -> None:
        fit = kernel("polynomial.smooth")
        scale = power_of_two_below(1.0 / self.support)
        unit = (-1e9 * scale) ** self.deriv

        def task(a: int, b: int) -> None:
            size = self.largest_window(t, a, b)
            space, at = np.empty((FIT_ROWS, size)), np.empty(4 * (self.deriv + 1))
            fit(
                address(x), address(t), address(y), self.oldest(t, int(t[a])), a, b, 0, 1, 1, self.support,
                self.degree, self.deriv, scale, unit, 0, self.omit, self.needed,
                address(space), size, address(at),
            )  # fmt: skip

        self.ranges(lo, len(x), task, _GRAIN // 4)
