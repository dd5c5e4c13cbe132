"""The machine code of the kernels: it stays inside its arrays, uses the registers it should, and stands alone."""

import os
import platform
import re
import struct
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sigconv.engines.cpu import compile as code
from sigconv.engines.cpu.target import host

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "sigconv" / "engines" / "cpu" / "kernels"
GUARDED = ROOT / "tests" / "guarded.py"


def registered():
    """Every kernel's name, as its module registers it."""
    for path in sorted(KERNELS.glob("[!_]*.py")):
        module = import_module(f"sigconv.engines.cpu.kernels.{path.stem}")
        if hasattr(module, "compile_kernel"):  # others are what kernels share
            yield from (f"{path.stem}.{name}" for name in module.compile_kernel.names)


def start(*arguments, **environment):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), **environment}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def guarded_runs():
    """For each side the exit status and the lines printed: a case, its digest, .., and last the kernels used."""
    if sys.platform != "linux":
        pytest.skip("pages are protected as Linux does it")
    runs = {}
    for side in ("start", "end"):  # one after the other: the first may have everything to compile
        process = start("-X", "faulthandler", str(GUARDED), side)
        runs[side] = process.communicate(timeout=600)[0].splitlines(), process.returncode
    return runs


@pytest.mark.parametrize("side", ["start", "end"])
def test_no_kernel_touches_what_is_beyond_its_arrays(side, guarded_runs):
    lines, status = guarded_runs[side]
    assert status == 0, f"exit status {status} with guards at the {side} of: {lines[-1]}"


@pytest.mark.skipif(sys.platform != "linux", reason="pages are protected as Linux does it")
@pytest.mark.parametrize("side", ["start", "end"])
def test_the_guards_are_there(side):
    process = start(str(GUARDED), "trip", side)
    assert process.communicate(timeout=60)[0] == "reached\n" and process.returncode == -11


def test_no_answer_depends_on_what_nobody_wrote(guarded_runs):
    one, other = (lines for lines, _ in guarded_runs.values())
    different = [case for case, a, b in zip(one[::2], one[1::2], other[1::2], strict=False) if a != b]
    assert not different and len(one) == len(other)


def test_every_kernel_ran_between_guards(guarded_runs):
    for lines, _ in guarded_runs.values():
        used = {name.rpartition("-")[0] for name in lines[-1].split()}
        assert used == set(registered()), "give a kernel without a case one in tests/guarded.py"


def assembly(name, dtype, monkeypatch):
    """A kernel's text as the assembler takes it."""
    from importlib import import_module

    from sigconv.engines.cpu import kernels

    dispatchers = []
    njit = kernels.njit

    def listening(*arguments, **options):
        def decorate(function):
            dispatchers.append(njit(*arguments, **options)(function))
            return dispatchers[-1]

        return decorate

    module, _, function = name.partition(".")
    module = import_module(f"{kernels.__name__}.{module}")
    with monkeypatch.context() as patched:
        patched.setattr(kernels, "njit", listening)
        module.compile_kernel(function, dtype)
    (compiled,) = dispatchers[-1].overloads.values()
    return compiled.library.get_asm_str()


HOT = [
    ("fir.smooth", "float32", "ps"),
    ("fir.smooth", "float64", "pd"),
    ("conv.layer", "float32", "ps"),
    ("across.layer", "float32", "ps"),
    ("depthwise.planes_three", "float32", "ps"),
    ("depthwise.bands_five", "float64", "pd"),
    ("winograd.layer", "float32", "ps"),
    ("recursive.even", "float64", "pd"),
    ("uneven.smooth", "float64", "pd"),
    ("pairs.gaussian", "float64", "pd"),
    ("conv_grad.products", "float32", "ps"),
    ("conv_dots.dots", "float64", "pd"),
    ("passes.real_real", "float32", "ps"),
]


@pytest.mark.parametrize(("name", "dtype", "kind"), HOT)
def test_hot_kernels_multiply_and_add_whole_registers(name, dtype, kind, monkeypatch):
    features = host().features
    if "fma" not in features or not features & {"avx2", "avx512f"}:
        pytest.skip("this CPU has no vectors of fused multiply-adds that go by these names")
    register = "zmm" if "avx512f" in features else "ymm"
    fused = re.findall(rf"\bvfmn?(?:add|sub)\d*{kind}\b.*%{register}\d+", assembly(name, dtype, monkeypatch))
    assert len(fused) >= 4, f"{name} has {len(fused)} on {register}"


