"""Pools whose output size is given instead of their windows."""

from typing import Any

from sigconv._pools import Sizes, adaptive_output, cells_of, images_of, pool_greatest
from sigconv.engines.cpu.pools import pools
from sigconv.engines.cpu.pools.windows import Windows, adaptive_windows


def adaptive_avg_pool1d(
    x: Any,
    output_size: Sizes,
) -> Any:
    """Means over as many windows as are asked for.

    See `adaptive_avg_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    output_size : int, None or a sequence of them
        How many outputs there are along each axis; None keeps the axis as it is.

    Returns
    -------
    ndarray, shape (N, C, outputs) or (C, outputs)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> adaptive_avg_pool1d([[1.0, 2.0, 4.0, 8.0, 16.0]], 2)
    array([[2.33333333, 9.33333333]])
    """
    images = images_of(1, x)
    output = adaptive_output(images.size, output_size)
    windows = adaptive_windows(images.size, output)
    return images.answer(pools.total(images.cells, windows, cells_of(windows)), output)


def adaptive_avg_pool2d(
    x: Any,
    output_size: Sizes,
) -> Any:
    """Means over as many windows as are asked for.

    Output o is the mean from ``floor(o * n / outputs)`` up to ``ceil((o + 1) * n / outputs)`` along each axis, as
    ``torch.nn.functional.adaptive_avg_pool2d`` has it.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    output_size : int, None or a sequence of them
        How many outputs there are along each axis; None keeps the axis as it is.

    Returns
    -------
    ndarray, shape (N, C, oh, ow) or (C, oh, ow)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.arange(12.0).reshape(1, 3, 4), (1, None))
    array([[[4., 5., 6., 7.]]])
    """
    images = images_of(2, x)
    output = adaptive_output(images.size, output_size)
    windows = adaptive_windows(images.size, output)
    return images.answer(pools.total(images.cells, windows, cells_of(windows)), output)


def adaptive_avg_pool3d(
    x: Any,
    output_size: Sizes,
) -> Any:
    """Means over as many windows as are asked for.

    See `adaptive_avg_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        Floats keep their dtype; float16 is computed in float32, and integers of up to 16 bits give float32,
        larger ones float64.
    output_size : int, None or a sequence of them
        How many outputs there are along each axis; None keeps the axis as it is.

    Returns
    -------
    ndarray, shape (N, C, od, oh, ow) or (C, od, oh, ow)

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 1)
    array([[[[3.5]]]])
    """
    images = images_of(3, x)
    output = adaptive_output(images.size, output_size)
    windows = adaptive_windows(images.size, output)
    return images.answer(pools.total(images.cells, windows, cells_of(windows)), output)


def adaptive_max_pool1d(
    x: Any,
    output_size: Sizes,
    return_indices: bool = False,
) -> Any:
    """The greatest numbers of as many windows as are asked for.

    See `adaptive_max_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, n) or (C, n)
        Real numbers; the result has their dtype.
    output_size : int, None or a sequence of them
        How many outputs there are along each axis; None keeps the axis as it is.
    return_indices : bool
        Whether to return also where each result stands.

    Returns
    -------
    ndarray, shape (N, C, outputs) or (C, outputs)
        And, if asked, int64 indices of the same shape: cells of the spatial axes counted in C order.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> adaptive_max_pool1d([[1.0, 2.0, 4.0, 8.0, 16.0]], 2, return_indices=True)
    (array([[ 4., 16.]]), array([[2, 4]]))
    """

    def windows(size: tuple[int, ...]) -> Windows:
        return adaptive_windows(size, adaptive_output(size, output_size))

    found = pool_greatest(1, x, windows, bool(return_indices))
    return tuple(found) if return_indices else found.values


def adaptive_max_pool2d(
    x: Any,
    output_size: Sizes,
    return_indices: bool = False,
) -> Any:
    """The greatest numbers of as many windows as are asked for.

    Windows are those of `adaptive_avg_pool2d`; ties, NaN and indices are as in `max_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, h, w) or (C, h, w)
        Real numbers; the result has their dtype.
    output_size : int, None or a sequence of them
        How many outputs there are along each axis; None keeps the axis as it is.
    return_indices : bool
        Whether to return also where each result stands.

    Returns
    -------
    ndarray, shape (N, C, oh, ow) or (C, oh, ow)
        And, if asked, int64 indices of the same shape: cells of the spatial axes counted in C order.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool2d(np.arange(12).reshape(1, 3, 4), 2)
    array([[[ 5,  7],
            [ 9, 11]]])
    """

    def windows(size: tuple[int, ...]) -> Windows:
        return adaptive_windows(size, adaptive_output(size, output_size))

    found = pool_greatest(2, x, windows, bool(return_indices))
    return tuple(found) if return_indices else found.values


def adaptive_max_pool3d(
    x: Any,
    output_size: Sizes,
    return_indices: bool = False,
) -> Any:
    """The greatest numbers of as many windows as are asked for.

    See `adaptive_max_pool2d`.

    Parameters
    ----------
    x : array_like, shape (N, C, d, h, w) or (C, d, h, w)
        Real numbers; the result has their dtype.
    output_size : int, None or a sequence of them
        How many outputs there are along each axis; None keeps the axis as it is.
    return_indices : bool
        Whether to return also where each result stands.

    Returns
    -------
    ndarray, shape (N, C, od, oh, ow) or (C, od, oh, ow)
        And, if asked, int64 indices of the same shape: cells of the spatial axes counted in C order.

    Raises
    ------
    ValueError, TypeError
        For an argument that is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 1)
    array([[[[7.]]]])
    """

    def windows(size: tuple[int, ...]) -> Windows:
        return adaptive_windows(size, adaptive_output(size, output_size))

    found = pool_greatest(3, x, windows, bool(return_indices))
    return tuple(found) if return_indices else found.values
