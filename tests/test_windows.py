"""Windows: their numbers against scipy, pandas and numerical integration; their attributes, texts and pictures."""

import datetime as dt
import math
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import integrate, signal

from sigconv import windows
from sigconv.windows import parse

pd = pytest.importorskip("pandas")

TEXTS = [
    "uniform:30",
    "uniform:2s",
    "linear:15",
    "linear:1500us",
    "triangular:9",
    "triangular:8",
    "triangular:3h",
    "gaussian:sigma=2.5",
    "gaussian:sigma=2s",
    "gaussian:sigma=2s,truncate=3",
    "exponential:span=10",
    "exponential:alpha=0.1",
    "exponential:com=4",
    "exponential:halflife=5",
    "exponential:tau=2.5",
    "exponential:halflife=5s",
    "exponential:tau=250ms",
    "polynomial:15",
    "polynomial:15,degree=3,deriv=1",
    "polynomial:2s,degree=1,deriv=1",
    "polynomial:7,degree=0",
    "hann:32",
    "kaiser:32,8.6",
    "taylor:20,4,30",
    "named:gaussian:32,7",
    "0.5,0.3,0.2",
    "0.5,",
]
TIMED = [text for text in TEXTS if parse(text).timed]
FINITE = [text for text in TEXTS if parse(text).length]


def half_cosine(age):
    return np.cos(age * np.pi / 4)


# ---- weights by samples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3, 8, 31])
def test_uniform_and_linear_are_as_defined(k):
    assert np.array_equal(windows.uniform(k).raw_weights(), np.ones(k))
    assert np.array_equal(windows.linear(k).raw_weights(), 1 - np.arange(k) / k)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 9, 10, 101])
def test_triangular_is_scipys(k):
    assert np.array_equal(windows.triangular(k).raw_weights(), signal.get_window("triang", k, fftbins=False))


@pytest.mark.parametrize("spec", ["hann", "hamming", "blackman", ("kaiser", 8.6), ("tukey", 0.3), ("gaussian", 7)])
def test_named_is_scipys_newest_first(spec):
    expected = signal.get_window(spec, 33, fftbins=False)[::-1]
    expected[np.abs(expected) < 1e-15] = 0  # ends that are zero but for rounding
    assert np.array_equal(windows.named(spec, 33).raw_weights(), expected)


@pytest.mark.parametrize("sigma", [0.1, 1, 2.5, 7])
@pytest.mark.parametrize("truncate", [0.5, 3, 4.0])
def test_gaussian_is_the_past_half_of_a_bell(sigma, truncate):
    ages = np.arange(int(truncate * sigma + 0.5) + 1)
    weights = windows.gaussian(sigma, truncate).raw_weights()
    np.testing.assert_allclose(weights, np.exp(-(ages**2) / (2 * sigma**2)), rtol=1e-14)


@pytest.mark.parametrize(("k", "degree"), [(1, 0), (2, 1), (5, 2), (15, 2), (16, 3), (101, 5), (9, 8)])
def test_polynomial_is_savgols_end_point(k, degree):
    for deriv in range(degree + 1):
        expected = signal.savgol_coeffs(k, degree, deriv=deriv, pos=k - 1, use="dot")[::-1]
        weights = windows.polynomial(k, degree, deriv).raw_weights()
        rounding = 1e-6 * np.abs(expected).max()  # scipy's own, from powers of age
        np.testing.assert_allclose(weights, expected, rtol=0, atol=rounding)


@pytest.mark.parametrize("k", [6, 1000, 100_000])
def test_polynomial_reproduces_polynomials_exactly(k):
    t = -np.arange(k) / k
    for deriv, expected in enumerate([3.0, -2.0 / k, 10.0 / k**2]):
        weights = windows.polynomial(k, 2, deriv).raw_weights()
        assert weights @ (3 - 2 * t + 5 * t * t) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("span", "com", "halflife") for value in (1.0, 7.5, 5000.0)]
    + [("alpha", 0.3), ("alpha", 1.0), ("com", 0.0), ("halflife", 0.3)],
)
def test_exponential_means_what_pandas_means(name, value):
    x = np.random.default_rng(3).normal(size=50)
    expected = pd.Series(x).ewm(**{name: value}).mean().iloc[-1]
    assert windows.exponential(**{name: value}).weights(50) @ x[::-1] == pytest.approx(expected, rel=1e-12)


