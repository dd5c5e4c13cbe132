"""Weighted windows that slide: causal smoothing of noisy readings at even and uneven times.

Importing this package loads NumPy alone; compiled kernels, SciPy and matplotlib are loaded by the
first call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sigconv import windows
from sigconv.errors import SigconvError

if TYPE_CHECKING:
    from sigconv import config, geometry, grad, images
    from sigconv.config import get_num_threads, set_num_threads, show_config
    from sigconv.layers import conv1d, conv2d, conv3d
    from sigconv.linear import convolve, correlate, explain
    from sigconv.pooling import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
    from sigconv.pooling_adaptive import (
        adaptive_avg_pool1d,
        adaptive_avg_pool2d,
        adaptive_avg_pool3d,
        adaptive_max_pool1d,
        adaptive_max_pool2d,
        adaptive_max_pool3d,
    )
    from sigconv.pooling_global import (
        global_avg_pool,
        global_lp_pool,
        global_max_pool,
        max_unpool1d,
        max_unpool2d,
        max_unpool3d,
    )
    from sigconv.pooling_norms import lp_pool1d, lp_pool2d, lp_pool3d, lse_pool1d, lse_pool2d, lse_pool3d
    from sigconv.running import maximum_filter, minimum_filter, uniform_filter
    from sigconv.smoothing import Diagnostics, diagnose, hampel, moving_median, smooth
    from sigconv.stream import Smoother
    from sigconv.templates import match_template
    from sigconv.toeplitz import convolution_matrix, kernel_of
    from sigconv.transposes import conv_transpose1d, conv_transpose2d, conv_transpose3d

__version__ = "0.1.0"

_HOMES = {
    "conv1d": "layers",
    "conv2d": "layers",
    "conv3d": "layers",
    "conv_transpose1d": "transposes",
    "conv_transpose2d": "transposes",
    "conv_transpose3d": "transposes",
    "avg_pool1d": "pooling",
    "avg_pool2d": "pooling",
    "avg_pool3d": "pooling",
    "max_pool1d": "pooling",
    "max_pool2d": "pooling",
    "max_pool3d": "pooling",
    "lp_pool1d": "pooling_norms",
    "lp_pool2d": "pooling_norms",
    "lp_pool3d": "pooling_norms",
    "lse_pool1d": "pooling_norms",
    "lse_pool2d": "pooling_norms",
    "lse_pool3d": "pooling_norms",
    "adaptive_avg_pool1d": "pooling_adaptive",
    "adaptive_avg_pool2d": "pooling_adaptive",
    "adaptive_avg_pool3d": "pooling_adaptive",
    "adaptive_max_pool1d": "pooling_adaptive",
    "adaptive_max_pool2d": "pooling_adaptive",
    "adaptive_max_pool3d": "pooling_adaptive",
    "global_avg_pool": "pooling_global",
    "global_lp_pool": "pooling_global",
    "global_max_pool": "pooling_global",
    "max_unpool1d": "pooling_global",
    "max_unpool2d": "pooling_global",
    "max_unpool3d": "pooling_global",
    "convolution_matrix": "toeplitz",
    "kernel_of": "toeplitz",
    "match_template": "templates",
    "uniform_filter": "running",
    "minimum_filter": "running",
    "maximum_filter": "running",
    "correlate": "linear",
    "convolve": "linear",
    "explain": "linear",
    "smooth": "smoothing",
    "diagnose": "smoothing",
    "Diagnostics": "smoothing",
    "moving_median": "smoothing",
    "hampel": "smoothing",
    "Smoother": "stream",
    "set_num_threads": "config",
    "get_num_threads": "config",
    "show_config": "config",
}

__all__ = [
    "Diagnostics",
    "SigconvError",
    "Smoother",
    "__version__",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "config",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolution_matrix",
    "convolve",
    "correlate",
    "diagnose",
    "explain",
    "geometry",
    "get_num_threads",
    "global_avg_pool",
    "global_lp_pool",
    "global_max_pool",
    "grad",
    "hampel",
    "images",
    "kernel_of",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "lse_pool1d",
    "lse_pool2d",
    "lse_pool3d",
    "match_template",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "maximum_filter",
    "minimum_filter",
    "moving_median",
    "set_num_threads",
    "show_config",
    "smooth",
    "uniform_filter",
    "windows",
]


def __getattr__(name: str) -> Any:
    if name in ("config", "geometry", "grad", "images"):
        return import_module(f"sigconv.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sigconv' has no attribute {name!r}")
    value = getattr(import_module(f"sigconv.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
