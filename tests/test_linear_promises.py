"""What correlation promises: missing values, methods that agree, memory, threads, plans that tell the truth, errors."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_linear import weighted
from scipy import ndimage, signal
from test_linear import BOTH, borders, floats, near, operations, rounding, seeds, windows_over_arrays

import sigconv as sc
from sigconv.engines.cpu.linear import slabs
from sigconv.plan_linear import factors_of


@given(case=windows_over_arrays(), border=borders, dtype=floats, operation=operations, seed=seeds,
       cval=st.sampled_from([0.5, np.nan, np.inf]))  # fmt: skip
def test_nan_and_infinity_stay_in_their_windows(case, border, dtype, operation, seed, cval):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 3, shape).astype(dtype), rng.integers(-2, 3, kernel).astype(dtype)
    x[rng.random(shape) < 0.03] = rng.choice([np.nan, np.inf, -np.inf])
    y = BOTH[operation](x, w, border=border, cval=cval, method="direct", **options)
    with np.errstate(invalid="ignore"):
        expected, scale = weighted(x, w, flipped=operation == "convolve", border=border, cval=cval, **options)
    there = np.isfinite(expected)
    np.testing.assert_array_equal(y[~there], expected[~there].astype(dtype))
    near(y[there], expected[there], scale[there], rounding(kernel))


@given(case=windows_over_arrays(), border=borders, dtype=floats, operation=operations, seed=seeds,
       missing=st.sampled_from([0, 0.1, 0.7, 1]), cval=st.sampled_from([0.5, np.nan]))  # fmt: skip
def test_omitted_values_leave_their_weight_to_the_others(case, border, dtype, operation, seed, missing, cval):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 3, shape).astype(dtype), rng.uniform(0, 1, kernel).astype(dtype)
    w[rng.random(kernel) < 0.2] = 0
    if not w.any():
        w.flat[0] = 1
    x[rng.random(shape) < missing] = np.nan
    options |= {"border": border, "cval": cval}
    y = BOTH[operation](x, w, nan_policy="omit", **options)
    expected, scale = weighted(x, w, flipped=operation == "convolve", omit=True, **options)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    there = ~np.isnan(y)
    near(y[there], expected[there], scale[there], rounding(kernel, 12))


def test_omitting_where_nothing_is_missing_changes_no_bit(rng):
    x, w = rng.normal(size=(60, 70)), rng.uniform(0, 1, (5, 4))
    np.testing.assert_array_equal(sc.correlate(x, w, nan_policy="omit"), sc.correlate(x, w, method="direct"))
    x[20, 30] = np.nan
    y = sc.correlate(x, w, nan_policy="omit")
    apart = np.ones(x.shape, bool)
    apart[18:24, 28:34] = False
    np.testing.assert_array_equal(y[apart], sc.correlate(x, w, method="direct")[apart])


def test_omitting_weighs_the_faintest_that_is_present():
    x = np.array([5.0, np.nan, np.nan, np.nan, 7.0], np.float32)
    y = sc.correlate(x, [1e-12, 1, 1e-12], nan_policy="omit", border="constant", cval=np.nan)
    np.testing.assert_allclose(y, [5, 5, np.nan, 7, 7], rtol=1e-6)
    y = sc.correlate([1, np.nan, 3], [-1.0, 3, -1], nan_policy="omit", border="constant", cval=np.nan)
    np.testing.assert_allclose(y, [1, 2, 3])
    assert np.isnan(sc.correlate([np.nan, 1, 1, np.nan], [1.0, -1, 1], nan_policy="omit", border="wrap")).sum() == 2
    assert sc.correlate([[1, 2], [3, 4]], [[1, -1]], nan_policy="omit").tolist() == [[0, -1], [0, -1]]


@given(case=windows_over_arrays(), border=borders, dtype=floats, operation=operations, seed=seeds)
def test_methods_agree(case, border, dtype, operation, seed):
    shape, kernel, options = case
    rng = np.random.default_rng(seed)
    x, w = rng.normal(0, 3, shape).astype(dtype), np.ones(kernel)
    for axis, k in enumerate(kernel):
        factor = rng.normal(size=k)
        factor[rng.random(k) < 0.1] = 0
        w = w * factor.reshape([-1 if a == axis else 1 for a in range(len(kernel))])
    if not w.any():
        w[:] = 1
    w = w.astype(dtype)
    options |= {"border": border, "cval": 1.5}
    expected, scale = weighted(x, w, flipped=operation == "convolve", **options)
    for method in ("auto", "direct", "separable"):
        near(BOTH[operation](x, w, method=method, **options), expected, scale, rounding(kernel, 8) + sum(kernel))
    near(BOTH[operation](x, w, method="fft", **options), expected, np.abs(x).max() * np.abs(w).sum() + 1.5, 20)


@pytest.mark.parametrize("shape", [(900, 1000), (1000, 800, 3), (4, 500, 400), (600_000,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_methods_agree_over_several_parts(shape, dtype, rng):
    x = rng.integers(0, 256, shape).astype(dtype)
    axes = (0,) if len(shape) == 1 else (1, 2) if shape[0] == 4 else (0, 1)
    w = np.multiply.outer([1, 2, 5, 2, 1], [3, 1, -1, 3]) if len(axes) == 2 else np.arange(9)
    for options in (
        {},
        {"mode": "valid"},
        {"border": "constant", "cval": 3, "stride": 3},
        {"mode": "full", "dilation": 2},
    ):
        expected = sc.correlate(x, w, axes=axes, method="direct", **options)
        for method in ("separable", "fft"):
            y = sc.correlate(x, w, axes=axes, method=method, **options)
            if y.dtype == np.int64 or method == "separable":
                np.testing.assert_array_equal(y, expected)  # small whole numbers: nothing is rounded
            else:
                np.testing.assert_allclose(y, expected, atol=1e-9 if dtype == np.float64 else 0.02)


def test_factors_are_found_where_there_are_some(rng):
    double = np.dtype(float)
    g = np.exp(-(np.arange(-6.0, 7) ** 2) / 8)
    for w in (
        np.outer(g, g),
        np.outer(g, np.gradient(g)),
        np.outer(g, g).astype(np.float32)[:, None],
        np.ones((3, 4, 5)),
    ):
        factors = factors_of(w, np.dtype(np.float32))
        product = np.ones([1] * w.ndim)
        for factor in factors:
            product = product * factor
        np.testing.assert_allclose(product, w, rtol=1e-6)
    whole = factors_of(np.multiply.outer([2, 4, -6], [0, 3, 9]), double)
    assert [f.ravel().tolist() for f in whole] in ([[1, 2, -3], [0, 6, 18]], [[-1, -2, 3], [0, -6, -18]])
    for w in (rng.normal(size=(5, 5)), np.eye(3), np.zeros((3, 3)), np.full((2, 2), np.inf), np.full((3, 3), np.nan)):
        assert factors_of(w, double) is None
    faint = np.outer(g, g)
    faint[0, 0] = 0  # of weights that size, a product must not make one
    assert factors_of(faint, double) is None and factors_of(faint.astype(np.float32), np.dtype(np.float32)) is None
    spike = np.zeros((40, 40), np.float32)
    spike[0, 0] = 1e30
    w = np.full((7, 7), 1e-9, np.float32)
    w[3, 3] = 1
    np.testing.assert_allclose(sc.correlate(spike, w)[3, 3], 1e21, rtol=1e-5)


LARGE = np.random.default_rng(1).normal(size=(41, 43)).astype(np.float32)


def chosen(x, w, **options):
    plan = sc.explain("correlate", x, w, **options)
    assert re.fullmatch(rf"{plan.method}: .+; sums in {plan.dtype}, workspace \d+\.\d MiB", str(plan))
    return plan.method


def test_transforms_are_chosen_only_where_nothing_is_lost(rng):
    x = rng.uniform(1, 2, (600, 500)).astype(np.float32)
    assert chosen(x, LARGE) == "fft" == chosen((600, 500), LARGE) == chosen((6, 10**7, 10**7), LARGE, axes=(1, 2))
    near(sc.correlate(x, LARGE), ndimage.correlate(x.astype(float), LARGE), np.abs(LARGE).sum() * 2)
    assert (
        chosen(x.astype(float), LARGE) == chosen(x, LARGE, method="direct") == chosen(x[:100, :100], LARGE) == "direct"
    )
    assert chosen(x, LARGE, border="constant", cval=1e-30) == chosen(x, LARGE, nan_policy="omit") == "direct"
    assert (
        chosen(x, LARGE, border="constant", cval=np.inf) == chosen(x, LARGE, border="constant", cval=1e30) == "direct"
    )
    assert chosen((500, 500), rng.normal(size=(499, 499))) == "fft"
    assert chosen((500, 500), rng.normal(size=(499, 499)), mode="valid") == "direct"
    assert chosen(x, np.where(LARGE > 3, np.nan, LARGE)) == "direct"
    assert chosen(x.astype(np.uint8), (LARGE * 9).astype(int)) == "direct"
    for value in (np.nan, np.inf, -np.inf, 1e30):
        spoilt = x.copy()
        spoilt[300, 200] = value
        assert chosen(spoilt, LARGE) == "direct"
    uneven = x.copy()
    uneven[:100] *= 1e-12
    assert chosen(uneven, LARGE) == "direct"
    y = sc.correlate(uneven, LARGE)[:50]
    near(y, ndimage.correlate(uneven.astype(float), LARGE)[:50], np.full(y.shape, np.abs(LARGE).sum() * 2e-12), 40)


def test_sums_of_integers_by_transforms_are_exact_or_refused(rng):
    x, w = rng.integers(0, 256, (300, 400), np.uint8), rng.integers(-100, 100, (31, 29))
    y = sc.correlate(x, w, method="fft")
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, sc.correlate(x, w, method="direct"))
    with pytest.raises(ValueError, match=r"^method 'fft' keeps sums of integers exact below 2\*\*32 only; use "):
        sc.correlate(x, w * 10**6, method="fft")


PLANS = [
    ((4096, 4096), (3, 3), "direct", "f4", {}),
    ((4096, 4096), (3, 3), "direct", "u1", {"out_dtype": "u1"}),
    ((2048, 2048), (11, 11), "separable", "f4", {}),
    ((1024, 2048), (11, 11), "separable", "f8", {"stride": 2}),
    ((2048, 2048), (3, 3), "direct", "f2", {}),
    ((1024, 1024), (31, 31), "fft", "f4", {}),
    ((1024, 1024), (5, 5), "direct", "f4", {"nan_policy": "omit"}),
    ((1024, 1024), (5, 5), "direct", "i8", {}),
    ((1024, 1024), (5, 5), "direct", "c8", {}),
    ((60, 200, 200), (5, 5, 5), "direct", "f4", {}),
    ((60, 200, 200), (5, 5, 5), "separable", "f4", {}),
    ((2, 2_000_000), (1, 31), "direct", "i4", {}),
    ((1500, 1000), (301, 3), "direct", "f4", {}),
    ((3000, 4000), (3, 3), "direct", "f4", {"stride": 100}),
    ((3000, 4000), (3, 3), "direct", "u1", {"stride": (1, 40), "border": "constant", "cval": 0.5}),
]


def peak(function):
    function()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("shape", "kernel", "method", "dtype", "options"), PLANS)
def test_the_memory_told_is_the_memory_taken(shape, kernel, method, dtype, options, rng):
    x = rng.integers(1, 100, shape).astype(dtype)
    if options.get("nan_policy"):
        x[::7] = np.nan
    w = np.ones(kernel, int if dtype == "i8" else float)
    if method != "separable":
        w.flat[0] = 3
        w = w * (2**40 if dtype == "i8" else 1)
    options = {"method": method, **options}
    out = sc.correlate(x, w, **options)
    plan = sc.explain("correlate", x, w, **options)
    assert plan.method == method
    taken = peak(lambda: sc.correlate(x, w, out=out, **options))
    assert taken <= plan.workspace + 2**20, (taken / 2**20, plan.workspace / 2**20)
    if method != "fft" and max(kernel) < 50:
        assert plan.workspace < 2**25


def test_large_images_take_little_memory_beside_their_result(rng):
    x = rng.random((4096, 4096), np.float32)
    g = np.exp(-(np.arange(-6.0, 7) ** 2) / 8)
    for w in (rng.normal(size=(5, 5)), np.outer(g, g)):
        assert peak(lambda w=w: sc.correlate(x, w)) < x.nbytes + 2**24


def test_numbers_too_large_for_singles_become_infinite_without_a_word():
    x = np.ones((20, 20), np.float32)
    for w in (np.full((2, 2), 1e300), np.full((9, 9), 1e300)):
        assert np.isposinf(sc.correlate(x, w)).all()
    assert np.isposinf(sc.correlate(x, [[1, 1, 1]], border="constant", cval=1e300)[:, 0]).all()
    assert np.isposinf(sc.correlate(x, [[1e30]], out_dtype=np.float16)).all()


def test_steps_longer_than_the_array():
    x = np.arange(30.0).reshape(5, 6)
    assert sc.correlate(x, np.ones((3, 3)), stride=10**12).tolist() == [[0 + 0 + 1 + 0 + 0 + 1 + 6 + 6 + 7]]


def test_threads_do_not_change_a_bit(rng):
    g = np.exp(-(np.arange(-4.0, 5) ** 2) / 8)
    cases = [
        (rng.normal(size=shape).astype(dtype), w, options)
        for dtype in (np.float32, np.float64, np.uint8, np.complex64)
        for shape, options in (((700, 900), {}), ((700, 900), {"stride": 2}), ((40, 300, 90), {"axes": (0, 1)}))
        for w in (rng.normal(size=(3, 4)), np.outer(g, g))
    ]
    cases += [(np.where(rng.random((500, 600)) < 0.1, np.nan, 1.5), rng.random((4, 4)), {"nan_policy": "omit"})]
    cases += [(rng.normal(size=300_000), rng.normal(size=40), {})]
    kept = sc.get_num_threads()
    answers = []
    try:
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            answers.append([sc.correlate(x, w, **options).tobytes() for x, w, options in cases])
    finally:
        sc.set_num_threads(kept)
    assert answers[0] == answers[1] == answers[2]


def test_no_bit_depends_on_the_parts(rng, monkeypatch):
    x, g = rng.normal(size=(90, 70)).astype(np.float16), rng.normal(size=9)
    for w in (rng.normal(size=(4, 5)), np.outer(g, g)):
        for options in ({}, {"border": "wrap", "stride": (3, 2)}, {"mode": "full", "nan_policy": "omit"}):
            whole = sc.correlate(x, w, **options)
            for numbers in (1, 100, 1000, 3000):
                with monkeypatch.context() as patched:
                    patched.setattr(slabs, "_NUMBERS", numbers)
                    np.testing.assert_array_equal(sc.correlate(x, w, **options), whole)


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (0, 0), (3, 0, 4)])
@pytest.mark.parametrize("operation", BOTH)
def test_nothing_gives_nothing(shape, operation):
    w = np.ones((3,) * len(shape))
    for dtype in (np.float32, np.int32, complex):
        y = BOTH[operation](np.empty(shape, dtype), w)
        assert y.shape == shape
        assert BOTH[operation](np.empty(shape, dtype), w, mode="full").size == 0
    x = np.empty((0, *shape), np.float32)
    assert BOTH[operation](x, w, axes=range(1, x.ndim), stride=2).shape == (0, *(-(-n // 2) for n in shape))
    assert str(sc.explain(operation, x, w, axes=range(1, x.ndim))).endswith("workspace 0.0 MiB")


X = np.ones((4, 5))
W = np.ones((3, 3))
REFUSED = [
    (ValueError, r"mode must be one of 'same', 'valid', 'full', got 'fill'", X, W, {"mode": "fill"}),
    (ValueError, r"border must be one of 'reflect', .*, got 'zeros'", X, W, {"border": "zeros"}),
    (TypeError, r"cval must be a number, got '3'", X, W, {"cval": "3"}),
    (TypeError, r"cval must be a number, got \[3\]", X, W, {"cval": [3]}),
    (TypeError, r"cval must be a number, got b'3'", X, W, {"cval": b"3"}),
    (ValueError, r"weights must keep the sums of integers below 2\*\*63; .*", X.astype(int), W.astype(int),
     {"cval": 10**30, "border": "constant"}),
    (TypeError, r"cval must be a real number for an array of float64, got 1j", X, W, {"cval": 1j}),
    (ValueError, r"cval must be a whole number for integers weighed by integers, got 0.5", X.astype(int), W.astype(int),
     {"cval": 0.5, "border": "constant"}),
    (ValueError, r"cval must be a whole number for integers weighed by integers, got nan", X.astype(int), W.astype(int),
     {"cval": np.nan, "mode": "full"}),
    (ValueError, r"origin must be in \[-1, 1\] for a window of 3 cells, got 2", X, W, {"origin": 2}),
    (ValueError, r"origin must be in \[-2, 2\] for a window of 5 cells, got -3", X, W,
     {"origin": (0, -3), "dilation": 2}),
    (ValueError, r"origin must be 0 in mode 'valid', got 1", X, W, {"origin": 1, "mode": "valid"}),
    (ValueError, r"origin must be a whole number or a sequence of 2, .*", X, W, {"origin": (0, 0, 0)}),
    (TypeError, r"origin must be a whole number, got 0.5", X, W, {"origin": 0.5}),
    (ValueError, r"axes must be in \[-2, 1\] for an array of 2 dimensions, got 2", X, W, {"axes": (0, 2)}),
    (ValueError, r"axes must name each axis once, got \(0, -2\)", X, W, {"axes": (0, -2)}),
    (TypeError, r"axes must be a whole number, got 'x'", X, W, {"axes": "x"}),
    (ValueError, r"weights must have a dimension for each of 1 axes, got shape \(3, 3\)", X, W, {"axes": 1}),
    (ValueError, r"weights must have a dimension for each of 2 axes, got shape \(3,\)", X, W[0], {}),
    (ValueError, r"weights must hold at least one number, got shape \(0, 3\)", X, W[:0], {}),
    (ValueError, r"weights must span at most the 4 cells of axis 0 in mode 'valid', got 5", X, W,
     {"mode": "valid", "dilation": 2}),
    (ValueError, r"stride must be at least 1, got 0", X, W, {"stride": 0}),
    (TypeError, r"stride\[1\] must be a whole number, got 1.5", X, W, {"stride": (1, 1.5)}),
    (ValueError, r"dilation must be at least 1, got -1", X, W, {"dilation": -1}),
    (ValueError, r"nan_policy must be one of 'propagate', 'omit', got 'keep'", X, W, {"nan_policy": "keep"}),
    (ValueError, r"nan_policy 'omit' needs real numbers", X + 0j, W, {"nan_policy": "omit"}),
    (ValueError, r"weights must not sum to 0 for nan_policy 'omit', .*", X, W - 1, {"nan_policy": "omit"}),
    (ValueError, r"weights must not sum to 0 .*", X, [[0.1, 0.2, -0.3]], {"nan_policy": "omit"}),
    (ValueError, r"method must be 'auto' or 'direct' for nan_policy 'omit', got 'fft'", X, W,
     {"nan_policy": "omit", "method": "fft"}),
    (ValueError, r"method must be one of 'auto', 'direct', 'separable', 'fft', got 'box'", X, W, {"method": "box"}),
    (ValueError, r"method 'separable' needs weights that are a product of one factor for each axis", X, np.eye(3),
     {"method": "separable"}),
    (ValueError, r"method 'separable' needs real numbers", X, W + 0j, {"method": "separable"}),
    (ValueError, r"out_dtype must be a number, got bool", X, W, {"out_dtype": bool}),
    (TypeError, r"out_dtype must be a dtype, got 'red'", X, W, {"out_dtype": "red"}),
    (ValueError, r"out_dtype must be complex, got float32", X, W * 1j, {"out_dtype": "f4"}),
    (ValueError, r"overflow must be one of 'saturate', 'wrap', 'raise', got 'clip'", X, W, {"overflow": "clip"}),
    (ValueError, r"x must have at least one dimension, got a single number", 3.0, W, {}),
    (TypeError, r"x must hold numbers, got dtype <U1", ["a"], W, {}),
    (TypeError, r"weights must hold numbers, got dtype object", X, [[None]], {}),
    (ValueError, r"x must be an array of numbers: .*", [[1], [1, 2]], W, {}),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "x", "w", "options"), REFUSED, ids=lambda value: "")
def test_what_is_refused(error, message, x, w, options):
    for run in (*BOTH.values(), lambda *a, **k: sc.explain("correlate", *a, **k)):
        with pytest.raises(error, match=f"^{message}$"):
            run(x, w, **options)


def test_outputs_that_are_refused():
    locked = np.empty((4, 5))
    locked.flags.writeable = False
    for error, message, out in (
        (TypeError, r"out must be a NumPy array, got list", [0]),
        (ValueError, r"out must have the shape of the result, \(4, 5\), got \(5, 4\)", np.empty((5, 4))),
        (ValueError, r"out must have the dtype of the result, float64, got float32", np.empty((4, 5), "f4")),
        (ValueError, r"out must be writeable", locked),
    ):
        with pytest.raises(error, match=f"^{message}$"):
            sc.correlate(X, W, out=out)


def test_what_explain_refuses():
    for error, message, shape in (
        (ValueError, r"x\[1\] must be at least 0, got -5", (4, -5)),
        (TypeError, r"x\[0\] must be a whole number, got 2.5", (2.5, 3)),
        (ValueError, r"x must have at least one dimension, got a single number", ()),
    ):
        with pytest.raises(error, match=f"^{message}$"):
            sc.explain("correlate", shape, W)
    with pytest.raises(ValueError, match=r"^operation must be one of 'correlate', 'convolve', got 'smooth'$"):
        sc.explain("smooth", X, W)
    with pytest.raises(TypeError, match=r"^explain knows the options of convolve, not modes, sizes$"):
        sc.explain("convolve", X, W, modes="same", sizes=3)


@pytest.mark.parametrize("operation", BOTH)
def test_scipys_own_result_with_the_default_of_full(operation, rng):
    x, w = rng.normal(size=(7, 9)), rng.normal(size=(3, 4))
    np.testing.assert_allclose(BOTH[operation](x, w, mode="full"), getattr(signal, operation)(x, w), atol=1e-13)


def test_a_call_that_is_kept_is_that_call_only(rng):
    x, w = rng.normal(size=(20, 30)).astype(np.float32), rng.normal(size=(3, 3)).astype(np.float32)
    first = sc.correlate(x, w)
    other = rng.normal(size=x.shape).astype(np.float32)
    np.testing.assert_array_equal(sc.correlate(other, w), sc.correlate(other.copy(), w.copy(), method="direct"))
    np.testing.assert_array_equal(sc.correlate(x, w), first)
    changed = w.copy()
    w *= 2
    np.testing.assert_array_equal(sc.correlate(x, w), sc.correlate(x, 2 * changed))
    np.testing.assert_array_equal(sc.correlate(x[:, ::-1], w), sc.correlate(x[:, ::-1].copy(), w))
    assert sc.correlate(x, w, stride=1).shape == (20, 30)
    with pytest.raises((TypeError, ValueError), match="stride"):
        sc.correlate(x, w, stride=True)
    np.testing.assert_array_equal(sc.convolve(x, w), sc.correlate(x, w[::-1, ::-1].copy()))
    apart = [sc.correlate(x, w, border="constant", cval=cval) for cval in (0.0, 1, np.nan, 2.0)]
    assert len({y.tobytes() for y in apart}) == 4
