"""Convolution layers at sizes around the tiles' own."""

import itertools

import numpy as np


def convs_cases(rng):
    """(name, function) of everything that ends in a kernel of layers, in small calls."""
    import sigconv as sc
    from sigconv.engines.cpu.layers import convs

    convs.kept = lambda name, size, dtype: np.empty(size, dtype)
    layers = itertools.chain(
        ((2, (2, 3, n, 19), outputs, 3, {"padding": 1}) for n in (3, 17) for outputs in (1, 2, 7, 8, 9, 65)),
        ((2, (1, 2, 5, n), 9, 3, {"padding": (0, 2)}) for n in (3, 15, 16, 17, 47, 48, 49, 64, 97, 481)),
        ((1, (2, 3, n), 8, 3, {"padding": 5, "dilation": 5}) for n in (2, 16, 33, 480, 961, 1500)),
        ((2, (3, 70, 7, 7), 64, width, {"padding": width // 2}) for width in (1, 3)),
        ((2, (n, 33, 2, 2), 20, 2, {}) for n in (1, 2, 16, 47, 300)),
        ((2, (n, 3, 5, 7), 5, 3, {"padding": 1}) for n in (7, 8, 15, 16, 17, 33, 40)),
        [(1, (16, 2, 3), 3, 6, {"padding": 4}), (3, (18, 2, 3, 4, 3), 3, 2, {"stride": (2, 1, 1)})],
        ((2, (2, 4, n, n + 2), 4, 3, {"padding": 1, "groups": 4}) for n in (1, 3, 14, 15, 48, 65, 70)),
        ((2, (2, 4, n, n), 8, 3, {"padding": 1, "groups": 4, "stride": 2}) for n in (5, 32, 33, 97)),
        ((2, (1, 3, 40, 41), outputs, 5, {"stride": step}) for step in (2, 3, 4, 7) for outputs in (3, 16)),
        [(2, (1, 300, 13, 13), 24, 3, {"padding": 1}), (2, (1, 6, 9, 9), 6, 4, {"dilation": 2, "padding": 3})],
        [(3, (1, 2, 5, 6, 7), 9, 3, {"padding": (0, 1, 2), "dilation": (1, 2, 3), "stride": (2, 1, 3)})],
        ((2, (1, 2, 5, 6), 9, 3, {"padding": 2, "border": border}) for border in ("mirror", "wrap", "nearest")),
    )
    for axes, shape, outputs, width, more in layers:
        for dtype in (np.float32, np.float64):
            x = rng.standard_normal(shape).astype(dtype)
            weight = rng.standard_normal((outputs, shape[1] // more.get("groups", 1)) + (width,) * axes).astype(dtype)
            bias = rng.standard_normal(outputs).astype(dtype)
            yield (
                f"{outputs} kernels of {width} over {shape} {dtype.__name__}, {more}",
                lambda axes=axes, x=x, weight=weight, bias=bias, more=more: [
                    getattr(sc, f"conv{axes}d")(x, weight, bias, **more)
                ],
            )
