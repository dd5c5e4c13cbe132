"""A TIFF's directory of tags as bytes: read with distrust, changed where the layout asks for it, written back."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from sigconv.io.images.picture import Refusal

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 273, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 317, 322, 323, 324, 325
EXTRA, SAMPLE_FORMAT, FILL_ORDER, DESCRIPTION, ORIENTATION = 338, 339, 266, 270, 274
ICC = 34675
_BELOW = {34665, 34853, 40965}  # tags that point to a directory of their own: EXIF, GPS, interoperability

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_TAGS, _MOST_BYTES, _DEEPEST, _MOST_PAGES = 4096, 1 << 28, 3, 100_000


@dataclass(frozen=True)
class Kind:
    """Byte order, "<" or ">", and whether offsets have 64 bits: then it is a BigTIFF."""

    order: str = "<"
    big: bool = False

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def head(self) -> int:
        """Bytes in front of everything else."""
        return 16 if self.big else 8

    def header(self, first: int) -> bytes:
        """The file's first bytes, which say where its first directory is."""
        mark = b"II" if self.order == "<" else b"MM"
        if self.big:
            return mark + struct.pack(self.order + "HHHQ", 43, 8, 0, first)
        return mark + struct.pack(self.order + "HI", 42, first)


@dataclass(frozen=True)
class Entry:
    """A tag's type, how many of it, their bytes in the file's order; and the directory that it points to."""

    type: int
    count: int
    data: bytes
    below: "Tags | None" = None


Tags = dict[int, Entry]


def entry(kind: Kind, type: int, values: int | Sequence[int]) -> Entry:
    """A tag of integers.

    Examples
    --------
    >>> entry(Kind(">"), 3, 8).data
    b'\\x00\\x08'
    """
    numbers = [values] if isinstance(values, int) else values
    return Entry(type, len(numbers), struct.pack(f"{kind.order}{len(numbers)}{_INTEGERS[type]}", *numbers))


def integers(kind: Kind, tag: Entry) -> tuple[int, ...]:
    """A tag's values.

    Raises
    ------
    Refusal
        Where they are no integers of at least 0.
    """
    if tag.type not in _INTEGERS:
        raise Refusal("is damaged: a tag has the wrong type")
    return struct.unpack(f"{kind.order}{tag.count}{_INTEGERS[tag.type]}", tag.data)


def read(file: BinaryIO, size: int) -> tuple[Kind, Tags]:
    """The kind of a TIFF of ``size`` bytes, and its first page's tags.

    Raises
    ------
    Refusal
        Where it is no TIFF, or its directory is damaged.
    """
    kind, first = _head(file)
    return kind, _directory(file, size, kind, first, _DEEPEST)[0]


def read_pages(file: BinaryIO, size: int) -> tuple[Kind, list[Tags]]:
    """The kind of a TIFF of ``size`` bytes, and the tags of all its pages.

    Raises
    ------
    Refusal
        Where it is no TIFF, or a directory is damaged.
    """
    kind, at = _head(file)
    pages: list[Tags] = []
    seen: set[int] = set()
    left = _MOST_BYTES
    while at:
        if at in seen or len(pages) == _MOST_PAGES:
            raise Refusal("is damaged: its pages have no end")
        seen.add(at)
        tags, at = _directory(file, size, kind, at, _DEEPEST)
        pages.append(tags)
        left -= sum(len(tag.data) for tag in tags.values())
        if left < 0:
            raise Refusal("is damaged: its tags are too long")
    if not pages:
        raise Refusal("is damaged: it has no pages")
    return kind, pages


def _head(file: BinaryIO) -> tuple[Kind, int]:
    file.seek(0)
    head = file.read(16)
    if len(head) < 8 or head[:2] not in (b"II", b"MM"):
        raise Refusal("is no TIFF")
    order = "<" if head[:2] == b"II" else ">"
    version = struct.unpack(order + "H", head[2:4])[0]
    if version == 43 and len(head) == 16 and struct.unpack(order + "HH", head[4:8]) == (8, 0):
        kind = Kind(order, True)
        return kind, struct.unpack(kind.offset, head[8:])[0]
    if version != 42:
        raise Refusal("is no TIFF")
    kind = Kind(order)
    return kind, struct.unpack(kind.offset, head[4:8])[0]