def test_exponential_keeps_its_digits_at_long_time_constants():
    assert windows.exponential(tau=1e12).alpha == pytest.approx(1e-12, rel=1e-12)
    assert windows.exponential(halflife=1e12).alpha == pytest.approx(math.log(2) * 1e-12, rel=1e-12)
    assert windows.exponential(tau="1d").scale_ns == 86_400e9
    assert windows.exponential(halflife="1s").scale_ns == 1e9 / math.log(2)


def test_exponential_weights_end_where_nothing_is_left():
    w = windows.exponential(span=10)
    n = w.weights().size
    assert (1 - w.alpha) ** n <= 1e-12 < (1 - w.alpha) ** (n - 2)
    assert windows.exponential(tau=1e9).weights().size == 100_000
    assert np.array_equal(windows.exponential(alpha=1).weights(), [1.0])
    assert np.array_equal(windows.exponential(alpha=1).weights(3), [1.0, 0.0, 0.0])
    assert windows.exponential(alpha=5e-324).weights().size == 100_000


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("n", [None, 1, 2, 5, 40])
def test_weights_sum_to_one(text, n):
    w = parse(text)
    if w.deriv and n is not None and n <= w.deriv:
        assert np.isnan(w.weights(n)).all()
        return
    weights = w.weights(n)
    assert weights.dtype == np.float64 and (n is None or weights.size == n)
    scale = np.abs(weights).sum()
    assert weights.sum() == pytest.approx(0 if w.deriv else 1, abs=1e-12 * max(scale, 1))


def test_fewer_samples_share_the_weight_and_more_get_none():
    assert np.allclose(windows.linear(4).weights(2), [4 / 7, 3 / 7])
    assert np.array_equal(windows.uniform(2).weights(4), [0.5, 0.5, 0, 0])
    assert np.array_equal(windows.named("hann", 5).weights(1), [1.0])  # its newest weight is zero
    assert np.array_equal(windows.custom([1, -1, 2]).weights(2), [1.0, 0.0])
    assert np.allclose(windows.polynomial(9).weights(2), [1, 0], atol=1e-15)  # a line through two points
    assert windows.linear("4s").weights().size == 100
    assert np.allclose(windows.linear("4s").weights(4), [0.4, 0.3, 0.2, 0.1])
    slope = windows.polynomial("2s", 1, 1).weights(4)  # steps of half a second
    assert slope @ [3.0, 2.0, 1.0, 0.0] == pytest.approx(2.0)


def test_custom_function_of_age():
    by_sample = windows.custom(half_cosine, 3)
    assert np.array_equal(by_sample.raw_weights(), half_cosine(np.arange(3.0)))
    assert by_sample.length == 3 and by_sample.function is half_cosine
    by_time = windows.custom(half_cosine, "2s")
    assert by_time.length is None and by_time.support_ns == 2_000_000_000 and by_time.scale_ns == 2e9
    assert by_time.delay == pytest.approx(8 / np.pi / (4 / np.pi) - 4 / np.pi, rel=1e-13)
    assert by_time.noise_gain == pytest.approx((np.pi / 4) ** 2, rel=1e-13)


# ---- attributes ---------------------------------------------------------------------------------------------------


def test_attributes():
    names = ("shape", "timed", "length", "support_ns", "scale_ns", "alpha", "degree", "deriv", "function")
    expected = {
        "uniform:30": ("uniform", False, 30, None, None, None, 0, 0, None),
        "linear:2s": ("linear", True, None, 2 * 10**9, 2e9, None, 0, 0, None),
        "gaussian:sigma=2.5": ("gaussian", False, 11, None, None, None, 0, 0, None),
        "gaussian:sigma=3ns,truncate=1.5": ("gaussian", True, None, 4, 3.0, None, 0, 0, None),
        "exponential:com=4": ("exponential", False, None, None, None, 0.2, 0, 0, None),
        "exponential:tau=1ms": ("exponential", True, None, None, 1e6, None, 0, 0, None),
        "polynomial:2s,degree=3,deriv=1": ("polynomial", True, None, 2 * 10**9, 2e9, None, 3, 1, None),
        "hann:32": ("named", False, 32, None, None, None, 0, 0, None),
        "3,2,1": ("custom", False, 3, None, None, None, 0, 0, None),
    }
    for text, values in expected.items():
        assert tuple(getattr(parse(text), name) for name in names) == values, text


