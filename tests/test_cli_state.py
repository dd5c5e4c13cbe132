"""Streams that go on: states that are kept between runs, and files that are followed as they grow."""

import os
import signal
import subprocess
import time
import zipfile

import numpy as np
import pytest
from commands import answer, run, smooth, start, until
from hypothesis import given
from hypothesis import strategies as st

from sigconv.errors import SigconvError
from sigconv.io import saved
from sigconv.io.telemetry import Layout, Rewriter, TelemetryError
from sigconv.io.traces import Watcher

HEADER = "t,x\n"
WINDOWS = ["-w", "median:5", "-w", "exponential:span=8", "-w", "uniform:3s", "--max-gap", "30s"]


def rows(first, last):
    return "".join(f"{k},{(k * 7919) % 101 / 8}\n" for k in range(first, last))


# States


@pytest.mark.parametrize("cut", [0, 1, 4, 57, 100])
def test_two_runs_with_a_state_are_one(tmp_path, cut):
    state = tmp_path / "state"
    args = ["-c", "x", "-t", "t", *WINDOWS, "--state", state]
    first = smooth(HEADER + rows(0, cut), *args)
    second = smooth(HEADER + rows(cut, 100), *args)
    whole = smooth(HEADER + rows(0, 100), *args[:-2])
    assert first[1:] == second[1:] == whole[1:] == ("", 0)
    assert first[0] + second[0].removeprefix(HEADER) == whole[0]


def test_a_state_goes_from_file_to_file(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.csv").write_text(HEADER + rows(20 * k, 20 * k + 20))
    state = tmp_path / "state"
    for k in range(3):
        out = tmp_path / f"out{k}.csv"
        assert smooth("", tmp_path / f"{k}.csv", "-c", "x", "--state", state, "-o", out) == ("", "", 0)
    found = "".join((tmp_path / f"out{k}.csv").read_text().removeprefix(HEADER) for k in range(3))
    assert HEADER + found == smooth(HEADER + rows(0, 60), "-c", "x")[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["-c", "x", "-w", "uniform:5"], "saved with --window uniform:3, not with --window uniform:5"),
        (["-c", "2", "-w", "uniform:3"], "saved with --column x, not with --column 2"),
        (["-c", "x", "-w", "uniform:3", "--min-samples", "2"], "saved with --min-samples 1, not with --min-samples 2"),
        (["-c", "x", "-w", "uniform:3", "-t", "t"], "saved without --time, not with --time t"),
        (["-c", "x", "-w", "uniform:3", "--no-header"], "saved without --header, not with --header no"),
    ],
)
def test_a_state_of_other_options_is_refused(tmp_path, changed, message):
    state = tmp_path / "state"
    smooth(HEADER + rows(0, 9), "-c", "x", "-w", "uniform:3", "--state", state)
    before = state.read_bytes()
    assert smooth(HEADER + rows(9, 20), *changed, "--state", state) == ("", f"sigconv: {state}: {message}\n", 1)
    assert state.read_bytes() == before


