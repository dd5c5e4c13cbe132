"""Rows, numbers and times out of raw bytes, against Python's own float() and a reading byte by byte."""

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sigconv.engines.cpu import text
from sigconv.io.timestamps import to_ns


def split(content, *, needed=(), delimiter=b",", comment=b"", limit=1 << 20, last=True):
    data, size = text.padded(content)
    rows = content.count(b"\n") + 1
    return data, text.split(
        data, size, rows, delimiter=delimiter, comment=comment, limit=limit, last=last, needed=list(needed)
    )


def cells(content, **options):
    """Every cell of every row, as the kernel finds them."""
    widest = content.count(b",") + 1
    _, rows = split(content, needed=range(widest), **options)
    return [
        [content[rows.first[k][i] : rows.last[k][i]] for k in range(widest) if rows.first[k][i] >= 0]
        for i in range(len(rows))
    ]


def plain_cells(content):
    """The same with Python's own splitting, for texts without quotes."""
    lines = content.split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    return [line.removesuffix(b"\r").split(b",") for line in lines]


@given(st.binary(max_size=300).map(lambda b: b.translate(bytes(b",\n\r1 a-."[i % 8] for i in range(256)))))
def test_texts_without_quotes_are_split_as_python_does(content):
    assert cells(content) == plain_cells(content)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'"a,b",c\n', [[b'"a,b"', b"c"]]),
        (b'"a\nb",c\r\nd', [[b'"a\nb"', b"c"], [b"d"]]),
        (b'"a""b\n",c', [[b'"a""b\n"', b"c"]]),
        (b'a"b,c"\n', [[b'a"b', b'c"']]),
        (b'"a" b,c', [[b'"a" b', b"c"]]),
        (b'"a,b\nc,d', [[b'"a', b"b"], [b"c", b"d"]]),  # it never closes
        (b'x,"a\n"b"\n', [[b"x", b'"a\n"b"']]),
        (b'"' + b"," * 70 + b'",x', [[b'"' + b"," * 70 + b'"', b"x"]]),
    ],
)
def test_quotes(content, found):
    assert cells(content) == found


def test_a_row_without_end_is_left_for_later():
    _, rows = split(b'1,2\n3,"4\n', last=False)
    assert len(rows) == 1 and rows.rest == 4 and not rows.too_long


def test_a_quote_that_does_not_close_in_time_is_an_ordinary_character():
    content = b'"' + b"1\n" * 40
    _, rows = split(content, limit=30, last=False)
    assert len(rows) == 40 and rows.rest == len(content)


def test_a_row_beyond_the_limit_is_told():
    _, rows = split(b"1,2\n" + b"x" * 50, limit=30, last=False)
    assert len(rows) == 1 and rows.rest == 4 and rows.too_long
    _, rows = split(b"1,2\n" + b"x" * 29 + b"\n", limit=30, last=False)
    assert len(rows) == 2 and not rows.too_long


def test_kinds_of_rows():
    _, rows = split(b'a\n \t\r\n# "\n#\n\n"#"\n', comment=b"#")
    assert rows.kind.tolist() == [0, 1, 2, 2, 1, 0]


def numbers(texts, point=b"."):
    data, rows = split(b"\n".join(texts) + b"\n", needed=[0], delimiter=b";")
    return text.read_numbers(data, rows.first[0], rows.last[0], point)[:2]


_spelled = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"\A[+-]?[0-9]{0,19}\.?[0-9]{0,12}([eE][+-]?[0-9]{1,3})?\Z"),
    st.builds("{}e{}".format, st.integers(-(10**18), 10**18), st.integers(-22, 22)),
    st.builds("{}.{}".format, st.integers(0, 10**12), st.integers(0, 10**6)),
    st.text("0123456789.+-eE_x", max_size=12),
)


@given(st.lists(_spelled, min_size=1, max_size=60))
@example(["9007199254740993", "9007199254740993e-1", "9007199254740992.5", "4503599627370496.5", "0.1", "-0", "1e22"])
@example(["9450802493.119607935", "999999999999999999", "123456789012345678e-22", "0.000000000000000000001"])
def test_numbers_are_those_of_float_to_the_last_bit(texts):
    values, good = numbers([t.encode() for t in texts])
    for told, value, fine in zip(texts, values, good, strict=True):
        if fine:
            expected = float(told)
            assert "_" not in told and value == expected and math.copysign(1, value) == math.copysign(1, expected)


def test_usual_numbers_take_the_quick_way():
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=2000), rng.normal(size=2000) * 1e6, np.round(rng.normal(size=2000), 3)])
    values, good = numbers([repr(v).encode() for v in x.tolist()])
    assert good.mean() > 0.98 and np.array_equal(values[good], x[good])


def test_numbers_with_a_decimal_comma():
    values, good = numbers([b"1,5", b"-,25", b"1.5", b' "2,0" '], b",")
    assert good.tolist() == [True, True, False, True] and values[[0, 1, 3]].tolist() == [1.5, -0.25, 2.0]


def stamps(texts, digits):
    data, rows = split(b"\n".join(texts) + b"\n", needed=[0], delimiter=b";")
    return text.read_stamps(data, rows.first[0], rows.last[0], digits)


@given(st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2261, 12, 31)), min_size=1), st.data())
def test_iso_times_are_those_of_datetime(times, data):
    form = data.draw(st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%Y-%m-%dT%H:%M"]))
    zone = data.draw(st.sampled_from(["", "+01:30", "-0800", "+05"])) if form.endswith(("f", "M")) else ""
    texts = [(f"{t.year:04}" + t.strftime(form)[-len(t.strftime(form)) + len(str(t.year)) :] + zone) for t in times]
    ns, good = stamps([t.encode() for t in texts], -1)
    assert good.all()
    for told, found in zip(texts, ns.tolist(), strict=True):
        assert found == to_ns(told.encode())


@given(st.lists(st.decimals(-9_000_000_000, 9_000_000_000, places=11), min_size=1), st.sampled_from([0, 3, 6, 9]))
def test_counts_round_to_the_nearest_nanosecond(counts, digits):
    unit = {9: "s", 6: "ms", 3: "us", 0: "ns"}[digits]
    texts = [f"{c:f}".encode() for c in counts]
    ns, good = stamps(texts, digits)
    assert good.all() and ns.tolist() == [to_ns(t, unit) for t in texts]


@pytest.mark.parametrize(
    "told",
    ["-", "x", "1.5.2", "1e3", "99999999999999999999", "2023-02-30", "2023-13-01", "2023-01-01T24:00", "2023-1-1"],
)
def test_what_is_no_plain_time_is_left_to_others(told):
    for digits in (-1, 9):
        assert not stamps([told.encode()], digits)[1].any()


@pytest.mark.parametrize("rest", ["T10", "T10:61", "T10:00:00.", "T10:00+25", "T10:00Zx", "T10:00+01:60", " ", "T"])
def test_what_follows_a_date_has_to_be_a_time(rest):
    assert not stamps([b"2023-01-01" + rest.encode() + b"|"], -1)[1].any()


@given(st.binary(max_size=300), st.integers(0, 255))
def test_bytes_are_counted(content, byte):
    assert text.count(np.frombuffer(content, np.uint8), byte) == content.count(byte)
