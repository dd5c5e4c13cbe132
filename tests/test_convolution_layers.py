"""Convolution layers: torch's answers where it has any, else a slow oracle's; bits, NaN, kinds and arguments."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc
from sigconv import geometry
from sigconv.engines.cpu.layers import convs

LAYERS = {1: sc.conv1d, 2: sc.conv2d, 3: sc.conv3d}
NUMPY = {"zeros": "constant", "mirror": "reflect", "symmetric": "symmetric", "nearest": "edge", "wrap": "wrap"}


def oracle(x, weight, bias, stride, pads, dilation, groups, border="zeros"):
    """One window after the other, in float64; ``pads`` are (before, after) of each axis, negative ones cut."""
    x = np.pad(x.astype(np.float64), [(0, 0)] * 2 + [tuple(np.maximum(p, 0)) for p in pads], NUMPY[border])
    cut = [slice(max(-lo, 0), x.shape[axis + 2] - max(-hi, 0)) for axis, (lo, hi) in enumerate(pads)]
    x = x[(slice(None), slice(None), *cut)]
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    sizes = [(n - span) // s + 1 for n, span, s in zip(x.shape[2:], spans, stride, strict=True)]
    y = np.zeros((len(x), len(weight), *sizes))
    per_group, axes = len(weight) // groups, tuple(range(1, x.ndim))
    for o in range(len(weight)):
        channels = slice(o // per_group * weight.shape[1], (o // per_group + 1) * weight.shape[1])
        for place in itertools.product(*map(range, sizes)):
            window = [
                slice(i * s, i * s + span, d) for i, s, span, d in zip(place, stride, spans, dilation, strict=True)
            ]
            y[(slice(None), o, *place)] = (x[(slice(None), channels, *window)] * weight[o]).sum(axes)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(sizes))


def assert_close(y, expected, x, weight):
    """Equal but for the rounding of as many terms as a window has."""
    terms = weight[0].size + 1
    scale = max(np.abs(x).max(initial=0) * np.abs(weight).max(initial=0), 1)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=0, atol=np.finfo(y.dtype).eps * (terms + 4) * scale)


@st.composite
def layers(draw, most=9):
    """Arrays and options of a layer that torch knows."""
    axes = draw(st.integers(1, 3))
    size = st.integers(1, {1: 80, 2: 21, 3: most}[axes])
    sizes = [draw(size) for _ in range(axes)]
    kernel = [draw(st.integers(1, min(5, n))) for n in sizes]
    stride = [draw(st.integers(1, 4)) for _ in range(axes)]
    padding = [draw(st.integers(0, 4)) for _ in range(axes)]
    room = [(n + 2 * p - 1) // (k - 1) if k > 1 else 4 for n, p, k in zip(sizes, padding, kernel, strict=True)]
    dilation = [draw(st.integers(1, min(4, most))) for most in room]
    groups = draw(st.sampled_from([1, 1, 1, 2, 5]))
    channels, outputs = draw(st.integers(1, 9)), draw(st.integers(1, 19))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = rng.standard_normal((draw(st.integers(0, 3)), channels * groups, *sizes)).astype(dtype)
    weight = rng.standard_normal((outputs * groups, channels, *kernel)).astype(dtype)
    bias = rng.standard_normal(len(weight)).astype(dtype) if draw(st.booleans()) else None
    return x, weight, bias, tuple(stride), tuple(padding), tuple(dilation), groups


@given(layers())
def test_layers_are_torchs(layer):
    torch = pytest.importorskip("torch")
    x, weight, bias, *options = layer
    arrays = [None if array is None else torch.from_numpy(array).double() for array in (x, weight, bias)]
    axes = x.ndim - 2
    expected = getattr(torch.nn.functional, f"conv{axes}d")(*arrays, *options).numpy()
    assert_close(LAYERS[axes](x, weight, bias, *options), expected, x, weight)


@given(
    layers(most=5), st.sampled_from(sorted(NUMPY)), st.sampled_from(["pairs", "valid", "same", "same_lower"]), st.data()
)
def test_paddings_and_borders(layer, border, kind, data):
    x, weight, bias, stride, _, dilation, groups = layer
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if kind == "pairs":
        pads = padding = [tuple(data.draw(st.integers(0, span - 1)) for _ in range(2)) for span in spans]
    elif kind == "valid":
        pads, padding = [(0, 0)] * len(spans), kind
    else:
        added = [max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(x.shape[2:], stride, spans, strict=True)]
        pads, padding = [(p // 2, p - p // 2) for p in added], kind
        pads = [(hi, lo) for lo, hi in pads] if kind == "same_lower" else pads
    run = LAYERS[x.ndim - 2]
    if any(n + lo + hi < span for n, (lo, hi), span in zip(x.shape[2:], pads, spans, strict=True)):
        with pytest.raises(ValueError, match="kernel must span"):
            run(x, weight, bias, stride, padding, dilation, groups, border=border)
        return
    y = run(x, weight, bias, stride, padding, dilation, groups, border=border)
    assert_close(y, oracle(x, weight, bias, stride, pads, dilation, groups, border), x, weight)


# (x, weight, stride, padding, dilation, groups): each way to lay out a block, and sizes of several blocks
SHAPES = [
    ((2, 3, 37, 129), (16, 3, 3, 3), 1, 1, 1, 1),
    ((1, 2, 20, 1000), (9, 2, 5, 5), 1, 2, 1, 1),
    ((1, 100, 29, 27), (72, 100, 3, 3), 1, 1, 1, 1),
    ((1, 200, 28, 28), (130, 200, 1, 1), 2, 0, 1, 1),
    ((5, 150, 7, 7), (150, 150, 3, 3), 1, 1, 1, 1),
    ((7, 300, 5, 5), (70, 300, 1, 1), 1, 0, 1, 1),
    ((40, 60, 2, 3), (33, 60, 2, 3), 1, 0, 1, 1),
    ((3, 6, 100, 70), (12, 1, 3, 3), 1, 1, 1, 6),
    ((3, 6, 99, 131), (6, 1, 3, 3), 2, 1, 1, 6),
    ((2, 12, 60, 61), (6, 2, 4, 3), 1, 2, 2, 6),
    ((1, 3, 90, 90), (24, 3, 11, 11), 4, 2, 1, 1),
    ((2, 30, 3000), (20, 30, 2), 1, 64, 64, 1),
    ((1, 4, 6, 40, 41), (10, 4, 3, 3, 3), (2, 1, 1), 1, 1, 1),
    ((64, 6, 14, 14), (16, 6, 5, 5), 1, 0, 1, 1),
    ((19, 5, 6, 7), (7, 5, 3, 3), (2, 1), (1, 2), (1, 2), 1),
    ((700, 40, 11), (24, 40, 4), 1, 3, 1, 1),
    ((33, 2, 3, 4, 5), (9, 2, 2, 2, 2), 1, 1, 1, 1),
    ((9, 64, 13, 15), (96, 32, 3, 3), 1, 1, 1, 2),
    ((2, 64, 60, 19), (64, 64, 1, 1), (2, 1), 0, 1, 1),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_larger_layers_at_any_number_of_threads(shape, dtype, rng):
    torch = pytest.importorskip("torch")
    sizes, kernel, *options = shape
    x, weight = (rng.standard_normal(size).astype(dtype) for size in (sizes, kernel))
    bias = rng.standard_normal(kernel[0]).astype(dtype)
    axes = x.ndim - 2
    threads = sc.get_num_threads()
    answers = []
    try:
        for n in (1, 2, 5):
            sc.set_num_threads(n)
            answers.append(LAYERS[axes](x, weight, bias, *options))
    finally:
        sc.set_num_threads(threads)
    assert len({answer.tobytes() for answer in answers}) == 1
    arrays = [torch.from_numpy(array).double() for array in (x, weight, bias)]
    assert_close(answers[0], getattr(torch.nn.functional, f"conv{axes}d")(*arrays, *options).numpy(), x, weight)


def test_worked_examples():
    assert sc.conv2d(np.ones((3, 227, 227), np.float32), np.ones((96, 3, 11, 11)), stride=4).shape == (96, 55, 55)
    assert sc.conv2d(np.ones((3, 32, 32)), np.ones((20, 3, 5, 5)), stride=2, padding=1).shape == (20, 15, 15)
    edges = sc.conv1d([[0.0, 0, 1, 1]], [[[-1.0, 1]]], bias=[0.5])
    np.testing.assert_array_equal(edges, [[0.5, 1.5, 0.5]])


@pytest.mark.parametrize("width", [208, 203])  # planes that cache lines divide, and others
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_past_the_cache_are_those_in_it(width, dtype, rng):
    x, w, b = (rng.standard_normal(n).astype(dtype) for n in ((3, 4, 96, width), (38, 4, 3, 5), 38))
    y = sc.conv2d(x, w, b, padding="same")
    parts = [sc.conv2d(one, w, b, padding="same") for one in x]
    assert y.nbytes > 2**23 and (dtype == np.float64 or parts[0].nbytes < 2**23)
    np.testing.assert_array_equal(y, parts)


@given(layers(most=6))
def test_a_layer_over_a_larger_input_is_the_layer_at_each_place(layer):
    x, weight, bias, stride, _, dilation, groups = layer
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if len(x) == 0 or any(n < span for n, span in zip(x.shape[2:], spans, strict=True)):
        return
    run = LAYERS[x.ndim - 2]
    whole = run(x, weight, bias, stride, 0, dilation, groups)
    last = [n - 1 for n in whole.shape[2:]]
    window = [slice(i * s, i * s + span) for i, s, span in zip(last, stride, spans, strict=True)]
    alone = run(np.ascontiguousarray(x[(slice(None), slice(None), *window)]), weight, bias, stride, 0, dilation, groups)
    np.testing.assert_array_equal(alone[(..., *[0] * len(last))], whole[(slice(None), slice(None), *last)])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_windows(shape, bad, rng):
    sizes, kernel, *options = shape
    x, weight = np.ones(sizes, np.float32), rng.uniform(1, 2, kernel).astype(np.float32)
    place = tuple(n // 2 for n in sizes)
    x[place] = bad
    axes = x.ndim - 2
    y = LAYERS[axes](x, weight, None, *options)
    seen = np.zeros_like(x, np.float64)
    seen[place] = 1
    reached = LAYERS[axes](seen, np.ones(kernel), None, *options) > 0
    np.testing.assert_array_equal(~np.isfinite(y), reached)


@given(layers(most=5), st.integers(1, 40))
def test_a_sample_is_the_same_in_any_batch(layer, samples):
    x, weight, bias, *options = layer
    x = np.resize(x, (samples, *x.shape[1:])) if x.size else x
    run = LAYERS[x.ndim - 2]
    together = run(x, weight, bias, *options)
    for n in range(min(len(x), 3)):
        np.testing.assert_array_equal(run(x[-n], weight, bias, *options), together[-n])


def test_inputs_of_every_kind(rng):
    x, weight, bias = rng.integers(0, 99, (2, 3, 11, 13)), rng.standard_normal((5, 3, 3, 3)), rng.standard_normal(5)
    expected = oracle(x, weight, bias, (1, 1), [(1, 1)] * 2, (1, 1), 1)
    kinds = {np.uint8: np.float32, np.int16: np.float32, np.float16: np.float16, np.int32: np.float64}
    kinds |= {np.float32: np.float32, np.float64: np.float64, ">f4": np.float32, ">f8": np.float64}
    for kind, result in kinds.items():
        y = sc.conv2d(x.astype(kind), weight, bias, padding=1)
        assert y.dtype == result and y.dtype.isnative
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e4 * np.finfo(result).eps)
    mask = sc.conv2d(x > 50, weight, bias, padding=1)
    assert mask.dtype == np.float32
    assert_close(mask, oracle(x > 50, weight, bias, (1, 1), [(1, 1)] * 2, (1, 1), 1), mask, weight)
    plain = sc.conv2d(x.astype(float), weight, bias, padding=1)
    for view in (np.asfortranarray(x.astype(float)), x.astype(float)[:, ::-1, :, ::-1][:, ::-1, :, ::-1], x.tolist()):
        np.testing.assert_array_equal(sc.conv2d(view, weight[..., ::-1][..., ::-1], list(bias), padding=1), plain)
    frozen = x.astype(float)
    frozen.flags.writeable = False
    before = weight.copy()
    np.testing.assert_array_equal(sc.conv2d(frozen[0], weight, bias, padding=1), plain[0])
    np.testing.assert_array_equal(weight, before)
    assert sc.conv2d(np.empty((0, 3, 9, 9)), weight).shape == (0, 5, 7, 7)


def test_the_engine_crops_where_padding_is_negative(rng):
    x, weight = rng.standard_normal((2, 3, 12, 30)), rng.standard_normal((9, 3, 2, 3))
    for pads in ([(-2, -1), (-3, 4)], [(0, -9), (-20, -5)], [(1, -3), (2, -28)]):
        size = [12 + sum(pads[0]), 30 + sum(pads[1])]
        output = (size[0] - 1, size[1] - 2)
        slide = geometry.Slide((12, 30), (2, 3), (1, 1), (1, 1), *zip(*pads, strict=True), output)
        expected = oracle(x, weight, None, (1, 1), pads, (1, 1), 1)
        assert_close(convs.convolve(x, weight, None, slide), expected, x, weight)


def test_plans_are_told(rng):
    def method(x, weight, **options):
        groups = options.pop("groups", 1)
        slide = geometry.convolution(x[2:], weight[2:], **options)
        plan = convs.describe(x, weight, np.float32, slide, groups)
        assert 0 <= plan["workspace"] < 2**22 and 0 <= plan["shared"] <= 2**24 and min(plan["tile"]) >= 1
        return plan["method"]

    assert method((1, 3, 224, 224), (64, 3, 3, 3), padding=1) == "direct"
    assert method((1, 64, 224, 224), (64, 64, 3, 3), padding=1) == "winograd"
    assert method((1, 256, 13, 13), (384, 256, 3, 3), padding=1) == "winograd"
    assert method((1, 48, 27, 27), (128, 48, 5, 5), padding=2) == "winograd"
    assert method((4, 3, 227, 227), (96, 3, 11, 11), stride=4) == "winograd"
    assert method((1, 48, 27, 27), (128, 48, 3, 3), padding=2, dilation=2) == "across"
    assert method((64, 6, 14, 14), (16, 6, 5, 5)) == "across"
    assert method((1, 48, 27, 27), (40, 48, 3, 3), padding=2, dilation=2) == "columns"
    assert method((3, 512, 7, 7), (2048, 512, 1, 1)) == "cells"
    assert method((1, 32, 112, 112), (32, 1, 3, 3), padding=1, groups=32) == "rows"
    assert method((64, 1024, 1, 1), (1000, 1024, 1, 1)) == "direct"


X, W = np.ones((1, 4, 8, 8)), np.ones((6, 4, 3, 3))


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"x": np.ones((8, 8))}, ValueError, r"x must be \(N, C, height, width\) or .*got the shape \(8, 8\)"),
        ({"x": np.ones((1, 0, 8, 8))}, ValueError, "x must have at least 1 channel"),
        ({"x": np.ones((4, 8, 8), complex)}, TypeError, "x must hold real numbers, got dtype complex128"),
        ({"weight": np.ones((6, 4, 3))}, ValueError, r"weight must have 4 axes.*got the shape \(6, 4, 3\)"),
        (
            {"weight": np.ones((6, 3, 3, 3))},
            ValueError,
            r"weight must be \(O, 4, ...\) for 4 channels of x in 1 groups",
        ),
        ({"weight": np.ones((6, 4, 9, 3))}, ValueError, "kernel must span at most 8 cells on axis 0, got 9"),
        ({"bias": np.ones(4)}, ValueError, r"bias must be \(6,\).*got the shape \(4,\)"),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ({"stride": 1.5}, TypeError, "stride must be a whole number, got 1.5"),
        ({"dilation": (1, 2, 3)}, ValueError, "dilation must be a whole number or a sequence of 2"),
        ({"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ({"padding": ((0, 3), (0, 0))}, ValueError, r"padding\[0\] must be in \[0, 2\], less than the kernel spans"),
        ({"padding": "full"}, ValueError, "padding must be one of 'valid', 'same', 'same_lower', got 'full'"),
        ({"groups": 3}, ValueError, "groups must divide the 4 input channels, got 3"),
        ({"groups": 4}, ValueError, "groups must divide the 6 output channels, got 4"),
        ({"groups": "2"}, TypeError, "groups must be a whole number, got '2'"),
        ({"border": "reflect"}, ValueError, "border must be 'mirror' for torch's 'reflect' or 'symmetric' for scipy's"),
        ({"border": "none"}, ValueError, "border must be one of 'zeros'"),
    ],
)
def test_wrong_arguments_are_named(change, error, text):
    with pytest.raises(error, match=text) as raised:
        sc.conv2d(**{"x": X, "weight": W, **change})
    assert "\n" not in str(raised.value)