def test_a_damaged_state_is_refused(tmp_path, rng):
    state = tmp_path / "state"
    smooth(HEADER + rows(0, 9), "-c", "x", "--state", state)
    good = state.read_bytes()
    with zipfile.ZipFile(state) as archive:
        inside = [slice(info.header_offset + 150, info.header_offset + 158) for info in archive.infolist()]
    damaged = [good[:n] for n in (0, 1, len(good) // 2, len(good) - 1)] + [b"x" * 100, b"\x93NUMPY\x01\x00"]
    for part in inside:
        broken = bytearray(good)
        broken[part] = bytes(255 - byte for byte in broken[part])
        damaged.append(bytes(broken))
    message = f"sigconv: {state}: not a state that sigconv saved, or damaged\n"
    refused = 0
    for data in damaged:
        state.write_bytes(data)
        out, notes, code = smooth(HEADER + rows(9, 20), "-c", "x", "--state", state)
        refused += (out, notes, code) == ("", message, 1)
        assert notes.count("\n") == code
    assert refused == len(damaged)


def test_a_state_never_runs_code(tmp_path):
    state = tmp_path / "state"
    np.savez(state.open("wb"), notes=np.array([print], dtype=object))
    with pytest.raises(SigconvError, match="not a state that sigconv saved, or damaged"):
        saved.load(str(state))


def test_a_state_that_cannot_be_saved_is_said_at_once(tmp_path):
    out = tmp_path / "out.csv"
    assert smooth(HEADER, "-c", "x", "-o", out, "--state", tmp_path / "no" / "state")[1:] == (
        f"sigconv: {tmp_path / 'no' / 'state'}: No such file or directory\n",
        1,
    )
    assert not out.exists()


def test_an_error_leaves_the_former_state(tmp_path):
    state = tmp_path / "state"
    args = ["-c", "x", "-t", "t", "--state", state]
    smooth(HEADER + rows(0, 9), *args)
    before = state.read_bytes()
    assert smooth(HEADER + rows(10, 20) + "3,1\n", *args)[2] == 1
    assert state.read_bytes() == before and sorted(os.listdir(tmp_path)) == ["state"]


_leaves = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text("ab\u00b5 ", max_size=4)
_trees = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.recursive(
        _leaves, lambda inner: st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, min_size=1), max_leaves=9
    ),
)


@given(_trees)
def test_trees_survive(tree):
    assert saved.nest(saved.flatten(tree)) == tree


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_what_has_been_answered(tmp_path, number):
    state = tmp_path / "state"
    args = ["smooth", "-", "-c", "x", "-t", "t", *WINDOWS, "--state", state]
    whole = smooth(HEADER + rows(0, 40), *args[2:-2])[0]
    process = start(*args)
    process.stdin.write((HEADER + rows(0, 20) + "20,0.5").encode())
    process.stdin.flush()
    head = whole[: len(HEADER) + sum(len(line) + 1 for line in whole.splitlines()[1:21])].encode()
    assert answer(process, len(head)) == head
    process.send_signal(number)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 128 + number
    rest = run(*args, data=(HEADER + rows(20, 40)).encode())
    assert head + rest.stdout.removeprefix(HEADER.encode()) == whole.encode()


def test_a_signal_saves_no_state_of_an_output_that_is_gone(tmp_path):
    state, out = tmp_path / "state", tmp_path / "out.csv"
    process = start("smooth", "-", "-c", "x", "--state", state, "-o", out)
    process.stdin.write((HEADER + rows(0, 20)).encode())
    process.stdin.flush()
    until(lambda: any(tmp_path.glob(".out.csv.*")))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143 and os.listdir(tmp_path) == []


def test_a_pipe_saves_its_state_from_time_to_time(tmp_path):
    state = tmp_path / "state"
    process = start("smooth", "-", "-c", "x", "--state", state)
    process.stdin.write((HEADER + rows(0, 20)).encode())
    process.stdin.flush()
    until(state.exists)
    process.kill()
    head = process.communicate(timeout=60)[0]
    rest = run("smooth", "-", "-c", "x", "--state", state, data=(HEADER + rows(20, 40)).encode()).stdout
    assert (head + rest.removeprefix(HEADER.encode())).decode() == smooth(HEADER + rows(0, 40), "-c", "x")[0]


# Following


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


def follow(path, *args, **options):
    return start("smooth", "--follow", path, "-c", "x", "-w", "uniform:3", *args, stdin=subprocess.DEVNULL, **options)


def finish(process, number=signal.SIGINT):
    process.send_signal(number)
    rest, notes = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    return rest, notes


def expected(text):
    return smooth(text, "-c", "x", "-w", "uniform:3")[0].encode()


