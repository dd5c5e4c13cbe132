"""TIFF written: each page laid out as the one that it came from, with all tags that still hold."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images import pnm
from sigconv.io.images import tiff_layout as layouts
from sigconv.io.images import tiff_tags as t
from sigconv.io.images.picture import Page, Picture, Refusal, channels, narrowed
from sigconv.io.images.tiff_about import about_of, put_about
from sigconv.io.images.tiff_blocks import encoded
from sigconv.io.images.tiff_layout import LAID_OUT, Layout
from sigconv.io.images.tiff_tags import Entry, Kind, Tags, entry

_STRIP = 1 << 18  # bytes of a strip where no file says another size


def write_tiff(picture: Picture, file: BinaryIO, quality: int | None = None) -> list[str]:
    """Write a picture to a file that can be sought in; notes of what could not be kept."""
    notes: dict[str, None] = {}
    size = sum(page.nbytes + page.nbytes // 8 + 65536 for page in picture.pages)
    details = picture.about.details if picture.format == "tiff" else {}
    kind: Kind = details.get("kind", Kind())
    kind = replace(kind, big=kind.big or size > 0xFFFFFFFF)
    sources = details.get("pages", [])
    file.write(kind.header(0))
    link = file.tell() - struct.calcsize(kind.offset)
    laid = []
    for k, page in enumerate(picture.pages):  # pixels of all pages first: ImageJ wants those of stacks in one piece
        tags, layout = sources[k] if len(sources) == len(picture.pages) else ({}, None)
        layout = _layout(picture, page, kind, layout, notes)
        laid.append((tags, layout, *_blocks(picture, page, layout, file, quality, notes)))
    was = about_of(kind, [laid[0][0]])
    for (tags, layout, offsets, lengths), orientation in zip(laid, picture.orientations, strict=True):
        at = file.tell() + file.tell() % 2
        kept = described(layout, tags, offsets, lengths, notes, _sampling(details.get("jpeg", {})))
        put_about(kept, picture.about, was, orientation, kind)
        table = t.encoded(kind, kept, at)
        file.write(b"\0" * (at - file.tell()) + table)
        end = file.tell()
        file.seek(link)
        file.write(struct.pack(kind.offset, at))
        file.seek(end)
        link = at + t.link(kind, len(kept))
    return list(notes)


def _layout(picture: Picture, page: Page, kind: Kind, source: Layout | None, notes: dict[str, None]) -> Layout:
    """How a page is laid out: as that which it comes from, as far as that can hold it."""
    shape = (*page.shape[:2], channels(page))
    photometric = {"gray": layouts.BLACK_IS_ZERO, "rgb": layouts.RGB, "cmyk": layouts.INKS}[picture.color]
    more = shape[2] - layouts.CHANNELS[photometric]
    if more < 0:
        raise Refusal(f"TIFF holds no {picture.color} images of {shape[2]} channels")
    if picture.palette:
        notes["the palette became RGBA" if picture.alpha else "the palette became RGB"] = None
    low = page.dtype == np.uint8 and shape[2] == 1 and picture.bits in (1, 2, 4)
    odd = page.dtype == np.uint16 and picture.bits in (10, 12, 14)
    bits = picture.bits if low or odd else 8 * page.dtype.itemsize
    differences = layouts.FLOAT_DIFFERENCES if page.dtype.kind == "f" else layouts.DIFFERENCES
    predictor = 1 if bits % 8 else differences
    extra = (0,) * (more - picture.alpha) + (layouts.STRAIGHT,) * picture.alpha
    if source is None:
        block = (min(max(_STRIP // max(page.nbytes // shape[0], 1), 1), shape[0]), shape[1])
        own = Layout(kind, shape, page.dtype, bits, block, compression=layouts.DEFLATE, predictor=predictor)
        return replace(own, photometric=photometric, extra=extra)
    layout = replace(source.resized(shape, page.dtype), kind=kind, bits=bits, planar=source.planar and shape[2] > 1)
    other = source.photometric == layouts.WHITE_IS_ZERO and source.dtype.kind != page.dtype.kind
    if other or source.photometric == layouts.PALETTE or source.color != picture.color:
        layout = replace(layout, photometric=photometric)
    if len(source.extra) != len(extra):
        layout = replace(layout, extra=extra)
    if layout.compression in (layouts.CCITT, layouts.FAX3, layouts.FAX4):
        notes["the fax compression became deflate"] = None
        layout = replace(layout, compression=layouts.DEFLATE)
    if layout.compression == layouts.JPEG and (bits != 8 or page.dtype != np.uint8 or extra or source.planar):
        notes["the JPEG compression became deflate"] = None
        layout = replace(layout, compression=layouts.DEFLATE, predictor=predictor)
    if layout.compression != layouts.JPEG and layout.photometric == layouts.YCBCR:
        layout = replace(layout, photometric=layouts.RGB)
    return replace(layout, predictor=1) if bits % 8 else layout


def _blocks(
    picture: Picture, page: Page, layout: Layout, file: BinaryIO, quality: int | None, notes: dict[str, None]
) -> tuple[list[int], list[int]]:
    cells, offsets, lengths = page.reshape(layout.shape), [], []
    tables = picture.about.details.get("jpeg", {}) if picture.format == "tiff" else {}
    for rows, columns, plane, high in layout.blocks():
        part = _as_stored(cells[rows, columns], layout)[..., plane]
        missing = high - part.shape[0], layout.block[1] - part.shape[1]
        if any(missing):  # a tile at the edge goes on as it ends: it compresses better than blackness
            part = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")
        jpeg = layout.compression == layouts.JPEG
        data = _jpeg(part, layout, tables, quality) if jpeg else encoded(layout, part)
        if layout.compression != layouts.NONE:
            file.write(b"\0" * (file.tell() % 2))
        offsets.append(file.tell())
        lengths.append(len(data))
        file.write(data)
    return offsets, lengths


def _as_stored(part: Page, layout: Layout) -> Page:
    if layout.extra == (layouts.PREMULTIPLIED,):
        part = part.copy()
        alpha = part[..., -1:]
        if part.dtype.kind == "f":
            np.multiply(part[..., :-1], alpha, out=part[..., :-1], where=alpha != 0)
        else:
            full = int(np.iinfo(part.dtype).max)
            part[..., :-1] = np.rint(part[..., :-1] * (alpha.astype(np.float64) / full))
    if layout.photometric == layouts.WHITE_IS_ZERO and layout.dtype.kind == "u":
        part = part.copy()
        part[..., 0] = np.iinfo(part.dtype).max - part[..., 0]
    if layout.bits % 8 == 0:
        return part
    return narrowed(part, layout.bits) if layout.bits < 8 else pnm.narrowed(part, (1 << layout.bits) - 1)


def _jpeg(part: Page, layout: Layout, tables: dict[str, Any], quality: int | None) -> bytes:
    from sigconv.io.images.jpeg import encoded as jpeg

    if layout.photometric == layouts.INKS:
        return jpeg(255 - part, "cmyk", {**tables, "subsampling": 0}, quality)  # Pillow inverts inks: back again
    if layout.shape[2] == 1:
        return jpeg(part[..., 0], "gray", tables, quality)
    plain = layout.photometric == layouts.RGB
    return jpeg(part, "rgb", {**tables, "plain": plain, "subsampling": 0 if plain else _sampling(tables)}, quality)


def _sampling(tables: dict[str, Any]) -> int:
    return max(tables.get("subsampling", 2), 0)


def described(
    layout: Layout,
    source: Tags,
    offsets: Sequence[int],
    lengths: Sequence[int],
    notes: dict[str, None],
    sampling: int = 0,
) -> Tags:
    """The tags of a page with this layout, and of the page that it comes from those that still hold."""
    rows, columns, samples = layout.shape
    kind = layout.kind
    kept = {code: tag for code, tag in source.items() if code not in LAID_OUT}
    words = kept[t.DESCRIPTION].data if t.DESCRIPTION in kept else b""
    if (words.startswith(b'{"shape"') or b"<OME" in words) and _size(kind, source) != (rows, columns):
        del kept[t.DESCRIPTION]  # it repeats the size, and readers believe it
        if b"<OME" in words:
            notes["left out: the description as OME has it, which tells another size"] = None

    def put(code: int, type: int, values: int | Sequence[int]) -> None:
        kept[code] = entry(kind, type, values)

    put(t.WIDTH, 4, columns)
    put(t.LENGTH, 4, rows)
    put(t.BITS, 3, [layout.bits] * samples)
    put(t.COMPRESSION, 3, layout.compression)
    put(t.PHOTOMETRIC, 3, layout.photometric)
    put(t.SAMPLES, 3, samples)
    if t.SAMPLE_FORMAT in source or layout.dtype.kind != "u":
        put(t.SAMPLE_FORMAT, 3, ["_uif".index(layout.dtype.kind)] * samples)
    if t.PLANAR in source or samples > 1:
        put(t.PLANAR, 3, 2 if layout.planar else 1)
    if t.PREDICTOR in source or layout.predictor != 1:
        put(t.PREDICTOR, 3, layout.predictor)
    if layout.extra:
        put(t.EXTRA, 3, layout.extra)
    if t.FILL_ORDER in source:
        put(t.FILL_ORDER, 3, 2 if layout.reversed_bits else 1)
    if layout.photometric == layouts.YCBCR:
        put(layouts.SUBSAMPLING, 3, {0: (1, 1), 1: (2, 1), 2: (2, 2)}[sampling])
        kept[532] = Entry(5, 6, struct.pack(kind.order + "12I", 0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1))
    if layout.tiled:
        put(t.TILE_LENGTH, 4, layout.block[0])
        put(t.TILE_WIDTH, 4, layout.block[1])
    else:
        put(t.ROWS_PER_STRIP, 4, layout.block[0])
    where, length = (t.TILE_OFFSETS, t.TILE_BYTES) if layout.tiled else (t.STRIP_OFFSETS, t.STRIP_BYTES)
    put(where, 16 if kind.big else 4, offsets)
    put(length, 16 if kind.big else 4, lengths)
    return kept


def _size(kind: Kind, source: Tags) -> tuple[int, int] | None:
    if t.LENGTH not in source or t.WIDTH not in source:
        return None
    return t.integers(kind, source[t.LENGTH])[0], t.integers(kind, source[t.WIDTH])[0]
