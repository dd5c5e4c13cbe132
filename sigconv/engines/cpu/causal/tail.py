"""What a window still reaches of the samples fed before."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Piece(NamedTuple):
    """Rows [first, first + rows) of ``source`` are new; the ``reach`` rows before them are in ``source`` too."""

    source: np.ndarray
    first: int
    rows: int


class Tail:
    """The last ``keep`` rows of a series of (rows, channels), NaN before its start.

    New rows are handed out together with the rows they look back on: small pieces are appended to a buffer that now
    and then moves its end to its front, so a row costs the same however small the piece; large pieces are handed out
    where they lie, but for the first rows.
    """

    def __init__(self, keep: int, channels: int, dtype: np.dtype) -> None:
        self.keep, self.channels, self.dtype = keep, channels, dtype
        self.buffer = np.full((keep, channels), np.nan, dtype)
        self.end = keep

    def rows(self) -> np.ndarray:
        """The rows kept, oldest first: a view."""
        return self.buffer[self.end - self.keep : self.end]

    def restore(self, rows: np.ndarray) -> None:
        """Take ``rows`` as the rows kept."""
        self.buffer = np.array(rows, self.dtype, order="C").reshape(self.keep, self.channels)
        self.end = self.keep

    def _room(self, count: int) -> None:
        if self.end + count > len(self.buffer):
            rows = self.rows()
            self.buffer = np.empty((2 * self.keep + max(count, 64), self.channels), self.dtype)
            self.buffer[: self.keep] = rows
            self.end = self.keep

    def _append(self, x: np.ndarray) -> Piece:
        self._room(len(x))
        first = self.end
        self.end += len(x)
        self.buffer[first : self.end] = x
        return Piece(self.buffer, first, len(x))

    def feed(self, x: np.ndarray) -> Iterator[Piece]:
        """The rows of x in one or two pieces, each to be used before the next is asked for."""
        if len(x) <= max(2 * self.keep, 64):
            yield self._append(x)
            return
        if self.keep:
            yield self._append(x[: self.keep])
        yield Piece(x, self.keep, len(x) - self.keep)
        if self.keep:
            self.restore(x[len(x) - self.keep :])