def test_a_file_is_followed_row_by_row(tmp_path):
    path = tmp_path / "log.csv"
    append(path, HEADER + rows(0, 3) + "3,")
    process = follow(path)
    first = expected(HEADER + rows(0, 3))
    assert answer(process, len(first)) == first
    append(path, rows(3, 4).removeprefix("3,"))
    append(path, rows(4, 6))
    whole = expected(HEADER + rows(0, 6))
    assert first + answer(process, len(whole) - len(first)) == whole
    append(path, "6,")
    assert finish(process) == (b"", b"")


@pytest.mark.parametrize("unended", [False, True])
def test_rotation_and_truncation(tmp_path, unended):
    path = tmp_path / "log.csv"
    append(path, HEADER + rows(0, 5))
    process = follow(path)
    answer(process, len(expected(HEADER + rows(0, 5))))
    append(path, rows(5, 7).removesuffix("\n") if unended else rows(5, 7))
    path.rename(tmp_path / "log.csv.1")
    time.sleep(0.3)
    append(tmp_path / "log.csv.1", "" if unended else rows(7, 8))
    last = 7 if unended else 8
    append(path, HEADER + rows(last, 12))
    whole = expected(HEADER + rows(0, last) + HEADER + rows(last, 12))
    begun = expected(HEADER + rows(0, 5))
    assert begun + answer(process, len(whole) - len(begun)) == whole
    os.truncate(path, 0)
    time.sleep(0.5)
    append(path, HEADER + rows(12, 14))
    more = expected(HEADER + rows(0, last) + HEADER + rows(last, 12) + HEADER + rows(12, 14))
    assert whole + answer(process, len(more) - len(whole)) == more
    rest, notes = finish(process, signal.SIGTERM)
    assert rest == b"" and b"2 repeated headers" in notes


def test_following_goes_on_where_it_was(tmp_path):
    path, state, out = tmp_path / "log.csv", tmp_path / "state", tmp_path / "out.csv"
    append(path, HEADER + rows(0, 5) + "5,0")
    for last in (5, 12, 20):
        process = follow(path, "--state", state, "-o", out)
        if last > 5:
            append(path, rows(last - 7, last).removeprefix("5,0") if last == 12 else rows(last - 8, last))
        whole = expected(HEADER + rows(0, last))
        until(lambda whole=whole: out.exists() and out.read_bytes() == whole)
        finish(process)
    assert out.read_bytes() == expected(HEADER + rows(0, 20))


@pytest.mark.parametrize("begun", ["\ufeff", "\ufefft,", "\ufefft,x", "\ufefft,x\n", '\ufefft,x\n0,1\n"1\n'])
def test_following_goes_on_wherever_it_was_stopped(tmp_path, begun):
    path, state, out = tmp_path / "log.csv", tmp_path / "state", tmp_path / "out.csv"
    whole = '\ufefft,x\n0,1\n"1\n.5",3\n2,5\n'
    append(path, begun)
    process = follow(path, "--state", state, "-o", out)
    until(out.exists)
    time.sleep(0.3)
    finish(process)
    append(path, whole.removeprefix(begun))
    process = follow(path, "--state", state, "-o", out)
    until(lambda: out.read_bytes() == expected(whole.encode()))
    finish(process)


def test_following_goes_on_after_a_kill_without_losing_or_doubling_a_row(tmp_path, rng):
    path, state, out = tmp_path / "log.csv", tmp_path / "state", tmp_path / "out.csv"
    append(path, HEADER + rows(0, 5))
    process = follow(path, "--state", state, "-o", out)
    until(state.exists)
    for last in range(10, 40, 5):  # rows that the state does not know of
        append(path, rows(last - 5, last))
    whole = expected(HEADER + rows(0, 35))
    until(lambda: out.read_bytes() == whole)
    process.kill()
    process.communicate()
    append(path, rows(35, 40))
    process = follow(path, "--state", state, "-o", out)
    whole = expected(HEADER + rows(0, 40))
    until(lambda: out.read_bytes() == whole)
    finish(process)


