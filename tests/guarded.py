"""Every filter with every array it touches laid against a page that must not be touched.

Kernels work on raw pointers. Run as a script, ``python guarded.py start`` or ``python guarded.py end``, this module
has NumPy allocate each array's memory of its own pages, flush with an inaccessible page at its start or end, and runs
every kind of filter over sizes around the tiles' own. Whatever reads or writes outside kills the process; the last
line printed names the case. Fresh memory is filled with rubbish, another kind for each side: where the two sides'
answers differ, a kernel has read what nobody wrote.
"""

import ctypes
import hashlib
import itertools
import mmap
import os
import sys

import numpy as np
from guarded_across import across_cases
from guarded_conv_grads import conv_grads_cases
from guarded_convs import convs_cases
from guarded_depthwise import depthwise_cases
from guarded_fast_fir import fast_fir_cases
from guarded_linear import linear_cases
from guarded_passes import passes_cases
from guarded_pools import pool_cases
from guarded_running import running_cases
from guarded_threads import threads_cases
from guarded_winograd import winograd_cases

MS, S = 10**6, 10**9
EPOCH = 1_700_000_000 * S
RUBBISH = {"start": 0xFF, "end": 0x41}  # NaN and -1; 2261634.5 (12.1) and a large integer
POOLED, DEPTH = 64, 1000


class Allocator(ctypes.Structure):
    """NumPy's PyDataMemAllocator."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("context", "malloc", "calloc", "realloc", "free")]


class Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler (NEP 49)."""

    _fields_ = [("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", Allocator)]


def install(side):
    """Let this thread's new arrays lie flush with an inaccessible page at their ``side``, "start" or "end"."""
    from numba import carray, cfunc, types

    libc = ctypes.CDLL(None)
    integer, c_int = ctypes.c_int64, ctypes.c_int
    # prototypes of our own: libc's functions are shared by whoever else declares them
    map_pages = ctypes.CFUNCTYPE(integer, integer, integer, c_int, c_int, c_int, integer)(("mmap", libc))
    protect = ctypes.CFUNCTYPE(c_int, integer, integer, c_int)(("mprotect", libc))
    unmap = ctypes.CFUNCTYPE(c_int, integer, integer)(("munmap", libc))
    fill = ctypes.CFUNCTYPE(integer, integer, c_int, integer)(("memset", libc))
    page, rubbish, at_end = mmap.PAGESIZE, RUBBISH[side], side == "end"
    access, private = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    # the handler's context: freed places of few pages, for each number of pages how many there are and which
    spare = (integer * (POOLED * DEPTH))()
    pool, size_t = types.CPointer(types.int64), types.int64  # signed: mixed with others they stay whole

    @cfunc(size_t(pool, size_t))
    def malloc(spare, size):
        pages = max((size + page - 1) // page, 1)
        room = pages * page
        places = carray(spare, (POOLED, DEPTH))
        if pages < POOLED and places[pages, 0] > 0:
            first = places[pages, places[pages, 0]]
            places[pages, 0] -= 1
        else:
            first = page + map_pages(0, room + 2 * page, 0, private, -1, 0)
            protect(first, room, access)
        place = first + (room - size if at_end else 0)
        fill(place, rubbish, size)
        return place

    @cfunc(size_t(pool, size_t, size_t))
    def calloc(spare, count, size):
        place = malloc(spare, count * size)
        fill(place, 0, count * size)
        return place

    @cfunc(size_t(pool, size_t, size_t))
    def realloc(spare, place, size):  # what it was is not told: a MemoryError, should anybody ask
        return 0

    @cfunc(types.void(pool, size_t, size_t))
    def free(spare, place, size):
        if place == 0:
            return
        first = place // page * page
        pages = (place - first + max(size, 1) + page - 1) // page
        places = carray(spare, (POOLED, DEPTH))
        if pages < POOLED and places[pages, 0] + 1 < DEPTH:
            places[pages, 0] += 1
            places[pages, places[pages, 0]] = first
        else:
            unmap(first - page, (pages + 2) * page)

    callbacks = (malloc, calloc, realloc, free)
    handler = Handler(b"guarded", 1, Allocator(ctypes.addressof(spare), *(callback.address for callback in callbacks)))
    api = ctypes.pythonapi
    api.PyCapsule_New.restype = ctypes.py_object
    api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    api.PyCapsule_GetPointer.restype = ctypes.POINTER(ctypes.c_void_p)
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    table = api.PyCapsule_GetPointer(np._core._multiarray_umath._ARRAY_API, None)
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[304])  # its place is part of the ABI
    keep.extend([*callbacks, handler, spare])
    set_handler(api.PyCapsule_New(ctypes.addressof(handler), b"mem_handler", None))


