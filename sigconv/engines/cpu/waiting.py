"""What compiled code needs to wait for another thread."""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_X86, _ARM = ("x86_64", "amd64"), ("aarch64", "arm64")


@intrinsic
def read(_: Any, word: Any) -> Any:
    """The word at an address as it is now: another thread may change it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(args[0], "acquire", 8)

    return types.int64(types.CPointer(types.int64)), codegen


@intrinsic
def pause(_: Any) -> Any:
    """Do nothing for some dozens of cycles, which a thread on the same core may use."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing, machine = ir.FunctionType(ir.VoidType(), []), platform.machine().lower()
        if machine in _X86:
            builder.call(cgutils.get_or_insert_function(builder.module, nothing, "llvm.x86.sse2.pause"), [])
        elif machine in _ARM:  # its yield is over in a cycle
            builder.asm(nothing, "isb", "", [], True)
        return context.get_dummy_value()

    return types.void(), codegen
