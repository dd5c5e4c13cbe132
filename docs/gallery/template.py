"""Finding a pattern

Cells are brighter at their rims, more or less so, under light that falls off to one side, and in noise. One of them
serves as the template. `match_template` moves it over the image and correlates it with what lies below, less its mean
and by its contrast: 1 is the same pattern however bright, 0 is none. `peaks` picks the places that score highest, each
at some distance from the next.
"""

import matplotlib.pyplot as plt

import sigconv as sc
from sigconv import images

image = plt.imread("sample_data/cells.pgm")
template = plt.imread("sample_data/cell.pgm")

score = sc.match_template(image, template)
places = images.peaks(score, threshold=0.6, min_distance=10)

figure, panels = plt.subplots(
    1, 3, figsize=(9.5, 3.9), width_ratios=[template.shape[1] / image.shape[1] * 2, 1, 1.13], layout="constrained"
)
panels[0].imshow(template, cmap="gray")
panels[0].set_title("template", loc="left")
panels[1].imshow(image, cmap="gray")
panels[1].plot(places[:, 1], places[:, 0], "o", color="#ff7b3a", markersize=20, fillstyle="none", markeredgewidth=1.6)
panels[1].set_title(f"{len(places)} found", loc="left")
drawn = panels[2].imshow(score, cmap="gray", vmin=-0.5, vmax=1)
panels[2].set_title("score", loc="left")
figure.colorbar(drawn, ax=panels[2], shrink=0.75)
for axes in panels:
    axes.set_axis_off()
plt.show()
