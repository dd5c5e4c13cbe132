"""``sigconv plot`` and ``sigconv info``: what a file holds, and what it looks like."""

import csv
import io
import itertools
import json
import math
import statistics

import numpy as np
import pytest
from click.testing import CliRunner
from commands import PROBE, REAL
from hypothesis import given
from hypothesis import strategies as st
from sigconv_cli.main import cli

from sigconv.errors import SigconvError
from sigconv.io import pictures
from sigconv.io.layout import Layout
from sigconv.io.survey import Steps, described, survey
from sigconv.io.traces import Trace, extremes

TABLE = "time,x,name,gap\n0,1,a,\n1,2,b,5\n2,odd,c,\n7,6,d,\n3,NA,e,\n"


def command(*args, data=""):
    result = CliRunner().invoke(cli, [str(arg) for arg in args], input=data)
    return result.stdout, result.stderr, result.exit_code


def info(data, *args):
    out, notes, code = command("info", "--json", *args, data=data)
    assert code == 0, notes
    return json.loads(out)


# Info


def test_what_a_file_holds():
    facts = info(TABLE)
    assert facts["rows"] == 5
    assert {column["name"]: column["kind"] for column in facts["columns"]} == {
        "time": "time",
        "x": "number",
        "name": "text",
        "gap": "number",
    }
    x = facts["columns"][1]
    assert x == dict(name="x", number=2, kind="number", count=3, missing=1, odd=1, min=1, mean=3, max=6)
    assert facts["columns"][3] == dict(
        name="gap", number=4, kind="number", count=1, missing=4, odd=0, min=5, mean=5, max=5
    )
    time = facts["time"]
    assert (time["first"], time["last"]) == ("1970-01-01T00:00:00.000000000", "1970-01-01T00:00:03.000000000")
    assert (time["span"], time["median step"], time["largest gap"], time["steps back"]) == (3, 1, 5, 1)
    assert facts["dialect"]["delimiter"] == "," and facts["passed over"] == {}


def test_the_words_for_people():
    out, notes, code = command("info", data=TABLE + "9,1\n")
    assert (notes, code) == ("sigconv: standard input: passed over: 1 row with too few cells\n", 0)
    assert out.splitlines() == [
        "rows         5",
        "columns      4",
        "written as   delimiter ',', decimal '.'",
        "times        'time', counted in s",
        "from         0 s",
        "to           3 s  (3 s)",
        "median step  1 s",
        "largest gap  5 s",
        "steps back   1",
        "",
        "   name  kind    count  missing  odd  min  mean  max",
        "1  time  time        5        0    0",
        "2  x     number      3        1    1    1     3    6",
        "3  name  text        0        0    5",
        "4  gap   number      1        4    0    5     5    5",
    ]


def test_tables_without_times_without_rows_and_without_anything():
    assert info("a,b\n1,2\n3,4\n")["time"] is None
    assert info("a,b\n")["rows"] == 0
    nothing = info("")
    assert nothing["columns"] == [] and nothing["dialect"] is None
    out, _, code = command("info", data="a,b\nx,y\n")
    assert code == 0 and "1  a     text" in out


def test_tokens_repeated_headers_and_long_rows():
    facts = info("t,x\n0,-200\n1,3\nt,x\n2,4,5\n3,bad\n", "--na", "-200,bad")
    assert facts["columns"][1]["missing"] == 2 and facts["rows"] == 3
    assert facts["passed over"] == {"repeat": 1, "long": 1}


def test_rows_without_a_time():
    facts = info("time,x\n1,1\n,2\nsoon,3\n4,4\n")
    assert {key: facts["columns"][0][key] for key in ("count", "missing", "odd")} == dict(count=2, missing=1, odd=1)
    assert (facts["rows"], facts["passed over"]) == (2, {"time": 2})


def test_info_of_what_is_not_there():
    assert command("info", "nowhere.csv") == ("", "sigconv: nowhere.csv: No such file or directory\n", 1)
    assert command("info", "-t", "tiem", data=TABLE)[1:] == (
        "sigconv: standard input: no column 'tiem'; did you mean 'time'?\n",
        1,
    )


_cells = st.floats(-1e9, 1e9).map(repr) | st.sampled_from(
    ["", "NA", " 7 ", "nan", "no number", "1_0", "inf", '"4"', "+3"]
)


