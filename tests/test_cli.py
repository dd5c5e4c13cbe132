"""The command line and the files that go through it: every byte but the smoothed ones stays, whatever the input."""

import csv
import io
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from commands import COMMAND, PROBE, REAL, ROOT, run, smooth
from sigconv_cli.main import COMMANDS, cli

import sigconv as sc
from sigconv import config
from sigconv.io.images import Picture, write
from sigconv.io.timestamps import to_ns

UNTIMED = "a,x,y\nr,1,10\ns,2,20\nt,6,60\n"
NEEDS_TIMES = "standard input: a window or --max-gap is a duration, and no column is called time or holds dates; name"
TABLE = "time,x,y\n0,1,10\n1,2,20\n2,6,60\n"


# Values


def test_values_are_those_of_smooth_bit_for_bit():
    with open(PROBE, newline="") as file:
        rows = list(csv.DictReader(file))
    time = np.array([to_ns(row["time"].encode()) for row in rows])
    x = np.array(
        [[float(row[name]) if row[name] not in ("", "NA") else np.nan for name in ("x", "depth")] for row in rows]
    )
    out, notes, code = smooth("", PROBE, "-c", "x", "-c", "depth", "-t", "time", "-w", "gaussian:sigma=2s")
    expected = sc.smooth(x, "gaussian:sigma=2s", times=time.view("datetime64[ns]"), axis=0, nan_policy="keep")
    found = [[float(row[name] or "nan") for name in ("x", "depth")] for row in csv.DictReader(io.StringIO(out))]
    np.testing.assert_array_equal(np.array(found), expected)
    assert (notes, code) == ("", 0)


def test_real_recording_on_the_shortest_way():
    path = REAL / "imu_xio_sensor_data.csv"
    if not path.exists():
        pytest.skip(f"no real recordings in {REAL.parent}")
    result = run("smooth", path, "-c", "2", "-w", "exponential:span=9")
    before, after = (
        np.genfromtxt(io.BytesIO(data), delimiter=",", skip_header=1) for data in (path.read_bytes(), result.stdout)
    )
    np.testing.assert_array_equal(after[:, 1], sc.smooth(before[:, 1], "exponential:span=9"))
    np.testing.assert_array_equal(np.delete(after, 1, axis=1), np.delete(before, 1, axis=1))
    assert (result.returncode, result.stderr) == (0, b"")


def test_windows_apply_in_order_as_if_piped():
    together = smooth("", PROBE, "-c", "depth", "-w", "median:5", "-w", "exponential:span=8")[0]
    first = smooth("", PROBE, "-c", "depth", "-w", "median:5")[0]
    assert together == smooth(first, "-c", "depth", "-w", "exponential:span=8")[0]
    assert together != smooth("", PROBE, "-c", "depth", "-w", "exponential:span=8", "-w", "median:5")[0]


def test_the_only_numeric_column_and_the_default_window():
    table = TABLE.replace(",y", ",name").replace(",10", ",a").replace(",20", ",b").replace(",60", ",c")
    out = smooth(table)[0]
    expected = sc.smooth(np.array([1.0, 2.0, 6.0]), "exponential:span=10")
    assert [float(row["x"]) for row in csv.DictReader(io.StringIO(out))] == list(expected)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-w", "uniform:2"], "1,1.5,4.0"),
        (["-w", "1,1"], "1,1.5,4.0"),
        (["-w", "median:3"], "1,1.5,2.0"),
        (["-w", "uniform:2s", "-t", "time"], "1,1.5,4.0"),
        (["-w", "uniform:2ms", "-t", "time", "--time-unit", "ms"], "1,1.5,4.0"),
        (["-w", "uniform:2", "--initial", "zero"], "0.5,1.5,4.0"),
        (["-w", "uniform:2", "--initial", "nan"], "nan,1.5,4.0"),
        (["-w", "uniform:3", "--min-samples", "3"], "nan,nan,3.0"),
        (["-w", "uniform:9", "-t", "1", "--max-gap", "500ms"], "1,2,6"),
    ],
)
def test_options_reach_the_filter(args, expected):
    out = smooth(TABLE, "-c", "x", *args)[0]
    assert ",".join(line.split(",")[1] for line in out.splitlines()[1:]) == expected