keep = []  # what C code calls and reads


def fit_tightly():
    """Take away the room that filters leave around what a kernel may touch."""
    import sigconv.engines.cpu.causal.build  # noqa: F401  every filter's module is loaded
    from sigconv.engines.cpu.causal.tail import Piece, Tail
    from sigconv.engines.cpu.scratch import scratch

    feed = Tail.feed

    def feed_copies(self, x):
        for source, first, rows in feed(self, x):
            yield Piece(source[first - self.keep : first + rows].copy(), self.keep, rows)

    def rows_apart(rows, columns, dtype):
        return [np.empty(columns, dtype) for _ in range(rows)]

    Tail.feed = feed_copies
    for name, module in list(sys.modules.items()):
        if name.startswith("sigconv.") and getattr(module, "scratch", None) is scratch:
            module.scratch = rows_apart


SIZES = (0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000)
WIDTHS = (1, 2, 7, 8, 9, 31, 64, 65, 300, 1500)
CHANNELS = {1: SIZES, 3: (1, 8, 33, 257), 17: (1, 2, 9, 64, 129), 64: (1, 7, 65)}
POLICIES = (
    {},
    {"nan_policy": "propagate"},
    {"initial": "first"},
    {"initial": "zero", "nan_policy": "propagate"},
    {"initial": "nan", "min_samples": 2},
    {"initial": "first", "nan_policy": "propagate", "min_samples": 2},
    {"max_gap": "300ms", "nan_policy": "keep"},
)
FED_BY_COUNT = (
    *("uniform:1", "uniform:8", "uniform:65", "uniform:300", "linear:7", "linear:64", "linear:129", "polynomial:9"),
    *("exponential:span=9", "median:1", "median:8", "median:65", "hampel:31"),
)
FED_BY_TIME = (
    *("uniform:90ms", "uniform:1s", "linear:90ms", "triangular:90ms", "gaussian:sigma=50ms", "polynomial:90ms"),
    *("exponential:tau=90ms", "median:90ms", "hampel:300ms"),
)


def harmonic(age):
    """A window as a function of age."""
    return 1 / (1 + age)


def windows_by_count():
    """Every shape, in samples."""
    rng = np.random.default_rng(1)
    yield from (f"{shape}:{width}" for width in WIDTHS for shape in ("uniform", "linear"))
    yield from (rng.uniform(-0.2, 1, k) for k in (15, 16, 17, 33, 47, 48, 49, 112, 127, 129))
    yield from ("triangular:9", "gaussian:sigma=3", "hann:8", "uniform:1024", "uniform:4097")
    yield from (f"exponential:alpha={alpha}" for alpha in (0.03, 0.5, 0.7, 1))
    yield from ("polynomial:1,degree=0", "polynomial:7", "polynomial:31,degree=3,deriv=1", "polynomial:65")


def windows_by_time():
    """Every shape, with durations; stamps are about 10 ms apart."""
    lengths = ("1ns", "20ms", "80ms", "300ms", "650ms", "3s", "1h")
    yield from (f"{shape}:{length}" for length in lengths for shape in ("uniform", "linear", "triangular"))
    yield from (f"gaussian:sigma={length}" for length in lengths)
    yield from ("exponential:tau=1ns", "exponential:tau=50ms", "exponential:tau=1h")
    yield from ("polynomial:30ms,degree=1", "polynomial:300ms", "polynomial:1s,degree=3,deriv=1")


