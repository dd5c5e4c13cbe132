"""Pictures of columns over time, for eyes: one panel or several above each other, gaps left open."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sigconv.errors import SigconvError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("png", "svg", "pdf")
BLUE, PALE, GREY, INK = "#1f5fa8", "#b9bec7", "#e4e6ea", "#3c4048"
COLOURS = (BLUE, "#c8552b", "#2f8f6b", "#8a5aa8", "#c49a1a", "#4aa3c7", "#a8324e", "#6b7280", "#7a8f2a", "#d17fa8")
LABELS = 10  # names that a legend shows
_YEAR = 366 * 86_400 * 10**9


@dataclass(eq=False)
class Curve:
    """A line of a picture: places (row numbers, or nanoseconds since 1970) and values, NaN where there is a gap.

    A faint one is drawn in grey; one without a name stands in no legend.
    """

    name: str
    x: NDArray[Any]
    y: NDArray[np.float64]
    faint: bool = False


@dataclass(eq=False)
class Panel:
    """Curves that share their axes."""

    label: str
    curves: Sequence[Curve]


def kind_of(path: str) -> str:
    """The kind of picture that a file's name asks for.

    Raises
    ------
    SigconvError
        Where it is not known.

    Examples
    --------
    >>> kind_of("a.SVG")
    'svg'
    """
    ending = re.search(r"\.([^./\\]+)$", path)
    kind = ending.group(1).lower() if ending else ""
    if kind not in KINDS:
        raise SigconvError(f"{path}: a picture's name ends in {', '.join('.' + k for k in KINDS[:-1])} or .{KINDS[-1]}")
    return kind


def draw(panels: Sequence[Panel], kind: str, *, title: str = "", place: str = "row", timed: bool) -> bytes:
    """The bytes of a picture.

    Parameters
    ----------
    panels : sequence of Panel
        From top to bottom; they share the axis of places.
    kind : {"png", "svg", "pdf"}
        As from `kind_of`.
    title : str
        Stands above all.
    place : str
        Name of the horizontal axis.
    timed : bool
        Whether places are nanoseconds since 1970: drawn as dates, or as seconds where all lie within its first year.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.2 + (3.6 if len(panels) == 1 else 2.1 * len(panels))), layout="constrained")
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    places = [curve.x[[0, -1]] for panel in panels for curve in panel.curves if len(curve.x)]
    relative = timed and bool(places) and int(np.abs(np.concatenate(places)).max()) < _YEAR
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw_panel(axes, panel, timed, relative)
    bottom = all_axes[-1]
    if timed and not relative:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(maxticks=9)
        bottom.xaxis.set_major_locator(locator)
        bottom.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    bottom.set_xlabel(_plain(f"{place} [s]" if relative and not unit_of(place) else place), color=INK)
    if title:
        all_axes[0].set_title(_plain(title), loc="left", fontsize=12, fontweight="bold", color=INK, pad=10)
    buffer = BytesIO()
    with rc_context({"agg.path.chunksize": 1000}):  # a path at once takes memory for every pixel that it crosses
        figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()


def axis_name(names: Sequence[str], time: Sequence[int]) -> str:
    """What the axis of times is called, where ``time`` are the positions of their columns."""
    return " ".join(names[k] for k in time) or "time"


def unit_of(name: str) -> str:
    """What stands in brackets at the end of a name.

    Examples
    --------
    >>> unit_of("POA [W/m2]"), unit_of("Time (s)"), unit_of("x")
    ('W/m2', 's', '')
    """
    found = re.search(r"[\[(]([^\[\]()]*)[\])]\s*$", name)
    return found.group(1) if found else ""


def _draw_panel(axes: "Axes", panel: Panel, timed: bool, relative: bool) -> None:
    from matplotlib.lines import Line2D

    axes.grid(True, color=GREY, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    axes.margins(x=0.01)
    axes.set_ylabel(_plain(panel.label), color=INK)
    colours = cycle(COLOURS)
    for curve in panel.curves:
        places, y = _opened(curve.x, curve.y)
        x = places if not timed else places / 1e9 if relative else places.astype("datetime64[ns]")
        colour, width = (PALE, 0.9) if curve.faint else (next(colours), 1.2)
        axes.plot(x, y, color=colour, linewidth=width, label=_plain(curve.name) or None)
        # A value that stands alone between gaps has no line; it is seen as a point.
        gaps = np.isnan(np.concatenate([[np.nan], y, [np.nan]]))
        alone = ~gaps[1:-1] & gaps[:-2] & gaps[2:]
        if alone.any():
            axes.plot(x[alone], y[alone], ".", color=colour, markersize=3)
    named = sum(1 for curve in panel.curves if curve.name)
    if named > 1:
        handles, labels = axes.get_legend_handles_labels()
        handles, labels = handles[:LABELS], labels[:LABELS]
        if named > LABELS:
            handles, labels = [*handles, Line2D([], [], linestyle="")], [*labels, f"and {named - LABELS} more"]
        axes.legend(
            handles,
            labels,
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=4,
            fontsize=8,
            frameon=False,
            labelcolor=INK,
        )


def _opened(x: NDArray[Any], y: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The curve with a gap wherever nothing came for far longer than usual."""
    steps = np.diff(x)
    if not len(steps):
        return x, y
    wide = np.flatnonzero(steps > max(10 * np.median(steps), (x[-1] - x[0]) / 50)) + 1
    return np.insert(x, wide, x[wide]), np.insert(y, wide, np.nan)


def _plain(text: str) -> str:
    # matplotlib reads what stands between dollar signs as mathematics; not every byte of a header is text.
    return text.replace("$", r"\$").encode("utf-8", "replace").decode()
