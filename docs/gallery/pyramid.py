"""A pyramid of pools

A picture at half, a quarter and an eighth of its size, each level from the one before: the blocks of two by two pixels
become one, their mean or their largest. The mean is the honest smaller picture; nebula and noise fare well, but a star
of one pixel fades to a quarter at each level. The largest keeps every star as bright as it was, and lifts
the noise around it. Thumbnails want the first, and whoever looks for small things the second.
"""

import matplotlib.pyplot as plt
import numpy as np

from sigconv import images

rng = np.random.default_rng(3)
rows, columns = np.mgrid[:192, :192]
sky = 45 * np.exp(-((rows - 120) ** 2 + (columns - 60) ** 2) / 4000) + rng.normal(20, 5, (192, 192))
sky[rng.integers(192, size=60), rng.integers(192, size=60)] += rng.uniform(80, 220, 60)
image = np.clip(np.rint(sky), 0, 255).astype(np.uint8)

figure, panels = plt.subplots(2, 4, figsize=(9, 4.9), layout="constrained")
for row, kind in zip(panels, ["mean", "max"], strict=True):
    level = image
    for axes in row:
        axes.imshow(level, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(
            f"{kind}, {len(level)} x {len(level)}" if level is not image else "image, 192 x 192", fontsize=10
        )
        axes.set_axis_off()
        level = images.pool(level, kind, 2)
plt.show()
