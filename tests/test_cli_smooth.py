"""``sigconv smooth``, option by option, as a user meets them."""

import os
import pty
import subprocess

import numpy as np
import pytest
from commands import COMMAND, PROBE, REAL, ROOT, run, smooth

import sigconv as sc

TABLE = "time,x,y\n0,1,10\n1,2,20\n2,6,60\n"
HALF = ["-w", "uniform:2"]
PNG = b"\x89PNG"


def lines(text, *args):
    out, notes, code = smooth(text, *args)
    assert (notes, code) == ("", 0)
    return out.splitlines()


# Times


@pytest.mark.parametrize(
    ("times", "args"),
    [
        (["0", "1", "3"], []),
        (["1700000000", "1700000001", "1700000003"], []),
        (["1700000000000", "1700000001000", "1700000003000"], []),
        (["1700000000000000", "1700000001000000", "1700000003000000"], []),
        (["1700000000000000000", "1700000001000000000", "1700000003000000000"], []),
        (["5000", "6000", "8000"], ["--time-unit", "ms"]),
        (["2024-05-01T10:00:00Z", "2024-05-01T10:00:01Z", "2024-05-01T10:00:03Z"], []),
        (["2024-05-01 10:00:00.5", "2024-05-01 10:00:01.5", "2024-05-01 10:00:03.5"], []),
        (["01/05/2024 10:00:00", "01/05/2024 10:00:01", "01/05/2024 10:00:03"], ["--time-format", "%d/%m/%Y %H:%M:%S"]),
        (["23:59:59", "00:00:00", "00:00:02"], []),
        (["2024-03-31 01:59:59", "2024-03-31 03:00:00", "2024-03-31 03:00:02"], ["--time-zone", "Europe/Zurich"]),
    ],
)
def test_times_however_they_are_written(times, args):
    values = [1.0, 5.0, 8.0]
    text = "time,x\n" + "".join(f"{t},{v}\n" for t, v in zip(times, values, strict=True))
    seconds = np.array([0, 1, 3], "timedelta64[s]") + np.datetime64("2024-05-01", "ns")
    expected = sc.smooth(np.array(values), "exponential:tau=2s", times=seconds)
    found = lines(text, "-c", "x", "-t", "time", "-w", "exponential:tau=2s", *args)
    assert [float(line.split(",")[1]) for line in found[1:]] == list(expected)


def test_date_and_time_in_two_columns():
    text = "day;clock;x\n10/03/2004;18.00.00;1,5\n10/03/2004;19.00.00;2,5\n11/03/2004;00.00.00;7\n"
    args = ["-c", "x", "-t", "day", "-t", "clock", "--time-format", "%d/%m/%Y %H.%M.%S", "-w", "uniform:2h"]
    assert lines(text, *args) == text.replace("2,5\n", "2,0\n").splitlines()


def test_more_than_two_time_columns_are_refused():
    notes = smooth(TABLE, "-c", "x", "-t", "time", "-t", "x", "-t", "y")[1]
    assert notes.startswith("sigconv: Invalid value for '-t' / '--time': give one column, or two: date and time (see")


def test_a_decimal_comma_and_a_semicolon_are_found():
    path = REAL / "uci_airquality_eu_format.csv"
    if not path.exists():
        pytest.skip(f"no real recordings in {REAL.parent}")
    found = run("smooth", path, "-c", "T", "--na", "-200", *HALF)
    told = run("smooth", path, "-c", "T", "--na", "-200", *HALF, "-d", ";", "--decimal", ",")
    assert found.returncode == told.returncode == 0 and found.stdout == told.stdout != path.read_bytes()


# Columns, keys, cells


def test_series_apart_by_key():
    text = "id,x\na,1\nb,10\na,3\nb,30\na,5\n"
    assert lines(text, "-c", "x", "--by", "id", *HALF) == ["id,x", "a,1", "b,10", "a,2.0", "b,20.0", "a,4.0"]


def test_series_apart_by_two_keys():
    text = "id,k,x\na,1,1\na,2,10\na,1,3\na,2,30\n"
    found = lines(text, "-c", "x", "--by", "id", "--by", "k", *HALF)
    assert found == ["id,k,x", "a,1,1", "a,2,10", "a,1,2.0", "a,2,20.0"]


def test_a_misspelled_column_gets_a_suggestion():
    assert smooth("time,temp\n0,1\n", "-c", "tmep") == (
        "",
        "sigconv: standard input: no column 'tmep'; did you mean 'temp'?\n",
        1,
    )


def test_new_columns():
    assert lines(TABLE, "-c", "x", "-c", "y", "--suffix", "_smooth", *HALF) == [
        "time,x,y,x_smooth,y_smooth",
        "0,1,10,1.0,10.0",
        "1,2,20,1.5,15.0",
        "2,6,60,4.0,40.0",
    ]


def test_decimals():
    assert lines("x\n1\n2\n4\n", "-w", "uniform:3", "--decimals", "2") == ["x", "1", "1.50", "2.33"]


