"""The clock of a table: how times are written, told from the first cells, and what the order of rows settles."""

import csv
import datetime as dt
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sigconv.io.clock import Clock, Unsettled
from sigconv.io.timestamps import DAY, layouts_of

LOGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "telemetry"
EPOCH = dt.datetime(1970, 1, 1)


def to_ns(moment):
    return (moment - EPOCH) // dt.timedelta(microseconds=1) * 1000


def cells(*texts):
    return [(text.encode(),) for text in texts]


def read_one(text, samples=(), **known):
    clock = Clock.of([*cells(*samples), *cells(text)], **known)
    ns, ok = clock.read(cells(text))
    assert ok.all()
    return int(ns[0])


def settle(clock, *texts):
    ns, ok = clock.read(cells(*texts))
    assert ok.all()
    return clock.course().settle(ns).tolist()


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("t_ms", "ms"),
        ("Time (s)", "s"),
        ("time [us]", "us"),
        ("time ns", "ns"),
        ("elapsed/µs", "us"),
        ("uptime_Seconds", "s"),
        ("times", None),
        ("terms", None),
        ("t_unix", None),
    ],
)
def test_unit_in_the_name(name, unit):
    assert Clock.of(cells("0", "5"), name=name).unit == (unit or "s")
    assert Clock.of(cells("0"), name=name, unit="us").unit == "us"


def test_the_first_cell_that_can_be_read_decides():
    clock = Clock.of(cells("", "NA", "soon", "0.5", "2023-12-31"))
    assert clock.kind == "epoch"
    ns, ok = clock.read(cells("1", "", "NA", "2023-12-31", "1_0", "nan", "inf", "2"))
    assert ok.tolist() == [True, *[False] * 6, True]
    assert ns.tolist() == [10**9, *[0] * 6, 2 * 10**9]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["soon", "later"], "column 'when': 'soon' is no time in a known layout; say --time-format"),
        (["31/13/2023"], "column 'when': '31/13/2023' is no time in a known layout; say --time-format"),
        (["99999999999"], "column 'when': '99999999999' is out of range as a time in s; is it in ms or us or ns?"),
        (["1e30"], "column 'when': '1e30' is out of range as a time in ns"),
    ],
)
def test_a_column_that_cannot_be_read_names_itself_and_its_text(texts, message):
    with pytest.raises(ValueError) as caught:
        Clock.of(cells(*texts), name="when")
    assert str(caught.value) == message


@pytest.mark.parametrize("samples", [[], cells("", "NA")])
def test_no_times_yet(samples):
    with pytest.raises(Unsettled, match=f"^column 'when': no time in the first {len(samples)} rows$"):
        Clock.of(samples, name="when")


@pytest.mark.parametrize("mark", ["/", "-"])
def test_day_and_month(mark):
    def written(*texts):
        return [text.replace("/", mark) for text in texts]

    first, last = dt.datetime(2013, 4, 3), dt.datetime(2013, 3, 4)
    assert read_one(*written("3/4/2013"), written("03/04/2013", "soon", "31/01/2013")) == to_ns(first)
    assert read_one(*written("3/4/2013"), written("03/04/2013", "1/31/2013")) == to_ns(last)
    assert read_one(*written("3/4/2013 0:30"), format=f"%m{mark}%d{mark}%Y") == to_ns(last) + 1800 * 10**9
    with pytest.raises(Unsettled) as caught:
        Clock.of(cells(*written("03/04/2013", "05/05/2013")), name="d")
    assert str(caught.value) == "column 'd': cannot tell day from month in {!r}; say --time-format {} or {}".format(
        *written("03/04/2013", "%d/%m/%Y", "%m/%d/%Y")
    )


def test_dates_with_points_are_day_first():
    assert read_one("03.04.2013") == to_ns(dt.datetime(2013, 4, 3))
    assert layouts_of(b"1.13.2013") == []


def test_other_marks_in_a_column_are_no_times():
    _, ok = Clock.of(cells("31/01/2013")).read(cells("03/04/2013", "03-04-2013", "03.04.2013", "2013/04/03"))
    assert ok.tolist() == [True, False, False, False]


