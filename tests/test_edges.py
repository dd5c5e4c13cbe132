"""Where numbers, memory and types end: what would overflow, overrun or not convert."""

import datetime as dt

import numpy as np
import pytest

import sigconv as sc


def test_durations_that_would_overflow_are_refused():
    with pytest.raises(ValueError, match="146 years"):
        sc.moving_median([1.0], "100000d", times=[0.0])
    with pytest.raises(ValueError, match="146 years"):
        sc.smooth([1.0], "uniform:60000d", times=[0.0])
    with pytest.raises(ValueError, match="truncate"):
        sc.smooth([1.0], "gaussian:sigma=26000d", times=[0.0])


def test_ranks_refuse_angles_and_measures():
    with pytest.raises(ValueError, match="period"):
        sc.Smoother("hampel:5", period=360)
    with pytest.raises(ValueError, match="measure"):
        sc.Smoother("median:3s", measure="hold")


def test_times_as_datetime_objects():
    start = dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    stamps = [start + dt.timedelta(milliseconds=250 * k) for k in range(5)]
    expected = sc.smooth(np.arange(5.0), "uniform:1s", times=np.arange(5) * 0.25)
    for times in (stamps, [stamp.replace(tzinfo=None) for stamp in stamps], [stamp - start for stamp in stamps]):
        assert np.array_equal(sc.smooth(np.arange(5.0), "uniform:1s", times=times), expected)
    with pytest.raises(TypeError, match="times"):
        sc.smooth([1.0, 2.0], "uniform:1s", times=["now", "later"])


def test_fft_in_float32_keeps_the_start():
    x = (100 + np.random.default_rng(0).normal(size=3000)).astype("f4")
    expected = sc.smooth(x.astype(float), "hann:1000")
    np.testing.assert_allclose(sc.smooth(x, "hann:1000", method="fft"), expected, rtol=1e-5)


@pytest.mark.parametrize("offset", range(0, 16, 3))
@pytest.mark.parametrize("rows", [9, 12, 14])
def test_results_past_the_cache_stay_inside_their_array(offset, rows):
    n = 2**20 + 29 + rows
    room = np.full(n + 64, -7.0)
    sc.smooth(np.ones(n), "uniform:30", out=room[offset : offset + n])
    assert (room[offset : offset + n] == 1).all()
    assert (room[:offset] == -7).all() and (room[offset + n :] == -7).all()
