"""The kernels' sources. Importing one of these modules imports Numba: only `sigconv.engines.cpu.compile` does.

Each module defines functions ``build(real) -> (signature, function)`` and exports ``compile_kernel``.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import config, njit, types

from sigconv.engines.cpu.compile import Code

_FORBIDDEN = re.compile(rb"\0(numba_|NRT_|_?Py[A-Z_])")

inlined = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
always_inlined = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def signature(letters: str, real: types.Float) -> tuple[list[Any], str]:
    """Numba types of a kernel's parameters from its letters, and the letters of its C interface.

    ``x`` points to samples, ``d``, ``l`` and ``b`` to float64, int64 and bytes; ``D`` and ``i`` are a float64 and an
    int64 by value.
    """
    known = {
        "x": types.CPointer(real),
        "d": types.CPointer(types.float64),
        "l": types.CPointer(types.int64),
        "b": types.CPointer(types.uint8),
        "D": types.float64,
        "i": types.int64,
    }
    return [known[letter] for letter in letters], "".join({"D": "d", "i": "i"}.get(letter, "p") for letter in letters)


def compiler(
    builders: dict[str, Callable[[types.Float], tuple[str, Callable[..., None]]]],
) -> Callable[[str, str], Code]:
    """The ``compile_kernel`` of a module: from a kernel's name and dtype to object code that stands alone."""

    def compile_kernel(name: str, dtype: str) -> Code:
        if config.DISABLE_JIT:
            raise RuntimeError("NUMBA_DISABLE_JIT is set, but kernels can only be compiled")
        real = types.float32 if np.dtype(dtype) == np.float32 else types.float64
        letters, function = builders[name](real)
        parameters, c_letters = signature(letters, real)
        dispatcher = njit(
            types.void(*parameters), nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
        )(function)
        result = dispatcher.overloads[tuple(parameters)]
        _, _, (object_code, _) = result.library.serialize_using_object_code()
        if _FORBIDDEN.search(object_code):
            raise RuntimeError(f"kernel {name!r} allocates or raises: its code would not stand alone")
        return Code(result.fndesc.llvm_func_name, c_letters, object_code)

    compile_kernel.names = tuple(builders)  # type: ignore[attr-defined]
    return compile_kernel
