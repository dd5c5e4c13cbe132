"""Windows by sample count: weighted taps, equal weights, local polynomials."""

import numpy as np

from sigconv.engines.cpu.causal.filter import Counted
from sigconv.engines.cpu.causal.tail import Piece
from sigconv.engines.cpu.causal.taps import SHARE_BYTES, order_of_taps, ordered_sum, unit_weights
from sigconv.engines.cpu.compile import address
from sigconv.engines.cpu.results import CACHED
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sizes import FIT_ROWS
from sigconv.engines.cpu.threads import parallel, split
from sigconv.plan import Policy


class Taps(Counted):
    """Any finite weights: y = sum of w[j] x[i - j] over present samples / their weight."""

    starts_apart = True

    def __init__(self, weights: np.ndarray, channels: int, dtype: np.dtype, policy: Policy) -> None:
        self.w, self.order, self.full = unit_weights(weights, dtype)
        # a sum of fewer taps may cancel, but only where signs differ
        self.least = 8 * float(np.finfo(dtype).eps * np.abs(self.w).sum()) if (self.w < 0).any() else 0.0
        super().__init__(len(weights), channels, dtype, policy)

    def run(self, piece: Piece, out: np.ndarray) -> None:
        self.convolve(piece, out, self.omit)

    def convolve(self, piece: Piece, out: np.ndarray, omit: int, mend: list[tuple[int, int]] | None = None) -> None:
        """All outputs, or those in the ranges ``mend`` that are not finite."""
        smooth, step, k = self.kernel("fir.smooth"), self.channels, self.width
        source, w, order, y = (address(a) for a in (piece.source, self.w, self.order, out))
        begin, mending = piece.first * step, int(mend is not None)

        def task(lo: int, hi: int) -> None:
            smooth(
                source, begin + lo, w, order, k, step, y, lo, hi - lo, self.full, self.least, omit, self.needed, mending
            )

        parallel(task, split(out.size, min(max(2**25 // k, 2**13), 2**18)) if mend is None else mend)

    def run_start(self, source: np.ndarray, y: np.ndarray, rows: int) -> None:
        start = self.kernel("fir.start")
        w, order = address(self.w), address(self.order)
        start(address(source), w, order, self.width, self.channels, address(y), rows, self.least)


def power_of_two_below(value: float) -> float:
    """The largest power of two that is no larger: a factor that rounds nothing."""
    return float(2.0 ** np.floor(np.log2(value)))


class Polynomial(Taps):
    """Local least squares: the full window's fit is a row of weights; windows with something missing are refitted."""

    starts_apart = False  # the fit itself knows where the series starts

    def __init__(
        self, weights: np.ndarray, degree: int, deriv: int, channels: int, dtype: np.dtype, policy: Policy
    ) -> None:
        Counted.__init__(self, len(weights), channels, dtype, policy)
        self.order = order_of_taps(self.width, dtype)
        self.w = np.asarray(weights, np.float64).astype(dtype)[self.order]
        self.full, self.least = ordered_sum(self.w), 0.0
        self.degree, self.deriv = degree, deriv

    def run(self, piece: Piece, out: np.ndarray) -> None:
        self.convolve(piece, out, omit=0)
        fit, k, step = self.kernel("polynomial.smooth"), self.width, self.channels
        known, first = self.known(piece), piece.first
        source, y = address(piece.source), address(out) - first * step * self.dtype.itemsize
        scale = power_of_two_below(1.0 / k)
        unit = (-scale) ** self.deriv  # ages run against time

        def task(lo: int, hi: int) -> None:
            space, at = np.empty((FIT_ROWS, k)), np.empty(4 * (self.deriv + 1))
            for c in range(step):
                fit(
                    source, 0, y, known, first + lo, first + hi, c, step, 0, k, self.degree, self.deriv, scale, unit,
                    1, self.omit, self.needed, address(space), k, address(at),
                )  # fmt: skip

        parallel(task, split(piece.rows, 2**16))


_APART = 2**21  # windows of more numbers than this are summed channel by channel


class Boxcar(Counted):
    """Equal weights: the mean of the present samples."""

    starts_apart = True

    def run(self, piece: Piece, out: np.ndarray) -> None:
        if self.channels > 1 and self.width * self.channels > _APART:
            source = piece.source[piece.first - self.width + 1 : piece.first + piece.rows]
            for c in range(self.channels):
                column = np.empty(piece.rows, self.dtype)
                self._means(np.ascontiguousarray(source[:, c]), self.width - 1, 1, column)
                out[:, c] = column
        else:
            self._means(piece.source, piece.first * self.channels, self.channels, out)

    def _means(self, source: np.ndarray, begin: int, step: int, out: np.ndarray) -> None:
        smooth, width = self.kernel("boxcar.smooth"), self.width
        x, y = address(source), address(out)
        many = self._many()
        block = (max(2**13, 2 * width * step) + 63) // 64 * 64

        def past(lo: int) -> int:
            past_cache = out.nbytes > CACHED and y % self.dtype.itemsize == 0
            return -(y // self.dtype.itemsize + lo) % 16 if past_cache else -1

        def task(lo: int, hi: int) -> None:
            rows = scratch(5, min(block, hi - lo) + width * step + 128, self.dtype)
            smooth(
                x, begin + lo, width, many, step, y, lo, hi - lo, block, past(lo), self.omit, self.needed,
                *(address(row) for row in rows),
            )  # fmt: skip

        parallel(task, split(out.size, max(2**18, block)))

    def _many(self) -> int:
        """How many sums of four groups share one more: about the square root of their number."""
        groups = self.width * self.dtype.itemsize // SHARE_BYTES
        return max(round((groups / 4) ** 0.5), 2) if groups >= 8 else 1

    def run_start(self, source: np.ndarray, y: np.ndarray, rows: int) -> None:
        self.kernel("boxcar.start")(address(source), self.channels, address(y), rows)