def test_angles():
    out = smooth("a\n359\n1\n", "-w", "uniform:2", "--period", "360")[0].split()
    assert min(float(out[2]), 360 - float(out[2])) < 1e-9


def test_weights_from_a_file(tmp_path):
    (tmp_path / "w.csv").write_text("0.5,\n0.5\n")
    assert smooth(TABLE, "-c", "x", "-w", f"@{tmp_path / 'w.csv'}") == smooth(TABLE, "-c", "x", "-w", "0.5,0.5")


# Bytes


def test_a_window_of_one_reproduces_the_sample():
    assert run("smooth", PROBE, "-c", "*", "-w", "uniform:1", "-q").stdout == PROBE.read_bytes()


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("adsb_readsb_ac671b.csv", ["-c", "alt_baro_ft", "-c", "gs_kt", "-t", "t_unix"]),
        ("gps_around_visnjan.csv", ["-c", "lat", "-c", "ele", "-t", "time"]),
        ("imu_xio_sensor_data.csv", ["-c", "*", "-t", "Time (s)"]),
        ("nab_machine_temperature_system_failure.csv", []),
        ("nyc_weather_2013.csv", ["-c", "temp", "-c", "wind_*"]),
        ("pv_snow_inverters.csv", ["-c", "POA [W/m²]", "-c", "INV1*"]),
        ("uci_airquality_eu_format.csv", ["-d", ";", "-c", "*"]),
    ],
)
def test_a_window_of_one_reproduces_real_recordings(name, args):
    if not (REAL / name).exists():
        pytest.skip(f"no real recordings in {REAL.parent}")
    result = run("smooth", REAL / name, *args, "-w", "uniform:1")
    assert result.returncode == 0
    assert result.stdout == (REAL / name).read_bytes()


def test_file_pipe_and_any_cut_of_the_pipe_are_the_same(tmp_path, rng):
    args = ["-c", "x", "-c", "heading", "-t", "time", "-w", "gaussian:sigma=500ms"]
    data = PROBE.read_bytes()
    whole = run("smooth", PROBE, *args).stdout
    assert run("smooth", "-", *args, data=data).stdout == whole
    with open(tmp_path / "out.csv", "wb") as out:
        process = subprocess.Popen([*COMMAND, "smooth", *args], stdin=subprocess.PIPE, stdout=out)
        for piece in np.split(np.frombuffer(data, np.uint8), np.sort(rng.integers(0, len(data), 40))):
            process.stdin.write(piece.tobytes())
            process.stdin.flush()
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert (tmp_path / "out.csv").read_bytes() == whole


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('x,"a, b"\n1,"5, 6"\n3,"7\n8"\n', 'x,"a, b"\n1,"5, 6"\n2.0,"7\n8"\n'),
        ('"x"\n"1"\n" 3 "\n', '"x"\n"1"\n" 2.0 "\n'),
        ("x\r\n1\r\n3\r\n", "x\r\n1\r\n2.0\r\n"),
        ("x,a\n1,z\n3,z", "x,a\n1,z\n2.0,z"),
        ("x\n1\n\n3\n", "x\n1\n\n2.0\n"),
        ("\ufeffx\n1\n3\n", "\ufeffx\n1\n2.0\n"),
        ("\nx\n1\n3\n", "\nx\n1\n2.0\n"),
        ("x\n1\nNA\n3\n", "x\n1\nNA\n3\n"),
        ("x\n1.50\n1.5\n", "x\n1.50\n1.5\n"),
        ("x\n-0\n1e-5\n", "x\n-0\n5e-6\n"),
        ('"say ""x"""\n1\n3\n', '"say ""x"""\n1\n2.0\n'),
        ("", ""),
        ("x", "x"),
        ("x\n", "x\n"),
        ("x,y\n", "x,y\n"),
        ("\n\n", "\n\n"),
    ],
)
def test_what_stays_and_what_changes(before, after):
    wanted = ["-c", "1"] if "1" in before else []
    assert smooth(before.encode(), "-w", "uniform:2", *wanted)[::2] == (after, 0)


