"""``--reorder``: rows that come late take their places, as if they had come in time."""

import itertools
import signal

import numpy as np
import pytest
from commands import PROBE, answer, smooth, start
from hypothesis import given
from hypothesis import strategies as st

from sigconv.io.telemetry import Layout, Rewriter, TelemetryError
from sigconv.io.traces import Watcher

SECOND = 10**9
LATE = ["-c", "x", "-t", "t", "-w", "uniform:2", "--reorder"]


class Sums:
    """A filter whose every answer depends on all rows before it, and on their times."""

    def __init__(self, channels):
        self.total = np.zeros(channels)

    def __call__(self, values, times):
        out = np.empty_like(values)
        for k, (row, time) in enumerate(zip(np.nan_to_num(values), times.astype(np.int64), strict=True)):
            self.total = self.total / 2 + row + time % 7919
            out[k] = self.total
        return out

    def state(self):
        return {"total": self.total.copy()}

    def restore(self, state):
        self.total = state["total"].copy()


def written(rewriter, pieces):
    """What comes out, and the error if there is one."""
    out = []
    try:
        for part in itertools.chain(*map(rewriter.feed, pieces), rewriter.close()):
            out.append(bytes(part))
    except TelemetryError as error:
        return b"".join(out), str(error)
    return b"".join(out), ""


def pieces_of(data, cuts):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def shuffled(times, late, rng):
    """An order in which no row comes later than ``late`` after a newer one; those of one time keep theirs."""
    return sorted(range(len(times)), key=lambda k: (times[k] + rng.uniform(0, late), k)) if late else range(len(times))


_steps = st.lists(st.integers(1, 30), min_size=1, max_size=40)
_followers = st.sampled_from([b"", b"", b"", b"#c\n", b"\n", b"9\n", b"late,1,a\n", b'# "\n\n'])


@given(
    steps=_steps,
    late=st.integers(1, 100),
    seed=st.randoms(use_true_random=False),
    after=st.lists(_followers, min_size=40, max_size=40),
    end=st.sampled_from([b"\n", b"\r\n"]),
    closed=st.booleans(),
    keys=st.booleans(),
    suffix=st.sampled_from(["", "_s"]),
    cuts=st.lists(st.integers(0, 600), max_size=8),
)
def test_a_shuffled_table_is_answered_as_the_ordered_one(steps, late, seed, after, end, closed, keys, suffix, cuts):
    times = list(itertools.accumulate(steps))
    rows = [
        b'%d,%d,"%s"\n' % (time, time * 37 % 11, b"a\nb" if time % 3 else b"b") + more
        for time, more in zip(times, after, strict=False)
    ]
    rows = [row.replace(b"\n", end) for row in rows]
    head = b"# log\nt,x,k\n".replace(b"\n", end)
    by_time = head + b"".join(rows)
    order = shuffled(times, late, seed)
    mixed = head + b"".join(rows[k] for k in order)
    if not (closed or by_time.endswith(2 * end) or mixed.endswith(2 * end)):
        by_time, mixed = by_time.removesuffix(end), mixed.removesuffix(end)
    form = dict(delimiter=b",", decimal=b".", header=True, comment=b"#", time_unit="s")
    layout = Layout(columns=["x"], time=["t"], keys=["k"] if keys else [], suffix=suffix, **form)
    expected = written(Rewriter(Sums, layout), [by_time])
    assert not expected[1]
    layout = Layout(columns=["x"], time=["t"], keys=["k"] if keys else [], suffix=suffix, reorder=late * SECOND, **form)
    found = Rewriter(Sums, layout)
    assert written(found, pieces_of(mixed, cuts)) == expected
    assert b"".join(Rewriter(Sums, layout).rewrite(pieces_of(mixed, cuts))) == expected[0]