def operations():
    """(name, whether by time, function of samples, stamps and policies) of everything that ends in a kernel."""
    import sigconv as sc

    def smoothing(window, **more):
        return lambda x, t, **policies: [sc.smooth(x, window, times=t, axis=0, **more, **policies)]

    for window in windows_by_count():
        if isinstance(window, str):
            yield window, False, smoothing(window)
        else:
            yield f"custom:{len(window)} taps", False, smoothing(sc.windows.custom(window))
    for window in windows_by_time():
        yield window, True, smoothing(window)
        if not window.startswith("polynomial"):
            for measure in ("hold", "linear"):
                yield f"{window} {measure}", True, smoothing(window, measure=measure)
    yield "custom by time", True, smoothing(sc.windows.custom(harmonic, "100ms"))
    yield "angles", False, smoothing("uniform:9", period=360)
    yield "angles by time", True, smoothing("linear:90ms", period=360)
    for width in (*WIDTHS, "1ns", "70ms", "650ms", "1h"):
        timed = isinstance(width, str)
        yield f"median:{width}", timed, lambda x, t, w=width, **p: [sc.moving_median(x, w, times=t, axis=0, **p)]
        yield f"hampel:{width}", timed, lambda x, t, w=width, **p: sc.hampel(x, w, times=t, axis=0, threshold=1, **p)


def streams():
    """(name, whether by time, function) of filters fed random pieces."""
    import sigconv as sc

    def feeding(window, seed):
        def run(x, t, **policies):
            rng = np.random.default_rng(seed)
            channels = None if x.ndim == 1 else x.shape[1]
            smoother = sc.Smoother(window, channels=channels, dtype=x.dtype, **policies)
            pieces, at = [], 0
            while at < len(x):
                end = at + int(rng.choice([1, 2, 3, 17, 64, 100, 400]))
                pieces.append(smoother.process(x[at:end].copy(), None if t is None else t[at:end].copy()))
                at = end
                if rng.random() < 0.2:
                    smoother = sc.Smoother.from_state(smoother.state())
            return pieces

        return run

    for seed, window in enumerate(FED_BY_COUNT + FED_BY_TIME):
        yield f"stream of {window}", window in FED_BY_TIME, feeding(window, seed)


def allowed(run, policies):
    """Whether a filter takes these policies."""
    try:
        run(np.ones(1), np.zeros(1, np.int64), **policies)
    except ValueError:
        return False
    return True


def stamps(rng, n):
    """Uneven stamps about 10 ms apart: regular stretches, equal ones, bursts and silences."""
    steps = rng.choice([0, 1, 10 * MS, 10 * MS, 10 * MS, 25 * MS], n)
    steps[rng.random(n) < 0.005] = 400 * MS
    return EPOCH + np.cumsum(steps)


def samples(rng, shape, dtype, missing):
    x = rng.uniform(0, 360, shape).astype(dtype)
    x[rng.random(shape) < missing] = rng.choice([np.nan, np.inf, -np.inf])
    return x


def cases():
    """(name, function): everything that is run, in small calls."""
    rng = np.random.default_rng(2)
    for name, timed, run in [*operations(), *streams()]:
        policies = [p for p in POLICIES if ("max_gap" not in p or timed) and allowed(run, p)]
        for dtype in (np.float32, np.float64):
            ways = itertools.cycle(rng.permutation(list(itertools.product(policies, (0, 0.05, 0.6)))))
            for channels, sizes in CHANNELS.items():
                for n in sizes[-3:] if name.startswith("stream") else sizes:
                    chosen, missing = next(ways)
                    x = samples(rng, n if channels == 1 else (n, channels), dtype, missing)
                    t = stamps(rng, n) if timed else None
                    label = f"{name}, {n} x {channels} {dtype.__name__}, {missing} missing, {chosen}"
                    yield label, lambda run=run, x=x, t=t, chosen=chosen: run(x, t, **chosen)
    yield from long_cases(rng)
    yield from text_cases(rng)
    yield from running_cases(rng)
    yield from pool_cases(rng)
    yield from conv_grads_cases(rng)
    yield from convs_cases(rng)
    yield from across_cases(rng)
    yield from depthwise_cases(rng)
    yield from winograd_cases(rng)
    yield from linear_cases(rng)
    yield from passes_cases(rng)
    yield from fast_fir_cases(rng)
    yield from threads_cases(rng)


