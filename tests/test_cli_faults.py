"""What may go wrong around the command line: signals, closed readers, full disks, files that come and go."""

import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import termios
import time
from array import array

import numpy as np
import pytest
from commands import COMMAND, PROBE, answer, run, smooth, start, until

from sigconv.io import saved

TABLE = "time,x,y\n0,1,10\n1,2,20\n2,6,60\n"
KILLS = max(3, int(os.environ.get("SIGCONV_EXAMPLES", "50")) // 16)


@pytest.fixture(scope="module")
def long_table(tmp_path_factory):
    """Some megabytes of rows."""
    path = tmp_path_factory.mktemp("long") / "long.csv"
    values = np.random.default_rng(7).normal(size=300_000)
    path.write_text("t,x\n" + "".join(f"{k},{value:.6f}\n" for k, value in enumerate(values)))
    return path


# Output files


def test_output_file_appears_whole_or_not_at_all(tmp_path):
    out = tmp_path / "out.csv"
    assert smooth(TABLE, "-c", "x", "-w", "uniform:1", "-o", out) == ("", "", 0)
    assert out.read_text() == TABLE
    bad = TABLE + "1,1,1\n"
    assert smooth(bad, "-c", "x", "-t", "time", "-o", tmp_path / "bad.csv")[2] == 1
    assert os.listdir(tmp_path) == ["out.csv"]


def test_nothing_is_overwritten_unless_asked(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(TABLE)
    path.chmod(0o640)
    other = tmp_path / "other.csv"
    other.write_text("mine")
    assert smooth("", path, "-c", "x", "-o", other) == ("", f"sigconv: {other} exists; -y overwrites it\n", 1)
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    for target in (path, link):
        message = f"sigconv: {target} is the input itself; -y replaces it\n"
        assert smooth("", path, "-c", "x", "-w", "uniform:2", "-o", target) == ("", message, 1)
    assert path.read_text() == TABLE
    assert smooth("", path, "-c", "x", "-w", "uniform:2", "-y", "-o", link) == ("", "", 0)
    assert path.read_text() == TABLE.replace("1,2,", "1,1.5,").replace("2,6,", "2,4.0,")
    assert link.is_symlink() and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["in.csv", "link.csv", "other.csv"]


def test_output_to_a_device():
    assert smooth(TABLE, "-c", "x", "-o", "/dev/null") == ("", "", 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_named():
    with open("/dev/full", "wb") as full:
        result = subprocess.run([*COMMAND, "smooth", PROBE, "-c", "x"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (result.returncode, result.stderr) == (1, b"sigconv: standard output: No space left on device\n")
    message = "sigconv: /dev/full: No space left on device\n"
    assert smooth("", PROBE, "-c", "x", "-o", "/dev/full") == ("", message, 1)


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_a_file_that_may_grow_no_more_leaves_nothing(tmp_path, source):
    out = tmp_path / "out.csv"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    data = b"" if source == "file" else PROBE.read_bytes()
    name = PROBE if source == "file" else "-"
    result = run("smooth", name, "-c", "x", "-o", out, data=data, preexec_fn=limit)
    assert (result.returncode, result.stderr.decode()) == (1, f"sigconv: {out}: {os.strerror(errno.EFBIG)}\n")
    assert os.listdir(tmp_path) == []


def test_a_small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    # Mounted where nobody else sees it, which needs no privilege; what is left there goes to stdout.
    script = 'mount -t tmpfs -o size=32k none "$0" || exit 99; "$@"; code=$?; ls -A "$0"; exit $code'
    try:
        command = ["unshare", "-rm", "sh", "-c", script, disk, *COMMAND, "smooth", PROBE, "-c", "x"]
        result = subprocess.run([*command, "-o", disk / "out.csv"], capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("unshare is not there")
    if result.returncode == 99 or b"unshare" in result.stderr:
        pytest.skip("a file system cannot be mounted here")
    message = f"sigconv: {disk / 'out.csv'}: No space left on device\n"
    assert (result.returncode, result.stderr.decode(), result.stdout) == (1, message, b"")


@pytest.mark.parametrize("kind", ["missing", "folder", "unreadable"])
def test_inputs_that_cannot_be_read(tmp_path, kind):
    path = tmp_path / "in.csv"
    if kind == "folder":
        path.mkdir()
    elif kind == "unreadable":
        path.write_text(TABLE)
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user reads everything")
    reason = {"missing": errno.ENOENT, "folder": errno.EISDIR, "unreadable": errno.EACCES}[kind]
    message = f"sigconv: {path}: {os.strerror(reason)}\n"
    assert smooth("", path, "-c", "x", "-o", tmp_path / "out.csv") == ("", message, 1)
    assert not (tmp_path / "out.csv").exists()


def test_an_input_that_vanishes_is_read_to_its_end(tmp_path, long_table):
    whole = run("smooth", long_table, "-c", "x").stdout
    path = tmp_path / "in.csv"
    path.write_bytes(long_table.read_bytes())
    process = start("smooth", path, "-c", "x")
    begun = answer(process, 100)
    path.unlink()
    rest, notes = process.communicate(timeout=60)
    assert (begun + rest, notes, process.returncode) == (whole, b"", 0)


# Pipes and signals


def reader(*args):
    process = start("smooth", *args)
    process.stdin.write(b"x\n1\n3\n5")
    process.stdin.flush()
    return process


def test_a_slow_pipe_is_answered_at_once():
    process = reader("-c", "x", "-w", "uniform:2")
    assert answer(process, 8) == b"x\n1\n2.0\n"
    assert process.communicate(b"\n", timeout=60)[0] == b"4.0\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_cleanly(number, code):
    process = reader("-c", "x", "-w", "uniform:2")
    answer(process, 8)
    process.send_signal(number)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == code


@pytest.mark.parametrize("kept", [(), ("--state",)])
def test_a_signal_writes_rows_that_wait_for_more_to_tell_the_dialect(tmp_path, kept):
    process = start("smooth", "-", "-c", "x", "-w", "uniform:2", *(str(o) for k in kept for o in (k, tmp_path / "s")))
    process.stdin.write(b"t;x\n0;1\n1;3\n2;5")  # no fraction yet: the decimal mark is not known
    process.stdin.flush()
    until(lambda: not bytes_unread(process.stdin))
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"t;x\n0;1\n1;2.0\n", b"")
    assert process.returncode == 130


def bytes_unread(pipe):
    size = array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, size)
    return size[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_long_file_ends_behind_a_whole_row(number, long_table):
    whole = run("smooth", long_table, "-c", "x").stdout
    process = start("smooth", long_table, "-c", "x", stdin=subprocess.DEVNULL)
    begun = answer(process, 1000)
    process.send_signal(number)
    rest, notes = process.communicate(timeout=60)
    assert (process.returncode, notes) == (128 + number, b"")
    assert (begun + rest).endswith(b"\n") and whole.startswith(begun + rest)


def test_a_signal_at_any_instant_leaves_a_state_that_fits_the_output(tmp_path, long_table, rng):
    args = ["-c", "x", "-w", "median:9", "-w", "exponential:tau=5s", "-t", "t"]
    began = time.monotonic()
    whole = run("smooth", long_table, *args).stdout
    lasts = time.monotonic() - began
    table = long_table.read_bytes().splitlines(keepends=True)
    for k, instant in enumerate(rng.uniform(0, 0.5, KILLS) * lasts):
        state = tmp_path / f"state{k}"
        with open(tmp_path / "out", "wb") as out:  # a plain file that the shell opened
            process = start("smooth", long_table, *args, "--state", state, stdin=subprocess.DEVNULL, stdout=out)
            until(lambda: os.path.getsize(tmp_path / "out"))
            time.sleep(instant)
            process.send_signal(signal.SIGINT)
            notes = process.communicate(timeout=60)[1]
        assert process.returncode in (0, 130) and notes == b""
        begun = (tmp_path / "out").read_bytes()
        rows = begun.count(b"\n")
        rest = run("smooth", "-", *args, "--state", state, data=table[0] + b"".join(table[max(rows, 1) :])).stdout
        assert begun + (rest.removeprefix(table[0]) if rows else rest) == whole


def test_a_signal_removes_the_unfinished_file(tmp_path):
    process = reader("-c", "x", "-o", tmp_path / "out.csv")
    deadline = time.monotonic() + 60
    while not os.listdir(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [name.endswith(".part") for name in os.listdir(tmp_path)] == [True]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert os.listdir(tmp_path) == []
    process.communicate()


def test_an_output_that_nobody_reads_cannot_hold_it_up(long_table):
    process = start("smooth", long_table, "-c", "x", stdin=subprocess.DEVNULL)
    answer(process, 1000)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143
    assert time.monotonic() - began < 10
    assert process.stderr.read() == b""
    process.communicate()


def test_a_second_signal_ends_it_at_once(long_table):
    process = start("smooth", "-", "-c", "x")
    process.stdin.write(b"t,x\n" + b"1,2\n" * 10_000)
    process.stdin.flush()
    answer(process, 1000)
    time.sleep(0.5)  # until its output is stuck
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert time.monotonic() - began < 1.5
    process.communicate()


def test_a_closed_pipe_ends_it_quietly():
    shell = f"{subprocess.list2cmdline(COMMAND)} smooth - -c 1 -w uniform:2 | head -n 1; echo ${{PIPESTATUS[0]}}"
    data = b"x\n" + b"1\n2\n" * 200_000
    result = subprocess.run(["bash", "-c", shell], input=data, capture_output=True, timeout=60)
    assert (result.stdout, result.stderr) == (b"x\n141\n", b"")


def test_a_closed_pipe_ends_the_reading_of_a_file_too(long_table):
    shell = f"{subprocess.list2cmdline(COMMAND)} smooth {long_table} -c x | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=60)
    assert (result.stdout, result.stderr) == (b"t,x\n141\n", b"")


@pytest.mark.parametrize("before", [None, b"before\n"])
def test_a_killed_run_leaves_no_part_under_the_name(tmp_path, long_table, rng, before):
    out = tmp_path / "out.csv"
    began = time.monotonic()
    whole = run("smooth", long_table, "-c", "x").stdout
    lasts = time.monotonic() - began
    outcomes = set()
    for instant in rng.uniform(0.2, 1.2, KILLS) * lasts:
        if before is not None:
            out.write_bytes(before)
        process = start("smooth", long_table, "-c", "x", "-y", "-o", out, stdin=subprocess.DEVNULL)
        time.sleep(instant)
        process.kill()
        process.communicate()
        found = out.read_bytes() if out.exists() else None
        assert found in (before, whole)
        outcomes.add(found == whole)
        for name in tmp_path.iterdir():
            name.unlink()
    assert outcomes


def test_a_killed_run_leaves_a_state_that_loads(tmp_path, rng):
    table, state = tmp_path / "table.csv", tmp_path / "state"
    table.write_text("x\n" + "".join(f"{k}\n" for k in range(1000)))
    began = time.monotonic()
    arguments = ("smooth", table, "-c", "x", "-w", "uniform:500", "--state", state)
    assert run(*arguments).returncode == 0
    lasts = time.monotonic() - began
    rows = 1000
    for instant in rng.uniform(0.3, 1.2, KILLS) * lasts:
        process = start(*arguments, stdin=subprocess.DEVNULL)
        time.sleep(instant)
        process.kill()
        process.communicate()
        _, arrays = saved.load(state)
        now = int(next(value for name, value in arrays.items() if name.endswith("/rows")))
        assert now in (rows, rows + 1000)  # the state before this run, or the one after it
        rows = now
    assert run(*arguments).returncode == 0


def test_a_named_pipe_is_answered_and_stopped_like_any(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start("smooth", pipe, "-c", "x", "-w", "uniform:2")
    with open(pipe, "wb", buffering=0) as file:
        file.write(b"x\n1\n3\n")
        assert answer(process, 8) == b"x\n1\n2.0\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143 and time.monotonic() - began < 1.5
    assert process.communicate() == (b"", b"")


def test_the_names_of_standard_output():
    for name in ("-", "/dev/stdout", "/proc/self/fd/1"):
        assert (
            run("smooth", "-", "-c", "x", "-w", "uniform:1", "-o", name, data=TABLE.encode()).stdout == TABLE.encode()
        )


def test_standard_input_may_be_a_file_or_closed(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(TABLE)
    with open(path, "rb") as file:
        result = subprocess.run([*COMMAND, "smooth", "-c", "x", "-w", "uniform:1"], stdin=file, capture_output=True)
    assert (result.returncode, result.stdout) == (0, TABLE.encode())
    result = subprocess.run(["bash", "-c", f"{subprocess.list2cmdline(COMMAND)} smooth -c x <&-"], capture_output=True)
    assert result.returncode == 1 and result.stderr.count(b"\n") == 1


# Memory

PEAK = """
import sys
import termios
from sigconv_cli.main import main
try:
    main()
finally:
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    """The same table twice: 10 MiB of it, and 70 MiB."""
    paths = [tmp_path_factory.mktemp("growing") / name for name in ("short.csv", "long.csv")]
    for path, count in zip(paths, (800_000, 5_000_000), strict=True):
        with open(path, "w") as file:
            file.write("t,x\n")
            file.writelines(f"{k},{k % 1000 / 8}\n" for k in range(count))
    return paths


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc")
@pytest.mark.parametrize(
    ("args", "most"),  # MiB between the two; all samples of the longer one would be 120
    [
        (["smooth", "-c", "x", "-w", "uniform:1s", "-t", "t", "-o", "/dev/null"], 40),
        (["smooth", "-c", "x", "--suffix", "_s", "-o", "/dev/null"], 40),
        (["info"], 40),
        (["plot", "-y", "-c", "x", "-o", "p.png"], 90),  # its many small arrays scatter what the allocator keeps
    ],
    ids=["smooth", "smooth --suffix", "info", "plot"],
)
def test_memory_does_not_grow_with_the_file(tmp_path, growing, args, most):
    peaks = []
    for path in growing:
        command = [sys.executable, "-c", PEAK, *args, path]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
        assert result.returncode == 0, result.stderr
        peaks.append(int(result.stderr.split()[-1]) / 1024)
    assert peaks[1] - peaks[0] < most, peaks
