"""The thread pool: its size, many callers, forks, interrupts and the interpreter's end."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import sigconv as sc
from sigconv.engines.cpu import threads as pool_module
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.threads import parallel, split

ROOT = Path(__file__).resolve().parent.parent
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture
def threads():
    before = sc.get_num_threads()
    yield sc.set_num_threads
    sc.set_num_threads(before)


def run(script, **environment):
    """A script in a process of its own."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), **environment}
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def passes(script, **environment):
    done = run(script, **environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "two", "2", None, float("nan")])
def test_a_number_of_threads_is_a_whole_number_of_at_least_one(bad, threads):
    threads(3)
    with pytest.raises(ValueError, match=r"^the number of threads must be .*at least 1, got .*$") as caught:
        threads(bad)
    assert repr(bad) in str(caught.value)
    assert sc.get_num_threads() == 3


ASK = "import sigconv as sc\ntry: print(sc.get_num_threads())\nexcept ValueError as error: print(error)"


@pytest.mark.parametrize(("text", "count"), [("1", 1), (" 5 ", 5)])
def test_the_environment_sets_the_number_of_threads(text, count):
    assert passes(ASK, SIGCONV_NUM_THREADS=text) == f"{count}\n"


@pytest.mark.parametrize("text", ["0", "-2", "two", "1.5"])
def test_a_wrong_number_in_the_environment_is_named(text):
    told = f"SIGCONV_NUM_THREADS must be a whole number of at least 1, got {text!r}\n"
    assert passes(ASK, SIGCONV_NUM_THREADS=text) == told


def test_without_a_number_as_many_threads_as_cpus():
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert passes(ASK, SIGCONV_NUM_THREADS="") == f"{cpus}\n"


def series(seed, n=150_000):
    x = np.random.default_rng(seed).standard_normal(n)
    x[seed::1013] = np.nan
    return x


