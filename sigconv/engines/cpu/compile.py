"""Kernels as machine code: compiled once by Numba, kept in a directory of our own, called without Numba.

A kernel is arithmetic over raw pointers and a range. It allocates nothing and raises nothing, so its object code
stands alone: a later process loads it through llvmlite in milliseconds and calls it through ctypes, which releases
the interpreter lock. Numba itself (half a second) is imported only to compile.

A cached file is named after everything its code depends on: the kernels' sources, the versions of Numba and
llvmlite, the CPU and its features. It carries a checksum; a file that is damaged, truncated or missing is compiled
and written anew, whole (temporary name, then rename), so that several processes may do so at once. Where no place
is writable, code lives as long as the process.
"""

import ctypes
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sigconv.engines.cpu.target import host

# what compiled code depends on: rooms, and single modules beside them
_ROOMS, _MODULES = ("kernels", "sizes", "tiles"), ("compile", "target", "waiting", "causal/taps")
_MAGIC = b"sigconv machine code 1\n"
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child must not inherit it from a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_loaded: dict[tuple[str, Any], Callable[..., int]] = {}
_engines: list[Any] = []  # the execution engines own the code; they live as long as the process


class Code(NamedTuple):
    """Object code of one kernel: its entry symbol, its parameters' letters (see `kernels.signature`), its bytes."""

    symbol: str
    parameters: str
    object_code: bytes


def kernel(name: str, dtype: Any = "float64") -> Callable[..., int]:
    """The compiled kernel ``name`` ("module.function") for samples of ``dtype``; pointers are passed as integers."""
    found = _loaded.get((name, dtype))
    if found is None:
        with _lock:
            key = name, np.dtype(dtype).name
            found = _loaded.get(key)
            if found is None:
                found = _loaded[key] = _bind(_cached(*key))
            _loaded[name, dtype] = found  # the next call need not ask for the dtype's name
    return found


def _declared(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _stored(array: np.ndarray) -> int:
    """The same, read from where NumPy's ABI has it, behind the head of every object: a tenth of the time."""
    return ctypes.c_void_p.from_address(id(array) + object.__basicsize__).value or 0


_known = np.empty(1)
_same = sys.implementation.name == "cpython" and _stored(_known) == _declared(_known)
_address = _stored if _same else _declared


def address(array: np.ndarray) -> int:
    """The address of an array's first element."""
    return _address(array)


def cache_directory() -> Path | None:
    """Where compiled code is kept, or None where no such place can be written.

    ``SIGCONV_CACHE_DIR`` names it; else it is the user's cache directory. An empty ``SIGCONV_CACHE_DIR`` turns
    caching off.
    """
    asked = os.environ.get("SIGCONV_CACHE_DIR")
    if asked == "":
        return None
    try:
        place = Path(asked) if asked else _user_cache() / "sigconv"
        place = place / _fingerprint()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return place if os.access(place, os.W_OK | os.X_OK) else None


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@cache
def _fingerprint() -> str:
    """A name for everything that compiled code depends on."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    rooms = [source for room in _ROOMS for source in sorted((here / room).glob("*.py"))]
    for source in [*rooms, *(here / f"{name}.py" for name in _MODULES)]:
        digest.update(str(source.relative_to(here)).encode() + b"\0" + source.read_bytes())
    target = host()
    level = os.environ.get("NUMBA_OPT", "")
    packages = _installed("numba"), _installed("llvmlite")
    for fact in (*packages, sys.platform, target.cpu, *sorted(target.features), level):
        digest.update(fact.encode() + b"\0")
    return digest.hexdigest()[:20]


def _installed(package: str) -> str:
    """Name and version of a package, from the folder that says so: importlib.metadata takes longer than a kernel."""
    spec = find_spec(package)
    place = Path(spec.origin).parents[1] if spec and spec.origin else None
    found = sorted(path.name for path in place.glob(f"{package}-*.*-info")) if place else []
    if found:
        return found[0]
    from importlib.metadata import version

    return version(package)


def _cached(name: str, dtype: str) -> Code:
    place = cache_directory()
    if place is None:
        return _compile(name, dtype)
    path = place / f"{name}-{dtype}.bin"
    code = _read(path)
    if code is None:
        code = _compile(name, dtype)
        _write(path, code)
    return code


def _read(path: Path) -> Code | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + 32
    payload = content[start:]
    if content[: len(_MAGIC)] != _MAGIC or hashlib.sha256(payload).digest() != content[len(_MAGIC) : start]:
        return None
    head, _, object_code = payload.partition(b"\n")
    about = json.loads(head)
    return Code(about["symbol"], about["parameters"], object_code)


def _write(path: Path, code: Code) -> None:
    head = json.dumps({"symbol": code.symbol, "parameters": code.parameters}).encode()
    payload = head + b"\n" + code.object_code
    import tempfile  # seldom needed, and slow to import

    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
    except OSError:
        pass  # a full or read-only disk costs the next process a compilation, no more


def _compile(name: str, dtype: str) -> Code:
    module, function = name.split(".")
    return import_module(f"sigconv.engines.cpu.kernels.{module}").compile_kernel(function, dtype)


_C_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "d": ctypes.c_double}


def _bind(code: Code) -> Callable[..., int]:
    """Load object code into this process and wrap its entry point."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.object_code))
    engine.finalize_object()
    _engines.append(engine)
    arguments = [_C_TYPES[letter] for letter in code.parameters]
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *arguments)
    # Numba's convention: where to put the result and the exception, of which a kernel has neither.
    unused = ctypes.addressof(_unused)
    return partial(prototype(engine.get_function_address(code.symbol)), unused, unused)


_unused = (ctypes.c_void_p * 2)()
