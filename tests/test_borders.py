"""Borders: the one index rule against numpy.pad and scipy.ndimage, at any distance, and the names it goes by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from sigconv.borders import ALIASES, BORDERS, border_name, index_of, layer_border

NUMPY = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}
REPEATING = {"reflect": lambda n: 2 * n, "mirror": lambda n: max(2 * n - 2, 1), "wrap": lambda n: n}

sizes = st.integers(1, 12)
borders = st.sampled_from(BORDERS)


@pytest.mark.parametrize("border", NUMPY)
@given(n=sizes, lo=st.integers(0, 60), hi=st.integers(0, 60))
def test_padding_is_numpys(border, n, lo, hi):
    expected = np.pad(np.arange(n), (lo, hi), mode=NUMPY[border])
    np.testing.assert_array_equal(index_of(np.arange(-lo, n + hi), n, border), expected)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_filters_of_scipy_see_the_same_cells(border, n):
    x = np.arange(1.0, n + 1)
    for shift in range(-4 * n - 3, 4 * n + 4):
        reach = abs(shift)
        weights = np.zeros(2 * reach + 1)
        weights[reach + shift] = 1
        expected = ndimage.correlate1d(x, weights, mode=border, cval=-7)
        found = index_of(np.arange(n) + shift, n, border)
        np.testing.assert_array_equal(np.where(found < 0, -7, x[found]), expected)


@given(n=sizes, i=st.integers(-(10**30), 10**30), border=borders)
def test_cells_inside_are_themselves_and_cells_far_off_have_one(n, i, border):
    assert [index_of(k, n, border) for k in range(n)] == list(range(n))
    found = index_of(i, n, border)
    assert type(found) is int
    assert 0 <= found < n or (border == "constant" and found == -1)


@given(n=st.integers(1, 2**70), i=st.integers(-(10**30), 10**30), border=st.sampled_from(sorted(REPEATING)))
def test_repeating_borders_repeat(n, i, border):
    period = REPEATING[border](n)
    assert index_of(i, n, border) == index_of(i + period, n, border) == index_of(i - 3 * period, n, border)
    if border == "reflect":
        assert index_of(i, n, border) == index_of(-1 - i, n, border)
    if border == "mirror":
        assert index_of(i, n, border) == index_of(-i, n, border)


@given(data=st.data(), n=sizes, border=borders)
def test_arrays_are_what_their_members_are(data, n, border):
    dtype = data.draw(st.sampled_from(["i1", "u1", ">i2", "i4", "i8", "u8"]))
    info = np.iinfo(dtype)
    members = data.draw(st.lists(st.integers(int(info.min), int(info.max)), min_size=6, max_size=6))
    found = index_of(np.array(members, dtype).reshape(2, 3)[:, ::-1], n, border)
    assert found.dtype == np.int64 and found.shape == (2, 3)
    assert found[:, ::-1].ravel().tolist() == [index_of(i, n, border) for i in members]


def test_kinds_of_answer():
    assert type(index_of(np.int8(-128), 100, "reflect")) is int
    assert index_of(np.int8(-128), 100, "reflect") == 72
    assert index_of(-1, 2**80, "wrap") == 2**80 - 1
    assert index_of(2**63, 3, "nearest") == index_of(np.array([2**64 - 1], np.uint64), 3, "edge")[0] == 2
    assert index_of(np.array([-1, 5]), 2**62, "reflect").tolist() == [0, 5]
    assert index_of([], 3, "wrap").shape == (0,)
    assert index_of(np.zeros((2, 0), np.int32), 3, "mirror").shape == (2, 0)
    assert index_of((-1, 3), 3, "replicate").tolist() == [0, 2]


@given(i=st.integers(-50, 50), n=sizes)
def test_aliases_are_what_they_stand_for(i, n):
    for alias, name in ALIASES.items():
        assert border_name(alias) == name
        assert index_of(i, n, alias) == index_of(i, n, name)
    assert [border_name(name) for name in BORDERS] == list(BORDERS)


def test_the_names_are_these():
    assert BORDERS == ("reflect", "mirror", "nearest", "wrap", "constant")
    assert ALIASES == {"symmetric": "reflect", "replicate": "nearest", "edge": "nearest", "circular": "wrap"}


def test_borders_of_layers():
    names = ("zeros", "constant", "mirror", "symmetric", "replicate", "edge", "nearest", "circular", "wrap")
    expected = ["constant", "constant", "mirror", "reflect", "nearest", "nearest", "nearest", "wrap", "wrap"]
    assert [layer_border(name) for name in names] == expected
    with pytest.raises(ValueError, match=r"^border must be 'mirror' for torch's 'reflect' or 'symmetric' for scipy's"):
        layer_border("reflect")


@pytest.mark.parametrize("value", ["Reflect", "reflect101", "grid-wrap", "zeros", "", None, 3, ["wrap"]])
def test_unknown_borders(value):
    for call in (border_name, lambda border: index_of(0, 3, border)):
        with pytest.raises(
            ValueError, match=r"^border must be one of 'reflect', 'mirror', .*'circular', got "
        ) as error:
            call(value)
        assert str(error.value).endswith(repr(value))


@pytest.mark.parametrize("value", ["grid-constant", "", None, 3, ["zeros"]])
def test_unknown_borders_of_layers(value):
    with pytest.raises(ValueError, match=r"^border must be one of 'zeros', 'mirror', .*'circular', got "):
        layer_border(value)


@pytest.mark.parametrize("value", [1.0, True, None, "1", [0.5], [True], ["a"], np.zeros(0), np.zeros(2), [2**70], 1j])
def test_places_that_are_no_whole_numbers(value):
    with pytest.raises(TypeError, match=r"^i must hold whole numbers, got "):
        index_of(value, 3, "wrap")


@pytest.mark.parametrize("value", [0, -4])
def test_axes_without_cells(value):
    with pytest.raises(ValueError, match=rf"^n must be at least 1, got {value}$"):
        index_of(0, value, "wrap")


@pytest.mark.parametrize("value", [2.0, True, None, "3"])
def test_sizes_that_are_no_whole_numbers(value):
    with pytest.raises(TypeError, match=r"^n must be a whole number, got "):
        index_of(0, value, "wrap")
