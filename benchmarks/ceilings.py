"""What the machine can do at most: the rate of a plain copy and the rate of fused multiply-adds."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

CHAINS = 12  # enough to hide the latency of two units, and together with the factors they fit into 16 registers
STEPS = 10_000_000
_LLVM = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


@dataclass(frozen=True)
class Ceilings:
    """Rates measured in this process: GB/s of copies (read and written both count), GFLOP/s of fused multiply-adds."""

    size: int
    threads: int
    copy: dict[str, float]
    fma_one: dict[str, float]
    fma_all: dict[str, float]

    def lines(self) -> list[str]:
        """The ceilings as lines of text."""
        copies = ", ".join(f"{name} {rate:.1f} GB/s" for name, rate in self.copy.items())
        lines = [f"memcpy of {self.size:,} samples, one thread, read + written: {copies}"]
        for name in self.fma_one:
            line = f"fused multiply-adds, {name}: {self.fma_one[name]:.0f} GFLOP/s on one thread"
            lines.append(line + (f", {self.fma_all[name]:.0f} on {self.threads}" if self.threads > 1 else ""))
        return lines

    def as_dict(self) -> dict:
        """The same for JSON."""
        return asdict(self)


def measure_ceilings(size: int, threads: int, rounds: int = 5) -> Ceilings:
    """Measure copies of `size` samples on one thread, and fused multiply-adds on one thread and on all."""
    dtypes = [np.dtype(np.float32), np.dtype(np.float64)]
    copy, fma_one, fma_all = {}, {}, {}
    for dtype in dtypes:
        source, target = np.ones(size, dtype), np.zeros(size, dtype)
        copy[dtype.name] = 2 * source.nbytes / _quickest(lambda s=source, t=target: np.copyto(t, s), rounds) / 1e9
        fma_one[dtype.name] = fma_rate(dtype, 1, rounds)
        fma_all[dtype.name] = fma_rate(dtype, threads, rounds) if threads > 1 else fma_one[dtype.name]
    return Ceilings(size, threads, copy, fma_one, fma_all)


def fma_rate(dtype: np.dtype, threads: int, rounds: int = 5) -> float:
    """GFLOP/s of independent chains of fused multiply-adds in registers, on so many threads at once."""
    start = np.ones(1, dtype)
    flops = 2 * CHAINS * _lanes(dtype.itemsize) * STEPS * threads
    with ThreadPoolExecutor(threads) as pool:
        return flops / _quickest(lambda: list(pool.map(_run_chains, [start] * threads)), rounds) / 1e9


def _quickest(call, rounds: int) -> float:
    call()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _lanes(itemsize: int) -> int:
    """How many numbers one vector register of this machine holds."""
    features = binding.get_host_cpu_features()
    width = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return width // itemsize


@intrinsic
def _fma_chains(_typing, start, steps):
    """CHAINS registers, each `steps` times r = r * 0.5 + start; the sum of one lane of each.

    Explicit vectors, because left to itself the compiler takes half of an AVX-512 register. A product and a sum that
    may be contracted become one instruction wherever the machine has it, and stay two where it has not.
    """
    vector = ir.VectorType(_LLVM[start], _lanes(start.bitwidth // 8))

    def codegen(context, builder, signature, args):
        first, count = args
        added = builder.insert_element(ir.Constant(vector, ir.Undefined), first, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
        added = builder.shuffle_vector(added, added, everywhere)
        factor = ir.Constant(vector, [0.5] * vector.count)
        # Different starting values: equal chains would be merged into one.
        starts = [ir.Constant(vector, [float(k)] * vector.count) for k in range(CHAINS)]
        registers = [cgutils.alloca_once_value(builder, value) for value in starts]
        with cgutils.for_range(builder, count):
            for register in registers:
                product = builder.fmul(builder.load(register), factor, flags=("contract",))
                builder.store(builder.fadd(product, added, flags=("contract",)), register)
        total = ir.Constant(vector.element, 0.0)
        for register in registers:
            lane = builder.extract_element(builder.load(register), ir.Constant(ir.IntType(32), 0))
            total = builder.fadd(total, lane)
        return total

    return start(start, types.intp), codegen


@njit(nogil=True)
def _run_chains(start):
    return _fma_chains(start[0], STEPS)
