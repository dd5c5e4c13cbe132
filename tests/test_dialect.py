"""How a table is written, told from its first bytes."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sigconv.io.dialect import Dialect, sniff

LOGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "telemetry"
BOM = b"\xef\xbb\xbf"

TABLES = [
    # delimiters
    (b"t,x\n0,1\n1,2\n", Dialect()),
    (b"t;x\n0;1\n1;2\n", Dialect(b";")),
    (b"t\tx\n0\t1\n", Dialect(b"\t")),
    (b"t|x\n0|1\n", Dialect(b"|")),
    (b"t x y\n0 1 2\n1 2 3\n", Dialect(b" ")),
    (b"x\n1\n2\n", Dialect()),
    (b"wind speed\n1.5\n2\n", Dialect()),
    (b"time,value\n2013-12-02 21:15:00,73.9\n", Dialect()),
    (b"time;place\n10:00;a,b\n10:01;c,d\n", Dialect(b";")),
    (b"time,flags,x\n10:00,a|b;c,1\n10:01,b|c;d,2\n", Dialect()),
    (b'time,"a;b;c"\n10:00,1\n', Dialect()),
    (b"10:00,a;b,1\n10:01,c;d,2\n", Dialect(header=False)),
    (b'"t","x"\n"0","1"\n', Dialect()),
    (b'"a ""b"", c";x\n"d;e\nf";1\n', Dialect(b";")),
    (b"t,x,\n0,1,\n", Dialect()),
    (b"t,x\n0,1,\n1,2,\n", Dialect()),
    (b"t,x\r\n0,1\r\n", Dialect()),
    (BOM + b"t;x\n0;1\n", Dialect(b";")),
    # decimal commas
    (b"t;x\n0;1,5\n1;-0,003\n", Dialect(b";", b",")),
    (b"t;x;y\n18.00.00;2,6;13,6\n", Dialect(b";", b",")),
    (b"t\tx\n0\t1,5e3\n1\t2.5\n2\t3,5\n", Dialect(b"\t", b",")),
    (b"t;x\n0;1,5\n1;2.5\n2;3.5\n", Dialect(b";")),
    (b"t x\n1,5 2,5\n", Dialect(b" ", b",")),
    (b"1,5;2,5\n3,5;4,5\n", Dialect(b";", b",", header=False)),
    # no header
    (b"0,1\n1,2\n", Dialect(header=False)),
    (b"0,EWR,1\n1,JFK,2\n", Dialect(header=False)),
    (b"2013-01-01 10:00:00,NA\n2013-01-01 11:00:00,5\n", Dialect(header=False)),
    (b"10:00,5\n", Dialect(header=False)),
    (b"t,1\n0,5\n", Dialect()),
    (b"a,b\nc,d\ne,f\ng,h\ni,j\nk,l\nm,n\no,p\nq,r\n", Dialect()),
    # what stands above
    (b"\n \r\nt,x\n0,1\n", Dialect(top=2)),
    (b"Logger 5\nt,x\n0,1\n", Dialect(top=1)),
    (b"Logger 5,,\nt,x,y\n0,1,2\n1,2,3\n", Dialect(top=1)),
    (b"Logger 5,X100,,\nt,x,y,z\n0,1,2,3\n1,2,3,4\n", Dialect(top=1)),
    (b"Logger 5\n\n0,1\n1,2\n", Dialect(header=False, top=2)),
    (
        b"Logger;X100\nSerial;123\nStart;2013-01-01\n\nTime;T1;T2\n0;1,5;2\n1;2,5;3\n2;3,5;4\n",
        Dialect(b";", b",", top=4),
    ),
    (b"a,b\n0,1,2\n1,2,3\n2,3,4\n3,4,5\n4,5,6\n5,6,7\n6,7,8\n7,8,9\n", Dialect()),
    (b"a,b,c\n0,1\n1,2\n2,3\n3,4\n4,5\n5,6\n6,7\n7,8\n", Dialect()),
    (b"# made by X, 2013\nt,x\n0,1\n", Dialect(comment=b"#", top=1)),
    (b"# made by X, Y\nt,x\n0,1\n", Dialect(comment=b"#", top=1)),
    (b"# one\n\n# two, three\n0,1\n1,2\n", Dialect(comment=b"#", top=2)),  # its last line names the columns
    (b"# one\n# two\n0,1\n1,2\n", Dialect(header=False, comment=b"#", top=2)),
    (b"# 5, 6\n0,1\n1,2\n", Dialect(header=False, comment=b"#", top=1)),
    (b'# a "quote\nt,x\n0,1\n', Dialect(comment=b"#", top=1)),
    (b"%time,x\n0,1\n", Dialect(comment=b"%")),
    (b"// note\nt;x\n0;1\n", Dialect(b";", comment=b"//", top=1)),
    (b"#x\n1\n2\n", Dialect(header=False, comment=b"#", top=1)),
    # units
    (b"t,x\ns,m/s\n0,1\n", Dialect(units=True)),
    (b"t,x\n[s],\n0,1\n", Dialect(units=True)),
    ("t,x\n,W/m²\n0,1\n".encode(), Dialect(units=True)),
    ("t,x\ns,°C\n0,1\n".encode(), Dialect(units=True)),
    (b"time,x\nhh:mm:ss,degC\n10:00:00,1\n", Dialect(units=True)),
    (b"t,x\nunknown,undefined\n0,1\n", Dialect()),
    (b"t,x\noff,err\n0,1\n", Dialect()),
    (b"t,x\n0,V\n1,2\n", Dialect()),
    (b"t,place\n,V\n1,here\n2,there\n", Dialect()),
    (
        b'"TOA5","CR1000","x",7\n"TIMESTAMP","N","T"\n"TS","RN","degC"\n"","","Avg"\n"2013-01-01 00:00",0,1.5\n',
        Dialect(top=1, units=True),
    ),
]


@pytest.mark.parametrize(("text", "dialect"), TABLES)
def test_tables(text, dialect):
    assert sniff(text) in (dialect, dialect if re.search(rb"\d[.,]\d", text) else None)
    assert sniff(text.removesuffix(b"\n"), complete=True) == dialect


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_whole_numbers_leave_the_decimal_mark_open_for_a_few_rows(delimiter):
    head, rows = f"t{delimiter}x\n", [f"{k}{delimiter}1\n" for k in range(20)]
    assert sniff("".join([head, *rows[:3]]).encode()) is None
    assert sniff("".join([head, *rows[:3], f"3{delimiter}1,5\n"]).encode()).decimal == b","
    assert sniff("".join([head, *rows]).encode()).decimal == b"."
    assert sniff("".join([head, rows[0]]).encode(), decimal=b".").decimal == b"."


@pytest.mark.parametrize(("text", "dialect"), TABLES)
def test_what_is_known_is_not_told_again(text, dialect):
    known = {name: getattr(dialect, name) for name in ("delimiter", "decimal", "header")}
    assert sniff(text, **known) == dialect
    top = {"comment": dialect.comment} if not dialect.comment or not dialect.header else {}
    assert sniff(text, **known, **top) == dialect


@pytest.mark.parametrize(
    ("text", "known", "dialect"),
    [
        (b"0,1\n1,2\n", {"header": True}, Dialect()),
        (b"t,x\n0,1\n", {"header": False}, Dialect(header=False)),
        (b"t;x\n0;5,1\n5\n", {"delimiter": b","}, Dialect()),
        (b"t:x\n0:1,5\n", {"delimiter": b":"}, Dialect(b":", b",")),
        (b"x\n1,5\n2,5\n", {"decimal": b","}, Dialect(b";", b",")),
        (b"t;x\n0;1,5\n", {"decimal": b"."}, Dialect(b";")),
        (b"#t,x\n0,1\n", {"comment": b""}, Dialect()),
        (b"#t,x\n0,1\n", {"comment": b"#"}, Dialect(header=False, comment=b"#", top=1)),
        (b"#t,x\n0,1\n", {"header": False}, Dialect(header=False, comment=b"#", top=1)),
        (b"! a\nt,x\n! b\n0,1\n", {"comment": b"!"}, Dialect(comment=b"!", top=1)),
    ],
)
def test_what_the_caller_says_holds(text, known, dialect):
    assert sniff(text, **known) == dialect


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (b"", Dialect()),
        (b"\n\n", Dialect()),
        (b"t,x", Dialect()),
        (b"0,1", Dialect(header=False)),
        (b"EWR,1", Dialect()),
        (b"a,b,c\nNA,NA\n0,1\n", Dialect()),
        (b"a,b,c\nhither,thither\n0,1\n1,2\n", Dialect()),
        (b"a,b,c\nfirst,second,third,fourth\n0,1,2,3\n1,2,3,4\n", Dialect()),
        (b"Logger 5,site A,2013-01-01\nt,x\n0,1\n1,2\n", Dialect(top=1)),
        (b'a,b,c\n0,0,0,"x ""y"""\n 7 \n', Dialect()),
        (b'"t,x\n0,1\n1,2\n', Dialect()),  # its quote is a character
        (b"\0\xff\n\0", Dialect()),
    ],
)
def test_small_and_broken_tables(text, dialect):
    assert sniff(text, complete=True) == dialect


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"t,x\n0,1\n1,2\n", 2),
        (b"0,1\n1,2\n", 1),
        (b"t,x\nNA,\n1,2\n", 2),
        (b"Logger 5\nt,x\n0,1\n1,2\n", 3),
        (b"# a\n\n# b\nt,x\n0,1\n1,2\n", 5),
        (b"#t,x\n0,1\n", 2),
        (b"t,x\ns,V\n0,1\n1,2\n", 3),
        (b'"a\nb",c\n"0",1\n', 3),
        (b"EWR,1\nJFK,2\n", 2),
        (b'a,b\n5,"c""\n1"\n', 3),
    ],
)
def test_a_slow_pipe_is_answered_at_its_first_row_of_data(text, rows):
    enough = len(b"".join(text.splitlines(keepends=True)[:rows]))
    for size in range(len(text) + 1):
        assert (sniff(text[:size]) is not None) == (size >= enough)


