"""Weighted windows that slide: causal smoothing of noisy readings at even and uneven times.

Importing this package loads NumPy alone; compiled kernels, SciPy and matplotlib are loaded by the
first call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sigconv import windows
from sigconv.errors import SigconvError

if TYPE_CHECKING:
    from sigconv import config, grad
    from sigconv.config import get_num_threads, set_num_threads, show_config
    from sigconv.layers import conv1d, conv2d, conv3d
    from sigconv.running import maximum_filter, minimum_filter, uniform_filter
    from sigconv.smoothing import Diagnostics, diagnose, hampel, moving_median, smooth
    from sigconv.stream import Smoother
    from sigconv.transposes import conv_transpose1d, conv_transpose2d, conv_transpose3d

__version__ = "0.1.0"

_HOMES = {
    "conv1d": "layers",
    "conv2d": "layers",
    "conv3d": "layers",
    "conv_transpose1d": "transposes",
    "conv_transpose2d": "transposes",
    "conv_transpose3d": "transposes",
    "uniform_filter": "running",
    "minimum_filter": "running",
    "maximum_filter": "running",
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
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "diagnose",
    "get_num_threads",
    "grad",
    "hampel",
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
    if name in ("config", "grad"):
        return import_module(f"sigconv.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sigconv' has no attribute {name!r}")
    value = getattr(import_module(f"sigconv.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
