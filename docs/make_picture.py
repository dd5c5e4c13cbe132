"""Draw smooth.png: the sample data before and after smoothing.

python docs/make_picture.py
"""

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import sigconv as sc

HERE = Path(__file__).parent
GREY, BLUE, ORANGE = "#9aa3ad", "#1f5fa8", "#d9631e"


def main() -> None:
    """Write the picture."""
    with open(HERE.parent / "sample_data" / "probe.csv", newline="") as file:
        rows = list(csv.DictReader(file))[:1000]  # before the silence
    time, x, y, depth = (np.array([float(row[name] or "nan") for row in rows]) for name in ("time", "x", "y", "depth"))

    def smooth(values: np.ndarray) -> np.ndarray:
        """Outliers out, then a straight line through the past twelve seconds: smooth, with little delay."""
        clean, _ = sc.hampel(values, "8s", times=time, threshold=4, min_scale=1.5)
        return sc.smooth(clean, "polynomial:12s,degree=1", times=time)

    seconds = time - time[0]
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.45, 1])
    for axes, values, name in (
        (figure.add_subplot(grid[0, 0]), x, "x [m]"),
        (figure.add_subplot(grid[1, 0]), depth, "depth [m]"),
    ):
        axes.plot(seconds, values, ".", color=GREY, markersize=3, label="as it came")
        axes.plot(seconds, smooth(values), color=BLUE, linewidth=1.6, label="smoothed")
        axes.set(ylabel=name, xlim=(0, 300))
    figure.axes[0].legend(loc="upper right", ncols=2, frameon=False)
    figure.axes[1].set_xlabel("time [s]")
    track = figure.add_subplot(grid[:, 1])
    track.plot(x, y, ".", color=GREY, markersize=3)
    track.plot(smooth(x), smooth(y), color=ORANGE, linewidth=1.6)
    track.set(xlabel="x [m]", ylabel="y [m]", aspect="equal")
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e6e8eb", linewidth=0.7)
    figure.savefig(HERE / "smooth.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
