"""Telemetry files: whole processes of `sigconv smooth` beside other tools on the same file, and a pipe's answers."""

import argparse
import importlib.util
import math
import select
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from . import table_data, table_peers
from .harness import TOLERANCE, largest_difference, one_line, rounds_of
from .processes import timed
from .table_report import MIB, Contender, Figure, Race, Tables, figure_line, race_lines

TITLE = "Telemetry files"
SIZE = 200  # MB
LARGE = 10  # times the size, with --large
COLUMN, SPAN = "x", 10
ALPHA = 2 / (SPAN + 1)
HERE = Path(__file__).resolve().parent
OURS = [sys.executable, "-m", "sigconv_cli", "smooth"]
WINDOW = ["-c", COLUMN, "-w", f"exponential:span={SPAN}"]
MILLER = ["mlr", "--csv", "step", "-a", "ewma", "-d", repr(ALPHA), "-o", "smooth", "-f", COLUMN]
MILLER_COLUMN = f"{COLUMN}_ewma_smooth"  # it adds a column, and starts from the first value instead of renormalising
MILLER_AT_ONCE = ["mlr", "--records-per-batch", "1", "--fflush", *MILLER[1:]]
SETTLED = 500  # rows after which it does not matter how a filter began
TAIL = 20_000  # rows at the end whose values are compared
ANSWERS, WARM = 5_000, 500  # rows sent one by one, and how many of them do not count
PATIENCE = 30  # seconds to wait for an answer
Command = Callable[[Path, Path], tuple[list[str], str]]
"""(input, output) -> the command, and where its standard output goes."""


def run(options: argparse.Namespace) -> Tables:
    """Every workload whose name matches; what goes wrong is recorded, never raised."""
    size = options.size or SIZE
    tables = Tables(TITLE, size, _miller_version())
    print(f"Miller {tables.miller}" if tables.miller else "Miller is not installed", end="\n\n", flush=True)
    chosen = [work for work in (_speed, _rate, _memory, _latency) if options.only.search(TITLES[work])]
    for work in chosen:
        for result in work(size, options):
            is_race = isinstance(result, Race)
            (tables.races if is_race else tables.figures).append(result)
            print(f"{race_lines(result)}\n" if is_race else figure_line(result), flush=True)
    print(f"\n{tables.foot()}" if chosen else "no workload has such a name")
    if size != SIZE:
        print(f"the targets are meant for {SIZE:,} MB")
    return tables


def _speed(size: int, options: argparse.Namespace) -> Iterator[Race]:
    """From a file to a file."""
    commands: dict[str, Command] = {
        "sigconv": lambda source, target: ([*OURS, str(source), *WINDOW, "-o", str(target), "-y"], "/dev/null"),
        "sigconv to /dev/null": lambda source, target: ([*OURS, str(source), *WINDOW], "/dev/null"),
        **{name: _peer(name) for name in table_peers.PEERS},
        "Miller": lambda source, target: ([*MILLER, str(source)], str(target)),
        "plain copy": lambda source, target: (["dd", f"if={source}", "bs=1M", "status=none"], str(target)),
    }
    race = Race(TITLES[_speed], 0, 0, targets={"polars": 1.5, "Miller": 8})
    yield _race(race, commands, ("sigconv to /dev/null", "plain copy"), size, options.repeat)


def _rate(size: int, options: argparse.Namespace) -> Iterator[Race | Figure]:
    """From a pipe to nowhere."""
    commands: dict[str, Command] = {"sigconv": _piped([*OURS, "-", *WINDOW]), "Miller": _piped(MILLER)}
    race = _race(Race(TITLES[_rate], 0, 0), commands, ("Miller",), size, options.repeat)
    yield race
    rate = Figure("pipe, rows a second", "rows/s", least=400_000, error=race.error)
    if not race.error:
        rate.value, *others = (race.rows / c.seconds if c.seconds else None for c in race.contenders)
        rate.peers = {c.name: v for c, v in zip(race.contenders[1:], others, strict=True) if v}
        rate.error = "" if rate.value else race.contenders[0].status
    yield rate


def _memory(size: int, options: argparse.Namespace) -> Iterator[Figure]:
    """The largest resident set, and that it does not grow with the file."""
    small = _peak(size, lambda: table_data.table(size))
    yield small
    if options.large:
        large = _peak(LARGE * size, lambda: table_data.repeated(table_data.table(size), LARGE), keep=False)
        yield large
        growth = large.value / small.value if large.value and small.value else None
        yield Figure("peak memory, large / small file", "times", growth, most=1.1, error=large.error or small.error)


def _peak(megabytes: int, make: Callable[[], Path], keep: bool = True) -> Figure:
    result = Figure(f"peak memory, {megabytes:,} MB", "MiB", most=250)
    target = table_data.folder() / "out.csv"
    try:
        table_data.require(2 * megabytes * table_data.MB)  # the input and the output
        source = make()
        try:
            result.value = timed([*OURS, str(source), *WINDOW, "-o", str(target), "-y"], "/dev/null")["peak"] / MIB
        finally:
            target.unlink(missing_ok=True)
            if not keep:
                source.unlink()
    except Exception as error:
        result.error = one_line(error)
    return result


