"""Kernels by name: what each is called, what it takes, and its numbers."""

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sigconv.checks import not_negative, positive, whole_number


def bell(sigma: float, truncate: float = 4.0) -> np.ndarray:
    """``exp(-j^2 / 2 sigma^2)`` over the cells up to ``truncate * sigma`` away, summing to 1; one cell for sigma 0."""
    radius = int(truncate * sigma + 0.5)
    if not radius:
        return np.ones(1)
    w = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return w / w.sum()


def bend(sigma: float, truncate: float = 4.0) -> np.ndarray:
    """The second derivative of `bell`, whose sum is brought to zero so that even surfaces stay even."""
    g = bell(sigma, truncate)
    j = np.arange(g.size) - g.size // 2
    w = (j**2 / sigma**4 - 1 / sigma**2) * g
    return w - w.sum() * g


def _gaussian(sigma: Any, truncate: Any = 4.0) -> np.ndarray:
    g = bell(not_negative("sigma", sigma), positive("truncate", truncate))
    return np.outer(g, g)


def _box(size: Any) -> np.ndarray:
    size = whole_number("size", size, 1)
    return np.full((size, size), 1 / size**2)


def _unsharp(sigma: Any = 1.0, amount: Any = 1.0) -> np.ndarray:
    w = -not_negative("amount", amount) * _gaussian(sigma)
    w[w.shape[0] // 2, w.shape[1] // 2] += 1 + amount
    return w


def _log(sigma: Any) -> np.ndarray:
    sigma = positive("sigma", sigma)
    g, bent = bell(sigma), bend(sigma)
    return np.outer(bent, g) + np.outer(g, bent)


def _fixed(*rows: tuple[float, ...]) -> Callable[[], np.ndarray]:
    return lambda: np.array(rows, float)


def _slope(along_edge: tuple[float, ...], across: bool) -> Callable[[], np.ndarray]:
    """A central difference along rows, or down columns, weighed over the other axis."""
    edge, difference = np.array(along_edge, float), np.array([-1.0, 0.0, 1.0])
    return lambda: np.outer(edge, difference) if across else np.outer(difference, edge)


class _Named(NamedTuple):
    make: Callable[..., np.ndarray]
    parameters: tuple[str, ...] = ()
    example: str = ""
    """How it is written, where it needs a parameter."""


_SLOPES = {"sobel": (1.0, 2.0, 1.0), "scharr": (3.0, 10.0, 3.0), "prewitt": (1.0, 1.0, 1.0)}
"""What differences are weighed with along the edge that they find."""

_NAMED = {
    "identity": _Named(_fixed((1,))),
    "gaussian": _Named(_gaussian, ("sigma", "truncate"), "gaussian:sigma=2"),
    "box": _Named(_box, ("size",), "box:5"),
    "sharpen": _Named(_fixed((0, -1, 0), (-1, 5, -1), (0, -1, 0))),
    "unsharp": _Named(_unsharp, ("sigma", "amount")),
    "laplacian": _Named(_fixed((0, 1, 0), (1, -4, 1), (0, 1, 0))),
    "laplacian8": _Named(_fixed((1, 1, 1), (1, -8, 1), (1, 1, 1))),
    "log": _Named(_log, ("sigma",), "log:sigma=2"),
    "emboss": _Named(_fixed((-2, -1, 0), (-1, 1, 1), (0, 1, 2))),
    **{f"{name}_x": _Named(_slope(edge, across=True)) for name, edge in _SLOPES.items()},
    **{f"{name}_y": _Named(_slope(edge, across=False)) for name, edge in _SLOPES.items()},
}
NAMES = tuple(sorted(_NAMED))


def kernel(name: str) -> np.ndarray:
    """The weights that a name stands for, as `filter` correlates them.

    ====================================  ==============================================================
    name                                  weights
    ====================================  ==============================================================
    identity                              1
    gaussian:sigma=2,truncate=4           exp(-r^2 / 2 sigma^2) up to truncate * sigma away; sum 1
    box:5                                 5 x 5 equal ones; sum 1
    sharpen                               the cell less its Laplacian; sum 1
    unsharp:sigma=1,amount=1              the cell, and amount times what a Gaussian takes from it; sum 1
    laplacian, laplacian8                 the sum of 4 or 8 neighbours less as many times the cell; sum 0
    log:sigma=2                           Laplacian of a Gaussian; sum 0
    emboss                                light from the top left; sum 1
    sobel_x, scharr_x, prewitt_x          differences from left to right, and _y from top to bottom; sum 0
    ====================================  ==============================================================

    Parameters
    ----------
    name : str
        One of these; parameters after a colon, by name or in their order.

    Returns
    -------
    ndarray of float64, shape (rows, columns)

    Raises
    ------
    ValueError, TypeError
        For what is none of these, with the nearest name.

    Examples
    --------
    >>> kernel("sobel_x")
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]])
    >>> kernel("gausian:sigma=2")
    Traceback (most recent call last):
    ValueError: kernel 'gausian:sigma=2': unknown kernel 'gausian'; did you mean 'gaussian'?
    """
    return parse(name)


def parse(text: Any) -> np.ndarray:
    """The kernel that a text such as "gaussian:sigma=2" spells, or an error that suggests what was meant."""
    if not isinstance(text, str):
        raise TypeError(f"kernel must be a str such as 'sobel_x', got {text!r:.80}")
    try:
        name, given = asked(text)
        return _NAMED[name].make(**given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"kernel {text[:60]!r}: {error}") from None


def asked(text: str) -> tuple[str, dict[str, float]]:
    """The name in such a text and the parameters that are given."""
    name, colon, rest = (part.strip() for part in text.partition(":"))
    if name not in _NAMED:
        raise ValueError(f"unknown kernel {name!r}; {_hint(name, NAMES)}")
    named = _NAMED[name]
    given = parameters(name, rest if colon else None, named.parameters)
    if named.example and named.parameters[0] not in given:
        raise ValueError(f"{name} needs its {named.parameters[0]}, such as {named.example}")
    return name, given


def parameters(name: str, text: str | None, known: tuple[str, ...]) -> dict[str, float]:
    """What stands behind the colon of a text, if there is one: numbers, by name or in the order of those known."""
    if text is not None and not known:
        raise ValueError(f"{name} takes no parameters, got {text!r}")
    given: dict[str, float] = {}
    for place, part in enumerate(text.split(",") if text else ()):
        key, equals, number = (piece.strip() for piece in part.rpartition("="))
        if not equals:
            if place >= len(known):
                raise ValueError(f"{number!r} is too much: {name} takes {', '.join(known)}")
            key = known[place]
        if key not in known:
            raise ValueError(f"{name} has no parameter {key!r}; {_hint(key, known)}")
        if key in given:
            raise ValueError(f"{key} is given twice")
        given[key] = _number(key, number)
    return given


def _number(key: str, text: str) -> float:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise ValueError(f"{key} must be a number, got {text!r}") from None


def _hint(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
