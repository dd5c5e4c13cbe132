"""The order in which taps are summed, and weights whose own rounded sum is one."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sigconv.engines.cpu.target import host

SHARE_BYTES = 64  # taps this many bytes apart read the same vectors, shifted by whole registers
APART = 8, 10, 12  # so many groups of four rows lie between those that share products: two halves fill the registers
_REMEMBERED = 2**13  # windows of more taps than this are not remembered


def group_lanes() -> int:
    """How many float32 a vector holds where groups of four are multiplied."""
    return host().vector_bytes // 4


def turn_lanes() -> int:
    """How many where groups are taken apart and put together: in wider vectors shuffles hold up the sums."""
    return min(group_lanes(), 8)


def order_of_taps(k: int, dtype: np.dtype) -> np.ndarray:
    """Ages of taps in the order the kernels sum them: those that share loads one after another.

    It depends on the number of taps and the dtype alone, never on the machine.
    """
    share = SHARE_BYTES // dtype.itemsize
    return np.concatenate([np.arange(r, k, share) for r in range(min(share, k))]).astype(np.int64)


def ordered_sum(w: np.ndarray) -> float:
    """The sum of weights as a kernel's chain rounds it."""
    return float(np.add.accumulate(w)[-1])


def unit_weights(weights: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, float]:
    """Normalised weights in order of summation, the order, and their rounded sum.

    Weights are nudged by a few units in the last place so that the chain over ones gives exactly 1: a constant one
    stays what it is. The arrays are not to be written to.
    """
    exact = np.asarray(weights, np.float64)
    if len(exact) > _REMEMBERED:
        return _unit_weights.__wrapped__(exact.tobytes(), dtype)
    return _unit_weights(exact.tobytes(), dtype)


@lru_cache(32)
def _unit_weights(weights: bytes, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, float]:
    exact = np.frombuffer(weights)
    order = order_of_taps(len(exact), dtype)
    w = nudged((exact / exact.sum()).astype(dtype)[order])
    w.flags.writeable = order.flags.writeable = False
    return w, order, ordered_sum(w)


def nudged(w: np.ndarray) -> np.ndarray:
    """``w``, whose sum is nearly 1, changed in place so that it is 1 where a few units in the last place do that."""
    real = w.dtype.type
    for _ in range(4):
        if ordered_sum(w) == 1:
            return w
        w[np.argmax(np.abs(w))] += real(1) - real(ordered_sum(w))
    for j in np.argsort(-np.abs(w))[:64]:
        kept = w[j]
        for ulps in (1, -1, 2, -2, 3, -3):
            w[j] = kept + real(ulps) * np.spacing(kept)
            if ordered_sum(w) == 1:
                return w
        w[j] = kept
    return w


class Folded(NamedTuple):
    """What kernels.fast_fir multiplies: the newest taps, and nine rows for the others, which are ``groups`` of four.

    A row holds four times ``paired`` products of pairs of groups ``apart``, then one of each group left.
    """

    recent: np.ndarray
    rows: np.ndarray
    groups: int
    paired: int
    apart: int


def fold(w: np.ndarray) -> Folded:
    """The weights of kernels.fast_fir from those of ages 0, 1, ..

    Ones still give exactly 1 where ``w`` does that. The arrays are not to be written to.
    """
    if len(w) > _REMEMBERED:
        return _fold.__wrapped__(w.tobytes(), w.dtype)
    return _fold(w.tobytes(), w.dtype)


def _stretch(groups: int) -> tuple[int, int]:
    """How far groups that share products are apart, and how many groups three such stretches hold, repeated."""
    return min(((apart, groups // (3 * apart) * 3 * apart) for apart in APART), key=lambda pair: (-pair[1], -pair[0]))


@lru_cache(32)
def _fold(weights: bytes, dtype: np.dtype) -> Folded:
    w = np.frombuffer(weights, dtype)
    extra = len(w) % 4
    a, b, c, d = w[extra:].astype(np.float64).reshape(-1, 4).T
    taps = np.array([a + b + c + d, a + c, b + d, a + b, c + d, a, b, c, d])
    apart, shared = _stretch(len(a))
    new, middle, old = np.moveaxis(taps[:, :shared].reshape(9, -1, 3, apart), 2, 0).reshape(3, 9, -1)
    parts = (new + middle + old) / 2, (middle - new - old) / 2, new, -old, taps[:, shared:]
    rows = np.concatenate(parts, axis=1).astype(dtype)
    # what is left of a sum of ones: their differences are zero, and sums of two are twice as much
    paired, groups = shared // 3, len(a)
    chain = nudged(np.concatenate([2 * rows[0, :paired], rows[0, 4 * paired :], w[:extra]]))
    rows[0, :paired], rows[0, 4 * paired :] = chain[:paired] / 2, chain[paired : groups - 2 * paired]
    recent = chain[groups - 2 * paired :]
    rows.flags.writeable = recent.flags.writeable = False
    return Folded(recent, rows, groups, paired, apart)
