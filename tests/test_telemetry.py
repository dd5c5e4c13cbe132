"""Telemetry files as columns: every byte but the filtered ones stays, wherever the input is cut."""

import csv
import io
import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigconv.io import columns
from sigconv.io.telemetry import Layout, Rewriter, TelemetryError
from sigconv.io.timestamps import to_ns


def rewrite(data, make_filter, layout, cuts=()):
    """The output of a Rewriter that is fed ``data`` in pieces."""
    return b"".join(rewrite_pieces(data, make_filter, layout, cuts))


def rewrite_pieces(data, make_filter, layout, cuts):
    rewriter = Rewriter(make_filter, layout)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for a, b in itertools.pairwise(edges):
        yield from rewriter.feed(data[a:b])
    yield from rewriter.close()


def identity(channels):
    return lambda x, times: x


def cumulative(channels):
    """A filter whose answers depend on everything that came before."""
    total = np.zeros(channels)

    def apply(x, times):
        y = np.empty_like(x)
        for k, row in enumerate(np.nan_to_num(x, posinf=0)):
            total[:] = total * 0.5 + row
            y[k] = total
        return y

    return apply


_cells = st.one_of(
    st.floats(-1e6, 1e6).map(repr),
    st.integers(-100, 100).map(str),
    st.sampled_from(
        ["", "NA", "nan", "inf", " 7.25 ", "+1", ".5", "1.", "1e3", "007", "1_000", "true", "x,y", 'a "b"', "a\nb"]
    ),
)


