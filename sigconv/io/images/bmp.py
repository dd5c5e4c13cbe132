"""BMP: Pillow decodes; it is simple enough to be written here, with opacity where there is some."""

import struct
from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images.picture import About, Page, Picture, Refusal, channels, limited, narrowed

_PER_METRE = 39.37007874015748  # inches in a metre
_MASKS = struct.pack("<4I", 0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)  # where red, green, blue, opacity stand
_SRGB, _EMBEDDED, _LINKED = b"BGRs", b"DEBM", b"KNIL"
_PERCEPTUAL = 4


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
    if depth == 16:
        picture.about.details["narrow"] = True
    _read_colours(file, size, picture.about)
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
    if picture.about.details.get("narrow"):
        notes.append("16 bits a pixel became 24")
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
    profile = picture.about.icc or b""
    if depth == 32 or profile:
        head = 124 if profile else 108
        method = 3 if depth == 32 else 0
    pitch = (columns * depth + 31) // 32 * 4
    stored = np.zeros((rows, pitch), np.uint8)
    stored[:, : lines.shape[1]] = lines[::-1]  # from the bottom up
    x, y = (round(dots * _PER_METRE) for dots in picture.about.dpi or (0, 0))
    start = 14 + head + len(table)
    if start + stored.nbytes + len(profile) >= 1 << 32:
        raise Refusal("BMP holds no more than 4 GiB")
    fields = (head, columns, rows, 1, depth, method, stored.nbytes, min(x, 2**31 - 1), min(y, 2**31 - 1))
    file.write(struct.pack("<2sIHHI", b"BM", start + stored.nbytes + len(profile), 0, 0, start))
    file.write(struct.pack("<IiiHHIIiiII", *fields, len(table) // 4, 0))
    if head > 40:
        file.write((_MASKS if depth == 32 else bytes(16)) + (_EMBEDDED if profile else _SRGB) + bytes(48))
    if profile:
        file.write(struct.pack("<IIII", _PERCEPTUAL, head + len(table) + stored.nbytes, len(profile), 0))
    file.write(table)
    file.write(stored.data)
    file.write(profile)
    return notes


def _read_colours(file: BinaryIO, size: int, about: About) -> None:
    # what newer headers tell of the meaning of colours
    file.seek(0)
    head = file.read(14 + 124)
    if size < 108 or len(head) < 14 + size:
        return
    space = head[70:74]
    if space == bytes(4) and any(head[74:122]):
        about.lost.append("its gamma and primaries")
    elif space == _LINKED:
        about.lost.append("the colour profile, which is in another file")
    elif space == _EMBEDDED and size >= 124:
        place, length = struct.unpack_from("<II", head, 126)
        file.seek(14 + place)
        about.icc = file.read(length)
        if not length or len(about.icc) < length:
            raise Refusal("ends in the middle: it is cut off or damaged")


def _blue_first(cells: Page) -> Page:
    order = [2, 1, 0, 3][: cells.shape[2]]
    return np.ascontiguousarray(cells[..., order]).reshape(len(cells), -1)
