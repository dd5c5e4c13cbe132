"""Which kinds of numbers correlation takes and gives: dtypes, layouts, results in integers, complex numbers, `out`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_linear import weighted
from scipy import signal
from test_linear import BOTH, borders, near, operations, rounding, seeds, windows_over_arrays

import sigconv as sc

INTEGERS = [np.dtype(name) for name in ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")]
VIEWS = {
    "transposed": lambda x: x.T,
    "reversed rows": lambda x: x[::-1],
    "reversed columns": lambda x: x[:, ::-1],
    "reversed both": lambda x: x[::-1, ::-1],
    "strided": lambda x: x[::2, ::3],
    "strided rows": lambda x: x[::3],
    "inside": lambda x: x[3:40, 5:60],
    "columns first": np.asfortranarray,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "little-endian": lambda x: x.astype(x.dtype.newbyteorder("<")),
    "one row many times": lambda x: np.broadcast_to(x[:1], (30, x.shape[1])),
    "one column many times": lambda x: np.broadcast_to(x[:, :1], (x.shape[0], 30)),
    "unaligned": lambda x: np.frombuffer(b"." + x.tobytes(), x.dtype, x.size, 1).reshape(x.shape),
    "a new axis": lambda x: x[:, None, :],
    "a record's field": lambda x: np.array([*zip(x.ravel(), x.ravel(), strict=True)], [("a", x.dtype), ("b", x.dtype)])[
        "b"
    ].reshape(x.shape),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "u2", "i4", "f2", "c8"])
def test_views(view, dtype, rng):
    x = VIEWS[view](rng.integers(0, 200, (70, 80)).astype(dtype))
    x.flags.writeable = False
    plain = np.array(x, x.dtype.newbyteorder("="), order="C")
    for w in (rng.normal(size=(3, 4)), rng.integers(-5, 5, (5, 5)), np.ones((5, 4))):
        w = w if x.ndim == 2 else w[:, None]
        for options in ({}, {"border": "wrap", "stride": 2}, {"mode": "full", "cval": 3}):
            y = sc.correlate(x, w, **options)
            np.testing.assert_array_equal(y, sc.correlate(plain, w, **options))
            np.testing.assert_array_equal(y, sc.correlate(x, w[::-1, ..., ::-1][::-1, ..., ::-1], **options))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.bool_])
def test_integers_weighed_by_integers_are_exact(dtype, kind, rng):
    for shape, kernel in (((20, 31), (3, 4)), ((20, 31), (5, 5)), ((400,), (31,)), ((6, 7, 8), (3, 2, 4))):
        high = 2 if dtype.kind == "b" else np.iinfo(dtype).max if dtype.itemsize < 4 else 2**20
        x = rng.integers(0, high, shape, endpoint=dtype.kind != "b").astype(dtype)
        product = np.ones(kernel, int)
        for w in (rng.integers(0, 2 if kind is np.bool_ else 100, kernel).astype(kind), product.astype(kind)):
            for operation, run in BOTH.items():
                y = run(x, w, border="constant", cval=7)
                expected, _ = weighted(x, w, flipped=operation == "convolve", border="constant", cval=7)
                assert y.dtype == np.int64
                np.testing.assert_array_equal(y, expected.astype(np.int64))


@given(case=windows_over_arrays(ranks=(1, 3)), bits=st.integers(1, 62), border=borders, seed=seeds)
def test_integers_of_any_size_are_exact_or_refused(case, bits, border, seed):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-(2**bits), 2**bits, shape), rng.integers(-9, 9, kernel)
    if max(map(abs, x.ravel().tolist())) * int(np.abs(w).sum()) >= 2**63:
        with pytest.raises(ValueError, match=r"^weights must keep the sums of integers below 2\*\*63; use floating "):
            sc.correlate(x, w, border=border, **options)
    else:
        y = sc.correlate(x, w, border=border, **options)
        expected, _ = weighted(x, w, border=border, **options)
        np.testing.assert_array_equal(y, expected.astype(np.int64))


def test_the_largest_sums_of_int64():
    assert sc.correlate([2**62, -(2**62)], [1, 0, 0], border="nearest").tolist() == [2**62, 2**62]
    assert sc.correlate(np.array([2**63 - 1], np.uint64), [1]).tolist() == [2**63 - 1]
    for x, w, cval in (([2**62], [1, 1, 0], 0), (np.array([2**63], np.uint64), [1], 0), ([1], [1, 1], 2**62)):
        with pytest.raises(ValueError, match=r"2\*\*63"):
            sc.correlate(x, w, border="constant", cval=cval)
    assert sc.correlate(np.zeros((0, 3), np.int64), [[2**62]]).shape == (0, 3)
    wide = np.outer(np.arange(1, 7), np.arange(1, 7)) * 2**25  # a product whose sums no float holds
    x = np.random.default_rng(0).integers(0, 2**25, (30, 40))
    expected = weighted(x, wide)[0].astype(np.int64)
    for method in ("auto", "direct", "separable"):
        np.testing.assert_array_equal(sc.correlate(x, wide, method=method), expected)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_weighed_by_floats_are_floats(dtype, rng):
    x = rng.integers(0, 2 if dtype.kind == "b" else 120, (30, 40)).astype(dtype)
    for w in (rng.normal(size=(3, 5)), np.ones((7, 7)), rng.normal(size=(3, 5)).astype(np.float32)):
        y = sc.correlate(x, w)
        assert y.dtype == (np.float32 if dtype.itemsize <= 2 else np.float64)
        near(y, *weighted(x, w), 40)


def test_halves_are_summed_as_singles(rng):
    x = rng.normal(0, 3, (50, 60)).astype(np.float16)
    w = rng.normal(size=(5, 4))
    y = sc.correlate(x, w)
    assert y.dtype == np.float16
    single = sc.correlate(x.astype(np.float32), w)
    np.testing.assert_array_equal(y, single.astype(np.float16))
    assert np.isposinf(sc.correlate(np.full(3, 6e4, np.float16), [1, 1])).all()
    assert sc.correlate(np.ones(3, np.longdouble), [0.5]).dtype == np.float64


@given(case=windows_over_arrays(), kinds=st.sampled_from(["cc", "cf", "fc", "ic", "ci"]), border=borders,
       operation=operations, single=st.booleans(), seed=seeds)  # fmt: skip
def test_complex_numbers(case, kinds, border, operation, single, seed):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)

    def draw(kind, size):
        values = rng.normal(0, 3, size) + (1j * rng.normal(0, 3, size) if kind == "c" else 0)
        dtype = {"c": np.complex64 if single else np.complex128, "f": np.float32 if single else float, "i": np.int16}
        return values.astype(dtype[kind])

    x, w = draw(kinds[0], shape), draw(kinds[1], kernel)
    cval = 2 - 1j if kinds[0] == "c" else 2
    y = BOTH[operation](x, w, border=border, cval=cval, **options)
    narrow = kinds[0] == "i" or single
    assert y.dtype == (np.complex64 if narrow else np.complex128)
    near(y, *weighted(x, w, flipped=operation == "convolve", border=border, cval=cval, **options), rounding(kernel, 8))


def test_parts_of_complex_numbers_do_not_mix():
    x = np.array([1 + 1j, np.inf + 2j, 3 - 1j, 4.0])
    y = sc.correlate(x, [1.0, 1.0], border="wrap")
    assert y.imag.tolist() == [1, 3, 1, -1] and y.real.tolist() == [5, np.inf, np.inf, 7]
    y = sc.correlate(np.array([1.0, np.nan, 2, 3]), [1j, 2], border="wrap")
    assert np.isnan(y).tolist() == [False, True, True, False]
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=n) + 1j * rng.normal(size=n) for n in (50, 7))
    for method in ("direct", "fft"):
        np.testing.assert_allclose(sc.correlate(x, w, mode="full", method=method), signal.correlate(x, w), atol=1e-13)


@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">i2", ">u4"]),
    source=st.sampled_from(["u1", "u2", "i4", "f2", "f4", "f8"]), whole=st.booleans(), seed=seeds,
    overflow=st.sampled_from(["saturate", "wrap", "raise"]), scale=st.sampled_from([0.5, 3.0, 1e6, 1e14, 1e22]),
)  # fmt: skip
def test_results_in_integers(dtype, source, whole, overflow, scale, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 200, (9, 70)).astype(source)
    w = rng.integers(-9, 9, (2, 3)) if whole else (rng.integers(-9, 9, (2, 3)) * scale / 2)
    exact = sc.correlate(x.astype(np.float32) if source == "f2" else x, w)  # halves are summed in singles
    values = [int(np.rint(np.longdouble(v))) for v in exact.astype(np.longdouble if not whole else object).ravel()]
    info = np.iinfo(dtype)
    beyond = min(values) < info.min or max(values) > info.max
    if overflow == "raise" and beyond:
        with pytest.raises(ValueError, match=rf"^out_dtype {np.dtype(dtype)} must hold the result, which is in \["):
            sc.correlate(x, w, out_dtype=dtype, overflow=overflow)
        return
    if overflow == "wrap":
        expected = [(v - info.min) % 2**info.bits + info.min for v in values]
    else:
        expected = [min(max(v, info.min), info.max) for v in values]
    y = sc.correlate(x, w, out_dtype=dtype, overflow=overflow)
    assert y.dtype == np.dtype(dtype) and y.ravel().tolist() == expected


@pytest.mark.parametrize("source", [np.uint8, np.uint16, np.float32, np.float64])
def test_rounding_is_half_to_even_and_saturates(source):
    x = np.arange(200).astype(source)
    assert sc.correlate(x, [0.5], out_dtype=source if source in (np.uint8, np.uint16) else np.uint8)[:8].tolist() == [
        0, 0, 1, 2, 2, 2, 3, 4
    ]  # fmt: skip
    for target, most in ((np.uint8, 255), (np.uint16, 65535), (np.int8, 127)):
        y = sc.correlate(x, [1e30 if source == np.float64 else 1e10], out_dtype=target)
        assert y[0] == 0 and (y[1:] == most).all()
        assert (sc.correlate(x, [-1e10], out_dtype=target)[1:] == np.iinfo(target).min).all()
    y = sc.correlate(
        np.array([np.inf, -np.inf, 1], source if np.dtype(source).kind == "f" else float), [1.0], out_dtype=np.int16
    )
    assert y.tolist() == [32767, -32768, 1]


@pytest.mark.parametrize("source", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("overflow", ["saturate", "wrap", "raise"])
def test_nan_is_no_integer(source, overflow):
    x = np.arange(50).astype(source)
    target = np.uint16 if source == np.uint16 else np.uint8
    message = rf"^out_dtype {np.dtype(target)} cannot hold NaN, which the result has$"
    for w, cval in (([np.nan, 1, 1], 0), ([np.inf, -np.inf, 0], 0), ([1.0, 1, 1], np.nan)):
        with pytest.raises(ValueError, match=message):
            sc.correlate(x, w, border="constant", cval=cval, out_dtype=target, overflow=overflow)


def test_other_kinds_of_results(rng):
    x, w = rng.integers(0, 99, (30, 40), np.uint8), rng.normal(size=(3, 3))
    y = sc.correlate(x, w)
    for dtype in ("f8", "f2", ">f4", "c16", "f4"):
        np.testing.assert_array_equal(sc.correlate(x, w, out_dtype=dtype), y.astype(dtype))
        assert sc.correlate(x, w, out_dtype=dtype).dtype == np.dtype(dtype)
    whole = sc.correlate(x, [[1, 2]], out_dtype=np.float32)
    np.testing.assert_array_equal(whole, sc.correlate(x, [[1, 2]]).astype(np.float32))


LAYOUTS = {
    "plain": lambda shape, dtype: np.full(shape, 77, dtype),
    "columns first": lambda shape, dtype: np.full(shape, 77, dtype, order="F"),
    "every other": lambda shape, dtype: np.full([2 * n for n in shape], 77, dtype)[::2, ::2],
    "reversed": lambda shape, dtype: np.full(shape, 77, dtype)[::-1, ::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "f2", "c8", "i8"])
def test_out(layout, dtype, rng):
    x = rng.integers(0, 100, (40, 50)).astype(dtype)
    for w in (rng.integers(-3, 3, (3, 4)), np.outer([1, 2, 1, 3, 1], [1, 4, 4, 1])):
        for options in ({}, {"stride": (2, 3)}, {"mode": "full"}, {"out_dtype": np.int16} if dtype != "c8" else {}):
            expected = sc.correlate(x, w, **options)
            out = LAYOUTS[layout](expected.shape, expected.dtype)
            assert sc.correlate(x, w, out=out, **options) is out
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("operation", BOTH)
def test_out_may_be_the_input(operation, rng):
    run = BOTH[operation]
    x, w = rng.normal(size=(40, 50)), rng.normal(size=(3, 4))
    expected = run(x, w)
    overlapping = np.zeros((41, 50))
    overlapping[:40] = x
    run(overlapping[:40], w, out=overlapping[1:])
    np.testing.assert_array_equal(overlapping[1:], expected)
    turned = x.copy()
    run(turned, w, out=turned[::-1])
    np.testing.assert_array_equal(turned[::-1], expected)
    assert run(x, w, out=x) is x
    np.testing.assert_array_equal(x, expected)
    line = rng.normal(size=9)
    expected = run(line, line)
    np.testing.assert_array_equal(run(line.copy(), line, out=line), expected)


def test_masked_arrays_are_missing_where_they_are_masked():
    x = np.ma.array([1, 2, 3, 4], mask=[0, 1, 0, 0])
    assert sc.correlate(x, [0.5, 0.5], border="nearest", nan_policy="omit").tolist() == [1, 1, 3, 3.5]
    assert np.isnan(sc.correlate(x, [0.5, 0.5])).tolist() == [False, True, True, False]
    assert sc.correlate(np.ma.array([1, 2, 3]), [1]).tolist() == [1, 2, 3]
