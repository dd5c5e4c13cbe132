"""How a TIFF lays its pixels out, and one strip or tile to bytes and back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from sigconv.io.strips import tags as t
from sigconv.io.strips.tags import Entry, Kind, TagError, Tags, entry, integers

_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS, _LZMA, _ZSTD = 1, 5, 8, 32946, 32773, 34925, 50000
_CODECS = {_LZW: "lzw", _DEFLATE: "zlib", _OLD_DEFLATE: "zlib", _PACKBITS: "packbits", _LZMA: "lzma", _ZSTD: "zstd"}
_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3
_KINDS = {1: "u", 2: "i", 3: "f"}
_DTYPES = {"u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"}
_COLORS = {1: ("gray", 1), 2: ("rgb", 3), 5: ("cmyk", 4)}  # of PhotometricInterpretation
_STRAIGHT = 2  # of ExtraSamples
_BLOCK = 1 << 24  # bytes of a strip that is held whole
_STALE = {t.FILL_ORDER, 280, 281, 288, 289, 330, 340, 341}  # and ranges of values, free bytes, other resolutions


class NotInStrips(TagError):
    """What speaks against reading a sound file in bands of rows."""


@dataclass(frozen=True)
class Layout:
    """Rows, columns and samples, and the strips or tiles, ``block`` rows and columns each, that hold them."""

    kind: Kind
    shape: tuple[int, int, int]
    dtype: np.dtype
    block: tuple[int, int]
    tiled: bool = False
    planar: bool = False
    compression: int = _NONE
    predictor: int = 1
    color: str = "gray"
    alpha: bool = False

    @property
    def down(self) -> int:
        return -(-self.shape[0] // self.block[0])

    @property
    def across(self) -> int:
        return -(-self.shape[1] // self.block[1])

    @property
    def planes(self) -> int:
        return self.shape[2] if self.planar else 1

    @property
    def samples(self) -> int:
        """Of a pixel in one strip or tile."""
        return 1 if self.planar else self.shape[2]

    @property
    def open(self) -> bool:
        """Whether samples stand in the file as they are, so that any rows of a strip or tile are read and written."""
        return self.compression == _NONE and self.predictor == 1

    @property
    def plain(self) -> bool:
        """Whether whole rows stand in the file as they are in memory."""
        return self.open and not self.tiled and not self.planar

    @property
    def pitch(self) -> int:
        """Bytes of a row of a strip or tile."""
        return self.block[1] * self.samples * self.dtype.itemsize

    def sizes(self) -> Iterator[int]:
        """Bytes of all strips or tiles, in order, before they are compressed."""
        for _ in range(self.planes):
            for row in range(self.down):
                yield from [self.block_rows(row) * self.pitch] * self.across

    def block_rows(self, row: int) -> int:
        """Rows that a strip or tile of this row of them holds: of strips, the last may be shorter."""
        return self.block[0] if self.tiled else min(self.block[0], self.shape[0] - row * self.block[0])

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

    def columns(self, column: int) -> slice:
        """Of the image, that a column of tiles holds."""
        return slice(column * self.block[1], (column + 1) * self.block[1])

    def channels(self, plane: int) -> slice:
        """That a plane holds."""
        return slice(plane, plane + 1) if self.planar else slice(None)

    @property
    def stored(self) -> np.dtype:
        return self.dtype.newbyteorder("<" if self.kind.order == "<" else ">")

    def decode(self, data: bytes | bytearray, rows: int) -> np.ndarray:
        """The (rows, columns, samples) of a strip or tile."""
        shape = (rows, self.block[1], self.samples)
        size = int(np.prod(shape)) * self.dtype.itemsize
        raw = data if self.compression == _NONE else _codec(self.compression, "decode")(data, out=size)
        if len(raw) < size:
            raise TagError("ends too early")
        floats = self.predictor == _FLOAT_DIFFERENCES
        x = np.frombuffer(raw, self.dtype if floats else self.stored, size // self.dtype.itemsize).reshape(shape)
        x = x.astype(self.dtype, copy=False)
        if self.predictor == 1:
            return x
        return _codec("floatpred" if floats else "delta", "decode")(x, axis=-2, out=np.empty_like(x))

    def encode(self, x: np.ndarray) -> bytes | memoryview:
        """The bytes of a strip or tile: `decode` backwards."""
        x = np.ascontiguousarray(x)
        if self.predictor == _FLOAT_DIFFERENCES:
            x = _codec("floatpred", "encode")(x, axis=-2, out=np.empty_like(x))
        else:
            if self.predictor == _DIFFERENCES:
                x = _codec("delta", "encode")(x, axis=-2, out=np.empty_like(x))
            x = x.astype(self.stored, copy=False)
        if self.compression == _NONE:
            return x.reshape(-1).view(np.uint8).data
        if self.compression == _PACKBITS:  # rows are packed one by one
            return _codec(_PACKBITS, "encode")(x.reshape(len(x), -1).view(np.uint8), axis=-1)
        return _codec(self.compression, "encode")(x.reshape(-1).view(np.uint8).data)

    def resized(self, shape: tuple[int, ...], dtype: np.dtype) -> "Layout":
        """The same for an image of another size or dtype, with 64-bit offsets where the file might need them."""
        most = int(np.prod([float(n + self.block[0] * self.tiled) for n in shape])) * dtype.itemsize
        kind = replace(self.kind, big=self.kind.big or most * 1.1 + 2**24 > 2**32)
        predictor = self.predictor
        if predictor != 1:
            predictor = _FLOAT_DIFFERENCES if dtype.kind == "f" else _DIFFERENCES
        block = self.block
        if not self.tiled:
            row = shape[1] * (1 if self.planar else shape[2]) * dtype.itemsize
            fits = max((1 << 20) // row, 1) if not self.open and block[0] * row > _BLOCK else block[0]
            block = (min(fits, shape[0]), shape[1])
        cells = (shape[0], shape[1], shape[2])
        return replace(self, kind=kind, shape=cells, dtype=dtype, block=block, predictor=predictor)

    def describe(self, tags: Tags, offsets: Sequence[int], sizes: Sequence[int]) -> Tags:
        """The tags of a file with this layout, from those of the file that it comes from."""
        rows, columns, samples = self.shape
        kept = {code: tag for code, tag in tags.items() if code not in _STALE | _LAID_OUT}
        if t.DESCRIPTION in kept and not _same_size(tags, self) and _tells_size(kept[t.DESCRIPTION]):
            del kept[t.DESCRIPTION]

        def put(code: int, type: int, values: int | Sequence[int]) -> None:
            kept[code] = entry(self.kind, type, values)

        long = 16 if self.kind.big else 4
        put(t.WIDTH, 4, columns)
        put(t.LENGTH, 4, rows)
        put(t.BITS, 3, [self.dtype.itemsize * 8] * samples)
        put(t.COMPRESSION, 3, self.compression)
        put(t.SAMPLES, 3, samples)
        if t.SAMPLE_FORMAT in tags or self.dtype.kind != "u":
            put(t.SAMPLE_FORMAT, 3, ["_uif".index(self.dtype.kind)] * samples)
        if t.PLANAR in tags or self.planar:
            put(t.PLANAR, 3, 2 if self.planar else 1)
        if self.predictor != 1:
            put(t.PREDICTOR, 3, self.predictor)
        if t.PHOTOMETRIC not in kept:
            put(t.PHOTOMETRIC, 3, next(code for code, (name, _) in _COLORS.items() if name == self.color))
        if self.alpha:
            put(t.EXTRA, 3, _STRAIGHT)
        put_blocks(put, long, self.block if self.tiled else self.block[:1], offsets, sizes)
        return kept


def put_blocks(put: Callable[..., None], long: int, block: tuple[int, ...], offsets: Any, sizes: Any) -> None:
    """Put the tags of tiles of so many rows and columns, or of strips of so many rows: their size and places."""
    if len(block) == 2:
        put(t.TILE_LENGTH, 4, block[0])
        put(t.TILE_WIDTH, 4, block[1])
        put(t.TILE_OFFSETS, long, offsets)
        put(t.TILE_BYTES, long, sizes)
    else:
        put(t.ROWS_PER_STRIP, 4, block[0])
        put(t.STRIP_OFFSETS, long, offsets)
        put(t.STRIP_BYTES, long, sizes)


_LAID_OUT = {t.WIDTH, t.LENGTH, t.BITS, t.COMPRESSION, t.STRIP_OFFSETS, t.SAMPLES, t.ROWS_PER_STRIP, t.STRIP_BYTES}
_LAID_OUT |= {
    t.PLANAR,
    t.PREDICTOR,
    t.TILE_WIDTH,
    t.TILE_LENGTH,
    t.TILE_OFFSETS,
    t.TILE_BYTES,
    t.SAMPLE_FORMAT,
    t.EXTRA,
}


def layout_of(kind: Kind, tags: Tags) -> Layout:
    """How the page of these tags is laid out.

    Raises
    ------
    TagError
        Where tags contradict each other; `NotInStrips` where they are sound but of a kind that is read whole.
    """

    def numbers(code: int, default: int | None = None) -> tuple[int, ...]:
        if code in tags and tags[code].count:
            return integers(kind, tags[code])
        if default is None:
            raise TagError(f"has no tag {code}")
        return (default,)

    rows, columns, samples = (numbers(code, d)[0] for code, d in ((t.LENGTH, None), (t.WIDTH, None), (t.SAMPLES, 1)))
    bits, formats = set(numbers(t.BITS, 1)), set(numbers(t.SAMPLE_FORMAT, 1))
    if not rows or not columns or not samples:
        raise TagError(f"claims {rows} rows, {columns} columns and {samples} samples")
    name = f"{_KINDS.get(min(formats))}{min(bits) // 8}"
    if len(bits) > 1 or len(formats) > 1 or min(bits) % 8 or name not in _DTYPES:
        raise NotInStrips(f"has samples of {min(bits)} bits")
    photometric, extra = numbers(t.PHOTOMETRIC, 1)[0], numbers(t.EXTRA, -1)
    color, channels = _COLORS.get(photometric, ("", 0))
    alpha = samples == channels + 1 and extra == (_STRAIGHT,)
    if not color or samples != channels + alpha:
        raise NotInStrips(f"has photometric interpretation {photometric} with {samples} samples")
    compression, predictor = numbers(t.COMPRESSION, 1)[0], numbers(t.PREDICTOR, 1)[0]
    if compression != _NONE and compression not in _CODECS:
        raise NotInStrips(f"has compression {compression}")
    if predictor not in (1, _DIFFERENCES, _FLOAT_DIFFERENCES) or (predictor == _FLOAT_DIFFERENCES) != (
        predictor != 1 and name[0] == "f"
    ):
        raise NotInStrips(f"has predictor {predictor}")
    if numbers(t.FILL_ORDER, 1)[0] != 1 or numbers(330, 0)[0]:
        raise NotInStrips("has its bits in reverse order, or further resolutions")
    tiled = t.TILE_WIDTH in tags
    if tiled:
        block = numbers(t.TILE_LENGTH)[0], numbers(t.TILE_WIDTH)[0]
    else:
        block = min(numbers(t.ROWS_PER_STRIP, rows)[0], rows), columns
    if min(block) < 1:
        raise TagError(f"claims blocks of {block[0]} rows and {block[1]} columns")
    planar = samples > 1 and numbers(t.PLANAR, 1)[0] == 2
    shape = (rows, columns, samples)
    return Layout(kind, shape, np.dtype(name), block, tiled, planar, compression, predictor, color, alpha)


def blocks_of(layout: Layout, tags: Tags, size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the strips or tiles of a file of ``size`` bytes begin, and how long they are.

    Raises
    ------
    TagError
        Where one is missing, or lies beyond the file's end.
    """
    codes = (t.TILE_OFFSETS, t.TILE_BYTES) if layout.tiled else (t.STRIP_OFFSETS, t.STRIP_BYTES)
    if any(code not in tags for code in codes):
        raise TagError("does not say where its pixels are")
    offsets, lengths = (integers(layout.kind, tags[code]) for code in codes)
    due = layout.planes * layout.down * layout.across
    if len(offsets) < due or len(lengths) < due:
        raise TagError(f"has {min(len(offsets), len(lengths))} of {due} {'tiles' if layout.tiled else 'strips'}")
    for offset, length in zip(offsets[:due], lengths[:due], strict=True):
        if not offset or not length:
            raise TagError("lacks some of its pixels")
        if offset + length > size:
            raise TagError("ends too early: pixels lie beyond its end")
    return offsets[:due], lengths[:due]


def _codec(name: int | str, way: str) -> Callable[..., Any]:
    import imagecodecs

    found = _CODECS[name] if isinstance(name, int) else name
    if found == "zlib" and imagecodecs.DEFLATE.available:
        found = "deflate"  # the same bytes read, in half the time
    return getattr(imagecodecs, f"{found}_{way}")


def _same_size(tags: Tags, layout: Layout) -> bool:
    return all(code in tags and integers(layout.kind, tags[code])[0] == n for code, n in _sizes(layout))


def _sizes(layout: Layout) -> list[tuple[int, int]]:
    return [(t.LENGTH, layout.shape[0]), (t.WIDTH, layout.shape[1])]


def _tells_size(description: Entry) -> bool:
    """Whether a description, such as tifffile's and OME's, repeats the size: readers believe it."""
    return description.data.startswith(b'{"shape"') or b"<OME" in description.data
