"""JPEG: libjpeg decodes and encodes the samples; the segments around them are read and written here.

imagecodecs and Pillow bring the same libjpeg. The first decodes straight into arrays, and several at once; the second
knows CMYK, arithmetic coding, and tables of one's own.
"""

import re
import struct
from io import BytesIO
from math import prod
from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images.exif import for_writing, minimal, orientation_of
from sigconv.io.images.picture import About, Page, Picture, Refusal, channels, limited

QUALITY = 92
_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_COLORS = {1: "gray", 3: "rgb", 4: "cmyk"}  # of so many channels
_MODES = ("L", "RGB", "CMYK")
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_HUFFMAN = (0xC0, 0xC1, 0xC2)
_READ_FRAMES = (*_HUFFMAN, 0xC9, 0xCA)
_RESTART = re.compile(rb"(\xff[\xd0-\xd7])")
_MANY = 1 << 18  # pixels for which another thread is worth it
_PIECE = 65533  # bytes that a segment holds
_TAIL = bytes(range(7, 250, 5))  # decodes to something, whatever the codes
Segments = list[tuple[int, bytes]]


def read_jpeg(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a JPEG file that stands at its beginning."""
    data = file.read()
    segments, start = _segments(data)
    frames = [(marker, body) for marker, body in segments if marker in _FRAMES]
    if len(frames) != 1 or len(frames[0][1]) < 6:
        raise Refusal("is damaged: it does not tell its size")
    marker, frame = frames[0]
    precision, rows, columns, count = struct.unpack_from(">BHHB", frame)
    limited(rows, columns, max_pixels)
    if precision != 8 or marker not in _READ_FRAMES or count not in (1, 3, 4):
        raise Refusal(f"is JPEG of {count} channels, {precision} bits, process {marker - 0xC0}, which is not read")
    end, ended = _scans(data, start)
    if marker in _HUFFMAN:
        page, longer = _decoded_both(data[:end], ended, (rows, columns), count)
        if not _same(page, longer):
            raise Refusal("is damaged: its data end before the image does")
    else:
        page = _decoded_slowly(data[:end])
    about = _about(segments)
    if data.find(b"MPF\0", 0, start) > 0:
        about.lost.append("further images of the file (MPO)")
    elif data[end:].strip(b"\0\xff"):
        about.lost.append(f"{len(data) - end:,} bytes behind the image")
    about.details.update(tables_of(data, None))
    about.details["progressive"] = marker in (0xC2, 0xCA)
    return Picture([np.ascontiguousarray(page)], "jpeg", _COLORS[count], about=about)


def write_jpeg(picture: Picture, file: BinaryIO, quality: int | None = None) -> list[str]:
    """Write a picture of one page; notes of what could not be kept."""
    notes: list[str] = []
    (page,) = picture.pages
    if page.dtype != np.uint8 or channels(page) - picture.alpha != {"gray": 1, "rgb": 3, "cmyk": 4}[picture.color]:
        raise Refusal(f"JPEG holds no {picture.color} images of {channels(page)} channels in {page.dtype}")
    if max(page.shape[:2]) > 65500:
        raise Refusal(f"JPEG holds no {page.shape[1]} x {page.shape[0]} pixels: 65500 are the most of a side")
    if picture.alpha:
        page = page[..., :-1]
        notes.append("JPEG has no opacity: it is left out")
    if page.ndim == 3 and page.shape[2] == 1:
        page = page[..., 0]
    details = picture.about.details if picture.format == "jpeg" else {}
    data = encoded(page, picture.color, details, quality)
    file.write(b"\xff\xd8")
    for marker, body in _written_about(picture, details, notes):
        file.write(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)
    at = 2
    if data[2:4] == b"\xff\xe0":
        at += 2 + int.from_bytes(data[4:6], "big")
    file.write(memoryview(data)[at:])
    return notes


def encoded(page: Page, color: str, details: dict[str, Any], quality: int | None) -> bytes:
    """The samples as a JPEG file without anything around them.

    ``details`` may tell the tables of another file, which then decide unless a quality is given.
    """
    from PIL import Image

    mode = {"gray": "L", "rgb": "RGB", "cmyk": "CMYK"}[color]
    options: dict[str, Any] = {"progressive": bool(details.get("progressive")), "keep_rgb": bool(details.get("plain"))}
    tables = details.get("quantization")
    if quality is None and tables:
        options["qtables"] = {k: tables[k] for k in sorted(tables)}
    else:
        options["quality"] = QUALITY if quality is None else quality
    sampling = details.get("subsampling", 0 if options.get("quality", 0) >= 90 else 2)
    if color != "gray":
        options["subsampling"] = max(sampling, 0)
    out = BytesIO()
    image = Image.frombytes(mode, (page.shape[1], page.shape[0]), np.ascontiguousarray(page).data)
    image.save(out, "JPEG", **options)
    return out.getvalue()


def tables_of(data: bytes, tables: bytes | None) -> dict[str, Any]:
    """What makes the quality of a JPEG file, or of a part of a TIFF whose tables stand elsewhere."""
    from PIL.JpegImagePlugin import JpegImageFile, get_sampling

    image = JpegImageFile(BytesIO(data if not tables else tables[:-2] + data[2:]))
    quantization = {k: list(table) for k, table in image.quantization.items()}
    return {"quantization": quantization, "subsampling": get_sampling(image)}


def lengthened(data: bytes, size: tuple[int, int], count: int) -> bytes:
    """A part of a TIFF with more data than it has: it decodes to the same unless some are missing.

    Refused where its header tells another size than is due.
    """
    segments, start = _segments(data)
    frames = [body for marker, body in segments if marker in _HUFFMAN]
    if len(frames) != 1 or len(frames[0]) < 6:
        raise Refusal("is damaged: a part of it does not tell its size")
    _, rows, columns, channels = struct.unpack_from(">BHHB", frames[0])
    if rows > size[0] or columns > size[1] or channels != count:
        raise Refusal("is damaged: a strip or tile has another size")
    return _scans(data, start)[1]


def _segments(data: bytes) -> tuple[Segments, int]:
    # those before the first scan, and where that begins
    found: Segments = []
    at = 2
    while True:
        if at + 4 > len(data):
            raise Refusal("ends in the middle: it is cut off or damaged")
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at] != 0xFF or marker in (0x00, 0x01, 0xD8, 0xD9) or 0xD0 <= marker < 0xD8:
            raise Refusal("is damaged: its segments do not follow each other")
        if marker == 0xFF:  # a filling byte
            at += 1
            continue
        if size < 2 or at + 2 + size > len(data):
            raise Refusal("ends in the middle: it is cut off or damaged")
        if marker == 0xDA:
            return found, at
        found.append((marker, data[at + 4 : at + 2 + size]))
        at += 2 + size


def _scans(data: bytes, at: int) -> tuple[int, bytes]:
    """Where the image ends, and its data with something more at the end of each scan.

    A decoder invents what is missing; what it makes of the two differs if anything is.
    """
    pieces = [data[:at]]
    while True:
        if at + 4 > len(data) or data[at] != 0xFF:
            raise Refusal("ends in the middle: it is cut off or damaged")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            return at + 2, b"".join([*pieces, b"\xff\xd9"])
        stop = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        pieces.append(data[at:stop])
        at = stop
        if marker != 0xDA:
            continue
        while True:
            stop = data.find(b"\xff", stop)
            if stop < 0 or stop + 1 >= len(data):
                raise Refusal("ends in the middle: it is cut off or damaged")
            if data[stop + 1] not in (0x00, 0xFF) and not 0xD0 <= data[stop + 1] < 0xD8:
                break
            stop += 1 if data[stop + 1] == 0xFF else 2
        pieces += _longer(data[at:stop])
        at = stop
        if data[at : at + 2] == b"\xff\xd9":
            return at + 2, b"".join([*pieces, b"\xff\xd9"])


def _longer(scan: bytes) -> list[bytes]:
    pieces = []
    for k, part in enumerate(_RESTART.split(scan)):
        if k % 2 == 0:
            pieces += [part, _TAIL]
        elif part[1] == 0xD0 + k // 2 % 8:
            pieces.append(part)
        else:
            raise Refusal("is damaged: parts of its data are missing")
    return pieces


def _decoded_both(first: bytes, second: bytes, size: tuple[int, int], count: int) -> list[Page]:
    """Both files' samples, which are decoded at once where there are many."""
    pages: list[Page] = [np.empty(0)] * 2

    def decode(low: int, high: int) -> None:
        for k in range(low, high):
            pages[k] = _decoded((first, second)[k], size, count)

    if prod(size) < _MANY:
        decode(0, 2)
    else:
        from sigconv.engines.cpu.threads import parallel  # brings compiled code along

        parallel(decode, [(0, 1), (1, 2)])
    return pages


def _same(a: Page, b: Page) -> bool:
    """Whether pages are equal: rows at a time, which leaves what is in between in the cache."""
    step = max(_MANY // max(a[0].size, 1), 1)
    return a.shape == b.shape and all(np.array_equal(a[k : k + step], b[k : k + step]) for k in range(0, len(a), step))


def _decoded(data: bytes, size: tuple[int, int], count: int) -> Page:
    if count == 4:
        return _decoded_slowly(data)
    import imagecodecs

    page: Page = imagecodecs.jpeg8_decode(data)
    if page.shape[:2] != size or channels(page) != count:
        raise Refusal("is damaged: its parts do not agree on its size")
    return page


def _decoded_slowly(data: bytes) -> Page:
    from PIL.JpegImagePlugin import JpegImageFile

    image = JpegImageFile(BytesIO(data))
    image.load()
    if image.mode not in _MODES:
        raise Refusal(f"is JPEG of kind {image.mode}, which is not read")
    return np.asarray(image)


def _about(segments: Segments) -> About:
    about, profile, kept = About(), {}, []
    for marker, body in segments:
        if marker == 0xE1 and body.startswith(_EXIF) and about.exif is None:
            about.exif = body[len(_EXIF) :]
        elif marker == 0xE1 and body.startswith(_XMP) and about.xmp is None:
            about.xmp = body[len(_XMP) :]
        elif marker == 0xE2 and body.startswith(_ICC) and len(body) > 14:
            profile[body[12]] = body[14:]
        elif marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 12:
            unit, x, y = struct.unpack_from(">BHH", body, 7)
            about.details["jfif"] = body[:12] + b"\0\0"
            if unit in (1, 2) and x and y:
                about.dpi = (float(x), float(y)) if unit == 1 else (x * 2.54, y * 2.54)
        elif (0xE0 <= marker < 0xF0 and marker != 0xEE and not body.startswith(b"MPF\0")) or marker == 0xFE:
            kept.append((marker, body))
    if profile:
        about.icc = b"".join(profile[k] for k in sorted(profile))
    about.details["segments"] = kept
    if kept:
        about.own.append("its comments, or what programs put beside them")
    about.orientation = orientation_of(about.exif)
    return about


def _written_about(picture: Picture, details: dict[str, Any], notes: list[str]) -> Segments:
    about = picture.about
    found: Segments = []
    jfif = details.get("jfif", b"JFIF\0\1\1\0\0\1\0\1\0\0")
    if about.dpi:
        unit, x, y = struct.unpack_from(">BHH", jfif, 7)
        before = (x * 2.54, y * 2.54) if unit == 2 else (float(x), float(y))
        if not unit or before != about.dpi:
            x, y = (min(max(round(dots), 1), 65535) for dots in about.dpi)
            jfif = jfif[:7] + struct.pack(">BHH", 1, x, y) + b"\0\0"
    if about.dpi or "jfif" in details or not (about.exif or picture.color == "cmyk"):
        found.append((0xE0, jfif))
    exif = for_writing(about.exif, about.orientation)
    if exif and len(_EXIF + exif) > _PIECE:
        notes.append(f"JPEG has no room for {len(exif):,} bytes of EXIF: the orientation alone is kept")
        exif = minimal(about.orientation)
    if exif:
        found.append((0xE1, _EXIF + exif))
    if about.xmp and len(_XMP + about.xmp) <= _PIECE:
        found.append((0xE1, _XMP + about.xmp))
    elif about.xmp:
        notes.append(f"JPEG has no room for {len(about.xmp):,} bytes of XMP")
    room = _PIECE - 14
    if about.icc and len(about.icc) <= 255 * room:
        parts = [about.icc[k : k + room] for k in range(0, len(about.icc), room)]
        found += [(0xE2, _ICC + bytes([k + 1, len(parts)]) + part) for k, part in enumerate(parts)]
    elif about.icc:
        notes.append(f"JPEG has no room for a colour profile of {len(about.icc):,} bytes")
    return found + details.get("segments", [])