@given(
    rows=st.lists(st.lists(_cells, min_size=1, max_size=4), max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    closed=st.booleans(),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_tables_keep_their_bytes_and_cuts_change_nothing(rows, end, quoting, closed, cuts):
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([["a", "b", "c"], ["1", "2", "3"], *rows])
    data = text.getvalue().encode()
    data = data if closed else data.removesuffix(end.encode())
    layout = Layout(columns=["b", "c"])
    assert rewrite(data, identity, layout, cuts) == data
    whole = rewrite(data, cumulative, layout)
    assert rewrite(data, cumulative, layout, cuts) == whole
    before, after = (list(csv.reader(io.StringIO(d.decode(), newline=""))) for d in (data, whole))
    assert [[row[0:1], row[3:]] for row in after] == [[row[0:1], row[3:]] for row in before]


@given(st.text('ab01.,"\n\r -é').map(str.encode), st.booleans(), st.lists(st.integers(0, 60), max_size=6))
def test_any_bytes_come_out_as_they_went_in(data, header, cuts):
    data = b"x,y\n" + data if header else data
    assert rewrite(data, identity, Layout(columns=["1"], header=header), cuts) == data


@pytest.mark.parametrize(
    ("text", "unit", "ns"),
    [
        ("1700000000.123456789", "s", 1_700_000_000_123_456_789),
        ("1700000000123456789", "ns", 1_700_000_000_123_456_789),
        ("1700000000123.456789", "ms", 1_700_000_000_123_456_789),
        ("0.1", "us", 100),
        ("-1.5", "s", -1_500_000_000),
        ("1.7e9", "s", 1_700_000_000_000_000_000),
        ("0.29999999999999998", "s", 300_000_000),
        (".5", "s", 500_000_000),
        (' "5" ', "s", 5_000_000_000),
        ("1970-01-01", "s", 0),
        ("1970-01-01 00:00:01", "s", 10**9),
        ("2023-11-14T22:13:20.123456789Z", "s", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20,5", "ms", 1_700_000_000_500_000_000),
        ("2023-11-14T23:13:20+01:00", "s", 1_700_000_000_000_000_000),
        ("2023-11-14 17:43:20-0430", "s", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13", "s", 1_699_999_980_000_000_000),
        ("1969-12-31T23:59:59.999999999Z", "s", -1),
    ],
)
def test_times_are_exact(text, unit, ns):
    assert to_ns(text.encode(), unit) == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "1_000",
        "nan",
        "inf",
        "2023-02-30",
        "2023-01-01T25:00",
        "2023-01-01T00:61",
        "1e999999999",
        "12:00",
        "2500-01-01",
    ],
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError):
        to_ns(text.encode())


@pytest.mark.parametrize("after", [b"\n6,6\n", b"\n", b""])
@pytest.mark.parametrize("cuts", [[], [21], [25], [26]])
def test_time_that_goes_back_names_the_line_and_keeps_the_rows_before(cuts, after):
    data = b"t,x\n0,1\n\n1,2\n5,3\n5,4\n4.5,5" + after
    out = []
    told = "line 7: time goes back from '5' to '4.5' (--reorder 500ms puts late rows in order)"
    with pytest.raises(TelemetryError, match=re.escape(told) + "$"):
        out.extend(rewrite_pieces(data, identity, Layout(columns=["x"], time="t"), cuts))
    assert b"".join(out) == b"t,x\n0,1\n\n1,2\n5,3\n5,4\n"


def test_columns_by_name_number_and_pattern():
    names = ["t", "2", "acc x", "acc y", "d", "d"]
    assert columns.find(names, "2") == [1]
    assert columns.find(names, "3") == [2]
    assert columns.find(names, "acc ?") == [2, 3]
    with pytest.raises(TelemetryError, match=r"2 columns are named 'd'; give one by its number \(5 and 6\)"):
        columns.find(names, "d")
    with pytest.raises(TelemetryError, match="no column 9; columns are numbered 1 to 6"):
        columns.find(names, "9")
    with pytest.raises(TelemetryError, match=r"'acc\*' matches several columns: 'acc x', 'acc y'"):
        columns.find_one(names, "acc*")


@pytest.mark.parametrize("cuts", [[], [8], [14, 17]])
def test_the_only_numeric_column_waits_for_rows_that_settle_it(cuts):
    data = b"a,b,c\n,,x\n,5,x\n1,6,x\n"
    with pytest.raises(TelemetryError, match="several columns hold numbers; choose with -c from 'a', 'b'"):
        rewrite(data, identity, Layout(), cuts)
    data = data.replace(b"\n1,", b"\nz,")
    assert rewrite(data, lambda n: lambda x, t: x * 2, Layout(), cuts) == b"a,b,c\n,,x\n,10.0,x\nz,12.0,x\n"


def test_a_quote_that_never_closes():
    data = b'x,y\n1,2\n"3,4\n5,6\n'
    assert rewrite(data, doubled, Layout(columns=["x"])) == b'x,y\n2.0,2\n"3,4\n10.0,6\n'


@pytest.mark.parametrize("cuts", [[], [8], [30], range(0, 80, 3)])
def test_a_row_that_is_too_long_passes_through(monkeypatch, cuts):
    monkeypatch.setattr("sigconv.io.rows.ROW_LIMIT", 20)
    data = b"x,y\n1,2\n" + b"3," * 20 + b'\n4,"\n' + b"a" * 20 + b'",\n6,7'
    wanted = b"x,y\n2.0,2\n" + b"3," * 20 + b'\n8.0,"\n' + b"a" * 20 + b'",\n12.0,7'
    assert rewrite(data, doubled, Layout(columns=["x"], comment=b""), cuts) == wanted


def doubled(channels):
    return lambda x, times: x * 2


def test_dates_that_cannot_be_told_are_not_passed_over_for_another_column():
    data = b"date,time,x\n1/2/2024,12:00:00,1\n1/3/2024,12:00:30,2\n"
    with pytest.raises(TelemetryError, match="cannot tell day from month"):
        rewrite(data, identity, Layout(columns=["x"], needs_time=True))
    settled = data + b"1/13/2024,12:01:00,4\n"
    assert rewrite(settled, identity, Layout(columns=["x"], needs_time=True)) == settled
    with pytest.raises(TelemetryError, match="column 'Timestamp': cannot tell day from month"):
        rewrite(b"Timestamp,x,time_on\n1/5/2022 0:00,1,5\n", identity, Layout(columns=["x"], needs_time=True))
    with pytest.raises(TelemetryError, match="column 'time': '24:00:00' is no time"):
        rewrite(b"time,x\n24:00:00,1\n", identity, Layout(columns=["x"], needs_time=True))


def test_lines_at_the_top_can_be_skipped():
    data = b"Logger,ABC\nSerial,12\n\nt,x\n0,1\n1,2\n"
    assert rewrite(data, doubled, Layout(columns=["x"], skip=3)) == b"Logger,ABC\nSerial,12\n\nt,x\n0,2.0\n1,4.0\n"


def test_patterns_leave_out_times():
    assert rewrite(b"time,a,b\n1,2,3\n", doubled, Layout(columns=["*"])) == b"time,a,b\n1,4.0,6.0\n"
    assert rewrite(b"time,a,b\n1,2,3\n", doubled, Layout(columns=["t*"])) == b"time,a,b\n2.0,2,3\n"


def test_rows_that_wait_for_the_dialect_can_be_settled():
    rewriter = Rewriter(lambda channels: lambda x, times: 2 * x, Layout(columns=["x"]))
    assert b"".join(rewriter.feed(b"t;x\n0;1\n1;3\n2;5")) == b""
    assert b"".join(rewriter.settle()) == b"t;x\n0;2.0\n1;6.0\n"
    assert b"".join(rewriter.settle()) == b""
    assert b"".join([*rewriter.feed(b"\n"), *rewriter.close()]) == b"2;10.0\n"
