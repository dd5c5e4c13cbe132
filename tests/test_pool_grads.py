"""Gradients of pools against torch's, against differences of the pools themselves, and against their definition."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from pool_cases import DTYPES, TOLERANCE, named, pools, values

import sigconv as sc


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def named_gradient(name, axes):
    return getattr(sc.grad, f"{name}{axes}d")


def close(ours, theirs, scale=1):
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE[ours.dtype], atol=scale * TOLERANCE[ours.dtype])


def from_torch(torch, name, x, *arguments, **options):
    """torch's result and what maps its gradient to that of x."""
    source = torch.from_numpy(x).requires_grad_()
    try:
        y = getattr(torch.nn.functional, name)(source, *arguments, **options)
    except RuntimeError:  # avg_pool3d forgets that there is padding
        reject()
    first = y[0] if isinstance(y, tuple) else y

    def back(grad):
        source.grad = None
        first.backward(torch.from_numpy(grad), retain_graph=True)
        return source.grad.numpy()

    return y, back


@given(pools(), st.booleans(), st.sampled_from(DTYPES), st.sampled_from(["plain", "ties"]))
def test_max_pools(torch, pool, ceil_mode, dtype, kind):
    size, window = pool
    axes = len(size)
    x = values(0, (2, 2, *size), dtype, kind)
    y, indices = named("max_pool", axes)(x, **window, ceil_mode=ceil_mode, return_indices=True)
    assume((indices >= 0).all())
    _, back = from_torch(torch, f"max_pool{axes}d", x, **window, ceil_mode=ceil_mode)
    grad = values(1, y.shape, dtype, "plain")
    close(named_gradient("max_pool", axes)(grad, indices, x.shape), back(grad), scale=10)


@given(pools(), st.booleans(), st.booleans(), st.sampled_from([None, 3]), st.sampled_from(DTYPES))
def test_avg_pools(torch, pool, ceil_mode, include, divisor, dtype):
    size, window = pool
    axes = len(size)
    assume(axes > 1 or divisor is None)
    window = {name: window[name] for name in ("kernel_size", "stride", "padding")}
    window |= {"ceil_mode": ceil_mode, "count_include_pad": include}
    window |= {"divisor_override": divisor} if divisor else {}
    x = values(0, (2, 2, *size), dtype, "plain")
    y, back = from_torch(torch, f"avg_pool{axes}d", x, **window)
    grad = values(1, tuple(y.shape), dtype, "plain")
    close(named_gradient("avg_pool", axes)(grad, x.shape, **window), back(grad), math.prod(window["kernel_size"]))


@given(st.lists(st.integers(1, 14), min_size=1, max_size=3), st.data(), st.sampled_from(DTYPES))
def test_adaptive_pools(torch, size, data, dtype):
    axes = len(size)
    output = tuple(data.draw(st.integers(1, 2 * n)) for n in size)
    x = values(0, (2, 2, *size), dtype, "plain")
    y, back = from_torch(torch, f"adaptive_avg_pool{axes}d", x, output)
    grad = values(1, tuple(y.shape), dtype, "plain")
    close(named_gradient("adaptive_avg_pool", axes)(grad, x.shape), back(grad), 10)
    _, indices = named("adaptive_max_pool", axes)(x, output, return_indices=True)
    _, back = from_torch(torch, f"adaptive_max_pool{axes}d", x, output)
    close(named_gradient("adaptive_max_pool", axes)(grad, indices, x.shape), back(grad), 10)


def differences(function, x, grad, step=1e-6):
    """The gradient of sum(grad * function(x)) from the function's values alone."""
    found = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[at] += step
        behind[at] -= step
        found[at] = (grad * (function(ahead) - function(behind))).sum() / (2 * step)
    return found


@given(pools(), st.booleans(), st.integers(0, 99), st.data())
def test_gradients_are_what_small_changes_do(pool, ceil_mode, seed, data):
    size, window = pool
    assume(math.prod(size) < 150)
    axes = len(size)
    window["ceil_mode"] = ceil_mode
    rng = np.random.default_rng(seed)
    # apart from each other and from zero, where maxima and norms have corners
    x = rng.permutation(np.linspace(0.5, 2.5, math.prod(size))).reshape(1, *size) * rng.choice([-1, 1], (1, *size))
    padded = {"count_include_pad": True}

    def check(name, arguments=(), more=None):
        options = {**window, **(more or {})}
        y = named(name, axes)(x, *arguments, **options)
        grad = rng.standard_normal(y.shape)
        if name == "avg_pool":
            ours = named_gradient(name, axes)(grad, x.shape, **options)
        else:
            ours = named_gradient(name, axes)(x, grad, *arguments, **options)
        theirs = differences(lambda x: named(name, axes)(x, *arguments, **options), x, grad)
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * max(1, np.abs(theirs).max()))

    y = named("lp_pool", axes)(x, 2, **window)
    assume((y > 0).all())  # no window of padding alone
    check("avg_pool", more=padded)
    check("avg_pool", more={"count_include_pad": False})
    check("lp_pool", (data.draw(st.sampled_from([1, 2, 3, 2.5, np.inf])),))
    check("lse_pool", more={"beta": data.draw(st.sampled_from([1.0, -2.0, 0.0, 0.1, 50.0]))})


