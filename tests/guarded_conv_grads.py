"""Gradients of layers, and layers turned round, at sizes around the tiles' own."""

import itertools

import numpy as np


def conv_grads_cases(rng):
    """(name, function) of every kernel of gradients, in small calls."""
    import sigconv as sc
    from sigconv.engines.cpu.layers import conv_dots, conv_grads, transposed

    for module in (conv_dots, conv_grads, transposed):
        module.kept = lambda name, size, dtype: np.empty(size, dtype)

    def both(axes, x, weight, grad_out, **more):
        gradients = getattr(sc.grad, f"conv{axes}d")(x, weight, grad_out, **more)
        more.pop("border", None)
        turned = getattr(sc, f"conv_transpose{axes}d")(grad_out, weight, **more)
        return [*gradients, turned]

    layers = itertools.chain(
        ((2, (2, 3, 9, 8), outputs, 3, {"padding": 1}) for outputs in (1, 4, 15, 16, 17, 31, 32, 33, 49)),
        ((2, (1, channels, 6, 7), 20, 3, {"stride": 2}) for channels in (1, 2, 3, 14, 29)),
        ((2, (3, 16, n, n), 16, 1, {}) for n in (1, 3, 4, 5, 16)),
        ((1, (2, 2, n), 6, 4, {"dilation": 3, "padding": 4, "stride": 2}) for n in (2, 15, 16, 40, 1100)),
        ((2, (2, 8, n, n + 3), 8, 3, {"padding": 1, "groups": 8}) for n in (3, 7, 8, 13, 16, 17, 33)),
        ((2, (2, 6, n, 9), 12, 3, {"stride": 2, "groups": 3}) for n in (3, 16, 19)),
        [(3, (1, 2, 5, 6, 7), 3, 2, {"padding": (0, 1, 1), "dilation": (1, 2, 3), "stride": (2, 1, 3)})],
        [(2, (1, 2, 5, 6), 3, 3, {"padding": 2, "border": "mirror"})],
    )
    for axes, shape, outputs, width, more in layers:
        for dtype in (np.float32, np.float64):
            x = rng.standard_normal(shape).astype(dtype)
            weight = rng.standard_normal((outputs, shape[1] // more.get("groups", 1)) + (width,) * axes).astype(dtype)
            grad_out = rng.standard_normal(getattr(sc, f"conv{axes}d")(x, weight, **more).shape).astype(dtype)
            yield (
                f"gradients of {outputs} kernels of {width} over {shape} {dtype.__name__}, {more}",
                lambda axes=axes, x=x, weight=weight, grad_out=grad_out, more=more: both(
                    axes, x, weight, grad_out, **more
                ),
            )
