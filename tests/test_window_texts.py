"""Windows and durations as texts: every one reads back, and every bad one is refused in one line."""

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigconv import windows
from sigconv.windows import parse, parse_duration

pd = pytest.importorskip("pandas")

positive = st.floats(1e-9, 1e12)
durations = st.integers(1, 2**60).map(lambda ns: f"{ns}ns")
widths = st.integers(1, 2**62) | durations
made = st.one_of(
    st.builds(windows.uniform, widths),
    st.builds(windows.linear, widths),
    st.builds(windows.triangular, widths),
    st.builds(windows.gaussian, positive | durations, st.floats(1, 8)),
    st.builds(lambda v: windows.exponential(alpha=v), st.floats(1e-300, 1)),
    st.builds(lambda v: windows.exponential(span=1 + v), positive),
    st.builds(lambda v: windows.exponential(com=v), positive),
    st.builds(lambda v: windows.exponential(halflife=v), positive | durations),
    st.builds(lambda v: windows.exponential(tau=v), positive | durations),
    st.builds(lambda w, d: windows.polynomial(w, d, d // 2), st.integers(51, 2**62) | durations, st.integers(0, 50)),
    st.builds(windows.custom, st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=9)),
    st.builds(lambda b, n: windows.named(("kaiser", b), n), st.floats(0, 50), st.integers(1, 40)),
)


@given(made)
def test_every_window_reads_back(w):
    assert parse(str(w)) == w and hash(parse(str(w))) == hash(w)
    assert eval(repr(w), {"windows": windows}) == w


@given(st.text("0123456789.,:=-+e uniformgasp_smn\n", max_size=20))
def test_any_text_is_a_window_or_one_line(text):
    try:
        w, message = parse(text), "window '"
    except ValueError as error:
        w, message = parse("uniform:1"), str(error)
    assert parse(str(w)) == w
    assert "\n" not in message and message.startswith("window '")


@given(st.integers(-(2**62) + 1, 2**62 - 1))
def test_durations_read_back(ns):
    assert parse_duration(windows.format_duration(ns)) == ns


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("250ms", 250_000_000),
        ("0.1s", 100_000_000),
        (" 1.5 h ", 5_400_000_000_000),
        ("5min", 300_000_000_000),
        ("1d", 86_400_000_000_000),
        (".5us", 500),
        ("7ns", 7),
        ("1e3ms", 1_000_000_000),
        ("-2s", -2_000_000_000),
        ("0s", 0),
        ("0.000000001s", 1),
        (dt.timedelta(days=1, microseconds=-1), 86_399_999_999_000),
        (np.timedelta64(2, "W"), 1_209_600_000_000_000),
        (np.timedelta64(5, "m"), 300_000_000_000),
        (np.timedelta64(3000, "ps"), 3),
        (pd.Timedelta(1, "ns"), 1),
    ],
)
def test_parse_duration(value, ns):
    assert parse_duration(value) == ns


# ---- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("5m", "ambiguous unit 'm'; write '5min'"),
        ("5", "has no unit; write '5s'"),
        ("5 seconds", "write '5s'"),
        ("5 µs", "write '5us'"),
        ("5 lightyears", "unknown unit 'lightyears'; units are ns, us, ms, s, min, h, d"),
        ("", "is not a duration"),
        ("s", "is not a duration"),
        ("1_000s", "is not a duration"),
        ("nan s", "is not a duration"),
        ("0.1ns", "whole number of nanoseconds"),
        ("1.0000000001s", "whole number of nanoseconds"),
        ("1e-999999s", "whole number of nanoseconds"),
        ("1e999999s", "146 years"),
        ("300000d", "146 years"),
        (dt.timedelta(days=200_000), "146 years"),
        (np.timedelta64("NaT"), "NaT"),
        (np.timedelta64(5), "no fixed length"),
        (np.timedelta64(5, "M"), "no fixed length"),
        (np.timedelta64(5, "ps"), "whole number of nanoseconds"),
    ],
)
def test_bad_durations(value, says):
    with pytest.raises(ValueError) as caught:
        parse_duration(value)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [5, 2.0, None, np.datetime64("2020-01-01"), pd.NaT])
