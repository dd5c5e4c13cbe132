"""Image files: what they hold comes out as a `Picture`, and goes back as a file of the same kind.

Formats are told by what a file begins with, and when writing by its name. Sizes are read from headers and held
against a limit before any decoder runs; what is damaged or cut off is refused with an `ImageError`.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from sigconv.errors import SigconvError
from sigconv.io.images.picture import About, ImageError, Picture, Refusal
from sigconv.io.images.room import has_room, left_out

__all__ = ["About", "ImageError", "Picture", "begun_as", "format_of", "has_room", "left_out", "read", "write"]

MAX_PIXELS = 10**9

_SUFFIXES = {
    **dict.fromkeys(("png", "apng"), "png"),
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "jpeg"),
    **dict.fromkeys(("tif", "tiff", "btf", "tf8"), "tiff"),
    **dict.fromkeys(("pgm", "ppm", "pbm", "pnm"), "pnm"),
    **{name: name for name in ("webp", "bmp", "pfm", "npy")},
}
_MAGIC = [
    (rb"\x89PNG\r\n\x1a\n", "png"),
    (rb"\xff\xd8\xff", "jpeg"),
    (rb"II[*+]\0|MM\0[*+]", "tiff"),
    (rb"RIFF....WEBP", "webp"),
    (rb"BM", "bmp"),
    (rb"P[1-6][\s#]", "pnm"),
    (rb"P[Ff]\s", "pfm"),
    (rb"\x93NUMPY", "npy"),
    (rb"GIF8[79]a", "GIF"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"....ftyp(?:avif|avis)", "AVIF"),
    (rb"....ftyp(?:hei|mif1|msf1)", "HEIC"),
    (rb"8BPS", "Photoshop"),
    (rb"P7\s", "PAM"),
    (rb"%PDF", "PDF"),
    (rb"\x76\x2f\x31\x01", "OpenEXR"),
    (rb"#\?(?:RADIANCE|RGBE)", "Radiance HDR"),
]
_READ = "PNG, JPEG, TIFF, WebP, BMP, PNM, PFM and NPY are read"


def format_of(name: str | Path) -> str | None:
    """The format that the end of a file's name tells; None where it tells none.

    Examples
    --------
    >>> format_of("scan.TIF"), format_of("scan"), format_of("a.jpg")
    ('tiff', None, 'jpeg')
    """
    return _SUFFIXES.get(Path(name).suffix[1:].lower())


def begun_as(head: bytes) -> str | None:
    """The format of a file with such first bytes, of which 16 are enough; None where it is not known.

    Examples
    --------
    >>> begun_as(b"P5 3 1 255 ")
    'pnm'
    """
    return next((kind for magic, kind in _MAGIC if re.match(magic, head, re.DOTALL)), None)


def read(source: str | Path | BinaryIO, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """What an image file holds.

    Parameters
    ----------
    source : str, Path or binary file
        PNG, JPEG, TIFF, WebP, BMP, PNM (P1 to P6), PFM or NPY: told by what it begins with, whatever its name.
    max_pixels : int
        The most pixels, rows times columns and all pages together, that are decoded; looked up in the header.

    Returns
    -------
    Picture

    Raises
    ------
    ImageError
        Where the file is damaged, cut off, too large, of another format, or an animation.
    OSError
        Where it cannot be read at all.

    Examples
    --------
    >>> import io
    >>> picture = read(io.BytesIO(b"P2 3 1 15 0 5 15"))
    >>> picture.pages[0], picture.color, picture.bits
    (array([[  0,  85, 255]], dtype=uint8), 'gray', 4)
    """
    if isinstance(source, str | Path):
        with open(source, "rb") as opened:
            return _read(opened, str(source), max_pixels)
    file = source if source.seekable() else io.BytesIO(source.read())
    return _read(file, _name(source), max_pixels)


def write(
    picture: Picture, target: str | Path | BinaryIO, *, format: str | None = None, quality: int | None = None
) -> list[str]:
    """Write an image file.

    Parameters
    ----------
    picture : Picture
        What to write.
    target : str, Path or binary file
        A file that exists is overwritten; one that cannot be written whole does not appear.
    format : str, optional
        As in `Picture.format`. Without it the name decides, then the picture's own format.
    quality : int, optional
        1 to 100, of JPEG and lossy WebP; a JPEG's own quality, if none is given, else 92.

    Returns
    -------
    list of str
        What could not be kept, such as a palette.

    Raises
    ------
    ImageError
        Where the format cannot hold such a picture.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> file = io.BytesIO()
    >>> write(Picture([np.zeros((2, 3), np.uint8)], "pnm", "gray"), file)
    []
    >>> file.getvalue()
    b'P5\\n3 2\\n255\\n\\x00\\x00\\x00\\x00\\x00\\x00'
    """
    if isinstance(target, str | Path):
        kind, name = format or format_of(target) or picture.format, str(target)
        draft = io.BytesIO()
        notes = _write(picture, draft, name, kind, quality)
        from sigconv.io.files import writing

        with writing(name, overwrite=True) as put:
            put(draft.getbuffer())
        return notes
    return _write(picture, target, _name(target), format or format_of(_name(target)) or picture.format, quality)


def _read(file: BinaryIO, name: str, max_pixels: int) -> Picture:
    with _told(name, "is damaged"):
        file.seek(0)
        head = file.read(16)
        file.seek(0)
        if not head:
            raise Refusal("is empty")
        kind = begun_as(head)
        if kind is None:
            raise Refusal(f"is no image that is known here: {_READ}")
        if kind not in _SUFFIXES.values():
            raise Refusal(f"is of the format {kind}: {_READ}")
        module, reader = _HOMES[kind]
        return getattr(import_module(f"sigconv.io.images.{module}"), f"read_{reader}")(file, max_pixels)


def _write(picture: Picture, file: BinaryIO, name: str, kind: str, quality: int | None) -> list[str]:
    if kind not in _HOMES:
        raise ValueError(f"format must be one of {', '.join(_HOMES)}, got {kind!r}")
    if not file.seekable():
        draft = io.BytesIO()
        notes = _write(picture, draft, name, kind, quality)
        file.write(draft.getbuffer())
        return notes
    with _told(name, "cannot be written"):
        if len(picture.pages) != 1 and kind != "tiff":
            raise Refusal(f"cannot hold {len(picture.pages)} pages: TIFF can")
        module, writer = _HOMES[kind]
        write = getattr(import_module(f"sigconv.io.images.{module}"), f"write_{writer}")
        notes = write(picture, file, quality) if kind in ("jpeg", "webp", "tiff") else write(picture, file)
    return [*left_out(picture.about, picture.format, kind), *notes]


_HOMES = {
    **{name: (name, name) for name in ("png", "jpeg", "tiff", "webp", "bmp", "pnm", "npy")},
    "pfm": ("pnm", "pfm"),
}


def _name(file: BinaryIO) -> str:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and name != "<stdin>" else "standard input" if name else "image"


@contextmanager
def _told(name: str, trouble: str) -> Iterator[None]:
    # Whatever a decoder says of a file ends here: in one line that names it.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Refusal as refusal:
        raise ImageError(f"{name}: {refusal}") from refusal
    except SigconvError:
        raise
    except MemoryError as error:
        raise ImageError(f"{name}: is too large for the memory there is") from error
    except OSError as error:
        if error.errno is not None:  # the file system's, not a decoder's
            raise
        raise ImageError(f"{name}: {trouble}: {_line(error)}") from error
    except Exception as error:
        raise ImageError(f"{name}: {trouble}: {_line(error)}") from error


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."
