"""The thread pool: ranges of work taken one after another by the caller and a few helpers.

Which thread takes which range varies; the ranges themselves depend on the data's size alone, so results do not
depend on the number of threads. Helpers are daemons: they hold up neither the interpreter's exit nor other callers,
and a forked child, which has none of its parent's threads, starts its own.

To wake a thread takes longer than many a call. So a thread that waits first looks for a moment, in compiled code that
holds no interpreter lock, whether another has changed a word of memory, and only then falls asleep on a lock. The
words say when to look again; what happens is decided by Python, one thread at a time.
"""

import ctypes
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from operator import index
from time import perf_counter_ns
from typing import SupportsIndex

from sigconv.engines.cpu.compile import kernel

Task = Callable[[int, int], object]

# Microseconds for which a thread looks before it falls asleep. To fall asleep and be woken takes some 50 on a virtual
# machine, and a caller's own Python between two layers as many again.
_LOOKING = 200
# Microseconds after which whoever changed a word has let go of the interpreter, as it does to run a kernel or to look.
# A thread that finds it held falls asleep after all.
_LETTING_GO = 1.6
_RUNG, _AT_WORK, _WORDS = 0, 8, 16  # a helper's words, in cache lines of their own


def _default_threads() -> int:
    asked = os.environ.get("SIGCONV_NUM_THREADS", "").strip()
    if asked:
        try:
            return checked_threads(int(asked))
        except ValueError:
            raise ValueError(f"SIGCONV_NUM_THREADS must be a whole number of at least 1, got {asked!r}") from None
    return _cores()


def _cores() -> int:
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
    """One call's ranges, shared by the threads that work on it.

    Each has a stretch of its own, which it takes from the front, and then takes from the back of what others have left:
    in call after call a core finds what it read and wrote before.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.stretches: list[deque[tuple[int, int]]] = []
        self.error: BaseException | None = None

    def share(self, ranges: list[tuple[int, int]], workers: int) -> None:
        """Give each worker its stretch of the ranges."""
        n = len(ranges)
        self.stretches = [deque(ranges[n * k // workers : n * (k + 1) // workers]) for k in range(workers)]

    def work(self, worker: int) -> None:
        """Take ranges until none is left."""
        own = self.stretches[worker]
        try:
            while self.error is None and (some := own or max(self.stretches, key=len)):
                try:
                    lo, hi = some.popleft() if some is own else some.pop()
                except IndexError:  # another thread was quicker
                    continue
                self.task(lo, hi)
        except BaseException as error:
            self.error = error


class _Watch:
    """Looking for a change: ``look(address, old, looks, after)`` returns when a word is no longer ``old``, or later."""

    def __init__(self, threads: int) -> None:
        self.look = kernel("bell.wait")
        looks, word, times = 256, ctypes.c_int64(), []
        for _ in range(4):
            start = perf_counter_ns()
            self.look(ctypes.addressof(word), 0, looks, 0)
            times.append(perf_counter_ns() - start)
        self.pace = looks * 1000 / max(min(times), looks)  # looks in a microsecond
        self.adapt(threads)

    def adapt(self, threads: int) -> None:
        """Look only where every thread has a core: elsewhere it takes one from a thread at work."""
        pace = self.pace if threads <= _cores() else 0
        self.looks, self.after = int(_LOOKING * pace), int(_LETTING_GO * pace)


class _Helper:
    """A thread that helps one caller at a time."""

    def __init__(self, watch: _Watch) -> None:
        self.watch = watch
        self.jobs: list[tuple[_Job, int]] = []  # one at most: the helper takes it, or its caller takes it back
        memory = (ctypes.c_int64 * _WORDS)()
        self.words = memoryview(memory).cast("B").cast("q")  # times rung, and whether it is at work
        self.rung, self.at_work = (ctypes.addressof(memory) + 8 * word for word in (_RUNG, _AT_WORK))
        self.wake, self.done = threading.Lock(), threading.Lock()  # open where there may be something to see

    def offer(self, job: _Job, worker: int) -> None:
        """Let the helper have a job: at once if it is asleep, when it is rung for if it is looking."""
        self.jobs.append((job, worker))
        if self.wake.locked():
            self.wake.release()

    def ring(self) -> None:
        self.words[_RUNG] += 1

    def take(self) -> tuple[_Job, int] | None:
        """The job and which of its workers this is, for whoever comes first."""
        try:
            return self.jobs.pop() if self.jobs else None
        except IndexError:
            return None

    def leave(self) -> None:
        """Take the job back, or wait for the end of the helper's part. May be called again after an interrupt."""
        if self.take() is not None:
            return
        words, done, watch = self.words, self.done, self.watch
        while words[_AT_WORK]:
            done.acquire(False)
            watch.look(self.at_work, 1, watch.looks, watch.after)
            if words[_AT_WORK]:
                done.acquire()

    def live(self) -> None:
        """Wait for jobs and do them. Little is done between a change of a word and the next look: see `_LETTING_GO`."""
        words, rung, wake, done, watch = self.words, self.rung, self.wake, self.done, self.watch
        look, seen = watch.look, 0
        while True:
            if words[_RUNG] == seen:
                look(rung, seen, watch.looks, watch.after)
            if words[_RUNG] == seen:
                wake.acquire()
            words[_AT_WORK] = 1
            seen = words[_RUNG]
            job = self.take()
            wake.acquire(False)
            if job is not None:
                job[0].work(job[1])
                del job  # its arrays must not outlive the call
            words[_AT_WORK] = 0
            if done.locked():
                done.release()


