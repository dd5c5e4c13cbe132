"""Correlation at sizes around those of tiles, lines, bands and blocks: every kind of source and of result."""

import itertools

import numpy as np

COLUMNS = (1, 2, 7, 15, 16, 17, 31, 33, 63, 64, 65, 129, 193, 257, 450)
ROWS = (1, 2, 3, 4, 5, 31, 33, 40)
KERNELS = ((1, 3), (2, 2), (3, 3), (1, 1), (2, 5), (5, 4), (7, 7), (3, 90), (9, 1), (4, 33))
KINDS = (("f4", "f4"), ("f8", "f8"), ("u1", "f4"), ("u1", "u1"), ("u2", "f4"), ("u2", "u2"), ("f2", "f2"), ("i8", "i8"))
WAYS = (
    {},
    {"border": "constant", "cval": 3},
    {"border": "wrap", "stride": (2, 3)},
    {"border": "mirror", "dilation": (2, 3)},
    {"mode": "full", "border": "nearest"},
    {"border": "nearest", "stride": (1, 2), "dilation": (3, 1)},
    {"mode": "valid"},
    {"border": "wrap", "dilation": (3, 1), "stride": (2, 1)},
)


def linear_cases(rng):
    """(name, function) of weighted windows over one to four axes."""
    import sigconv as sc

    def one(shape, kernel, kinds, method="auto", **options):
        source, target = kinds
        x = rng.integers(0, 120, shape).astype(source)
        if options.get("mode") == "valid":
            kernel = tuple(map(min, kernel, shape))
        if method == "separable":
            w = np.ones(kernel) / 3
        else:
            w = rng.integers(-9, 9, kernel).astype("i8" if source == "i8" else "f8")
            w.flat[0] = 2**40 if source == "i8" else 0.37
        options |= {"method": method, "out_dtype": target}
        return f"{kernel} over {shape} {source} to {target}, {options}", lambda: [sc.correlate(x, w, **options)]

    def tall(shape, kernel, **options):
        x, w = rng.random(shape, np.float32), 0.5 + rng.random(kernel, np.float32)
        assert sc.explain("correlate", x, w, **options).method == "winograd"
        return f"{kernel} over {shape}, even weights, {options}", lambda: [sc.correlate(x, w, **options)]

    for (columns, kernel), rows_ in itertools.product(((1000, (11, 51)), (1027, (8, 60)), (1025, (33, 13))), (66, 129)):
        yield tall((rows_, columns), kernel)
    yield tall((2, 70, 520, 2), (1, 10, 51, 1), border="constant", cval=2)
    kernels, ways, rows = map(itertools.cycle, (KERNELS, WAYS, ROWS))
    for columns, kinds, _ in itertools.product(COLUMNS, KINDS, range(5)):
        yield one((next(rows), columns), next(kernels), kinds, **next(ways))
    for rows_, columns, kernel, kinds in itertools.product((1, 5, 33), (2, 17, 65, 200), KERNELS[:7], KINDS[:6]):
        yield one((rows_, columns), kernel, kinds, "separable")
    for n, kernel, kinds in itertools.product((1, 16, 17, 191, 193, 9000), (1, 2, 31, 300), KINDS[:6]):
        yield one((n,), (kernel,), kinds)
        yield one((n,), (kernel,), kinds, stride=3, dilation=2)
    for kinds, step in itertools.product(KINDS[:6], (1, 2)):
        yield one((4, 5, 70), (3, 2, 3), kinds, stride=step)
        yield one((40, 23, 3), (3, 4, 1), kinds, stride=step, border="constant", cval=1)
        yield one((3, 40, 130, 1), (1, 3, 2, 1), kinds, stride=(1, step, 1, 1))
        yield one((2, 3, 4, 18), (2, 2, 3, 3), kinds, mode="full", dilation=step)
