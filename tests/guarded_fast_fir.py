"""Many taps in float32 between guards: sizes around those of groups and tiles, alone, side by side, in pieces."""

import itertools

import numpy as np

TAPS = (96, 97, 99, 102, 131, 150)
SIZES = (511, 512, 513, 639, 640, 1281, 20_000, 60_000)
COLUMNS = ((47, 8), (49, 9), (52, 16), (201, 5), (2600, 11), (3200, 17))


def fast_fir_cases(rng):
    """(name, function) of windows long enough for groups of four."""
    import sigconv as sc

    def smooth(x, window, policy):
        return lambda: [sc.smooth(x, window, axis=0, nan_policy=policy)]

    def feed(x, window, cuts):
        stream = sc.Smoother(window, channels=None if x.ndim == 1 else x.shape[1], dtype=x.dtype)
        return [stream.process(x[lo:hi]) for lo, hi in itertools.pairwise([0, *cuts, len(x)])]

    for taps, shape in itertools.product(TAPS, [*((n,) for n in SIZES), *COLUMNS]):
        window = sc.windows.custom(rng.uniform(-0.2, 1, taps))
        x = rng.standard_normal(shape).astype(np.float32)
        x[rng.random(shape) < rng.choice([0, 0.002])] = np.nan
        policy = str(rng.choice(["omit", "propagate"]))
        yield f"{taps} taps over {shape}, {policy}", smooth(x, window, policy)
        cuts = np.sort(rng.integers(0, shape[0], 4)).tolist()
        yield f"{taps} taps over {shape} in pieces", lambda x=x, w=window, cuts=cuts: feed(x, w, cuts)