def test_date_and_time_in_two_columns():
    rows = [(b"31/12/2023", b"23:59:59.5"), (b'" 31/12/2023"', b' "6:00 PM" '), (b"31/12/2023", b""), (b"", b"10:00")]
    clock = Clock.of(rows)
    ns, ok = clock.read(rows)
    assert clock.kind == "other" and ok.tolist() == [True, True, False, False]
    assert ns[:2].tolist() == [
        to_ns(dt.datetime(2023, 12, 31, 23, 59, 59, 500_000)),
        to_ns(dt.datetime(2023, 12, 31, 18)),
    ]
    assert Clock.of([(b"2023-12-31", b"10:00")]).kind == "other"
    assert Clock.of([(b"20231231", b"1000")]).read([(b"20231231", b"1000")])[0] == to_ns(dt.datetime(2023, 12, 31, 10))


def test_decimal_comma_of_counts():
    clock = Clock.of(cells("0,5"), decimal=b",")
    ns, ok = clock.read(cells("0,25", "0.25", "1,2,3"))
    assert (ns.tolist(), ok.tolist()) == ([25 * 10**7, 25 * 10**7, 0], [True, True, False])
    assert not Clock.of(cells("0.5")).read(cells("0,25"))[1].any()


# What the order of rows settles


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["18.00.00", "23.00.00", "00.00.00", "18.00.00", "17.00.00", "04.00.00"], [0, 0, 1, 1, 1, 2]),
        (["23:59:59.999999999", "0:00:00", "12:00:00", "0:00:00", "23:00"], [0, 1, 1, 1, 1]),
        (["11:59 PM", "12:00 AM"], [0, 1]),
    ],
)
def test_midnight(texts, days):
    clock = Clock.of(cells(*texts))
    ns, _ = clock.read(cells(*texts))
    assert clock.settles
    assert (np.array(settle(clock, *texts)) - ns).tolist() == [day * DAY for day in days]


def test_midnight_by_a_format():
    clock = Clock.of(cells("11-30-00 PM"), format="%I-%M-%S %p")
    assert settle(clock, "11-30-00 PM", "12-30-00 AM") == [DAY - 1800 * 10**9, DAY + 1800 * 10**9]


def test_the_hour_that_comes_twice():
    berlin = Clock.of(cells("2023-10-29 01:59"), zone="Europe/Berlin")
    assert berlin.settles and berlin.kind == "other"
    texts = ["01:59", "02:00", "02:30", "02:30", "02:59", "02:00", "02:30", "03:00"]
    ns = settle(berlin, *[f"2023-10-29 {text}" for text in texts])
    start = to_ns(dt.datetime(2023, 10, 28, 23, 59))
    assert [(each - start) // (60 * 10**9) for each in ns] == [0, 1, 31, 31, 60, 61, 91, 121]


def test_the_hour_that_is_left_out_and_dates_alone():
    berlin = Clock.of(cells("2023-03-26"), zone="Europe/Berlin")
    ns = settle(berlin, "2023-03-26", "2023-03-26 01:59", "2023-03-26 02:30", "2023-03-26 03:45", "2023-03-26 02:10")
    start = to_ns(dt.datetime(2023, 3, 25, 23))
    assert [(each - start) // (60 * 10**9) for each in ns] == [0, 119, 150, 165, 130]


def test_times_with_and_without_zone_do_not_mix_where_one_is_given():
    texts = cells("2023-07-01T12:00", "2023-07-01T12:00Z", "2023-07-01T12:00+01:00")
    assert Clock.of(texts).read(texts)[1].all()
    local = Clock.of(texts, zone="Europe/Berlin")
    assert local.settles and local.read(texts)[1].tolist() == [True, False, False]
    own = Clock.of(texts[1:], zone="Europe/Berlin")
    assert not own.settles and own.read(texts)[1].tolist() == [False, True, True]
    assert own.read(texts)[0][1] == to_ns(dt.datetime(2023, 7, 1, 12))
    assert not Clock.of(cells("5"), zone="Europe/Berlin").settles


@given(
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Monrovia"]
    ),
    start=st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2037, 12, 31)),
    step=st.integers(1, 3 * 3600),
    change=st.booleans(),
    cut=st.integers(0, 40),
)
@example("Africa/Monrovia", dt.datetime(1972, 1, 6, 12), 3000, False, 3)
def test_wall_clock_times_of_even_rows_come_back_as_utc(zone, start, step, change, cut):
    place = ZoneInfo(zone)
    if change:  # near a change of the offset, if there is one within the year
        days = [start.replace(tzinfo=dt.UTC) + dt.timedelta(days=k) for k in range(365)]
        start = next(
            (
                a
                for a, b in pairwise(days)
                if place.utcoffset(a.astimezone(place)) != place.utcoffset(b.astimezone(place))
            ),
            days[0],
        ).replace(tzinfo=None)
    utc = [start + dt.timedelta(seconds=k * step) for k in range(40)]
    walls = [moment.replace(tzinfo=dt.UTC).astimezone(place) for moment in utc]
    # The first row alone cannot tell the second of two equal hours.
    walls = walls[next(k for k, wall in enumerate(walls) if not wall.fold) :] if not all(w.fold for w in walls) else []
    utc = utc[len(utc) - len(walls) :]
    # An hour of which only the second half has rows reads as the first, as it must; so only fine steps are sure.
    if any(wall.fold for wall in walls) and step > 900:
        return
    clock = Clock.of(cells("2020-01-01 00:00:00"), zone=zone)
    ns, ok = clock.read(cells(*[wall.strftime("%Y-%m-%d %H:%M:%S.%f") for wall in walls]))
    course = clock.course()
    first = course.settle(ns[:cut])
    again = clock.course()
    again.restore(course.state())
    assert ok.all() and [*first, *again.settle(ns[cut:])] == [to_ns(moment) for moment in utc]


