"""Causal smoothing: workloads of `smooth`, `moving_median`, `hampel` and `Smoother`."""

from functools import partial

import numpy as np

import sigconv as sc
from sigconv import windows

from . import peers
from .harness import Case, Target, Workload

TITLE = "Causal smoothing"
SIZE = 4_000_000
UNIT = "{:,} samples unless said"
SUMMARIES = ()
CHANNELS = 64
ROWS_PART = 4  # the two-dimensional workloads have size/4 rows
SPAN = 20
HALFLIFE_NS = 34_657_359  # tau of 50 ms
EXP_FLOPS = 20  # what an exponential costs at least: a range reduction and a polynomial
CALLS = 2_000
PIECE = 10_000
STREAMED = {
    "exponential": windows.exponential(span=SPAN),
    "boxcar 1000": windows.uniform(1000),
    "FIR 31": windows.custom(np.hanning(33)[1:-1]),
}
CALLED = ("uniform:30", "exponential:span=10", "custom, 31 taps", "median:9")
MEDIAN_TARGET = Target(ratio=2, against=("bottleneck", "pandas", "numbagg"))
EXPONENTIAL_COLUMNS_TARGET = Target(ratio=4, against=("lfilter", "pandas"))
FIR_COLUMNS_TARGET = Target(ratio=4, against=("lfilter", "ndimage"))


FIR_PEERS = ("convolve", "lfilter", "oaconvolve", "torch")  # each as it comes


