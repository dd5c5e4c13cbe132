"""How much memory there is, so that what cannot end well is refused before it begins."""

import re
import sys

from sigconv.errors import SigconvError

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of containers


class Lack(SigconvError):
    """There is less memory than is needed."""


def available() -> int:
    """Bytes that can still be taken, as far as the system tells; no end of them where it does not."""
    found = [sys.maxsize]
    sizes = dict(re.findall(r"^(\w+): +(\d+) kB", _read("/proc/meminfo"), re.MULTILINE))
    if "MemAvailable" in sizes:
        found.append(1024 * (int(sizes["MemAvailable"]) + int(sizes.get("SwapFree", 0))))
    found += [int(text) for text in map(str.strip, map(_read, _LIMITS)) if text.isdecimal()]
    return min(found)


def refuse_beyond(size: int, why: str) -> None:
    """Raise a `Lack` that says ``why`` so many bytes are needed, where there are fewer.

    Examples
    --------
    >>> refuse_beyond(10**18, "it is held whole")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    sigconv.io.memory.Lack: needs 1,000,000,000.0 GB of memory, as it is held whole, and ... GB are free
    """
    free = available()
    if size > free:
        raise Lack(f"needs {size / 1e9:,.1f} GB of memory, as {why}, and {free / 1e9:,.1f} GB are free")


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""