class _Pool:
    def __init__(self) -> None:
        self.threads: int | None = None
        self.watch: _Watch | None = None
        self.forget()

    def forget(self) -> None:
        """Drop the helpers: after a fork they exist in the parent only."""
        self.lock = threading.Lock()
        self.idle: list[_Helper] = []  # those who worked last are called first: they are awake
        self.helpers = 0

    def run(self, task: Task, ranges: Iterable[tuple[int, int]]) -> None:
        job, idle, ranges = _Job(task), self.idle, list(ranges)
        ours: list[_Helper] = []
        try:
            for _ in range(min(get_num_threads(), len(ranges)) - 1):
                helper = self.helper()
                if helper is None:
                    break  # the others work for other callers: this one does their share itself
                ours.append(helper)
            job.share(ranges, len(ours) + 1)
            for worker, helper in enumerate(ours, 1):
                helper.offer(job, worker)
            for helper in ours:
                helper.ring()
            job.work(0)
        except BaseException as error:  # an interrupt: a helper may have been lost on the way
            job.error = error
            self.forget()
        while ours:
            # Helpers write into memory that the call's end may free: an interrupt is kept until they are done.
            try:
                ours[-1].leave()
                idle.append(ours.pop())
            except BaseException as error:
                job.error = error
                self.forget()
        if job.error is not None:
            raise job.error

    def helper(self) -> _Helper | None:
        """An idle helper, or a new one, or None."""
        try:
            return self.idle.pop()
        except IndexError:
            return self.hire()

    def hire(self) -> _Helper | None:
        with self.lock:
            if self.helpers >= get_num_threads() - 1:
                return None
            self.helpers += 1
        if self.watch is None:
            self.watch = _Watch(get_num_threads())
        helper = _Helper(self.watch)
        try:
            threading.Thread(target=helper.live, name="sigconv", daemon=True).start()
        except RuntimeError:  # the interpreter is shutting down, or the system has no thread left
            with self.lock:
                self.helpers -= 1
            return None
        return helper


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
    if _pool.watch is not None:
        _pool.watch.adapt(_pool.threads)


def split(n: int, grain: int, align: int = 1) -> list[tuple[int, int]]:
    """Ranges covering [0, n), each of ``grain`` items but the last; borders are multiples of ``align``."""
    grain = max(align, grain // align * align)
    return [(lo, min(lo + grain, n)) for lo in range(0, n, grain)]


def shares(n: int, grain: int) -> list[tuple[int, int]]:
    """Ranges covering [0, n), of about ``grain`` items, all alike: two, or four or a multiple of it.

    Two threads or four then finish together, where of three ranges, or seven, one would wait for the other.
    """
    count = -(-n // max(grain, 1))
    if count > 2:
        count = min(-(-count // 4) * 4, n)
    return [(n * k // count, n * (k + 1) // count) for k in range(count)]


def parallel(task: Task, ranges: list[tuple[int, int]]) -> None:
    """Call ``task(lo, hi)`` for every range, on several threads where there are several ranges."""
    if len(ranges) == 1:
        task(*ranges[0])
    elif ranges:
        _pool.run(task, ranges)
