"""On real logs the answers are pandas', and Series and frames keep what they are."""

from pathlib import Path

import numpy as np
import oracle
import pandas as pd
import pytest
from cases import assert_same_bits
from scipy.signal import lfilter, savgol_coeffs

import sigconv as sc

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "telemetry"
LOGS = ["imu", "gps", "adsb", "pv_snow", "nyc_weather", "uci", "nab"]


def read(name):
    """Stamps as text or seconds, and the table."""
    files = {path.name.split("_")[0]: path for path in DATA.glob("*.csv")}
    path = files.get(name.split("_")[0])
    if path is None:
        pytest.skip("the real logs are not on this machine")
    if name == "imu":
        table = pd.read_csv(path)
        return pd.to_timedelta(np.round(table.pop("Time (s)") * 1e9).astype(np.int64), unit="ns"), table
    if name == "adsb":
        table = pd.read_csv(path, skipinitialspace=True)
        seconds = table.pop("t_unix")
        return pd.to_timedelta(np.round((seconds - seconds[0]) * 1000).astype(np.int64), unit="ms"), table
    if name == "uci":
        table = pd.read_csv(path, sep=";", decimal=",", na_values=[-200])
        return pd.to_timedelta(np.arange(len(table)), unit="h"), table
    table = pd.read_csv(path)
    column = {"gps": "time", "pv_snow": "Timestamp", "nyc_weather": "time_hour", "nab": "timestamp"}[name]
    if name == "nyc_weather":
        table = table[table["origin"] == "JFK"].reset_index(drop=True)
    stamps = pd.to_datetime(table.pop(column), **({"format": "%m/%d/%Y %H:%M"} if name == "pv_snow" else {}))
    return stamps - stamps[0], table


@pytest.fixture(params=LOGS)
def log(request):
    """One log's numeric columns, indexed from 1970 on (pandas keeps decays over time in float64 ns since then)."""
    elapsed, table = read(request.param)
    table = table.apply(pd.to_numeric, errors="coerce").dropna(axis=1, how="all").astype(float)
    table.index = pd.DatetimeIndex(pd.Timestamp(0) + pd.TimedeltaIndex(elapsed).as_unit("ns"))
    if request.param == "nab":  # its clock steps back once
        table = table[:10149]
    return table


def assert_parity(ours, theirs):
    """Equal index and names, missing in the same places, and within 1e-12 of each column's largest value."""
    assert ours.index.equals(theirs.index) and list(ours.columns) == list(theirs.columns)
    assert (ours.isna() == theirs.isna()).all().all()
    scale = np.maximum(theirs.abs().max().fillna(0), 1e-300)
    assert ((ours - theirs).abs().max().fillna(0) <= 1e-12 * scale).all()


@pytest.mark.parametrize("option", [{"alpha": 0.2}, {"alpha": 1.0}, {"span": 12}, {"com": 3.5}, {"halflife": 7}])
def test_exponential_by_samples(log, option):
    assert_parity(sc.smooth(log, sc.windows.exponential(**option)), log.ewm(**option).mean())
    complete = log.dropna(axis=1)
    if complete.shape[1]:
        theirs = complete.ewm(**option, adjust=False).mean()
        assert_parity(sc.smooth(complete, sc.windows.exponential(**option), initial="first"), theirs)


@pytest.mark.parametrize("halflife", ["1s", "90s", "6h"])
def test_exponential_by_time(log, halflife):
    theirs = log.ewm(halflife=halflife, times=log.index).mean()
    assert_parity(sc.smooth(log, sc.windows.exponential(halflife=halflife)), theirs)


@pytest.mark.parametrize("width", [1, 2, 9, 60, 500])
def test_mean_and_median_by_count(log, width):
    assert_parity(sc.smooth(log, sc.windows.uniform(width)), log.rolling(width, min_periods=1).mean())
    assert_parity(sc.moving_median(log, width), log.rolling(width, min_periods=1).median())
    if width > 2:
        assert_parity(
            sc.smooth(log, sc.windows.uniform(width), min_samples=3), log.rolling(width, min_periods=3).mean()
        )


@pytest.mark.parametrize("width", ["50ms", "20s", "3h"])
def test_mean_and_median_by_offset(log, width):
    theirs = log.rolling(pd.Timedelta(width), min_periods=1)
    assert_parity(sc.smooth(log, sc.windows.uniform(width)), theirs.mean())
    assert_parity(sc.moving_median(log, width), theirs.median())


def test_a_clock_that_steps_back_is_refused_where_it_does():
    elapsed, table = read("nab")
    stamps = np.datetime64("2013-12-02", "ns") + elapsed.to_numpy()
    with pytest.raises(ValueError, match=r"times.*\b10149\b"):
        sc.smooth(table["value"].to_numpy(), "uniform:1h", times=stamps)


@pytest.fixture
def frame(rng):
    index = pd.date_range("2024-02-29 12:00", periods=50, freq="250ms", name="stamp")
    values = np.where(rng.random((50, 2)) < 0.1, np.nan, rng.standard_normal((50, 2)))
    return pd.DataFrame(values, index=index, columns=["left", "right"])