def text_cases(rng):
    """Tables of every length around a line of 64 bytes: split, read, and put together anew."""
    from sigconv.engines.cpu import text

    alphabet = [
        *"0123456789" * 3,
        *'.-+eE,,,;\n\n\r" #x',
        "2024-05-06T07:08:09.5+01:00",
        "-12.5e-3",
        "1700000000.123456789",
    ]

    def taken_apart(content, needed, last):
        yield np.array([text.count(np.frombuffer(content, np.uint8).copy(), 10)])
        data, size = text.padded(content)
        rows = text.split(
            data, size, content.count(b"\n") + 1, delimiter=b",", comment=b"#", limit=150, last=last, needed=needed
        )
        found = [rows.start, rows.end, rows.kind, rows.cells, rows.first, rows.last]
        yield from (places.copy() for places in found)
        for first, last_ in zip(rows.first, rows.last, strict=True):
            there = np.flatnonzero(first >= 0)
            first, last_ = first[there], last_[there]
            value, good, first, last_ = text.read_numbers(data, first, last_)
            yield from (value, good, first, last_)
            for digits in (-1, 0, 9):
                yield from text.read_stamps(data, first, last_, digits)
            new = np.arange(len(first)) % 3
            listed = b"[" + b",".join(([b"0.25", b"-1e-7", b"12345678.25"] * len(first))[: len(first)]) + b"]"
            yield np.frombuffer(text.fill(data, rows.rest, first, last_, listed), np.uint8).copy()
            yield np.frombuffer(text.splice(data, rows.rest, first, last_, b"0.25", new, new + 1), np.uint8).copy()

    for n in [*range(0, 40), 100, 300]:
        content = "".join(rng.choice(alphabet, n)).encode()
        for needed in ([], [0], [0, 1, 3]):
            for last in (False, True):
                label = f"table of {len(content)} bytes, cells {needed}, {'whole' if last else 'cut'}"
                yield label, lambda content=content, needed=needed, last=last: taken_apart(content, needed, last)


def long_cases(rng):
    """Sizes at which kernels change their ways: blocks, ranges, results written past the cache."""
    import sigconv as sc

    for window in ("uniform:20ms", "uniform:650ms", "uniform:3s"):
        for n in (511, 512, 513, 527, 528, 529, 1023, 1041, 4097, 70_001, 140_000):
            for dtype, missing in itertools.product((np.float32, np.float64), (0, 0.001)):
                x, t = samples(rng, n, dtype, missing), stamps(rng, n)
                yield (
                    f"{window}, {n} {dtype.__name__}, {missing} missing",
                    lambda x=x, t=t, w=window: [sc.smooth(x, w, times=t)],
                )
    for window in ("uniform:64", "uniform:1000", "uniform:5000", "linear:90", "exponential:span=9", "gaussian:sigma=9"):
        for shape, dtype in itertools.product(((9001,), (4097, 3), (150_001,)), (np.float32, np.float64)):
            for missing in (0, 0.001):
                x = samples(rng, shape, dtype, missing)
                yield (
                    f"{window}, {shape} {dtype.__name__}, {missing} missing",
                    lambda x=x, w=window: [sc.smooth(x, w, axis=0)],
                )
    for dtype, n in ((np.float32, 2**21 + 13), (np.float64, 2**20 + 9)):
        x = samples(rng, n, dtype, 0)
        yield f"uniform:70, {n} {dtype.__name__}", lambda x=x: [sc.smooth(x, "uniform:70")]
    for width, timed in ((1500, False), ("20s", True)):
        for dtype in (np.float32, np.float64):
            x, t = samples(rng, 5000, dtype, 0.01), stamps(rng, 5000) if timed else None
            yield f"hampel:{width}, 5000 {dtype.__name__}", lambda x=x, t=t, w=width: sc.hampel(x, w, times=t)


def main(side):
    import sigconv as sc
    from sigconv.engines.cpu import compile as code

    sc.set_num_threads(1)  # other threads' arrays are not laid out by the handler of this one
    sc.smooth([1.0], "uniform:1")
    install(side)
    fit_tightly()
    for name, run in cases():
        print(name, flush=True)
        digest = hashlib.sha256()
        for answer in run():
            if answer.dtype.kind == "f":
                answer[np.isnan(answer)] = np.nan  # NaN is NaN, whatever its bits
            digest.update(answer.tobytes())
        print(digest.hexdigest(), flush=True)
    print(*sorted(f"{name}-{dtype}" for name, dtype in code._loaded), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "trip":  # is the fence there? read one byte behind an array, or before it
        install(sys.argv[2])
        array = np.zeros(11)
        beyond = array.nbytes if sys.argv[2] == "end" else -1
        print("reached", flush=True)
        ctypes.string_at(array.__array_interface__["data"][0] + beyond, 1)
    else:
        main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)  # arrays that are still alive must not be freed by what the interpreter has already taken apart
