"""Whether stamps are in order."""

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.threads import parallel, split

_GRAIN = 2**19


def in_order(t: np.ndarray) -> bool:
    """Whether no stamp is earlier than the one before it."""
    if len(t) < 256:  # not worth a kernel
        return not (t[1:] < t[:-1]).any()
    ordered = kernel("stamps.ordered")
    ranges = split(len(t) - 1, _GRAIN)
    back = np.full(len(ranges), -1, np.int64)

    def task(lo: int, hi: int) -> None:
        ordered(address(t), lo + 1, hi + 1, address(back[lo // _GRAIN :]))

    parallel(task, ranges)
    return bool((back < 0).all())
