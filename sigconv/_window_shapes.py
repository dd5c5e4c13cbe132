"""The shapes: functions that make windows. `sigconv.windows` is their public home."""

import math
from typing import Any

from sigconv import _window_math as wm
from sigconv._durations import LIMIT, Width, format_duration, read_number, read_size, read_whole
from sigconv._window import Function, Window

_MAX_DEGREE = 50  # the slopes of higher polynomials at their edge leave float64


def uniform(width: Width) -> Window:
    """Equal weights: the moving average, w = 1 for ages in [0, width).

    Parameters
    ----------
    width : int or duration
        Number of samples, or the length of the support in time.

    Returns
    -------
    Window

    Raises
    ------
    ValueError, TypeError
        Where the width is not a whole number of samples, at least 1, or a positive duration.

    Examples
    --------
    >>> uniform(4).weights()
    array([0.25, 0.25, 0.25, 0.25])
    >>> print(uniform("1.5s"))
    uniform:1500ms
    """
    return _plain("uniform", width)


def linear(width: Width) -> Window:
    """Weights falling in a straight line to zero: w = 1 - age / width, as in the weighted moving average (WMA).

    Parameters
    ----------
    width : int or duration
        Number of samples, or the length of the support in time.

    Returns
    -------
    Window

    Raises
    ------
    ValueError, TypeError
        As `uniform`.

    Examples
    --------
    >>> linear(4).raw_weights()
    array([1.  , 0.75, 0.5 , 0.25])
    >>> linear("3s").delay
    1.0
    """
    return _plain("linear", width)


def triangular(width: Width) -> Window:
    """Weights that rise, then fall: symmetric about the middle of the support.

    By samples scipy.signal's ``get_window("triang", width, fftbins=False)``; in time w = 1 - abs(2 age / width - 1).

    Parameters
    ----------
    width : int or duration
        Number of samples, or the length of the support in time.

    Returns
    -------
    Window

    Raises
    ------
    ValueError, TypeError
        As `uniform`.

    Examples
    --------
    >>> triangular(4).raw_weights()
    array([0.25, 0.75, 0.75, 0.25])
    >>> triangular("2s").delay
    1.0
    """
    return _plain("triangular", width)


def gaussian(sigma: Width, truncate: float = 4.0) -> Window:
    """The past half of a bell: w = exp(-age**2 / (2 sigma**2)) for ages up to truncate * sigma.

    Parameters
    ----------
    sigma : float or duration
        Standard deviation of the whole bell in samples (a fraction is allowed) or in time.
    truncate : float
        Where the support ends, in sigmas. By samples the oldest age is ``int(truncate * sigma + 0.5)``, as
        scipy.ndimage has it.

    Returns
    -------
    Window

    Raises
    ------
    ValueError, TypeError
        Where sigma is not a positive number or duration, or truncate is not positive and finite.

    Examples
    --------
    >>> gaussian(1, truncate=2).raw_weights().round(4)
    array([1.    , 0.6065, 0.1353])
    >>> gaussian("2s").support_ns
    8000000000
    """
    timed, size = read_size("sigma", sigma, whole=False)
    truncate = read_number("truncate", truncate, above=0)
    if not truncate * size < LIMIT:
        raise ValueError(f"truncate * sigma must be below 2**62 samples or ns, got {truncate!r} * {size!r}")
    parameters = (("sigma", size), ("truncate", truncate))
    if not timed:
        return Window("gaussian", False, parameters, length=int(truncate * size + 0.5) + 1)
    support = round(truncate * size)
    if support < 1:
        raise ValueError(f"truncate * sigma must be at least 1 ns, got {truncate!r} * {format_duration(size)}")
    return Window("gaussian", True, parameters, support_ns=support, scale_ns=float(size))