def test_rows_without_numbers_are_data_after_all():
    rows = b"t,x\n" + b"soon,undefined\n" * 20
    assert [sniff(b"".join(rows.splitlines(True)[:k])) is None for k in (2, 8, 9)] == [True, True, False]


def test_a_full_head_is_always_enough():
    assert sniff(b"a,b\n" + b"x" * (1 << 16)) == Dialect()
    assert sniff(b"x;" * (1 << 15)) is not None
    assert sniff(b'a;"b\n0;1\n' + b"1;2\n" * (1 << 14)) == Dialect(b";")


names = st.from_regex(r"[A-Za-z][A-Za-z ,;|\"\n]{0,9}[a-z]", fullmatch=True)
numbers = st.floats(-1e6, 1e6).map(lambda x: f"{x:.3f}")
words = st.sampled_from(["", "NA", "here", 'a "b"', "c,d;e|f\tg", "h\ni"])


@st.composite
def tables(draw, decimals=".,"):
    width, length = draw(st.integers(2, 6)), draw(st.integers(2, 12))
    mark = draw(st.sampled_from(";\t|,"))
    decimal = draw(st.sampled_from(decimals)) if mark != "," else "."
    kinds = [numbers, numbers, *[draw(st.sampled_from([numbers, words])) for _ in range(width - 2)]]
    rows = [
        [draw(kind).replace(".", decimal) if kind is numbers else draw(kind) for kind in kinds] for _ in range(length)
    ]
    header = [draw(names) for _ in range(width)] if draw(st.booleans()) else None
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=mark, quoting=quoting, lineterminator=end).writerows([header, *rows] if header else rows)
    return out.getvalue().encode(), Dialect(mark.encode(), decimal.encode(), header is not None)


