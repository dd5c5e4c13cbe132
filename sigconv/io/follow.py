"""A file that grows, read as it grows: through rotation and truncation, like ``tail -F``."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO

from sigconv.errors import SigconvError
from sigconv.io.files import BLOCK

POLL = 0.1  # seconds between two looks at a file that does not grow


@dataclass(frozen=True)
class Place:
    """How far a file has been read."""

    device: int
    inode: int
    offset: int


class Follower:
    """The lines of a file from its start, then those that are added.

    A file that is renamed away is read to its end, then the new one under the name from its start; one that is cut
    short is read from its start again. Only whole lines are handed out; where the last line of an old file has no end,
    it is given one. An empty piece stands for a while in which nothing was added.

    Parameters
    ----------
    path : str
        The file, which must exist.
    place : Place, optional
        Where to go on: ignored where another file has taken the name, or the file has become shorter.
    wait : callable
        Given seconds, waits as long.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as log:
    ...     _ = log.write(b"1\\n2\\n3")
    ...     log.flush()
    ...     pieces = iter(Follower(log.name))
    ...     first = next(pieces)
    ...     _ = log.write(b"0\\n")
    ...     log.flush()
    ...     first, next(pieces)
    (b'1\\n2\\n', b'30\\n')
    """

    def __init__(self, path: str, place: Place | None = None, wait: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._wait = wait
        self._file = FileIO(path)
        self._held = b""  # a line that has no end yet
        self.midway = False  # whether reading began behind the start
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SigconvError(f"{path}: only a plain file can be followed; a pipe is read as it comes anyway")
        if place is not None and (status.st_dev, status.st_ino) == (place.device, place.inode):
            self.midway = 0 < place.offset <= status.st_size
        if place is not None and self.midway:
            self._file.seek(place.offset)

    @property
    def place(self) -> Place:
        """Behind the last line that was handed out."""
        status = os.fstat(self._file.fileno())
        return Place(status.st_dev, status.st_ino, self._file.tell() - len(self._held))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield from self._read_on()
            if os.fstat(self._file.fileno()).st_size < self._file.tell():
                yield from self._end_line()
                self._file.seek(0)
            elif self._is_replaced():
                yield from self._read_on()  # what was added before it was replaced
                yield from self._end_line()
                self._open_next()
            else:
                yield b""
                self._wait(POLL)

    def _read_on(self) -> Iterator[bytes]:
        """The lines up to the present end."""
        while block := self._file.read(BLOCK):
            cut = block.rfind(b"\n") + 1
            if not cut and len(self._held) > BLOCK:  # no line is that long, and memory has an end
                cut = len(block)
            lines, self._held = (self._held + block[:cut], block[cut:]) if cut else (b"", self._held + block)
            if lines:
                yield lines

    def _end_line(self) -> Iterator[bytes]:
        line, self._held = self._held, b""
        if line:
            yield line + b"\n"

    def _is_replaced(self) -> bool:
        try:
            there = os.stat(self._path)
        except FileNotFoundError:  # renamed away, and its successor is yet to come
            return False
        return not os.path.samestat(there, os.fstat(self._file.fileno()))

    def _open_next(self) -> None:
        try:
            successor = FileIO(self._path)
        except FileNotFoundError:
            return
        self._file.close()
        self._file = successor
