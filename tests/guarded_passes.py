"""Weights that are products, at sizes around those of bands, squares and blocks: even ones and others."""

import itertools

import numpy as np

SIZES = (1, 3, 8, 15, 16, 17, 31, 32, 33, 63, 65, 130)
KINDS = (("f4", "f4"), ("f8", "f8"), ("u1", "f4"), ("u1", "u1"), ("u2", "f4"), ("u2", "u2"))
KERNELS = ((2, 2), (5, 5), (4, 13), (40, 3), (3, 70))
WAYS = (
    {"border": "mirror"},
    {"border": "constant", "cval": 2},
    {"border": "wrap"},
    {"mode": "full"},
    {"mode": "valid"},
)


def passes_cases(rng):
    """(name, function) of images of one channel and of three, cells side by side and apart."""
    import sigconv as sc

    def one(shape, kernel, kinds, gaps=(1, 1), **options):
        source, target = kinds
        x = rng.integers(0, 120, shape).astype(source)
        spans = [(k - 1) * gap + 1 for k, gap in zip(kernel, gaps, strict=True)]
        if options.get("mode") == "valid" and (spans[0] > shape[0] or spans[1] > shape[1]):
            options = {}
        factors = [rng.integers(1, 9, k) / 8 for k in kernel]
        w = np.outer(*(f + f[::-1] for f in factors) if shape[0] % 2 else factors)
        options |= {"method": "separable", "axes": (0, 1), "dilation": gaps, "out_dtype": target}
        return f"{kernel} over {shape} {source} to {target}, {options}", lambda: [sc.correlate(x, w, **options)]

    kinds, kernels, ways = map(itertools.cycle, (KINDS, KERNELS, WAYS))
    for shape in itertools.product(SIZES, SIZES):
        yield one(shape, next(kernels), next(kinds), **next(ways))
    for shape, kind in itertools.product(((9, 40, 3), (33, 22, 3), (34, 150, 2)), KINDS):
        yield one(shape, next(kernels), kind, **next(ways))
        yield one(shape, (3, 4), kind, (2, 5), **next(ways))
    for kind in KINDS:  # more than a block, and more than a cache
        yield one((40, 4200), (3, 5), kind)
    for columns in (1088, 1090):
        yield one((2051, columns), (5, 3), KINDS[0])
