"""The word that threads of the pool look at."""

import numpy as np


def threads_cases(rng):
    """(name, function) of looks at a word that has changed, and at one that has not."""
    from sigconv.engines.cpu.compile import address, kernel

    for name, value in (("a change", 4), ("no change", 5)):

        def look(value=value):
            word = np.full(1, value, np.int64)
            kernel("bell.wait")(address(word), 5, 20, 20)
            return [word]

        yield f"looking at {name}", look
