"""The Window class: an immutable description of w, and what follows from it."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from sigconv import _window_math as wm
from sigconv._durations import LIMIT, format_duration, read_number, read_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[[np.ndarray], Any]

SHAPES = ("uniform", "linear", "triangular", "gaussian", "exponential", "polynomial", "named", "custom")
DEFAULTS = {"truncate": 4.0, "degree": 2, "deriv": 0}


@dataclass(frozen=True, repr=False)
class Window:
    """Weights by age: what every smoothing function accepts as its window.

    Made by the functions of `sigconv.windows`; immutable, comparable and hashable. ``str(w)`` is the spelling that
    `windows.parse` reads back (only a custom function has none).

    Attributes
    ----------
    shape : str
        One of uniform, linear, triangular, gaussian, exponential, polynomial, named, custom.
    timed : bool
        True where the parameters are durations and ages are times; False where ages count samples.
    parameters : tuple of (str, value)
        What was given, durations as whole nanoseconds; the first is the width, sigma, decay or list of weights.
    length : int or None
        Number of weights; None for exponential and timed windows.
    support_ns : int or None
        Windows in time: ages in [0, support_ns) have weight. None for exponentials and windows by samples.
    scale_ns : float or None
        Windows in time: sigma of a gaussian, time constant of an exponential, otherwise the width; nanoseconds.
    alpha : float or None
        Exponential by samples: the newest sample's share, in (0, 1].
    degree, deriv : int
        Polynomial: degree of the fit and the derivative taken; otherwise 0.
    function : callable or None
        Custom: the function of age, where there is one.

    Examples
    --------
    >>> from sigconv import windows
    >>> w = windows.uniform("2s")
    >>> w.shape, w.timed, w.support_ns, w.delay
    ('uniform', True, 2000000000, 1.0)
    >>> windows.parse(str(w)) == w
    True
    """

    shape: str
    timed: bool
    parameters: tuple[tuple[str, Any], ...]
    length: int | None = None
    support_ns: int | None = None
    scale_ns: float | None = None
    alpha: float | None = None
    degree: int = 0
    deriv: int = 0
    function: Function | None = None

    @property
    def size(self) -> Any:
        """The first parameter: width, sigma or decay (samples or nanoseconds), or the tuple of custom weights."""
        return self.parameters[0][1]

    def __str__(self) -> str:
        if self.function is not None:
            return f"custom({_function_name(self.function)}, {self._size_text()})"
        if self.shape == "custom":
            # One weight keeps a comma, or it would read like a forgotten "uniform:".
            return ",".join(map(number_text, self.size)) + ("," if len(self.size) == 1 else "")
        if self.shape == "named":
            (_, width), (_, name), (_, parameters) = self.parameters
            prefix = "named:" if name in SHAPES else ""  # scipy's own gaussian, not ours
            return f"{prefix}{name}:{','.join(map(number_text, (width, *parameters)))}"
        return f"{self.shape}:{','.join(self._given(self._size_text()))}"

    def __repr__(self) -> str:
        if self.function is not None:
            arguments = [_function_name(self.function), self._quoted_size()]
        elif self.shape == "named":
            (_, width), (_, name), (_, parameters) = self.parameters
            arguments = [repr((name, *parameters) if parameters else name), number_text(width)]
        elif self.shape == "custom":
            arguments = [f"[{', '.join(map(number_text, self.size))}]"]
        else:
            arguments = self._given(self._quoted_size())
        return f"windows.{self.shape}({', '.join(arguments)})"

    def _given(self, size: str) -> list[str]:
        """Arguments as they are written: the size, then the options that differ from their defaults."""
        (first, _), *options = self.parameters
        texts = [f"{name}={number_text(value)}" for name, value in options if value != DEFAULTS[name]]
        return [size if first == "width" else f"{first}={size}", *texts]

    def _size_text(self) -> str:
        return format_duration(self.size) if self.timed else number_text(self.size)

    def _quoted_size(self) -> str:
        return repr(self._size_text()) if self.timed else self._size_text()

    @property
    def _taps(self) -> np.ndarray:
        # Kept by hand: functools.cached_property has one lock for all windows before Python 3.12, and a child forked
        # while another thread holds it would wait for ever.
        taps = self.__dict__.get("taps")
        if taps is None:
            taps = self.__dict__["taps"] = wm.raw_weights(self, self.length or 0)
        return taps

    def raw_weights(self) -> np.ndarray:
        """Weights of ages 0, 1, 2, ... samples as defined, not normalised (polynomial: the fit's own).

        Returns
        -------
        numpy.ndarray
            float64, newest first; a copy of its own.

        Raises
        ------
        ValueError
            For exponentials and windows in time, which have no finite list of weights.

        Examples
        --------
        >>> from sigconv import windows
        >>> windows.linear(4).raw_weights()
        array([1.  , 0.75, 0.5 , 0.25])
        """
        if self.length is None:
            raise ValueError(f"the window {self} has no finite list of weights; weights(n) gives n of them")
        return self._taps.copy()

    def weights(self, n: int | None = None) -> np.ndarray:
        """Weights, newest first, summing to 1: what samples of ages 0, 1, 2, ... steps get when n are present.

        A step is one sample; for windows in time it is support / n, so that n steps cover the support (an
        exponential's: ten time constants). Fewer samples than the window holds share the whole weight, as at the start
        of a signal; a polynomial is refitted to them and keeps its own sum (zero for derivatives, which are per sample
        or per second).

        Parameters
        ----------
        n : int, optional
            Number of weights, zeros past the window's end. Default: the window's length; 100 for windows in time; for
            exponentials by samples as many as leave less than 1e-12 of the weight (at most 100000).

        Returns
        -------
        numpy.ndarray
            float64 of length n.

        Examples
        --------
        >>> from sigconv import windows
        >>> windows.linear(4).weights()
        array([0.4, 0.3, 0.2, 0.1])
        >>> windows.exponential(alpha=0.5).weights(2).round(6)
        array([0.666667, 0.333333])
        """
        return wm.weights(self, None if n is None else read_whole("n", n, 1, LIMIT))

    @property
    def delay(self) -> float:
        """How far the output lags behind a slow signal: the sum of weight * age, in samples or in seconds.

        Windows in time: the integral over the continuous shape (uniform: width / 2; linear: width / 3; exponential:
        tau). A polynomial follows every signal up to its degree without delay; where deriv equals degree, the
        derivative is that of the middle of the support.

        Examples
        --------
        >>> from sigconv import windows
        >>> windows.uniform(5).delay, windows.exponential(tau="3s").delay, windows.polynomial(15).delay
        (2.0, 3.0, 0.0)
        """
        return wm.delay(self)

    @property
    def noise_gain(self) -> float:
        """Variance of the output per variance of white input noise: the sum of the squared weights.

        Windows in time: the integral of the squared weight density, in 1/s. Divided by the number of samples per second
        it is the sum of squares for dense regular samples: uniform("2s") has 0.5 per second, at 100 Hz 0.005.
        (Polynomial derivatives are not normalised: per sample**(2 deriv), or per second**(2 deriv + 1).)

        Examples
        --------
        >>> from sigconv import windows
        >>> windows.uniform(8).noise_gain, windows.uniform("2s").noise_gain
        (0.125, 0.5)
        """
        return wm.noise_gain(self)

    def frequency_response(self, freqs: Any, rate: float = 1.0) -> np.ndarray:
        """Complex gain for each frequency: H(f) = sum_j w_j exp(-2 pi i f j / rate).

        Windows in time: the Fourier integral of the weight density over age, which regular samples approach as they
        become dense. Their closed forms are exact at any frequency; a custom function is integrated numerically.

        Parameters
        ----------
        freqs : array_like of float
            Frequencies: in the unit of `rate` (cycles per sample by default), in Hz for windows in time.
        rate : float
            Samples per unit of time; windows in time ignore it.

        Returns
        -------
        numpy.ndarray
            complex128 of the shape of `freqs`.

        Examples
        --------
        >>> from sigconv import windows
        >>> abs(windows.uniform(4).frequency_response([0, 0.125, 0.25])).round(6)
        array([1.      , 0.653281, 0.      ])
        >>> abs(windows.exponential(tau="1s").frequency_response(1 / (2 * np.pi))).round(6)
        np.float64(0.707107)
        """
        rate = read_number("rate", rate, above=0)
        return np.asarray(wm.frequency_response(self, wm.real_array(freqs, "freqs"), rate))

    def plot(self, path: "str | PathLike[str] | None" = None) -> "Figure":
        """Draw the weights by age, the magnitude of the frequency response and the group delay.

        Parameters
        ----------
        path : path, optional
            File to write; its suffix chooses the format (png, svg, pdf).

        Returns
        -------
        matplotlib.figure.Figure
            Made without pyplot: no global state, no display needed.

        Examples
        --------
        >>> from sigconv import windows
        >>> figure = windows.linear("2s").plot()
        >>> len(figure.axes)
        3
        """
        from sigconv._window_plot import plot

        return plot(self, path)


def number_text(value: float) -> str:
    """Shortest text that reads back exactly, whole numbers without ".0"."""
    return repr(value).removesuffix(".0")


def _function_name(function: Function) -> str:
    return getattr(function, "__name__", None) or repr(function)
