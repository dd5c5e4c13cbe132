"""Running filters between guards: sizes around those of tiles and bands, every border, every kernel."""

import itertools

import numpy as np

SHAPES = (
    (1,), (7,), (16,), (17,), (63,), (64,), (65,), (257,), (9000,), (3, 5), (17, 33), (40, 64), (130, 70), (33, 9, 3),
    (5, 18, 35), (6, 4, 130),
)  # fmt: skip
SIZES = (1, 2, 3, 8, 9, 31, 70)
DTYPES = (np.float32, np.float64, np.uint8, np.int16, np.int64)


def running_cases(rng):
    """(name, function) of running filters."""
    import sigconv as sc
    from sigconv.borders import BORDERS
    from sigconv.engines.cpu.linear.running_filters import Window, byte_means

    kinds = {"mean": sc.uniform_filter, "smallest": sc.minimum_filter, "largest": sc.maximum_filter}
    borders = itertools.cycle(BORDERS)
    for shape, dtype, (name, run) in itertools.product(SHAPES, DTYPES, kinds.items()):
        sizes = tuple(int(k) for k in rng.choice(SIZES, len(shape)))
        origins = tuple(int(rng.integers(-(k // 2), (k - 1) // 2 + 1)) for k in sizes)
        x, border = rng.integers(0, 200, shape).astype(dtype), next(borders)
        yield (
            f"{name} of {sizes} at {origins} over {shape} {np.dtype(dtype).name}, {border}",
            lambda run=run, x=x, sizes=sizes, border=border, origins=origins: [
                run(x, sizes, border=border, cval=3, origin=origins)
            ],
        )
        if dtype == np.uint8 and len(shape) < 3:
            windows = {axis: Window(k, k // 2) for axis, k in enumerate(sizes)}
            yield (
                f"bytes of {sizes} over {shape}, {border}",
                lambda x=x, windows=windows, border=border: [byte_means(x, windows, border, 3.0)],
            )
