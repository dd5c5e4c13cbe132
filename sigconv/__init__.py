"""Weighted windows that slide: causal smoothing of noisy readings at even and uneven times.

Importing this package loads NumPy alone; compiled kernels, SciPy and matplotlib are loaded by the
first call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sigconv import windows
from sigconv.errors import SigconvError

if TYPE_CHECKING:
    from sigconv import config
    from sigconv.config import get_num_threads, set_num_threads, show_config
    from sigconv.layers import conv1d, conv2d, conv3d
    from sigconv.smoothing import Diagnostics, diagnose, hampel, moving_median, smooth
    from sigconv.stream import Smoother

__version__ = "0.1.0"

_HOMES = {
    "conv1d": "layers",
    "conv2d": "layers",
    "conv3d": "layers",
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
    "config",
    "conv1d",
    "conv2d",
    "conv3d",
    "diagnose",
    "get_num_threads",
    "hampel",
    "moving_median",
    "set_num_threads",
    "show_config",
    "smooth",
    "windows",
]


def __getattr__(name: str) -> Any:
    if name == "config":
        return import_module("sigconv.config")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sigconv' has no attribute {name!r}")
    value = getattr(import_module(f"sigconv.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