def test_missing_tokens():
    assert lines("x\n1\n-200\nbad\n3\n", "--na", "-200, bad", *HALF) == ["x", "1", "-200", "bad", "3"]
    assert lines("x\n1\n-200\nbad\n3\n", "--na", "-200", "--na", "bad", *HALF) == ["x", "1", "-200", "bad", "3"]


def test_comments():
    assert lines("x\n1\n! pause\n3\n", "--comment", "!", *HALF) == ["x", "1", "! pause", "2.0"]


def test_strict():
    out, notes, code = smooth("t,x\n0,1\n1,ground\n2,3\n", "-c", "x", "--strict", *HALF)
    assert (out, code) == ("t,x\n0,1\n", 1)
    assert notes.startswith("sigconv: standard input: line 3: ") and "'ground'" in notes


@pytest.mark.parametrize("name", ["tab", "\\t", "\t"])
def test_names_of_the_tabulator(name):
    assert lines("t\tx\n0\t1\n1\t3\n", "-d", name, "-c", "x", *HALF) == ["t\tx", "0\t1", "1\t2.0"]


def test_more_than_a_block(tmp_path, rng, monkeypatch):
    monkeypatch.setattr("sigconv.io.files.BLOCK", 1 << 16)
    path = tmp_path / "long.csv"
    values = rng.normal(size=100_000).round(6)
    path.write_text("x\n" + "".join(f"{value}\n" for value in values.tolist()))
    found = lines("", path, "-w", "exponential:span=50")
    np.testing.assert_array_equal(np.array(found[1:], float), sc.smooth(values, "exponential:span=50"))


# Several files


@pytest.fixture
def logs(tmp_path, rng):
    folder = tmp_path / "logs"
    folder.mkdir()
    for k in range(5):
        values = rng.normal(size=200).round(3).tolist()
        (folder / f"{k}.csv").write_text("t,x\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    return folder


@pytest.mark.parametrize("jobs", [[], ["-j", "1"], ["-j", "3"]])
def test_several_files_into_a_folder(logs, tmp_path, jobs):
    out = tmp_path / "out"
    files = sorted(logs.iterdir())
    assert smooth("", *files, "-c", "x", *jobs, "-o", f"{out}/") == ("", "", 0)
    for path in files:
        assert (out / path.name).read_text() == smooth("", path, "-c", "x")[0]
    assert len(os.listdir(out)) == len(files)


def test_one_bad_file_does_not_stop_the_others(logs, tmp_path):
    (logs / "2.csv").write_text("t,y\n0,1\n")
    (logs / "3.csv").unlink()
    out = tmp_path / "out"
    out.mkdir()
    _, notes, code = smooth("", *(logs / f"{k}.csv" for k in range(5)), "-c", "x", "-o", out)
    assert code == 1
    assert notes == (
        f"sigconv: {logs}/2.csv: no column 'x'; there are 't', 'y'\nsigconv: {logs}/3.csv: No such file or directory\n"
    )
    assert sorted(os.listdir(out)) == ["0.csv", "1.csv", "4.csv"]


def test_a_folder_takes_one_file_too(logs, tmp_path):
    smooth("", logs / "0.csv", "-c", "x", "-o", tmp_path)
    assert (tmp_path / "0.csv").read_text() == smooth("", logs / "0.csv", "-c", "x")[0]


def test_folders_that_would_lose_something(logs, tmp_path):
    files = sorted(logs.iterdir())
    before = [path.read_bytes() for path in files]
    _, notes, code = smooth("", *files, "-c", "x", "-o", logs)
    assert (notes, code) == (f"sigconv: {logs}/0.csv is the input itself; -y replaces it\n", 1)
    assert [path.read_bytes() for path in files] == before
    twin = tmp_path / "twin"
    twin.mkdir()
    (twin / "0.csv").write_text(TABLE)
    _, notes, code = smooth("", files[0], twin / "0.csv", "-c", "x", "-o", f"{tmp_path}/out/")
    assert code == 1 and "would both be written to" in notes and notes.count("\n") == 1
    _, notes, code = smooth("", files[0], files[1], twin / "0.csv", "-y", "-c", "x", "-o", f"{tmp_path}/out/")
    assert code == 1 and "would both be written to" in notes
    _, notes, code = smooth("", files[1], twin / "0.csv", files[0], "-y", "-c", "x", "-o", f"{twin}/")
    assert code == 1 and notes.count("\n") == 1
    assert (twin / "0.csv").read_text() == TABLE
    smooth("", *files, "-c", "x", "-w", "uniform:1", "-y", "-o", logs)
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "several files need a folder that takes them, and none is given: -o FOLDER/"),
        (["-o", "out.csv"], "several files need a folder that takes them, and out.csv is none: -o FOLDER/"),
        (["--plot", "x.png"], "--plot goes with one FILE, not with 2"),
        (["--state", "x"], "--state goes with one FILE, not with 2"),
        (["-j", "0", "-o", "x/"], "Invalid value for '-j' / '--jobs': 0 is not in the range x>=1"),
    ],
)
def test_what_several_files_need(args, message):
    _, notes, code = smooth("", PROBE, ROOT / "pyproject.toml", "-c", "x", *args)
    assert notes.startswith(f"sigconv: {message} (see sigconv smooth --help)") and code == 2


