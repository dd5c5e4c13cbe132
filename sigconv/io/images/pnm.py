"""PNM (P1 to P6) and PFM: a line of text, then samples."""

import re
import sys
from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images.picture import Page, Picture, Refusal, channels, limited

_COUNT = rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,9})"  # comments may stand between the numbers of a header
_MOST_HEAD = 1 << 16  # bytes of a header with its comments


def read_pnm(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a PNM file that stands at its beginning.

    The largest value that its header allows stands for white, and is made the largest of uint8 or uint16.
    """
    kind, columns, rows, most, end = pnm_head(file.read(_MOST_HEAD))
    limited(rows, columns, max_pixels)
    shape = (rows, columns, 3) if kind in (3, 6) else (rows, columns)
    file.seek(end)
    levels: Page
    if kind == 4:
        packed = np.frombuffer(_exactly(file, rows * ((columns + 7) // 8)), np.uint8).reshape(rows, -1)
        levels = np.unpackbits(packed, axis=1, count=columns) ^ 1
    elif kind > 4:
        dtype = np.dtype(np.uint8 if most < 256 else ">u2")
        levels = np.frombuffer(_exactly(file, int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)
    else:
        levels = _from_text(file, kind, int(np.prod(shape)), most).reshape(shape)
    page = widened(levels, most)
    color = "rgb" if kind in (3, 6) else "gray"
    bits = {1: 1, 3: 2, 15: 4}.get(most, 8 * page.dtype.itemsize)
    picture = Picture([page], "pnm", color, bits=bits if color == "gray" else 8 * page.dtype.itemsize)
    picture.about.details = {"kind": kind, "most": most}
    return picture


def pnm_head(head: bytes) -> tuple[int, int, int, int, int]:
    """The kind, 1 to 6, columns, rows, the largest value and where samples begin.

    Examples
    --------
    >>> pnm_head(b"P5 3 2 255 ......")
    (5, 3, 2, 255, 11)
    """
    kind = int(head[1:2])
    found = re.match(rb"P\d" + _COUNT * (2 if kind in (1, 4) else 3) + rb"\s", head)
    if found is None:
        raise Refusal("is damaged: its header is not complete")
    columns, rows, most = (*map(int, found.groups()), 1)[:3]
    if not 0 < most < 65536:
        raise Refusal(f"is damaged: its largest value is {most}")
    return kind, columns, rows, most, found.end()


def write_pnm(picture: Picture, file: BinaryIO) -> list[str]:
    """Write a picture of one page; notes of what could not be kept."""
    (page,) = picture.pages
    if page.dtype not in (np.uint8, np.uint16) or picture.color == "cmyk" or channels(page) not in (1, 2, 3, 4):
        raise Refusal(f"PNM holds no {picture.color} images of {channels(page)} channels in {page.dtype}")
    notes = []
    if picture.alpha:
        page = page[..., :-1]
        notes.append("PNM has no opacity: it is left out")
    if page.ndim == 3 and page.shape[2] == 1:
        page = page[..., 0]
    rows, columns = page.shape[:2]
    full = np.iinfo(page.dtype).max
    details = picture.about.details if picture.format == "pnm" else {}
    most = details.get("most", (1 << picture.bits) - 1 if picture.bits in (1, 2, 4) else full)
    if not (0 < most <= full and (full == 255 or most > 255)):  # the samples became wider or narrower
        most = full
    kind = details.get("kind", 4 if most == 1 else 5)
    text, bilevel = kind < 4, kind in (1, 4) and page.ndim == 2 and most == 1
    kind = (1 if bilevel else 3 if page.ndim == 3 else 2) + (0 if text else 3)
    levels = narrowed(page, most)
    file.write(b"P%d\n%d %d\n" % (kind, columns, rows) + (b"" if bilevel else b"%d\n" % most))
    if text:
        values = (levels ^ 1 if bilevel else levels).reshape(rows, -1)
        for row in values.tolist():
            for start in range(0, len(row), 11):  # lines should not be longer than 70 characters
                file.write(" ".join(map(str, row[start : start + 11])).encode() + b"\n")
    elif bilevel:
        file.write(np.packbits(levels ^ 1, axis=1).data)
    else:
        file.write(np.ascontiguousarray(levels, ">u2" if most > 255 else np.uint8).data.cast("B"))
    return notes


def widened(levels: Page, most: int) -> Page:
    """Samples from 0 to ``most`` over the full scale of uint8, or of uint16 where ``most`` is above 255.

    Examples
    --------
    >>> widened(np.array([0, 50, 100]), 100), widened(np.array([0, 4095]), 4095)
    (array([  0, 128, 255], dtype=uint8), array([    0, 65535], dtype=uint16))
    """
    full = 255 if most < 256 else 65535
    dtype = np.uint8 if most < 256 else np.uint16
    if levels.size and int(levels.max()) > most:
        raise Refusal(f"is damaged: it holds {int(levels.max())}, its largest value being {most}")
    if most == full:
        return np.ascontiguousarray(levels, dtype)
    scale = (np.arange(most + 1, dtype=np.uint32) * (2 * full) + most) // (2 * most)
    return scale.astype(dtype)[levels]


def narrowed(samples: Page, most: int) -> Page:
    """What `widened` made, as it was; samples between two levels become the nearer one.

    Examples
    --------
    >>> narrowed(np.array([0, 128, 129, 255], np.uint8), 100)
    array([  0,  50,  51, 100], dtype=uint8)
    """
    full = int(np.iinfo(samples.dtype).max)
    if most == full:
        return samples
    scale = (np.arange(full + 1, dtype=np.uint64) * (2 * most) + full) // (2 * full)
    return scale.astype(samples.dtype)[samples]


def read_pfm(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a PFM file that stands at its beginning."""
    shape, scale, order, end = pfm_head(file.read(1024))
    limited(shape[0], shape[1], max_pixels)
    file.seek(end)
    samples = np.frombuffer(_exactly(file, 4 * int(np.prod(shape))), f"{order}f4").reshape(shape)[::-1]
    picture = Picture([np.ascontiguousarray(samples, np.float32)], "pfm", "rgb" if len(shape) == 3 else "gray", bits=32)
    picture.about.details = {"scale": scale, "order": order}
    return picture


def pfm_head(head: bytes) -> tuple[tuple[int, ...], bytes, str, int]:
    """The shape, the scale as it is written, the byte order that its sign tells, and where samples begin."""
    found = re.match(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+([+-]?\d*\.?\d*(?:[eE][+-]?\d{1,3})?)\s", head)
    try:
        order = "<" if found is not None and float(found[4]) < 0 else ">"
    except ValueError:
        found = None
    if found is None:
        raise Refusal("is damaged: its header is not complete")
    columns, rows = int(found[2]), int(found[3])
    return (rows, columns, 3) if found[1] == b"F" else (rows, columns), found[4], order, found.end()


def write_pfm(picture: Picture, file: BinaryIO) -> list[str]:
    """Write a picture of one page, rows from the bottom up; notes of what could not be kept."""
    (page,) = picture.pages
    if picture.color == "cmyk" or channels(page) - picture.alpha not in (1, 3) or page.dtype.kind != "f":
        raise Refusal(f"PFM holds no {picture.color} images of {channels(page)} channels in {page.dtype}")
    notes = []
    if picture.alpha:
        page = page[..., :-1]
        notes.append("PFM has no opacity: it is left out")
    if page.dtype.itemsize > 4:
        notes.append("float64 became float32")
    details: dict[str, Any] = picture.about.details if picture.format == "pfm" else {}
    order = details.get("order", "<" if sys.byteorder == "little" else ">")
    scale = details.get("scale", b"-1.0" if order == "<" else b"1.0")
    rows, columns = page.shape[:2]
    file.write(b"P%s\n%d %d\n%s\n" % (b"F" if channels(page) == 3 else b"f", columns, rows, scale))
    file.write(np.ascontiguousarray(page[::-1], f"{order}f4").data.cast("B"))
    return notes


def _exactly(file: BinaryIO, size: int) -> bytes:
    here = file.tell()
    if file.seek(0, 2) - here < size:
        raise Refusal("ends in the middle: it is cut off or damaged")
    file.seek(here)
    return file.read(size)


def _from_text(file: BinaryIO, kind: int, count: int, most: int) -> Page:
    text = file.read()
    if len(text) < count:
        raise Refusal("ends in the middle: it is cut off or damaged")
    text = re.sub(rb"#[^\n\r]*", b"", text)
    if kind == 1:  # zeros and ones need no blanks between them
        digits = np.frombuffer(text, np.uint8)
        digits = digits[(digits > 32)][:count]
        if len(digits) < count or ((digits != 48) & (digits != 49)).any():
            raise Refusal("is damaged: it holds too few pixels, or something else")
        return (digits == 48).astype(np.uint8)
    words = text.split(maxsplit=count)[:count]
    if len(words) < count or not all(word.isdigit() and len(word) < 6 for word in words):
        raise Refusal("is damaged: it holds too few numbers, or something else")
    return np.array(words).astype(np.uint32)
