"""Filters of images: arrays of rows and columns, or of rows, columns and channels, each channel by itself.

The result has the image's dtype: integers are rounded half to even, and what is too large or too small becomes the
largest or smallest that the dtype holds. Borders are "mirror" where none is named, which OpenCV calls
BORDER_REFLECT_101; `sigconv.borders` lists the others, and ``cval`` is what stands around a "constant" one.
"""

from typing import TYPE_CHECKING, Any

from sigconv.images.edges import edges, prewitt, scharr, sobel
from sigconv.images.kernels import kernel
from sigconv.images.weighted import box, emboss, filter, gaussian, laplacian, log, sharpen, unsharp

if TYPE_CHECKING:
    from sigconv.images.ranks import dilate, erode, median, peaks, pool

_RANKS = ("dilate", "erode", "median", "peaks", "pool")  # pools and running filters are imported for them alone

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


def __getattr__(name: str) -> Any:
    if name not in _RANKS:
        raise AttributeError(f"module 'sigconv.images' has no attribute {name!r}")
    from sigconv.images import ranks

    globals().update({rank: getattr(ranks, rank) for rank in _RANKS})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
