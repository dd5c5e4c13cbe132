"""Pictures beside each other, for eyes: an image before and after, a kernel and what it lets through."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from sigconv.io.develop import full_scale
from sigconv.io.pictures import BLUE, COLOURS, GREY, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 1200  # rows and columns that are drawn
_NUMBERS = 11  # rows and columns up to which each weight stands in its cell


def before_and_after(before: np.ndarray, after: np.ndarray, color: str, alpha: bool, kind: str, *, title: str) -> bytes:
    """The bytes of a picture that shows two pages beside each other.

    Parameters
    ----------
    before, after : ndarray
        Pages as `sigconv.io.images.read` gives them.
    color : {"gray", "rgb", "cmyk"}
    alpha : bool
        Whether the last channel is opacity: what is transparent is drawn over white.
    kind : {"png", "svg", "pdf"}
    title : str
        Stands above both.
    """
    rows, columns = before.shape[:2]
    beside = columns <= 1.6 * rows
    width, height = (10.0, 10 * rows / columns / 2 + 0.9) if beside else (10.0, 20 * rows / columns + 1.2)
    figure = _figure(width, min(max(height, 2.5), 14), title)
    axes = figure.subplots(*((1, 2) if beside else (2, 1)))
    for place, page, name in zip(axes, (before, after), ("before", "after"), strict=True):
        shown = _visible(page, color, alpha)
        place.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest" if max(shown.shape) < 400 else "auto")
        place.set_title(f"{name}, {page.shape[1]} x {page.shape[0]}", loc="left", fontsize=10, color=INK)
        place.set_axis_off()
    return _bytes(figure, kind)


def weights(w: np.ndarray, kind: str, *, title: str) -> bytes:
    """The bytes of a picture of a kernel: its weights, its gain over all frequencies, and along three directions."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(11, 4.1, title)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    most = float(np.abs(w).max()) or 1.0
    rows, columns = w.shape
    extent = (-(columns // 2) - 0.5, columns - columns // 2 - 0.5, rows - rows // 2 - 0.5, -(rows // 2) - 0.5)
    drawn = left.imshow(w, cmap="RdBu", vmin=-most, vmax=most, extent=extent)
    if max(w.shape) <= _NUMBERS:
        for i, row in enumerate(w.tolist()):
            for j, value in enumerate(row):
                colour = "white" if abs(value) > 0.6 * most else INK
                size = min(10.0, 54 / max(columns, 4))
                left.text(
                    j - columns // 2, i - rows // 2, f"{value:.2g}", ha="center", va="center", color=colour, size=size
                )
    figure.colorbar(drawn, ax=left, shrink=0.7)
    left.set(xlabel="column", ylabel="row")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    gain = _gain(w)
    flat = middle.imshow(gain, cmap="magma", vmin=0, vmax=float(gain.max()) or 1.0, extent=(-0.5, 0.5, 0.5, -0.5))
    figure.colorbar(flat, ax=middle, shrink=0.7)
    middle.set(xlabel="frequency along rows", ylabel="down columns")
    _along(right, w)
    for place, name in zip((left, middle, right), ("weights", "gain", "gain by direction"), strict=True):
        place.set_title(name, loc="left", fontsize=10, color=INK)
        place.tick_params(colors=INK, labelsize=8)
    return _bytes(figure, kind)


def _along(axes: "Axes", w: np.ndarray) -> None:
    """The gain from no change to the fastest along rows, down columns and between the two."""
    axes.grid(True, color=GREY, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    freqs = np.linspace(0, 0.5, 200)
    directions = {"along rows": (0, 1), "down columns": (1, 0), "diagonal": (np.sqrt(0.5), np.sqrt(0.5))}
    styles = [(BLUE, "-"), (COLOURS[1], "--"), (COLOURS[2], ":")]
    i, j = np.indices(w.shape)
    for (name, (down, along)), (colour, line) in zip(directions.items(), styles, strict=True):
        phase = np.exp(2j * np.pi * freqs[:, np.newaxis] * (down * i.ravel() + along * j.ravel()))
        axes.plot(freqs, np.abs(phase @ w.ravel()), line, color=colour, linewidth=1.6, label=name)
    axes.set(xlabel="frequency [cycles per pixel]", xlim=(0, 0.5))
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)


def _gain(w: np.ndarray, size: int = 128) -> np.ndarray:
    size = max(size, *w.shape)
    return np.abs(np.fft.fftshift(np.fft.fft2(w, (size, size))))


def _visible(page: np.ndarray, color: str, alpha: bool) -> Any:
    """A page as numbers from 0 to 1, in one channel or three, not larger than what can be seen."""
    step = -(-max(page.shape[:2]) // _MOST)
    page = page[::step, ::step]
    v = page.astype(np.float64)
    if page.dtype.kind == "f":
        colours = v[..., :-1] if alpha else v
        seen = colours[np.isfinite(colours)]
        low, high = (seen.min(), seen.max()) if seen.size else (0.0, 1.0)
        if low < 0 or high > 1:  # no shares of white: the darkest is black, the brightest is white
            colours -= low
            colours /= (high - low) or 1.0
    else:
        v /= full_scale(page.dtype)
    if alpha:
        share = np.clip(v[..., -1:], 0, 1)
        v = v[..., :-1] * share + (1 - share)
    if color == "cmyk":
        v = (1 - v[..., :3]) * (1 - v[..., 3:4])
    if v.ndim == 3 and v.shape[2] != 3:
        v = v[..., 0]
    return np.clip(np.nan_to_num(v), 0, 1)


def _figure(width: float, height: float, title: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    plain = title.replace("$", r"\$").encode("utf-8", "replace").decode()
    figure.suptitle(plain if len(plain) <= 80 else plain[:77] + "...", fontsize=12, fontweight="bold", color=INK)
    return figure


def _bytes(figure: "Figure", kind: str) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()
