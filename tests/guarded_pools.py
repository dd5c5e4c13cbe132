"""Pools and their gradients over sizes around the tiles' own."""

import itertools

import numpy as np

WINDOWS = (
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 4, "stride": 3, "padding": 2},
    {"kernel_size": 4, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2},
    {"kernel_size": 13, "stride": 1, "padding": 6},
    {"kernel_size": 12, "stride": 2, "padding": 5},
    {"kernel_size": 17, "stride": 5, "padding": 8, "ceil_mode": True},
)
WIDTHS = (1, 2, 5, 15, 16, 17, 31, 33, 63, 64, 65, 70, 129, 200)


def pool_cases(rng):
    """(name, function): every pool and its gradient, in small calls."""
    import sigconv as sc

    def slide(x, window):
        y, indices = sc.max_pool2d(x, **window, return_indices=True)
        flat = {**window, "dilation": window.get("dilation", 1)}
        sums = [sc.avg_pool2d(x, **flat), sc.lp_pool2d(x, 2, **flat), sc.lp_pool2d(x, 3, **flat)]
        soft = [sc.lse_pool2d(x, **flat, beta=3.0)]
        back = [
            sc.grad.max_pool2d(y, indices, x.shape),
            sc.grad.max_unpool2d(x, np.maximum(indices, 0)),
            sc.grad.avg_pool2d(y, x.shape, **flat),
            sc.grad.avg_pool2d(y, x.shape, **flat, count_include_pad=False),
            sc.grad.lp_pool2d(x, y, 2, **flat),
        ]
        return [y, indices, sc.max_pool2d(x, **window), *sums, *soft, *back]

    def fit(x, output):
        y, indices = sc.adaptive_max_pool2d(x, output, return_indices=True)
        back = [sc.grad.adaptive_max_pool2d(y, indices, x.shape), sc.grad.adaptive_avg_pool2d(y, x.shape)]
        return [y, indices, sc.adaptive_max_pool2d(x, output), sc.adaptive_avg_pool2d(x, output), *back]

    def deep(x):
        there = [sc.max_pool3d(x, 2), sc.avg_pool3d(x, (2, 3, 4), 2, (1, 0, 1)), sc.lp_pool3d(x, 2, 4, 1)]
        pairs, threes = sc.avg_pool3d(x, 2, padding=1), sc.avg_pool3d(x, 3, padding=1, ceil_mode=True)
        back = [sc.grad.avg_pool3d(pairs, x.shape, 2, padding=1)]
        return [*there, *back, sc.grad.avg_pool3d(threes, x.shape, 3, padding=1, ceil_mode=True)]

    def unpool(x):
        y, indices = sc.max_pool1d(x, 2, return_indices=True)
        put = sc.max_unpool1d(y, indices, 2, output_size=x.shape)
        fours = [sc.max_pool1d(x, 4, padding=2), sc.avg_pool1d(x, 4, ceil_mode=True, padding=1), sc.lp_pool1d(x, 2, 2)]
        return [y, indices, put, *fours]

    for case, (width, dtype) in enumerate(itertools.product(WIDTHS, (np.float32, np.float64))):
        for number, window in enumerate(WINDOWS):
            if (number + case) % 3 == 0 and width not in (16, 33):
                continue
            x = rng.standard_normal((2, (5, 18)[number % 2], width)).astype(dtype)
            span = window.get("dilation", 1) * (window["kernel_size"] - 1) + 1
            if span <= min(x.shape[1:]) + 2 * window.get("padding", 0):
                yield f"{window} over {x.shape} {dtype.__name__}", lambda x=x, window=window: slide(x, window)
        for output in (1, 2, 7, 20):
            x = rng.standard_normal((2, 6, width)).astype(dtype)
            yield f"{output} windows over {x.shape} {dtype.__name__}", lambda x=x, output=output: fit(x, output)
    for dtype in (np.float32, np.float64):  # more cells than one part of an image
        x, window = rng.standard_normal((1, 259, 261)).astype(dtype), {"kernel_size": 8, "padding": 3}
        yield f"{window} over {x.shape} {dtype.__name__}", lambda x=x, window=window: slide(x, window)
    for dtype, width in itertools.product((np.float32, np.float64), (5, 64, 70, 130)):
        x = rng.standard_normal((2, 4, 5, width)).astype(dtype)
        yield f"planes {x.shape} {dtype.__name__}", lambda x=x: deep(x)
    whole = (sc.global_avg_pool, sc.global_max_pool, sc.global_lp_pool)
    for dtype, n in itertools.product((np.float32, np.float64), (4, 33, 129, 4097, 20000)):
        x = rng.standard_normal((2, n)).astype(dtype)
        yield f"unpooling {n} {dtype.__name__}", lambda x=x: unpool(x)
        yield f"of all {n} {dtype.__name__}", lambda x=x[None]: [pool(x) for pool in whole]
