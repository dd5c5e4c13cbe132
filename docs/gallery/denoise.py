"""Denoising a channel

An underwater probe reports its depth at uneven steps, in pulses with pauses between them. Some readings are missing, a
few are far off, and all are noisy. A Hampel filter takes out what is far from its neighbours; the Gaussian that follows
weighs the past by age in seconds, not by count, so that a burst of readings does not outvote the rest. Both look at the
past only: the curve is what a live display would have shown, and trails the readings by the delay of its window.
"""

import matplotlib.pyplot as plt
import numpy as np

import sigconv as sc

with open("sample_data/probe.csv") as file:
    rows = [line.split(",") for line in file][1:380]
time = np.array([float(row[0]) for row in rows])
depth = np.array([float(row[3] or "nan") for row in rows])

window = sc.windows.gaussian("3s")
clean, spikes = sc.hampel(depth, "8s", times=time, threshold=4, min_scale=0.3)
smooth = sc.smooth(clean, window, times=time)

seconds = time - time[0]
figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
axes.plot(seconds, depth, ".", color="#9aa3ad", markersize=4, label="as it came")
axes.plot(seconds[spikes], depth[spikes], "x", color="#c8552b", label="outliers")
axes.plot(seconds, smooth, color="#1f5fa8", linewidth=2, label=f"smoothed, delay {window.delay:.1f} s")
axes.set(xlabel="time [s]", ylabel="depth [m]", xlim=(0, seconds[-1]))
axes.legend(loc="upper center", frameon=False)
plt.show()