def test_other_delimiters_and_no_header():
    assert smooth("t\tx\n0\t1\n1\t3\n", "-d", "tab", "-c", "x", "-w", "uniform:2")[0] == "t\tx\n0\t1\n1\t2.0\n"
    assert smooth("1;1\n2;3\n", "-d", ";", "--no-header", "-c", "2", "-w", "uniform:2")[0] == "1;1\n2;2.0\n"
    assert smooth("1\n3\n", "-w", "uniform:2") == ("1\n2.0\n", "", 0)
    assert "1 header of nothing but numbers (first: line 1)" in smooth("1\n3\n", "--header", "-w", "uniform:2")[1]


def test_what_is_no_number_passes_and_is_counted():
    table = "t,x,y\n0,1,1\n1,ground,2\n2,3\n3,low,4\nsoon,5,6\n"
    out, notes, code = smooth(table, "-c", "x", "-c", "y", "-t", "t", "-w", "uniform:3")
    assert out == "t,x,y\n0,1,1\n1,ground,1.5\n2,3\n3,low,2.3333333333333335\nsoon,5,6\n"
    assert code == 0
    assert notes == (
        "sigconv: standard input: passed through unchanged: 2 cells that are no numbers (first: 'ground' in column "
        "'x', line 3); 1 row with too few cells (first: line 4); 1 row without a readable time (first: line 6)\n"
    )
    assert smooth(table, "-c", "x", "-c", "y", "-t", "t", "-w", "uniform:3", "-q")[:2] == (out, "")


def test_times_of_another_unit_are_refused_with_a_hint():
    _, notes, code = smooth("t,x\n1700000000000,1\n", "-c", "x", "-t", "t", "--time-unit", "s")
    assert code == 1
    assert notes == (
        "sigconv: standard input: column 't': '1700000000000' is out of range as a time in s; is it in ms or us or "
        "ns?\n"
    )


# Errors: one line, the right exit code


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["-c", "z"], 1, "standard input: no column 'z'; there are 'time', 'x', 'y'"),
        (["-c", "time", "-t", "time"], 1, "standard input: column 'time' is the time column; choose another"),
        ([], 1, "standard input: several columns hold numbers; choose with -c from 'x', 'y'"),
        (["-c", "x", "-w", "unform:3"], 2, "window 'unform:3': unknown window 'unform'; did you mean 'uniform'? (see"),
        (["-c", "x", "--measure", "hold"], 2, "measure='hold' weighs by time: the window exponential:span=10 needs"),
        (["-c", "x", "--initial", "last"], 2, "Invalid value for '--initial': 'last' is not one of"),
        (
            ["-c", "x", "-d", ";;"],
            2,
            "Invalid value for '-d' / '--delimiter': ';;' must be one ASCII character, or tab",
        ),
        (["-c", "x", "--qqqqqqqq"], 2, "No such option '--qqqqqqqq' (see sigconv smooth --help)"),
        (["nowhere.csv"], 1, "nowhere.csv: No such file or directory"),
        ([ROOT], 1, f"{ROOT}: Is a directory"),
        (["-c", "x", "-o", "nowhere/out.csv"], 1, "nowhere/out.csv: No such file or directory"),
        (["-c", "x", "-w", "@nowhere.csv"], 1, "nowhere.csv: No such file or directory"),
    ],
)
def test_errors(args, code, message):
    out, notes, found = smooth(TABLE, *args)
    assert notes.startswith(f"sigconv: {message}") and notes.count("\n") == 1
    assert (out, found) == ("", code)


@pytest.mark.parametrize("duration", [["-w", "uniform:2s"], ["-w", "hampel:2s"], ["--max-gap", "5s"]])
def test_durations_find_their_times_or_say_so(duration):
    assert smooth(TABLE, "-c", "x", *duration) == smooth(TABLE, "-c", "x", "-t", "time", *duration)
    out, notes, code = smooth(UNTIMED, "-c", "x", *duration)
    assert notes.startswith(f"sigconv: {NEEDS_TIMES}") and (out, code) == ("", 1)