def test_many_callers_at_once_get_what_each_would_get_alone(threads):
    threads(3)
    times = np.arange(150_000) * 10**7
    windows = ["uniform:200", "linear:31", "exponential:span=20", "gaussian:sigma=30ms"] * 2

    def smooth(seed):
        return sc.smooth(series(seed), windows[seed], times=times)

    alone = [smooth(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            for together, y in zip(pool.map(smooth, range(8)), alone, strict=True):
                np.testing.assert_array_equal(together, y)


@pytest.mark.parametrize(
    ("window", "shape"),
    [
        ("uniform:64", (600_000,)),
        ("uniform:5000", (600_000,)),
        ("linear:100", (600_000,)),
        ("exponential:span=9", (9_000, 101)),
        ("uniform:90ms", (200_000,)),
        ("gaussian:sigma=40ms", (100_000,)),
    ],
)
def test_any_number_of_threads_gives_the_same_bits(window, shape, threads):
    x = series(5, int(np.prod(shape))).reshape(shape)
    times = np.arange(shape[0]) * 10**7 // 3 * 2
    answers = []
    for count in (1, 2, 7):
        threads(count)
        answers.append(sc.smooth(x, window, times=times, axis=0))
    np.testing.assert_array_equal(answers[1], answers[0])
    np.testing.assert_array_equal(answers[2], answers[0])


def test_ranges_cover_everything_once():
    for n, grain, align in ((0, 5, 1), (1, 5, 1), (10, 5, 1), (11, 5, 1), (100, 33, 8), (7, 3, 8)):
        ranges = split(n, grain, align)
        assert [i for lo, hi in ranges for i in range(lo, hi)] == list(range(n))
        assert all(lo % align == 0 for lo, _ in ranges)


def test_no_more_threads_than_asked_for(threads):
    lock, now, most = threading.Lock(), [], []

    def task(lo, hi):
        with lock:
            now.append(lo)
            most.append(len(now))
        time.sleep(0.001)
        with lock:
            now.remove(lo)

    for count in (3, 1, 5, 2):  # helpers of an earlier, larger number are still there
        threads(count)
        most.clear()
        for _ in range(10):
            parallel(task, split(20, 1))
        assert len(most) == 200 and max(most) == count


def test_tasks_may_call_for_threads_themselves(threads):
    threads(3)
    done = []
    inner = split(5, 1)
    parallel(lambda lo, hi: parallel(lambda a, b: done.append((lo, a)), inner), split(5, 1))
    assert sorted(done) == [(i, j) for i in range(5) for j in range(5)]


def test_an_exception_in_a_range_reaches_the_caller(threads):
    threads(3)
    for failing in range(0, 64, 9):
        done = []

        def task(lo, hi, failing=failing, done=done):
            time.sleep(0.0002)
            if lo == failing:
                raise LookupError(f"range {lo}")
            done.append(lo)

        with pytest.raises(LookupError, match=f"range {failing}"):
            parallel(task, split(64, 1))
        assert failing not in done
    done = []
    parallel(lambda lo, hi: done.append(lo), split(64, 1))  # the pool goes on as before
    assert sorted(done) == list(range(64))


def test_nothing_of_a_call_outlives_it(threads):
    threads(3)

    class Task:
        def __call__(self, lo, hi):
            time.sleep(0.001)

    task = Task()
    gone = weakref.ref(task)
    parallel(task, split(8, 1))
    del task
    deadline = time.monotonic() + 5
    while gone() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone() is None


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timer")
def test_an_interrupt_waits_for_what_the_other_threads_still_write(threads):
    threads(2)
    caller, others_work, finished = threading.current_thread(), threading.Event(), []

    def task(lo, hi):
        if threading.current_thread() is caller:
            assert others_work.wait(10)
        else:
            others_work.set()
            time.sleep(0.6)
            finished.append(lo)

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            parallel(task, split(2, 1))
        assert finished
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    done = []
    parallel(lambda lo, hi: done.append(lo), split(64, 1))
    assert sorted(done) == list(range(64))


def counted(calls, ranges=3):
    """How often each of so many calls of several short ranges did each of them."""
    done = np.zeros((calls, ranges), np.int64)
    for call in range(calls):

        def task(lo, hi, call=call):
            done[call, lo:hi] += 1

        parallel(task, split(ranges, 1))
    return done


CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
several_cores = pytest.mark.skipif(CORES < 2, reason="helpers look for work where they have a core to themselves")


@pytest.mark.parametrize("count", [2, CORES + 1, CORES + 5])
def test_short_calls_do_every_range_once_whether_helpers_look_or_sleep(count, threads):
    threads(count)
    assert (counted(3000) == 1).all()
    for _ in range(20):
        time.sleep(0.002)  # longer than a helper looks
        assert (counted(1, 64) == 1).all()


def test_ten_callers_at_once_get_every_range_done_once(threads):
    for count in (CORES, CORES + 3):
        threads(count)
        with ThreadPoolExecutor(10) as callers:
            for done in callers.map(counted, [300] * 20):
                assert (done == 1).all()


def test_helpers_look_only_where_every_thread_has_a_core(threads):
    threads(max(CORES, 2))
    counted(1)
    watch = pool_module._pool.watch
    assert watch.pace > 0
    for count in (CORES + 1, CORES, 1, CORES + 7):
        threads(count)
        assert bool(watch.looks) == (count <= CORES)


@several_cores
def test_an_idle_process_is_idle(threads):
    threads(CORES)
    counted(100)
    time.sleep(0.01)
    before = time.process_time()
    time.sleep(0.4)
    assert time.process_time() - before < 0.04


def test_a_look_ends_with_a_change_or_after_a_moment():
    look, word = kernel("bell.wait"), np.zeros(1, np.int64)
    start = time.perf_counter()
    look(address(word), 1, 2**62, 0)  # has changed before
    look(address(word), 0, 1000, 2**62)  # does not change
    assert time.perf_counter() - start < 5

    change = threading.Timer(0.05, lambda: word.fill(7))
    change.start()
    look(address(word), 0, 2**62, 10)
    assert word[0] == 7


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timer")
def test_interrupts_at_any_moment_of_short_calls(threads):
    threads(3)
    rng = np.random.default_rng(8)

    def call_until(moment):
        signal.setitimer(signal.ITIMER_REAL, moment)
        for _ in range(100_000):
            done = []
            parallel(lambda lo, hi, done=done: done.append(lo), split(4, 1))
            assert sorted(done) == list(range(4))

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    gc.disable()  # an interrupt in what others do when it collects is lost
    try:
        for _ in range(100):
            with pytest.raises(KeyboardInterrupt):
                call_until(rng.uniform(20e-6, 2e-3))
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (counted(100) == 1).all()


PARENT = """
import os, signal, sys, threading, time
import numpy as np, sigconv as sc
sc.set_num_threads(3)
x = np.arange(600_000.0) % 1000
y = sc.smooth(x, "linear:31")
"""


@forks
def test_a_forked_child_and_its_parent_both_go_on():
    passes(
        PARENT + "child = os.fork()\n"
        "same = np.array_equal(sc.smooth(x, 'linear:31'), y)\n"
        "if child == 0:\n"
        "    os._exit(0 if same else 3)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not same)\n"
    )


@forks
def test_a_child_forked_while_others_call_works():
    passes(
        PARENT + "stop = False\n"
        "def call():\n"
        "    while not stop:\n"
        "        sc.smooth(x, 'linear:31')\n"
        "callers = [threading.Thread(target=call, daemon=True) for _ in range(2)]\n"
        "for caller in callers: caller.start()\n"
        "for _ in range(12):\n"
        "    time.sleep(0.02)\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        signal.alarm(8)\n"
        "        os._exit(0 if np.array_equal(sc.smooth(x, 'linear:31'), y) else 3)\n"
        "    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "    if status:\n"
        "        sys.exit(f'child: {status}')\n"
        "stop = True\n"
    )


@forks
@pytest.mark.parametrize("count", [2, 5])
def test_a_child_forked_among_short_calls_works(count):
    passes(
        PARENT + f"sc.set_num_threads({count})\n"
        "from sigconv.engines.cpu.threads import parallel, split\n"
        "def call(times):\n"
        "    for _ in range(times):\n"
        "        done = []\n"
        "        parallel(lambda lo, hi: done.append(lo), split(6, 1))\n"
        "        assert sorted(done) == list(range(6))\n"
        "callers = [threading.Thread(target=call, args=(10**9,), daemon=True) for _ in range(2)]\n"
        "for caller in callers: caller.start()\n"
        "for _ in range(20):\n"
        "    call(5)\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        signal.alarm(8)\n"
        "        call(50)\n"
        "        os._exit(0)\n"
        "    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "    if status:\n"
        "        sys.exit(f'child: {status}')\n"
    )


@forks
def test_a_child_forked_while_a_kernel_is_loaded_works():
    passes(
        PARENT + "from sigconv.engines.cpu import compile as code\n"
        "held = threading.Event()\n"
        "def load():\n"
        "    with code._lock:\n"
        "        held.set()\n"
        "        time.sleep(0.3)\n"
        "threading.Thread(target=load).start()\n"
        "held.wait()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(5)\n"
        "    sc.smooth(x[:100], 'exponential:alpha=0.5')\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )


@forks
def test_workers_of_multiprocessing_work():
    passes(
        PARENT + "import multiprocessing\n"
        "def work(k):\n"
        "    return sc.smooth(x + k, 'linear:31')[-1]\n"
        "expected = [work(k) for k in range(6)]\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    assert pool.map_async(work, range(6)).get(timeout=30) == expected\n"
    )


def test_calls_while_the_interpreter_exits_work():
    out = passes(
        "import atexit\n"
        "atexit.register(lambda: print('after', np.array_equal(sc.smooth(x, 'linear:31'), y)))\n"
        + PARENT
        + "atexit.register(lambda: print('before', np.array_equal(sc.smooth(x, 'linear:31'), y)))\n"
    )
    assert out == "before True\nafter True\n"


def test_the_first_call_may_come_while_the_interpreter_exits():
    out = passes(
        "import atexit\n"
        "import numpy as np, sigconv as sc\n"
        "sc.set_num_threads(3)\n"
        "atexit.register(lambda: print(sc.smooth(np.ones(600_000), 'uniform:9')[-1]))\n"
    )
    assert out == "1.0\n"


@pytest.mark.parametrize("window", ["linear:200", "uniform:1000"])
def test_threads_in_the_middle_of_calls_do_not_hold_up_the_end(window):
    for wait in (0.0, 0.003, 0.02):
        passes(
            PARENT + f"def call():\n"
            f"    while True:\n"
            f"        sc.smooth(x, {window!r})\n"
            f"sc.smooth(x, {window!r})\n"
            f"for _ in range(3):\n"
            f"    threading.Thread(target=call, daemon=True).start()\n"
            f"time.sleep({wait})\n"
        )
