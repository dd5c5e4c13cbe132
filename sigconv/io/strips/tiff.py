"""TIFFs by bands of rows: strips and tiles are decoded as they are needed, and written as soon as they are full."""

import struct
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sigconv.engines.cpu.threads import get_num_threads
from sigconv.io.images import tiff_layout as layouts
from sigconv.io.images import tiff_tags as t
from sigconv.io.images.picture import About, Refusal
from sigconv.io.images.tiff_about import about_of, orientation_of, refuse_hidden
from sigconv.io.images.tiff_blocks import decoded, encoded
from sigconv.io.images.tiff_layout import Layout, layout_of, places_of
from sigconv.io.images.tiff_tags import Tags
from sigconv.io.images.tiff_write import described
from sigconv.io.strips.plain import NotInStrips, read_into

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_HELD = 1 << 28  # bytes of a row of strips or tiles that is decoded
_SUB_IFDS = 330


def check(layout: Layout, tags: Tags) -> None:
    """Refuse what is read whole although it is sound."""
    own = layouts.CHANNELS[layout.photometric]
    if layout.compression != layouts.NONE and layout.compression not in layouts.CODECS:
        raise NotInStrips(f"has compression {layout.compression}")
    if layout.photometric not in (layouts.BLACK_IS_ZERO, layouts.RGB, layouts.INKS):
        raise NotInStrips(f"has photometric interpretation {layout.photometric}")
    if layout.shape[2] > own and layout.extra != (layouts.STRAIGHT,):
        raise NotInStrips(f"has {layout.shape[2]} samples a pixel")
    if layout.bits % 8 or (layout.bits == 64 and layout.dtype.kind != "f"):
        raise NotInStrips(f"has samples of {layout.bits} bits")
    if layout.reversed_bits or _SUB_IFDS in tags:
        raise NotInStrips("has its bits in reverse order, or further resolutions")
    held = layout.block[0] * layout.pitch * layout.across * layout.planes
    if not layout.open and held > _HELD:
        raise NotInStrips(f"has strips or tiles of {held / 1e6:,.0f} MB")