@pytest.mark.parametrize("text", TEXTS)
def test_windows_are_values(text):
    a, b = parse(text), parse(text)
    assert a == b and hash(a) == hash(b) and len({a, b}) == 1
    assert pickle.loads(pickle.dumps(a)) == a
    assert a != windows.uniform(31)
    with pytest.raises(FrozenInstanceError):
        a.shape = "linear"
    if a.length:
        before = a.raw_weights()
        a.raw_weights()[:] = 0
        a.weights()[:] = 0
        assert np.array_equal(a.raw_weights(), before)


def test_custom_weights_are_copied():
    mine = np.array([3.0, 2.0, 1.0])
    w = windows.custom(mine)
    mine[:] = 0
    assert np.array_equal(w.raw_weights(), [3, 2, 1]) and w == windows.custom([3, 2, 1])


def test_durations_and_samples_differ():
    assert windows.uniform(1) != windows.uniform("1ns")
    assert windows.uniform("1s") == windows.uniform(dt.timedelta(seconds=1)) == windows.uniform(np.timedelta64(1, "s"))
    assert windows.uniform("1s") == windows.uniform(pd.Timedelta("1s"))
    assert windows.exponential(span=9) != windows.exponential(alpha=0.2)
    assert windows.gaussian(2) == windows.gaussian(2.0) and windows.uniform(30) == windows.uniform(np.int32(30))


# ---- moments and frequency response -------------------------------------------------------------------------------


def shape_in_time(w):
    """The shape's formula, over seconds, as a plain function."""
    s = w.scale_ns / 1e9
    return {
        "uniform": lambda a: 1.0,
        "linear": lambda a: 1 - a / s,
        "triangular": lambda a: 1 - abs(2 * a / s - 1),
        "gaussian": lambda a: math.exp(-a * a / (2 * s * s)),
        "exponential": lambda a: math.exp(-a / s),
    }[w.shape]


def integral(f, w, error=0.0):
    end = w.support_ns / 1e9 if w.support_ns else 60 * w.scale_ns / 1e9
    return integrate.quad(f, 0, end, points=[end / 2, end / 60], limit=500, epsrel=1e-12, epsabs=error)[0]


@pytest.mark.parametrize("text", [text for text in TIMED if "polynomial" not in text])
def test_moments_in_time_are_integrals(text):
    w = parse(text)
    f = shape_in_time(w)
    total = integral(f, w)
    assert w.delay == pytest.approx(integral(lambda a: a * f(a), w) / total, rel=1e-10)
    assert w.noise_gain == pytest.approx(integral(lambda a: f(a) ** 2, w) / total**2, rel=1e-10)


@pytest.mark.parametrize("text", [text for text in TIMED if "polynomial" not in text])
@pytest.mark.parametrize("turns", [0.0, 1e-6, 0.2, 1.0, 3.7, -0.4])
def test_response_in_time_is_the_fourier_integral(text, turns):
    w = parse(text)
    f = shape_in_time(w)
    freq = turns / (w.scale_ns / 1e9)
    total = integral(f, w)
    real = integral(lambda a: f(a) * math.cos(2 * math.pi * freq * a), w, 1e-11 * total)
    imag = integral(lambda a: f(a) * math.sin(2 * math.pi * freq * a), w, 1e-11 * total)
    assert w.frequency_response(freq) == pytest.approx((real - 1j * imag) / total, abs=1e-9)


@pytest.mark.parametrize("degree", range(6))
def test_polynomial_in_time_is_the_limit_of_dense_samples(degree):
    n = 20_000
    for deriv in range(degree + 1):
        w = windows.polynomial("2s", degree, deriv)
        dense = windows.polynomial(n, degree, deriv)
        rate = n / 2
        freqs = np.array([0.0, 0.3, -0.3, 2.0, 11.0])
        response = dense.frequency_response(freqs, rate) * rate**deriv
        size = np.abs(response).max()
        np.testing.assert_allclose(w.frequency_response(freqs), response, rtol=0, atol=3e-3 * size)
        assert w.noise_gain == pytest.approx(dense.noise_gain * rate ** (2 * deriv + 1), rel=5e-3)
        assert w.delay == pytest.approx(dense.delay / rate, rel=1e-3)