def test_series_keep_index_and_name(frame):
    series = frame["left"]
    y = sc.smooth(series, "uniform:4")
    assert type(y) is pd.Series and y.name == "left" and y.index.equals(series.index) and y.index.name == "stamp"
    assert_same_bits(y.to_numpy(), sc.smooth(series.to_numpy(), "uniform:4"))
    assert sc.smooth(series.astype(np.float32), "uniform:4").dtype == np.float32
    counts = pd.Series([1, 2, 4], index=list("abc"), name="n")
    assert sc.smooth(counts, "uniform:2").to_dict() == {"a": 1, "b": 1.5, "c": 3}
    median = sc.moving_median(series, 3)
    assert type(median) is pd.Series and median.name == "left"
    y, outlier = sc.hampel(series, 5)
    assert type(y) is pd.Series and type(outlier) is pd.Series and outlier.dtype == bool
    assert y.index.equals(series.index) and outlier.index.equals(series.index)


def test_frames_run_down_the_rows_and_keep_their_columns(frame):
    y = sc.smooth(frame, "linear:5")
    assert type(y) is pd.DataFrame and y.index.equals(frame.index) and y.columns.equals(frame.columns)
    for name in frame:
        assert_same_bits(y[name].to_numpy(), sc.smooth(frame[name].to_numpy(), "linear:5"))
    mixed = pd.DataFrame({"n": [1, 2, 4], "x": [0.5, np.nan, 1.5]})
    assert sc.smooth(mixed, "uniform:2").to_dict("list") == {"n": [1, 1.5, 3], "x": [0.5, 0.5, 1.5]}


def test_a_datetime_index_serves_as_times(frame):
    expected = sc.smooth(frame.to_numpy(), "gaussian:sigma=1s", times=frame.index.to_numpy(), axis=0)
    assert_same_bits(sc.smooth(frame, "gaussian:sigma=1s").to_numpy(), expected)
    for index in (frame.index.tz_localize("Europe/Paris"), frame.index.as_unit("ms"), frame.index.as_unit("us")):
        y = sc.smooth(frame.set_index(index), "gaussian:sigma=1s")
        assert y.index.equals(index)
        assert_same_bits(y.to_numpy(), expected)
    other = np.arange(50) * 10**9
    given = sc.smooth(frame["left"], "uniform:2s", times=other)
    assert_same_bits(given.to_numpy(), sc.smooth(frame["left"].to_numpy(), "uniform:2s", times=other))
    assert_same_bits(
        sc.smooth(frame["left"].to_numpy(), "uniform:2s", times=frame.index), sc.smooth(frame["left"], "uniform:2s")
    )
    stamps = frame.index.to_series()
    assert_same_bits(sc.smooth(frame["left"], "uniform:2s", times=stamps), sc.smooth(frame["left"], "uniform:2s"))
    with pytest.raises(ValueError, match="times"):
        sc.smooth(frame["left"].reset_index(drop=True), "uniform:2s")
    with pytest.raises(ValueError, match="times"):
        sc.smooth(frame["left"].iloc[::-1], "uniform:2s")
    complete = frame["left"].fillna(0)
    assert_same_bits(sc.smooth(complete, "uniform:2", max_gap="100ms"), complete)


def test_the_oracle_itself_agrees_with_pandas_and_scipy(rng):
    n = 80
    x = np.where(rng.random(n) < 0.2, np.nan, rng.standard_normal(n))
    times = np.cumsum(rng.choice([0, 1000, 10**8, 10**9, 3 * 10**9], n))
    series = pd.Series(x, index=pd.to_datetime(times))
    filled = np.nan_to_num(x)

    def close(found, expected):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)

    for width in (1, 3, 100):
        close(oracle.smooth(x, {"shape": "uniform", "width": width})[0], series.rolling(width, min_periods=1).mean())
        close(oracle.moving_median(x, width), series.rolling(width, min_periods=1).median())
    close(oracle.smooth(x, {"shape": "uniform", "width_ns": 2 * 10**9}, times)[0], series.rolling("2s").mean())
    close(oracle.moving_median(x, width_ns=2 * 10**9, times_ns=times), series.rolling("2s").median())
    for option in ({"alpha": 0.3}, {"span": 5}, {"com": 2}, {"halflife": 3}):
        spec = {"shape": "exponential", **option}
        close(oracle.smooth(x, spec)[0], series.ewm(**option).mean())
        close(oracle.smooth(filled, spec, initial="first")[0], pd.Series(filled).ewm(**option, adjust=False).mean())
    close(
        oracle.smooth(filled, {"shape": "exponential", "alpha": 0.3}, initial="zero")[0],
        lfilter([0.3], [1, -0.7], filled),
    )
    spec = {"shape": "exponential", "halflife_ns": 10**9}
    close(oracle.smooth(x, spec, times)[0], series.ewm(halflife="1s", times=series.index).mean())
    for deriv in (0, 1):
        fitted = oracle.smooth(filled, {"shape": "polynomial", "width": 7, "degree": 2, "deriv": deriv})[0]
        weights = savgol_coeffs(7, 2, deriv=deriv, pos=6, use="dot")
        close(fitted[6:], np.convolve(filled, weights[::-1], "valid"))
