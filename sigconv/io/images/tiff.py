"""TIFF: pages, their layouts and all their tags, read with distrust."""

from typing import BinaryIO

import numpy as np

from sigconv.io.images import pnm
from sigconv.io.images import tiff_layout as layouts
from sigconv.io.images import tiff_tags as t
from sigconv.io.images.picture import About, Page, Picture, Refusal, widened
from sigconv.io.images.tiff_about import about_of, orientation_of, refuse_hidden
from sigconv.io.images.tiff_blocks import decoded
from sigconv.io.images.tiff_layout import Layout, layout_of, places_of
from sigconv.io.images.tiff_tags import Kind, Tags
from sigconv.io.images.tiff_write import write_tiff

__all__ = ["read_tiff", "write_tiff"]


def read_tiff(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a TIFF file that stands at its beginning."""
    size = file.seek(0, 2)
    kind, all_tags = t.read_pages(file, size)
    found = []
    left = max_pixels
    for tags in all_tags:
        layout = layout_of(kind, tags, left)
        left -= layout.shape[0] * layout.shape[1]
        found.append((tags, layout, places_of(layout, tags, size)))
    kinds = {_meaning(layout) for _, layout, _ in found}
    if len(kinds) > 1:
        raise Refusal("has pages of different kinds: " + " and ".join(sorted(f"{c} of {b} bits" for c, _, b in kinds)))
    refuse_hidden(all_tags)
    about = about_of(kind, all_tags)
    pages = [_page(file, kind, *one, about) for one in found]
    about.details = {"kind": kind, "pages": [(tags, layout) for tags, layout, _ in found]}
    orientations = [orientation_of(kind, tags) for tags in all_tags]
    if len(set(orientations)) > 1:
        about.details["orientations"] = orientations
    _, first, places = found[0]
    if first.compression == layouts.JPEG and not first.extra and not first.planar:
        from sigconv.io.images.jpeg import tables_of

        file.seek(places[0][0])
        about.details["jpeg"] = tables_of(file.read(places[0][1]), first.tables)
    color, alpha, bits = kinds.pop()
    palette = first.photometric == layouts.PALETTE
    return Picture(pages, "tiff", color, alpha, bits, palette, about)


def _meaning(layout: Layout) -> tuple[str, bool, int]:
    return layout.color, layout.alpha, 8 if layout.photometric == layouts.PALETTE else layout.bits


def _page(file: BinaryIO, kind: Kind, tags: Tags, layout: Layout, places: list[tuple[int, int]], about: About) -> Page:
    most = 20_000 * (sum(length for _, length in places) + 1000)  # pixels that codecs make of so many bytes
    if layout.compression != layouts.NONE and layout.shape[0] * layout.shape[1] > most:
        raise Refusal("is damaged: it holds too little data for its size")
    page = np.empty(layout.shape, layout.dtype)
    for (start, length), (rows, columns, plane, high) in zip(places, layout.blocks(), strict=True):
        file.seek(start)
        part = decoded(layout, file.read(length), high)
        target = page[rows, columns, plane]
        if part.shape[0] < target.shape[0] or part.shape[1] < target.shape[1]:
            raise Refusal("is damaged: a strip or tile holds too few samples")
        target[...] = part[: target.shape[0], : target.shape[1]]
    return _as_meant(page, kind, tags, layout, about)


def _as_meant(page: Page, kind: Kind, tags: Tags, layout: Layout, about: About) -> Page:
    if layout.photometric == layouts.PALETTE:
        return _coloured(page, kind, tags, layout)
    if layout.bits < 8:
        page = widened(page, layout.bits)
    elif layout.bits % 8:
        page = pnm.widened(page, (1 << layout.bits) - 1)
    if layout.photometric == layouts.WHITE_IS_ZERO and layout.dtype.kind == "u":
        page[..., 0] = np.iinfo(layout.dtype).max - page[..., 0]
    if layout.extra == (layouts.PREMULTIPLIED,) and not _divide(page):
        about.lost.append("colours that are brighter than their opacity")
    return page[..., 0] if layout.shape[2] == 1 else page


def _coloured(page: Page, kind: Kind, tags: Tags, layout: Layout) -> Page:
    if layouts.COLOR_MAP not in tags:
        raise Refusal("is damaged: its palette is missing")
    table = np.array(t.integers(kind, tags[layouts.COLOR_MAP]), np.uint32)
    if len(table) != 3 << layout.bits:
        raise Refusal("is damaged: its palette is broken")
    table = table.reshape(3, -1).T
    colours = (table >> 8 if table.max() > 255 else table).astype(np.uint8)[page[..., 0]]
    return np.concatenate([colours, page[..., 1:]], axis=2) if layout.shape[2] > 1 else colours


def _divide(page: Page) -> bool:
    """Make straight colours of premultiplied ones, in place; whether that can be undone."""
    fits = True
    for row in page:
        alpha = row[:, -1:]
        if page.dtype.kind == "f":
            row[:, :-1] = np.divide(row[:, :-1], alpha, out=row[:, :-1].copy(), where=alpha != 0)
            continue
        full, wide = int(np.iinfo(page.dtype).max), alpha.astype(np.float64)
        straight = np.divide(row[:, :-1] * float(full), wide, out=np.zeros(row[:, :-1].shape), where=alpha != 0)
        fits &= bool((row[:, :-1] <= alpha).all())
        row[:, :-1] = np.rint(np.minimum(straight, full))
    return fits
