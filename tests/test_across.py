"""Layers whose vectors go over output channels: the same chains of multiply-adds as every other way."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc
from sigconv import geometry
from sigconv.engines.cpu.layers import across, convs
from sigconv.engines.cpu.target import host

BORDERS = ["constant", "mirror", "wrap"]


@st.composite
def layers(draw):
    """Arrays, a slide, groups and a border."""
    axes = draw(st.sampled_from([1, 2, 2, 2, 3]))
    size = st.integers(2, {1: 400, 2: 33, 3: 8}[axes])
    sizes = tuple(draw(size) for _ in range(axes))
    kernel = tuple(draw(st.integers(1, min(5, n))) for n in sizes)
    stride = tuple(draw(st.sampled_from([1, 1, 2, 3])) for _ in sizes)
    padding = tuple(draw(st.integers(0, k - 1)) if draw(st.booleans()) else 0 for k in kernel)
    dilation = tuple(
        draw(st.integers(1, (n - 1) // (k - 1) if k > 1 else 2)) for n, k in zip(sizes, kernel, strict=True)
    )
    groups, channels, outputs = draw(st.sampled_from([1, 1, 2])), draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = rng.standard_normal((draw(st.integers(1, 5)), channels * groups, *sizes)).astype(dtype)
    weight = rng.standard_normal((outputs * groups, channels, *kernel)).astype(dtype)
    bias = rng.standard_normal(len(weight)).astype(dtype)
    slide = geometry.convolution(sizes, kernel, stride, padding, dilation)
    return x, weight, bias, convs._as_volume(slide), groups, draw(st.sampled_from(BORDERS))


def summed(way, x, weight, bias, slide, groups, border):
    y = np.full((len(x), len(weight), *slide.output), np.nan, x.dtype)
    way(x, weight, bias, y, slide, groups, border)
    return y


@given(layers())
def test_bits_are_those_of_vectors_of_places(layer):
    np.testing.assert_array_equal(summed(across.convolve, *layer), summed(convs._layer, *layer))


# several blocks along each axis, more taps than are added at a time, samples of several ranges
LARGE = [
    ((64, 6, 14, 14), (16, 6, 5, 5), 1, 0, 1),
    ((1, 200, 30, 31), (40, 200, 3, 3), 1, 1, 1),
    ((9, 64, 20, 20), (96, 32, 3, 3), 2, 1, 2),
    ((1, 16, 5, 1100), (16, 16, 3, 3), 1, (0, 1), 1),
    ((2, 600, 21, 33), (16, 600, 3, 3), 1, 1, 1),
    ((1, 512, 7, 7), (1000, 512, 1, 1), 1, 0, 1),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_large_layers_at_any_number_of_threads(sizes, dtype, rng):
    shape, kernel, stride, padding, groups = sizes
    x, weight = rng.standard_normal(shape).astype(dtype), rng.standard_normal(kernel).astype(dtype)
    slide = convs._as_volume(geometry.convolution(shape[2:], kernel[2:], stride, padding, 1))
    layer = x, weight, rng.standard_normal(kernel[0]).astype(dtype), slide, groups, "constant"
    expected = summed(convs._layer, *layer)
    threads = sc.get_num_threads()
    try:
        for n in (1, 2, 5):
            sc.set_num_threads(n)
            np.testing.assert_array_equal(summed(across.convolve, *layer), expected)
    finally:
        sc.set_num_threads(threads)


def test_blocks_cover_each_output_once():
    for shape, kernel, stride, padding, groups in LARGE:
        slide = convs._as_volume(geometry.convolution(shape[2:], kernel[2:], stride, padding, 1))
        layer = across.planned(shape[0], groups, kernel[1], kernel[0] // groups, 4, slide)
        table = layer.table()
        rows, wide, outputs = table[:, 5], table[:, 6], table[:, 7]
        assert (rows * wide * outputs).sum() == shape[0] * kernel[0] * prod(slide.output)
        assert (rows * wide).max() <= 256 and ((rows == 1) | (wide == slide.output[2])).all()
        ranges = across._prepared(shape[0], groups, kernel[1], kernel[0] // groups, 4, slide, "constant").ranges
        assert [lo for lo, _ in ranges] == [0, *(hi for _, hi in ranges[:-1])] and ranges[-1][1] == layer.blocks
        assert len(ranges) == 1 or len(ranges) % 2 == 0


def test_it_serves_layers_that_waste_few_channels():
    lanes = host().vector_bytes // 4

    def serves(outputs, width, channels=6):
        slide = convs._as_volume(geometry.convolution((14, width), (3, 3), 1, 1, 1))
        return across.serves(channels, outputs, 4, slide)

    assert serves(lanes, 10) and serves(2 * lanes, 14) and serves(lanes, 2 * lanes) and serves(8 * lanes, 5 * lanes + 1)
    assert not serves(1, 10) and not serves(lanes + 1, 10) and not serves(lanes, 3)
    assert not serves(lanes, 4 * lanes)  # whose rows fill vectors
    assert serves(64, 14, 32) and not serves(512, 14, 512)  # whose weights are many
