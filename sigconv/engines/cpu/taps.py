"""The order in which taps are summed, and weights whose own rounded sum is one."""

import numpy as np

from sigconv.engines.cpu.target import host

SHARE_BYTES = 64  # taps this many bytes apart read the same vectors, shifted by whole registers
TURNS = 6  # so many times lanes / 4 groups of four rows are summed at once: they fill half the registers


def group_lanes() -> int:
    """How many float32 a vector holds where groups of four are summed; in wider ones shuffles hold up the sums."""
    return min(host().vector_bytes, 32) // 4


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
    stays what it is.
    """
    order = order_of_taps(len(weights), dtype)
    exact = np.asarray(weights, np.float64)
    w = nudged((exact / exact.sum()).astype(dtype)[order])
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


def fold(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of kernels.fast_fir from those of ages 0, 1, ..: of the newest taps, and (9, groups) of the others.

    Ones still give exactly 1 where ``w`` does that.
    """
    extra = len(w) % 4
    a, b, c, d = w[extra:].astype(np.float64).reshape(-1, 4).T
    folded = np.array([a + b + c + d, a + c, b + d, a + b, c + d, a, b, c, d]).astype(w.dtype)
    chain = nudged(np.append(folded[0], w[:extra]))  # what is left of a sum of ones: their differences are zero
    folded[0] = chain[: len(a)]
    return chain[len(a) :], folded
