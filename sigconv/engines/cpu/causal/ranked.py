"""Running medians and the Hampel filter, by sample count and by time."""

import numpy as np

from sigconv.engines.cpu.causal.filter import Counted, State
from sigconv.engines.cpu.causal.tail import Piece
from sigconv.engines.cpu.causal.timed import Timed
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.threads import parallel, split
from sigconv.plan import Policy, Ranks

_SMALL = 4096  # rows up to which the sorted window is carried from call to call


def _room(window: int) -> int:
    """Places for a sorted window and the infinities behind it, in whole vectors of any width."""
    return (window // 16 + 3) * 16


def _grain(window: int) -> int:
    """Rows a thread takes at a time: enough to make up for sorting its first window."""
    return max(2**15, 32 * window)


class Ranked(Counted):
    """The window's rows sorted, a channel at a time."""

    beyond = 1  # the row that leaves the window next

    def __init__(self, ranks: Ranks, channels: int, dtype: np.dtype, policy: Policy) -> None:
        self.ranks = ranks
        super().__init__(ranks.width, channels, dtype, policy)

    def restart(self) -> None:
        super().restart()
        self.flags = np.zeros((0, self.channels), np.uint8)
        self._forget_order()

    def _forget_order(self) -> None:
        """The order is remade from the rows kept; it is speed, not state."""
        self.sorted = np.empty((self.channels, _room(self.width)), self.dtype)
        self.places = np.full((self.channels, 3), -1, np.int64)

    def past_changed(self, channel: int) -> None:
        self.places[channel] = -1

    def restore(self, state: State) -> None:
        super().restore(state)
        self._forget_order()

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray) -> None:
        self.flags = np.zeros((0, self.channels), np.uint8)
        super().process(x, t, out)
        if self.ranks.hampel:
            self.flags[np.isnan(out)] = 0

    def run(self, piece: Piece, out: np.ndarray) -> None:
        flags = np.zeros(out.shape, np.uint8)
        known, step = self.known(piece), self.channels
        source = address(piece.source)
        y = address(out) - piece.first * step * self.dtype.itemsize
        marks = address(flags) - piece.first * step
        median, ranks = self.kernel("rank.median"), self.ranks
        carried = piece.rows <= _SMALL

        def task(lo: int, hi: int) -> None:
            for c in range(step):
                order = self.sorted[c] if carried else np.empty(_room(self.width), self.dtype)
                place = self.places[c] if carried else np.full(3, -1, np.int64)
                if place[0] >= 0:
                    place[2] += piece.first
                median(
                    source, 0, y, marks, known, piece.first + lo, piece.first + hi, c, step, 0, self.width,
                    int(ranks.hampel), ranks.threshold, ranks.min_scale, self.omit, self.needed,
                    address(order), len(order), address(place),
                )  # fmt: skip
                place[2] -= piece.first + hi

        parallel(task, split(piece.rows, _SMALL if carried else _grain(self.width)))
        if not carried:
            self.places[:] = -1
        self.flags = np.concatenate([self.flags, flags])


class RankedByTime(Timed):
    """The window's samples sorted."""

    real = None

    def __init__(self, ranks: Ranks, dtype: np.dtype, policy: Policy) -> None:
        self.ranks = ranks
        super().__init__(ranks.width, dtype, policy)

    def process(self, x: np.ndarray, t: np.ndarray | None, out: np.ndarray) -> None:
        super().process(x, t, out)
        if self.ranks.hampel:
            self.flags[np.isnan(out)] = 0

    def run(self, x: np.ndarray, t: np.ndarray, y: np.ndarray, lo: int) -> None:
        flags = np.zeros(len(x), np.uint8)
        ranks = self.ranks
        median = kernel("rank.median", self.dtype)

        def task(a: int, b: int) -> None:
            order = np.empty(_room(self.largest_window(t, max(a - 1, 0), b)), self.dtype)
            place = np.full(3, -1, np.int64)
            median(
                address(x), address(t), address(y), address(flags), self.oldest(t, int(t[max(a - 1, 0)])), a, b,
                0, 1, 1, self.support, int(ranks.hampel), ranks.threshold, ranks.min_scale, self.omit, self.needed,
                address(order), len(order), address(place),
            )  # fmt: skip

        self.ranges(lo, len(x), task, _grain(64))
        self.flags = flags[lo:, None]
