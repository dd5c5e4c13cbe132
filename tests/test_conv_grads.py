"""Gradients of convolution layers: torch's, differences of the layer itself, and sums in one order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc
from sigconv import geometry

CONVS = {1: sc.conv1d, 2: sc.conv2d, 3: sc.conv3d}
TRANSPOSES = {1: sc.conv_transpose1d, 2: sc.conv_transpose2d, 3: sc.conv_transpose3d}


@st.composite
def layers(draw, dtypes=(np.float32, np.float64), paddings=("numbers",)):
    """A layer: x, weight, and the numbers in torch's order."""
    axes = draw(st.sampled_from([1, 2, 2, 3]))
    each = lambda strategy: tuple(draw(st.lists(strategy, min_size=axes, max_size=axes)))  # noqa: E731
    groups = draw(st.sampled_from([1, 1, 2, 3, 7]))
    per_group, outputs = draw(st.sampled_from([1, 1, 2, 3, 16])), draw(st.sampled_from([1, 1, 2, 5, 17, 33]))
    kernel, stride, dilation = each(st.integers(1, 4)), each(st.integers(1, 3)), each(st.integers(1, 3))
    spans = [gap * (k - 1) + 1 for gap, k in zip(dilation, kernel, strict=True)]
    padding = draw(st.sampled_from(paddings))
    if padding == "numbers":
        padding = each(st.integers(0, 3))
        sizes = tuple(
            draw(st.integers(max(span - 2 * p, 1), max(span - 2 * p, 1) + [40, 8, 4][axes - 1]))
            for span, p in zip(spans, padding, strict=True)
        )
    else:
        if padding == "pairs":
            padding = tuple((draw(st.integers(0, span - 1)), draw(st.integers(0, span - 1))) for span in spans)
        sizes = tuple(draw(st.integers(span, span + 6)) for span in spans)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(dtypes))
    x = rng.standard_normal((*draw(st.sampled_from([(), (1,), (3,)])), groups * per_group, *sizes)).astype(dtype)
    weight = rng.standard_normal((groups * outputs, per_group, *kernel)).astype(dtype)
    return axes, x, weight, (stride, padding, dilation, groups)


def gradient_like(y):
    return np.random.default_rng(y.size).standard_normal(y.shape).astype(y.dtype)


def close(a, b):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    scale = max(float(np.abs(b).max(initial=0)), 1.0)
    np.testing.assert_allclose(a, b, rtol=0, atol=scale * (3e-5 if a.dtype == np.float32 else 1e-12))


def torch_gradients(function, x, weight, channels, grad_out, *numbers):
    torch = pytest.importorskip("torch")
    leaves = [torch.from_numpy(np.array(a)).requires_grad_() for a in (x, weight, np.zeros(channels, x.dtype))]
    getattr(torch.nn.functional, function)(*leaves, *numbers).backward(torch.from_numpy(grad_out))
    return [leaf.grad.numpy() for leaf in leaves]


@given(layers())
def test_torch_finds_the_same(layer):
    axes, x, weight, numbers = layer
    grad_out = gradient_like(CONVS[axes](x, weight, None, *numbers))
    ours = getattr(sc.grad, f"conv{axes}d")(x, weight, grad_out, *numbers)
    peers = torch_gradients(f"conv{axes}d", x, weight, len(weight), grad_out, *numbers)
    for gradient, peer in zip(ours, peers, strict=True):
        assert gradient.dtype == x.dtype
        close(gradient, peer)


@given(layers(), st.data())
def test_torch_finds_the_same_of_transposes(layer, data):
    axes, y, weight, (stride, padding, dilation, groups) = layer
    x = CONVS[axes](y, weight, None, stride, padding, dilation, groups)
    output = geometry.transposed(x.shape[-axes:], weight.shape[2:], stride, 0, 0, dilation).output
    if any(n <= 2 * p for n, p in zip(output, padding, strict=True)):
        padding = (0,) * axes
    extra = tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    numbers = stride, padding, extra, groups, dilation
    grad_out = gradient_like(TRANSPOSES[axes](x, weight, None, *numbers))
    ours = getattr(sc.grad, f"conv_transpose{axes}d")(x, weight, grad_out, *numbers)
    channels = weight.shape[1] * groups
    for gradient, peer in zip(
        ours, torch_gradients(f"conv_transpose{axes}d", x, weight, channels, grad_out, *numbers), strict=True
    ):
        close(gradient, peer)


def derivative(loss, array):
    """The slope of a function along every number of an array; exact but for rounding where it is linear in each."""
    slopes = np.empty(array.shape)
    for place in np.ndindex(array.shape):
        ends = []
        for step in (0.5, -0.5):
            moved = array.copy()
            moved[place] += step
            ends.append(loss(moved))
        slopes[place] = ends[0] - ends[1]
    return slopes