@given(tables(), st.booleans())
def test_tables_that_csv_writes(table, mark_order):
    text, dialect = table
    assert sniff(BOM * mark_order + text, complete=True) == dialect


@given(tables(decimals="."), st.data())
def test_a_pipe_is_told_the_same_as_a_file(table, data):
    text, dialect = table
    lines = text.splitlines(keepends=True)
    piece = b"".join(lines[: data.draw(st.integers(1, len(lines)))])
    early = sniff(piece)
    assume(early is not None)
    assert early == dialect


@given(st.binary(max_size=60) | st.text('ab01.,;\t|#%"\n /-:', max_size=60).map(str.encode), st.booleans())
def test_any_bytes_have_a_dialect(head, complete):
    dialect = sniff(head, complete=complete)
    assert dialect is not None or not complete
    if dialect is not None:
        assert 0 <= dialect.top <= head.count(b"\n")
        assert len(dialect.delimiter) == len(dialect.decimal) == 1 and dialect.delimiter != dialect.decimal


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("adsb_readsb_ac671b", Dialect()),
        ("gps_around_visnjan", Dialect()),
        ("imu_xio_sensor_data", Dialect()),
        ("nab_machine_temperature_system_failure", Dialect()),
        ("nyc_weather_2013", Dialect()),
        ("pv_snow_inverters", Dialect()),
        ("uci_airquality_eu_format", Dialect(b";", b",")),
    ],
)
def test_real_logs(name, dialect):
    path = LOGS / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    head = path.read_bytes()[: 1 << 16]
    first = head.find(b"\n", head.find(b"\n") + 1) + 1
    assert sniff(head) == sniff(head[:first]) == dialect
    assert sniff(head[: first - 1]) is None
