"""Log-mean-exp and its gradient over the windows of pools.

Where an image's spread times beta is moderate, exp of the whole image is taken once and its windows are summed. Where
it is not, windows are joined axis by axis, each relative to its own extreme. Small spreads of float32
are worked on in float32, all else in float64. Which way an image goes depends on it alone.
"""

from collections.abc import Callable, Iterator
from functools import partial
from math import prod

import numpy as np

from sigconv.engines.cpu.pools import pools
from sigconv.engines.cpu.pools.windows import Axis, Windows
from sigconv.engines.cpu.threads import parallel, split

_GROUP = 2**20  # cells of images worked on together
_LINEAR, _SMALL, _SINGLE, _LARGE = 1e-17, 1.0, 16.0, 64.0  # spreads below which the mean, expm1 and exp will do


def mapped(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """A function of numbers, applied by all threads."""
    out = np.empty_like(x)
    source, target = x.reshape(-1), out.reshape(-1)

    def task(lo: int, hi: int) -> None:
        with np.errstate(all="ignore"):
            target[lo:hi] = function(source[lo:hi])

    parallel(task, split(x.size, 2**16))
    return out


def _alike(x: np.ndarray, beta: float) -> Iterator[tuple[np.ndarray | slice, str, np.dtype]]:
    """Images that are worked on together, as their numbers; how, and in which precision."""
    flat = x.reshape(len(x), prod(x.shape[1:]))
    with np.errstate(all="ignore"):
        spread = (np.fmax.reduce(flat, 1).astype(np.float64) - np.fmin.reduce(flat, 1)) * abs(beta)
    ways = np.where(spread <= _LINEAR, "mean", np.where(spread <= _SMALL, "expm1", "exp"))
    double, modest = np.dtype(np.float64), 1e-30 < abs(beta) < 1e30  # which float32 can hold
    ways[~(spread <= (_LARGE if x.dtype == double else _SINGLE))] = "wide"
    ways[~(spread <= _LARGE)] = "axes"  # also where something is infinite, or all NaN
    size = max(_GROUP // max(flat.shape[1], 1), 1)
    for way in ("mean", "expm1", "exp", "wide", "axes"):
        (members,) = np.nonzero(ways == way)
        for lo in range(0, len(members), size):
            some = members[lo : lo + size]
            together = int(some[-1]) - int(some[0]) + 1 == len(some)
            chosen = slice(int(some[0]), int(some[-1]) + 1) if together else some  # a slice copies nothing
            yield chosen, way, double if way in ("wide", "axes") or not modest else x.dtype


def _raised(exp: Callable[..., np.ndarray], beta: float, x: np.ndarray, top: np.ndarray) -> np.ndarray:
    return exp((x - top) * x.dtype.type(beta))


def _lowered(log: Callable[..., np.ndarray], beta: float, y: np.ndarray, top: np.ndarray) -> np.ndarray:
    return log(y) / y.dtype.type(beta) + top


def _reference(x: np.ndarray) -> np.ndarray:
    return np.fmax.reduce(x.reshape(len(x), -1), 1)[:, None, None, None]


def _by_image(function: Callable[[np.ndarray, np.ndarray], np.ndarray], x: np.ndarray, top: np.ndarray) -> np.ndarray:
    """A function of images and what they are relative to, a few images at a time."""
    out = np.empty_like(x)

    def task(lo: int, hi: int) -> None:
        with np.errstate(all="ignore"):
            out[lo:hi] = function(x[lo:hi], top[lo:hi])

    parallel(task, split(len(x), max(2**15 // max(x[:1].size, 1), 1)))
    return out


@np.errstate(all="ignore")
def log_mean_exp(x: np.ndarray, windows: Windows, beta: float, counts: pools.Counts) -> np.ndarray:
    """log(mean(exp(beta x))) / beta of every window."""
    out = np.empty((len(x), *windows.output), x.dtype)
    for members, way, dtype in _alike(x, beta):
        some = x[members].astype(dtype, copy=False)
        if way == "mean":
            out[members] = pools.total(some, windows, counts)
        elif way == "axes":
            out[members] = _by_axes(some, windows, beta)[-1] - _log_count(windows) / beta
        else:
            top = _reference(some)
            exp, log = (np.expm1, np.log1p) if way == "expm1" else (np.exp, np.log)
            means = pools.total(_by_image(partial(_raised, exp, beta), some, top), windows, counts)
            out[members] = _by_image(partial(_lowered, log, beta), means, top)
    return out


@np.errstate(all="ignore")
def log_mean_exp_back(
    x: np.ndarray, grad: np.ndarray, ways: tuple[Windows, Windows], beta: float, counts: pools.Counts
) -> np.ndarray:
    """Its gradient: the sum over a cell's windows of grad * exp(beta (x - y)) / count."""
    windows, back = ways
    out = np.empty_like(x)
    cells = counts[0].reshape(*windows.output[:2], 1) * counts[1]
    for members, way, dtype in _alike(x, beta):
        some, given = x[members].astype(dtype, copy=False), grad[members].astype(dtype, copy=False)
        if way == "mean":
            out[members] = pools.sent_back(given / cells.astype(dtype), windows, back)
        elif way == "axes":
            out[members] = _by_axes_back(some, given, ways, beta)
        else:
            top = _reference(some)
            y = log_mean_exp(some, windows, beta, counts)
            shares = _by_image(partial(_raised, np.exp, -beta), y, top)
            sums = pools.sent_back(given / cells.astype(dtype) * shares, windows, back)
            out[members] = sums * _by_image(partial(_raised, np.exp, beta), some, top)
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