@given(rows=st.lists(st.tuples(_cells, _cells), max_size=30), cuts=st.lists(st.integers(0, 500), max_size=5))
def test_counts_are_those_of_a_plain_reading_wherever_it_is_cut(rows, cuts):
    text = "a;b\n" + "".join(f"{a};{b}\n" for a, b in rows)
    data = text.encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    layout = Layout(delimiter=b";", decimal=b".", header=True, comment=b"")
    seen = survey((data[a:b] for a, b in itertools.pairwise(edges)), layout)
    table = [row for row in csv.reader(io.StringIO(text), delimiter=";")][1:]
    for k, column in enumerate(seen.columns):
        numbers = []
        for cell in (row[k].strip() for row in table):
            if cell not in ("", "NA", "nan", "no number", "1_0"):
                numbers.append(float(cell))
        odd = sum(row[k] in ("no number", "1_0") for row in table)
        finite = [number for number in numbers if math.isfinite(number)]
        assert (column.count, column.odd, column.missing) == (len(numbers), odd, len(table) - len(numbers) - odd)
        if finite:
            assert (column.least, column.greatest) == (min(finite), max(finite))
            assert column.mean == pytest.approx(math.fsum(finite) / len(finite), rel=1e-9, abs=1e-3)


@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=50), st.integers(1, 49))
def test_steps(times, cut):
    steps = Steps()
    steps.add(np.array(times[:cut], np.int64))
    steps.add(np.array(times[cut:], np.int64))
    forward = [b - a for a, b in itertools.pairwise(times) if b >= a]
    assert (steps.first, steps.last) == (times[0], times[-1])
    assert steps.back == len(times) - 1 - len(forward) and steps.largest == max(forward, default=0)
    assert steps.median == (statistics.median_low(forward) if forward else None)


def test_many_different_steps_are_still_told_to_a_thousandth(rng):
    steps = Steps()
    gaps = rng.integers(1, 10**12, 50_000)
    for part in np.array_split(np.cumsum(gaps), 40):
        steps.add(part)
    assert steps.median == pytest.approx(np.median(gaps[1:]), rel=2e-3)
    assert steps.largest == gaps[1:].max()


@pytest.mark.parametrize(
    ("name", "rows", "columns", "back"),
    [
        ("nab_machine_temperature_system_failure.csv", 22695, 2, 1),
        ("imu_xio_sensor_data.csv", 13514, 10, 0),
        ("nyc_weather_2013.csv", 26115, 15, 2),
        ("uci_airquality_eu_format.csv", 9357, 14, 0),
        ("adsb_readsb_ac671b.csv", 2500, 18, 0),
        ("gps_around_visnjan.csv", 104, 6, 0),
    ],
)
def test_real_recordings(name, rows, columns, back):
    if not (REAL / name).exists():
        pytest.skip(f"no real recordings in {REAL.parent}")
    with open(REAL / name, "rb") as file:
        facts = described(survey(iter(lambda: file.read(10_000), b""), Layout()))
    assert (facts["rows"], len(facts["columns"]), facts["time"]["steps back"]) == (rows, columns, back)
    if name.startswith("nyc"):
        assert sum(column["missing"] for column in facts["columns"]) == 23974
    if name.startswith("adsb"):
        assert sum(column["missing"] for column in facts["columns"]) == 16601


# Plot


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures(tmp_path, ending, start):
    out = tmp_path / f"p.{ending}"
    assert command("plot", PROBE, "-c", "x", "-c", "depth", "-t", "time", "-o", out) == ("", "", 0)
    assert out.read_bytes().startswith(start)
    assert command("plot", PROBE, "-c", "x", "-o", out)[1:] == (f"sigconv: {out} exists; -y overwrites it\n", 1)
    assert command("plot", PROBE, "-c", "x", "-o", out, "-y")[2] == 0


def drawn(tmp_path, data, *args):
    """The texts of a picture."""
    out = tmp_path / "p.svg"
    _, notes, code = command("plot", *args, "-o", out, "-y", data=data)
    assert code == 0, notes
    return out.read_text(), notes


