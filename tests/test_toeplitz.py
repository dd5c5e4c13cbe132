"""Convolution matrices against the correlations of scipy and numpy, and kernels there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, ndimage, signal, sparse

from sigconv.borders import BORDERS
from sigconv.toeplitz import convolution_matrix, kernel_of

borders = st.sampled_from(BORDERS)
modes = st.sampled_from(["same", "valid", "full"])
dtypes = st.sampled_from([np.int64, np.float32, np.float64, np.complex128])


@st.composite
def kernels(draw, most=6):
    """Small arrays of up to three dimensions, and kernels that may be larger than they."""
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, (12, 7, 4)[ndim - 1])) for _ in range(ndim))
    return shape, tuple(draw(st.integers(1, most)) for _ in range(ndim))


def numbers(rng, shape, dtype):
    values = rng.integers(1, 50, shape)
    return (values + 1j * rng.integers(1, 50, shape)).astype(dtype) if dtype is np.complex128 else values.astype(dtype)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5 if found.dtype == np.float32 else 1e-12)


@given(case=kernels(), border=borders, dtype=dtypes, seed=st.integers(0, 2**32))
def test_same_is_ndimages(case, border, dtype, seed):
    shape, kernel = case
    rng = np.random.default_rng(seed)
    x, weights = numbers(rng, shape, dtype), numbers(rng, kernel, dtype)
    matrix = convolution_matrix(weights, shape, border=border)
    assert matrix.format == "csr" and matrix.dtype == dtype and matrix.has_canonical_format
    close((matrix @ x.ravel()).reshape(shape), ndimage.correlate(x, weights, mode=border))


@given(case=kernels(), mode=st.sampled_from(["valid", "full"]), dtype=dtypes, seed=st.integers(0, 2**32))
def test_valid_and_full_are_signals(case, mode, dtype, seed):
    shape, kernel = case
    if mode == "valid":
        kernel = tuple(min(k, n) for k, n in zip(kernel, shape, strict=True))
    rng = np.random.default_rng(seed)
    x, weights = numbers(rng, shape, dtype), numbers(rng, kernel, dtype)
    expected = signal.correlate(x, weights, mode=mode, method="direct")
    close((convolution_matrix(weights, shape, mode=mode) @ x.ravel()).reshape(expected.shape), expected)


@given(
    case=kernels(4), mode=modes, border=borders, stride=st.integers(1, 3), dilation=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)  # fmt: skip
def test_strides_and_dilations(case, mode, border, stride, dilation, seed):
    shape, kernel = case
    rng = np.random.default_rng(seed)
    weights = numbers(rng, kernel, np.int64)
    stuffed = np.zeros([(k - 1) * dilation + 1 for k in kernel], np.int64)
    stuffed[(slice(None, None, dilation),) * weights.ndim] = weights
    if mode == "valid" and any(k > n for k, n in zip(stuffed.shape, shape, strict=True)):
        with pytest.raises(ValueError, match=r"^weights must span at most \d+ cells on axis \d for mode 'valid', got "):
            convolution_matrix(weights, shape, mode=mode, dilation=dilation)
        return
    whole = convolution_matrix(stuffed, shape, mode=mode, border=border)
    outputs = [n + {"same": 0, "valid": 1 - k, "full": k - 1}[mode] for k, n in zip(stuffed.shape, shape, strict=True)]
    kept = np.arange(whole.shape[0]).reshape(outputs)[(slice(None, None, stride),) * weights.ndim].ravel()
    found = convolution_matrix(weights, shape, mode=mode, border=border, stride=stride, dilation=dilation)
    np.testing.assert_array_equal(found.toarray(), whole.toarray()[kept])


@given(case=kernels(), border=borders, seed=st.integers(0, 2**32))
def test_a_convolution_is_a_correlation_with_the_kernel_flipped(case, border, seed):
    shape, kernel = case
    kernel = tuple(k | 1 for k in kernel)
    rng = np.random.default_rng(seed)
    x, weights = numbers(rng, shape, np.float64), numbers(rng, kernel, np.float64)
    matrix = convolution_matrix(np.flip(weights), shape, border=border)
    close((matrix @ x.ravel()).reshape(shape), ndimage.convolve(x, weights, mode=border))


@given(n=st.integers(1, 12), k=st.integers(1, 12))
def test_in_one_dimension_they_are_toeplitzs(n, k):
    weights = np.arange(1.0, k + 1)
    full = convolution_matrix(weights, n, mode="full").toarray()
    np.testing.assert_array_equal(full, linalg.convolution_matrix(weights[::-1], n, "full"))
    same = convolution_matrix(weights, n, border="constant").toarray()
    row, column = np.zeros(n), np.zeros(n)
    row[: max(k - k // 2, 0)] = weights[k // 2 :][:n]
    column[: k // 2 + 1] = weights[k // 2 :: -1][:n] if k // 2 else weights[:1]
    np.testing.assert_array_equal(same, linalg.toeplitz(column, row))


@given(case=kernels(5), mode=modes, border=borders, dtype=dtypes, seed=st.integers(0, 2**32))
def test_there_and_back(case, mode, border, dtype, seed):
    shape, kernel = case
    if mode == "valid":
        kernel = tuple(min(k, n) for k, n in zip(kernel, shape, strict=True))
    elif mode == "same" and border != "constant":
        kernel = tuple(max(1, min(k, n - n // 2 + (n // 2 >= n - n // 2))) for k, n in zip(kernel, shape, strict=True))
    elif border != "constant":
        kernel = tuple(min(k, n) for k, n in zip(kernel, shape, strict=True))
    rng = np.random.default_rng(seed)
    weights = numbers(rng, kernel, dtype)
    matrix = convolution_matrix(weights, shape, mode=mode, border=border)
    found = kernel_of(matrix, shape)
    assert found.dtype == weights.dtype
    if found.shape == weights.shape:
        np.testing.assert_array_equal(found, weights)
    else:  # another kernel may have the same matrix: along an axis of one cell, say
        assert found.size <= weights.size or mode != "same"
        alternatives = [
            convolution_matrix(found, shape, mode=other, border=beyond).toarray()
            for other in ("same", "valid", "full")
            for beyond in BORDERS
            if other != "valid" or all(k <= n for k, n in zip(found.shape, shape, strict=True))
        ]
        assert any(a.shape == matrix.shape and (a == matrix.toarray()).all() for a in alternatives)


def test_kernels_of_other_matrices():
    np.testing.assert_array_equal(kernel_of(linalg.toeplitz([2, 1, 0, 0]), 4), [1, 2, 1])
    np.testing.assert_array_equal(kernel_of(linalg.circulant([2.0, 1, 0, 0, 3]), 5), [1, 2, 3])
    np.testing.assert_array_equal(kernel_of(np.eye(6), (2, 3)), [[1]])
    np.testing.assert_array_equal(kernel_of(sparse.eye_array(5, 6), 6), [1, 0])
    np.testing.assert_array_equal(kernel_of(np.zeros((4, 4)), 4), [0])
    laplace = sparse.diags_array([1, -2, 1], offsets=[-1, 0, 1], shape=(5, 5), dtype=np.int64)
    plane = sparse.kron(laplace, sparse.eye(5)) + sparse.kron(sparse.eye(5), laplace)
    np.testing.assert_array_equal(kernel_of(plane, (5, 5)), [[0, 1, 0], [1, -4, 1], [0, 1, 0]])


@given(case=kernels(3), border=borders, seed=st.integers(0, 2**32))
def test_one_wrong_entry_is_found(case, border, seed):
    shape = tuple(n + 6 for n in case[0])
    rng = np.random.default_rng(seed)
    matrix = convolution_matrix(numbers(rng, case[1], np.int64), shape, border=border).toarray()
    place = rng.integers(0, len(matrix))
    matrix[place, place] += 1000
    with pytest.raises(ValueError, match=r"^matrix must be the same in all places: its entry \(\d+, \d+\) is "):
        kernel_of(matrix, shape)


REFUSED = [
    ([1, 2], (3, 3), {}, ValueError, r"weights must have 2 axes, one for each of shape, got 1"),
    ([], 3, {}, ValueError, r"weights must not be empty, got the shape \(0,\)"),
    (["a"], 3, {}, TypeError, r"weights must hold numbers, got dtype <U1"),
    (
        [2**63],
        3,
        {},
        ValueError,
        r"weights must be at most 2\*\*63 - 1 where they are integers, got 9223372036854775808",
    ),
    ([1], 0, {}, ValueError, r"shape must be at least 1, got 0"),
    ([1], (), {}, ValueError, r"shape must have at least one axis, got \(\)"),
    ([1], 3, {"mode": "all"}, ValueError, r"mode must be one of 'same', 'valid', 'full', got 'all'"),
    ([1], 3, {"border": "no"}, ValueError, r"border must be one of .*, got 'no'"),
    ([1], 3, {"stride": 0}, ValueError, r"stride must be at least 1, got 0"),
    ([1], 3, {"dilation": 1.5}, TypeError, r"dilation must be a whole number, got 1.5"),
]


@pytest.mark.parametrize(("weights", "shape", "arguments", "error", "message"), REFUSED)
def test_what_is_refused(weights, shape, arguments, error, message):
    with pytest.raises(error, match=rf"^{message}$"):
        convolution_matrix(weights, shape, **arguments)


NO_KERNELS = [
    (np.eye(4), 3, ValueError, r"matrix must have 3 columns, the cells of \(3,\), got 4"),
    (np.zeros((0, 3)), 3, ValueError, r"matrix must have at least 1 row, got 0"),
    (np.ones((11, 16)), (4, 4), ValueError, r"matrix must have as many rows as a kernel has .* \(4, 4\), got 11"),
    (np.ones(3), 3, TypeError, r"matrix must hold numbers in rows and columns, got float64 of shape \(3,\)"),
    ([[2, 1], [1, 3]], 2, ValueError, r"matrix must be .*: its entry \(1, 1\) is 3, where 2 was expected"),
]


@pytest.mark.parametrize(("matrix", "shape", "error", "message"), NO_KERNELS)
def test_matrices_without_a_kernel(matrix, shape, error, message):
    with pytest.raises(error, match=rf"^{message}$"):
        kernel_of(matrix, shape)
