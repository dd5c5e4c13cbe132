"""Edges under noise

Discs and bars, half hidden by noise. The Sobel operator says how steep the picture is at each pixel, noise included.
`edges` blurs first, keeps crests that are one pixel wide, and asks a crest to be steep somewhere, not everywhere: above
`high` it counts, and from there on as far as it stays above `low`. Weak stretches of a true edge are kept that way, and
equally steep grains of noise are not.
"""

import matplotlib.pyplot as plt
import numpy as np

from sigconv import images

rng = np.random.default_rng(7)
rows, columns = np.mgrid[:200, :200]
scene = 80.0 + 0.2 * rows
scene[np.hypot(rows - 70, columns - 70) < 45] += 70
scene[np.hypot(rows - 85, columns - 85) < 20] -= 50
scene[(abs(rows + columns - 270) < 16) & (rows > 95)] += 50
image = np.clip(np.rint(scene + rng.normal(0, 18, scene.shape)), 0, 255).astype(np.uint8)

steep = images.sobel(image, dtype="float32")
lines = images.edges(image, low=30, high=60, sigma=2)

figure, panels = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for axes, picture, title in zip(panels, [image, steep, ~lines], ["image", "sobel", "edges"], strict=True):
    axes.imshow(picture, cmap="gray")
    axes.set_title(title, loc="left")
    axes.set_axis_off()
plt.show()
