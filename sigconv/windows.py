"""Windows: what a sample of a given age weighs.

A width is a count of samples (a number) or a duration (``"250ms"``, ``datetime.timedelta``, ``numpy.timedelta64``);
ages are then sample counts or times. Every window has one spelling for the command line, configuration files and code::

    uniform:30              uniform:2s                linear:15            triangular:9
    gaussian:sigma=2s       gaussian:2s,truncate=3    exponential:span=10  exponential:halflife=5s
    polynomial:15           polynomial:15,degree=3,deriv=1
    hann:32                 kaiser:32,8.6             named:gaussian:32,7  (scipy.signal.get_window)
    0.5,0.3,0.2             (weights, newest first; a single one keeps its comma: "0.5,")
"""

import difflib
import re
from collections.abc import Callable
from typing import Any

from sigconv._durations import format_duration, parse_duration
from sigconv._window import Window
from sigconv._window_shapes import custom, exponential, gaussian, linear, named, polynomial, triangular, uniform

__all__ = [
    "Window",
    "as_window",
    "custom",
    "exponential",
    "format_duration",
    "gaussian",
    "linear",
    "named",
    "parse",
    "parse_duration",
    "polynomial",
    "triangular",
    "uniform",
]

# What each shape is in text: its maker, an example, and its parameters, the first of which needs no name.
_SHAPES: dict[str, tuple[Callable[..., Window], str, tuple[str, ...]]] = {
    "uniform": (uniform, "uniform:30 or uniform:2s", ("width",)),
    "linear": (linear, "linear:30 or linear:2s", ("width",)),
    "triangular": (triangular, "triangular:30 or triangular:2s", ("width",)),
    "gaussian": (gaussian, "gaussian:sigma=2s", ("sigma", "truncate")),
    "exponential": (exponential, "exponential:span=10", ("alpha", "span", "com", "halflife", "tau")),
    "polynomial": (polynomial, "polynomial:15,degree=2", ("width", "degree", "deriv")),
}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def as_window(value: Window | str) -> Window:
    """The window itself, or the one that a text spells: how every function reads its `window` argument.

    Parameters
    ----------
    value : Window or str

    Returns
    -------
    Window

    Raises
    ------
    ValueError
        Where the text spells no window.
    TypeError
        Where the value is neither.

    Examples
    --------
    >>> as_window("uniform:30") == as_window(uniform(30))
    True
    """
    if isinstance(value, Window):
        return value
    if isinstance(value, str):
        return parse(value)
    raise TypeError(f"window must be a Window or a text such as 'uniform:30' or 'gaussian:sigma=2s', got {value!r:.80}")


def parse(text: str) -> Window:
    """Read a window from its text; the module's page lists the spellings.

    Parameters
    ----------
    text : str
        A shape, a colon and its parameters, or weights separated by commas. Blanks are ignored.

    Returns
    -------
    Window
        ``parse(str(window)) == window`` for all but custom functions.

    Raises
    ------
    ValueError
        One line that names the text and what is wrong with it.
    TypeError
        Where text is no str.

    Examples
    --------
    >>> parse("gaussian:sigma=200ms")
    windows.gaussian(sigma='200ms')
    >>> parse("unform:30")
    Traceback (most recent call last):
    ValueError: window 'unform:30': unknown window 'unform'; did you mean 'uniform'?
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str such as 'uniform:30', got {text!r:.80}")
    text = text.strip()
    try:
        return _read(text)
    except (ValueError, TypeError) as error:
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise ValueError(f"window {shown!r}: {' '.join(str(error).split())}") from None


def _read(text: str) -> Window:
    name, colon, rest = (part.strip() for part in text.partition(":"))
    name = name.lower()
    if name in _SHAPES:
        return _shape(name, rest)
    if not colon or not name:
        return _weights(text)
    if name in ("median", "hampel"):
        raise ValueError(f"the {name} has no weights; sigconv.moving_median, hampel and Smoother know it")
    if name == "named":
        name, _, rest = (part.strip() for part in rest.partition(":"))
    positional, options = _arguments(rest)
    close = difflib.get_close_matches(name, _SHAPES, n=1) if options else []
    if close:
        raise ValueError(f"{name!r} takes no {next(iter(options))}=; did you mean {close[0]!r}?")
    if options or not positional or not name:
        name = name or "hann"
        raise ValueError(f"write {name}:32, or {name}:32,8.6 where it has a parameter")
    width, *parameters = positional
    return named((name, *parameters), width)


def _shape(name: str, text: str) -> Window:
    make, example, known = _SHAPES[name]
    positional, options = _arguments(text)
    for key in options.keys() - set(known):
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(known)}"
        raise ValueError(f"{name} has no parameter {key!r}; {hint}")
    if name == "exponential":
        if positional:
            raise ValueError(f"which of {', '.join(known)} is {positional[0]}? Write {example}")
        return make(**options)
    if not positional and known[0] not in options:
        raise ValueError(f"{name} needs its {known[0]}, such as {example}")
    for extra in positional[1:]:
        named_extra = " or ".join(f"{key}={extra}" for key in known[1:])
        hint = f"needs a name and '=': {named_extra}" if named_extra else f"is too much: {name} takes one width"
        raise ValueError(f"'{extra}' {hint}")
    if positional and known[0] in options:
        raise ValueError(f"{known[0]} is given twice")
    return make(**options, **dict(zip(known, positional, strict=False)))


def _weights(text: str) -> Window:
    items = [item.strip() for item in text.removesuffix(",").split(",")]
    wrong = [item for item in items if not _NUMBER.fullmatch(item)]
    if wrong and len(items) > 1:
        raise ValueError(f"{wrong[0]!r} is not a number; weights are numbers separated by commas, newest first")
    if wrong:
        raise ValueError("write a shape and its parameters, such as uniform:30, uniform:2s or exponential:span=10")
    if len(items) == 1 and not text.endswith(","):
        raise ValueError(f"write uniform:{text} for a width of {text}, or '{text},' for a single weight")
    return custom([float(item) for item in items])


def _arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Positional and named parameters of a text such as "15,degree=3"."""
    positional: list[Any] = []
    options: dict[str, Any] = {}
    for item in text.split(",") if text else []:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not key:
            raise ValueError("a parameter is empty; write them as in gaussian:sigma=2s,truncate=3")
        if key in options:
            raise ValueError(f"{key} is given twice")
        if equals:
            options[key] = _value(value)
        else:
            positional.append(_value(key))
    return positional, options


def _value(text: str) -> int | float | str:
    if _NUMBER.fullmatch(text) is None:
        return text
    return int(text) if text.lstrip("+-").isdigit() else float(text)
