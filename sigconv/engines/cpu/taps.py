"""The order in which taps are summed, and weights whose own rounded sum is one."""

import numpy as np

SHARE_BYTES = 64  # taps this many bytes apart read the same vectors, shifted by whole registers


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
    w = (exact / exact.sum()).astype(dtype)[order]
    one = dtype.type(1)
    for _ in range(4):
        if ordered_sum(w) == 1:
            return w, order, 1.0
        w[np.argmax(np.abs(w))] += one - dtype.type(ordered_sum(w))
    for j in np.argsort(-np.abs(w))[:64]:
        kept = w[j]
        for ulps in (1, -1, 2, -2, 3, -3):
            w[j] = kept + dtype.type(ulps) * np.spacing(kept)
            if ordered_sum(w) == 1:
                return w, order, 1.0
        w[j] = kept
    return w, order, ordered_sum(w)