@given(
    steps=st.lists(st.integers(-30, 40), min_size=1, max_size=40),
    late=st.integers(1, 40),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_cuts_change_nothing_where_rows_come_too_late(steps, late, cuts):
    times = list(itertools.accumulate(steps, initial=1000))
    data = b"t,x\n" + b"".join(b"%d,%d\n" % (time, k) for k, time in enumerate(times))
    layout = Layout(columns=["x"], time=["t"], time_unit="s", reorder=late * SECOND)
    out, error = whole = written(Rewriter(Sums, layout), [data])
    assert written(Rewriter(Sums, layout), pieces_of(data, cuts)) == whole
    newest = list(itertools.accumulate(times, max))
    wrong = next((k for k, time in enumerate(times) if time < newest[k] - late), None)
    if wrong is None:
        assert not error and out.count(b"\n") == len(times) + 1
    else:
        told = f"line {wrong + 2}: time goes back from '{newest[wrong]}' to '{times[wrong]}' (--reorder "
        assert error.startswith(told)
        assert [int(line.split(b",")[0]) for line in out.splitlines()[1:]] == sorted(times[:wrong])


@given(steps=_steps, late=st.integers(1, 60), seed=st.randoms(use_true_random=False), cut=st.integers(0, 400))
def test_a_state_keeps_the_rows_that_wait(steps, late, seed, cut):
    times = list(itertools.accumulate(steps))
    rows = [b"%d,%d\n" % (times[k], k) for k in shuffled(times, late, seed)]
    layout = Layout(columns=["x"], time=["t"], time_unit="s", reorder=late * SECOND)
    cut = min(cut, len(rows))
    whole = written(Rewriter(Sums, layout), [b"t,x\n", *rows])
    first = Rewriter(Sums, layout)
    begun = b"".join(bytes(part) for piece in [b"t,x\n", *rows[:cut]] for part in first.feed(piece))
    again = Rewriter(Sums, layout)
    again.restore(first.state())
    rest = written(again, [b"t,x\n", *rows[cut:]])
    assert (begun + rest[0][len(b"t,x\n") if begun else 0 :], rest[1]) == whole


def test_an_order_of_arrival_is_that_of_equal_times():
    assert smooth("t,x\n1,1\n2,5\n1,2\n2,6\n1,3\n", "-c", "x", "-w", "uniform:1", "-t", "t", "--reorder", "1s") == (
        "t,x\n1,1\n1,2\n1,3\n2,5\n2,6\n",
        "",
        0,
    )


def test_an_error_names_a_duration_that_suffices():
    text = "t,x\n0,1\n4000,2\n700,3\n5000,4\n"
    out, notes, code = smooth(text, "-c", "x", "-t", "t", "-w", "uniform:1")
    told = "line 4: time goes back from '4000' to '700' (--reorder 1h puts late rows in order)"
    assert (out, notes, code) == ("t,x\n0,1\n4000,2\n", f"sigconv: standard input: {told}\n", 1)
    assert smooth(text, *LATE, "54min")[1] == f"sigconv: standard input: {told}\n"
    assert smooth(text, *LATE, "1h") == ("t,x\n0,1\n700,2.0\n4000,2.5\n5000,3.0\n", "", 0)


def test_a_late_row_of_one_series_counts_what_all_have_reached():
    text = "k,t,x\na,1,1\nb,900,2\na,2,3\na,1,4\n"
    notes = smooth(text, "-c", "x", "-t", "t", "--by", "k")[1]
    assert "from '2' to '1' (--reorder 20min puts late rows in order)" in notes
    assert smooth(text, "-c", "x", "-t", "t", "--by", "k", "-w", "uniform:1", "--reorder", "20min")[0] == (
        "k,t,x\na,1,1\na,1,4\na,2,3\nb,900,2\n"
    )


@pytest.mark.parametrize(
    ("times", "args", "why"),
    [
        ("10:00:00 10:00:01", [], "a time of day without a date says no day"),
        (
            "2024-03-01T10:00 2024-03-01T10:01",
            ["--time-zone", "Europe/Zurich"],
            "in Europe/Zurich an hour of autumn comes twice",
        ),
    ],
)
def test_times_that_only_their_order_settles_are_refused(times, args, why):
    text = "t,x\n" + "".join(f"{time},1\n" for time in times.split())
    told = f"sigconv: standard input: column 't': --reorder needs times that are complete in themselves; {why}\n"
    assert smooth(text, *LATE, "5s", *args) == ("", told, 1)


def test_what_is_no_duration_and_a_table_without_times():
    assert smooth("t,x\n", *LATE, "5")[1:] == (
        "sigconv: reorder: the duration '5' has no unit; write '5s' (see sigconv smooth --help)\n",
        2,
    )
    notes = smooth("a,x\nu,1\n", "-c", "x", "--reorder", "5s")[1]
    assert notes.startswith("sigconv: standard input: --reorder is a duration, and no column is called time")


def test_the_column_of_times_is_looked_for():
    assert smooth("time,x\n1,1\n0,2\n", "-c", "x", "-w", "uniform:1", "--reorder", "1s")[0] == "time,x\n0,2\n1,1\n"


def test_strict_writes_what_came_before_in_order():
    out, notes, code = smooth("t,x\n1,1\n0,2\n3,odd\n2,4\n", *LATE, "5s", "--strict")
    assert (out, code) == ("t,x\n0,2\n1,1.5\n", 1) and "line 4: 'odd' in column 'x' is no number" in notes


def test_reports_name_the_lines_of_the_input():
    notes = smooth("t,x\n9,1\n8,odd\n7,2\n", *LATE, "5s")[1]
    assert "1 cell that is no number (first: 'odd' in column 'x', line 3)" in notes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", ["pipe", "follow"])
def test_a_signal_writes_the_rows_that_wait(tmp_path, number, how):
    text = b"t,x\n0,1\n9,1\n4,1\n8,1"
    path = tmp_path / "log.csv"
    path.write_bytes(text)
    process = start("smooth", *(["-f", path] if how == "follow" else ["-"]), *LATE, "6s")
    if how == "pipe":
        process.stdin.write(text)
        process.stdin.flush()
    assert answer(process, 8) == b"t,x\n0,1\n"
    process.send_signal(number)
    assert process.communicate(timeout=60) == (b"4,1\n9,1\n", b"")
    assert process.returncode == 128 + number


def test_a_row_too_long_stays_behind_the_one_it_followed(monkeypatch):
    monkeypatch.setattr("sigconv.io.rows.ROW_LIMIT", 20)
    data = b"t,x\n5,1\n3,2\n" + b"z" * 50 + b"\n4,3\n" + b"y" * 30
    layout = Layout(columns=["x"], time=["t"], time_unit="s", comment=b"", reorder=5 * SECOND)
    expected = b"t,x\n3,2\n" + b"z" * 50 + b"\n4,3\n" + b"y" * 30 + b"\n5,1"
    for cuts in ([], range(0, 110, 7)):
        assert written(Rewriter(lambda n: Watcher(None, n), layout), pieces_of(data, cuts)) == (expected, "")


def test_many_rows_wait_in_bounded_memory_and_time(rng):
    times = np.arange(20_000) + rng.integers(0, 5000, 20_000)
    rows = [b"%d,%d\n" % (time, k) for k, time in enumerate(times.tolist())]
    layout = Layout(columns=["x"], time=["t"], time_unit="s", reorder=5000 * SECOND)
    rewriter = Rewriter(lambda n: Watcher(None, n), layout)
    out, error = written(rewriter, [b"t,x\n", *(b"".join(rows[k : k + 10]) for k in range(0, len(rows), 10))])
    assert not error
    assert out == b"t,x\n" + b"".join(rows[k] for k in np.argsort(times, kind="stable").tolist())


def test_the_sample_in_its_order_stays_as_it_is():
    args = [PROBE, "-c", "x", "-t", "time", "-w", "gaussian:sigma=2s"]
    assert smooth("", *args, "--reorder", "1min") == smooth("", *args)
