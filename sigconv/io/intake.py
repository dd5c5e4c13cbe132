"""A table that arrives piece by piece: what it is like, its rows as soon as they are complete, and what is no row."""

from collections.abc import Generator, Iterable, Iterator

import numpy as np

from sigconv.engines.cpu import text
from sigconv.io import files
from sigconv.io import rows as cells
from sigconv.io.columns import TelemetryError
from sigconv.io.heads import Found, find_head
from sigconv.io.layout import Layout, Report
from sigconv.io.reader import Head, Reader, Readings

SNIFFED = 1 << 16  # bytes after which what the table is like has to be settled
_NEWLINE = 10

Piece = bytes | files.Block
Part = bytes | Found | Readings


class Intake:
    """Reads a table in pieces of any size; where these are cut changes nothing but when its parts come.

    Its parts, in their order, are all its bytes: those that belong to no row, what stands above the data, and rows with
    what could be read in them.

    Parameters
    ----------
    layout : Layout
        Which columns, and how the table is written.
    past : Head, optional
        What a table of which this one is the continuation was like.

    Examples
    --------
    >>> intake = Intake(Layout(columns=["x"]))
    >>> parts = [*intake.feed(b"t,x\\n0,1\\n1,"), *intake.feed(b"3"), *intake.close()]
    >>> parts[0].above(), [part.values.ravel().tolist() for part in parts[1:]]
    (b't,x\\n', [[1.0], [3.0]])
    """

    def __init__(self, layout: Layout, past: Head | None = None) -> None:
        self.report = Report()
        self.reader: Reader | None = None
        """What reads the rows, once it is known what the table is like."""
        self._layout = layout
        self._past = past
        self._pending = b""  # what waits for more
        self._began = False  # whether a byte order mark could still come
        self._endless = False  # within a row that is too long
        self._tried = 0  # bytes that have told too little
        self._lines = 0  # in them
        self._line = 1

    @property
    def waiting(self) -> int:
        """Bytes that have arrived and are in no part yet: of a row that is not complete, or before the first one."""
        return len(self._pending)

    def feed(self, data: Piece) -> Iterator[Part]:
        """The parts that are complete now that ``data`` has arrived."""
        return self._read(data, complete=False)

    def close(self) -> Iterator[Part]:
        """The rest, when the input has ended."""
        return self._read(b"", complete=True)

    def settle(self) -> Iterator[Part]:
        """The complete rows that wait for more to tell what the table is like: it is taken for what they say."""
        if self.reader is not None:
            return
        end = self._pending.rfind(b"\n") + 1
        self._pending, rest = self._pending[:end], self._pending[end:]
        yield from self._begin(b"", complete=True)
        self._pending = rest

    def parts(self, blocks: Iterable[Piece]) -> Iterator[Part]:
        """All that `feed` gives for the blocks, and `close` at the end."""
        for block in blocks:
            yield from self.feed(block)
        yield from self.close()

    def parts_ahead(self, blocks: Iterable[Piece]) -> Generator[Part, None, None]:
        """The same, read by a thread while the caller works on what came before; to be closed where that ends early."""
        return files.ahead(self.parts(blocks))

    def _read(self, data: Piece, complete: bool) -> Iterator[Part]:
        if self._endless and data:
            data = bytes(data)
            end = data.find(b"\n") + 1
            yield data[: end or len(data)]
            if not end:
                return
            self._line += 1
            self._endless, data = False, data[end:]
        if self.reader is None:
            yield from self._begin(data, complete)
        else:
            yield from self._go_on(self.reader, data, complete)

    def _begin(self, data: Piece, complete: bool) -> Iterator[Part]:
        """Find out what the table is like; rows wait until that is settled."""
        self._pending += bytes(data)
        if not self._began:
            if not complete and cells.BOM.startswith(self._pending):
                return
            if self._pending.startswith(cells.BOM):
                self._pending = self._pending[len(cells.BOM) :]
                yield cells.BOM
            self._began = True
        held = self._pending
        found = self._find_head(held, complete)
        if found is None:
            if complete:
                self._pending = b""
                yield held
            return
        self.reader = Reader(found.head, self._layout, self.report)
        self._pending = b""
        self._line += found.lines
        yield found
        yield from self._go_on(self.reader, held[found.start :], complete)

    def _find_head(self, held: bytes, complete: bool) -> Found | None:
        """What the fewest lines that tell enough say: all that follows then depends on no cut of the input."""
        while self._tried < SNIFFED:
            end = held.find(b"\n", self._tried) + 1
            endless = end - self._tried > cells.ROW_LIMIT if end else len(held) - self._tried >= cells.ROW_LIMIT
            if endless:
                end = self._tried
            elif not end:
                break
            blank = not held[self._tried : end].strip()
            self._tried = end
            self._lines += not blank
            if not (endless or end >= SNIFFED) and (blank or self._lines % (1 << max(self._lines.bit_length() - 5, 0))):
                continue  # after many lines, one more tells little: each of the first 32 is tried, each other of 64, ..
            settled = endless or end >= SNIFFED
            found = find_head(held[:end], self._layout, self.report, settled, self._past)
            if found is not None:
                return found
            if endless:
                line = 1 + held.count(b"\n", 0, end)
                raise TelemetryError(
                    f"line {line}: a row of over {cells.ROW_LIMIT} bytes before any data; is it a table?"
                )
        return find_head(held, self._layout, self.report, True, self._past) if complete else None

    def _go_on(self, reader: Reader, data: Piece, complete: bool) -> Iterator[Part]:
        if not complete and _NEWLINE not in data and len(self._pending) + len(data) < cells.ROW_LIMIT:
            self._pending += bytes(data)
            return
        pending = self._pending
        buffer, size = text.padded(pending, data) if isinstance(data, bytes) else data.behind(pending)
        self._pending = b""
        while size:
            block = reader.read(buffer, size, self._line, complete)
            self._line += block.lines
            done = block.rows.rest
            yield block
            buffer, size = buffer[done:], size - done
            if not block.rows.too_long:
                self._pending = buffer[:size].tobytes()
                return
            place = f"line {self._line}"
            if self._layout.strict:
                raise TelemetryError(f"{place}: a row of over {cells.ROW_LIMIT} bytes")
            self.report.add("endless", 1, place.__str__)
            ends = np.flatnonzero(buffer[:size] == _NEWLINE)
            self._endless = not len(ends)
            over = size if self._endless else int(ends[0]) + 1
            yield buffer[:over].tobytes()
            self._line += not self._endless
            buffer, size = buffer[over:], size - over
