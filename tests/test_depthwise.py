"""Layers of small windows and few channels: numbers that add up exactly, whatever the sizes; bits, NaN and borders."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc
from sigconv.engines.cpu.layers import depthwise

NUMPY = {"zeros": "constant", "mirror": "reflect", "symmetric": "symmetric", "nearest": "edge", "wrap": "wrap"}


def oracle(x, weight, bias, stride, pads, groups, border="zeros"):
    """Every cell of the window in turn, over all places at once, in float64."""
    axes = x.ndim - 2
    x = np.pad(x.astype(np.float64), [(0, 0)] * 2 + list(pads), NUMPY[border])
    sizes = [(n - k) // stride + 1 for n, k in zip(x.shape[2:], weight.shape[2:], strict=True)]
    y = np.zeros((len(x), len(weight), *sizes)) + bias.reshape(-1, *[1] * axes)
    per_group, channels = len(weight) // groups, weight.shape[1]
    for o, c in itertools.product(range(len(weight)), range(channels)):
        for cell in itertools.product(*map(range, weight.shape[2:])):
            seen = [slice(j, j + (n - 1) * stride + 1, stride) for j, n in zip(cell, sizes, strict=True)]
            y[:, o] += weight[(o, c, *cell)] * x[(slice(None), o // per_group * channels + c, *seen)]
    return y


@st.composite
def layers(draw):
    """Whole numbers in every form that a layer of small windows may have, and its options."""
    cells, stride = draw(st.sampled_from([3, 5])), draw(st.sampled_from([1, 2]))
    volume = draw(st.integers(0, 4)) == 0
    least = [draw(st.integers(1, 4))] * volume + [draw(st.integers(1, 9)), draw(st.integers(1, 40 if volume else 90))]
    padding = [draw(st.integers(0, 6)) for _ in least]
    sizes = [max(n, cells - 2 * p) for n, p in zip(least, padding, strict=True)]
    groups, channels = draw(st.integers(1, 5)), draw(st.sampled_from([1, 1, 1, 2, 4]))
    outputs = draw(st.integers(1, 3)) * groups
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = rng.integers(-9, 9, (draw(st.integers(1, 3)), channels * groups, *sizes)).astype(dtype)
    weight = rng.integers(-9, 9, (outputs, channels, *[cells] * len(sizes))).astype(dtype)
    return x, weight, rng.integers(-9, 9, outputs).astype(dtype), stride, padding, groups


def run(x, weight, bias, stride, padding, groups, border="zeros"):
    return getattr(sc, f"conv{x.ndim - 2}d")(x, weight, bias, stride, padding, 1, groups, border=border)


@given(layers(), st.sampled_from(["as it is", "backwards", "other order", "every other"]))
def test_whole_numbers_add_up(layer, form):
    x, *options = layer
    expected = oracle(x, *options[:3], [(p, p) for p in options[3]], options[4])
    if form == "backwards":
        x = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    elif form == "other order":
        x = np.asfortranarray(x)
    elif form == "every other":
        x = np.repeat(x, 2, -1)[..., ::2]
    np.testing.assert_array_equal(run(x, *options), expected)


@given(layers(), st.sampled_from(sorted(NUMPY)), st.data())
def test_borders_and_uneven_padding(layer, border, data):
    x, weight, bias, stride, _, groups = layer
    cells = weight.shape[-1]
    pads = [(data.draw(st.integers(0, cells - 1)), data.draw(st.integers(0, cells - 1))) for _ in x.shape[2:]]
    if any(n + sum(pad) < cells for n, pad in zip(x.shape[2:], pads, strict=True)):
        pads = [(cells - 1, cells - 1)] * len(pads)
    expected = oracle(x, weight, bias, stride, pads, groups, border)
    np.testing.assert_array_equal(run(x, weight, bias, stride, pads, groups, border), expected)


@pytest.mark.parametrize("cells", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_width_and_height(cells, stride, dtype, rng):
    weight, bias = rng.integers(-9, 9, (2, 1, cells, cells)).astype(dtype), np.array([1, 2], dtype)
    for height, width in itertools.product((1, 2, 3, 9), range(1, 41)):
        x = rng.integers(-9, 9, (1, 2, height, width)).astype(dtype)
        for padding in ((2, 2), (cells, 7)):
            expected = oracle(x, weight, bias, stride, [(p, p) for p in padding], 2)
            np.testing.assert_array_equal(run(x, weight, bias, stride, padding, 2), expected)


# several bands of a plane, planes in several ranges, channels and volumes
SHAPES = [
    ((1, 2, 300, 301), (2, 1, 3, 3), 1, 1, 2),
    ((1, 1, 1000, 270), (1, 1, 5, 5), 2, 2, 1),
    ((3, 40, 41, 43), (80, 1, 3, 3), 2, 1, 40),
    ((2, 3, 130, 200), (2, 3, 3, 3), 1, 1, 1),
    ((2, 2, 9, 30, 61), (2, 1, 3, 3, 3), 1, 1, 2),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("border", ["zeros", "mirror"])
def test_bits_depend_on_neither_threads_nor_bands(shape, border, rng, monkeypatch):
    sizes, kernel, stride, padding, groups = shape
    x, weight = (rng.standard_normal(size).astype(np.float32) for size in (sizes, kernel))
    bias = rng.standard_normal(len(weight)).astype(np.float32)
    answers, threads = [], sc.get_num_threads()
    try:
        for n, narrow in ((1, False), (2, False), (5, True)):
            sc.set_num_threads(n)
            if narrow:
                for name in ("_PLANE", "_BAND", "_LARGE", "_FAR", "_BORDERED", "_WORK"):
                    monkeypatch.setattr(depthwise, name, 4000)
                depthwise.planned.cache_clear()
            answers.append(run(x, weight, bias, stride, padding, groups, border))
    finally:
        sc.set_num_threads(threads)
        depthwise.planned.cache_clear()
    assert len({answer.tobytes() for answer in answers}) == 1
    pads = [(padding, padding)] * (x.ndim - 2)
    expected = oracle(x, weight, bias, stride, pads, groups, border)
    np.testing.assert_allclose(answers[0], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("cells", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_windows(cells, stride, bad, rng):
    weight = rng.uniform(1, 2, (1, 1, cells, cells)).astype(np.float32)
    for place in itertools.product((0, 1, 4, 8), (0, 1, 14, 15, 16, 17, 31, 32, 51)):
        x, seen = np.ones((1, 1, 9, 52), np.float32), np.zeros((1, 1, 9, 52), np.float32)
        x[0, 0][place], seen[0, 0][place] = bad, 1
        y = run(x, weight, None, stride, 2, 1)
        reached = run(seen, np.ones_like(weight), None, stride, 2, 1) > 0
        np.testing.assert_array_equal(~np.isfinite(y), reached)


def test_who_is_served():
    def served(x, weight, stride=1, dilation=1, groups=1, border="constant"):
        slide = sc.geometry.convolution(x[2:], weight[2:], stride, 2, dilation)
        if len(x) == 4:
            slide = slide._replace(
                **{
                    name: (value, *getattr(slide, name))
                    for name, value in zip(slide._fields, (1, 1, 1, 1, 0, 0, 1), strict=True)
                }
            )
        return depthwise.serves(slide, weight[1], weight[0] // groups, border)

    assert served((1, 8, 9, 9), (8, 1, 3, 3), groups=8) and served((1, 8, 9, 9), (16, 1, 5, 5), 2, groups=8)
    assert served((1, 3, 9, 9), (1, 3, 3, 3)) and served((1, 8, 9, 9), (8, 1, 3, 3), groups=8, border="wrap")
    assert served((1, 8, 9, 9, 9), (8, 1, 3, 3, 3), groups=8)
    assert not served((1, 8, 9, 9, 9), (8, 1, 3, 3, 3), groups=8, border="wrap")
    for other in ({"dilation": 2}, {"stride": 3}, {"stride": (1, 2)}, {"weight": (8, 1, 3, 5)}):
        assert not served(**{"x": (1, 8, 9, 9), "weight": (8, 1, 3, 3), "groups": 8, **other})
    assert not served((1, 8, 9, 9), (4, 8, 3, 3)) and not served((1, 1, 9, 9), (8, 1, 3, 3))
