"""The same work in other libraries. Every function prepares its input and returns what is timed.

A library is imported only here, inside its functions, so that one that is not installed merely leaves its column empty.
"""

from collections.abc import Callable

import numpy as np

Call = Callable[[], object]


# Weights by the sample ------------------------------------------------------------------------------------------------
def numpy_fir(x: np.ndarray, weights: np.ndarray) -> Call:
    return lambda: np.convolve(x, weights)[: x.size]


def lfilter_fir(x: np.ndarray, weights: np.ndarray) -> Call:
    from scipy.signal import lfilter

    one = np.ones(1, x.dtype)
    return lambda: lfilter(weights, one, x, axis=0)


def oaconvolve_fir(x: np.ndarray, weights: np.ndarray, threads: int = 1) -> Call:
    """As it is called, on one thread; on more where scipy.fft is told to use them."""
    from scipy.fft import set_workers
    from scipy.signal import oaconvolve

    kernel = weights.reshape(-1, *[1] * (x.ndim - 1))

    def call():
        with set_workers(threads):
            return oaconvolve(x, kernel, axes=0)[: len(x)]

    return call


def torch_fir(x: np.ndarray, weights: np.ndarray, threads: int) -> Call:
    import torch

    torch.set_num_threads(threads)
    signal = torch.from_numpy(x)[None, None]
    kernel = torch.from_numpy(weights[::-1].copy())[None, None]
    padding = weights.size - 1

    def call():
        with torch.inference_mode():
            return torch.nn.functional.conv1d(signal, kernel, padding=padding)[0, 0, : x.size]

    return call


def ndimage_fir(x: np.ndarray, weights: np.ndarray) -> Call:
    from scipy.ndimage import correlate1d

    kernel = weights[::-1].copy()
    origin = weights.size - 1 - weights.size // 2  # the window ends at the current sample
    return lambda: correlate1d(x, kernel, axis=0, origin=origin)


# Exponential ----------------------------------------------------------------------------------------------------------
def lfilter_exponential(x: np.ndarray, span: float) -> Call:
    from scipy.signal import lfilter

    alpha = 2 / (span + 1)
    b, a = np.array([alpha], x.dtype), np.array([1, alpha - 1], x.dtype)
    return lambda: lfilter(b, a, x, axis=0)


def pandas_exponential(x: np.ndarray, span: float) -> Call:
    data = _pandas(x)
    return lambda: data.ewm(span=span).mean()


def polars_exponential(x: np.ndarray, span: float) -> Call:
    import polars as pl

    frame = pl.DataFrame(x, orient="row") if x.ndim == 2 else pl.DataFrame({"x": x})
    return lambda: frame.select(pl.all().ewm_mean(span=span))


def numbagg_exponential(x: np.ndarray, span: float) -> Call:
    from numbagg import move_exp_nanmean

    return lambda: move_exp_nanmean(x, alpha=2 / (span + 1), axis=0)


def pandas_exponential_by(x: np.ndarray, times: np.ndarray, halflife_ns: int) -> Call:
    import pandas as pd

    data, index, halflife = pd.Series(x), pd.DatetimeIndex(times), pd.Timedelta(halflife_ns, "ns")
    return lambda: data.ewm(halflife=halflife, times=index).mean()


def polars_exponential_by(x: np.ndarray, times: np.ndarray, halflife_ns: int) -> Call:
    import polars as pl

    frame = pl.DataFrame({"x": x, "times": times})
    return lambda: frame.select(pl.col("x").ewm_mean_by("times", half_life=f"{halflife_ns}ns"))


# Running means --------------------------------------------------------------------------------------------------------
def bottleneck_mean(x: np.ndarray, width: int, least: int | None = None) -> Call:
    import bottleneck

    return lambda: bottleneck.move_mean(x, width, min_count=least)


def numbagg_mean(x: np.ndarray, width: int, least: int | None = None) -> Call:
    from numbagg import move_mean

    return lambda: move_mean(x, window=width, min_count=least)


def pandas_mean(x: np.ndarray, width: int | str, times: np.ndarray | None = None, least: int | None = None) -> Call:
    data = _pandas(x, times)
    return lambda: data.rolling(width, min_periods=least).mean()


def polars_mean(x: np.ndarray, width: int, least: int | None = None) -> Call:
    import polars as pl

    data = pl.Series(x, nan_to_null=True)
    return lambda: data.rolling_mean(width, min_samples=least)


def ndimage_mean(x: np.ndarray, width: int) -> Call:
    from scipy.ndimage import uniform_filter1d

    return lambda: uniform_filter1d(x, width, origin=width - 1 - width // 2)


def polars_mean_by(x: np.ndarray, times: np.ndarray, width: str) -> Call:
    import polars as pl

    frame = pl.DataFrame({"x": x, "times": times})
    return lambda: frame.select(pl.col("x").rolling_mean_by("times", width, closed="right"))


def pandas_regular_gaussian(x: np.ndarray, width: int, sigma: float) -> Call:
    """Centred, and every stamp taken for equally spaced."""
    data = _pandas(x)
    return lambda: data.rolling(width, win_type="gaussian").mean(std=sigma)


# Running medians ------------------------------------------------------------------------------------------------------
def bottleneck_median(x: np.ndarray, width: int) -> Call:
    import bottleneck

    return lambda: bottleneck.move_median(x, width)


def numbagg_median(x: np.ndarray, width: int) -> Call:
    from numbagg import move_median  # not in every version

    return lambda: move_median(x, window=width)


def pandas_median(x: np.ndarray, width: int) -> Call:
    data = _pandas(x)
    return lambda: data.rolling(width).median()


def polars_median(x: np.ndarray, width: int) -> Call:
    import polars as pl

    data = pl.Series(x)
    return lambda: data.rolling_median(width)


def ndimage_median(x: np.ndarray, width: int) -> Call:
    from scipy.ndimage import median_filter

    return lambda: median_filter(x, width, origin=width - 1 - width // 2)


def _pandas(x: np.ndarray, times: np.ndarray | None = None):
    import pandas as pd

    if x.ndim == 2:
        return pd.DataFrame(x)
    return pd.Series(x, index=None if times is None else pd.DatetimeIndex(times))
