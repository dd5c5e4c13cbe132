"""What this CPU offers: the features code is compiled for, and the register-tile shapes that follow from them."""

import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Target:
    """The CPU that kernels are compiled for.

    ``vector_bytes`` is the width of the registers that tiles are made of; ``accumulators`` is how many of them a
    tile of sums may hold, and ``sharing`` how many taps may share loads, so that all stays in registers.
    """

    cpu: str
    features: frozenset[str]
    vector_bytes: int
    accumulators: int
    sharing: int


@cache
def host() -> Target:
    """The target Numba compiles for: the host, unless NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say otherwise."""
    import llvmlite.binding as llvm

    cpu = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    asked = os.environ.get("NUMBA_CPU_FEATURES")
    if asked is not None:
        features = frozenset(name[1:] for name in asked.split(",") if name.startswith("+"))
    else:
        features = frozenset(name for name, on in llvm.get_host_cpu_features().items() if on)
    if "avx512f" in features:
        return Target(cpu, features, 64, 12, 4)
    if "avx2" in features:
        return Target(cpu, features, 32, 6, 2)
    return Target(cpu, features, 16, 4, 2)
