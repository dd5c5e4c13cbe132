"""Log-mean-exp and its gradient over the windows of pools, in double precision.

Where an image's spread times beta is moderate, exp of the whole image is taken once and its windows are summed. Where
it is not, windows are joined axis by axis, each relative to its own extreme. Which way an image goes depends on it
alone.
"""

from collections.abc import Callable, Iterator

import numpy as np

from sigconv.engines.cpu import pools
from sigconv.engines.cpu.pool_windows import Axis, Windows
from sigconv.engines.cpu.threads import parallel, split

_GROUP = 2**20  # cells of images worked on together
_LINEAR, _SMALL, _LARGE = 1e-17, 1.0, 64.0  # spreads below which the mean, expm1 and exp will do


def mapped(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """A function of numbers, applied by all threads."""
    out = np.empty_like(x)
    source, target = x.reshape(-1), out.reshape(-1)

    def task(lo: int, hi: int) -> None:
        target[lo:hi] = function(source[lo:hi])

    with np.errstate(all="ignore"):
        parallel(task, split(x.size, 2**16))
    return out


def _alike(x: np.ndarray, beta: float) -> Iterator[tuple[np.ndarray, str]]:
    """Images that are worked on together, as their numbers, and how."""
    flat = x.reshape(len(x), -1)
    with np.errstate(all="ignore"):
        spread = (np.fmax.reduce(flat, 1).astype(np.float64) - np.fmin.reduce(flat, 1)) * abs(beta)
    ways = np.where(spread <= _LINEAR, "mean", np.where(spread <= _SMALL, "expm1", "exp"))
    ways[~(spread <= _LARGE)] = "axes"  # also where something is infinite, or all NaN
    size = max(_GROUP // max(flat.shape[1], 1), 1)
    for way in ("mean", "expm1", "exp", "axes"):
        (members,) = np.nonzero(ways == way)
        for lo in range(0, len(members), size):
            yield members[lo : lo + size], way


def _reference(x: np.ndarray) -> np.ndarray:
    return np.fmax.reduce(x.reshape(len(x), -1), 1)[:, None, None, None]


def log_mean_exp(x: np.ndarray, windows: Windows, beta: float, counts: pools.Counts) -> np.ndarray:
    """log(mean(exp(beta x))) / beta of every window, in float64."""
    out = np.empty((len(x), *windows.output))
    for members, way in _alike(x, beta):
        some = x[members].astype(np.float64)
        if way == "mean":
            out[members] = pools.total(some, windows, counts)
        elif way == "axes":
            out[members] = _by_axes(some, windows, beta)[-1] - _log_count(windows) / beta
        else:
            top = _reference(some)
            exp, log = (np.expm1, np.log1p) if way == "expm1" else (np.exp, np.log)
            means = pools.total(mapped(exp, (some - top) * beta), windows, counts)
            out[members] = mapped(log, means) / beta + top
    return out


def log_mean_exp_back(
    x: np.ndarray, grad: np.ndarray, ways: tuple[Windows, Windows], beta: float, counts: pools.Counts
) -> np.ndarray:
    """Its gradient: the sum over a cell's windows of grad * exp(beta (x - y)) / count, in float64."""
    windows, back = ways
    out = np.empty(x.shape)
    cells = counts[0].reshape(*windows.output[:2], 1) * counts[1]
    for members, way in _alike(x, beta):
        some, given = x[members].astype(np.float64), grad[members].astype(np.float64)
        if way == "mean":
            out[members] = pools.total(given / cells, back)
        elif way == "axes":
            out[members] = _by_axes_back(some, given, ways, beta)
        else:
            top = _reference(some)
            y = log_mean_exp(some, windows, beta, counts)
            sums = pools.total(given / cells * mapped(np.exp, (top - y) * beta), back)
            out[members] = sums * mapped(np.exp, (some - top) * beta)
    return out


def _log_count(windows: Windows) -> np.ndarray:
    deep, high, wide = (axis.cells for axis in windows.axes)
    with np.errstate(all="ignore"):
        return np.log(deep[:, None, None] * high[:, None] * wide)


def _neighbours(
    axis: Axis, place: int
) -> Iterator[tuple[tuple[slice | np.ndarray, ...], tuple[slice | np.ndarray, ...]]]:
    """For every cell of the axis's windows which outputs have it, and where it stands."""
    ahead = (slice(None),) * place
    for j in range(int(axis.cells.max(initial=0))):
        (outputs,) = np.nonzero(j < axis.cells)
        yield (*ahead, outputs), (*ahead, axis.first[outputs] + j * axis.step)


def _by_axes(x: np.ndarray, windows: Windows, beta: float) -> list[np.ndarray]:
    """x, and log(sum(exp(beta x))) / beta over the windows of one axis more each time."""
    found = [x]
    extreme = np.maximum if beta > 0 else np.minimum
    for place, axis in enumerate(windows.axes, 1):
        x = found[-1]
        shape = (*x.shape[:place], len(axis.first), *x.shape[place + 1 :])
        top, total = np.full(shape, -np.inf if beta > 0 else np.inf), np.zeros(shape)
        with np.errstate(all="ignore"):
            for outputs, cells in _neighbours(axis, place):
                top[outputs] = extreme(top[outputs], x[cells])
            for outputs, cells in _neighbours(axis, place):
                total[outputs] += np.exp((x[cells] - top[outputs]) * beta)
            found.append(np.where(np.isinf(top), top, top + np.log(total) / beta))
    return found


def _by_axes_back(x: np.ndarray, grad: np.ndarray, ways: tuple[Windows, Windows], beta: float) -> np.ndarray:
    """The gradient of `_by_axes`; what an infinite result takes from its cells is not defined, and NaN."""
    windows, way_back = ways
    found = _by_axes(x, windows, beta)
    for place in (3, 2, 1):
        x, y = found[place - 1], found[place]
        back = np.zeros(x.shape)
        with np.errstate(all="ignore"):
            for cells, outputs in _neighbours(way_back.axes[place - 1], place):
                back[cells] += grad[outputs] * np.exp((x[cells] - y[outputs]) * beta)
        grad = back
    return grad
