"""WebP: Pillow decodes and encodes, lossless where the file was; what stands beside the pixels is kept."""

import struct
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images.exif import for_writing, orientation_of
from sigconv.io.images.jpeg import QUALITY
from sigconv.io.images.picture import About, Picture, Refusal, channels, limited

_MOST = 16383  # pixels of a side


def read_webp(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a WebP file that stands at its beginning."""
    from PIL.WebPImagePlugin import WebPImageFile

    data = file.read()
    parts = _parts(data)
    if b"ANIM" in parts or b"ANMF" in parts:
        raise Refusal("is an animation; only still images are filtered")
    if b"VP8 " not in parts and b"VP8L" not in parts:
        raise Refusal("is damaged: it holds no image")
    columns, rows = _size(parts)
    limited(rows, columns, max_pixels)
    image: Any = WebPImageFile(BytesIO(data))
    if getattr(image, "n_frames", 1) > 1:
        raise Refusal("is an animation; only still images are filtered")
    if image.size != (columns, rows):
        raise Refusal("is damaged: it tells two sizes")
    image.load()
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGB")
    about = About(icc=parts.get(b"ICCP"), exif=parts.get(b"EXIF"), xmp=parts.get(b"XMP "))
    if about.exif and about.exif.startswith(b"Exif\0\0"):
        about.exif = about.exif[6:]
    about.orientation = orientation_of(about.exif)
    about.details["lossless"] = b"VP8L" in parts
    return Picture([np.array(image)], "webp", "rgb", image.mode == "RGBA", about=about)


def write_webp(picture: Picture, file: BinaryIO, quality: int | None = None) -> list[str]:
    """Write a picture of one page; notes of what could not be kept."""
    from PIL import Image

    (page,), notes = picture.pages, []
    count = channels(page)
    if page.dtype != np.uint8 or picture.color == "cmyk" or count - picture.alpha not in (1, 3):
        raise Refusal(f"WebP holds no {picture.color} images of {count} channels in {page.dtype}")
    rows, columns = page.shape[:2]
    if max(rows, columns) > _MOST:
        raise Refusal(f"WebP holds no {columns} x {rows} pixels: {_MOST} are the most of a side")
    cells = page.reshape(rows, columns, count)
    if count < 3:
        cells = cells[..., [0, 0, 0, 1][: 2 + count]]
        notes.append("gray became RGB")
    details = picture.about.details if picture.format == "webp" else {}
    about = picture.about
    options: dict[str, Any] = {
        "lossless": quality is None and details.get("lossless", True),
        "quality": QUALITY if quality is None else quality,
        "exact": True,  # colours are kept also where nothing of them is seen
        "icc_profile": about.icc or b"",
        "exif": for_writing(about.exif, about.orientation) or b"",
        "xmp": about.xmp or b"",
    }
    mode = "RGBA" if picture.alpha else "RGB"
    image = Image.frombytes(mode, (columns, rows), np.ascontiguousarray(cells).data)
    out = BytesIO()
    image.save(out, "WEBP", **options)
    file.write(out.getbuffer())
    return notes


def _parts(data: bytes) -> dict[bytes, bytes]:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data) + 1:
        raise Refusal("ends in the middle: it is cut off or damaged")
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= min(end, len(data)):
        name, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > len(data):
            raise Refusal("ends in the middle: it is cut off or damaged")
        found.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return found


def _size(parts: dict[bytes, bytes]) -> tuple[int, int]:
    if len(parts.get(b"VP8X", b"")) >= 10:
        body = parts[b"VP8X"]
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(parts.get(b"VP8L", b"")) >= 5:
        packed = int.from_bytes(parts[b"VP8L"][1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    body = parts.get(b"VP8 ", b"")
    if len(body) < 10 or body[3:6] != b"\x9d\x01\x2a":
        raise Refusal("is damaged: it does not tell its size")
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
