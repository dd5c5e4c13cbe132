"""Real logs with the fewest options that each of them needs: what comes out, and what does not change.

The logs stand beside a checkout, never in it.
"""

import csv
import io
import itertools
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
import pytest
from click.testing import CliRunner
from commands import REAL
from sigconv_cli.main import cli

import sigconv as sc

NAB = "nab_machine_temperature_system_failure.csv"


@dataclass(frozen=True)
class Log:
    """A log, the options that it needs, and what a plain reader has to know of it."""

    name: str
    column: str
    options: tuple[str, ...] = ()
    """Nothing but -t, --by and --time-format, in whatever a window asks for."""
    timed: tuple[str, ...] | None = ()
    """Those that times need on top of -t; None where the times are not in order."""
    time: str = ""
    layout: str = ""
    """How strptime reads the times, or "s" for numbers of seconds."""
    key: str | None = None
    delimiter: str = ","
    decimal: str = "."
    patterns: tuple[str, ...] = ("*",)
    """Columns that hold numbers."""
    window: str = "gaussian:sigma=10min"

    def __str__(self):
        return self.name.partition("_")[0]


LOGS = [
    Log("adsb_readsb_ac671b.csv", "alt_baro_ft", (), (), "t_unix", "s", patterns=("*_*", "l*", "mach", "squawk")),
    Log("gps_around_visnjan.csv", "ele", (), (), "time", "%Y-%m-%dT%H:%M:%SZ", window="uniform:30s"),
    Log("imu_xio_sensor_data.csv", "Gyroscope X (deg/s)", (), (), "Time (s)", "s", window="exponential:tau=50ms"),
    Log(NAB, "value", (), None, "timestamp", "%Y-%m-%d %H:%M:%S"),
    Log(
        "nyc_weather_2013.csv", "wind_gust", ("--by", "origin"), (), "time_hour", "%Y-%m-%dT%H:%M:%SZ", key="origin",
        patterns=("[!ot]*", "temp"), window="uniform:6h",
    ),
    Log(
        "pv_snow_inverters.csv", "POA [W/m\u00b2]", (), ("--time-format", "%m/%d/%Y"), "Timestamp", "%m/%d/%Y %H:%M",
        window="exponential:halflife=1h",
    ),
    Log(
        "uci_airquality_eu_format.csv", "CO(GT)", (), (), "Time", "%H.%M.%S", delimiter=";", decimal=",",
        window="uniform:5h",
    ),
]  # fmt: skip
CUTS = [1 << 20, 4096, 1021]  # bytes in a piece of a pipe
EACH = pytest.mark.parametrize("log", LOGS, ids=str)


@pytest.fixture(autouse=True)
def _there():
    if not REAL.exists():
        pytest.skip(f"no real logs in {REAL}")


def command(log, *args, data=None):
    """Bytes and notes of a run over a log or over a pipe, which has to succeed."""
    source = "-" if data is not None else str(REAL / log.name)
    result = CliRunner().invoke(cli, ["smooth", source, *args], input=data)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes, result.stderr


def table(data, log):
    """Header and rows of a log as the csv module reads them."""
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=log.delimiter)
    return header, rows


def number(cell, log):
    """What a cell says as float() reads it; NaN where it says nothing."""
    try:
        return float(cell.replace(log.decimal, "."))
    except ValueError:
        return np.nan


def moments(cells, log):
    """Nanoseconds by the standard library: times of day get the day that their order says."""
    if log.layout == "s":
        return np.array([int(Decimal(cell) * 10**9) for cell in cells], np.int64).astype("datetime64[ns]")
    times = np.array([datetime.strptime(cell, log.layout) for cell in cells], "datetime64[ns]")
    days = np.cumsum(np.diff(times, prepend=times[:1]) < -np.timedelta64(12, "h"))
    return times + np.timedelta64(1, "D") * days if log.layout.startswith("%H") else times


def expected(log, window):
    """The smoothed column by the Python API, each series apart."""
    header, rows = table((REAL / log.name).read_bytes(), log)
    values = np.array([number(row[header.index(log.column)], log) for row in rows])
    times = None
    if window == log.window:
        cells = [row[header.index(log.time)] for row in rows]
        times = moments(cells, log)
    keys = np.array([row[header.index(log.key)] if log.key else "" for row in rows])
    smoothed = np.empty(len(values))
    for key in np.unique(keys):
        mine = keys == key
        smoothed[mine] = sc.smooth(
            values[mine], window, times=None if times is None else times[mine], nan_policy="keep"
        )
    return values, smoothed


