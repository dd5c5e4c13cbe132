"""Ctrl-C and SIGTERM as a wish that is granted between two blocks, so that what has been read comes out whole."""

import os
import select
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# Seconds that a run may take to come to its end, and then between the pushes that get it out of what it hangs in.
PATIENCE, PUSH = 2.0, 0.5


class Stopped(SystemExit):
    """The run ends because of a signal, with the code that shells report for it.

    ``orderly`` says whether it ends between two blocks; ``notes`` is what is to be said of what came before.
    """

    def __init__(self, number: int, orderly: bool) -> None:
        super().__init__(128 + number)
        self.orderly = orderly
        self.notes: list[str] = []


class Stop:
    """Notes the first signal; a second one, or an output that takes nothing for a while, ends the run at once."""

    def __init__(self) -> None:
        self._number = 0
        self._before: dict[int, Any] = {}
        self._wake: tuple[int, int] | None = None

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
            if os.name == "posix":
                self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._push)
                self._wake = os.pipe()
                os.set_blocking(self._wake[1], False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._wake is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for descriptor in self._wake or ():
            os.close(descriptor)

    def check(self) -> None:
        """Raise where the run is to end."""
        if self._number:
            raise Stopped(self._number, orderly=True)

    def ready(self, descriptor: int, seconds: float | None = None) -> bool:
        """Wait for something to read; False after ``seconds`` without. A signal ends it."""
        self.check()
        if self._wake is None:
            return True
        found, _, _ = select.select([descriptor, self._wake[0]], [], [], seconds)
        self.check()
        return descriptor in found

    def wait(self, seconds: float) -> None:
        """Sleep; a signal ends it."""
        self.check()
        if self._wake is None:
            threading.Event().wait(seconds)
        else:
            select.select([self._wake[0]], [], [], seconds)
        self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._number or self._wake is None:
            self._number = number
            self._push(number, frame)
        self._number = number
        os.write(self._wake[1], b"!")  # type: ignore[index]
        signal.setitimer(signal.ITIMER_REAL, PATIENCE, PUSH)

    def _push(self, number: int, frame: FrameType | None) -> None:
        raise Stopped(self._number, orderly=False)