def test_the_picture_takes_the_name_of_the_file(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(TABLE)
    assert command("plot", path, "-c", "gap")[::2] == ("", 0)
    assert (tmp_path / "log.png").exists()
    assert command("plot", "-c", "gap", data=TABLE)[1].startswith("sigconv: standard input gives the picture no name")


def test_names_and_units_are_written_on_the_picture(tmp_path):
    text, _ = drawn(tmp_path, "t (ms),a [V],b [V]\n0,1,2\n1,2,3\n", "-t", "1", "-c", "2", "-c", "3")
    for label in ("t (ms)", "a [V]", "b [V]", "V", "standard input"):
        assert f"<!-- {label} -->" in text
    text, _ = drawn(tmp_path, "id,a $x$\nu,1\nv,2\nu,2\n", "-c", "2", "--by", "id")
    for label in ("u", "v", "row"):
        assert f"<!-- {label} -->" in text


@pytest.mark.parametrize(
    ("data", "axis"),
    [
        ("when,time (s),x\n1,0,1\n2,1,2\n", "time (s)"),
        ("date;time;x\n2024-05-01;10:00;1\n2024-05-01;11:00;2\n", "date time"),
        ("a,x\nu,1\nv,2\n", "row"),
        ("start,time,end time,x\n1,1,2,1\n2,2,3,2\n", "row"),  # which of them?
        ("time (s),x\n,1\n5,2\n6,3\n", "time (s)"),
        ("time (s),x\n5,1\n3,2\n6,3\n", "time (s)"),  # a line that goes back shows that
        ("time,x\n3/4/2024,1\n4/4/2024,2\n", "row"),
    ],
)
def test_times_are_found_where_there_is_one_column_of_them(tmp_path, data, axis):
    assert f"<!-- {axis} -->" in drawn(tmp_path, data, "-c", "x")[0]


def test_many_lines_and_what_is_left_out(tmp_path):
    data = "id,x\n" + "".join(f"s{k % 30},{k}\n" for k in range(90)) + "s0,odd\n"
    _, notes = drawn(tmp_path, data, "-c", "x", "--by", "id")
    assert "left out: 1 cell that is no number (first: 'odd' in column 'x', line 92)\n" in notes
    assert notes.endswith("the first 10 of 30 lines are drawn\n")


@pytest.mark.parametrize("data", ["", "a,x\n"])
def test_nothing_to_draw(tmp_path, data):
    out = tmp_path / "p.png"
    _, notes, code = command("plot", "-c", "x", "-o", out, data=data)
    assert code == 1 and notes == "sigconv: standard input: no row of data\n" and not out.exists()


def test_the_kind_of_a_picture_is_checked_before_anything_is_read():
    assert command("plot", "nowhere.csv", "-c", "x", "-o", "p.gif")[1:] == (
        "sigconv: p.gif: a picture's name ends in .png, .svg or .pdf\n",
        1,
    )
    with pytest.raises(SigconvError, match="a picture's name ends"):
        pictures.kind_of("folder.png/p")


@given(
    values=st.lists(st.floats(-5, 5) | st.just(math.nan), max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=6),
    limit=st.sampled_from([8, 20, 64, 1000]),
)
def test_a_trace_keeps_peaks_order_and_its_limit(values, cuts, limit):
    y = np.array(values)
    trace = Trace(limit)
    edges = [0, *sorted(min(cut, len(y)) for cut in cuts), len(y)]
    for a, b in itertools.pairwise(edges):
        trace.add(np.arange(a, b), y[a:b])
    x, found = trace.points()
    assert len(found) <= limit and (np.diff(x) >= 0).all()
    np.testing.assert_array_equal(y[x.astype(int)], found)
    if len(y) < limit:
        np.testing.assert_array_equal(found, y)
    if not np.isnan(y).all():
        assert (np.nanmin(found), np.nanmax(found)) == (np.nanmin(y), np.nanmax(y))


def test_a_long_gap_stays_open():
    y = np.ones(100_000)
    y[40_000:60_000] = np.nan
    trace = Trace(1000)
    trace.add(np.arange(100_000), y)
    x, found = trace.points()
    assert np.isnan(found[(x > 41_000) & (x < 59_000)]).all() and len(found) > 400
    assert extremes(np.arange(4), np.array([np.nan] * 4), 4)[1].tolist() == pytest.approx([math.nan] * 2, nan_ok=True)
