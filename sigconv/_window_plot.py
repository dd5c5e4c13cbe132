"""The picture of a window: weights by age, frequency response, group delay."""

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from sigconv import _window_math as wm
from sigconv._durations import UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sigconv._window import Window

BLUE, RUST, GREY, INK = "#1f5fa8", "#b5532a", "#8a8f98", "#3c4048"
FLOOR_DB = -80.0
_STEMS = 60  # weights drawn one by one
_POINTS = 1500


def plot(window: "Window", path: "str | PathLike[str] | None" = None) -> "Figure":
    """Three panels; `Window.plot` has the words."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8), layout="constrained")
    figure.suptitle(_title(window), fontsize=13, fontweight="bold")
    weight_axes, gain_axes, delay_axes = figure.subplots(3, 1)
    for axes in (weight_axes, gain_axes, delay_axes):
        axes.grid(True, color="#e4e6ea", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    unit = _time_unit(window)
    _draw_weights(weight_axes, window, unit)
    _draw_response(gain_axes, delay_axes, window, unit)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _title(window: "Window") -> str:
    text = str(window)
    return text if len(text) <= 72 else text[:69] + "..."


def _time_unit(window: "Window") -> tuple[str, float]:
    """Unit of the age axes, and how many of it make a sample or a second."""
    if not window.timed:
        return "samples", 1.0
    extent = window.support_ns or window.scale_ns or 1.0
    unit = next((unit for unit, ns in UNITS.items() if extent >= 2 * ns), "ns")
    return unit, 1e9 / UNITS[unit]


def _draw_weights(axes: "Axes", window: "Window", unit: tuple[str, float]) -> None:
    from matplotlib.ticker import MaxNLocator

    name, per_second = unit
    if window.timed:
        ages, heights = _density(window)
        ages, heights = ages * per_second, heights / per_second
        axes.set(xlabel=f"age [{name}]", ylabel=f"weight density [{_per(name, window.deriv + 1)}]")
        heights = heights / per_second**window.deriv
    else:
        heights = window.weights()
        if window.alpha is not None:
            heights = heights[: int(np.searchsorted(np.cumsum(heights), 0.9995)) + 1]
        ages = np.arange(heights.size)
        axes.set(xlabel="age [samples]", ylabel="weight")
    if not window.timed and ages.size <= _STEMS:
        axes.set_xlim(-0.5, ages.size - 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.vlines(ages, 0, heights, color=BLUE, alpha=0.45, linewidth=1.6)
        axes.plot(ages, heights, "o", color=BLUE, markersize=4)
    else:
        axes.fill_between(ages, heights, color=BLUE, alpha=0.12, linewidth=0)
        axes.plot(ages, heights, color=BLUE)
    if heights.min() < 0:
        axes.axhline(0, color=GREY, linewidth=0.8)
    else:
        axes.set_ylim(bottom=0)
    delay = window.delay * per_second
    axes.axvline(delay, color=RUST, linestyle="--", linewidth=1.2)
    per = f" {_per('s', 2 * window.deriv + 1)}" if window.timed else ""
    axes.set_title(f"noise gain {window.noise_gain:.4g}{per}", loc="right", fontsize=10, color=INK)
    axes.set_title(f"delay {delay:.4g} {name}", loc="left", fontsize=10, color=RUST)


def _per(unit: str, power: int) -> str:
    return f"1/{unit}" if power == 1 else f"1/{unit}$^{power}$"


def _density(window: "Window") -> tuple[np.ndarray, np.ndarray]:
    """Ages in seconds and weight per second, ending where the support does."""
    extent = (window.support_ns or 8 * (window.scale_ns or 0)) / 1e9
    ages = (np.arange(_POINTS) + 0.5) * (extent / _POINTS)
    heights = wm.profile(window, ages)
    if window.shape != "polynomial":
        heights = heights / (heights.sum() * extent / _POINTS)
    if window.support_ns:
        ages, heights = np.append(ages, extent), np.append(heights, 0.0)
    return ages, heights


def _draw_response(gain_axes: "Axes", delay_axes: "Axes", window: "Window", unit: tuple[str, float]) -> None:
    name, per_second = unit
    extent = _extent(window)
    top = 30 / extent if window.timed else 0.5
    freqs = np.geomspace(min(0.02 / extent, top / 100), top, _POINTS)
    response = window.frequency_response(freqs)
    size = np.abs(response)
    gain = 20 * np.log10(np.maximum(size, 1e-300))
    ceiling = gain.max()
    floor = np.clip(np.percentile(gain, 2) - 10, ceiling + FLOOR_DB, ceiling - 20)
    gain_axes.semilogx(freqs, np.maximum(gain, ceiling + 2 * FLOOR_DB), color=BLUE)
    gain_axes.set_ylim(floor, ceiling + 5)
    gain_axes.set(ylabel="gain [dB]")
    step = 1e-4 / extent
    slope = (window.frequency_response(freqs + step) - window.frequency_response(freqs - step)) / (2 * step)
    # Re(i H' / H) is -d phase / d omega without unwrapping; near a zero of H it says nothing.
    clear = size > size.max() * 1e-4
    lag = np.full(freqs.shape, np.nan)
    lag[clear] = np.real(1j * slope[clear] / response[clear]) * per_second / (2 * np.pi)
    delay_axes.semilogx(freqs, lag, color=BLUE)
    low, high = np.nanpercentile(lag, [2, 98])
    margin = 0.15 * max(high - low, 0.1 * abs(high), 0.05 * extent * per_second)
    delay_axes.set_ylim(low - margin, high + margin)
    delay_axes.set(ylabel=f"group delay [{name}]")
    for axes in (gain_axes, delay_axes):
        axes.set_xlim(freqs[0], freqs[-1])
        axes.set_xlabel("frequency [Hz]" if window.timed else "frequency [cycles per sample]")


def _extent(window: "Window") -> float:
    """Width that sets the scale of the frequency axis: samples or seconds."""
    if window.timed:
        return (window.support_ns or 5 * (window.scale_ns or 0)) / 1e9
    return float(window.length or 2 / (window.alpha or 1))
