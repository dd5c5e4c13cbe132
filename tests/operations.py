"""The registry of operations on arrays: what each is given, which dtypes it takes and what comes out.

An operation draws its own calls: small ones with sizes about those of tiles, and larger ones that several threads
share. What one operation promises all do: test_operations.py holds every entry to all of it. Smoothing has a registry
of its own, cases.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from math import inf, prod
from typing import Any

import numpy as np

import sigconv as sc
from sigconv import geometry
from sigconv.borders import BORDERS

SMALL = {1: (1, 3, 7, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129), 2: (1, 3, 5, 7, 15, 16, 17, 33, 65), 3: (1, 3, 5, 9, 17)}
LARGE = {1: (8191, 10007), 2: (97, 130, 133), 3: (18, 33)}
ALONE = {1: (200_003,), 2: (401, 530), 3: (61, 70)}


@dataclass(frozen=True)
class Call:
    """Arguments: arrays, which may lie in memory in any way, and the rest by name."""

    arrays: tuple[np.ndarray, ...]
    options: dict[str, Any] = field(default_factory=dict)
    terms: float = 1  # numbers that one of the result is made of
    gain: float = 1  # by how much the largest number may grow, signs put aside
    axes: tuple[int, ...] = ()  # of the first array, along which the result moves when the array does
    span: int = 1  # cells that a window reaches over at most
    steady: bool = True  # whether results that are no floats survive the rounding of what decides them


class Draw:
    """Random arguments of one dtype; without ``strides`` every window moves by one cell."""

    def __init__(self, seed: int, dtype: Any, large: bool = False, strides: bool = True) -> None:
        self.rng, self.dtype = np.random.default_rng(seed), np.dtype(dtype)
        self.large, self.strides = large, strides

    def pick(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def each(self, axes: int, *choices: Any) -> tuple:
        return tuple(self.pick(*choices) for _ in range(axes))

    def kernel(self, axes: int, *more: int) -> tuple[int, ...]:
        """Now and then a window of one cell, whose answer could be the input itself."""
        drawn = self.each(axes, 1, 2, 3, 3, 4, 5, *more)
        return drawn if self.large or self.pick(True, True, True, False) else (1,) * axes

    def stride(self, axes: int) -> tuple[int, ...]:
        drawn = self.each(axes, 1, 1, 2, 3)
        return drawn if self.strides else (1,) * axes

    def sizes(self, axes: int, least: Any = 1, alone: bool = False) -> tuple[int, ...]:
        """Those of an array without channels may be larger."""
        drawn = self.each(axes, *(ALONE if self.large and alone else LARGE if self.large else SMALL)[axes])
        return tuple(np.maximum(drawn, least).tolist())

    def lead(self, channels: int | None = None, batched: bool = False) -> tuple[int, ...]:
        """A batch or none, and channels."""
        drawn = (3,) if self.large else self.pick((1,), (3,)) if batched else self.pick((), (1,), (2,))
        return (*drawn, channels or (8 if self.large else self.pick(1, 2, 5)))

    def numbers(self, *shape: int, dtype: Any = None) -> np.ndarray:
        """Those of a float fill its precision up to that of float32."""
        dtype = np.dtype(dtype or self.dtype)
        values = self.rng.standard_normal(shape, np.float32)
        if dtype.kind == "b":
            return values > 0
        if dtype.kind in "iu":
            values = np.rint(values * 20)
            values = np.abs(values) if dtype.kind == "u" else values
        return values.astype(dtype)

    def weights(self, *shape: int) -> np.ndarray:
        """In floats for integers, too."""
        return self.numbers(*shape, dtype=self.dtype if self.dtype.kind == "f" else np.float32)

    def window(self, *shape: int) -> np.ndarray:
        """Weights of any kind, of one rank, or all alike."""
        whole = self.dtype.kind in "iub" and self.pick(True, False)
        some = (lambda *n: self.numbers(*n, dtype=np.int8)) if whole else self.weights
        kind = self.pick("any", "rank 1", "even")
        if kind == "rank 1":
            return reduce(np.multiply.outer, [some(n) for n in shape])
        return np.ones_like(some(*shape)) if kind == "even" else some(*shape)

    def places(self, shape: tuple[int, ...], cells: int, least: int = 0) -> np.ndarray:
        return self.rng.integers(least, cells, shape)


Dtypes = Callable[[Call], list[Any]]


@dataclass(frozen=True)
class Operation:
    """One public operation; ``kinds`` of numbers as numpy's letters."""

    name: str
    run: Callable[..., Any]
    draw: Callable[[Draw], Call]
    gives: Dtypes
    kinds: str = "buif"

    def __call__(self, call: Call, arrays: Any = None) -> tuple[np.ndarray, ...]:
        """The arrays of the result; of a sparse matrix all three."""
        answer = self.run(*(call.arrays if arrays is None else arrays), **call.options)
        if hasattr(answer, "tocsr"):
            return answer.data, answer.indices, answer.indptr
        return tuple(answer) if isinstance(answer, tuple) else (answer,)