@given(steps=st.lists(st.integers(0, DAY // 2 - 1), max_size=40), cut=st.integers(0, 40))
def test_times_of_day_come_back_as_elapsed_times(steps, cut):
    elapsed = np.cumsum(np.array([0, *steps], dtype=np.int64))
    clock = Clock.of(cells("00:00:00"))
    texts = [
        f"{ns // 3600 // 10**9:02d}:{ns // 60 // 10**9 % 60:02d}:{ns // 10**9 % 60:02d}.{ns % 10**9:09d}"
        for ns in (elapsed % DAY).tolist()
    ]
    ns, ok = clock.read(cells(*texts))
    course = clock.course()
    first = course.settle(ns[:cut])
    again = clock.course()
    again.restore(course.state())
    assert ok.all() and [*first, *again.settle(ns[cut:])] == elapsed.tolist()


def test_a_course_without_anything_to_settle():
    clock = Clock.of(cells("5"))
    course = clock.course()
    course.restore(course.state())
    assert not clock.settles and course.state() == []
    assert course.settle(np.array([3, 1])).tolist() == [3, 1]


# Real logs


def column(name, at, delimiter=","):
    path = LOGS / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter=delimiter)
    return header[at], cells(*[row[at] for row in rows])


@pytest.mark.parametrize(
    ("name", "at", "kind", "last", "back"),
    [
        ("adsb_readsb_ac671b.csv", 0, "epoch", "2025-02-05T19:54:38.089", 0),
        ("gps_around_visnjan.csv", 2, "iso", "2020-12-18T06:24:24", 0),
        ("imu_xio_sensor_data.csv", 0, "epoch", "1970-01-01T00:02:15.326642", 0),
        ("nab_machine_temperature_system_failure.csv", 0, "iso", "2014-02-19T15:25:00", 1),
        ("nyc_weather_2013.csv", 14, "iso", "2013-12-30T23:00:00", 2),
        ("uci_airquality_eu_format.csv", 0, "other", "1971-01-26T14:00:00", 0),
    ],
)
def test_real_logs(name, at, kind, last, back):
    name, times = column(name, at, ";" if "uci" in name else ",")
    clock = Clock.of(times[:100], name=name)
    ns, ok = clock.read(times)
    ns = clock.course().settle(ns)
    assert (clock.kind, bool(ok.all()), int((np.diff(ns) < 0).sum())) == (kind, True, back)
    assert ns[-1].astype("datetime64[ns]") == np.datetime64(last)


def test_a_real_log_that_does_not_settle_day_and_month():
    name, times = column("pv_snow_inverters.csv", 0)
    with pytest.raises(Unsettled, match="cannot tell day from month in '1/5/2022 0:00'; say --time-format %d/%m/%Y or"):
        Clock.of(times, name=name)
    ns, ok = Clock.of(times, name=name, format="%m/%d/%Y").read(times)
    assert ok.all() and (np.diff(ns) == 900 * 10**9).all()