def exponential(
    *,
    alpha: float | None = None,
    span: float | None = None,
    com: float | None = None,
    halflife: Width | None = None,
    tau: Width | None = None,
) -> Window:
    """Weights that decay by the same factor with every step, without an end: w = (1 - alpha)**age, or exp(-age / tau).

    Exactly one parameter is given; they mean what pandas' ``ewm`` means by them.

    Parameters
    ----------
    alpha : float
        The newest sample's share, 0 < alpha <= 1.
    span : float
        alpha = 2 / (span + 1), span >= 1.
    com : float
        Centre of mass, the delay in samples: alpha = 1 / (1 + com), com >= 0.
    halflife : float or duration
        After which a weight has halved: alpha = 1 - exp(-ln 2 / halflife); in time tau = halflife / ln 2.
    tau : float or duration
        Time constant, after which a weight has fallen to 1/e: alpha = 1 - exp(-1 / tau).

    Returns
    -------
    Window

    Raises
    ------
    ValueError, TypeError
        Where none or several are given, one is out of its range, or a duration stands where a number must.

    Examples
    --------
    >>> exponential(span=9).alpha
    0.2
    >>> exponential(tau="250ms").delay
    0.25
    """
    every = {"alpha": alpha, "span": span, "com": com, "halflife": halflife, "tau": tau}
    given = {name: value for name, value in every.items() if value is not None}
    if len(given) != 1:
        got = " and ".join(f"{name}={value}" for name, value in given.items()) or "none"
        raise ValueError(f"exponential takes exactly one of {', '.join(every)}, got {got}")
    [(name, value)] = given.items()
    if name in ("halflife", "tau"):
        timed, size = read_size(name, value, whole=False)
        if timed:
            scale = size / math.log(2) if name == "halflife" else float(size)
            return Window("exponential", True, ((name, size),), scale_ns=scale)
        share = -math.expm1((-math.log(2) if name == "halflife" else -1.0) / size)
    elif isinstance(value, str):
        raise TypeError(f"{name} must be a number, got {value!r}; only halflife and tau take durations")
    elif name == "alpha":
        share = size = read_number(name, value, above=0, most=1)
    elif name == "span":
        size = read_number(name, value, least=1)
        share = 2 / (size + 1)
    else:
        size = read_number(name, value, least=0)
        share = 1 / (1 + size)
    if share == 0:
        raise ValueError(f"{name} is too large for float64 weights, got {value!r}")
    return Window("exponential", False, ((name, size),), alpha=share)


def polynomial(width: Width, degree: int = 2, deriv: int = 0) -> Window:
    """Local least squares: a polynomial is fitted to the support and evaluated now (Savitzky-Golay's end point).

    By samples the weights are scipy.signal's ``savgol_coeffs(width, degree, deriv, pos=width - 1, use="dot")[::-1]``.
    Samples at irregular times, or with gaps, are fitted where they are. Signals up to the degree pass without delay.

    Parameters
    ----------
    width : int or duration
        Number of samples, more than degree; or the length of the support in time.
    degree : int
        Of the polynomial, 0 to 50.
    deriv : int
        Which derivative in time to return, per sample or per second: 0 is the value, 1 the slope; at most degree.

    Returns
    -------
    Window

    Raises
    ------
    ValueError, TypeError
        Where width, degree or deriv is not as above.

    References
    ----------
    Savitzky and Golay, Analytical Chemistry 36 (1964), 1627-1639; Gorry, Analytical Chemistry 62 (1990), 570-573.

    Examples
    --------
    >>> polynomial(4, degree=1).raw_weights().round(6)
    array([ 0.7,  0.4,  0.1, -0.2])
    >>> slope = polynomial(5, degree=1, deriv=1)
    >>> readings = [3.0, 5.0, 7.0, 9.0, 11.0]
    >>> round(float(slope.raw_weights() @ readings[::-1]), 9)
    2.0
    """
    timed, size = read_size("width", width)
    degree = read_whole("degree", degree, 0, _MAX_DEGREE)
    deriv = read_whole("deriv", deriv, 0, degree, "degree")
    if not timed and degree >= size:
        raise ValueError(f"degree must be below the width, got degree={degree} for {size} samples")
    return _of_size("polynomial", timed, size, (("degree", degree), ("deriv", deriv)), degree=degree, deriv=deriv)


