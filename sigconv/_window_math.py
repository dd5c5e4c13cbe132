"""Arithmetic of windows: weights by samples, densities in time, moments and Fourier integrals.

Uniform, linear and polynomial windows in time are short Legendre series in x = 1 - 2 age/width. That gives their
moments and Fourier integrals exactly, at any frequency: the transform of P_n is a spherical Bessel function
(DLMF 10.54.2).
"""

import difflib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sigconv._window import Window

STEPS = 100  # ages that weights() takes from a window in time
REST = 1e-12  # of the total weight, left out by weights() of an exponential by samples
TAUS = 10  # time constants that weights() covers of an exponential in time
LONGEST = 100_000  # weights that weights() gives of an exponential unasked
_NODES, _PANELS = 16, 256  # of the quadrature for functions of age
_BLOCK = 1 << 20  # complex exponentials held at a time


def real_array(values: Any, name: str) -> np.ndarray:
    """float64 copy of finite real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be real numbers, got {array.dtype} {values!r:.60}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def check_sum(weights: np.ndarray) -> None:
    """Refuse weights that cannot be scaled to sum to 1."""
    with np.errstate(over="ignore"):
        total, size = weights.sum(), np.abs(weights).sum()
    if not np.isfinite(size):
        raise ValueError(f"the weights must have a finite sum, got {total}")
    if abs(total) <= 1e-14 * size:
        raise ValueError(f"the weights must not sum to zero, got {total} from {weights.size} of them")


def call(function: Callable[[np.ndarray], Any], ages: np.ndarray) -> np.ndarray:
    """Weights that a custom function gives to ages."""
    values = real_array(function(ages.copy()), "the weights that function returns")
    if values.shape != ages.shape:
        raise ValueError(f"function must return one weight per age, got shape {values.shape} for {ages.size} ages")
    return values


def named_weights(name: str, parameters: tuple[float, ...], width: int) -> np.ndarray:
    """A symmetric window of scipy.signal, newest first."""
    from scipy.signal import get_window

    try:
        weights = get_window((name, *parameters) if parameters else name, width, fftbins=False)
    except Exception as error:  # bad names and parameters meet whatever exception scipy's formulas raise
        raise ValueError(named_problem(name, parameters, str(error))) from None
    weights = real_array(weights[::-1], f"the weights of {name}")
    return np.where(np.abs(weights) < 1e-15 * np.abs(weights).max(initial=0.0), 0.0, weights)  # ends meant to be zero


def named_problem(name: str, parameters: tuple[float, ...], message: str) -> str:
    """One line for what scipy said of a window's name and parameters."""
    from scipy.signal import windows

    known = set(windows.__all__) - {"get_window"} | {"uniform", "linear", "triangular", "polynomial"}
    if not any(phrase in message.lower() for phrase in ("unknown window", "invalid window name")):
        given = ",".join(map(str, parameters)) or "none"
        return f"scipy.signal.get_window refuses {name} with parameters {given}: {' '.join(message.split())}"
    close = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"windows are {', '.join(sorted(known))}"
    return f"unknown window {name!r}; {hint}"


def legendre_slopes(degree: int, deriv: int) -> np.ndarray:
    """Derivatives at x = 1 of the Legendre polynomials P_0..P_degree: (n+d)! / (2^d d! (n-d)!)."""
    odd = math.factorial(2 * deriv) / (2**deriv * math.factorial(deriv))
    return np.array([math.comb(n + deriv, 2 * deriv) * odd for n in range(degree + 1)])


def polynomial_weights(n: int, degree: int, deriv: int) -> np.ndarray:
    """Least-squares fit over ages 0..n-1, evaluated at age 0: its derivative in time, per sample.

    The degree falls to n - 1 where there are too few samples, and a derivative above that is NaN. An orthogonal basis
    on scaled ages keeps the digits that the normal equations of powers of age would lose.
    """
    degree = min(degree, n - 1)
    if deriv > degree:
        return np.full(n, np.nan)
    if n == 1:
        return np.ones(1)
    x = 1 - 2 * np.arange(n) / (n - 1)
    q, r = np.linalg.qr(np.polynomial.legendre.legvander(x, degree))
    slopes = legendre_slopes(degree, deriv) * (2 / (n - 1)) ** deriv
    return q @ np.linalg.solve(r.T, slopes)