def test_standard_input_has_no_name_in_a_folder(tmp_path):
    message = "standard input has no name to be written under: give -o FILE (see sigconv smooth --help)"
    assert smooth(TABLE, "-c", "x", "-o", tmp_path)[1:] == (f"sigconv: {message}\n", 2)


# Pictures, words


@pytest.mark.parametrize(("ending", "start"), [("png", PNG), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", PNG)])
def test_before_and_after(tmp_path, ending, start):
    picture = tmp_path / f"p.{ending}"
    args = [PROBE, "-c", "x", "-c", "depth", "-t", "time", "-w", "gaussian:sigma=2s"]
    assert smooth("", *args, "--plot", picture) == smooth("", *args)
    assert picture.read_bytes().startswith(start)


def test_a_picture_by_rows_and_keys(tmp_path):
    picture = tmp_path / "p.svg"
    text = "id,a $x$,b\n" + "".join(f"{'uvw'[k % 3]},{k},{-k}\n" for k in range(60))
    assert smooth(text, "-c", "2", "-c", "3", "--by", "id", "--plot", picture)[1:] == ("", 0)
    assert picture.exists()
    assert smooth("", "-c", "x", "--plot", tmp_path / "none.png")[1].endswith("none.png: nothing to draw\n")


def test_a_picture_that_cannot_be_drawn_is_said_before_anything_is_read(tmp_path):
    (tmp_path / "p.png").write_text("mine")
    for name, message in [
        ("p.jpeg", "a picture's name ends in .png, .svg or .pdf"),
        ("p", "a picture's name ends in .png, .svg or .pdf"),
        ("p.png", "exists; -y overwrites it"),
    ]:
        out, notes, code = smooth("", "nowhere.csv", "-c", "x", "--plot", tmp_path / name)
        assert (out, code) == ("", 1) and notes.startswith(f"sigconv: {tmp_path / name}") and message in notes


def test_verbose():
    notes = smooth(TABLE, "-c", "y", "-v")[1]
    assert notes.startswith("sigconv: standard input: columns 'y' (3 of 3); delimiter ','; decimal '.'; ")


def on_a_terminal(*args, **environment):
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    shell = f"(cat {PROBE}; sleep 1.4; tail -n 1 {PROBE}) | {subprocess.list2cmdline([*COMMAND, 'smooth', *args])}"
    process = subprocess.Popen(
        ["bash", "-c", shell], stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | environment
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 1000):
            shown += piece
    except OSError:  # as Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return shown.decode()


def test_progress_is_shown_on_a_terminal_after_a_second():
    shown = on_a_terminal("-", "-c", "x")
    assert "MB/s" in shown and "\x1b[2m" in shown and shown.endswith("\r")
    assert "\x1b" not in on_a_terminal("-", "-c", "x", NO_COLOR="1")
    assert on_a_terminal("-", "-c", "x", "-q") == ""


def test_beside_the_file_missing_values_get_the_estimate():
    text = "t,x\n0,1\n1,NA\n2,4\n3,\n4,\n"
    found = lines(text, "-c", "x", "-w", "uniform:2", "--suffix", "_s")
    assert found == ["t,x,x_s", "0,1,1.0", "1,NA,1.0", "2,4,4.0", "3,,4.0", "4,,"]
    assert lines(text, "-c", "x", "-w", "uniform:2") == text.splitlines()
    chain = lines(text, "-c", "x", "-w", "uniform:2", "-w", "uniform:2", "--suffix", "_s")
    assert chain == ["t,x,x_s", "0,1,1.0", "1,NA,1.0", "2,4,4.0", "3,,4.0", "4,,"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "a", "--state", "a"], "--state a is the output"),
        (["-o", "a.png", "--plot", "a.png", "-y"], "--plot a.png is the output"),
        (["--plot", "table.svg", "table.svg", "-y"], "--plot table.svg is an input"),
        (["--state", "b.svg", "--plot", "b.svg"], "--plot b.svg is the file of --state"),
    ],
)
def test_one_file_cannot_be_two_things(tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.svg").write_text(TABLE)
    _, notes, code = smooth(TABLE, "-c", "x", *args)
    assert message in notes and code == 2
    assert (tmp_path / "table.svg").read_text() == TABLE and len(list(tmp_path.iterdir())) == 1


def test_a_state_of_many_keys_is_taken_up_quickly(tmp_path):
    text = "k,x\n" + "".join(f"k{k},{k}\n" for k in range(1500))
    state = tmp_path / "state"
    for expected in ("k7,7", "k7,7"):
        assert lines(text, "-c", "x", "--by", "k", "-w", "uniform:3", "--state", state)[8] == expected
