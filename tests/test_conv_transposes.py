"""Transposed convolutions: torch's answers, every way to cut, and convolution turned round."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc
from sigconv import geometry

TRANSPOSES = {1: sc.conv_transpose1d, 2: sc.conv_transpose2d, 3: sc.conv_transpose3d}
CONVS = {1: sc.conv1d, 2: sc.conv2d, 3: sc.conv3d}


@st.composite
def layers(draw, dtypes=(np.float32, np.float64)):
    """A transposed layer that torch knows: x, weight, bias and the numbers in torch's order."""
    axes = draw(st.sampled_from([1, 2, 2, 3]))
    each = lambda strategy: tuple(draw(st.lists(strategy, min_size=axes, max_size=axes)))  # noqa: E731
    groups = draw(st.integers(1, 3))
    channels, outputs = groups * draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 5, 17]))
    sizes, kernel = each(st.integers(1, 6)), each(st.integers(1, 4))
    stride, dilation = each(st.integers(1, 4)), each(st.integers(1, 4))
    spans = [gap * (k - 1) + 1 for gap, k in zip(dilation, kernel, strict=True)]
    most = [((n - 1) * s + span - 1) // 2 for n, s, span in zip(sizes, stride, spans, strict=True)]
    padding = tuple(draw(st.integers(0, m)) for m in most)
    extra = tuple(draw(st.integers(0, max(s, gap) - 1)) for s, gap in zip(stride, dilation, strict=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(dtypes))
    x = rng.standard_normal((*draw(st.sampled_from([(), (1,), (3,)])), channels, *sizes)).astype(dtype)
    weight = rng.standard_normal((channels, outputs, *kernel)).astype(dtype)
    bias = rng.standard_normal(outputs * groups).astype(dtype) if draw(st.booleans()) else None
    return axes, x, weight, bias, (stride, padding, extra, groups, dilation)


def close(a, b):
    scale = max(float(np.abs(b).max(initial=0)), 1.0)
    np.testing.assert_allclose(a, b, rtol=0, atol=scale * (2e-5 if a.dtype == np.float32 else 1e-13))


@given(layers())
def test_torch_says_the_same(layer):
    torch = pytest.importorskip("torch")
    axes, x, weight, bias, numbers = layer
    tensors = (None if a is None else torch.from_numpy(a) for a in (x, weight, bias))
    peer = getattr(torch.nn.functional, f"conv_transpose{axes}d")(*tensors, *numbers).numpy()
    y = TRANSPOSES[axes](x, weight, bias, *numbers)
    assert y.shape == peer.shape and y.dtype == x.dtype
    close(y, peer)


def laid_down(x, weight, stride, dilation, before, output):
    """Each input's kernel added where it lies, cell by cell, on one axis and in one group."""
    y = np.zeros((len(x), weight.shape[1], output))
    for n, c, o, i, j in np.ndindex(len(x), *weight.shape[:2], x.shape[2], weight.shape[2]):
        place = i * stride + j * dilation - before
        if 0 <= place < output:
            y[n, o, place] += x[n, c, i] * weight[c, o, j]
    return y


@given(
    st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3),
    st.sampled_from(["same", "same_lower", "valid", "pair"]), st.data(),
)  # fmt: skip
def test_paddings_that_torch_has_not(n, kernel, stride, dilation, padding, data):
    span = dilation * (kernel - 1) + 1
    if padding == "pair":
        lo, hi = (data.draw(st.integers(0, span - 1)) for _ in "ab")
        if (n - 1) * stride + span - lo - hi < 1:
            lo = hi = 0
        padding, before, output = ((lo, hi),), lo, (n - 1) * stride + span - lo - hi
    elif padding == "valid":
        before, output = 0, (n - 1) * stride + span
    else:
        cut = max(span - stride, 0)
        before, output = (cut // 2 if padding == "same" else cut - cut // 2), n * stride
    rng = np.random.default_rng(n * 100 + kernel)
    x, weight = rng.standard_normal((2, 2, n)), rng.standard_normal((2, 3, kernel))
    y = sc.conv_transpose1d(x, weight, stride=stride, padding=padding, dilation=dilation)
    close(y, laid_down(x, weight, stride, dilation, before, output))


@given(layers(dtypes=(np.float64,)))
def test_a_layer_and_its_transpose_are_adjoint(layer):
    axes, g, weight, _, (stride, padding, _, groups, dilation) = layer
    back = TRANSPOSES[axes](g, weight, None, stride, padding, 0, groups, dilation)
    x = np.random.default_rng(7).standard_normal(back.shape)
    forth = CONVS[axes](x, weight, None, stride, padding, dilation, groups)
    assert forth.shape == g.shape
    assert np.vdot(forth, g) == pytest.approx(np.vdot(x, back), rel=1e-9, abs=1e-9)


def test_a_stride_is_undone_in_size(rng):
    x = rng.standard_normal((1, 2, 31, 32))
    weight = rng.standard_normal((4, 2, 5, 5))
    y = sc.conv2d(x, weight, stride=3, padding=2)
    extra = tuple((n + 4 - 5) % 3 for n in x.shape[2:])
    assert sc.conv_transpose2d(y, weight, stride=3, padding=2, output_padding=extra).shape == x.shape
    assert geometry.transposed(y.shape[2:], 5, 3, 2, extra).output == x.shape[2:]


def test_values_that_are_not_finite_reach_their_own_outputs_alone():
    x = np.zeros((1, 1, 9, 9), np.float32)
    x[0, 0, 4, 4] = np.inf
    y = sc.conv_transpose2d(x, np.ones((1, 1, 3, 3), np.float32), stride=2)
    touched = np.zeros((19, 19), bool)
    touched[8:11, 8:11] = True
    np.testing.assert_array_equal(np.isinf(y[0, 0]), touched)
    assert np.isfinite(y[0, 0][~touched]).all()


@pytest.mark.parametrize(
    ("dtype", "result"),
    [(np.float16, np.float16), (np.uint8, np.float32), (bool, np.float32), (np.int32, np.float64), (">f4", np.float32)],
)
def test_dtypes(dtype, result, rng):
    x = rng.integers(0, 2, (3, 5, 5)).astype(dtype)
    x.flags.writeable = False
    weight = rng.integers(-3, 4, (3, 2, 3, 3))
    y = sc.conv_transpose2d(x, weight, stride=2)
    assert y.dtype == result and y.dtype.isnative
    close(y.astype(np.float64), sc.conv_transpose2d(x.astype(np.float64), weight, stride=2))


def test_any_layout_in_memory_and_no_samples_at_all(rng):
    x, weight = rng.standard_normal((2, 6, 9, 8)), rng.standard_normal((4, 3, 3, 3))[:, ::-1, :, ::-1]
    x = x[:, 4:0:-1, ::-2, ::-1]
    y = sc.conv_transpose2d(x, weight, stride=2)
    np.testing.assert_array_equal(y, sc.conv_transpose2d(x.copy(), weight.copy(), stride=2))
    assert sc.conv_transpose2d(x[:0], weight, stride=2).shape == (0, *y.shape[1:])


@given(layers())
def test_threads_change_no_bit(layer):
    axes, x, weight, bias, numbers = layer
    before = sc.get_num_threads()
    answers = []
    try:
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            answers.append(TRANSPOSES[axes](x, weight, bias, *numbers).tobytes())
    finally:
        sc.set_num_threads(before)
    assert len(set(answers)) == 1


X, W = np.ones((1, 4, 6, 6)), np.ones((4, 3, 3, 3))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"x": X[0, 0]},
            ValueError,
            r"x must be \(N, C, height, width\) or \(C, height, width\), got the shape \(6, 6\)",
        ),
        ({"x": X + 1j}, TypeError, "x must hold real numbers, got dtype complex128"),
        ({"weight": W[0]}, ValueError, "weight must have 4 axes"),
        ({"weight": W[:3]}, ValueError, r"weight must be \(4, O / groups, ...\) for 4 channels of x, got the shape"),
        ({"bias": [1.0]}, ValueError, r"bias must be \(3,\)"),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ({"dilation": 1.5}, TypeError, "dilation must be a whole number, got 1.5"),
        ({"padding": 4}, ValueError, r"padding must be less than the 8 cells of output on axis 0, got 4 \+ 4"),
        ({"padding": "full"}, ValueError, "padding must be one of 'valid', 'same', 'same_lower', got 'full'"),
        ({"output_padding": 1}, ValueError, r"output_padding must be in \[0, 0\] on axis 0"),
        ({"groups": 3}, ValueError, "groups must divide the 4 input channels, got 3"),
    ],
)
def test_what_is_wrong_is_said(arguments, error, message):
    with pytest.raises(error, match=message):
        sc.conv_transpose2d(**{"x": X, "weight": W, **arguments})
