"""Bytes by the line of 64: which of them are a certain one, as the bits of an integer, and moves of whole lines."""

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sigconv.engines.cpu.sizes import LINE

_LINE = ir.VectorType(ir.IntType(8), LINE)
_BITS = ir.IntType(64)
_BYTES = types.CPointer(types.uint8)


def _line_at(builder: Any, pointer: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [index]), _LINE.as_pointer())


@intrinsic
def matches(_: Any, pointer: Any, at: Any, byte: Any) -> Any:
    """Bit k tells whether pointer[at + k] is ``byte``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        p, i, wanted = args
        line = builder.load(_line_at(builder, p, i), align=1)
        first = builder.insert_element(ir.Constant(_LINE, ir.Undefined), wanted, ir.Constant(ir.IntType(32), 0))
        nowhere = ir.Constant(ir.VectorType(ir.IntType(32), LINE), None)
        same = builder.icmp_unsigned("==", line, builder.shuffle_vector(first, first, nowhere))
        return builder.bitcast(same, _BITS)

    return types.int64(_BYTES, types.int64, types.uint8), codegen


@intrinsic
def word(_: Any, pointer: Any, at: Any) -> Any:
    """Eight bytes from pointer[at], the first one lowest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = builder.bitcast(builder.gep(args[0], [args[1]]), _BITS.as_pointer())
        value = builder.load(address, align=1)
        if sys.byteorder == "big":
            swap = ir.FunctionType(_BITS, [_BITS])
            value = builder.call(cgutils.get_or_insert_function(builder.module, swap, "llvm.bswap.i64"), [value])
        return value

    return types.int64(_BYTES, types.int64), codegen


@intrinsic
def copy_line(_: Any, source: Any, at: Any, target: Any, to: Any) -> Any:
    """target[to : to + 64] = source[at : at + 64]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        p, i, q, k = args
        builder.store(builder.load(_line_at(builder, p, i), align=1), _line_at(builder, q, k), align=1)
        return context.get_dummy_value()

    return types.none(_BYTES, types.int64, _BYTES, types.int64), codegen


@intrinsic
def lowest_bit(_: Any, bits: Any) -> Any:
    """The position of the lowest bit that is set, where one is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_BITS, [_BITS, ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.cttz.i64")
        return builder.call(function, [*args, ir.Constant(ir.IntType(1), 1)])

    return types.int64(types.int64), codegen


@intrinsic
def bits_set(_: Any, bits: Any) -> Any:
    """How many bits are set."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_BITS, [_BITS]), "llvm.ctpop.i64")
        return builder.call(function, args)

    return types.int64(types.int64), codegen
