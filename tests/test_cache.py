"""Compiled code on disk: found again, mended, shared, and done without where no place is writable."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# six small kernels: what they answer, then whether anything was compiled
WORK = """
import sys
import numpy as np
import sigconv as sc
for dtype in ("float32", "float64"):
    y = sc.smooth(np.array([10, 350, 20, 340], dtype), "exponential:alpha=0.5", period=360)
    print(y.dtype, y.tobytes().hex())
print("compiled" if "numba" in sys.modules else "loaded")
"""
# one small kernel
LITTLE = """
import sys
import numpy as np
import sigconv as sc
print(sc.smooth(np.array([0.0, 3.0]), "exponential:alpha=0.5").tolist())
print("compiled" if "numba" in sys.modules else "loaded")
"""
WHERE = "from sigconv import config; print(config.describe()['cache directory'])"


def start(script, **environment):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    for name, value in environment.items():
        env.pop(name, None)
        if value is not None:
            env[name] = str(value)
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answers(process):
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error[-2000:]
    return out.splitlines()


def run(script, **environment):
    """The lines that a process of its own prints."""
    return answers(start(script, **environment))


def files(place):
    return sorted(path for path in Path(place).rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache with six kernels, and the lines of the process that compiled them."""
    place = tmp_path_factory.mktemp("cache")
    lines = run(WORK, SIGCONV_CACHE_DIR=place)
    assert lines[-1] == "compiled" and len(files(place)) == 6
    return place, lines


def test_a_second_process_loads_what_the_first_compiled(filled):
    place, lines = filled
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files(place)}
    assert run(WORK, SIGCONV_CACHE_DIR=place) == [*lines[:-1], "loaded"]
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files(place)} == before


def test_a_cache_may_be_moved(filled, tmp_path):
    place, _ = filled
    shutil.copytree(place, tmp_path / "elsewhere")
    assert run(WORK, SIGCONV_CACHE_DIR=tmp_path / "elsewhere")[-1] == "loaded"


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


