"""Edges, medians, pools and peaks of images against OpenCV where it is installed, scipy, and windows written out."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_oracle import INTEGERS, same_but_for_ties, seeds, shapes, whole_image, windows
from scipy import ndimage

import sigconv as sc
from sigconv import images
from sigconv.borders import BORDERS

borders = st.sampled_from(BORDERS)


# Edges ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["sobel", "prewitt"])
def test_steepness_is_scipys(name, rng):
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        x = (rng.random((25, 40)) * 200).astype(dtype)
        slopes = [getattr(ndimage, name)(x.astype(float), axis, mode="mirror") for axis in (0, 1)]
        for axis, slope in zip("yx", slopes, strict=True):
            found = images.filter(x, f"{name}_{axis}", dtype=np.float64)
            np.testing.assert_allclose(found, slope, rtol=0, atol=1e-3)
        y = getattr(images, name)(x)
        assert y.dtype == dtype
        expected = np.hypot(*slopes)
        if dtype in (np.uint8, np.uint16):
            same_but_for_ties(y, expected)
        else:
            np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-4)


def test_steepness_of_huge_and_of_missing_values():
    x = np.array([[0, 1e30, 0], [0, 1e30, 0]], np.float32)
    assert np.isfinite(images.sobel(x)).all()
    assert images.sobel(np.array([[0, 255]] * 4, np.uint8), border="reflect").max() == 255
    x = np.zeros((5, 7))
    x[0, 0] = np.nan
    for y in (images.sobel(x), images.gaussian(x, 0.25), images.box(x, 3)):
        assert np.isnan(y).sum() == 4


def test_steepness_does_not_depend_on_how_an_image_is_cut(rng):
    x = rng.integers(0, 256, (450, 700, 2), np.uint8)  # more pixels than are done at once
    across, down = (images.filter(x, f"sobel_{axis}", dtype="float32") for axis in "xy")
    np.testing.assert_array_equal(images.sobel(x, dtype="float32"), np.sqrt(across * across + down * down))
    with pytest.raises(ValueError, match="NaN"):
        images.sobel(np.where(np.arange(700 * 450).reshape(450, 700) == 99_999, np.nan, 0), dtype="int16")


def test_edges_are_opencvs(rng):
    cv2 = pytest.importorskip("cv2")
    x = images.gaussian(rng.integers(0, 256, (90, 121), np.uint8), 2)
    for image in (x, (x > 128).astype(np.uint8) * 200):
        y = images.edges(image, 30, 70, sigma=0, border="nearest")
        np.testing.assert_array_equal(y, cv2.Canny(image, 30, 70, L2gradient=True) > 0)
        assert 0 < y.sum() < y.size / 3
    y = images.edges(x.astype(np.float32), 30, 70, sigma=0, border="nearest")
    np.testing.assert_array_equal(y, cv2.Canny(x, 30, 70, L2gradient=True) > 0)


@pytest.mark.parametrize("border", BORDERS)
def test_edges_do_not_depend_on_how_an_image_is_cut(border, rng, monkeypatch):
    x = images.gaussian(rng.integers(0, 256, (150, 70), np.uint8), 1.5)
    whole = [images.edges(x, 20, 60, sigma=sigma, border=border) for sigma in (0, 1, 2)]
    monkeypatch.setattr(sys.modules["sigconv.images.edges"], "_BLOCK", 1)
    for sigma, y in enumerate(whole):
        assert 0 < y.sum() < y.size
        np.testing.assert_array_equal(images.edges(x, 20, 60, sigma=sigma, border=border), y)


def test_edges_of_a_disc_are_one_ring_however_noisy(rng):
    i, j = np.ogrid[-40:41, -40:41]
    disc = np.where(np.hypot(i, j) < 25, 150.0, 50.0) + rng.normal(0, 10, (81, 81))
    y = images.edges(disc, 60, 120, sigma=2.5)
    assert np.abs(np.hypot(i, j)[y] - 25).max() < 1.5
    assert ndimage.label(y, np.ones((3, 3)))[1] == 1 and 120 < y.sum() < 220
    assert not images.edges(np.full((5, 6), np.nan), 1, 2).any() and not images.edges(np.ones((5, 6)), 1e-9, 1e-9).any()
    assert images.edges(np.empty((0, 4)), 1, 2).shape == (0, 4)


# Orders ---------------------------------------------------------------------------------------------------------------
@given(
    shape=shapes, border=borders, seed=seeds, dtype=st.sampled_from([np.float16, np.float64, bool, *INTEGERS]),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)), missing=st.sampled_from([0, 0.02]),
)  # fmt: skip
def test_median_erode_and_dilate_order_their_windows(shape, border, seed, dtype, size, missing):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        x = whole_image(seed, shape, dtype)
    else:
        x = (rng.random(shape) > 0.4 if dtype is bool else rng.normal(0, 1, shape)).astype(dtype)
        if dtype is not bool:
            x[rng.random(shape) < missing] = np.nan
    cells = np.sort(windows(x, size, border, 1), axis=-1)
    gone = np.isnan(cells).any(-1) if np.dtype(dtype).kind == "f" else np.zeros(shape, bool)
    for y, rank in (
        (images.median(x, size, border=border, cval=1), cells.shape[-1] // 2),
        (images.erode(x, size, border=border, cval=1), 0),
        (images.dilate(x, size, border=border, cval=1), -1),
    ):
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, np.where(gone, np.nan, cells[..., rank]) if gone.any() else cells[..., rank])


@given(
    blocks=st.tuples(st.integers(1, 5), st.integers(1, 6)), size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seed=seeds, dtype=st.sampled_from([np.float32, *INTEGERS]), channels=st.sampled_from([(), (1,), (3,)]),
)  # fmt: skip
def test_pools_join_blocks(blocks, size, seed, dtype, channels):
    shape = (blocks[0] * size[0], blocks[1] * size[1], *channels)
    x = np.random.default_rng(seed).normal(0, 9, shape).astype(dtype) if dtype == np.float32 else (
        whole_image(seed, shape, dtype)
    )  # fmt: skip
    cells = x.reshape(blocks[0], size[0], blocks[1], size[1], *channels)
    np.testing.assert_array_equal(images.pool(x, "max", size), cells.max((1, 3)))
    np.testing.assert_array_equal(images.pool(x, "min", size), cells.min((1, 3)))
    y = images.pool(x, "mean", size)
    assert y.dtype == dtype
    if dtype == np.float32:
        np.testing.assert_allclose(y, cells.mean((1, 3), dtype=float), rtol=0, atol=1e-5)
    else:
        sums = cells.sum((1, 3), dtype=np.int64)
        assert y.ravel().tolist() == [round(Fraction(total, size[0] * size[1])) for total in sums.ravel().tolist()]


@pytest.mark.parametrize(("dtype", "size"), [(np.uint8, 181), (np.uint8, 180), (np.uint16, 12), (np.uint16, 11)])
def test_halves_of_wide_blocks_are_told_from_what_is_nearly_a_half(dtype, size):
    count = size * size
    x = np.full((3, count), np.iinfo(dtype).max, dtype)
    for k in range(3):
        x[k, : count // 2 + k - 1] -= 1
    y = images.pool(x.reshape(3 * size, size), "mean", size)
    sums = x.sum(1, dtype=np.int64).tolist()
    assert y.ravel().tolist() == [round(Fraction(total, count)) for total in sums]


def test_padding_of_a_pool_takes_no_part():
    x = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.uint8)
    assert images.pool(x, "mean", 2, padding=1).tolist() == [[1, 2], [6, 7]]  # of 1, 2 and 3 / 4 and 7 / 5, 6, 8 and 9
    assert images.pool(x, "min", 2, padding=1).tolist() == [[1, 2], [4, 5]]
    assert images.pool(x, "max", 2, stride=1).tolist() == [[5, 6], [8, 9]]


@given(
    shape=st.tuples(st.integers(1, 14), st.integers(1, 14)), seed=seeds, reach=st.integers(0, 4),
    levels=st.sampled_from([2, 5, 10**6]), dtype=st.sampled_from([np.int16, np.float32]),
)  # fmt: skip
def test_peaks_are_greatest_far_apart_and_complete(shape, seed, reach, levels, dtype):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, shape).astype(dtype)
    if dtype == np.float32:
        x[rng.random(shape) < 0.1] = np.nan
    places = images.peaks(x, levels / 3, reach)
    assert places.dtype == np.int64 and places.shape[1:] == (2,)
    around = [x[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1] for i, j in places]
    values = x[tuple(places.T)]
    assert all(np.nanmax(part) == value >= levels / 3 for part, value in zip(around, values, strict=True))
    assert (np.diff(values.astype(float)) <= 0).all()
    steps = np.abs(places[:, None] - places[None]).max(-1, initial=0) + 10**6 * np.eye(len(places), dtype=int)
    assert steps.min(initial=10**6) > reach
    near = np.zeros(shape, bool)  # whatever else is greatest around itself lies near to one of them
    for i, j in places:
        near[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1] = True
    for i, j in np.argwhere(~near & (x >= levels / 3)):
        assert np.nanmax(x[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]) > x[i, j]


def test_peaks_of_a_template_and_of_plateaus():
    rng = np.random.default_rng(1)
    scene, template = rng.normal(0, 1, (60, 80)), rng.normal(0, 1, (7, 9))
    for row, column in ((20, 30), (40, 12)):
        scene[row - 3 : row + 4, column - 4 : column + 5] = template
    found = images.peaks(sc.match_template(scene, template), 0.9, 3)
    assert sorted(found.tolist()) == [[20, 30], [40, 12]]
    assert images.peaks(np.ones((4, 7)), 1, 2).tolist() == [[0, 0], [0, 3], [0, 6], [3, 0], [3, 3], [3, 6]]
    assert images.peaks(np.ones((4, 7)), 2).shape == images.peaks(np.empty((0, 3)), 2).shape == (0, 2)
    assert images.peaks([1, 5, 1, 4, 1], 2).tolist() == [[1], [3]]
