"""Times: text to nanoseconds, exactly, in every layout."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigconv.io.clock import Clock
from sigconv.io.timestamps import LIMIT, is_time, layouts_of

LOGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "telemetry"
EPOCH = dt.datetime(1970, 1, 1)
NOON = dt.datetime(2023, 11, 14, 12, 0)

# The last moment of a day, and how it is written in every layout that is told without help.
WRITTEN = [
    ("2023-12-31 23:59:59", 0),
    ("2023-12-31T23:59:59Z", 0),
    ("2023-12-31T23:59:59.000000001Z", 1),
    ("2023-12-31T23:59:59,5", 500_000_000),
    ("2023-12-31 23:59:59 UTC", 0),
    ("2024-01-01T01:59:59+02:00", 0),
    ("2024-01-01T01:59:59.25+0200", 250_000_000),
    ("2024-01-01T01:59:59+02", 0),
    ("2023-12-31  18:59:59 -05:00", 0),
    ("20231231T235959", 0),
    ("20231231T235959.125Z", 125_000_000),
    ("20231231 23:59:59", 0),
    ("20231231235959", 0),
    ("2023/12/31 23:59:59", 0),
    ("2023.12.31 23:59:59", 0),
    ("31/12/2023 23:59:59", 0),
    ("12/31/2023 23:59:59", 0),
    ("31.12.2023 23:59:59", 0),
    ("31.12.2023 23.59.59,5", 500_000_000),
    ("31-12-2023 23:59:59.5", 500_000_000),
    ("12/31/2023 11:59:59 PM", 0),
    ("12/31/2023 11:59:59.5pm", 500_000_000),
    ('"2023-12-31 23:59:59"', 0),
    ("1704067199", 0),
    ("1704067199.000000001", 1),
    ("1704067199000", 0),
    ("1704067199000.000001", 1),
    ("1704067199000000", 0),
    ("1704067199000000.001", 1),
    ("1704067199000000000", 0),
    ("1.704067199e9", 0),
]


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


@pytest.mark.parametrize(("text", "ns"), WRITTEN)
def test_every_layout_is_told_and_read_exactly(text, ns):
    assert read_one(text) == to_ns(dt.datetime(2023, 12, 31, 23, 59, 59)) + ns


@pytest.mark.parametrize(
    ("text", "kind", "unit"),
    [
        ("1704067199", "epoch", "s"),
        ("0", "epoch", "s"),
        ("9000000000", "epoch", "s"),
        ("100000000000", "epoch", "ms"),
        ("-1704067199000", "epoch", "ms"),
        ("1704067199000000.5", "epoch", "us"),
        ("1704067199000000000", "epoch", "ns"),
        ("2023-12-31", "iso", "s"),
        ("2023-12-31T10:00Z", "iso", "s"),
        ("2023/12/31", "other", "s"),
        ("20231231T10", "none", ""),
        ("20231231T1000", "other", "s"),
        ("10:00", "other", "s"),
    ],
)
def test_kind_and_unit(text, kind, unit):
    if kind == "none":
        with pytest.raises(
            ValueError, match=r"^column 'time': '20231231T10' is no time in a known layout; say --time-f"
        ):
            Clock.of(cells(text))
        return
    clock = Clock.of(cells(text))
    assert (clock.kind, clock.unit) == (kind, unit)


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2023-012-31",
        "2023-12-31T",
        "2023-12-31 24:00",
        "2023-12-31 10:60",
        "2023-12-31 10:00:61",
        "2023-12-31 10:00:5",
        "2023-12-31 10:00.30",
        "2023-12-31 13:00 PM",
        "2023-12-31 0:00 AM",
        "2023-12-31 10:00+24:00",
        "2023-12-31 10:00:00.",
        "2023-12-31 1:30 +01.5",
        "2023/12/31",
        "31.12.2023",
        "1704067199",
        "2262-12-31",
        "x" * 100,
    ],
)
def test_cells_that_are_no_times_are_marked(text):
    ns, ok = Clock.of(cells("2023-12-31")).read(cells(text, "2023-12-31"))
    assert (ok.tolist(), ns[0]) == ([False, True], 0)


# User formats


@pytest.mark.parametrize(
    ("format", "text", "ns"),
    [
        ("%d %b %Y %H:%M:%S", "14 Nov 2023 12:00:00", 0),
        ("%d %b %Y %H:%M:%S", "14 Nov 2023  12:00:00", 0),
        ("%d-%B-%Y %H:%M:%S.%f", "14-November-2023 12:00:00.123456789", 123_456_789),
        ("%y%m%d_%H%M%S_%f", "231114_120000_5", 500_000_000),
        ("%Y%m%d%H%M%S%f", "20231114120000123456789", 123_456_789),
        ("%Y-%m-%dT%H:%M:%S.%f", "2023-11-14T12:00:00.000000001", 1),
        ("%d/%b/%Y:%H:%M:%S %z", "14/Nov/2023:07:30:00 -0430", 0),
        ("%H:%M:%S.%f %d.%m.%Y", "12:00:00.0000001 14.11.2023", 100),
        ("%m/%d/%Y %I:%M:%S %p", "11/14/2023 12:00:00 PM", 0),
        ("%Y-%j %H:%M", "2023-318 12:00", 0),
        ("%%%Y %m %d %H:%M", "%2023 11 14 12:00", 0),
        ("%d/%m/%Y", "14/11/2023 12:00:00.5", 500_000_000),
        ("iso", "2023-11-14T12:00", 0),
        ("iso", "20231114T120000Z", 0),
        ("epoch", "1699963200000", 0),
        ("ms", "1699963200000", 0),
        ("s", "1699963200", 0),
    ],
)
def test_formats(format, text, ns):
    assert read_one(text, format=format) == to_ns(NOON) + ns


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"format": "%Q"}, "unknown or repeated %Q"),
        ({"format": "%Y %Y"}, "unknown or repeated %Y"),
        ({"format": "%Y%"}, "unknown or repeated %;"),
        ({"format": "julian"}, "time format 'julian' names no directive; it is iso, epoch, s, ms, us, ns or"),
        ({"format": "%d/%m"}, "time format '%d/%m' has no year"),
        ({"format": "%d/%m/%Y"}, "column 't': '2023-11-14' does not fit the time format '%d/%m/%Y'"),
        ({"format": "%Y %f"}, "column 't': '2023-11-14' does not fit"),
        ({"format": "epoch"}, "column 't': '2023-11-14' is no number"),
        ({"format": "s", "unit": "ms"}, "time format 's' and time unit 'ms' contradict each other"),
        ({"format": "epoch", "unit": "h"}, "time unit 'h' is not one of s, ms, us, ns"),
        ({"zone": "Mars/Base"}, "time zone 'Mars/Base' is not known; names are like Europe/Berlin"),
        ({"zone": "../x"}, "time zone '../x' is not known"),
        ({"zone": "Europe/Berlin", "format": "%H:%M"}, "a time zone needs dates"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(known, message):
    with pytest.raises(ValueError, match=message) as caught:
        Clock.of(cells("2023-11-14"), name="t", **known)
    assert "\n" not in str(caught.value)


def test_iso_asked_for():
    with pytest.raises(ValueError, match=r"^column 't': '14\.11\.2023' is no time in ISO 8601$"):
        Clock.of(cells("14.11.2023"), name="t", format="iso")


# Round trips


FORMATS = [
    "%Y-%m-%d %H:%M:%S.{f}",
    "%Y-%m-%dT%H:%M:%S.{f}Z",
    "%Y-%m-%dT%H:%M:%S,{f}+00:00",
    "%Y/%m/%d %H:%M:%S.{f}",
    "%Y%m%dT%H%M%S.{f}",
    "%d.%m.%Y %H:%M:%S.{f}",
    "%d/%m/%Y %H:%M:%S.{f}",
    "%m/%d/%Y %I:%M:%S.{f} %p",
    "%d-%m-%Y %H:%M:%S.{f}",
]


@given(
    moment=st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2261, 12, 31)),
    nanoseconds=st.integers(0, 999),
    form=st.sampled_from(FORMATS),
)
def test_layouts_round_trip(moment, nanoseconds, form):
    def text(when, nanoseconds=0):
        return when.strftime(form.format(f=f"{when.microsecond:06d}{nanoseconds:03d}"))

    settling = text(dt.datetime(2000, 12, 31))
    assert read_one(text(moment, nanoseconds), [settling]) == to_ns(moment) + nanoseconds


@given(
    moment=st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2068, 12, 31)),
    nanoseconds=st.integers(0, 999),
    form=st.sampled_from(
        [
            "%d %b %Y %H:%M:%S.{f}",
            "%y-%m-%d %H:%M:%S.{f}",
            "%H:%M:%S.{f} %d %B %Y",
            "%Y-%jT%H:%M:%S,{f}",
            "%Y%m%d%H%M%S{f}",
        ]
    ),
)
def test_formats_round_trip(moment, nanoseconds, form):
    text = moment.strftime(form.format(f=f"{moment.microsecond:06d}{nanoseconds:03d}"))
    assert read_one(text, format=form.format(f="%f")) == to_ns(moment) + nanoseconds


@given(ns=st.integers(-LIMIT, LIMIT), unit=st.sampled_from(["s", "ms", "us", "ns"]))
def test_counts_round_trip(ns, unit):
    digits = {"s": 9, "ms": 6, "us": 3, "ns": 0}[unit]
    whole, part = divmod(abs(ns), 10**digits)
    text = f"{'-' * (ns < 0)}{whole}" + (f".{part:0{digits}d}" if digits else "")
    assert read_one(text, unit=unit) == ns


@given(st.text(max_size=30) | st.from_regex(r"[0-9/.:T+ -]{1,30}", fullmatch=True))
def test_any_text_is_a_time_or_a_value_error(text):
    try:
        clock = Clock.of(cells(text))
    except ValueError:
        assert not is_time(text.strip(' \t\r"').encode()) or layouts_of(text.strip(' \t\r"').encode())
        return
    ns, ok = clock.read(cells(text))
    assert ns.shape == ok.shape == (1,)
