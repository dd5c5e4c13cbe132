"""What a window lets through

Four windows that are equally good against white noise: each leaves a tenth of its power. They differ in what it costs.
The exponential answers a step soonest and needs no memory but one number, yet never quite forgets. The boxcar is done
after ten samples and lets some frequencies through by its side lobes. The half Gaussian falls off without lobes. The
polynomial fits a line to the past: a steady slope passes without delay, and a step overshoots.
"""

import matplotlib.pyplot as plt
import numpy as np

import sigconv as sc

windows = {
    "boxcar": sc.windows.uniform(10),
    "exponential": sc.windows.exponential(span=10),
    "half Gaussian": sc.windows.gaussian(5.6),
    "line": sc.windows.polynomial(38, degree=1),
}
freqs = np.linspace(0.001, 0.5, 500)
steps = np.repeat([0.0, 1.0], [40, 50])

figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
for (name, window), color in zip(windows.items(), ["#1f5fa8", "#c8552b", "#2f8f6b", "#8a5aa8"], strict=True):
    panels[0].plot(window.weights(40), color=color, label=f"{name}, {window.noise_gain:.2f}")
    panels[1].plot(freqs, 20 * np.log10(abs(window.frequency_response(freqs)) + 1e-6), color=color)
    panels[2].plot(np.arange(-10, 50), sc.smooth(steps, window)[30:], color=color)
panels[0].legend(title="noise gain", frameon=False)
panels[0].set(title="weights", xlabel="age [samples]", xlim=(0, 39))
panels[1].set(title="gain [dB]", xlabel="frequency [cycles per sample]", xlim=(0, 0.5), ylim=(-50, 5))
panels[2].set(title="answer to a step", xlabel="samples since the step", xlim=(-10, 49))
plt.show()
