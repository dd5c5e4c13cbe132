"""What can be asked of an image in a text such as "gaussian:sigma=2", and what whoever runs it must know about it."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import numpy as np

from sigconv._kinds import as_dtype
from sigconv.checks import not_negative, positive, whole_number
from sigconv.geometry import Ints, per_axis
from sigconv.images import kernels, weighted
from sigconv.images._pixels import real_of
from sigconv.images.edges import edges, prewitt, scharr, sobel

Apply = Callable[[np.ndarray, str, float, float], np.ndarray]

_SLOPES = {"sobel": sobel, "scharr": scharr, "prewitt": prewitt}
_RANKS = ("median", "erode", "dilate")
_QUICK = ("box", "gaussian", "log", "unsharp")  # named kernels that take fewer steps than they have weights
_ROWS = 32  # that are looked at at once
_INKS = {3: (0.299, 0.587, 0.114)}  # what channels count where one brightness is wanted; else all the same


@dataclass(frozen=True)
class Stage:
    """One step on the way of an image.

    Attributes
    ----------
    text : str
        As it was asked for.
    apply : callable
        ``apply(image, border, cval, full)``: the result in the image's dtype, where ``full`` is what white is.
    reach : (int, int)
        Rows above and below a pixel that its result depends on.
    total : float
        What an image of ones becomes: 1 where brightness is kept, 0 for differences.
    exact : bool
        Whether integers give what infinite precision would, rounded.
    order : bool
        Whether every result is one of the pixels.
    upright : bool
        Whether it matters which side of the image is up.
    whole : bool
        Whether a pixel may depend on all others.
    weights : callable or None
        Makes the weights of what is a weighted sum.
    align : int
        Rows from which on sums are made in the same order again.
    size, step, padding : int
        Rows of the block that becomes a pixel, from one block to the next, and that are added above and below.
    """

    text: str
    apply: Apply
    reach: tuple[int, int] = (0, 0)
    total: float = 1.0
    exact: bool = False
    order: bool = False
    upright: bool = False
    whole: bool = False
    weights: Callable[[], np.ndarray] | None = None
    align: int = 1
    size: int = 1
    step: int = 1
    padding: int = 0


def stage(text: str) -> Stage:
    """The step that a text spells.

    ==========================================  =======================================================
    text                                        result
    ==========================================  =======================================================
    a name that `kernel` knows                  weighted sum of the pixels around each
    0,-1,0;-1,5,-1;0,-1,0                       the same with weights of your own, row by row
    median:3, erode:3, dilate:3                 middle, smallest, largest of the pixels around each
    sobel, scharr, prewitt                      how steep the image is
    edges:low=0.05,high=0.15,sigma=1            lines where it is steepest, white on black
    ==========================================  =======================================================

    Thresholds of ``edges`` are shares of the steepest step, from 0 to full scale between neighbours.

    Raises
    ------
    ValueError
        For what is none of these, with the nearest name.

    Examples
    --------
    >>> stage("box:5").reach, stage("sobel").total
    ((2, 2), 0.0)
    >>> stage("1,2;3")
    Traceback (most recent call last):
    ValueError: kernel '1,2;3': rows must be equally long, got 2 and 1
    """
    name, _, rest = (part.strip() for part in text.partition(":"))
    try:
        if name in _RANKS:
            return _ranking(text, name, _given(rest, name, size=3)["size"])
        if name in _SLOPES:
            _given(rest, name)
            return _slope(text, name)
        if name == "edges":
            return _edges(text, **_given(rest, name, low=0.05, high=0.15, sigma=1))
        if not name or name[0] in "0123456789+-.":
            return _weighted(text, _numbers(text), upright=True)
        if name not in kernels.NAMES:
            known = sorted({*kernels.NAMES, *_RANKS, *_SLOPES, "edges"})
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
            raise ValueError(f"unknown kernel {name!r}; {hint}")
        if name in _QUICK:
            return _quick(text, *kernels.asked(text))
    except MemoryError:
        raise ValueError(f"kernel {text[:60]!r}: its weights need more memory than there is") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"kernel {text[:60]!r}: {error}") from None
    return _weighted(text, kernels.parse(text), upright=name == "emboss" or name.endswith(("_x", "_y")))


def weighted_by(text: str, name: str) -> Stage:
    """The step that correlates with the weights in ``text``, and goes by ``name``.

    Examples
    --------
    >>> weighted_by("0 1 0;1 -4 1;0 1 0", "mine.txt").weights().sum()
    np.float64(0.0)
    """
    return _weighted(name, _numbers(text), upright=True)


def _weighted(text: str, w: np.ndarray, upright: bool) -> Stage:
    rows, columns = w.shape
    total, scale = float(w.sum()), float(np.abs(w).sum())
    whole_numbers = bool(np.all(w == np.rint(w))) and scale < 2**20
    kernel = w.astype(np.int64) if whole_numbers else w
    return Stage(
        text=text,
        apply=lambda x, border, cval, full: weighted.filter(x, kernel, border=border, cval=cval),
        reach=(rows // 2, rows - 1 - rows // 2),
        total=0.0 if abs(total) <= 1e-9 * scale else total,
        exact=whole_numbers,
        upright=upright or rows % 2 == 0 or columns % 2 == 0,
        weights=lambda: w,
    )


def _quick(text: str, name: str, given: dict[str, float]) -> Stage:
    """A named kernel whose result needs fewer steps than its weights, which are not made for it."""
    if name == "box":  # by running sums
        rows = whole_number("size", given["size"], 1)
        run = partial(weighted.box, size=rows)
    else:  # by passes down the columns and along the rows
        sigma = (positive if name == "log" else not_negative)("sigma", given.get("sigma", 1.0))
        not_negative("amount", given.get("amount", 1.0))
        rows = kernels.bell(sigma, positive("truncate", given.get("truncate", 4.0))).size
        run = partial(getattr(weighted, name), **given)
    return Stage(
        text=text,
        apply=lambda x, border, cval, full: run(x, border=border, cval=cval),
        reach=(rows // 2, rows - 1 - rows // 2),
        total=0.0 if name == "log" else 1.0,
        exact=name == "box" or rows == 1,
        upright=rows % 2 == 0,
        align=rows if name == "box" else 1,
        weights=lambda: kernels.parse(text),
    )


def _ranks() -> Any:
    """Slow to import, and of no use to weighted sums."""
    from sigconv.images import ranks

    return ranks


def _ranking(text: str, name: str, size: float) -> Stage:
    k = whole_number("size", size, 1)
    function = getattr(_ranks(), name)
    return Stage(
        text=text,
        apply=lambda x, border, cval, full: function(x, k, border=border, cval=cval),
        reach=(k // 2, k - 1 - k // 2),
        exact=True,
        order=True,
        upright=k % 2 == 0,
    )


def _slope(text: str, name: str) -> Stage:
    function = _SLOPES[name]
    return Stage(text, lambda x, border, cval, full: function(x, border=border, cval=cval), reach=(1, 1), total=0.0)


def _edges(text: str, low: float, high: float, sigma: float) -> Stage:
    low, high, sigma = not_negative("low", low), not_negative("high", high), not_negative("sigma", sigma)
    if low > high:
        raise ValueError(f"low must be at most high, {high:g}, got {low:g}")

    def run(x: np.ndarray, border: str, cval: float, full: float) -> np.ndarray:
        steepest = 4 * full  # what sobel gives beside a step from 0 to full scale
        found = edges(brightness(x), low * steepest, high * steepest, sigma=sigma, border=border, cval=cval)
        y = (found * x.dtype.type(full)).astype(x.dtype)
        return y if x.ndim == 2 else np.ascontiguousarray(np.broadcast_to(y[..., np.newaxis], x.shape))

    return Stage(text, run, total=0.0, whole=True)


def brightness(x: np.ndarray) -> np.ndarray:
    """One channel that stands for all: red, green and blue as Rec. 601 weighs them, others equally."""
    if x.ndim == 2:
        return x
    shares = np.array(_INKS.get(x.shape[2], (1 / x.shape[2],) * x.shape[2]), real_of(x))
    y = np.empty(x.shape[:2], shares.dtype)
    for k in range(0, len(x), _ROWS):  # what is in between takes more than the result
        y[k : k + _ROWS] = np.matmul(x[k : k + _ROWS].astype(shares.dtype), shares)
    return y


def pool_stage(kind: str, size: Ints, stride: Ints | None = None, padding: Any = 0) -> Stage:
    """Blocks that become one pixel each: "max", "min", "avg", "lp:2" or "lse:beta=4", where beta is for values up to 1.

    Raises
    ------
    ValueError, TypeError
        For what is none of these.

    Examples
    --------
    >>> pool_stage("avg", 2).apply(np.array([[1.0, 2.0], [3.0, 4.0]]), "mirror", 0, 1)
    array([[2.5]])
    """
    name, _, rest = (part.strip() for part in kind.partition(":"))
    rows, columns = per_axis("size", size, 2)
    down, along = (rows, columns) if stride is None else per_axis("stride", stride, 2)
    step = (down, along)
    total = 1.0
    if name in ("max", "min", "avg", "mean"):
        _given(rest, name)
        plain, pool = {"avg": "mean"}.get(name, name), _ranks().pool

        def run(x: np.ndarray, border: str, cval: float, full: float) -> np.ndarray:
            return pool(x, plain, (rows, columns), step, padding)
    elif name in ("lp", "lse"):
        given = _given(rest, name, **({"p": 2} if name == "lp" else {"beta": 4}))
        p, beta = positive("p", given.get("p", 2)), given.get("beta", 4)
        total = (rows * columns) ** (1 / p) if name == "lp" else 1.0

        def run(x: np.ndarray, border: str, cval: float, full: float) -> np.ndarray:
            return _norms(x, name, p, beta / full, (rows, columns), step, padding)
    else:
        close = difflib.get_close_matches(name, ["max", "min", "avg", "lp", "lse"], n=1)
        hint = f"did you mean {close[0]!r}?" if close else "known are max, min, avg, lp:2 and lse:beta=4"
        raise ValueError(f"unknown pool {name!r}; {hint}")
    pads = per_axis("padding", padding, 2, 0)
    run = partial(_within, run, (rows, columns), pads)
    best = name in ("max", "min")
    exact = best or name in ("avg", "mean")
    return Stage(
        kind, run, total=total, exact=exact, order=best, upright=True, size=rows, step=step[0], padding=pads[0]
    )


def _within(
    run: Apply, size: tuple[int, ...], pads: tuple[int, ...], x: np.ndarray, border: str, cval: float, full: float
) -> np.ndarray:
    if any(k > n + 2 * p for k, n, p in zip(size, x.shape, pads, strict=False)):
        blocks, pixels = f"{size[0]} x {size[1]}", f"{x.shape[0]} x {x.shape[1]}"
        raise ValueError(f"blocks of {blocks} rows and columns do not fit into {pixels}")
    return run(x, border, cval, full)


def _norms(x: np.ndarray, name: str, p: float, beta: float, size: Ints, step: Ints, padding: Any) -> np.ndarray:
    from sigconv.pooling_norms import lp_pool2d, lse_pool2d

    planes = np.ascontiguousarray(x[np.newaxis] if x.ndim == 2 else np.moveaxis(x, -1, 0)).astype(real_of(x))
    if name == "lp":
        y = lp_pool2d(planes, p, size, step, padding=padding)
    else:
        y = lse_pool2d(planes, size, step, padding, beta=beta)
    return as_dtype(y[0] if x.ndim == 2 else np.ascontiguousarray(np.moveaxis(y, 0, -1)), x.dtype)


def _numbers(text: str) -> np.ndarray:
    """Weights row by row: columns separated by commas or blanks, rows by semicolons."""
    rows = [[_number(cell) for cell in row.replace(",", " ").split()] for row in text.strip(" ;\n").split(";")]
    if not rows[0]:
        raise ValueError("a kernel needs weights, such as 0,-1,0;-1,5,-1;0,-1,0")
    if odd := [row for row in rows if len(row) != len(rows[0])]:
        raise ValueError(f"rows must be equally long, got {len(rows[0])} and {len(odd[0])}")
    return np.array(rows, float)


def _given(text: str, name: str, **known: float) -> dict[str, Any]:
    """Parameters behind a colon, and those of ``known`` that are not given; all finite."""
    given = known | kernels.parameters(name, text or None, tuple(known))
    for key, value in given.items():
        if not isfinite(value):
            raise ValueError(f"weights and parameters must be finite, got {key}={value}")
    return given


def _number(text: str) -> float:
    try:
        value = int(text) if text.strip().isdecimal() else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if not isfinite(value):
        raise ValueError(f"weights and parameters must be finite, got {text!r}")
    return value