class TiffRows:
    """The rows of a TIFF's page, of any band of them in order: of the first page, until it is turned to another.

    Parameters
    ----------
    file : binary file
        It is read unbuffered.
    size : int
        Its bytes.
    max_pixels : int
        The most that its header may claim.

    Raises
    ------
    Refusal
        Where the file is damaged; `NotInStrips` where it has to be read whole.
    """

    format = "tiff"

    def __init__(self, file: BinaryIO, size: int, max_pixels: int) -> None:
        self._file, self._size = file, size
        kind, all_tags = t.read_pages(file, size)
        refuse_hidden(all_tags)
        self.pages: list[tuple[Layout, Tags]] = []
        for tags in all_tags:
            layout = layout_of(kind, tags, max_pixels)
            max_pixels -= layout.shape[0] * layout.shape[1]
            check(layout, tags)
            self.pages.append((layout, tags))
        self.orientation = orientation_of(kind, all_tags[0])
        kinds = {(layout.dtype, layout.color, layout.alpha, orientation_of(kind, tags)) for layout, tags in self.pages}
        words = all_tags[0][t.DESCRIPTION].data if t.DESCRIPTION in all_tags[0] else b""
        if len(kinds) > 1 or (len(self.pages) > 1 and words.startswith(b"ImageJ=")):  # who wants all pixels first
            raise NotInStrips("has several pages of different kinds, or is ImageJ's")
        self._pool = Workers()
        self.turn_to(0)

    @property
    def about(self) -> About:
        """What travels along."""
        return about_of(self.layout.kind, [self.tags])

    def turn_to(self, page: int) -> None:
        """Go on with the rows of another page."""
        self.layout, self.tags = self.pages[page]
        self._places = places_of(self.layout, self.tags, self._size)
        rows, columns, samples = self.layout.shape
        self.shape: tuple[int, ...] = (rows, columns, samples) if samples > 1 else (rows, columns)
        self.dtype, self.color, self.alpha = self.layout.dtype, self.layout.color, self.layout.alpha
        self._decoded: dict[int, np.ndarray] = {}

    def close(self) -> None:
        self._pool.close()
        self._file.close()

    def rows(self, low: int, high: int) -> np.ndarray:
        """Rows low to high."""
        out = np.empty((high - low, *self.layout.shape[1:]), self.dtype)
        read = self._read if self.layout.plain else self._pick if self.layout.open else self._decode
        read(low, high, out)
        return out.reshape(high - low, *self.shape[1:])

    def _read(self, low: int, high: int, out: np.ndarray) -> None:
        pitch = self.layout.pitch
        parts: list[list[int]] = []  # place in the file, row of out, bytes: strips that follow each other are one
        for row, first, last in self.layout.rows_of_blocks(low, high):
            at, count = self._places[row][0] + (first - row * self.layout.block[0]) * pitch, (last - first) * pitch
            if parts and parts[-1][0] + parts[-1][2] == at:
                parts[-1][2] += count
            else:
                parts.append([at, first - low, count])
        for at, row, count in parts:
            read_into(self._file, at, out[row : row + count // pitch])
        if self.layout.stored != self.dtype:
            out.byteswap(inplace=True)

    def _pick(self, low: int, high: int, out: np.ndarray) -> None:
        layout = self.layout
        for row, first, last in layout.rows_of_blocks(low, high):
            rows = np.empty((last - first, layout.block[1], layout.samples), layout.stored)
            for plane, column in layout.beside():
                at = self._places[layout.place(plane, row, column)][0] + (first - row * layout.block[0]) * layout.pitch
                read_into(self._file, at, rows)
                part = out[first - low : last - low, layout.columns(column), layout.channels(plane)]
                part[...] = rows[:, : part.shape[1]]

    def _decode(self, low: int, high: int, out: np.ndarray) -> None:
        layout, jobs, needed = self.layout, [], list(self.layout.rows_of_blocks(low, high))
        self._decoded = {row: self._decoded[row] for row, _, _ in needed if row in self._decoded}
        for row, _, _ in needed:
            if row not in self._decoded:
                block = self._decoded[row] = np.empty((layout.deep(row), *layout.shape[1:]), self.dtype)
                jobs += [(block, row, plane, column) for plane, column in layout.beside()]
        self._pool.each(self._decode_block, jobs)
        for row, first, last in needed:
            start = row * layout.block[0]
            out[first - low : last - low] = self._decoded[row][first - start : last - start]

    def _decode_block(self, job: tuple[np.ndarray, int, int, int]) -> None:
        target, row, plane, column = job
        at, size = self._places[self.layout.place(plane, row, column)]
        data = bytearray(size)
        read_into(self._file, at, data)
        try:
            block = decoded(self.layout, data, len(target))
        except Exception as error:  # decoders raise errors of their own
            first = row * self.layout.block[0]
            raise Refusal(f"is damaged in its rows {first} to {first + len(target) - 1}") from error
        part = target[:, self.layout.columns(column), self.layout.channels(plane)]
        part[...] = block[:, : part.shape[1]]


class TiffSink:
    """A page of a TIFF that is written band by band.

    Parameters
    ----------
    file : binary file
        It can be written anywhere, and is empty or holds the pages before.
    layout : Layout
    tags : dict
        What travels along.
    notes : dict
        Takes what cannot be kept, in words.
    before : TiffSink, optional
        The page before, which is closed.
    """

    end: int  # of the directory, once it is written
    link: int  # where the page behind is looked for

    def __init__(
        self, file: BinaryIO, layout: Layout, tags: Tags, notes: dict[str, None], before: "TiffSink | None" = None
    ) -> None:
        self._file, self.layout, self._tags, self._notes, self._before = file, layout, tags, notes, before
        start = layout.kind.head if before is None else before.end
        self._lengths = list(layout.sizes())  # of compressed blocks, what they turn out to be
        self._offsets = list(accumulate(self._lengths, initial=start))
        end = self._offsets.pop()
        self._end = end if layout.open else start
        self._done, self._waiting = 0, []  # type: tuple[int, list[np.ndarray]]
        self._pool = Workers()

    def write(self, rows: np.ndarray) -> None:
        """The next rows."""
        rows, low = rows.reshape(len(rows), *self.layout.shape[1:]), self._done
        self._done += len(rows)
        for row, first, last in self.layout.rows_of_blocks(low, self._done):
            part = rows[first - low : last - low]
            if self.layout.open:
                self._lay(row, first - row * self.layout.block[0], part)
                continue
            self._waiting.append(part)
            if last == min((row + 1) * self.layout.block[0], self.layout.shape[0]):
                self._flush(row)
        if self._waiting:  # what waits is not to hold a band that is done
            self._waiting = [np.concatenate(self._waiting)]

    def close(self) -> None:
        """Write the directory, and where it is to where that is looked for."""
        self._pool.close()
        if self._done != self.layout.shape[0]:
            raise Refusal("came to an end too early")
        kind, at = self.layout.kind, self._end + self._end % 2
        tags = described(self.layout, self._tags, self._offsets, self._lengths, self._notes)
        table = t.encoded(kind, tags, at)
        self._write(at, table)
        if self._before is None:
            self._write(0, kind.header(at))
        else:
            self._write(self._before.link, struct.pack(kind.offset, at))
            self._before = None
        self.end = at + len(table) + len(table) % 2
        self.link = at + t.link(kind, len(tags))

    def _lay(self, row: int, skip: int, rows: np.ndarray) -> None:
        """Rows of a strip or tile to where they belong; what stands below the image in a tile stays zero."""
        for plane, column in self.layout.beside():
            at = self._offsets[self.layout.place(plane, row, column)] + skip * self.layout.pitch
            self._write(at, self._block(rows, len(rows), plane, column))

    def _flush(self, row: int) -> None:
        """A row of strips or tiles, which is complete."""
        rows = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        self._waiting = []
        deep, places = self.layout.deep(row), list(self.layout.beside())
        for place, data in zip(places, self._pool.map(lambda p: self._block(rows, deep, *p), places), strict=True):
            index = self.layout.place(place[0], row, place[1])
            self._offsets[index], self._lengths[index] = self._end, len(data)
            self._write(self._end, data)
            self._end += len(data)

    def _block(self, rows: np.ndarray, deep: int, plane: int, column: int) -> bytes | memoryview:
        part = rows[:, self.layout.columns(column), self.layout.channels(plane)]
        missing = deep - len(part), self.layout.block[1] - part.shape[1]
        if any(missing):
            part = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        return encoded(self.layout, part)

    def _write(self, at: int, data: bytes | memoryview) -> None:
        self._file.seek(at)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


class Workers:
    """Threads that work on strips and tiles; there are none where there is one CPU or one thing to do."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def map(self, task: Callable[[Any], Any], items: list[Any]) -> Iterable[Any]:
        """What the task makes of each, in order."""
        if len(items) < 2 or get_num_threads() < 2:
            return map(task, items)
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # slow to import, and seldom needed

            self._pool = ThreadPoolExecutor(get_num_threads(), "sigconv-blocks")
        return self._pool.map(task, items)

    def each(self, task: Callable[[Any], Any], items: list[Any]) -> None:
        for _ in self.map(task, items):
            pass

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