def test_following_a_new_file_after_a_rotation_that_nobody_saw(tmp_path):
    path, state = tmp_path / "log.csv", tmp_path / "state"
    append(path, HEADER + rows(0, 5))
    process = follow(path, "--state", state)
    first = answer(process, len(expected(HEADER + rows(0, 5))))
    finish(process)
    path.rename(tmp_path / "old")
    append(path, HEADER + rows(5, 9))
    process = follow(path, "--state", state)
    whole = expected(HEADER + rows(0, 9))
    size = len(whole) - len(first) + len(HEADER)
    assert first + answer(process, size).removeprefix(HEADER.encode()) == whole
    finish(process)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--follow"], "--follow needs a FILE; a pipe is followed anyway (see sigconv smooth --help)"),
        (["--follow", "x.csv", "--plot", "x.png"], "--plot draws what has an end, and --follow has none (see"),
        (["--follow", "x.csv", "y.csv"], "--follow goes with one FILE, not with 2 (see"),
    ],
)
def test_what_cannot_be_followed(args, message):
    _, notes, code = smooth(HEADER, *args)
    assert notes.startswith(f"sigconv: {message}") and code == 2


def test_an_output_of_following_is_not_overwritten_unless_asked(tmp_path):
    path, out = tmp_path / "log.csv", tmp_path / "out.csv"
    append(path, HEADER + rows(0, 5))
    append(out, "mine")
    assert smooth("", "-f", path, "-c", "x", "-o", out) == ("", f"sigconv: {out} exists; -y overwrites it\n", 1)
    assert smooth("", "-f", path, "-c", "x", "-y", "-o", path) == ("", f"sigconv: {path} is the input itself\n", 1)
    process = follow(path, "-y", "-o", out)
    until(lambda: out.read_bytes() == expected(HEADER + rows(0, 5)))
    finish(process)


# What was settled before holds on


def two_runs(tmp_path, first, second, *args):
    """Outputs and notes of two runs that share a state."""
    state = tmp_path / "state"
    return [smooth(text, *args, "--state", state) for text in (first, second)]


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        # Only the first day tells day from month.
        ("t,x\n30/04/2024 23:59:59,1\n", "t,x\n01/05/2024 00:00:01,5\n", "t,x\n01/05/2024 00:00:01,3.0\n"),
        # Milliseconds by their size.
        ("t,x\n1700000000000,1\n", "t,x\n1700000002000,5\n", "t,x\n1700000002000,3.0\n"),
        # A decimal comma that the second day does not show: 1.5 is no number there.
        ("t;x\n0;1,5\n", "t;x\n1;1.5\n2;3\n", "t;x\n1;1.5\n2;2,25\n"),
        # A delimiter that a single row would not tell.
        ("t;x;n\n0;1;a,b\n", "t;x;n\n1;3;a,b,c,d\n", "t;x;n\n1;2.0;a,b,c,d\n"),
        # Times of day go on where they were.
        ("t,x\n23:59:59,1\n", "t,x\n00:00:01,5\n", "t,x\n00:00:01,3.0\n"),
        # Units that nothing below them tells from data.
        ("t,x\ns,mV\n0,1\n", "t,x\ns,mV\n1,NA\n2,5\n", "t,x\ns,mV\n1,NA\n2,3.0\n"),
        # Titles that are other ones today, and columns that have changed places.
        ("log 7\nt,x\n0,1\n", "log 8\nday 2\nmore\nx,t\n5,2\n", "log 8\nday 2\nmore\nx,t\n3.0,2\n"),
        # A file that has no units today does not lose a row to them.
        ("t,x\ns,mV\n0,1\n", "t,x\n1,5\n", "t,x\n1,3.0\n"),
    ],
)
def test_how_a_table_is_written_is_settled_once(tmp_path, first, second, whole):
    args = ["-c", "x", "-t", "t", "-w", "uniform:3", "-w", "uniform:1ms", "-q"]
    begun, rest = two_runs(tmp_path, first, second, *args)
    assert begun[1:] == ("", 0) and rest == (whole, "", 0)