def compare(log, out, window):
    """Every other field byte for byte, the smoothed ones bit for bit."""
    before = (REAL / log.name).read_bytes()
    (header, old), (header_out, new) = table(before, log), table(out, log)
    at = header.index(log.column)
    assert header_out == header and len(new) == len(old)
    # The logs quote nothing, so that splitting lines shows the bytes of each field, line ends with the last one.
    fields = [[line.split(log.delimiter.encode()) for line in re.split(b"(?<=\n)", data)] for data in (before, out)]
    for theirs, ours in zip(*fields, strict=True):
        assert ours[:at] + ours[at + 1 :] == theirs[:at] + theirs[at + 1 :]
    x, y = expected(log, window)
    found = np.array([number(row[at], log) for row in new])
    there = ~np.isnan(x)
    assert np.array_equal(found[there], y[there]) and np.isnan(found[~there]).all()
    assert [b[at] for b, gone in zip(new, there, strict=True) if not gone] == [
        a[at] for a, gone in zip(old, there, strict=True) if not gone
    ]
    assert (found[there] != x[there]).mean() > 0.1, "hardly anything was smoothed"


@EACH
def test_a_window_by_samples(log):
    out, _ = command(log, "-c", log.column, "-w", "exponential:span=10", *log.options)
    compare(log, out, "exponential:span=10")


@pytest.mark.parametrize("log", [log for log in LOGS if log.timed is not None], ids=str)
@pytest.mark.parametrize("named", [True, False])
def test_a_window_by_time(log, named):
    time = ["-t", log.time] if named else []
    out, _ = command(log, "-c", log.column, "-w", log.window, *log.options, *log.timed, *time)
    compare(log, out, log.window)


@EACH
def test_nothing_to_smooth_changes_nothing(log):
    columns = [word for pattern in log.patterns for word in ("-c", pattern)]
    before = (REAL / log.name).read_bytes()
    assert command(log, *columns, *log.options, "-w", "uniform:1")[0] == before
    if log.timed is not None:
        assert command(log, *columns, *log.options, *log.timed, "-t", log.time, "-w", "uniform:1")[0] == before


@EACH
def test_a_pipe_gives_what_a_file_gives(log, monkeypatch):
    args = ["-c", log.column, *log.options, "-w", "exponential:span=10"]
    args += [*log.timed, "-t", log.time, "-w", log.window] if log.timed is not None else []
    data = (REAL / log.name).read_bytes()
    whole = command(log, *args)[0]
    for size in CUTS:
        pieces = [data[k : k + size] for k in range(0, len(data), size)]
        monkeypatch.setattr("sigconv.io.files.read_blocks", lambda *_, ready=None, pieces=pieces: iter(pieces))
        assert command(log, *args, data=b"")[0] == whole


def test_a_clock_that_steps_back_is_refused_and_named():
    log = next(log for log in LOGS if log.name == NAB)
    args = ["smooth", str(REAL / NAB), "-t", "timestamp", "-w", "exponential:span=10"]
    result = CliRunner().invoke(cli, args)
    lines = (REAL / NAB).read_bytes().splitlines(keepends=True)
    stamps = [line.split(b",")[0].decode() for line in lines]
    wrong = next(k for k, (a, b) in enumerate(itertools.pairwise(stamps[1:]), 2) if b < a)
    assert (result.exit_code, result.stderr) == (
        1,
        f"sigconv: {REAL / NAB}: line {wrong + 1}: time goes back from {stamps[wrong - 1]!r} to {stamps[wrong]!r} "
        "(--reorder 1h puts late rows in order)\n",
    )
    whole = command(log, "-w", "exponential:span=10")[0].splitlines(keepends=True)
    assert result.stdout_bytes == b"".join(whole[:wrong])
    ordered = command(log, *args[2:], "--reorder", "1h")[0]
    by_time = b"".join([lines[0], *sorted(lines[1:], key=lambda line: line.split(b",")[0])])
    assert ordered == command(log, *args[2:], data=by_time)[0]


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        (
            "pv_snow_inverters.csv",
            ["-c", "POA*", "-w", "uniform:1h"],
            "column 'Timestamp': cannot tell day from month in '1/5/2022 0:00'; say --time-format %d/%m/%Y or %m/%d/%Y",
        ),
        ("gps_around_visnjan.csv", [], "several columns hold numbers; choose with -c from "),
        (
            "nyc_weather_2013.csv",
            ["-c", "temp", "-w", "uniform:3h"],
            "time goes back from '2013-12-30T23:00:00Z' to '2013-01-01T06:00:00Z' (--reorder ",
        ),
    ],
)
def test_a_log_says_in_one_line_what_it_needs(name, args, told):
    result = CliRunner().invoke(cli, ["smooth", str(REAL / name), *args])
    assert result.exit_code == 1 and told in result.stderr and result.stderr.count("\n") == 1
