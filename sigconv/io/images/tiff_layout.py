"""How a page of a TIFF lays out its samples, and where its strips and tiles stand in the file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from sigconv.io.images import tiff_tags as t
from sigconv.io.images.picture import Refusal, limited
from sigconv.io.images.tiff_tags import Kind, Tags

NONE, CCITT, FAX3, FAX4, LZW, JPEG, DEFLATE, PACKBITS = 1, 2, 3, 4, 5, 7, 8, 32773
OLD_DEFLATE, LZMA, ZSTD = 32946, 34925, 50000
CODECS = {LZW: "lzw", DEFLATE: "zlib", OLD_DEFLATE: "zlib", PACKBITS: "packbits", LZMA: "lzma", ZSTD: "zstd"}
_NAMES = {6: "old JPEG", 34712: "JPEG 2000", 34887: "LERC", 34933: "PNG", 50001: "WebP", 50002: "JPEG XL"}
DIFFERENCES, FLOAT_DIFFERENCES = 2, 3  # predictors
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INKS, YCBCR = range(7)
CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, MASK: 1, INKS: 4, YCBCR: 3}
_COLORS = {RGB: "rgb", PALETTE: "rgb", YCBCR: "rgb", INKS: "cmyk"}  # all others are gray
PREMULTIPLIED, STRAIGHT = 1, 2
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_DEPTHS = {"u": (1, 2, 4, 8, 10, 12, 14, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}
_MOST_BLOCK = 1 << 28  # samples of a tile
_MOST_CHANNELS = 1024
_STRIP = 1 << 24  # bytes of a packed strip that is written as it was, however large
T4_OPTIONS, JPEG_TABLES, COLOR_MAP, SUBSAMPLING, INK_SET, DEPTH = 292, 347, 320, 530, 332, 32997
# Tags that hold for one way to lay out pixels, or point to what is not kept.
LAID_OUT = {
    *(t.WIDTH, t.LENGTH, t.BITS, t.COMPRESSION, t.PHOTOMETRIC, t.STRIP_OFFSETS, t.SAMPLES, t.ROWS_PER_STRIP),
    *(t.STRIP_BYTES, t.PLANAR, t.PREDICTOR, t.TILE_WIDTH, t.TILE_LENGTH, t.TILE_OFFSETS, t.TILE_BYTES, t.EXTRA),
    *(t.SAMPLE_FORMAT, t.FILL_ORDER, T4_OPTIONS, 293, JPEG_TABLES, COLOR_MAP, 529),
    *(SUBSAMPLING, 531, 532, 280, 281, 288, 289, 330, 340, 341, 512, 513, 514, 515, 517, 518, 519, 520, 521),
}


@dataclass(frozen=True)
class Layout:
    """Rows, columns, channels, and the strips or tiles, ``block`` rows and columns each, that hold them.

    ``tables`` are a JPEG's that stand outside of its strips, ``fax`` is how a fax is packed.
    """

    kind: Kind
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    bits: int
    block: tuple[int, int]
    tiled: bool = False
    planar: bool = False
    compression: int = NONE
    predictor: int = 1
    photometric: int = BLACK_IS_ZERO
    extra: tuple[int, ...] = ()
    reversed_bits: bool = False
    tables: bytes | None = None
    fax: int = 0

    @property
    def color(self) -> str:
        return _COLORS.get(self.photometric, "gray")

    @property
    def alpha(self) -> bool:
        return len(self.extra) == 1 and self.extra[0] in (PREMULTIPLIED, STRAIGHT)

    @property
    def stored(self) -> np.dtype[Any]:
        """The dtype in the file's byte order."""
        return self.dtype.newbyteorder("<" if self.kind.order == "<" else ">")

    @property
    def down(self) -> int:
        """Strips or tiles above each other."""
        return -(-self.shape[0] // self.block[0])

    @property
    def across(self) -> int:
        """Tiles beside each other."""
        return -(-self.shape[1] // self.block[1])

    @property
    def planes(self) -> int:
        return self.shape[2] if self.planar else 1

    @property
    def samples(self) -> int:
        """Channels of one strip or tile."""
        return 1 if self.planar else self.shape[2]

    @property
    def count(self) -> int:
        """How many strips or tiles there are."""
        return self.planes * self.down * self.across

    @property
    def pitch(self) -> int:
        """Bytes of a row of a strip or tile before it is packed."""
        return (self.block[1] * self.samples * self.bits + 7) // 8

    @property
    def open(self) -> bool:
        """Whether samples stand in the file as they are, so that any rows of a strip or tile are read and written."""
        return self.compression == NONE and self.bits % 8 == 0

    @property
    def plain(self) -> bool:
        """Whether whole rows stand in the file as they are in memory."""
        return self.open and not self.tiled and not self.planar

    def deep(self, row: int) -> int:
        """Rows that a strip or tile of this row of them is stored with: of strips, the last may be shorter."""
        return self.block[0] if self.tiled else min(self.block[0], self.shape[0] - row * self.block[0])

    def sizes(self) -> Iterator[int]:
        """Bytes of all strips or tiles, in order, before they are packed."""
        for _ in range(self.planes):
            for row in range(self.down):
                yield from [self.deep(row) * self.pitch] * self.across

    def blocks(self) -> Iterator[tuple[slice, slice, slice, int]]:
        """Rows, columns and channels of each strip or tile, in order, and how many rows it is stored with."""
        for plane in range(self.planes):
            for row in range(self.down):
                rows = slice(row * self.block[0], min((row + 1) * self.block[0], self.shape[0]))
                for column in range(self.across):
                    yield rows, self.columns(column), self.channels(plane), self.deep(row)

    def columns(self, column: int) -> slice:
        """Of the image, that a column of tiles holds."""
        return slice(column * self.block[1], min((column + 1) * self.block[1], self.shape[1]))

    def channels(self, plane: int) -> slice:
        """That a plane holds."""
        return slice(plane, plane + 1) if self.planar else slice(0, self.shape[2])

    def place(self, plane: int, row: int, column: int) -> int:
        """Which strip or tile stands there."""
        return (plane * self.down + row) * self.across + column

    def beside(self) -> Iterator[tuple[int, int]]:
        """The planes and columns of the strips or tiles that hold the same rows."""
        return product(range(self.planes), range(self.across))

    def rows_of_blocks(self, low: int, high: int) -> Iterator[tuple[int, int, int]]:
        """Rows low to high by the strips or tiles that hold them: which row of these, and from where to where."""
        deep = self.block[0]
        for row in range(low // deep, -(-high // deep)):
            yield row, max(row * deep, low), min((row + 1) * deep, high)

    def resized(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> "Layout":
        """The same for an image of another size or dtype, with 64-bit offsets where the file might need them."""
        most = float(np.prod([float(n + self.block[0] * self.tiled) for n in shape[:2]])) * shape[2] * dtype.itemsize
        kind = replace(self.kind, big=self.kind.big or most * 1.1 + 2**24 > 2**32)
        bits = self.bits if dtype == self.dtype else 8 * dtype.itemsize
        predictor = 1 if self.predictor == 1 else FLOAT_DIFFERENCES if dtype.kind == "f" else DIFFERENCES
        block = self.block
        if not self.tiled:
            row = shape[1] * (1 if self.planar else shape[2]) * dtype.itemsize
            fits = block[0] if self.open or block[0] * row <= _STRIP else max((1 << 20) // row, 1)
            block = (min(fits, shape[0]), shape[1])
        return replace(self, kind=kind, shape=shape, dtype=dtype, bits=bits, block=block, predictor=predictor)


def layout_of(kind: Kind, tags: Tags, max_pixels: int) -> Layout:
    """How a page is laid out, all of it checked against the limit and against itself."""

    def one(code: int, default: int | None = None) -> int:
        if code not in tags or not tags[code].count:
            if default is None:
                raise Refusal(f"is damaged: tag {code} is missing")
            return default
        return t.integers(kind, tags[code])[0]

    def all_equal(code: int, default: int) -> int:
        values = set(t.integers(kind, tags[code])) if code in tags else {default}
        if not values:
            raise Refusal(f"is damaged: tag {code} is empty")
        if len(values) != 1:
            raise Refusal(f"has channels of different kinds ({', '.join(map(str, sorted(values)))})")
        return values.pop()

    rows, columns, channels = one(t.LENGTH), one(t.WIDTH), one(t.SAMPLES, 1)
    limited(rows, columns, max_pixels)
    photometric, compression = one(t.PHOTOMETRIC, BLACK_IS_ZERO), one(t.COMPRESSION, NONE)
    if compression not in CODECS and compression not in (NONE, JPEG, CCITT, FAX3, FAX4):
        name = _NAMES.get(compression, f"method {compression}")
        raise Refusal(f"is compressed by {name}, which is not read")
    if one(DEPTH, 1) > 1:
        raise Refusal("is a volume, of which no pages are read")
    if photometric not in CHANNELS or (photometric == YCBCR and compression != JPEG):
        raise Refusal(f"is of a colour kind that is not read (photometric interpretation {photometric})")
    if photometric == INKS and one(INK_SET, 1) != 1:
        raise Refusal("has inks other than cyan, magenta, yellow and black")
    bits, sample = all_equal(t.BITS, 1), _KINDS.get(all_equal(t.SAMPLE_FORMAT, 1), "")
    if bits not in _DEPTHS.get(sample, ()) or (bits < 8 and channels > 1):
        what = {"u": "", "i": "signed ", "f": "floating "}.get(sample, "complex or unknown ")
        many = f" in {channels} channels" if channels > 1 else ""
        raise Refusal(f"has {what}samples of {bits} bits{many}, which are not read")
    if (compression == JPEG and (bits, sample) != (8, "u")) or (compression in (CCITT, FAX3, FAX4) and bits > 1):
        raise Refusal(f"is damaged: its compression knows no samples of {bits} bits")
    if photometric == PALETTE and (bits > 8 or sample != "u"):
        raise Refusal("is damaged: its palette has too many colours")
    more = channels - CHANNELS[photometric]
    if more < 0 or channels > _MOST_CHANNELS:
        raise Refusal(f"is damaged: it claims {channels} samples a pixel")
    extra = t.integers(kind, tags[t.EXTRA]) if t.EXTRA in tags else ()
    extra = (*extra, *(0,) * more)[:more]
    tiled = t.TILE_WIDTH in tags or t.TILE_LENGTH in tags
    block = (one(t.TILE_LENGTH), one(t.TILE_WIDTH)) if tiled else (min(one(t.ROWS_PER_STRIP, rows), rows), columns)
    planar = one(t.PLANAR, 1) == 2 and channels > 1
    if min(block) < 1 or (tiled and block[0] * block[1] * channels > _MOST_BLOCK):
        raise Refusal(f"is damaged: it claims tiles of {block[1]} x {block[0]} pixels")
    predictor = one(t.PREDICTOR, 1) if compression in CODECS else 1
    if (
        predictor not in (1, DIFFERENCES, FLOAT_DIFFERENCES)
        or (predictor == FLOAT_DIFFERENCES and sample != "f")
        or (predictor != 1 and bits % 8)
    ):
        raise Refusal(f"is damaged: its predictor is {predictor} for samples of {bits} bits")
    return Layout(
        kind,
        (rows, columns, channels),
        np.dtype(f"{sample}{(bits + 7) // 8}"),
        bits,
        block,
        tiled,
        planar,
        compression,
        predictor,
        photometric,
        extra,
        reversed_bits=one(t.FILL_ORDER, 1) == 2,
        tables=tags[JPEG_TABLES].data if JPEG_TABLES in tags else None,
        fax=one(T4_OPTIONS, 0),
    )


def places_of(layout: Layout, tags: Tags, size: int) -> list[tuple[int, int]]:
    """Where each strip or tile stands in a file of so many bytes, and how long it is."""
    tiles = layout.tiled and t.TILE_OFFSETS in tags
    where, length = (t.TILE_OFFSETS, t.TILE_BYTES) if tiles else (t.STRIP_OFFSETS, t.STRIP_BYTES)
    if where not in tags:
        raise Refusal("is damaged: it does not tell where its pixels are")
    offsets = t.integers(layout.kind, tags[where])
    if length in tags:
        lengths = t.integers(layout.kind, tags[length])
    elif layout.compression == NONE and len(offsets) == layout.count:
        lengths = tuple(layout.sizes())
    else:
        raise Refusal("is damaged: it does not tell how long its strips are")
    if len(offsets) < layout.count or len(lengths) < layout.count:
        raise Refusal(f"is damaged: {min(len(offsets), len(lengths))} strips or tiles of {layout.count} are there")
    places = list(zip(offsets[: layout.count], lengths[: layout.count], strict=True))
    if any(not count or not start for start, count in places):
        raise Refusal("has strips or tiles that are missing")
    if any(start + count > size for start, count in places):
        raise Refusal("ends in the middle: pixels lie beyond its end")
    if layout.compression == NONE and any(n < due for (_, n), due in zip(places, layout.sizes(), strict=True)):
        raise Refusal("is damaged: a strip or tile holds too few samples")
    return places