def _latency(size: int, options: argparse.Namespace) -> Iterator[Figure]:
    """Rows sent one by one, each after the answer to the one before."""
    del size  # the first rows of the smallest table are enough
    first = Figure("pipe, start to the first row out", "s", most=1.5)
    middle = Figure("pipe, one row, median", "ms", most=1)
    late = Figure("pipe, one row, 99th percentile", "ms")
    for name, command in {"sigconv": [*OURS, "-", *WINDOW], "Miller": MILLER_AT_ONCE}.items():
        if name == "Miller" and not shutil.which("mlr"):
            continue
        try:
            with table_data.table(1).open("rb") as file:
                lines = [file.readline() for _ in range(1 + ANSWERS)]
            rounds = [_answers(command, lines) for _ in range(options.repeat)]
        except Exception as error:
            if name == "sigconv":
                first.error = middle.error = late.error = one_line(error)
            continue
        best = min((answers[WARM:] for _, answers in rounds), key=statistics.median)
        found = min(start for start, _ in rounds), 1e3 * statistics.median(best), 1e3 * float(np.percentile(best, 99))
        for result, value in zip((first, middle, late), found, strict=True):
            if name == "sigconv":
                result.value = value
            else:
                result.peers[name] = value
    yield from (first, middle, late)


TITLES = {_speed: "file to file", _rate: "pipe", _memory: "peak memory", _latency: "latency of a pipe"}


def _race(race: Race, commands: dict[str, Command], related: tuple[str, ...], size: int, rounds: int) -> Race:
    """Run all commands in turn, round after round; check the first output of each."""
    target = table_data.folder() / "out.csv"
    try:
        source = table_data.table(size)
        race.size, race.rows = source.stat().st_size, table_data.count_rows(source)  # which brings it into the cache
        timed([*OURS, str(table_data.table(1)), *WINDOW], "/dev/null")  # compiles what is not compiled yet
    except Exception as error:
        race.error = one_line(error)
        return race
    expected = None
    race.contenders = [Contender(name, status="related" if name in related else "agrees") for name in commands]
    for turn in range(rounds):
        for contender in race.contenders:
            if turn and (contender.seconds is None or turn >= rounds_of(contender.seconds, rounds)):
                continue
            try:
                took = timed(*commands[contender.name](source, target))
                if not turn and contender.status == "agrees" and target.exists():
                    values, complete = _tail(target), table_data.count_rows(target) == race.rows
                    if contender is race.contenders[0]:
                        expected = values
                    _compare(contender, values, expected, complete)
                if contender.seconds is None or took["seconds"] < contender.seconds:
                    contender.seconds, contender.cpu, contender.peak = took["seconds"], took["cpu"], took["peak"]
            except (ImportError, FileNotFoundError):
                contender.status = "missing"
            except Exception as error:
                contender.status = one_line(error)
            finally:
                target.unlink(missing_ok=True)  # with what the system has not written to the disk yet
    return race


def _peer(name: str) -> Command:
    def command(source: Path, target: Path) -> tuple[list[str], str]:
        if importlib.util.find_spec(name.partition(" ")[0]) is None:
            raise ImportError(name)
        script = [sys.executable, "-P", str(HERE / "table_peers.py"), name]
        return [*script, str(source), str(target), COLUMN, str(SPAN)], "/dev/null"

    return command


def _piped(command: list[str]) -> Command:
    """`cat FILE | COMMAND > /dev/null`"""
    if command[0] == "mlr" and not shutil.which("mlr"):
        return lambda source, target: (command, "/dev/null")
    return lambda source, target: (["sh", "-c", 'cat "$0" | "$@"', str(source), *command], "/dev/null")


def _tail(path: Path) -> np.ndarray:
    """The smoothed column of the last rows of an output."""
    with path.open("rb") as file:
        names = file.readline().strip().decode().replace('"', "").split(",")  # Arrow quotes names
        column = names.index(MILLER_COLUMN if MILLER_COLUMN in names else COLUMN)
        width = 2 * len(file.readline())
        file.seek(max(path.stat().st_size - TAIL * width, 0))
        rows = file.read().splitlines()[1:][-TAIL:]
    return np.array([float(row.split(b",")[column]) for row in rows])


def _compare(contender: Contender, values: np.ndarray, expected: np.ndarray | None, complete: bool) -> None:
    if expected is None:  # ours failed
        contender.status = "related"
        return
    contender.difference = math.inf
    if complete:
        contender.difference = largest_difference(values, expected, min(SETTLED, len(expected) // 2))
    if not contender.difference <= TOLERANCE["float64"]:
        contender.status = "differs"


def _answers(command: list[str], lines: list[bytes]) -> tuple[float, list[float]]:
    """Seconds from the start to the first row's answer, and from each later row to its answer."""
    start = time.perf_counter()
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)
    try:
        process.stdin.write(lines[0])
        process.stdin.write(lines[1])
        _await(process, 2)  # the header comes with it
        first = time.perf_counter() - start
        taken = []
        for line in lines[2:]:
            sent = time.perf_counter()
            process.stdin.write(line)
            _await(process, 1)
            taken.append(time.perf_counter() - sent)
        return first, taken
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


def _await(process: subprocess.Popen, lines: int) -> None:
    """Read until so many lines have come."""
    while lines > 0:
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            raise TimeoutError(f"no answer within {PATIENCE} s")
        data = process.stdout.read(1 << 16)
        if not data:
            raise RuntimeError(f"ended with exit code {process.wait()} instead of an answer")
        lines -= data.count(b"\n")


def _miller_version() -> str:
    if not shutil.which("mlr"):
        return ""
    return subprocess.run(["mlr", "--version"], capture_output=True, text=True, check=False).stdout.split()[-1]