def named(name: str | tuple[Any, ...], width: int) -> Window:
    """A window of scipy.signal, symmetric, newest sample first: ``get_window(name, width, fftbins=False)``.

    Parameters
    ----------
    name : str or tuple
        "hann", "hamming", "blackman", ...; with its parameters where it has any: ``("kaiser", 8.6)``.
    width : int
        Number of samples. These shapes are not defined in time.

    Returns
    -------
    Window

    Raises
    ------
    ValueError, TypeError
        Where scipy does not know the name, its parameters do not suit, the width is not a number of samples, or the
        weights sum to zero.

    Examples
    --------
    >>> named("hann", 5).raw_weights()
    array([0. , 0.5, 1. , 0.5, 0. ])
    >>> print(named(("kaiser", 8.6), 32))
    kaiser:32,8.6
    """
    given = name if isinstance(name, tuple) and name else (name,)
    if not isinstance(given[0], str):
        raise TypeError(f"name must be the name of a scipy.signal window, alone or with parameters, got {name!r}")
    name, options = given[0].strip().lower(), given[1:]
    timed, size = read_size("width", width)
    if timed:
        raise ValueError(f"{name} takes a width in samples, such as {name}:32, got {format_duration(size)}")
    numbers = tuple(read_number(f"parameter of {name}", option) for option in options)
    parameters = tuple(int(number) if number.is_integer() else number for number in numbers)
    weights = wm.named_weights(name, parameters, size)
    wm.check_sum(weights)
    return Window("named", False, (("width", size), ("name", name), ("parameters", parameters)), length=size)


def custom(weights: Any, width: Width | None = None) -> Window:
    """Weights of your own: a list by age in samples, or a function of age.

    Parameters
    ----------
    weights : array_like of float, or callable
        Weights of ages 0, 1, 2, ... samples, newest first (copied); or a function that gets a float64 array of ages, in
        seconds where width is a duration, else in samples, and returns as many weights.
    width : int or duration
        Of the function's support, and for functions only.

    Returns
    -------
    Window
        A function's window has no text form, and equals another of the same function and width.

    Raises
    ------
    ValueError, TypeError
        Where the weights are not one-dimensional, real and finite, or sum to zero.

    Examples
    --------
    >>> custom([5, 3, 2]).weights()
    array([0.5, 0.3, 0.2])
    >>> import numpy as np
    >>> cosine = custom(lambda age: np.cos(age * np.pi / 4), "2s")
    >>> round(cosine.delay, 6)
    0.72676
    """
    if callable(weights):
        return _of_function(weights, width)
    if width is not None:
        raise TypeError(f"width goes with a function of age, a list of weights has its own length; got width={width!r}")
    if isinstance(weights, str):
        raise TypeError(f"weights must be numbers or a function of age, got the text {weights!r}; parse reads texts")
    array = wm.real_array(weights, "weights")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"weights must be a one-dimensional list of at least one number, got shape {array.shape}")
    wm.check_sum(array)
    return Window("custom", False, (("weights", tuple(array.tolist())),), length=array.size)


def _plain(shape: str, width: Width) -> Window:
    return _of_size(shape, *read_size("width", width))


def _of_size(shape: str, timed: bool, size: int, options: tuple[tuple[str, Any], ...] = (), **more: Any) -> Window:
    parameters = (("width", size), *options)
    if timed:
        return Window(shape, True, parameters, support_ns=size, scale_ns=float(size), **more)
    return Window(shape, False, parameters, length=size, **more)


def _of_function(function: Function, width: Width | None) -> Window:
    if width is None:
        raise TypeError("a function of age needs a width: a count of samples or a duration such as '2s'")
    window = _of_size("custom", *read_size("width", width), function=function)
    wm.check_sum(wm.quadrature(window)[1] if window.timed else window.raw_weights())
    return window
