"""Filters of images: arrays of rows and columns, or of rows, columns and channels, each channel by itself.

The result has the image's dtype: integers are rounded half to even, and what is too large or too small becomes the
largest or smallest that the dtype holds. Borders are "mirror" where none is named, which OpenCV calls
BORDER_REFLECT_101; `sigconv.borders` lists the others, and ``cval`` is what stands around a "constant" one.
"""

from sigconv.images.edges import edges, prewitt, scharr, sobel
from sigconv.images.kernels import kernel
from sigconv.images.ranks import dilate, erode, median, peaks, pool
from sigconv.images.weighted import box, emboss, filter, gaussian, laplacian, log, sharpen, unsharp

__all__ = [
    "box",
    "dilate",
    "edges",
    "emboss",
    "erode",
    "filter",
    "gaussian",
    "kernel",
    "laplacian",
    "log",
    "median",
    "peaks",
    "pool",
    "prewitt",
    "scharr",
    "sharpen",
    "sobel",
    "unsharp",
]