# Dtypes of results ----------------------------------------------------------------------------------------------------
def float_of(dtype: np.dtype) -> np.dtype:
    """Floats stay; integers up to 16 bits and bool become float32, larger ones float64."""
    if dtype.kind == "f":
        return dtype.newbyteorder("=")
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def floats(call: Call) -> list[Any]:
    return [float_of(call.arrays[0].dtype)]


def same(call: Call) -> list[Any]:
    return [call.arrays[0].dtype.newbyteorder("="), *([np.int64] if call.options.get("return_indices") else [])]


def of_gradient(call: Call) -> list[Any]:
    """Where the first array says only which numbers were picked."""
    return [float_of(call.arrays[1].dtype)]


def of_weights(call: Call) -> list[Any]:
    """Integers weighed by integers stay exact."""
    whole = all(array.dtype.kind in "iub" for array in call.arrays)
    return [np.int64] if whole else floats(call)


def of_matrix(call: Call) -> list[Any]:
    """scipy has no sparse matrices of float16."""
    dtype = call.arrays[0].dtype
    return [np.int64 if dtype.kind != "f" else np.promote_types(dtype, np.float32)]


# Weighted windows and running filters ---------------------------------------------------------------------------------
def spans(kernel: Any, dilation: Any) -> tuple[int, ...]:
    return tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))


def outputs(*window: Any) -> tuple[int, ...]:
    return geometry.convolution(*window).output