def test_the_column_of_numbers_is_settled_once(tmp_path):
    runs = two_runs(tmp_path, "a,b\nu,1\n", "a,b\n2,3\n", "-w", "uniform:2")
    assert runs == [("a,b\nu,1\n", "", 0), ("a,b\n2,2.0\n", "", 0)]


def test_columns_that_are_gone_are_refused(tmp_path):
    args = ["-c", "[xy]", "-w", "uniform:2"]
    state = tmp_path / "state"
    _, (out, notes, code) = two_runs(tmp_path, "t,x\n0,1\n", "t,x,y\n0,1,2\n", *args)
    told = "sigconv: standard input: the saved state is of the columns 'x', not of 'x', 'y'\n"
    assert (out, notes, code) == ("", told, 1) and state.exists()


def test_following_settles_once_too(tmp_path):
    path, state, out = tmp_path / "log.csv", tmp_path / "state", tmp_path / "out.csv"
    append(path, "log 7\n\nt,x\ns,mV\n30/04/2024 23:59:59,1\n")
    process = follow(path, "-t", "t", "-w", "uniform:1s", "--state", state, "-o", out)
    until(lambda: out.exists() and out.read_bytes() == path.read_bytes())
    finish(process)
    append(path, "01/05/2024 00:00:01,\n01/05/2024 00:00:02,5\n")
    process = follow(path, "-t", "t", "-w", "uniform:1s", "--state", state, "-o", out)
    until(lambda: out.read_bytes() == path.read_bytes().replace(b"02,5\n", b"02,3.0\n"))
    finish(process)


def kept(*args):
    """A good state, of a timed table with keys."""
    rewriter = Rewriter(lambda n: Watcher(Passing(), n), Layout(columns=["x"], time=["t"], keys=["k"], **dict(args)))
    for _ in rewriter.feed(b"t;x;k\n23:59:59;1,5;a\n00:00:01;2;b\n"):
        pass
    return rewriter.state()


class Passing:
    """A filter that does nothing and remembers that."""

    def __call__(self, values, times):
        return values

    def state(self):
        return {"done": np.array(1)}

    def restore(self, state):
        if int(state["done"]) != 1:
            raise ValueError("not done")


def taken_up(state):
    """The error of a run that goes on from a state."""
    rewriter = Rewriter(lambda n: Watcher(Passing(), n), Layout(columns=["x"], time=["t"], keys=["k"]))
    try:
        rewriter.restore(state)
        for _ in rewriter.feed(b"t;x;k\n00:00:02;2;b\n"):
            pass
    except (ValueError, TelemetryError) as error:
        return str(error)
    return ""


@given(st.data())
def test_no_entry_of_a_state_is_trusted(data):
    state = kept()
    assert taken_up(state) == ""
    name = data.draw(st.sampled_from(sorted(state)))
    array = state[name]
    ways = {
        "gone": None,
        "foreign": np.array(["x"]),
        "empty": array[:0] if array.ndim else np.array([]),
        "longer": np.append(array, array) if array.size else np.zeros(3, array.dtype),
        "flat": array.astype(np.float64) if array.dtype != np.float64 else array.astype(str),
        "negative": -1 - array.astype(np.int64) if array.dtype.kind in "iu" else array,
        "huge": array.astype(np.int64) + 2**62 if array.dtype.kind in "iu" else array,
    }
    way = data.draw(st.sampled_from(sorted(ways)))
    broken = {other: value for other, value in state.items() if other != name}
    if way != "gone":
        broken[name] = ways[way]
    told = taken_up(broken)
    assert "\n" not in told
    harmless = name in ("latest", "newest", "held") or name.startswith(("course", "filter"))
    assert told or harmless or np.array_equal(broken.get(name), array), (name, way)


def test_a_state_of_another_version_is_refused():
    assert taken_up({**kept(), "version": np.array(1)}) == "the state is of another version"
    assert taken_up({}) == "the state is of another version"