def _directory(file: BinaryIO, size: int, kind: Kind, at: int, depth: int) -> tuple[Tags, int]:
    width = 20 if kind.big else 12
    count = struct.unpack(kind.order + ("Q" if kind.big else "H"), _bytes(file, size, at, 8 if kind.big else 2))[0]
    if not 0 < count <= _MOST_TAGS:
        raise Refusal(f"is damaged: its directory claims {count} tags")
    at += 8 if kind.big else 2
    table = _bytes(file, size, at, count * width)
    end = struct.calcsize(kind.offset)
    following = struct.unpack(kind.offset, _bytes(file, size, at + len(table), end))[0]
    tags: Tags = {}
    total = 0
    for row in range(0, len(table), width):
        code, type, n = struct.unpack_from(f"{kind.order}HH{kind.offset[1]}", table, row)
        if type not in _SIZES:
            continue  # readers are to skip types that they do not know
        length, inline = n * _SIZES[type], table[row + width - end : row + width]
        total += length
        if length > _MOST_BYTES or total > size + 4096:  # what lies side by side is no longer than the file
            raise Refusal(f"is damaged: tag {code} claims {length} bytes")
        data = inline[:length] if length <= end else _bytes(file, size, struct.unpack(kind.offset, inline)[0], length)
        below = None
        if code in _BELOW and n == 1 and type in (4, 13, 16, 18):
            if depth == 0:
                raise Refusal("is damaged: its directories point to each other")
            below, _ = _directory(file, size, kind, integers(kind, Entry(type, n, data))[0], depth - 1)
        tags[code] = Entry(type, n, data, below)
    return tags, following


def _bytes(file: BinaryIO, size: int, at: int, count: int) -> bytes:
    if at + count > size:
        raise Refusal("ends in the middle: its tags lie beyond its end")
    file.seek(at)
    data = file.read(count)
    if len(data) != count:
        raise Refusal("ends in the middle: it is cut off or damaged")
    return data


def turned(tag: Entry, own: Kind, kind: Kind) -> Entry:
    """A tag of one byte order in another."""
    below = tag.below and {code: turned(other, own, kind) for code, other in tag.below.items()}
    width = 4 if tag.type in (5, 10) else _SIZES[tag.type]  # fractions are two numbers
    data = np.frombuffer(tag.data, f"u{width}")
    return replace(tag, data=(data if own.order == kind.order else data.byteswap()).tobytes(), below=below)


def link(kind: Kind, count: int) -> int:
    """Which byte of a directory of so many tags says where the next one is."""
    return 8 + 20 * count if kind.big else 2 + 12 * count


def encoded(kind: Kind, tags: Tags, at: int) -> bytes:
    """A directory that is to stand at byte ``at``, an even one, with all that it points to behind it."""
    end = struct.calcsize(kind.offset)
    behind = at + link(kind, len(tags)) + end
    rows, rest = [], b""
    for code in sorted(tags):
        tag = tags[code]
        if tag.below is not None:
            place = behind + len(rest)
            rest += _even(encoded(kind, tag.below, place))
            tag = replace(entry(kind, 16 if kind.big else 4, place), below=None)
        data = tag.data
        if len(data) > end:
            data = struct.pack(kind.offset, behind + len(rest))
            rest += _even(tag.data)
        rows.append(struct.pack(f"{kind.order}HH{kind.offset[1]}", code, tag.type, tag.count) + data.ljust(end, b"\0"))
    count = struct.pack(kind.order + ("Q" if kind.big else "H"), len(tags))
    return count + b"".join(rows) + struct.pack(kind.offset, 0) + rest


def _even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)
