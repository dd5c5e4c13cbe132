"""Where bytes come from and go to: a file, a pipe, or ``-`` for standard input and output."""

import errno
import io
import os
import select
import stat
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sigconv.engines.cpu.sizes import LINE
from sigconv.engines.cpu.text import padded
from sigconv.errors import SigconvError

BLOCK = 1 << 20  # bytes that are read at once
_AHEAD, _BEHIND = 1, 2  # blocks read ahead of the filter, pieces that wait to be written

_ROOM = 1 << 16  # bytes that a block has in front

Piece = bytes | memoryview
Write = Callable[[Piece], None]
Item = TypeVar("Item")
Ready = Callable[[int], bool]


class Block:
    """Bytes read into the middle of a buffer, with room for what is left of the block before and for `padded`'s end.

    Parameters
    ----------
    size : int
        The most bytes it takes: `space` is where to, and `size` then says how many came.
    """

    def __init__(self, size: int) -> None:
        self._buffer = np.empty(_ROOM + size + LINE, np.uint8)
        self.space = self._buffer[_ROOM:-LINE].data
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return bytes(self.space[: self.size])

    def __contains__(self, byte: object) -> bool:
        return byte in self.space[: self.size]

    def behind(self, before: bytes) -> tuple[NDArray[np.uint8], int]:
        """As ``padded(before, self)``, in place where there is room: once."""
        if len(before) > _ROOM:
            return padded(before, self.space[: self.size])
        start, stop = _ROOM - len(before), _ROOM + self.size
        self._buffer[start:_ROOM] = np.frombuffer(before, np.uint8)
        self._buffer[stop : stop + LINE] = 0
        return self._buffer[start : stop + LINE], stop - start


def title(path: str) -> str:
    """What messages call a path."""
    return "standard input" if path == "-" else path


def plain_size(path: str) -> int | None:
    """Bytes of a plain file, also one that standard input is; None for pipes, devices and what does not exist."""
    try:
        status = os.fstat(sys.stdin.fileno()) if path == "-" else os.stat(path)
    except (OSError, ValueError):  # standard input may be closed, or no file at all
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def read_blocks(path: str, size: int = BLOCK, ready: Ready | None = None) -> Iterator[bytes | Block]:
    """Pieces of a file as they come, at most ``size`` bytes each: a slow pipe is served at once.

    Parameters
    ----------
    path : str
        A file, or "-" for standard input.
    size : int
        The most bytes of a piece.
    ready : callable, optional
        Called with the descriptor before each read: waits until there is something to read and says so. Where it
        answers False, an empty piece stands for a while without input.
    """
    if path == "-":
        try:
            descriptor = sys.stdin.fileno()
        except (OSError, ValueError):  # a stand-in
            yield from iter(lambda: sys.stdin.buffer.read1(size), b"")  # type: ignore[union-attr]
            return
        yield from _read_descriptor(descriptor, path, size, ready)
        return
    with open(path, "rb", buffering=0) as file:
        if plain_size(path) is None:
            yield from _read_descriptor(file.fileno(), path, size, ready)
        else:
            yield from _read_plain(file, path, size)


def _read_plain(file: io.FileIO, path: str, size: int) -> Iterator[Block]:
    with _named(title(path)):
        while True:
            block = Block(size)
            block.size = file.readinto(block.space) or 0
            if not block:
                return
            yield block


def _read_descriptor(descriptor: int, path: str, size: int, ready: Ready | None) -> Iterator[bytes]:
    with _named(title(path)):
        while True:
            if ready is not None and not ready(descriptor):
                yield b""
                continue
            try:
                block = os.read(descriptor, size)
            except BlockingIOError:  # whoever shares the descriptor may have set it so
                select.select([descriptor], [], [])
                continue
            if not block:
                return
            yield block


