"""Layers whose vectors go over output channels, at sizes around the tiles' own."""

import itertools

import numpy as np


def across_cases(rng):
    """(name, function) of layers that are summed across channels, whether or not it is the quicker way."""
    from sigconv.engines.cpu.layers import across, convs
    from sigconv.geometry import convolution

    across.scratch = lambda rows, columns, dtype: np.empty((rows, columns), dtype)

    def run(x, weight, bias, options, groups):
        slide = convs._as_volume(convolution(x.shape[2:], weight.shape[2:], **options))
        y = np.empty((len(x), len(weight), *slide.output), x.dtype)
        across.convolve(x, weight, bias, y, slide, groups, "constant")
        return [y]

    layers = itertools.chain(
        (((2, 3, 5, n), outputs, (3, 3), {}, 1) for n in (*range(3, 17), 28, 29, 41) for outputs in (1, 8, 16, 23)),
        (((1, 2, 6, n), 17, (3, 2), {"padding": 1}, 1) for n in (1, 12, 13, 15, 27, 300)),
        (((2, 3, 7, n), 16, (2, 3), {"stride": 2, "padding": (0, 1)}, 1) for n in (4, 9, 33)),
        (((3, channels, 7, 7), 32, (1, 1), {}, 1) for channels in (1, 7, 16, 200, 400)),
        [((2, 6, 40, 10), 48, (3, 3), {"dilation": (2, 1)}, 2), ((1, 600, 13, 13), 9, (3, 3), {"padding": 1}, 1)],
        [((2, 4, 5, 6, 7), 16, (2, 3, 2), {"stride": (1, 2, 1)}, 1), ((2, 4, 50), 16, (3,), {"padding": 2}, 1)],
    )
    for shape, outputs, kernel, options, groups in layers:
        for dtype in (np.float32, np.float64):
            x = rng.standard_normal(shape).astype(dtype)
            weight = rng.standard_normal((outputs, shape[1] // groups, *kernel)).astype(dtype)
            bias = rng.standard_normal(outputs).astype(dtype)
            yield (
                f"{outputs} kernels of {kernel} across channels over {shape} {dtype.__name__}, {options}",
                lambda x=x, weight=weight, bias=bias, options=options, groups=groups: run(
                    x, weight, bias, options, groups
                ),
            )