def workloads(size: int, threads: int) -> list[Workload]:
    """Every workload of this group, for `size` samples; peers use so many threads."""

    def work(name: str, build, *args, target: Target | None = None, per_call: bool = False, **options) -> Workload:
        return Workload(name=name, build=partial(build, *args, **options), target=target, per_call=per_call)

    rows = max(size // ROWS_PART, 1)
    shape = f"{rows:,} x {CHANNELS}"
    return [
        work("FIR 5 taps, float32", fir, size, "float32", 5, threads, target=Target(copies=1.3)),
        work("FIR 31 taps, float32", fir, size, "float32", 31, threads, target=Target(ratio=8, against=FIR_PEERS)),
        work("FIR 127 taps, float32", fir, size, "float32", 127, threads, target=Target(ratio=8, against=FIR_PEERS)),
        work(
            "FIR 1023 taps, float32", fir, size, "float32", 1023, threads, target=Target(ratio=1.3, against=FIR_PEERS)
        ),
        work("FIR 31 taps, float64", fir, size, "float64", 31, threads),
        work("FIR 31 taps, float32, 1 % NaN", fir, size, "float32", 31, threads, missing=0.01),
        work(f"exponential span {SPAN}, float64", exponential, size, "float64", target=Target(ratio=1.5)),
        work(f"exponential span {SPAN}, float32", exponential, size, "float32"),
        work("boxcar 30, float64", boxcar, size, 30, target=Target(ratio=1.2)),
        work("boxcar 1000, float64", boxcar, size, 1000, target=Target(ratio=1.2)),
        work("boxcar 1000, float64, 1 % NaN", boxcar, size, 1000, missing=0.01),
        work("exponential by time, renormalised", exponential_by_time, size, "renormalize", target=Target(ratio=5)),
        work("exponential by time, from first", exponential_by_time, size, "first", target=Target(ratio=5)),
        work("boxcar 30 ms by time", boxcar_by_time, size, "30ms", target=Target(ratio=8)),
        work("boxcar 1 s by time", boxcar_by_time, size, "1s"),
        work("half-Gaussian by time, 30 neighbours", gaussian_by_time, size, target=Target(ratio=1.0)),
        work("median 31, float64", median, size, 31, target=MEDIAN_TARGET),
        work("Hampel 31, float64", hampel, size, 31),
        work(f"exponential span {SPAN}, {shape}", exponential_columns, rows, target=EXPONENTIAL_COLUMNS_TARGET),
        work(f"FIR 31 taps, {shape}", fir_columns, rows, 31, threads, target=FIR_COLUMNS_TARGET),
        *(work(f"stream of {PIECE:,}: {name}", stream, size, window) for name, window in STREAMED.items()),
        *(work(f"Smoother {text}", one_sample_calls, text, per_call=True) for text in CALLED),
        work("Smoother exponential:tau=50ms", one_sample_calls, "exponential:tau=50ms", per_call=True, timed=True),
    ]


# Inputs ---------------------------------------------------------------------------------------------------------------
def signal(size: int, dtype: str = "float64", missing: float = 0.0) -> np.ndarray:
    """Standard normal samples, always the same; a part of them missing."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal(size).astype(dtype)
    if missing:
        x[rng.random(size) < missing] = np.nan
    return x


def uneven_times(size: int) -> np.ndarray:
    """Stamps with exponentially distributed steps of 1 ms on average, no two equal."""
    steps = np.maximum(np.random.default_rng(2).exponential(1e6, size), 1).astype(np.int64)
    return np.datetime64("2026-01-01", "ns") + np.cumsum(steps).astype("timedelta64[ns]")


def weights(taps: int) -> np.ndarray:
    """Positive weights without any structure to exploit; they sum to one."""
    w = np.random.default_rng(3).random(taps) + 0.1
    return w / w.sum()


# By the sample --------------------------------------------------------------------------------------------------------
def fir(size: int, dtype: str, taps: int, threads: int, missing: float = 0.0) -> Case:
    x, w = signal(size, dtype, missing), weights(taps)
    y, window, cast = np.empty_like(x), windows.custom(w), w.astype(dtype)
    others = {
        "convolve": partial(peers.numpy_fir, x, cast),
        "lfilter": partial(peers.lfilter_fir, x, cast),
        "oaconvolve": partial(peers.oaconvolve_fir, x, cast),
        f"oaconvolve, {threads} workers": partial(peers.oaconvolve_fir, x, cast, threads),
        "torch": partial(peers.torch_fir, x, cast, threads),
    }
    return Case(
        ours=lambda: sc.smooth(x, window),
        into=lambda: sc.smooth(x, window, out=y),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * taps * x.size,
        peers={} if missing else others,  # none of them leaves missing samples out
        settled=taps,
    )


def exponential(size: int, dtype: str) -> Case:
    x, window = signal(size, dtype), windows.exponential(span=SPAN)
    y = np.empty_like(x)
    return Case(
        ours=lambda: sc.smooth(x, window),
        into=lambda: sc.smooth(x, window, out=y),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * x.size,
        peers={
            "lfilter": partial(peers.lfilter_exponential, x, SPAN),
            "pandas": partial(peers.pandas_exponential, x, SPAN),
            "polars": partial(peers.polars_exponential, x, SPAN),
            "numbagg": partial(peers.numbagg_exponential, x, SPAN),
        },
        settled=50 * SPAN,
    )


def boxcar(size: int, width: int, missing: float = 0.0) -> Case:
    x, window = signal(size, missing=missing), windows.uniform(width)
    y = np.empty_like(x)
    least = 1 if missing else None
    others = {
        "bottleneck": partial(peers.bottleneck_mean, x, width, least),
        "numbagg": partial(peers.numbagg_mean, x, width, least),
        "pandas": partial(peers.pandas_mean, x, width, least=least),
        "polars": partial(peers.polars_mean, x, width, least),
    }
    if not missing:
        others["ndimage"] = partial(peers.ndimage_mean, x, width)
    return Case(
        ours=lambda: sc.smooth(x, window),
        into=lambda: sc.smooth(x, window, out=y),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * x.size,
        peers=others,
        settled=width,
    )


def median(size: int, width: int) -> Case:
    x = signal(size)
    y = np.empty_like(x)
    return Case(
        ours=lambda: sc.moving_median(x, width),
        into=lambda: sc.moving_median(x, width, out=y),
        x=x,
        moved=2 * x.nbytes,
        peers={
            "bottleneck": partial(peers.bottleneck_median, x, width),
            "numbagg": partial(peers.numbagg_median, x, width),
            "pandas": partial(peers.pandas_median, x, width),
            "polars": partial(peers.polars_median, x, width),
            "ndimage": partial(peers.ndimage_median, x, width),
        },
        settled=width,
    )


def hampel(size: int, width: int) -> Case:
    x = signal(size)
    return Case(ours=lambda: sc.hampel(x, width), x=x, moved=2 * x.nbytes + x.size)


# By time --------------------------------------------------------------------------------------------------------------
def exponential_by_time(size: int, initial: str) -> Case:
    x, times = signal(size), uneven_times(size)
    y, window = np.empty_like(x), windows.exponential(halflife=f"{HALFLIFE_NS}ns")
    return Case(
        ours=lambda: sc.smooth(x, window, times=times, initial=initial),
        into=lambda: sc.smooth(x, window, times=times, initial=initial, out=y),
        x=x,
        moved=3 * x.nbytes,
        flops=(EXP_FLOPS + 4) * x.size,
        peers={
            "polars": partial(peers.polars_exponential_by, x, times, HALFLIFE_NS),
            "pandas": partial(peers.pandas_exponential_by, x, times, HALFLIFE_NS),
        },
        # polars' recursion starts from the first sample, pandas' weighs and renormalises
        related=("polars",) if initial == "renormalize" else ("pandas",),
        settled=5000,
        tolerance=1e-5,  # pandas takes the stamps as float64, which resolves 256 ns since 1970
    )


def boxcar_by_time(size: int, width: str) -> Case:
    x, times = signal(size), uneven_times(size)
    y, window = np.empty_like(x), windows.uniform(width)
    return Case(
        ours=lambda: sc.smooth(x, window, times=times),
        into=lambda: sc.smooth(x, window, times=times, out=y),
        x=x,
        moved=3 * x.nbytes,
        flops=2 * x.size,
        peers={
            "polars": partial(peers.polars_mean_by, x, times, width),
            "pandas": partial(peers.pandas_mean, x, width, times),
        },
        settled=5000,
    )


def gaussian_by_time(size: int) -> Case:
    x, times = signal(size), uneven_times(size)
    y, window = np.empty_like(x), windows.gaussian("7500us")  # a support of 30 ms
    return Case(
        ours=lambda: sc.smooth(x, window, times=times),
        into=lambda: sc.smooth(x, window, times=times, out=y),
        x=x,
        moved=3 * x.nbytes,
        flops=30 * (EXP_FLOPS + 4) * x.size,
        peers={"pandas": partial(peers.pandas_regular_gaussian, x, 30, 7.5)},
        related=("pandas",),  # centred, and on equally spaced samples
    )


# Down the rows of a matrix --------------------------------------------------------------------------------------------
def matrix(rows: int) -> np.ndarray:
    """Many channels, one row a sample."""
    return np.random.default_rng(4).standard_normal((rows, CHANNELS))


def exponential_columns(rows: int) -> Case:
    x, window = matrix(rows), windows.exponential(span=SPAN)
    y = np.empty_like(x)
    return Case(
        ours=lambda: sc.smooth(x, window, axis=0),
        into=lambda: sc.smooth(x, window, axis=0, out=y),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * x.size,
        peers={
            "lfilter": partial(peers.lfilter_exponential, x, SPAN),
            "pandas": partial(peers.pandas_exponential, x, SPAN),
            "polars": partial(peers.polars_exponential, x, SPAN),
            "numbagg": partial(peers.numbagg_exponential, x, SPAN),
        },
        settled=50 * SPAN,
    )


def fir_columns(rows: int, taps: int, threads: int) -> Case:
    x, w = matrix(rows), weights(taps)
    y, window = np.empty_like(x), windows.custom(w)
    return Case(
        ours=lambda: sc.smooth(x, window, axis=0),
        into=lambda: sc.smooth(x, window, axis=0, out=y),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * taps * x.size,
        peers={
            "lfilter": partial(peers.lfilter_fir, x, w),
            "ndimage": partial(peers.ndimage_fir, x, w),
            "oaconvolve": partial(peers.oaconvolve_fir, x, w, threads),
        },
        settled=taps,
    )


# Piece by piece -------------------------------------------------------------------------------------------------------
def stream(size: int, window: windows.Window) -> Case:
    """A stream fed in pieces beside one call on everything; the two must agree to the last bit."""
    x = signal(size)
    y, smoother = np.empty_like(x), sc.Smoother(window)

    def pieces():
        smoother.reset()
        for lo in range(0, size, PIECE):
            y[lo : lo + PIECE] = smoother.process(x[lo : lo + PIECE])
        return y

    return Case(
        ours=pieces,
        x=x,
        moved=2 * x.nbytes,
        flops=2 * (window.length if window.shape == "custom" else 1) * x.size,
        peers={"one call": lambda: lambda: sc.smooth(x, window)},
        tolerance=0.0,
    )


def one_sample_calls(text: str, timed: bool = False) -> Case:
    """What a call costs that brings a single new sample."""
    x = signal(CALLS).reshape(CALLS, 1)
    times = uneven_times(CALLS).reshape(CALLS, 1)
    smoother = sc.Smoother(windows.custom(weights(31)) if text.startswith("custom") else text)

    def calls():
        smoother.reset()
        process, last = smoother.process, None
        if timed:
            for sample, stamp in zip(x, times, strict=True):
                last = process(sample, stamp)
        else:
            for sample in x:
                last = process(sample)
        return last

    return Case(ours=calls, x=x, samples=CALLS)