def ahead(items: Iterator[Item], depth: int = _AHEAD) -> Generator[Item, None, None]:
    """The same items, made by a thread while the caller works on those before."""
    queue: Queue[Item | BaseException | None] = Queue(depth)
    over = threading.Event()

    def read() -> None:
        try:
            for item in items:
                queue.put(item)
                if over.is_set():
                    return
            queue.put(None)
        except BaseException as error:  # it is the caller's to handle
            queue.put(error)

    thread = threading.Thread(target=read, name="sigconv-reader", daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        over.set()
        with suppress(Empty):  # makes room for what the reader is about to put down
            while True:
                queue.get_nowait()


@contextmanager
def behind(write: Write, depth: int = _BEHIND) -> Iterator[Write]:
    """A function that hands pieces to a thread, which writes them in order; all are written when the block ends.

    An error of ``write`` is raised by the next call or at the end of the block.
    """
    queue: Queue[Piece | None] = Queue(depth)
    failure: list[BaseException] = []

    def drain() -> None:
        while (piece := queue.get()) is not None:
            if not failure:
                try:
                    write(piece)
                except BaseException as error:  # it is the caller's to handle
                    failure.append(error)

    def put(piece: Piece) -> None:
        if failure:
            raise failure[0]
        queue.put(piece)

    thread = threading.Thread(target=drain, name="sigconv-writer", daemon=True)
    thread.start()
    try:
        yield put
    finally:
        queue.put(None)
        thread.join()
    if failure:
        raise failure[0]


@contextmanager
def writing(path: str, *, overwrite: bool = False) -> Iterator[Write]:
    """A function that writes bytes to ``path``; a file appears whole when the block ends well, else not at all.

    Raises
    ------
    SigconvError
        Where the file exists and ``overwrite`` is not set.
    """
    if path == "-":
        yield _write_stdout
        return
    if is_device(path):
        with open(path, "wb", buffering=0) as device:
            yield lambda data: _write_all(device.fileno(), data, path)
        return
    with drafting(path, overwrite=overwrite) as file:
        yield lambda data: _write_all(file.fileno(), data, path)


@contextmanager
def drafting(path: str, *, overwrite: bool = False) -> Iterator[io.FileIO]:
    """A file to be written in any order, which becomes ``path`` when the block ends well, and goes where it does not.

    Raises
    ------
    SigconvError
        Where the file exists and ``overwrite`` is not set.
    """
    refuse_existing(path, overwrite)
    target = os.path.realpath(path)  # a link stays a link
    draft = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.urandom(4).hex()}.part")
    try:
        with _named(path, draft), open(draft, "xb", buffering=0) as file:
            yield file
        refuse_existing(path, overwrite)
        with suppress(FileNotFoundError):
            os.chmod(draft, stat.S_IMODE(os.stat(target).st_mode))
        with _named(path, draft):
            os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


@contextmanager
def growing(path: str, *, overwrite: bool = False, keep: int | None = None) -> Iterator[Write]:
    """A function that writes to ``path`` at once: for output that has no end, so that it can never be whole.

    Parameters
    ----------
    path : str
        A file, or "-" for standard output.
    overwrite : bool
        Whether a file that exists may be emptied.
    keep : int, optional
        Bytes of the file that stay: what is written follows them.
    """
    if path == "-" or is_device(path):
        with writing(path) as write:
            yield write
        return
    if keep is None or not os.path.exists(path):
        refuse_existing(path, overwrite)
        keep = 0
    with open(path, "ab", buffering=0) as file:
        file.truncate(min(keep, os.fstat(file.fileno()).st_size))
        yield lambda data: _write_all(file.fileno(), data, path)


def save_whole(path: str, data: bytes) -> None:
    """Put ``data`` into a file at once and for good: after a power failure there is the old file or the new one."""
    target = os.path.realpath(path)
    draft = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.urandom(4).hex()}.part")
    try:
        with _named(path, draft):
            with open(draft, "xb", buffering=0) as file:
                _write_all(file.fileno(), data, path)
                os.fsync(file.fileno())
            os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


def is_device(path: str) -> bool:
    """Whether the path is there and neither a plain file nor a directory: a device or a named pipe."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def refuse_existing(path: str, overwrite: bool) -> None:
    """Raise where a file would be lost."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not overwrite and os.path.lexists(path):
        raise SigconvError(f"{path} exists; -y overwrites it")


@contextmanager
def _named(path: str, draft: str | None = None) -> Iterator[None]:
    # An error speaks of the file that was asked for: a descriptor has no name, and nobody knows the draft's.
    try:
        yield
    except OSError as error:
        if error.filename == draft:
            error.filename, error.filename2 = path, None
        raise


def _write_stdout(data: Piece) -> None:
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # a stand-in
        sys.stdout.buffer.write(data)
        return
    _write_all(descriptor, data, "standard output")


def _write_all(descriptor: int, data: Piece, path: str) -> None:
    view = memoryview(data)
    with _named(path):
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:  # whoever shares the descriptor may have set it so
                select.select([], [descriptor], [])
