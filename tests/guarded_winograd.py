"""Layers with fewer multiplications at sizes around the tiles' own."""

import itertools

import numpy as np


def winograd_cases(rng):
    """(name, function) of layers that are too small for this way to pay, taken all the same."""
    import sigconv as sc
    from sigconv.engines.cpu.layers import convs, winograd

    winograd.kept = lambda name, size, dtype: np.empty(size, dtype)

    def run(x, weight, bias, more):
        pays, convs.pays = convs.pays, lambda *_: True
        try:
            return [sc.conv2d(x, weight, bias, **more)]
        finally:
            convs.pays = pays

    layers = itertools.chain(
        (((2, 3, n, n + 9), (9, *window), {"padding": 2}) for n in (6, 7, 30) for window in ((5, 5), (4, 7))),
        (((1, 2, 11, n), (8, 5, 6), {"stride": 2}) for n in (6, 9, 36, 38, 70)),
        [((1, 3, 40, 51), (16, 11, 11), {"stride": 4}), ((1, 2, 13, 30), (3, 7, 13), {"stride": (3, 6)})],
        (((2, 3, n, 9), outputs, {"padding": 1}) for n in (1, 2, 5) for outputs in (1, 7, 8, 9, 65)),
        (((1, 2, 5, n), 9, {"padding": (0, 1)}) for n in (1, 2, 29, 30, 31, 32, 33, 64, 66, 97, 600)),
        (((n, 9, 8, 7), 70, {"padding": 2}) for n in (1, 3, 9)),
        [((1, 300, 7, 7), 72, {"padding": 1}), ((2, 6, 9, 40), 12, {"groups": 3}), ((3, 1, 3, 3), 1, {})],
        (((1, 2, 5, 6), 9, {"padding": 2, "border": border}) for border in ("mirror", "wrap", "nearest")),
    )
    for shape, filters, more in layers:
        outputs, *window = filters if isinstance(filters, tuple) else (filters, 3, 3)
        x = rng.standard_normal(shape).astype(np.float32)
        weight = rng.standard_normal((outputs, shape[1] // more.get("groups", 1), *window)).astype(np.float32)
        bias = rng.standard_normal(outputs).astype(np.float32)
        name = f"{outputs} kernels of {window} over {shape} in tiles of four outputs, {more}"
        yield name, lambda x=x, weight=weight, bias=bias, more=more: run(x, weight, bias, more)
