"""What an image file holds: pages of samples, what they mean, and what travels along with them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigconv.errors import SigconvError
from sigconv.io.memory import available

Page = NDArray[Any]
_MUCH = 1 << 27  # pixels, of a byte at least, from which on it matters how much memory there is


class ImageError(SigconvError):
    """An image file that cannot be read or written; the message names the file and what is wrong, in one line."""


class Refusal(Exception):
    """What is wrong with a file, said by who does not know its name."""


@dataclass
class About:
    """What travels along with the pixels of an image.

    Attributes
    ----------
    icc : bytes or None
        The ICC profile.
    exif : bytes or None
        EXIF as a block that begins with the byte order ("II*" or "MM"), as it stood in the file.
    xmp : bytes or None
        The XMP packet.
    dpi : (float, float) or None
        Pixels per inch along columns and rows.
    orientation : int
        1 to 8 as EXIF and TIFF number them: how the pixels have to be turned to stand upright.
    details : dict
        What only the file's own format knows, such as the compression of a TIFF.
    lost : list of str
        What the file holds and a picture does not, such as an animation beside the still image.
    own : list of str
        What of the details no other format has room for, in words.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int = 1
    details: dict[str, Any] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)


@dataclass
class Picture:
    """Pages of samples, and what they mean.

    Attributes
    ----------
    pages : list of ndarray
        Each (rows, columns) or (rows, columns, channels), C-contiguous, in the machine's byte order. Samples of less
        than 8 bits are widened to uint8, so that white is 255, and those of 10, 12 or 14 to uint16.
    format : str
        "png", "jpeg", "tiff", "webp", "bmp", "pnm", "pfm" or "npy".
    color : str
        "gray", "rgb" or "cmyk". Arrays of NPY files are "rgb" where they have three channels, else "gray": what their
        channels mean is not known, and none is taken for opacity.
    alpha : bool
        Whether the last channel is opacity; colours are then straight, not premultiplied.
    bits : int
        Bits of a sample in the file. Writing rounds to as many again.
    palette : bool
        Whether the file had a palette; pages then hold its colours, and are written as such.
    about : About
        What travels along.
    """

    pages: list[Page]
    format: str
    color: str
    alpha: bool = False
    bits: int = 8
    palette: bool = False
    about: About = field(default_factory=About)

    @property
    def orientations(self) -> list[int]:
        """How each page has to be turned: as the first one, unless a TIFF tells them apart."""
        told: list[int] | None = self.about.details.get("orientations")
        return told or [self.about.orientation] * len(self.pages)


def limited(rows: int, columns: int, max_pixels: int) -> None:
    """Refuse a size from a header before anything is made for it."""
    if rows < 1 or columns < 1:
        raise Refusal(f"has {columns} x {rows} pixels")
    if rows * columns > max_pixels:
        raise Refusal(f"has {columns} x {rows} pixels, more than the limit of {max_pixels:,}")
    if rows * columns > _MUCH and rows * columns > (free := available()):
        raise Refusal(f"has {columns} x {rows} pixels, too many for the {free / 1e9:,.1f} GB of memory that are free")


def channels(page: Page) -> int:
    """How many channels a page has."""
    return 1 if page.ndim == 2 else page.shape[2]


def widened(levels: Page, bits: int) -> Page:
    """Samples of 1, 2 or 4 bits over the full scale of 8.

    Examples
    --------
    >>> widened(np.array([0, 1, 2, 3], np.uint8), 2)
    array([  0,  85, 170, 255], dtype=uint8)
    """
    return levels * np.uint8(255 // ((1 << bits) - 1))


def narrowed(samples: Page, bits: int) -> Page:
    """The levels of 1, 2 or 4 bits that are nearest to samples of 8; what stands between two goes to the upper one.

    Examples
    --------
    >>> narrowed(np.array([0, 84, 100, 255], np.uint8), 2)
    array([0, 1, 1, 3], dtype=uint8)
    """
    step = 255 // ((1 << bits) - 1)
    return ((samples.astype(np.uint16) + step // 2) // step).astype(np.uint8)