@pytest.mark.parametrize("text", FINITE)
def test_response_by_samples_is_freqz(text):
    w = parse(text)
    rate = 50.0
    freqs = np.linspace(-25, 25, 41)
    _, expected = signal.freqz(w.weights(), worN=freqs, fs=rate)
    np.testing.assert_allclose(w.frequency_response(freqs, rate), expected, rtol=0, atol=1e-12)
    ages = np.arange(w.length)
    assert w.noise_gain == pytest.approx((w.weights() ** 2).sum(), rel=1e-12)
    if not w.deriv:
        assert w.delay == pytest.approx(w.weights() @ ages, abs=1e-10)


@pytest.mark.parametrize("text", ["exponential:span=10", "exponential:tau=2.5", "exponential:alpha=1"])
def test_response_of_an_exponential_is_freqz(text):
    w = parse(text)
    freqs = np.linspace(0, 0.5, 21)
    _, expected = signal.freqz([w.alpha], [1, w.alpha - 1], worN=freqs, fs=1.0)
    np.testing.assert_allclose(w.frequency_response(freqs), expected, rtol=1e-12)
    taps = w.weights()
    assert w.delay == pytest.approx(taps @ np.arange(taps.size), rel=1e-9)
    assert w.noise_gain == pytest.approx(taps @ taps, rel=1e-9)


@pytest.mark.parametrize("text", [text for text in TEXTS if not parse(text).deriv or parse(text).degree == 1])
def test_delay_is_the_group_delay_of_slow_signals(text):
    w = parse(text)
    step = 1e-4 if not w.timed else 1e-4 / (w.scale_ns / 1e9)
    turned = w.frequency_response(step) / (2j * math.pi * step) ** w.deriv
    lag = -np.angle(turned) / (2 * math.pi * step)
    assert lag == pytest.approx(w.delay, rel=1e-4, abs=1e-4 * (1 if not w.timed else w.scale_ns / 1e9))


def test_response_of_a_function_is_accurate():
    w = windows.custom(lambda age: 1 - age / 2, "2s")
    freqs = np.array([[0.0, 0.4], [7.0, 900.0]])
    response = w.frequency_response(freqs)
    assert response.shape == (2, 2) and response.dtype == np.complex128
    np.testing.assert_allclose(response, windows.linear("2s").frequency_response(freqs), rtol=0, atol=1e-12)


def test_response_of_no_frequencies_is_empty():
    for text in TEXTS:
        assert parse(text).frequency_response([]).shape == (0,)


def test_a_gaussian_in_time_stays_finite_at_any_frequency():
    response = windows.gaussian("1s").frequency_response([0, 1e3, 1e9])
    assert np.isfinite(response).all() and response[0] == pytest.approx(1)


# ---- texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
def test_text_reads_back(text):
    w = parse(text)
    assert parse(str(w)) == w
    assert eval(repr(w), {"windows": windows}) == w
    assert parse(f"  {text} ") == w and windows.as_window(text) == w and windows.as_window(w) is w


def test_texts_are_the_shortest_exact_ones():
    assert str(parse("gaussian:2s,truncate=4")) == "gaussian:sigma=2s"
    assert str(parse("polynomial: 15 , degree = 2, deriv=1")) == "polynomial:15,deriv=1"
    assert str(parse("uniform:1.5h")) == "uniform:90min" and str(parse("uniform:width=1e3")) == "uniform:1000"
    assert str(parse("named:hann:9")) == "hann:9" and str(parse("HANN:9")) == "hann:9"
    assert str(windows.custom([1 / 3, 2e-300])) == "0.3333333333333333,2e-300"
    assert str(windows.custom(half_cosine, "2s")) == "custom(half_cosine, 2s)"
    assert repr(windows.custom(half_cosine, "2s")) == "windows.custom(half_cosine, '2s')"
    assert repr(windows.gaussian("2s", 3)) == "windows.gaussian(sigma='2s', truncate=3)"
    assert repr(windows.named(("kaiser", 8.6), 32)) == "windows.named(('kaiser', 8.6), 32)"


# ---- plot and imports ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", TEXTS)
def test_plot_has_three_panels(text):
    figure = parse(text).plot()
    assert len(figure.axes) == 3 and figure.get_suptitle() == str(parse(text))


def test_plot_writes_a_file(tmp_path):
    path = tmp_path / "window.png"
    windows.custom(half_cosine, "2s").plot(path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_plain_windows_load_no_scipy():
    code = (
        "import sys; from sigconv import windows as w;"
        "[w.parse(t).noise_gain for t in ('uniform:3', 'triangular:9', 'polynomial:9', 'gaussian:2s', '2,1')];"
        "assert not {'scipy', 'numba', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
