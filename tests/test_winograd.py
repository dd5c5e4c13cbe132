"""Layers with fewer multiplications: the oracle's answers, bits, infinities, rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_convolution_layers import NUMPY, assert_close, oracle

import sigconv as sc
from sigconv import geometry
from sigconv.engines.cpu.layers import convs, winograd


def slide_of(x, weight, pads, stride):
    sizes = zip(x.shape[2:], weight.shape[2:], stride, pads, strict=True)
    output = tuple((n + sum(p) - k) // s + 1 for n, k, s, p in sizes)
    return geometry.Slide(x.shape[2:], weight.shape[2:], stride, (1, 1), *zip(*pads, strict=True), output)


def in_tiles(x, weight, bias, pads, stride=(1, 1), groups=1, border="constant"):
    """A layer that goes this way however small it is; ``pads`` are (before, after) of each axis."""
    slide = slide_of(x, weight, pads, stride)
    y = np.full((len(x), len(weight), *slide.output), np.nan, np.float32)
    start = np.zeros(len(weight), np.float32) if bias is None else bias
    return convs._in_tiles(x, weight, start, y, slide, groups, border)


def directly(x, weight, bias, pads, stride=(1, 1), groups=1):
    slide = slide_of(x, weight, pads, stride)
    y = np.empty((len(x), len(weight), *slide.output), np.float32)
    start = np.zeros(len(weight), np.float32) if bias is None else bias
    convs._layer(x, weight, start, y, convs._as_volume(slide), groups, "constant")
    return y


@st.composite
def layers(draw):
    """Arrays, padding, stride and groups of a small layer."""
    stride = tuple(draw(st.sampled_from([1, 1, 2, 3])) for _ in range(2))
    kernel = [draw(st.integers(2 * s + 1, 2 * s + 6)) for s in stride] if draw(st.booleans()) else [3, 3]
    stride = stride if kernel != [3, 3] else (1, 1)
    size = draw(st.integers(1, 12)), draw(st.one_of(st.integers(1, 12), st.integers(28, 40)))
    pads = [draw(st.integers(-1, 3)) for _ in range(2)], [draw(st.integers(-1, 3)) for _ in range(2)]
    pads = [(lo, max(hi, k - n - lo)) for n, k, lo, hi in zip(size, kernel, *pads, strict=True)]
    groups, channels, outputs = draw(st.sampled_from([1, 1, 3])), draw(st.integers(1, 20)), draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((draw(st.integers(1, 3)), channels * groups, *size)).astype(np.float32)
    weight = rng.standard_normal((outputs * groups, channels, *kernel)).astype(np.float32)
    bias = rng.standard_normal(len(weight)).astype(np.float32) if draw(st.booleans()) else None
    return x, weight, bias, pads, stride, groups


@given(layers(), st.sampled_from(sorted(NUMPY)))
def test_layers_are_the_oracles(layer, border):
    x, weight, bias, pads, stride, groups = layer
    if border != "zeros":
        pads = [(max(lo, 0), max(hi, 0)) for lo, hi in pads]
    if border == "mirror" and 1 in x.shape[2:]:
        border = "nearest"  # NumPy has no mirror for one cell
    name = {"zeros": "constant", "symmetric": "reflect"}.get(border, border)
    y = in_tiles(x, weight, bias, pads, stride, groups, name)
    assert_close(y, oracle(x, weight, bias, stride, pads, (1, 1), groups, border), x, weight)


@given(layers(), st.data())
def test_what_is_not_finite_is_as_without_tiles(layer, data):
    x, weight, bias, *options = layer
    clean = in_tiles(x, weight, bias, *options)
    marks = np.zeros_like(x)
    for _ in range(data.draw(st.integers(1, 3))):
        place = tuple(data.draw(st.integers(0, n - 1)) for n in x.shape)
        x[place], marks[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 3e38, 1e30])), 1
    overflows = (np.abs(x) == np.float32(3e38)).any()  # in other sums than the direct way's
    y, direct = in_tiles(x, weight, bias, *options), directly(x, weight, bias, *options)
    compared = ~np.isfinite(y) if overflows else ~np.isfinite(y) | ~np.isfinite(direct)
    np.testing.assert_array_equal(y[compared], direct[compared])
    untouched = directly(marks, np.ones_like(weight), None, *options) == 0
    np.testing.assert_array_equal(y[untouched], clean[untouched])


LAYERS = [  # (x, weight, padding, stride, groups): few tiles and many, samples that share blocks, rows in several
    ((1, 64, 60, 62), (64, 64, 3, 3), 1, 1, 1),
    ((4, 40, 29, 27), (72, 40, 3, 3), 1, 1, 1),
    ((3, 256, 7, 7), (200, 256, 3, 3), 1, 1, 1),
    ((1, 130, 14, 14), (150, 130, 3, 3), (2, 0), 1, 1),
    ((2, 64, 40, 41), (96, 32, 3, 3), 1, 1, 2),
    ((1, 32, 9, 1100), (40, 32, 3, 3), 1, 1, 1),
    ((2, 80, 27, 27), (142, 40, 5, 5), 2, 1, 2),
    ((1, 3, 115, 227), (96, 3, 11, 11), 0, 4, 1),
    ((1, 24, 40, 41), (33, 24, 4, 6), (2, 3), 1, 1),
    ((1, 3, 115, 116), (64, 3, 7, 7), 3, 2, 1),
]


@pytest.mark.parametrize("shape", LAYERS, ids=str)
def test_bits_depend_on_neither_threads_nor_batch(shape, rng):
    sizes, kernel, padding, stride, groups = shape
    x, weight, bias = (rng.standard_normal(size).astype(np.float32) for size in (sizes, kernel, kernel[:1]))
    options = {"padding": padding, "stride": stride, "groups": groups}
    slide = geometry.convolution(sizes[2:], kernel[2:], stride, padding, 1)
    assert convs.describe(sizes, kernel, np.float32, slide, groups)["method"] == "winograd"
    threads = sc.get_num_threads()
    answers = []
    try:
        for n in (1, 2, 5):
            sc.set_num_threads(n)
            answers.append(sc.conv2d(x, weight, bias, **options))
    finally:
        sc.set_num_threads(threads)
    assert len({answer.tobytes() for answer in answers}) == 1
    for n in range(len(x)):
        np.testing.assert_array_equal(sc.conv2d(x[n], weight, bias, **options), answers[0][n])
    exact = sc.conv2d(x.astype(np.float64), weight, bias, **options)
    assert_close(answers[0], exact, x, weight)
    direct = directly(x, weight, bias, list(zip(slide.before, slide.after, strict=True)), slide.stride, groups)
    errors = [np.sqrt(np.mean((y - exact) ** 2)) for y in (answers[0], direct)]
    assert errors[0] < 1.5 * errors[1]  # shorter chains make up for sums and differences


def test_whole_numbers_are_exact(rng):
    x, weight = rng.integers(-50, 50, (2, 64, 33, 34)), rng.integers(-50, 50, (48, 64, 3, 3))
    expected = sc.conv2d(x.astype(np.float64), weight, padding=1)
    np.testing.assert_array_equal(sc.conv2d(x.astype(np.float32), weight, padding=1), expected)


def test_a_spike_leaves_no_trace_outside_its_windows(rng):
    x, weight = (rng.standard_normal(size).astype(np.float32) for size in ((1, 64, 40, 40), (64, 64, 3, 3)))
    calm = sc.conv2d(x, weight, padding=1)
    x[0, 3, 20, 20] = 1e30
    y = sc.conv2d(x, weight, padding=1)
    y[..., 19:22, 19:22] = calm[..., 19:22, 19:22]
    np.testing.assert_array_equal(y, calm)


def test_memory_is_bounded_however_large_the_layer():
    for samples, channels, outputs, side in ((1, 16, 2048, 3000), (64, 2048, 2048, 7), (1, 4096, 4096, 12)):
        slide = geometry.convolution((side, side), (3, 3), 1, 1, 1)
        layer = winograd.planned(samples, 1, channels, outputs, slide)
        assert 4 * sum(layer.space) < 2**23 and 4 * layer.inputs <= 2**23
        assert 4 * layer.weights <= 64 * outputs * channels
