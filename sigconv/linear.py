"""Weighted windows over N-D arrays: correlation, convolution, and what would be done for them."""

from dataclasses import replace
from typing import Any

import numpy as np

from sigconv._kinds import numeric_array
from sigconv._weighted import Asked, Call, weighted
from sigconv._weighted_memory import workspace
from sigconv.checks import choice, whole_number
from sigconv.plan_linear import LinearPlan


def correlate(
    x: Any,
    weights: Any,
    *,
    mode: str = "same",
    border: str | None = None,
    cval: float = 0.0,
    origin: Any = 0,
    axes: Any = None,
    stride: Any = 1,
    dilation: Any = 1,
    nan_policy: str = "propagate",
    method: str = "auto",
    out_dtype: Any = None,
    overflow: str = "saturate",
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The weighted sum of every cell's neighbourhood.

    ``y[i] = sum over j of conj(w[j]) x[i * stride + j * dilation - before]``, where ``before`` centres the window in
    mode "same" (``k // 2`` of its ``k`` cells), is 0 in mode "valid" and ``k - 1`` in mode "full".

    Parameters
    ----------
    x : array_like, any shape
        Booleans, integers, floats or complex numbers. Never modified, never padded as a whole.
    weights : array_like
        As many dimensions as there are ``axes``.
    mode : {"same", "valid", "full"}
        Which windows: one centred on every cell, those inside x, all that touch x.
    border : str, optional
        What lies outside, by the names of `sigconv.borders`; if none is given, "reflect", and "constant" in mode
        "full".
    cval : number
        The value outside of a constant border; a whole one where integers are weighed by integers.
    origin : int or sequence of int
        Mode "same": by how many cells the result moves right, as in scipy.ndimage.
    axes : int or sequence of int, optional
        Axes of x that the window extends over; all, if none are given.
    stride : int or sequence of int
        Every how many-th result is kept, from the first on.
    dilation : int or sequence of int
        Steps from one cell of the window to the next; the weights between are zero.
    nan_policy : {"propagate", "omit"}
        "omit" leaves out NaN and gives their weight to the others: the sum is divided by the weights present and
        multiplied by all weights (normalised convolution, H. Knutsson and C.-F. Westin, CVPR 1993). NaN where none are
        present. The weights must not sum to 0.
    method : {"auto", "direct", "separable", "fft"}
        `explain` tells which one would be taken, and why. A transform spreads NaN and infinity and rounds by the
        largest number, so that it is chosen only over finite numbers of much the same size. Over float32, tall windows
        of hundreds of even weights may go four rows at a time, which `explain` calls "winograd" (S. Winograd's F(2, 2),
        twice): 9/16 of the products and, as a rule, less rounding than their chain; each output is made of its own
        window's numbers, but a number's rounding counts by its neighbours' weights too.
    out_dtype : dtype, optional
        Of the result. Without it, floats keep their precision, integers weighed by integers give exact int64, and by
        floats float32 (up to 16 bits) or float64. To integers, halves round to even.
    overflow : {"saturate", "wrap", "raise"}
        What becomes of results that an integer ``out_dtype`` does not hold.
    out : ndarray, optional
        Where to put the result; it may be x itself.

    Returns
    -------
    ndarray
        In mode "same" of x's shape, divided by ``stride`` and rounded up.

    Raises
    ------
    ValueError, TypeError
        For arguments out of their ranges; a NaN for an integer ``out_dtype``; integers whose sums int64 might not hold.

    Examples
    --------
    >>> import sigconv as sc
    >>> image = [[0, 1, 2, 1, 0], [4, 1, 0, 1, 0], [2, 0, 1, 1, 1], [1, 2, 3, 1, 0], [0, 4, 3, 2, 0]]
    >>> sc.correlate(image, [[0, 1, 0], [1, 0, 1], [2, 1, 0]], mode="valid")
    array([[ 9,  5,  4],
           [ 8,  8, 10],
           [ 8, 15, 12]])
    >>> sc.correlate([1.0, 5.0, 2.0], [0.25, 0.5, 0.25])
    array([2.  , 3.25, 2.75])
    """
    asked = Asked(mode, border, cval, origin, axes, stride, dilation, nan_policy, method, out_dtype, overflow)
    return weighted(x, weights, asked, False, out)


def convolve(
    x: Any,
    weights: Any,
    *,
    mode: str = "same",
    border: str | None = None,
    cval: float = 0.0,
    origin: Any = 0,
    axes: Any = None,
    stride: Any = 1,
    dilation: Any = 1,
    nan_policy: str = "propagate",
    method: str = "auto",
    out_dtype: Any = None,
    overflow: str = "saturate",
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The convolution with a window: `correlate` with the window turned around along every axis, not conjugated.

    ``y[i] = sum over j of w[j] x[i - j + k // 2 + origin]`` in mode "same", as scipy.ndimage.convolve has it: here
    ``origin`` moves the result left.

    Parameters
    ----------
    x, weights, mode, border, cval, origin, axes, stride, dilation, nan_policy, method, out_dtype, overflow, out
        As in `correlate`.

    Returns
    -------
    ndarray
        As from `correlate`.

    Raises
    ------
    ValueError, TypeError
        As in `correlate`.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.convolve([0, 0, 1, 0, 0], [1, 2, 3])
    array([0, 1, 2, 3, 0])
    """
    asked = Asked(mode, border, cval, origin, axes, stride, dilation, nan_policy, method, out_dtype, overflow)
    return weighted(x, weights, asked, True, out)


def explain(operation: str, x: Any, weights: Any, **options: Any) -> LinearPlan:
    """What `correlate` or `convolve` would run, why, and the memory that it takes beside the result.

    Parameters
    ----------
    operation : {"correlate", "convolve"}
    x : array_like or tuple of int
        The input, or its shape: an array of float32 is meant then.
    weights : array_like
    **options
        As in `correlate`.

    Returns
    -------
    LinearPlan
        ``method``, ``reason``, ``dtype``, ``workspace``; prints well.

    Raises
    ------
    ValueError, TypeError
        As in `correlate`.

    Examples
    --------
    >>> import numpy as np, sigconv as sc
    >>> print(sc.explain("correlate", (512, 512), np.ones((9, 9), np.float32)))
    separable: 18 taps in 2 passes instead of 81; sums in float32, workspace ... MiB
    """
    choice("operation", operation, ("correlate", "convolve"))
    if isinstance(x, tuple):
        x = np.broadcast_to(np.float32(0), [whole_number(f"x[{axis}]", n, 0) for axis, n in enumerate(x)])
    defaults: dict[str, Any] = dict(
        mode="same", border=None, cval=0.0, origin=0, axes=None, stride=1, dilation=1, nan_policy="propagate",
        method="auto", out_dtype=None, overflow="saturate",
    )  # fmt: skip
    if unknown := set(options) - {*defaults, "out"}:
        raise TypeError(f"explain knows the options of {operation}, not {', '.join(sorted(unknown))}")
    options.pop("out", None)
    x, weights = numeric_array("x", x), numeric_array("weights", weights)
    call = Call(x, weights, Asked(**{**defaults, **options}), operation == "convolve")
    return replace(call.plan, workspace=workspace(call, x))
