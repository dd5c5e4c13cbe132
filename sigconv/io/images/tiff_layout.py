"""How a page of a TIFF lays out its samples, and one strip or tile to samples and back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sigconv.io.images.picture import Page, Refusal
from sigconv.io.strips import tags as t
from sigconv.io.strips.tags import Kind, Tags

NONE, CCITT, FAX3, FAX4, LZW, JPEG, DEFLATE, PACKBITS = 1, 2, 3, 4, 5, 7, 8, 32773
OLD_DEFLATE, LZMA, ZSTD = 32946, 34925, 50000
CODECS = {LZW: "lzw", DEFLATE: "zlib", OLD_DEFLATE: "zlib", PACKBITS: "packbits", LZMA: "lzma", ZSTD: "zstd"}
_NAMES = {6: "old JPEG", 34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INKS, YCBCR = range(7)
_COLORS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, MASK: 1, INKS: 4, YCBCR: 3}  # channels of each
PREMULTIPLIED, STRAIGHT = 1, 2
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_DEPTHS = {"u": (1, 2, 4, 8, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}
_MOST_BLOCK = 1 << 28  # samples of a tile
_MOST_CHANNELS = 1024
T4_OPTIONS, JPEG_TABLES, COLOR_MAP, SUBSAMPLING, INK_SET = 292, 347, 320, 530, 332
DEPTH, MODEL_TIE = 32997, 33922


@dataclass(frozen=True)
class Layout:
    """Rows, columns, channels, and the strips or tiles, ``block`` rows and columns each, that hold them."""

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

    @property
    def samples(self) -> int:
        """Channels of one strip or tile."""
        return 1 if self.planar else self.shape[2]

    @property
    def count(self) -> int:
        """How many strips or tiles there are."""
        rows, columns, channels = self.shape
        across = -(-columns // self.block[1])
        return -(-rows // self.block[0]) * across * (channels if self.planar else 1)

    def blocks(self) -> Iterator[tuple[slice, slice, slice, int]]:
        """Rows, columns and channels of each strip or tile, and how many rows it is stored with."""
        rows, columns, channels = self.shape
        deep, wide = self.block
        planes = [slice(k, k + 1) for k in range(channels)] if self.planar else [slice(0, channels)]
        for plane in planes:
            for row in range(0, rows, deep):
                high = deep if self.tiled else min(deep, rows - row)
                for column in range(0, columns, wide):
                    yield slice(row, min(row + deep, rows)), slice(column, min(column + wide, columns)), plane, high

    def size(self, high: int) -> int:
        """Bytes of a strip or tile of so many rows before it is compressed."""
        return high * ((self.block[1] * self.samples * self.bits + 7) // 8)

    @property
    def alpha(self) -> bool:
        return len(self.extra) == 1 and self.extra[0] in (PREMULTIPLIED, STRAIGHT)

    @property
    def _stored(self) -> np.dtype[Any]:
        return self.dtype.newbyteorder("<" if self.kind.order == "<" else ">")

    def decode(self, data: bytes, high: int, options: dict[str, Any]) -> Page:
        """The (rows, columns, channels) of a strip or tile of so many rows."""
        import imagecodecs

        shape = (high, self.block[1], self.samples)
        if self.reversed_bits and self.compression != JPEG:
            data = bytes(imagecodecs.bitorder_decode(data))
        if self.compression == JPEG:
            return self._decode_jpeg(data, shape, options["tables"])
        if self.compression in (CCITT, FAX3, FAX4):
            bits = _fax(data, self.compression, high, self.block[1], options["t4"])
            return np.asarray(bits, np.uint8).reshape(shape)
        size = self.size(high)
        if self.compression in CODECS:
            data = bytes(getattr(imagecodecs, f"{CODECS[self.compression]}_decode")(data, out=size))
        if len(data) < size:
            raise Refusal("is damaged: a strip or tile holds too few samples")
        if self.bits < 8:
            bits = np.unpackbits(np.frombuffer(data, np.uint8, size).reshape(high, -1), axis=1)
            per_row = self.block[1] * self.samples
            weights = (1 << np.arange(self.bits - 1, -1, -1)).astype(np.uint8)
            levels = bits[:, : per_row * self.bits].reshape(high, per_row, self.bits) @ weights
            return np.asarray(levels, np.uint8).reshape(shape)
        floats = self.predictor == 3
        x = np.frombuffer(data, self.dtype if floats else self._stored, size // self.dtype.itemsize).reshape(shape)
        x = x.astype(self.dtype, copy=False)
        if self.predictor == 1:
            return x
        undo = imagecodecs.floatpred_decode if floats else imagecodecs.delta_decode
        return np.asarray(undo(x, axis=-2, out=np.empty_like(x)))

    def encode(self, x: Page) -> bytes:
        """The bytes of a strip or tile: `decode` backwards, for whatever keeps each sample."""
        import imagecodecs

        x = np.ascontiguousarray(x)
        if self.bits < 8:
            rows = x.reshape(len(x), -1, 1) >> np.arange(self.bits - 1, -1, -1).astype(np.uint8) & 1
            x = np.packbits(rows.reshape(len(x), -1), axis=1)
        elif self.predictor == 3:
            x = imagecodecs.floatpred_encode(x, axis=-2, out=np.empty_like(x))
        else:
            if self.predictor == 2:
                x = imagecodecs.delta_encode(x, axis=-2, out=np.empty_like(x))
            x = x.astype(self._stored, copy=False)
        flat = x.reshape(len(x), -1).view(np.uint8)
        if self.compression == NONE:
            data = flat.tobytes()
        elif self.compression == PACKBITS:  # rows are packed one by one
            data = bytes(imagecodecs.packbits_encode(flat, axis=-1))
        else:
            data = bytes(getattr(imagecodecs, f"{CODECS[self.compression]}_encode")(flat.tobytes()))
        return bytes(imagecodecs.bitorder_encode(data)) if self.reversed_bits else data

    def _decode_jpeg(self, data: bytes, shape: tuple[int, int, int], tables: bytes | None) -> Page:
        import imagecodecs

        from sigconv.io.images.jpeg import lengthened

        space = {YCBCR: "YCBCR", RGB: "RGB", INKS: "CMYK"}.get(self.photometric) if self.samples > 2 else None
        spaces: Any = {"colorspace": space, "outcolorspace": "RGB" if space == "YCBCR" else space}
        x, y = (
            imagecodecs.jpeg8_decode(stream, tables=tables, shape=shape[:2], **spaces)
            for stream in (data, lengthened(data, shape[:2], shape[2]))
        )
        if not np.array_equal(x, y):
            raise Refusal("is damaged: the data of a strip or tile end too early")
        x = x.reshape(*x.shape[:2], -1)
        if x.dtype != np.uint8 or x.shape[2] != shape[2] or x.shape[0] > shape[0] or x.shape[1] > shape[1]:
            raise Refusal("is damaged: a strip or tile has another size")
        return np.asarray(x)


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
    if not (0 < rows and 0 < columns and rows * columns <= max_pixels):
        raise Refusal(f"has {columns} x {rows} pixels, the limit being {max_pixels:,}")
    photometric, compression = one(t.PHOTOMETRIC, BLACK_IS_ZERO), one(t.COMPRESSION, NONE)
    if compression not in CODECS and compression not in (NONE, JPEG, CCITT, FAX3, FAX4):
        name = _NAMES.get(compression, f"method {compression}")
        raise Refusal(f"is compressed by {name}, which is not read")
    if photometric not in _COLORS or (photometric == YCBCR and compression != JPEG) or one(DEPTH, 1) > 1:
        raise Refusal(f"is of a colour kind that is not read (photometric interpretation {photometric})")
    if photometric == INKS and one(INK_SET, 1) != 1:
        raise Refusal("has inks other than cyan, magenta, yellow and black")
    bits, sample = all_equal(t.BITS, 1), _KINDS.get(all_equal(t.SAMPLE_FORMAT, 1), "")
    if bits not in _DEPTHS.get(sample, ()) or (bits < 8 and channels > 1):
        raise Refusal(f"has {channels} samples of {bits} bits and kind {sample!r}, which are not read")
    if (compression == JPEG and (bits, sample) != (8, "u")) or (compression in (CCITT, FAX3, FAX4) and bits > 1):
        raise Refusal(f"is damaged: its compression knows no samples of {bits} bits")
    if photometric == PALETTE and (bits > 8 or sample != "u"):
        raise Refusal("is damaged: its palette has too many colours")
    more = channels - _COLORS[photometric]
    if more < 0 or channels > _MOST_CHANNELS:
        raise Refusal(f"is damaged: it claims {channels} samples a pixel")
    extra = t.integers(kind, tags[t.EXTRA]) if t.EXTRA in tags else ()
    extra = (*extra, *(0,) * more)[:more]
    tiled = t.TILE_WIDTH in tags or t.TILE_LENGTH in tags
    block = (one(t.TILE_LENGTH), one(t.TILE_WIDTH)) if tiled else (min(one(t.ROWS_PER_STRIP, rows), rows), columns)
    planar = one(t.PLANAR, 1) == 2 and channels > 1
    if min(block) < 1 or (tiled and block[0] * block[1] * channels > max(_MOST_BLOCK, 1)):
        raise Refusal(f"is damaged: it claims tiles of {block[1]} x {block[0]} pixels")
    predictor = one(t.PREDICTOR, 1) if compression in CODECS else 1
    if predictor not in (1, 2, 3) or (predictor == 3 and sample != "f") or (predictor != 1 and bits < 8):
        raise Refusal(f"is damaged: its predictor is {predictor} for samples of {bits} bits")
    dtype = np.dtype(f"{sample}{max(bits, 8) // 8}")
    backwards = one(t.FILL_ORDER, 1) == 2
    return Layout(
        kind,
        (rows, columns, channels),
        dtype,
        bits,
        block,
        tiled,
        planar,
        compression,
        predictor,
        photometric,
        extra,
        backwards,
    )


def places_of(layout: Layout, tags: Tags, size: int) -> list[tuple[int, int]]:
    """Where each strip or tile stands in a file of so many bytes, and how long it is."""
    where, length = (
        (t.TILE_OFFSETS, t.TILE_BYTES) if layout.tiled and t.TILE_OFFSETS in tags else (t.STRIP_OFFSETS, t.STRIP_BYTES)
    )
    if where not in tags:
        raise Refusal("is damaged: it does not tell where its pixels are")
    offsets = t.integers(layout.kind, tags[where])
    if length in tags:
        lengths = t.integers(layout.kind, tags[length])
    elif layout.compression == NONE and len(offsets) == layout.count:
        lengths = tuple(layout.size(high) for *_, high in layout.blocks())
    else:
        raise Refusal("is damaged: it does not tell how long its strips are")
    if len(offsets) < layout.count or len(lengths) < layout.count:
        raise Refusal(f"is damaged: {min(len(offsets), len(lengths))} strips or tiles of {layout.count} are there")
    places = list(zip(offsets[: layout.count], lengths[: layout.count], strict=True))
    if any(not count or not start for start, count in places):
        raise Refusal("has strips or tiles that are missing")
    if any(start + count > size for start, count in places):
        raise Refusal("ends in the middle: pixels lie beyond its end")
    return places


def _fax(data: bytes, compression: int, high: int, wide: int, options: int) -> Page:
    import imagecodecs

    if compression == FAX4:
        return np.asarray(imagecodecs.ccittfax4_decode(data, high, wide))
    if compression == FAX3:
        return np.asarray(imagecodecs.ccittfax3_decode(data, high, wide, t4options=options))
    return np.asarray(imagecodecs.ccittrle_decode(data, high, wide))
