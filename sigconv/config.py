"""Thread count, and what the package found on this machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any, SupportsIndex

from sigconv.engines.cpu import threads


def set_num_threads(n: SupportsIndex) -> None:
    """Let every call use at most ``n`` threads, the calling one included.

    Results do not depend on it, to the last bit. The default is the number of CPUs this process may run on, or
    ``SIGCONV_NUM_THREADS``.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    ValueError
        If ``n`` is not a whole number of at least 1.

    Examples
    --------
    >>> import sigconv as sc
    >>> before = sc.get_num_threads()
    >>> sc.set_num_threads(1)
    >>> sc.get_num_threads()
    1
    >>> sc.set_num_threads(before)
    """
    threads.set_num_threads(n)


def get_num_threads() -> int:
    """How many threads a call may use.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.get_num_threads() >= 1
    True
    """
    return threads.get_num_threads()


def describe() -> dict[str, Any]:
    """What `show_config` prints, as a dictionary.

    Returns
    -------
    dict
        Threads, CPU, features that matter, tile shapes, the cache directory and the versions in use.
    """
    import sigconv
    from sigconv.engines.cpu import compile as code
    from sigconv.engines.cpu.target import host

    target = host()
    place = code.cache_directory()
    tiles = {f"float{bits}": f"{target.accumulators} x {target.vector_bytes * 8 // bits} lanes" for bits in (32, 64)}
    return {
        "sigconv": sigconv.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": get_num_threads(),
        "cpus": os.cpu_count(),
        "cpu": target.cpu,
        "features": sorted(target.features & {"avx512f", "avx512dq", "avx512bw", "avx2", "fma", "sse4.2", "neon"}),
        "tiles": tiles,
        "cache directory": str(place) if place else None,
        "cache writable": place is not None,
        "versions": {name: _version(name) for name in ("numpy", "numba", "llvmlite", "scipy", "matplotlib", "orjson")},
        "cuda": "not available in this version",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def show_config() -> None:
    """Print threads, CPU, tile shapes, cache directory and versions: what to put into a bug report.

    Examples
    --------
    >>> import sigconv as sc
    >>> sc.show_config()  # doctest: +ELLIPSIS
    sigconv: ...
    """
    for name, value in describe().items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        print(f"{name}: {value}")