def test_a_number_is_no_duration(value):
    with pytest.raises(TypeError, match="a duration must be a text"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write a shape and its parameters"),
        (":", "write a shape and its parameters"),
        ("foo", "write a shape and its parameters"),
        ("unform:30", "unknown window 'unform'; did you mean 'uniform'?"),
        ("hanning:30", "did you mean"),
        ("xyzzy:5", "windows are barthann, "),
        ("uniform", "uniform needs its width, such as uniform:30 or uniform:2s"),
        ("gaussian:truncate=3", "gaussian needs its sigma"),
        ("uniform:2.5", "width must be a whole number of samples, at least 1, or a duration"),
        ("uniform:0", "got 0"),
        ("uniform:-3", "got -3"),
        ("uniform:nan", "got 'nan'"),
        ("uniform:inf", "got 'inf'"),
        ("uniform:1e400", "got inf"),
        ("uniform:9223372036854775807", "width must be"),
        ("uniform:0s", "width must be longer than zero, got '0s'"),
        ("uniform:-2s", "width must be longer than zero, got '-2s'"),
        ("uniform:5m", "write '5min'"),
        ("uniform:3,4", "'4' is too much: uniform takes one width"),
        ("uniform:30,", "a parameter is empty"),
        ("uniform:=3", "a parameter is empty"),
        ("30", "write uniform:30 for a width of 30, or '30,' for a single weight"),
        ("0.5,x", "'x' is not a number"),
        ("0.5,,1", "'' is not a number"),
        ("1,-1", "the weights must not sum to zero"),
        ("0.1,0.2,-0.3", "the weights must not sum to zero"),
        ("1e999,1", "weights must be finite"),
        ("1e308,1e308,1e308", "finite sum"),
        ("gaussian:2s,3", "'3' needs a name and '=': truncate=3"),
        ("gaussian:sigm=2", "gaussian has no parameter 'sigm'; did you mean 'sigma'?"),
        ("gaussian:2,zzz=2", "it takes sigma, truncate"),
        ("gaussian:sigma=2,sigma=3", "sigma is given twice"),
        ("gaussian:2,sigma=3", "sigma is given twice"),
        ("gaussian:0", "sigma must be a positive number of samples or a duration"),
        ("gaussian:2,truncate=0", "truncate must be above 0, got 0"),
        ("gaussian:2,truncate=3s", "truncate must be a number, got '3s'"),
        ("gaussian:1ns,truncate=0.3", "at least 1 ns"),
        ("gaussian:1e18,truncate=1e18", "below 2**62"),
        ("exponential", "exactly one of alpha, span, com, halflife, tau, got none"),
        ("exponential:10", "which of alpha, span, com, halflife, tau is 10? Write exponential:span=10"),
        ("exponential:span=10,com=3", "got span=10 and com=3"),
        ("exponential:span=0.5", "span must be at least 1, got 0.5"),
        ("exponential:com=-1", "com must be at least 0, got -1"),
        ("exponential:alpha=0", "alpha must be above 0 and at most 1, got 0"),
        ("exponential:alpha=2", "alpha must be above 0 and at most 1, got 2"),
        ("exponential:span=10s", "span must be a number, got '10s'; only halflife and tau take durations"),
        ("exponential:tau=-1s", "tau must be longer than zero"),
        ("exponential:tau=0", "tau must be a positive number of samples"),
        ("polynomial:3,degree=3", "degree must be below the width, got degree=3 for 3 samples"),
        ("polynomial:9,degree=2,deriv=3", "deriv must be a whole number from 0 to degree, got 3"),
        ("polynomial:9,degree=1.5", "degree must be a whole number from 0 to 50, got 1.5"),
        ("polynomial:99,degree=51", "degree must be a whole number from 0 to 50, got 51"),
        ("polynomial:9,degree=x", "degree must be a whole number from 0 to 50, got 'x'"),
        ("hann:2", "the weights must not sum to zero"),
        ("hann:2s", "hann takes a width in samples, such as hann:32, got 2s"),
        ("hann:2.5", "width must be a whole number"),
        ("hann:width=3", "write hann:32"),
        ("hann:32,5", "scipy.signal.get_window refuses hann with parameters 5"),
        ("kaiser:32", "scipy.signal.get_window refuses kaiser with parameters none"),
        ("kaiser:32,a", "parameter of kaiser must be a number, got 'a'"),
        ("named:", "write hann:32"),
        ("median:9", "the median has no weights"),
    ],
)
def test_bad_texts_say_so_in_one_line(text, says):
    with pytest.raises(ValueError) as caught:
        parse(text)
    message = str(caught.value)
    assert says in message and "\n" not in message and message.startswith(f"window {text!r}: ")