def raw_weights(w: "Window", n: int) -> np.ndarray:
    """Weights of ages 0..n-1 samples as defined; n up to the window's length."""
    ages = np.arange(n, dtype=np.float64)
    match w.shape:
        case "uniform":
            return np.ones(n)
        case "linear":
            return 1 - ages / w.size
        case "triangular":
            rise = np.minimum(ages + 1, w.size - ages)
            return 2 * rise / (w.size + 1) if w.size % 2 else (2 * rise - 1) / w.size
        case "gaussian":
            return np.exp(-0.5 * (ages / w.size) ** 2)
        case "polynomial":
            return polynomial_weights(n, w.degree, w.deriv)
        case "named":
            _, (_, name), (_, parameters) = w.parameters
            return named_weights(name, parameters, w.size)[:n]
    if w.function is not None:
        return call(w.function, ages)
    return np.array(w.size[:n], dtype=np.float64)


def weights(w: "Window", n: int | None) -> np.ndarray:
    """Normalised weights; `Window.weights` says what n means."""
    if w.alpha is not None:
        decay = math.log1p(-w.alpha) if w.alpha < 1 else -math.inf
        n = math.ceil(min(math.log(REST) / decay, LONGEST)) or 1 if n is None else n
        return normalised(np.exp(np.arange(n) * decay) if w.alpha < 1 else np.eye(1, n)[0])
    if w.length is not None:
        n = w.length if n is None else n
        head = raw_weights(w, n) if n < w.length else w.raw_weights()
        head = head if w.shape == "polynomial" else normalised(head)
        return np.concatenate([head, np.zeros(n - head.size)])
    n = STEPS if n is None else n
    width = support(w) if w.support_ns else TAUS * scale(w)
    if w.shape == "polynomial":
        return polynomial_weights(n, w.degree, w.deriv) / (width / n) ** w.deriv
    return normalised(profile(w, np.arange(n) * (width / n)))


def normalised(head: np.ndarray) -> np.ndarray:
    """Weights summing to 1; where the first ones of a window sum to zero, the newest sample is the answer."""
    total = head.sum()
    return head / total if total else np.eye(1, head.size)[0]


def support(w: "Window") -> float:
    """Seconds in which a window in time has weight."""
    return (w.support_ns or 0) / 1e9


def scale(w: "Window") -> float:
    """Seconds: sigma, tau or width."""
    return (w.scale_ns or 0) / 1e9


def profile(w: "Window", ages: np.ndarray) -> np.ndarray:
    """Weights of ages in seconds within the support, not normalised."""
    u = ages / scale(w)
    match w.shape:
        case "uniform":
            return np.ones_like(u)
        case "linear":
            return 1 - u
        case "triangular":
            return 1 - np.abs(2 * u - 1)
        case "gaussian":
            return np.exp(-0.5 * u**2)
        case "exponential":
            return np.exp(-u)
        case "polynomial":
            return np.polynomial.legendre.legval(1 - 2 * u, series(w)) / support(w)
    return call(w.function, ages) if w.function else np.zeros_like(u)


def series(w: "Window") -> np.ndarray:
    """Coefficients c of the density sum c_n P_n(1 - 2 age/width) / width."""
    if w.shape == "uniform":
        return np.ones(1)
    if w.shape == "linear":
        return np.ones(2)
    n = np.arange(w.degree + 1)
    return (2 * n + 1) * legendre_slopes(w.degree, w.deriv) * (2 / support(w)) ** w.deriv