@pytest.mark.parametrize("border", ["zeros", "mirror", "symmetric", "nearest", "wrap"])
@pytest.mark.parametrize("padding", [2, "same", "same_lower", ((2, 1), (0, 3))])
def test_differences_of_the_layer_are_its_gradients(padding, border, rng):
    x, weight, bias = rng.standard_normal((2, 2, 5, 6)), rng.standard_normal((4, 1, 4, 3)), rng.standard_normal(4)
    more = {"stride": (1, 2), "padding": padding, "dilation": (1, 2), "groups": 2, "border": border}
    grad_out = gradient_like(sc.conv2d(x, weight, bias, **more))
    gradients = sc.grad.conv2d(x, weight, grad_out, **more)
    close(gradients.x, derivative(lambda moved: np.vdot(sc.conv2d(moved, weight, bias, **more), grad_out), x))
    close(gradients.weight, derivative(lambda moved: np.vdot(sc.conv2d(x, moved, bias, **more), grad_out), weight))
    close(gradients.bias, derivative(lambda moved: np.vdot(sc.conv2d(x, weight, moved, **more), grad_out), bias))


def test_a_border_far_wider_than_the_array_folds_back(rng):
    x, weight = rng.standard_normal((1, 1, 3)), rng.standard_normal((1, 1, 17))
    for border in ("mirror", "wrap", "symmetric", "nearest"):
        more = {"padding": ((16, 12),), "border": border}
        grad_out = gradient_like(sc.conv1d(x, weight, **more))
        gradients = sc.grad.conv1d(x, weight, grad_out, **more)
        close(gradients.x, derivative(lambda moved: np.vdot(sc.conv1d(moved, weight, **more), grad_out), x))  # noqa: B023


