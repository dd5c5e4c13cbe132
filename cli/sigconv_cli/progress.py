"""How far a run has come, on a terminal."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

import click

Block = TypeVar("Block", bound=Sized)

FIRST, STEP = 1.0, 0.2  # seconds until the first line, and between two


class Progress:
    """One line on stderr that is written anew; nothing where stderr is no terminal.

    Parameters
    ----------
    total : int or None
        Bytes to come, where that is known.
    shown : bool
        False for silence.
    """

    def __init__(self, total: int | None, shown: bool = True) -> None:
        self._total = total
        self._shown = shown and sys.stderr.isatty()
        self._began = time.monotonic()
        self._next = self._began + FIRST
        self._done = self._width = 0

    def counted(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks, counted; may run in a thread of its own."""
        for block in blocks:
            self._done += len(block)
            yield block

    def add(self, count: int) -> None:
        """Count bytes that were read some other way."""
        self._done += count

    def show(self) -> None:
        """Write the line anew where it is time."""
        if self._shown and (now := time.monotonic()) >= self._next:
            self._next = now + STEP
            self._write(now - self._began)

    def clear(self) -> None:
        """Leave no trace on the line."""
        if self._width:
            click.echo("\r" + " " * self._width + "\r", err=True, nl=False)
            self._width = 0

    def _write(self, seconds: float) -> None:
        share = f"{min(100 * self._done // self._total, 100):3d} %  " if self._total else ""
        text = f"{share}{self._done / 1e6:,.0f} MB  {self._done / 1e6 / seconds:,.0f} MB/s"
        line = text if os.environ.get("NO_COLOR") else click.style(text, dim=True)
        click.echo("\r" + line + " " * (self._width - len(text)), err=True, nl=False)
        self._width = max(self._width, len(text))