# what machine code may ask of the C library: numbers in, numbers out, and moves of memory
ALLOWED = {"sin", "cos", "sincos", "atan2", "atan2f", "fma", "fmaf", "memset", "memcpy", "memmove"}


def undefined_symbols(elf):
    """The names that a 64-bit little-endian ELF object leaves to be found elsewhere."""
    (sections_at,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, sections_at + k * size) for k in range(count)]
    for _, kind, _, _, offset, length, link, _, _, entry in sections:
        if kind != 2:  # SHT_SYMTAB
            continue
        texts = sections[link][4]
        for at in range(offset + entry, offset + length, entry):  # the first entry names nothing
            name, _, _, section = struct.unpack_from("<IBBH", elf, at)
            if section == 0:  # SHN_UNDEF
                yield elf[texts + name : elf.index(b"\0", texts + name)].decode()


def test_machine_code_stands_alone(guarded_runs):
    for kernel in guarded_runs["end"][0][-1].split():
        elf = code._cached(*kernel.rsplit("-", 1)).object_code
        if elf[:6] != b"\x7fELF\x02\x01":
            pytest.skip("object code is not 64-bit little-endian ELF here")
        assert set(undefined_symbols(elf)) <= ALLOWED, kernel


BITS = """
import hashlib
import numpy as np
import sigconv as sc

rng = np.random.default_rng(3)
times = 1_700_000_000 * 10**9 + np.cumsum(rng.integers(0, 20_000_000, 3001))
taps = sc.windows.custom(rng.uniform(-0.2, 1, 117))
for name, dtype, run in [
    ("taps float32", np.float32, lambda x: sc.smooth(x, taps)),
    ("uniform", np.float32, lambda x: sc.smooth(x, "uniform:300")),
    ("exponential", np.float64, lambda x: sc.smooth(x, "exponential:alpha=0.07")),
    ("channels", np.float64, lambda x: sc.smooth(x[: len(x) // 37 * 37].reshape(-1, 37), "exponential:span=9", axis=0)),
    ("gaussian by time", np.float64, lambda x: sc.smooth(x, "gaussian:sigma=50ms", times=times)),
    ("median", np.float32, lambda x: sc.moving_median(x, 33)),
]:
    for missing in (0, 0.02):
        x = (rng.standard_normal(3001) * 100).astype(dtype)
        x[rng.random(3001) < missing] = np.nan
        for part in (x, x[5:]):
            y = run(part) if "by time" not in name else run(x)
            y[np.isnan(y)] = np.nan
            print(name, len(part), missing, hashlib.sha256(y.tobytes()).hexdigest())
"""
TARGETS = {
    "haswell": "+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+cx16,+f16c,+fma,+fxsr,+lzcnt,+mmx,+movbe,+popcnt,+sse,+sse2,+sse3,"
    "+ssse3,+sse4.1,+sse4.2,+xsave",
    "x86-64": "+64bit,+cmov,+cx8,+fxsr,+mmx,+sse,+sse2",
}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the CPUs compared are of the x86-64 family")
def test_every_instruction_set_gives_the_same_bits(tmp_path):
    usable = ["x86-64"] + ["haswell"] * ({"avx2", "fma", "bmi2"} <= host().features)
    own = {
        cpu: {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": TARGETS[cpu], "SIGCONV_CACHE_DIR": str(tmp_path / cpu)}
        for cpu in usable
    }
    processes = {cpu: start("-c", BITS, **env) for cpu, env in {"host": {}, **own}.items()}
    lines = {cpu: process.communicate(timeout=600)[0].splitlines() for cpu, process in processes.items()}
    assert len(lines["host"]) == 24 and all(process.returncode == 0 for process in processes.values())
    for cpu in usable:
        different = [a for a, b in zip(lines["host"], lines[cpu], strict=True) if a != b]
        assert not different, f"{cpu}: {different}"