def test_a_long_bad_text_is_cut():
    with pytest.raises(ValueError) as caught:
        parse(",".join(["1"] * 500) + ",x")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda: windows.uniform(None), TypeError, "width must be"),
        (lambda: windows.uniform(True), TypeError, "got True"),
        (lambda: windows.uniform(2.5), ValueError, "got 2.5"),
        (lambda: windows.uniform(math.nan), ValueError, "got nan"),
        (lambda: windows.uniform(10**400), ValueError, "width must be"),
        (lambda: windows.uniform(np.timedelta64("NaT")), ValueError, "width: the duration is NaT"),
        (lambda: windows.uniform("30"), ValueError, "has no unit"),
        (lambda: windows.gaussian(math.inf), ValueError, "sigma must be"),
        (lambda: windows.gaussian(1, math.nan), ValueError, "truncate must be"),
        (lambda: windows.exponential(tau=1e300), ValueError, "tau must be"),
        (lambda: windows.exponential(span=math.inf), ValueError, "span must be"),
        (lambda: windows.exponential(alpha=dt.timedelta(1)), TypeError, "alpha must be a number"),
        (lambda: windows.polynomial(9, True), TypeError, "degree must be"),
        (lambda: windows.named(5, 9), TypeError, "name must be"),
        (lambda: windows.named((), 9), TypeError, "name must be"),
        (lambda: windows.custom("0.5,0.5"), TypeError, "parse reads texts"),
        (lambda: windows.custom([]), ValueError, "at least one number, got shape (0,)"),
        (lambda: windows.custom([[1, 2]]), ValueError, "got shape (1, 2)"),
        (lambda: windows.custom([1, math.nan]), ValueError, "weights must be finite, got nan"),
        (lambda: windows.custom([1, 1j]), TypeError, "weights must be real numbers"),
        (lambda: windows.custom([1, None]), TypeError, "weights must be real numbers"),
        (lambda: windows.custom([1, 2], "2s"), TypeError, "width goes with a function"),
        (lambda: windows.custom(np.cos), TypeError, "needs a width"),
        (lambda: windows.custom(lambda age: 1.0, 5), ValueError, "one weight per age"),
        (lambda: windows.custom(lambda age: 1 / (age - 2), 3), ValueError, "must be finite"),
        (lambda: windows.custom(lambda age: np.sin(np.pi * age), "2s"), ValueError, "must not sum to zero"),
        (lambda: windows.as_window(30), TypeError, "window must be a Window or a text"),
        (lambda: parse(30), TypeError, "text must be a str"),
        (lambda: windows.uniform("2s").raw_weights(), ValueError, "weights(n)"),
        (lambda: windows.uniform(3).weights(0), ValueError, "n must be"),
        (lambda: windows.uniform(3).weights(2.5), ValueError, "n must be"),
        (lambda: windows.uniform(3).weights("2"), TypeError, "n must be"),
        (lambda: windows.uniform(3).frequency_response(0.1, rate=0), ValueError, "rate must be above 0"),
        (lambda: windows.uniform(3).frequency_response([0.1, math.nan]), ValueError, "freqs must be finite"),
        (lambda: windows.uniform(3).frequency_response("0.1"), TypeError, "freqs must be real numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_arguments_say_so_in_one_line(make, kind, says):
    with pytest.raises(kind) as caught:
        make()
    assert says in str(caught.value) and "\n" not in str(caught.value)