DAMAGES = [
    lambda content: b"",
    lambda content: content[:20],
    lambda content: content[: len(content) // 2],
    lambda content: content[:-1],
    lambda content: b"another kind" + content[12:],
    lambda content: flipped(content, 30),  # in the checksum
]
MORE_DAMAGES = [
    lambda content: flipped(content, len(content) // 2),
    lambda content: flipped(content, len(content) - 1),
    lambda content: content + b"\0",
    lambda content: b"\0" * len(content),
    lambda content: content[:55],  # nothing behind the checksum
    lambda content: os.urandom(len(content)),
]


@pytest.mark.parametrize("damages", [DAMAGES, MORE_DAMAGES], ids=["cut", "changed"])
def test_damaged_files_are_compiled_anew(damages, filled, tmp_path):
    place, lines = filled
    shutil.copytree(place, tmp_path / "cache")
    damaged = files(tmp_path / "cache")
    for path, damage in zip(damaged, damages, strict=True):
        path.write_bytes(damage(path.read_bytes()))
    assert run(WORK, SIGCONV_CACHE_DIR=tmp_path / "cache") == lines
    assert files(tmp_path / "cache") == damaged
    assert run(WORK, SIGCONV_CACHE_DIR=tmp_path / "cache") == [*lines[:-1], "loaded"]


def test_a_single_damaged_file_is_the_only_one_replaced(filled, tmp_path):
    place, _ = filled
    shutil.copytree(place, tmp_path / "cache")
    paths = files(tmp_path / "cache")
    before = {path: path.read_bytes() for path in paths}
    paths[0].write_bytes(b"")
    run(WORK, SIGCONV_CACHE_DIR=tmp_path / "cache")
    assert paths[0].stat().st_size > 0
    assert all(path.read_bytes() == before[path] for path in paths[1:])


def test_a_directory_in_a_files_place_costs_a_compilation(filled, tmp_path):
    place, lines = filled
    shutil.copytree(place, tmp_path / "cache")
    path = files(tmp_path / "cache")[0]
    path.unlink()
    path.mkdir()
    assert run(WORK, SIGCONV_CACHE_DIR=tmp_path / "cache") == lines
    assert len(files(tmp_path / "cache")) == 5


def test_a_place_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    assert run(LITTLE, SIGCONV_CACHE_DIR=tmp_path / "file" / "below") == ["[0.0, 2.0]", "compiled"]
    assert run(WHERE, SIGCONV_CACHE_DIR=tmp_path / "file") == ["None"]
    assert run(WHERE, SIGCONV_CACHE_DIR="/proc/sigconv" if sys.platform == "linux" else tmp_path / "file") == ["None"]
    assert files(tmp_path) == [tmp_path / "file"]


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="the super-user may write everywhere")
def test_a_read_only_place_is_done_without(tmp_path):
    (tmp_path / "cache").mkdir(mode=0o555)
    assert run(LITTLE, SIGCONV_CACHE_DIR=tmp_path / "cache") == ["[0.0, 2.0]", "compiled"]


def test_an_empty_name_turns_caching_off(tmp_path):
    homes = {"HOME": tmp_path, "XDG_CACHE_HOME": tmp_path / "xdg", "LOCALAPPDATA": tmp_path}
    assert run(LITTLE, SIGCONV_CACHE_DIR="", **homes) == ["[0.0, 2.0]", "compiled"]
    assert run(WHERE, SIGCONV_CACHE_DIR="", **homes) == ["None"]
    assert files(tmp_path) == []


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere on this system")
def test_the_users_cache_directory_is_the_default(tmp_path):
    (place,) = run(WHERE, SIGCONV_CACHE_DIR=None, XDG_CACHE_HOME=tmp_path / "xdg")
    assert Path(place).parent == tmp_path / "xdg" / "sigconv"
    (place,) = run(WHERE, SIGCONV_CACHE_DIR=None, XDG_CACHE_HOME=None, HOME=tmp_path)
    assert Path(place).parent == tmp_path / ".cache" / "sigconv"


@pytest.mark.skipif(sys.platform == "win32", reason="homes are named otherwise on this system")
def test_without_a_home_nothing_is_kept():
    homeless = "import os, pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
    environment = {"HOME": None, "XDG_CACHE_HOME": None, "SIGCONV_CACHE_DIR": None}
    assert run(homeless + LITTLE, **environment) == ["[0.0, 2.0]", "compiled"]
    assert run(homeless + WHERE, **environment) == ["None"]


def test_several_processes_at_once_fill_an_empty_cache(tmp_path):
    processes = [start(LITTLE, SIGCONV_CACHE_DIR=tmp_path / "cache") for _ in range(3)]
    for process in processes:
        assert answers(process)[0] == "[0.0, 2.0]"
    assert len(files(tmp_path / "cache")) == 1
    assert run(LITTLE, SIGCONV_CACHE_DIR=tmp_path / "cache")[-1] == "loaded"


def test_whatever_code_depends_on_has_a_directory_of_its_own(tmp_path):
    place = tmp_path / "cache"
    other_version = (
        "from sigconv.engines.cpu import compile\n"
        "known = compile._installed\n"
        "compile._installed = lambda name: '0' if name == {!r} else known(name)\n"
    )
    changed = tmp_path / "changed"
    shutil.copytree(ROOT / "sigconv", changed / "sigconv", ignore=shutil.ignore_patterns("__pycache__"))
    with open(changed / "sigconv" / "engines" / "cpu" / "kernels" / "fir.py", "a") as source:
        source.write("\n")
    from_there = f"import os, sys; os.chdir({str(changed)!r}); sys.path.insert(0, {str(changed)!r})\n"
    processes = [
        start(WHERE, SIGCONV_CACHE_DIR=place),
        start(WHERE, SIGCONV_CACHE_DIR=place, NUMBA_CPU_NAME="another"),
        start(WHERE, SIGCONV_CACHE_DIR=place, NUMBA_CPU_FEATURES="+sse2"),
        start(other_version.format("numba") + WHERE, SIGCONV_CACHE_DIR=place),
        start(other_version.format("llvmlite") + WHERE, SIGCONV_CACHE_DIR=place),
        start(from_there + WHERE, SIGCONV_CACHE_DIR=place),
    ]
    places = [line for process in processes for line in answers(process)]
    assert len(set(places)) == len(processes) and all(Path(found).parent == place for found in places)
    assert run(WHERE, SIGCONV_CACHE_DIR=place) == places[:1]