@given(layers(dtypes=(np.float64,), paddings=("pairs", "same", "same_lower", "valid")))
def test_a_layer_and_its_gradients_are_adjoint(layer):
    axes, x, weight, (stride, padding, dilation, groups) = layer
    y = CONVS[axes](x, weight, None, stride, padding, dilation, groups)
    grad_out = gradient_like(y)
    gradients = getattr(sc.grad, f"conv{axes}d")(x, weight, grad_out, stride, padding, dilation, groups)
    product = np.vdot(y, grad_out)
    assert np.vdot(x, gradients.x) == pytest.approx(product, rel=1e-9, abs=1e-9)
    assert np.vdot(weight, gradients.weight) == pytest.approx(product, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "outputs", "kernel", "more"),
    [
        ((3, 40, 30, 31), 50, 3, {"padding": 1}),
        ((2, 24, 40, 33), 24, 5, {"padding": 2, "groups": 24}),
        ((2, 24, 40, 37), 24, 3, {"stride": 2, "groups": 24}),
        ((65, 6, 14, 14), 16, 5, {}),
        ((1, 3, 67, 67), 96, 11, {"stride": 4}),
        ((2, 70, 40, 40), 20, 1, {}),
        ((200, 16, 64, 64), 3, 2, {"stride": 2}),
    ],
)
def test_threads_change_no_bit_and_every_position_counts(shape, outputs, kernel, more, dtype, rng):
    x = rng.integers(-4, 5, shape).astype(dtype)
    weight = rng.integers(-4, 5, (outputs, shape[1] // more.get("groups", 1), kernel, kernel)).astype(dtype)
    slide = geometry.convolution(shape[2:], weight.shape[2:], more.get("stride", 1), more.get("padding", 0))
    grad_out = rng.integers(-4, 5, (shape[0], outputs, *slide.output)).astype(dtype)
    before = sc.get_num_threads()
    answers = []
    try:
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            answers.append(sc.grad.conv2d(x, weight, grad_out, **more))
    finally:
        sc.set_num_threads(before)
    for gradients in zip(*answers, strict=True):
        assert len({gradient.tobytes() for gradient in gradients}) == 1
    padded = np.pad(x, [(0, 0), (0, 0), *[(more.get("padding", 0),) * 2] * 2])
    stride, groups = more.get("stride", 1), more.get("groups", 1)
    for a, b in ((0, 0), (kernel - 1, kernel // 2)):  # sums of integers: exact
        seen = padded[:, :, a:, b:][:, :, ::stride, ::stride][:, :, : slide.output[0], : slide.output[1]]
        seen = seen.reshape(shape[0], groups, -1, *slide.output)
        given_ = grad_out.reshape(shape[0], groups, -1, *slide.output)
        exact = np.einsum("ngoij,ngcij->goc", given_, seen, optimize=True).reshape(weight.shape[:2])
        np.testing.assert_array_equal(answers[0].weight[..., a, b], exact)


def test_missing_values_stay_where_they_are_used(rng):
    x, weight = rng.standard_normal((1, 2, 17, 19)), rng.standard_normal((5, 2, 3, 3))
    grad_out = rng.standard_normal((1, 5, 15, 17))
    x[0, 1, 0, 0] = np.nan  # only the first cell of the second channel's kernels meets it
    gradients = sc.grad.conv2d(x, weight, grad_out)
    expected = np.zeros(weight.shape, bool)
    expected[:, 1, 0, 0] = True
    np.testing.assert_array_equal(np.isnan(gradients.weight), expected)
    grad_out[0, 3, 0, 0] = np.nan
    gradients = sc.grad.conv2d(x, weight, grad_out)
    expected = np.zeros(x.shape[1:], bool)
    expected[:, :3, :3] = True
    np.testing.assert_array_equal(np.isnan(gradients.x[0]), expected)
    expected = np.zeros(weight.shape, bool)
    expected[3] = expected[:, 1, 0, 0] = True
    np.testing.assert_array_equal(np.isnan(gradients.weight), expected)
    assert np.isnan(gradients.bias).tolist() == [False, False, False, True, False]


def test_depthwise_missing_values(rng):
    x, weight, grad_out = np.ones((2, 3, 9, 21)), np.ones((3, 1, 3, 3)), np.ones((2, 3, 7, 19))
    x[1, 1, 8, 20] = np.inf
    gradient = sc.grad.conv2d(x, weight, grad_out, groups=3).weight
    assert np.isinf(gradient[1, 0, 2, 2]) and np.isfinite(gradient).sum() == gradient.size - 1


@pytest.mark.parametrize(
    ("dtype", "result"),
    [(np.float16, np.float16), (np.uint8, np.float32), (np.int64, np.float64), (">f8", np.float64)],
)
def test_dtypes(dtype, result, rng):
    x, weight, grad_out = (rng.integers(0, 3, shape) for shape in ((2, 6, 6), (3, 2, 3, 3), (3, 4, 4)))
    gradients = sc.grad.conv2d(x.astype(dtype), weight, grad_out)
    for gradient, exact in zip(gradients, sc.grad.conv2d(x.astype(float), weight, grad_out), strict=True):
        assert gradient.dtype == result
        np.testing.assert_array_equal(gradient, exact)


def test_any_layout_in_memory_and_no_samples_at_all(rng):
    x, weight = rng.standard_normal((2, 6, 9, 8)), rng.standard_normal((3, 4, 3, 3))[:, ::-1, :, ::-1]
    x, grad_out = x[:, 4:0:-1, ::-1, ::-1], rng.standard_normal((6, 7, 3, 2)).T
    for a, b in zip(
        sc.grad.conv2d(x, weight, grad_out), sc.grad.conv2d(x.copy(), weight.copy(), grad_out.copy()), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    none = sc.grad.conv2d(x[:0], weight, grad_out[:0])
    assert none.x.shape == (0, 4, 9, 8) and not none.weight.any() and not none.bias.any()


X, W, G = np.ones((1, 4, 6, 6)), np.ones((2, 4, 3, 3)), np.ones((1, 2, 4, 4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"grad_out": G[0]}, ValueError, r"grad_out must have the shape of the layer's output, \(1, 2, 4, 4\), got"),
        ({"grad_out": G, "padding": 1}, ValueError, r"the layer's output, \(1, 2, 6, 6\), got \(1, 2, 4, 4\)"),
        ({"grad_out": "text"}, TypeError, "grad_out must hold real numbers"),
        ({"weight": W[:, :3]}, ValueError, r"weight must be \(O, 4, ...\) for 4 channels of x in 1 groups"),
        ({"border": "reflect"}, ValueError, "border must be 'mirror' for torch's 'reflect'"),
        ({"groups": 3}, ValueError, "groups must divide the 4 input channels, got 3"),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_said(arguments, error, message):
    with pytest.raises(error, match=message):
        sc.grad.conv2d(**{"x": X, "weight": W, "grad_out": G, **arguments})


def test_what_is_wrong_with_transposes_is_said():
    with pytest.raises(ValueError, match=r"grad_out must have the shape of the layer's output, \(1, 3, 8, 8\), got"):
        sc.grad.conv_transpose2d(X, np.ones((4, 3, 3, 3)), G)
    with pytest.raises(ValueError, match=r"weight must be \(4, O / groups, ...\)"):
        sc.grad.conv_transpose2d(X, W, G)
