"""The thread pool: ranges of work taken one after another by the caller and a few sleeping helpers.

Which thread takes which range varies; the ranges themselves depend on the data's size alone, so results do not
depend on the number of threads. Helpers are daemons asleep on a queue of their own: they hold up neither the
interpreter's exit nor other callers, and a forked child, which has none of its parent's threads, starts its own.
"""

import os
import threading
from collections.abc import Callable, Iterable
from itertools import count
from operator import index
from queue import Empty, SimpleQueue
from typing import SupportsIndex

Task = Callable[[int, int], object]


def _default_threads() -> int:
    asked = os.environ.get("SIGCONV_NUM_THREADS", "").strip()
    if asked:
        try:
            return checked_threads(int(asked))
        except ValueError:
            raise ValueError(f"SIGCONV_NUM_THREADS must be a whole number of at least 1, got {asked!r}") from None
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def checked_threads(n: SupportsIndex) -> int:
    """``n`` as a thread count, or an error."""
    try:
        count = 0 if isinstance(n, bool) else index(n)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"the number of threads must be a whole number of at least 1, got {n!r}")
    return count


class _Job:
    """One call's ranges, shared by the threads that work on it."""

    def __init__(self, task: Task, ranges: list[tuple[int, int]]) -> None:
        self.task, self.ranges, self.next = task, ranges, count()
        self.change = threading.Condition(threading.Lock())
        self.workers = 0
        self.closed = False
        self.error: BaseException | None = None

    def work(self) -> None:
        """Take ranges until none is left."""
        try:
            while self.error is None and (k := next(self.next)) < len(self.ranges):
                self.task(*self.ranges[k])
        except BaseException as error:
            self.error = error

    def help(self) -> None:
        """The same in a helper, which the caller waits for; interrupts reach the main thread alone."""
        with self.change:
            if self.closed:
                return
            self.workers += 1
        self.work()
        with self.change:
            self.workers -= 1
            self.change.notify_all()

    def finish(self) -> None:
        """Let nobody else begin and wait for those at work: they write into memory that the call's end may free.

        An interrupt is kept until then.
        """
        while True:
            try:
                with self.change:
                    self.closed = True
                    while self.workers:
                        self.change.wait()
                return
            except BaseException as error:
                self.error = error


class _Pool:
    def __init__(self) -> None:
        self.threads: int | None = None
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Drop the helpers: after a fork they exist in the parent only."""
        self.lock = threading.Lock()
        self.idle: SimpleQueue[SimpleQueue[_Job]] = SimpleQueue()
        self.helpers = 0

    def run(self, task: Task, ranges: Iterable[tuple[int, int]]) -> None:
        job = _Job(task, list(ranges))
        try:
            for _ in range(min(get_num_threads(), len(job.ranges)) - 1):
                helper = self.helper()
                if helper is None:
                    break  # the others work for other callers: this one does their share itself
                helper.put(job)
            job.work()
        except BaseException as error:  # an interrupt: a helper may have been lost on the way
            job.error = error
            self.forget()
        job.finish()
        if job.error is not None:
            raise job.error

    def helper(self) -> "SimpleQueue[_Job] | None":
        """An idle helper's inbox, or a new helper's, or None."""
        try:
            return self.idle.get_nowait()
        except Empty:
            return self.hire()

    def hire(self) -> "SimpleQueue[_Job] | None":
        with self.lock:
            if self.helpers >= get_num_threads() - 1:
                return None
            self.helpers += 1
        inbox: SimpleQueue[_Job] = SimpleQueue()
        try:
            threading.Thread(target=_help, args=(inbox, self.idle), name="sigconv", daemon=True).start()
        except RuntimeError:  # the interpreter is shutting down, or the system has no thread left
            with self.lock:
                self.helpers -= 1
            return None
        return inbox


def _help(inbox: "SimpleQueue[_Job]", idle: "SimpleQueue[SimpleQueue[_Job]]") -> None:
    while True:
        job = inbox.get()
        job.help()
        idle.put(inbox)
        del job  # its arrays must not outlive the call while this thread sleeps


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def get_num_threads() -> int:
    """How many threads a call may use; see `set_num_threads`."""
    if _pool.threads is None:
        _pool.threads = _default_threads()
    return _pool.threads


def set_num_threads(n: SupportsIndex) -> None:
    """Let calls use at most ``n`` threads, the calling one included."""
    _pool.threads = checked_threads(n)


def split(n: int, grain: int, align: int = 1) -> list[tuple[int, int]]:
    """Ranges covering [0, n), each of ``grain`` items but the last; borders are multiples of ``align``."""
    grain = max(align, grain // align * align)
    return [(lo, min(lo + grain, n)) for lo in range(0, n, grain)]


def parallel(task: Task, ranges: list[tuple[int, int]]) -> None:
    """Call ``task(lo, hi)`` for every range, on several threads where there are several ranges."""
    if len(ranges) == 1:
        task(*ranges[0])
    elif ranges:
        _pool.run(task, ranges)
