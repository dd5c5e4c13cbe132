"""Where and with what a benchmark ran."""

import datetime
import os
import platform
from importlib import metadata

OWN = ("sigconv", "numpy", "numba", "llvmlite", "scipy")
PEERS = (
    "pandas", "polars", "pyarrow", "bottleneck", "numbagg", "opencv-python-headless", "scikit-image", "torch",
)  # fmt: skip
FEATURES = ("fma", "avx", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "neon", "sve")
THREAD_VARIABLES = (
    "POLARS_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "GOMAXPROCS",
)


def available_threads() -> int:
    """CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare(threads: int) -> None:
    """Set what libraries and child processes read from the environment; call it before importing any of them."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    # What is installed has its byte code beside it; so has what runs from a checkout, from the second time on.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cpu_features() -> list[str]:
    """Which vector instructions compiled code may use."""
    from llvmlite import binding

    present = binding.get_host_cpu_features()
    return [name for name in FEATURES if present.get(name)]


def versions() -> dict[str, str]:
    """Python's version and that of every package that takes part."""
    found = {"python": platform.python_version()}
    for name in OWN + PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if "sigconv" not in found:  # run from a checkout that is not installed
        import sigconv

        found["sigconv"] = getattr(sigconv, "__version__", "unknown")
    return found


def describe_machine(threads: int) -> dict:
    """Machine, date and versions, for the head of a report and for JSON."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "llvm_cpu": _llvm_cpu(),
        "cores": available_threads(),
        "threads": threads,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "features": cpu_features(),
        "versions": versions(),
    }


def _llvm_cpu() -> str:
    from llvmlite import binding

    return binding.get_host_cpu_name()