@given(pools(padded=False), st.sampled_from(DTYPES))
def test_norm_pools_are_torch_s(torch, pool, dtype):
    size, window = pool
    axes = len(size)
    window.pop("dilation")
    x = np.abs(values(0, (2, 2, *size), dtype, "plain")) + dtype(0.1)
    name = f"lp_pool{axes}d"
    whole = (window[part][0] if axes == 1 else window[part] for part in ("kernel_size", "stride"))
    y, back = from_torch(torch, name, x, 3.0, *whole)
    grad = values(1, tuple(y.shape), dtype, "plain")
    close(named("lp_pool", axes)(x, 3, **window), y.detach().numpy(), 10)
    close(named_gradient("lp_pool", axes)(x, grad, 3, **window), back(grad), 10)


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 5, 4), (1, 2, 3, 4, 5)])
def test_global_pools(shape):
    x = values(4, shape, np.float64, "plain")
    grad = values(5, shape[:2] + (1,) * (len(shape) - 2), np.float64, "plain")
    for name in ("max", "lp"):
        ours = getattr(sc.grad, f"global_{name}_pool")(x, grad)
        np.testing.assert_allclose(ours, differences(getattr(sc, f"global_{name}_pool"), x, grad), atol=1e-6)
    ours = sc.grad.global_avg_pool(grad, shape)
    np.testing.assert_allclose(ours, differences(sc.global_avg_pool, x, grad), atol=1e-6)


@given(pools())
def test_unpooling(pool):
    size, window = pool
    axes = len(size)
    x = values(0, (2, 2, *size), np.float64, "plain")
    y, indices = named("max_pool", axes)(x, **window, return_indices=True)
    assume((indices >= 0).all())
    np.testing.assert_array_equal(named_gradient("max_unpool", axes)(x, indices), y)


def test_large_beta_and_zeros():
    x = np.array([[0.0, 1.0, 1.0, 500.0]])
    np.testing.assert_allclose(sc.grad.lse_pool1d(x, [[1.0]], 4, beta=1e6), [[0, 0, 0, 1]])
    np.testing.assert_allclose(sc.grad.lse_pool1d(-x, [[1.0, 2.0]], 2, beta=-1e3), [[0, 1, 0, 2]])
    np.testing.assert_array_equal(sc.grad.lp_pool1d(np.zeros((1, 4)), [[1.0, 1.0]], 2, 2), np.zeros((1, 4)))
    np.testing.assert_array_equal(sc.grad.max_pool1d([[1.0, 2.0]], [[-1, 0]], (1, 3)), [[2, 0, 0]])


def test_dtypes_and_shapes_follow_the_arguments():
    grad = np.ones((3, 2, 2), np.float16)
    indices = np.zeros((3, 2, 2), np.int32)
    assert sc.grad.max_pool2d(grad, indices, (3, 4, 4)).dtype == np.float16
    assert sc.grad.avg_pool2d(grad.astype(np.float32), (3, 4, 4), 2).dtype == np.float32
    assert sc.grad.avg_pool2d(grad[:, ::-1], (3, 4, 4), 2).shape == (3, 4, 4)
    assert sc.grad.avg_pool2d(np.zeros((0, 3, 2, 2)), (0, 3, 4, 4), 2).shape == (0, 3, 4, 4)
    assert sc.grad.lp_pool2d(np.ones((3, 4, 4), np.float32), grad, 2, 2).dtype == np.float32


def test_threads_change_no_bit():
    x = values(0, (3, 17, 65, 70), np.float32, "plain")
    y, indices = sc.max_pool2d(x, 3, 1, 1, return_indices=True)
    runs = []
    before = sc.get_num_threads()
    try:
        for n in (1, 2, 5):
            sc.set_num_threads(n)
            runs.append(
                [
                    sc.grad.max_pool2d(y, indices, x.shape),
                    sc.grad.avg_pool2d(x, x.shape, 13, 1, 6),
                    sc.grad.lp_pool2d(x, y, 3, 3, 1, padding=1),
                    sc.grad.lse_pool2d(x, y, 3, 1, 1, beta=3.0),
                ]
            )
    finally:
        sc.set_num_threads(before)
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            assert one.tobytes() == other.tobytes()


GRAD = np.zeros((1, 2, 2))
WRONG = [
    (lambda: sc.grad.max_pool2d(GRAD, [0], (1, 4, 4)), ValueError, r"indices must have the shape \(1, 2, 2\)"),
    (lambda: sc.grad.max_pool2d(GRAD, GRAD.astype(int) + 16, (1, 4, 4)), ValueError, r"indices must be in \[0, 15\]"),
    (lambda: sc.grad.max_pool2d(GRAD, GRAD, (1, 4, 4)), TypeError, r"indices must hold whole numbers"),
    (lambda: sc.grad.max_pool2d(GRAD[0], GRAD[0], (4, 4)), ValueError, r"grad_out must have 3 or 4 axes"),
    (lambda: sc.grad.avg_pool2d(GRAD, (2, 4, 4), 2), ValueError, r"input_shape must be \(1, n, n\)"),
    (lambda: sc.grad.avg_pool2d(GRAD, (1, 4, 0), 2), ValueError, r"input_shape must be \(1, n, n\)"),
    (lambda: sc.grad.avg_pool2d(GRAD, (1, 4, 4), 3), ValueError, r"grad_out must have the result's shape \(1, 1, 1\)"),
    (lambda: sc.grad.avg_pool2d(GRAD, (1, 4, 4), 9), ValueError, r"kernel_size must span at most 4"),
    (lambda: sc.grad.lse_pool2d(GRAD, GRAD, 2, beta=np.inf), ValueError, r"beta must be a finite number, got inf"),
]


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_arguments_that_are_wrong(call, error, text):
    with pytest.raises(error, match=text):
        call()