def test_a_file_that_is_no_text():
    assert smooth("x\n1\n".encode("utf-16"), "-c", "x")[1:] == (
        "sigconv: standard input: line 1: not a text in UTF-8, it holds zero bytes\n",
        1,
    )


def test_unknown_command_and_no_command():
    runner = CliRunner()
    assert runner.invoke(cli, ["smoth"]).stderr.startswith("sigconv: No such command 'smoth'")
    assert runner.invoke(cli, []).exit_code == 2


# Start-up, help, the other commands


def modules_after(*args):
    code = (
        "import sys\nfrom sigconv_cli.main import main\ntry:\n    main()\nexcept SystemExit as end:\n"
        "    assert not end.code, end.code\nprint(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True, timeout=120, text=True)
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in result.stderr.split()}


def test_help_imports_click_only():
    for args in (["--help"], ["smooth", "--help"], *([name, "--help"] for name in COMMANDS)):
        assert modules_after(*args).isdisjoint({"numpy", "sigconv", "numba", "scipy", "matplotlib", "orjson"})


def test_smoothing_imports_no_heavy_package(tmp_path):
    if not config.describe()["cache writable"]:
        pytest.skip("without a cache, kernels are compiled anew and numba is needed")
    args = ["smooth", PROBE, "-c", "x", "-t", "time", "-w", "gaussian:sigma=2s", "-q", "-o", "/dev/null"]
    modules_after(*args)  # fills the cache
    assert modules_after(*args).isdisjoint({"numba", "scipy", "matplotlib", "pandas"})


DECODERS = {
    "png": "imagecodecs",
    "tif": "imagecodecs",
    "jpg": "PIL imagecodecs",
    "bmp": "PIL",
    "webp": "PIL",
    "pgm": "",
}


@pytest.mark.parametrize("kind", DECODERS)
def test_images_import_only_what_their_format_and_kernel_need(kind, tmp_path):
    if not config.describe()["cache writable"]:
        pytest.skip("without a cache, kernels are compiled anew and numba is needed")
    source, target = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    write(Picture([np.zeros((40, 50, 3), np.uint8)], "pnm", "rgb"), source)
    args = ["image", source, "-k", "gaussian:sigma=2", "-k", "sobel", "-k", "median:3", "-o", target, "-y"]
    modules_after(*args)  # fills the cache
    found = modules_after(*args)
    heavy = {"numba", "scipy", "matplotlib", "pandas", "tifffile", "imagecodecs", "PIL"}
    assert found & heavy <= set(DECODERS[kind].split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_listed_help_and_an_example(name):
    text = CliRunner().invoke(cli, [name, "-h"]).stdout
    assert COMMANDS[name] in text
    assert f"sigconv {name}" in text.partition("Example")[2]


def test_version():
    assert run("--version").stdout.decode() == f"sigconv {sc.__version__}\n"


def test_window(tmp_path):
    runner = CliRunner()
    text = runner.invoke(cli, ["window", "linear:4"]).stdout
    assert "delay:      1 samples" in text and "noise gain: 0.3" in text and "\n  0.4\n  0.3\n  0.2\n  0.1\n" in text
    assert len(runner.invoke(cli, ["window", "exponential:span=1000"]).stdout.splitlines()) < 20
    drawing = tmp_path / "w.png"
    assert runner.invoke(cli, ["window", "gaussian:sigma=2s", "--plot", str(drawing)]).exit_code == 0
    assert drawing.read_bytes().startswith(b"\x89PNG")
    assert "exists; -y overwrites it" in runner.invoke(cli, ["window", "uniform:3", "--plot", str(drawing)]).stderr
    assert runner.invoke(cli, ["window", "unform:3"]).exit_code == 2


def test_doctor(monkeypatch):
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0 and "self-test:" in result.stdout and result.stdout.endswith(" ok\n")
    monkeypatch.setattr(sc, "smooth", lambda x, window: x)
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 1 and "failed, " in result.stdout