def quadrature(w: "Window", freq: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Ages and weight shares of Gauss-Legendre panels over a function's support, at least one for a cycle of `freq`."""
    panels = max(_PANELS, math.ceil(freq * support(w)))
    x, share = np.polynomial.legendre.leggauss(_NODES)
    step = support(w) / panels
    ages = ((np.arange(panels)[:, np.newaxis] + (x + 1) / 2) * step).ravel()
    return ages, profile(w, ages) * np.tile(share * step / 2, panels)


def delay(w: "Window") -> float:
    """Sum of w * age: samples, or seconds for windows in time."""
    if w.alpha is not None:
        return 1 / w.alpha - 1
    if w.shape == "polynomial":
        # The fit is exact up to its degree, so the first error term decides: it is that of the mean of all ages.
        width = support(w) if w.timed else w.size - 1
        return width / 2 if w.degree == w.deriv else 0.0
    if w.length is not None:
        taps = w.raw_weights()
        return float(taps @ np.arange(taps.size) / taps.sum())
    match w.shape:
        case "uniform" | "triangular":
            return support(w) / 2
        case "linear":
            return support(w) / 3
        case "exponential":
            return scale(w)
        case "gaussian":
            q = support(w) / scale(w) / math.sqrt(2)
            return scale(w) * math.sqrt(2 / math.pi) * -math.expm1(-q * q) / math.erf(q)
    ages, shares = quadrature(w)
    return float(shares @ ages / shares.sum())


def noise_gain(w: "Window") -> float:
    """Sum of the squared weights; for windows in time the integral of the squared density, 1/s."""
    if w.alpha is not None:
        return w.alpha / (2 - w.alpha)
    if w.length is not None:
        taps = w.weights()
        return float(taps @ taps)
    match w.shape:
        case "triangular":
            return 4 / (3 * support(w))
        case "exponential":
            return 1 / (2 * scale(w))
        case "gaussian":
            q = support(w) / scale(w) / math.sqrt(2)
            return math.erf(math.sqrt(2) * q) / (math.sqrt(math.pi) * scale(w) * math.erf(q) ** 2)
        case "custom":
            ages, shares = quadrature(w)
            return float(profile(w, ages) @ shares / shares.sum() ** 2)
    c = series(w)
    return float((c * c / (2 * np.arange(c.size) + 1)).sum() / support(w))


def frequency_response(w: "Window", freqs: np.ndarray, rate: float) -> np.ndarray:
    """Fourier sum of the weights, or Fourier integral of the density, at finite float64 frequencies."""
    if not w.timed:
        if w.alpha is None:
            taps = w.weights()
            return fourier_sum(taps, np.arange(taps.size) / rate, freqs)
        # alpha / (1 - (1 - alpha) z^-1), written so that a small alpha keeps its digits near zero frequency
        return w.alpha / (w.alpha - (1 - w.alpha) * np.expm1(-2j * np.pi * (freqs / rate)))
    turns = freqs * support(w)
    match w.shape:
        case "exponential":
            return 1 / (1 + 2j * np.pi * freqs * scale(w))
        case "triangular":
            return np.sinc(turns / 2) ** 2 * np.exp(-1j * np.pi * turns)
        case "gaussian":
            from scipy.special import wofz

            # e^(-s^2) [erf(q + is) - erf(is)] / erf(q) through the Faddeeva function, which does not overflow
            q = support(w) / scale(w) / math.sqrt(2)
            s = math.sqrt(2) * np.pi * freqs * scale(w)
            return (wofz(-s) - np.exp(-q * q - 2j * q * s) * wofz(1j * q - s)) / math.erf(q)
        case "custom":
            ages, shares = quadrature(w, float(np.abs(freqs).max(initial=0)))
            return fourier_sum(shares / shares.sum(), ages, freqs)
    from scipy.special import spherical_jn

    terms = (c * 1j**n * spherical_jn(n, np.pi * turns) for n, c in enumerate(series(w)))
    return np.exp(-1j * np.pi * turns) * sum(terms)


def fourier_sum(weights: np.ndarray, ages: np.ndarray, freqs: np.ndarray) -> np.ndarray:
    """Sum of w exp(-2 pi i f age) for each frequency, in blocks that bound the memory."""
    flat = freqs.ravel()
    response = np.empty(flat.size, dtype=np.complex128)
    step = max(1, _BLOCK // ages.size)
    for lo in range(0, flat.size, step):
        turns = np.multiply.outer(flat[lo : lo + step], ages)
        response[lo : lo + step] = np.exp(-2j * np.pi * (turns % 1)) @ weights
    return response.reshape(freqs.shape)
