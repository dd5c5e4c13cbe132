"""Many taps in float32: rows are summed in groups of four, which share multiplications (kernels.fast_fir)."""

import numpy as np

from sigconv.engines.cpu.causal.counted import Taps
from sigconv.engines.cpu.causal.tail import Piece
from sigconv.engines.cpu.causal.taps import fold, group_lanes, turn_lanes
from sigconv.engines.cpu.compile import address
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.threads import parallel, split
from sigconv.plan import Policy

FEWEST = 96  # taps from which on groups are worth their while, also where pieces are short
_DEEP = 10  # tiles of differences that are kept beside one another: they stay in the second cache
_FEW = 30  # so few tiles are copied: three calls cost more
_WORK = 2**25  # about so many multiplications make a range
_RANGE = 40  # tiles, at least, in a range: each starts with differences of what came before


class GroupedTaps(Taps):
    """As `Taps`, for float32: groups and tiles of rows that share products are counted from the start, whatever is fed.

    Where a piece fills no group, or no tile, zeros stand for the rows that are not there: what they go into is not
    kept. Outputs that are not finite are left to the chain.
    """

    def __init__(self, weights: np.ndarray, channels: int, dtype: np.dtype, policy: Policy) -> None:
        super().__init__(weights, channels, dtype, policy)
        by_age = np.empty_like(self.w)
        by_age[self.order] = self.w
        self.folded = fold(by_age)
        recent, rows, groups, paired, self.apart = self.folded
        self.places = address(rows), groups, paired, address(recent), len(recent)
        self.crowded = False  # whether the last sums were in vain: a guess that decides where to look, and no bit
        self.wide, self.narrow = group_lanes(), turn_lanes()
        self.tile = 8 * self.apart  # rows that a lane sums at once

    def run(self, piece: Piece, out: np.ndarray) -> None:
        source = piece.source[piece.first - self.width + 1 : piece.first + piece.rows]
        if 1 < self.channels < self.narrow:
            doubtful = []
            for c in range(self.channels):
                column = np.empty((piece.rows, 1), self.dtype)
                doubtful += self._sum(np.ascontiguousarray(source[:, c : c + 1]), column)
                out[:, c] = column[:, 0]
        else:
            doubtful = self._sum(source, out)
        if doubtful:
            step = self.channels
            self.convolve(piece, out, self.omit, [(lo * step, hi * step) for lo, hi in sorted(set(doubtful))])

    def _sum(self, source: np.ndarray, out: np.ndarray) -> list[tuple[int, int]]:
        """Outputs of one series, or of as many as there are lanes; the ranges of rows that may hold some not finite."""
        rows, step = out.shape
        if rows < _FEW * self.tile * (self.narrow if step == 1 else 1):
            return self._sum_alone(source, out, 0, rows)
        lanes = self.wide if step == 1 or step >= self.wide else self.narrow
        tile = self.tile * (lanes if step == 1 else 1)
        begin = (-self.rows - 4) % self.tile + 4  # the kernel reads four rows before the first window
        end = begin + (rows - begin) // tile * tile
        doubtful = self._sum_tiles(source[begin - 4 :], out[begin:end], lanes)
        doubtful = [(begin + lo, begin + hi) for lo, hi in doubtful]
        for lo, hi in ((0, begin), (end, rows)):
            if lo < hi:
                doubtful += self._sum_alone(source, out, lo, hi)
        return doubtful

    def _sum_alone(self, source: np.ndarray, out: np.ndarray, lo: int, hi: int) -> list[tuple[int, int]]:
        """Rows [lo, hi), in tiles of their own."""
        step = out.shape[1]
        tile = self.tile * (self.narrow if step == 1 else 1)
        past, into = self.width - 1, (self.rows + lo) % self.tile
        y = np.empty((-(-(into + hi - lo) // tile) * tile, step), self.dtype)
        x = np.zeros((4 + past + len(y), step), self.dtype)
        x[4 + into : 4 + into + past + hi - lo] = source[lo : past + hi]
        doubtful = self._sum_tiles(x, y, self.narrow)
        out[lo:hi] = y[into : into + hi - lo]
        return [(lo, hi)] if doubtful else []

    def _sum_tiles(self, source: np.ndarray, out: np.ndarray, lanes: int) -> list[tuple[int, int]]:
        """Whole tiles from a tile's first row on; ``source`` starts four rows before its window."""
        step, groups = out.shape[1], self.tile // 4
        tile = self.tile * (lanes if step == 1 else 1)
        kernel = self.kernel(f"fast_fir.{'series' if step == 1 else 'columns'}_{self.apart}_{lanes}")
        x, y = address(source), address(out)
        columns = [0] if step == 1 else sorted({min(c, step - lanes) for c in range(0, step, lanes)})
        doubtful = []

        def task(lo: int, hi: int) -> None:
            rows = slice(lo * tile, hi * tile)
            if self.crowded and self._nothing_complete(source[rows.start : rows.stop + self.width + 3]):
                out[rows] = np.nan
                doubtful.append((rows.start, rows.stop))
                return
            pitch = lanes * (self.width // 4 + min(hi - lo + 1, _DEEP) * groups)
            space = scratch(1, (4 + 20 * groups) * lanes + 9 * pitch, self.dtype)[0]
            for c in columns:
                kernel(
                    x, (self.width + 3 + lo * tile) * step + c, step, *self.places,
                    y, lo * tile * step + c, hi - lo, _DEEP * groups, address(space), pitch,
                )  # fmt: skip
                if space[3 * lanes : 4 * lanes].any():  # NaN is true
                    doubtful.append((rows.start, rows.stop))
                    self.crowded = not np.isfinite(out[rows.start : rows.stop : 61]).any()

        tiles = len(out) // tile
        ranges = 4 * -(-len(out) * self.width * step // (4 * _WORK))
        grain = max(-(-tiles // ranges), _RANGE, 8 * self.width // self.tile)
        parallel(task, split(tiles, grain | 1))  # an odd number: lanes do not start a multiple of 4096 bytes apart
        return doubtful

    def _nothing_complete(self, source: np.ndarray) -> bool:
        """Whether each window of a series lacks something, as far as its whole eights of samples tell."""
        if source.shape[1] > 1:
            return False
        runs = np.isfinite(source[: len(source) // 8 * 8, 0]).view(np.int64) == 0x0101010101010101
        length, inside = 1, (self.width - 7) // 8  # of a window, wherever it starts
        while length < inside:
            more = min(length, inside - length)
            runs = runs[:-more] & runs[more:]
            length += more
        return not runs.any()
