"""Curves of any length in bounded memory: of each stretch its least and greatest value, so that no peak is lost."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 20_000  # points kept of a curve

Points = tuple[NDArray[Any], NDArray[np.float64]]


class Trace:
    """A curve that is fed piece by piece and keeps at most ``limit`` points.

    Once there are more, the points stand for stretches of equal count: the least and the greatest value of each, in
    their order. A stretch that holds no value stays a gap.

    Parameters
    ----------
    limit : int
        The most points that `points` gives.

    Examples
    --------
    >>> trace = Trace(limit=8)
    >>> trace.add(np.arange(100), np.where(np.arange(100) == 42, 9.0, 0.0))
    >>> x, y = trace.points()
    >>> len(y) <= 8, float(y.max())
    (True, 9.0)
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = max(limit // 4, 1) * 4
        self._stretch = 1  # samples for each two points; 1: every sample is a point
        self._kept: list[Points] = []
        self._count = 0  # points kept
        self._rest: list[Points] = []  # samples that fill no stretch yet

    def add(self, x: NDArray[Any], y: NDArray[np.float64]) -> None:
        """The next samples; ``x`` may be of any type that can be copied."""
        half = self._limit // 2
        for start in range(0, len(y), half):  # so that what is kept stays within twice the limit
            self._add(x[start : start + half], y[start : start + half])

    def points(self) -> Points:
        """The curve as it stands."""
        x, y = _join(self._rest)
        if self._stretch > 1 and len(y):
            x, y = extremes(x, y, len(y))
        x, y = _join([*self._kept, (x, y)])
        whole = len(y) // 4 * 4
        return (x, y) if len(y) <= self._limit else extremes(x[:whole], y[:whole], 4)

    def _add(self, x: NDArray[Any], y: NDArray[np.float64]) -> None:
        x, y = _join([*self._rest, (x, y)])
        whole = len(y) // self._stretch * self._stretch
        self._keep(*(extremes(x[:whole], y[:whole], self._stretch) if self._stretch > 1 else (x, y)))
        self._rest = [(x[whole:].copy(), y[whole:].copy())]
        while self._count >= self._limit:
            x, y = _join(self._kept)
            whole = len(y) // 4 * 4
            self._kept, self._count = [], 0
            self._keep(*extremes(x[:whole], y[:whole], 4))
            if self._stretch == 1:
                self._rest = [(x[whole:], y[whole:])]  # up to here every sample was a point
            self._stretch = max(4, 2 * self._stretch)

    def _keep(self, x: NDArray[Any], y: NDArray[np.float64]) -> None:
        self._kept.append((x, y))
        self._count += len(y)


def _join(pieces: list[Points]) -> Points:
    x, y = zip(*pieces, strict=True) if pieces else ((np.empty(0),), (np.empty(0),))
    return np.concatenate(x), np.concatenate(y)


def extremes(x: NDArray[Any], y: NDArray[np.float64], size: int) -> Points:
    """Two points of every ``size`` samples: the least and the greatest, in their order; NaN where there is none.

    Examples
    --------
    >>> extremes(np.arange(6), np.array([1.0, 3.0, 2.0, np.nan, 5.0, 4.0]), 3)
    (array([0, 1, 4, 5]), array([1., 3., 5., 4.]))
    """
    table = y.reshape(-1, size)
    gone = np.isnan(table)
    low = np.where(gone, np.inf, table).argmin(axis=1)
    high = np.where(gone, -np.inf, table).argmax(axis=1)
    places = np.sort(np.stack([low, high], axis=1), axis=1) + size * np.arange(len(table))[:, None]
    return x[places.ravel()], y[places.ravel()]


class Watcher:
    """Passes rows through a filter and keeps the curves of what went in and what came out.

    Parameters
    ----------
    filter : callable or None
        Given values (rows, channels) and times or None; without, rows come out as they went in.
    channels : int
        Their number.
    """

    def __init__(self, filter: Callable[..., NDArray[np.float64]] | None, channels: int) -> None:
        self._filter = filter
        self.before = [Trace() for _ in range(channels)]
        self.after = [Trace() for _ in range(channels)]
        self.timed = False
        self._rows = 0

    def __call__(self, values: NDArray[np.float64], times: NDArray[Any] | None) -> NDArray[np.float64]:
        x = values
        y = x if self._filter is None else self._filter(x, times)
        self.timed = times is not None
        if times is None:
            places = np.arange(self._rows + 1, self._rows + len(x) + 1)
            self._rows += len(x)
        else:
            places = np.asarray(times).view(np.int64)
        for k in range(x.shape[1]):
            self.before[k].add(places, x[:, k])
            if self._filter is not None:
                self.after[k].add(places, y[:, k])
        return y

    def state(self) -> Any:
        """The filter's own."""
        return {} if self._filter is None else self._filter.state()  # type: ignore[attr-defined]

    def restore(self, state: Any) -> None:
        """The filter's own."""
        if self._filter is not None:
            self._filter.restore(state)  # type: ignore[attr-defined]
