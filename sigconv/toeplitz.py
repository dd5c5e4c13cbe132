"""Convolution as a matrix: the sparse matrix of a sliding kernel, and the kernel of such a matrix."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from sigconv.borders import BORDERS, border_name, index_of
from sigconv.checks import choice
from sigconv.geometry import effective_kernel, per_axis

MODES = ("same", "valid", "full")
_OTHERS = tuple(border for border in BORDERS if border != "constant")
Ints = int | Sequence[int]


def convolution_matrix(
    weights: Any, shape: Ints, *, mode: str = "same", border: str | None = None, stride: Ints = 1, dilation: Ints = 1
) -> Any:
    """The matrix that correlates an array of ``shape`` with ``weights``.

    ``matrix @ x.ravel()`` is the correlation of x, row after row of it. Its entry for output ``o`` and input ``i`` is
    the sum of ``weights[j]`` over all ``j`` that see cell ``i`` there, ``i = border(o * stride + j * dilation -
    before)`` along each axis; ``before`` is half the cells that the kernel spans, rounded down, for "same", none for
    "valid" and one less than it spans for "full". In one dimension and for constant borders it is a Toeplitz matrix,
    in two a doubly block Toeplitz one. For a convolution, flip the weights.

    Parameters
    ----------
    weights : array_like, as many axes as ``shape``
        Real or complex; the complex conjugate stands in the matrix, as in ``scipy.signal.correlate``.
    shape : int or sequence of int
        Cells of the input along each axis, at least 1.
    mode : str
        "same", as ``scipy.ndimage.correlate`` has it, "valid" or "full", as ``scipy.signal.correlate`` has them.
    border : str, optional
        What stands beyond the edges, as `sigconv.borders` has it: "reflect" for "same" where none is given, "constant",
        which is 0, for "full".
    stride : int or sequence of int
        Every so many-th output along each axis is kept, from the first on.
    dilation : int or sequence of int
        Cells from one weight to the next along each axis.

    Returns
    -------
    scipy.sparse.csr_array, (outputs, cells)
        Zero weights are stored, too, so that the kernel's shape can be told from it.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their range or of another kind, and for a "valid" kernel that spans more than the array.

    Examples
    --------
    >>> convolution_matrix([1, 2, 3], 4, border="constant").toarray()
    array([[2, 3, 0, 0],
           [1, 2, 3, 0],
           [0, 1, 2, 3],
           [0, 0, 1, 2]])
    >>> convolution_matrix([1, 2, 3], 4, mode="full", stride=2).toarray()
    array([[3, 0, 0, 0],
           [1, 2, 3, 0],
           [0, 0, 1, 2]])
    """
    weights = _weights(weights)
    shape = _shape(shape)
    if weights.ndim != len(shape):
        raise ValueError(f"weights must have {len(shape)} axes, one for each of shape, got {weights.ndim}")
    mode = choice("mode", mode, MODES)
    border = ("constant" if mode == "full" else "reflect") if border is None else border_name(border)
    strides, dilations = per_axis("stride", stride, len(shape)), per_axis("dilation", dilation, len(shape))
    seen = [
        _seen(axis, n, k, mode, border, s, d)
        for axis, (n, k, s, d) in enumerate(zip(shape, weights.shape, strides, dilations, strict=True))
    ]
    return _matrix(weights.conj(), shape, seen, sorted_=border == "constant")


def kernel_of(matrix: Any, shape: Ints) -> np.ndarray:
    """The weights of which ``matrix`` is the convolution matrix.

    The other way round of `convolution_matrix`, whatever its mode and border, for a stride of 1; a dilated kernel comes
    with its zeros. Where several kernels have this matrix, the smallest that fits what is stored is returned: "same"
    before "valid" before "full".

    Parameters
    ----------
    matrix : array_like or scipy.sparse matrix, (outputs, cells)
    shape : int or sequence of int
        Cells of the input along each axis: their product is the number of columns.

    Returns
    -------
    ndarray, as many axes as ``shape``

    Raises
    ------
    ValueError
        Where the matrix is that of no kernel: the text names the first entry that is not as the others say. A kernel
        that spans more than half the array is recognised with border "constant" only.
    TypeError
        Where ``matrix`` holds no numbers or ``shape`` no whole ones.

    Examples
    --------
    >>> kernel_of(convolution_matrix([[1.0, 2.0], [0.5, 0.0]], (5, 4)), (5, 4))
    array([[1. , 2. ],
           [0.5, 0. ]])
    >>> kernel_of([[2, 1, 0], [1, 2, 1], [0, 3, 2]], 3)
    Traceback (most recent call last):
    ValueError: matrix must be the same in all places: its entry (2, 1) is 3, where 1 was expected
    """
    matrix, shape = _entries(matrix), _shape(shape)
    if matrix.shape[1] != prod(shape):
        raise ValueError(f"matrix must have {prod(shape)} columns, the cells of {shape}, got {matrix.shape[1]}")
    if not matrix.shape[0]:
        raise ValueError("matrix must have at least 1 row, got 0")
    found = None
    for weights, mode, border in _candidates(matrix, shape):
        wrong = _first_difference(matrix, convolution_matrix(weights.conj(), shape, mode=mode, border=border))
        if wrong is None:
            return weights.conj()
        found = max(found or wrong, wrong, key=lambda place: place[:2])  # the one that goes furthest says what is wrong
    if found is None:
        raise ValueError(f"matrix must have as many rows as a kernel has outputs over {shape}, got {matrix.shape[0]}")
    row, column, value, expected = found
    raise ValueError(
        f"matrix must be the same in all places: its entry ({row}, {column}) is {value}, where {expected} was expected"
    )


def _weights(weights: Any) -> np.ndarray:
    array = np.asarray(weights)
    if array.dtype.kind not in "iubfc":
        raise TypeError(f"weights must hold numbers, got dtype {array.dtype}")
    if array.size == 0:
        raise ValueError(f"weights must not be empty, got the shape {array.shape}")
    if array.dtype == np.uint64 and array.max() >= 2**63:
        raise ValueError(f"weights must be at most 2**63 - 1 where they are integers, got {array.max()}")
    return array.astype(_kept(array.dtype), copy=False)


def _kept(dtype: np.dtype) -> np.dtype:
    """The dtype of a matrix: what sparse matrices know, native, and exact."""
    if dtype.kind in "iub":
        return np.dtype(np.int64)
    if dtype.itemsize < 4:
        return np.dtype(np.float32)
    return dtype.newbyteorder("=")


def _shape(shape: Ints) -> tuple[int, ...]:
    axes = 1 if isinstance(shape, (int, np.integer)) else len(shape)
    if axes == 0:
        raise ValueError("shape must have at least one axis, got ()")
    return per_axis("shape", shape, axes)


def _seen(axis: int, n: int, kernel: int, mode: str, border: str, stride: int, dilation: int) -> np.ndarray:
    """The cell of an axis that each weight sees at each output, or -1: (outputs, kernel)."""
    span = effective_kernel(kernel, dilation)
    if mode == "valid" and span > n:
        raise ValueError(f"weights must span at most {n} cells on axis {axis} for mode 'valid', got {span}")
    before = {"same": span // 2, "valid": 0, "full": span - 1}[mode]
    outputs = {"same": n, "valid": n - span + 1, "full": n + span - 1}[mode]
    return index_of(np.arange(0, outputs, stride)[:, None] + np.arange(kernel) * dilation - before, n, border)


def _matrix(weights: np.ndarray, shape: tuple[int, ...], seen: list[np.ndarray], sorted_: bool) -> Any:
    from scipy import sparse

    outputs = [len(cells) for cells in seen]
    axes = len(shape)
    column = np.zeros((1,) * (2 * axes), np.int64)
    inside = np.ones((1,) * (2 * axes), bool)
    for axis, cells in enumerate(seen):
        form = [1] * (2 * axes)
        form[axis], form[axes + axis] = cells.shape
        cells = cells.reshape(form)
        column = column + cells * prod(shape[axis + 1 :])
        inside = inside & (cells >= 0)
    values = np.broadcast_to(weights, column.shape)
    counts = np.broadcast_to(inside, column.shape).reshape(prod(outputs), -1).sum(axis=1)
    starts = np.concatenate(([0], np.cumsum(counts)))
    matrix = sparse.csr_array((values[inside], column[inside], starts), (prod(outputs), prod(shape)))
    if not sorted_:
        matrix.sum_duplicates()
    return matrix


def _entries(matrix: Any) -> Any:
    """``matrix`` as a sparse one whose entries are sorted, each once; what it stores stays stored."""
    from scipy import sparse

    if not sparse.issparse(matrix):
        array = np.asarray(matrix)
        if array.ndim != 2 or array.dtype.kind not in "iubfc":
            raise TypeError(f"matrix must hold numbers in rows and columns, got {array.dtype} of shape {array.shape}")
        matrix = array
    matrix = sparse.csr_array(matrix.astype(_kept(matrix.dtype)), copy=True)
    matrix.sum_duplicates()
    return matrix


def _candidates(matrix: Any, shape: tuple[int, ...]) -> Iterator[tuple[np.ndarray, str, str]]:
    """Kernels, modes and borders that the matrix might come from; weights as they stand in it."""
    if matrix.shape[0] == matrix.shape[1]:
        found = [(_kernel_same(matrix, shape), "same", "constant")]
        middle = int(np.ravel_multi_index([n // 2 for n in shape], shape))
        weights = _kernel_same(matrix, shape, middle)
        if all(k // 2 <= n // 2 and n // 2 + (k - 1) // 2 < n for k, n in zip(weights.shape, shape, strict=True)):
            found += [(weights, "same", border) for border in _OTHERS]
        yield from sorted(found, key=lambda candidate: candidate[0].size)
    for outputs in _factors(matrix.shape[0], [range(1, n + 1) for n in shape]):
        kernel = tuple(n - m + 1 for n, m in zip(shape, outputs, strict=True))
        row = matrix[[0]].toarray().reshape(shape)
        yield row[tuple(slice(k) for k in kernel)], "valid", "constant"
    for outputs in _factors(matrix.shape[0], [range(n, matrix.shape[0] + 1) for n in shape]):
        kernel = tuple(m - n + 1 for n, m in zip(shape, outputs, strict=True))
        corner = matrix[:, [0]].toarray().reshape(outputs)[tuple(slice(k) for k in kernel)]
        yield corner[(slice(None, None, -1),) * len(shape)], "full", "constant"
        if all(k <= n for k, n in zip(kernel, shape, strict=True)):  # some window lies inside
            inside = np.ravel_multi_index([k - 1 for k in kernel], outputs)
            weights = matrix[[inside]].toarray().reshape(shape)[tuple(slice(k) for k in kernel)]
            for border in _OTHERS:
                yield weights, "full", border


def _kernel_same(matrix: Any, shape: tuple[int, ...], row: int | None = None) -> np.ndarray:
    """The smallest kernel of mode "same" that holds the entries of all rows, or of one, at their distances."""
    entries = (matrix if row is None else matrix[[row]]).tocoo()
    rows = entries.row if row is None else np.full_like(entries.row, row)
    ours, theirs = (np.array(np.unravel_index(flat, shape)) for flat in (rows, entries.col))
    apart = (theirs - ours).reshape(len(shape), -1)
    before = np.maximum(-apart.min(axis=1, initial=0), 0)
    after = np.maximum(apart.max(axis=1, initial=0), 0)
    kernel = np.where(before > after, 2 * before, 2 * after + 1)
    weights = np.zeros(kernel, matrix.dtype)
    # the first row that has an entry at a distance says what it is
    weights[tuple((apart + kernel[:, None] // 2)[:, ::-1])] = entries.data[::-1]
    return weights


def _factors(n: int, ranges: list[range]) -> Iterator[tuple[int, ...]]:
    """All ways to write n as a product of one number of each range."""
    if len(ranges) == 1:
        if n in ranges[0]:
            yield (n,)
        return
    for first in ranges[0]:
        if n % first == 0:
            for others in _factors(n // first, ranges[1:]):
                yield (first, *others)


def _first_difference(matrix: Any, expected: Any) -> tuple[int, int, Any, Any] | None:
    """Where two matrices of one shape differ by more than rounding, and how."""
    apart = abs(matrix - expected).tocoo()
    tolerance = 0.0
    if matrix.dtype.kind != "i":
        sizes = np.abs(np.concatenate((matrix.data, expected.data)))
        tolerance = 32 * np.finfo(matrix.dtype).eps * sizes[np.isfinite(sizes)].max(initial=0)
    wrong = ~(apart.data <= tolerance)
    if not wrong.any():
        return None
    places = sorted(zip(apart.row[wrong].tolist(), apart.col[wrong].tolist(), strict=True))
    row, column = places[0]
    return row, column, matrix[row, column].item(), expected[row, column].item()
