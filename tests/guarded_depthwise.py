"""Layers of small windows over few channels, at sizes around the strips' own."""

import itertools

import numpy as np


def depthwise_cases(rng):
    """(name, function) of everything that ends in a kernel of small windows."""
    import sigconv as sc
    from sigconv.engines.cpu.layers import depthwise

    widths = (1, 2, 3, 7, 8, 9, 14, 15, 16, 17, 18, 19, 31, 33, 34, 35, 36, 49, 50, 63, 66, 67, 70, 71, 72, 97, 133)
    layers = itertools.chain(
        (
            ((2, 3, h, n), (3, 1, k, k), s, k // 2, "zeros")
            for n in widths
            for h in (1, 5)
            for k in (3, 5)
            for s in (1, 2)
        ),
        (((1, 1, 4, n), (1, 1, 3, 3), s, pads, "zeros") for n in widths for s in (1, 2) for pads in ((4, 20), (0, 2))),
        (((2, 2, 40, n), (2, 1, 3, 3), s, 0, "zeros") for n in (33, 50, 66, 133) for s in (1, 2)),
        (((1, 3, 90, n), (2, 3, k, k), s, 1, "zeros") for n in (17, 240) for k in (3, 5) for s in (1, 2)),
        (((1, 2, 3, 4, n), (2, 1, 3, 3, 3), s, 2, "zeros") for n in (5, 17, 66) for s in (1, 2)),
        (
            ((2, 3, 5, n), (3, 1, 3, 3), s, 1, border)
            for n in (3, 17, 66)
            for s in (1, 2)
            for border in ("wrap", "mirror")
        ),
    )
    for shape, kernel, stride, padding, border in layers:
        for dtype in (np.float32, np.float64):
            x, weight = rng.standard_normal(shape).astype(dtype), rng.standard_normal(kernel).astype(dtype)
            axes, groups = x.ndim - 2, shape[1] // kernel[1]
            if any(n < k for n, k in zip(shape[2:], kernel[2:], strict=True)) and padding == 0:
                continue

            def layer(x=x, weight=weight, axes=axes, more=(stride, padding, 1, groups), border=border):
                depthwise.planned.cache_clear()  # what it keeps is allocated anew
                return [
                    getattr(sc, f"conv{axes}d")(x, weight, weight[:, 0].ravel()[: len(weight)], *more, border=border)
                ]

            yield f"{kernel} by {stride} over {shape} {dtype.__name__} padded by {padding}, {border}", layer