def weighted(draw: Draw) -> Call:
    axes, extra = draw.pick(1, 2, 2, 3), draw.pick(0, 0, 1)
    kernel, dilation = draw.kernel(axes, 9 if axes < 3 else 3), draw.each(axes, 1, 1, 2)
    span, mode = spans(kernel, dilation), draw.pick("same", "same", "valid", "full")
    options = {"mode": mode, "border": draw.pick(None, *BORDERS), "cval": draw.pick(0, 1), "dilation": dilation}
    options |= {"stride": draw.stride(axes), "axes": tuple(range(extra, axes + extra))}
    if mode == "same":
        options["origin"] = tuple(draw.pick(0, -(n // 2), (n - 1) // 2) for n in span)
    w = draw.window(*kernel)
    x = draw.numbers(*(3,) * extra, *draw.sizes(axes, span, alone=True))
    return Call((x, w), options, prod(kernel), max(1, np.abs(w).sum()), options["axes"], max(span))


def running(draw: Draw) -> Call:
    axes, extra = draw.pick(1, 2, 2, 3), draw.pick(0, 0, 1)
    size = draw.kernel(axes, 9, 17)
    options = {"size": size, "border": draw.pick(None, *BORDERS), "cval": draw.pick(0, 1)}
    options |= {"origin": tuple(draw.pick(0, -(n // 2)) for n in size), "axes": tuple(range(extra, axes + extra))}
    x = draw.numbers(*(3,) * extra, *draw.sizes(axes, alone=True))
    return Call((x,), options, prod(size), axes=options["axes"], span=max(size))


def template(draw: Draw) -> Call:
    axes = draw.pick(1, 2, 2, 3)
    size = draw.each(axes, 3, 4)
    arrays = [draw.numbers(*draw.sizes(axes)), draw.weights(*size)]
    if draw.pick(True, False):
        mask = draw.rng.random(size) < 0.8
        mask.flat[:2] = True
        arrays.append(mask)
    return Call(tuple(arrays), terms=1e4, axes=tuple(range(axes)), span=max(size))


def to_matrix(draw: Draw) -> Call:
    axes = draw.pick(1, 2, 2)
    options = {"shape": draw.each(axes, 9, 10, 17), "mode": draw.pick("same", "valid", "full")}
    options |= {"border": draw.pick(None, *BORDERS), "stride": draw.stride(axes)}
    return Call((draw.numbers(*draw.each(axes, 1, 2, 3, 5)),), options, gain=5**axes)


def from_matrix(draw: Draw) -> Call:
    axes = draw.pick(1, 2, 2)
    w = draw.numbers(*draw.each(axes, 1, 2, 3))
    shape, mode = draw.each(axes, 9, 10, 17), draw.pick("same", "valid", "full")
    matrix = sc.convolution_matrix(w, shape, mode=mode, border="constant").toarray()
    return Call((matrix.astype(draw.dtype),), {"shape": shape})


# Layers ---------------------------------------------------------------------------------------------------------------
def layer(draw: Draw, axes: int) -> Call:
    kernel, dilation, groups = draw.kernel(axes), draw.each(axes, 1, 1, 2), draw.pick(1, 1, 2)
    span, inputs, channels = spans(kernel, dilation), draw.pick(1, 3, 8), draw.pick(1, 2, 5, 17)
    options = {"stride": draw.stride(axes), "padding": tuple(draw.pick(0, n // 2) for n in span)}
    options |= {"dilation": dilation, "groups": groups, "border": draw.pick("zeros", "zeros", "mirror", "wrap")}
    lead = draw.lead(inputs * groups)
    x = draw.numbers(*lead, *draw.sizes(axes, span))
    weight = draw.weights(channels * groups, inputs, *kernel)
    arrays = (x, weight, *draw.pick((), (draw.weights(channels * groups),)))
    return Call(arrays, options, prod(weight.shape[1:]), 1, tuple(range(len(lead), x.ndim)), max(span))


def layer_back(draw: Draw, axes: int) -> Call:
    call = layer(draw, axes)
    x, weight = call.arrays[:2]
    window = [call.options[name] for name in ("stride", "padding", "dilation")]
    output = outputs(x.shape[-axes:], weight.shape[2:], *window)
    grad_out = draw.weights(*x.shape[: -axes - 1], len(weight), *output)
    return Call((x, weight, grad_out), call.options, call.terms + grad_out.size / len(weight))


def transpose(draw: Draw, axes: int) -> Call:
    kernel, dilation, groups = draw.kernel(axes), draw.each(axes, 1, 1, 2), draw.pick(1, 1, 2)
    span, inputs, channels = spans(kernel, dilation), draw.pick(1, 3, 8), draw.pick(1, 2, 5)
    stride = draw.stride(axes)
    options = {"stride": stride, "padding": tuple(draw.pick(0, (n - 1) // 2) for n in span), "groups": groups}
    options |= {"output_padding": tuple(draw.pick(0, s - 1) for s in stride), "dilation": dilation}
    lead = draw.lead(inputs * groups)
    x = draw.numbers(*lead, *draw.sizes(axes, 2))
    weight = draw.weights(inputs * groups, channels, *kernel)
    arrays = (x, weight, *draw.pick((), (draw.weights(channels * groups),)))
    return Call(arrays, options, inputs * prod(kernel), 1, tuple(range(len(lead), x.ndim)), max(span))


def transpose_back(draw: Draw, axes: int) -> Call:
    call = transpose(draw, axes)
    x, weight = call.arrays[:2]
    window = [call.options[name] for name in ("stride", "padding", "output_padding", "dilation")]
    output = geometry.transposed(x.shape[-axes:], weight.shape[2:], *window).output
    grad_out = draw.weights(*x.shape[: -axes - 1], weight.shape[1] * call.options["groups"], *output)
    return Call((x, weight, grad_out), call.options, call.terms + grad_out.size)


# Pools ----------------------------------------------------------------------------------------------------------------
POOLS: dict[str, Callable[[Draw], dict[str, Any]]] = {
    "max_pool": lambda draw: {"return_indices": draw.pick(True, False)},
    "avg_pool": lambda draw: {
        "count_include_pad": draw.pick(True, False),
        "divisor_override": draw.pick(None, None, 3),
    },
    "lp_pool": lambda draw: {"norm_type": draw.pick(1, 2, 3, 2.5, inf)},
    "lse_pool": lambda draw: {"beta": draw.pick(0.0, 1.0, -2.0, 20.0)},
}


def pool(draw: Draw, axes: int, name: str) -> Call:
    kernel, dilation = draw.kernel(axes, 8 if axes < 3 else 3), draw.each(axes, 1, 1, 2)
    span = spans(kernel, dilation)
    options = {"kernel_size": kernel, "stride": draw.stride(axes), "dilation": dilation}
    options |= {"padding": tuple(draw.pick(0, k // 2) for k in kernel), "ceil_mode": draw.pick(True, False)}
    options |= POOLS[name](draw)
    lead = draw.lead()
    x = draw.numbers(*lead, *draw.sizes(axes, span))
    terms = prod(kernel) + (4 * options.get("beta", 0)) ** 2
    return Call((x,), options, terms, axes=tuple(range(len(lead), x.ndim)), span=max(span))


def pool_back(draw: Draw, axes: int, name: str) -> Call:
    call = pool(draw, axes, name)
    x, options = call.arrays[0], dict(call.options)
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    output = geometry.pooling(x.shape[-axes:], *(options[name] for name in names)).output
    grad_out = draw.numbers(*x.shape[:-axes], *output)
    if name in ("lp_pool", "lse_pool"):
        grad_out = draw.weights(*grad_out.shape)
        return Call((x, grad_out), options, 4 * call.terms, gain=prod(options["kernel_size"]))
    if name == "avg_pool":
        return Call((grad_out,), {"input_shape": x.shape, **options}, call.terms)
    indices = draw.places(grad_out.shape, prod(x.shape[-axes:]), -1)
    return Call((grad_out, indices), {"input_shape": x.shape}, call.terms + max(1, indices.size / x.size))


def adaptive(draw: Draw, axes: int, name: str) -> Call:
    x = draw.numbers(*draw.lead(), *draw.sizes(axes))
    options = {"output_size": draw.pick(None, draw.each(axes, 1, 2, 5, 7, None))}
    options |= {"return_indices": draw.pick(True, False)} if "max" in name else {}
    return Call((x,), options, prod(x.shape[-axes:]))


def adaptive_back(draw: Draw, axes: int, name: str) -> Call:
    lead, size = draw.lead(), draw.sizes(axes)
    grad_out = draw.numbers(*lead, *draw.each(axes, 1, 2, 5, 7))
    more = (draw.places(grad_out.shape, prod(size)),) if "max" in name else ()
    return Call((grad_out, *more), {"input_shape": lead + size}, grad_out[(0,) * len(lead)].size)


def whole(draw: Draw, name: str) -> Call:
    axes = draw.pick(1, 2, 3)
    x = draw.numbers(*draw.lead(batched=True), *draw.sizes(axes))
    return Call((x,), {"norm_type": draw.pick(1, 2, 3, inf)} if "lp" in name else {}, prod(x.shape[2:]))


def whole_back(draw: Draw, name: str) -> Call:
    call = whole(draw, name)
    x = call.arrays[0]
    lead = x.shape[:2] + (1,) * (x.ndim - 2)
    if "avg" in name:
        return Call((draw.numbers(*lead),), {"input_shape": x.shape})
    return Call((x, draw.weights(*lead)), call.options, call.terms)


def unpool(draw: Draw, axes: int) -> Call:
    kernel, stride = draw.kernel(axes), draw.stride(axes)
    x = draw.numbers(*draw.lead(), *draw.sizes(axes))
    cells = prod((n - 1) * s + k for n, s, k in zip(x.shape[-axes:], stride, kernel, strict=True))
    return Call((x, draw.places(x.shape, cells)), {"kernel_size": kernel, "stride": stride})


def unpool_back(draw: Draw, axes: int) -> Call:
    lead, size = draw.lead(), draw.sizes(axes)
    return Call((draw.numbers(*lead, *size), draw.places(lead + draw.sizes(axes), prod(size))))


# Images ---------------------------------------------------------------------------------------------------------------
GAINS = {"sharpen": 9, "laplacian": 8, "emboss": 6, "sobel": 12, "scharr": 46, "prewitt": 9, "unsharp": 4, "log": 4}
IMAGES: dict[str, Callable[[Draw], dict[str, Any]]] = {
    "filter": lambda draw: {"kernel": draw.pick("sobel_x", "sharpen", "gaussian:sigma=1", "box:5")},
    "gaussian": lambda draw: {"sigma": draw.pick(0, 0.7, 1.5, (0, 2))},
    "box": lambda draw: {"size": draw.pick(1, 3, (2, 5), 9)},
    "median": lambda draw: {"size": draw.pick(1, 3, (2, 3))},
    "erode": lambda draw: {"size": draw.pick(1, 3, (2, 5), 9)},
    "dilate": lambda draw: {"size": draw.pick(1, 3, (2, 5), 9)},
    "unsharp": lambda draw: {"sigma": draw.pick(0.7, 1.5), "amount": draw.pick(0, 1, 1.5)},
    "log": lambda draw: {"sigma": draw.pick(0.7, 1.2)},
    "edges": lambda draw: {"low": 3, "high": 6, "sigma": draw.pick(0.0, 1.0)},
}


def image(draw: Draw, name: str) -> Call:
    channels = draw.pick((), (), (1,), (3,)) if name != "edges" else ()
    x = draw.numbers(*draw.sizes(2, alone=True), *channels)
    options = {"border": draw.pick("mirror", *BORDERS), "cval": draw.pick(0, 1), **IMAGES.get(name, lambda _: {})(draw)}
    window = options.get("kernel", "")
    gain = GAINS.get(name, 9 if window in ("sobel_x", "sharpen") else 1)
    return Call((x,), options, 81, gain, () if name == "edges" else (0, 1), 13, steady=name != "edges")


def image_pool(draw: Draw) -> Call:
    size = draw.kernel(2)
    x = draw.numbers(*draw.sizes(2, size, alone=True), *draw.pick((), (3,)))
    options = {"kind": draw.pick("max", "min", "mean"), "size": size, "stride": draw.stride(2)}
    options["padding"] = tuple(draw.pick(0, k // 2) for k in size)
    return Call((x,), options, prod(size), axes=(0, 1), span=max(size))


def score(draw: Draw) -> Call:
    axes = draw.pick(1, 2, 2, 3)
    return Call((draw.numbers(*draw.sizes(axes)),), {"threshold": 0.5, "min_distance": draw.pick(0, 1, 3)})


# The registry ---------------------------------------------------------------------------------------------------------
def _operations():
    for name in ("correlate", "convolve"):
        yield Operation(name, getattr(sc, name), weighted, of_weights)
    yield Operation("uniform_filter", sc.uniform_filter, running, floats)
    yield Operation("minimum_filter", sc.minimum_filter, running, same)
    yield Operation("maximum_filter", sc.maximum_filter, running, same)
    yield Operation("match_template", lambda x, t, mask=None: sc.match_template(x, t, mask=mask), template, floats)
    yield Operation("convolution_matrix", sc.convolution_matrix, to_matrix, of_matrix)
    yield Operation("kernel_of", sc.kernel_of, from_matrix, of_matrix)
    for axes in (1, 2, 3):
        yield from _spatial(axes)
    for name in ("global_max_pool", "global_avg_pool", "global_lp_pool"):
        there, back = (lambda draw, name=name, make=make: make(draw, name) for make in (whole, whole_back))
        yield Operation(name, getattr(sc, name), there, same if "max" in name else floats)
        given = of_gradient if "max" in name else floats
        yield Operation(f"grad.{name}", getattr(sc.grad, name), back, given)
    for name in sc.images.__all__:
        draw = {"pool": image_pool, "peaks": score}.get(name, lambda draw, name=name: image(draw, name))
        gives = {"edges": lambda _: [np.bool_], "peaks": lambda _: [np.int64]}.get(name, same)
        kinds = "buif" if name in ("erode", "dilate", "median", "peaks") else "uif"
        if name != "kernel":
            yield Operation(f"images.{name}", getattr(sc.images, name), draw, gives, kinds)


def _spatial(axes):
    def entry(name, gives, there, back, *more):
        run, run_back = getattr(sc, f"{name}{axes}d"), getattr(sc.grad, f"{name}{axes}d")
        yield Operation(f"{name}{axes}d", run, lambda draw: there(draw, axes, *more), gives)
        count = 3 if there in (layer, transpose) else 1
        gives_back = lambda call: floats(call) * count  # noqa: E731
        yield Operation(f"grad.{name}{axes}d", run_back, lambda draw: back(draw, axes, *more), gives_back)

    yield from entry("conv", floats, layer, layer_back)
    yield from entry("conv_transpose", floats, transpose, transpose_back)
    yield from entry("max_unpool", floats, unpool, unpool_back)
    for name in POOLS:
        yield from entry(name, same if name == "max_pool" else floats, pool, pool_back, name)
    for name in ("adaptive_max_pool", "adaptive_avg_pool"):
        yield from entry(name, same if "max" in name else floats, adaptive, adaptive_back, name)


OPERATIONS = {operation.name: operation for operation in _operations()}
