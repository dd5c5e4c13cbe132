"""BMP: Pillow decodes; it is simple enough to be written here, with opacity where there is some."""

import struct
from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images.picture import Page, Picture, Refusal, channels, limited, narrowed

_PER_METRE = 39.37007874015748  # inches in a metre
_MASKS = struct.pack("<4I", 0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)  # where red, green, blue, opacity stand
_SRGB = b"BGRs"


def read_bmp(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a BMP file that stands at its beginning."""
    from PIL.BmpImagePlugin import BmpImageFile

    head = file.read(54)
    if len(head) < 26:
        raise Refusal("ends in the middle: it is cut off or damaged")
    (size,) = struct.unpack_from("<I", head, 14)
    if size == 12:
        columns, rows = struct.unpack_from("<HH", head, 18)
    else:
        columns, rows = struct.unpack_from("<ii", head, 18)
    limited(abs(rows), columns, max_pixels)
    length, start = file.seek(0, 2), int.from_bytes(head[10:14], "little")
    (depth,) = struct.unpack_from("<H", head, 24 if size == 12 else 28)
    packed = size > 12 and len(head) >= 34 and struct.unpack_from("<I", head, 30)[0] in (1, 2)
    if not packed and start + abs(rows) * ((columns * depth + 31) // 32 * 4) > length + 3:
        raise Refusal("ends in the middle: it is cut off or damaged")
    file.seek(0)
    image: Any = BmpImageFile(file)
    image.load()
    bits, palette = 8, image.mode == "P"
    if palette:
        if np.asarray(image).max() >= len(image.palette.palette) // len(image.palette.mode):
            raise Refusal("is damaged: it uses colours that its palette does not have")
        image = image.convert("RGB")
    elif image.mode == "1":
        image, bits = image.convert("L"), 1
    if image.mode not in ("L", "RGB", "RGBA"):
        raise Refusal(f"is BMP of kind {image.mode}, which is not read")
    color = "gray" if image.mode == "L" else "rgb"
    picture = Picture([np.array(image)], "bmp", color, image.mode == "RGBA", bits, palette)
    x, y = struct.unpack_from("<ii", head, 38) if size >= 40 and len(head) >= 46 else (0, 0)
    if x > 0 and y > 0:
        picture.about.dpi = (x / _PER_METRE, y / _PER_METRE)
    return picture


def write_bmp(picture: Picture, file: BinaryIO) -> list[str]:
    """Write a picture of one page; notes of what could not be kept."""
    (page,), notes = picture.pages, []
    count = channels(page)
    if page.dtype != np.uint8 or picture.color == "cmyk" or count - picture.alpha not in (1, 3):
        raise Refusal(f"BMP holds no {picture.color} images of {count} channels in {page.dtype}")
    if picture.palette:
        notes.append("the palette became RGB")
    rows, columns = page.shape[:2]
    cells = page.reshape(rows, columns, count)
    if count == 2:
        cells = cells[..., [0, 0, 0, 1]]
        notes.append("gray with opacity became RGBA")
    depth, table, head, method = 8 * cells.shape[2], b"", 40, 0
    if count == 1:
        depth = 1 if picture.bits == 1 else 8
        table = b"".join(bytes((v, v, v, 0)) for v in ((0, 255) if depth == 1 else range(256)))
        lines = np.packbits(narrowed(cells[..., 0], 1), axis=1) if depth == 1 else cells[..., 0]
    else:
        lines = _blue_first(cells)
    if depth == 32:
        head, method = 108, 3
    pitch = (columns * depth + 31) // 32 * 4
    stored = np.zeros((rows, pitch), np.uint8)
    stored[:, : lines.shape[1]] = lines[::-1]  # from the bottom up
    x, y = (round(dots * _PER_METRE) for dots in picture.about.dpi or (0, 0))
    start = 14 + head + len(table)
    if start + stored.nbytes >= 1 << 32:
        raise Refusal("BMP holds no more than 4 GiB")
    fields = (head, columns, rows, 1, depth, method, stored.nbytes, min(x, 2**31 - 1), min(y, 2**31 - 1))
    file.write(struct.pack("<2sIHHI", b"BM", start + stored.nbytes, 0, 0, start))
    file.write(struct.pack("<IiiHHIIiiII", *fields, len(table) // 4, 0))
    if depth == 32:
        file.write(_MASKS + _SRGB + bytes(48))
    file.write(table)
    file.write(stored.data)
    lost = [name for name, value in (("EXIF", picture.about.exif), ("the colour profile", picture.about.icc)) if value]
    return [*notes, *(f"BMP has no room for {name}" for name in lost)]


def _blue_first(cells: Page) -> Page:
    order = [2, 1, 0, 3][: cells.shape[2]]
    return np.ascontiguousarray(cells[..., order]).reshape(len(cells), -1)
