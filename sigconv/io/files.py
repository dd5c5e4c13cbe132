"""Where bytes come from and go to: a file, or ``-`` for standard input and output."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from typing import cast

from sigconv.errors import SigconvError

BLOCK = 1 << 20


def read_blocks(path: str, size: int = BLOCK) -> Iterator[bytes]:
    """Pieces of a file as they come, at most ``size`` bytes each: a slow pipe is served at once."""
    if path == "-":
        stdin = cast(BufferedReader, sys.stdin.buffer)
        yield from iter(lambda: stdin.read1(size), b"")
        return
    with open(path, "rb") as file:
        yield from iter(lambda: file.read1(size), b"")


@contextmanager
def writing(path: str, *, overwrite: bool = False) -> Iterator[Callable[[bytes], None]]:
    """A function that writes bytes to ``path``; a file appears whole when the block ends well, else not at all.

    Raises
    ------
    SigconvError
        Where the file exists and ``overwrite`` is not set.
    """
    if path == "-":
        yield _write_through
        return
    target = os.path.realpath(path)  # a link stays a link
    if os.path.exists(target) and not os.path.isfile(target):  # a device or a named pipe; a directory says so itself
        with open(target, "wb", buffering=0) as device:
            yield lambda data: _write_all(device.fileno(), data)
        return
    _refuse_existing(path, overwrite)
    draft = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.urandom(4).hex()}.part")
    try:
        with _named(path, draft), open(draft, "xb") as file:
            yield lambda data: _write_all(file.fileno(), data)
        _refuse_existing(path, overwrite)
        with suppress(FileNotFoundError):
            os.chmod(draft, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _refuse_existing(path: str, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(path):
        raise SigconvError(f"{path} exists; -y overwrites it")


@contextmanager
def _named(path: str, draft: str) -> Iterator[None]:
    # Nobody knows the draft's name, so an error speaks of the file that was asked for.
    try:
        yield
    except OSError as error:
        if error.filename == draft:
            error.filename = path
        raise


def _write_through(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
