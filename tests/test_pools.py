"""Pools against torch, where it knows them, and against their definition one window at a time."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from pool_cases import DTYPES, TOLERANCE, named, pools, values

import sigconv as sc


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def windows_of(size, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """For every output its shape index and its real cells; and how many cells of padded input it has."""
    axes = len(size)
    pads = [(p, p) if np.ndim(p) == 0 else p for p in (padding if np.ndim(padding) else (padding,) * axes)]
    wide = [
        v if np.ndim(v) else (v,) * axes for v in (kernel_size, kernel_size if stride is None else stride, dilation)
    ]
    places = []
    for n, (lo, hi), k, s, d in zip(size, pads, *wide, strict=True):
        room = lo + n + hi - d * (k - 1) - 1
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + lo:
            count -= 1
        cells = [[o * s - lo + j * d for j in range(k)] for o in range(count)]
        places.append([([c for c in row if 0 <= c < n], sum(c < n + hi for c in row)) for row in cells])
    for at in itertools.product(*(range(len(rows)) for rows in places)):
        chosen = [rows[o] for rows, o in zip(places, at, strict=True)]
        yield at, list(itertools.product(*(row for row, _ in chosen))), math.prod(count for _, count in chosen)


def by_definition(function, x, window):
    """function(cells, padded count) of each window of x, whose axes are all spatial."""
    found = {at: function([x[cell] for cell in cells], count) for at, cells, count in windows_of(x.shape, **window)}
    shape = tuple(max(at[axis] for at in found) + 1 for axis in range(x.ndim))
    return np.array([found[at] for at in np.ndindex(shape)]).reshape(shape)


@given(pools(), st.booleans(), st.sampled_from(DTYPES), st.sampled_from(["plain", "ties", "nan"]), st.integers(0, 99))
def test_max_pools_and_their_indices_are_torch_s(torch, pool, ceil_mode, dtype, kind, seed):
    size, window = pool
    x = values(seed, (2, 2, *size), dtype, kind)
    expected, places = getattr(torch.nn.functional, f"max_pool{len(size)}d")(
        torch.from_numpy(x), **window, ceil_mode=ceil_mode, return_indices=True
    )
    ours = named("max_pool", len(size))
    y, indices = ours(x, **window, ceil_mode=ceil_mode, return_indices=True)
    np.testing.assert_array_equal(y, expected.numpy())
    np.testing.assert_array_equal(ours(x, **window, ceil_mode=ceil_mode), y)
    filled = indices >= 0  # torch gives windows of padding alone an index outside the input
    np.testing.assert_array_equal(indices[filled], places.numpy()[filled])
    assert np.isneginf(y[~filled]).all()


@given(pools(), st.booleans(), st.booleans(), st.sampled_from([None, 1, 7, -3]), st.sampled_from(DTYPES))
def test_avg_pools_are_torch_s(torch, pool, ceil_mode, include, divisor, dtype):
    size, window = pool
    axes = len(size)
    assume(axes > 1 or divisor is None)  # which torch has for more axes only
    window = {name: window[name] for name in ("kernel_size", "stride", "padding")}
    x = values(0, (2, 2, *size), dtype, "plain")
    more = {"ceil_mode": ceil_mode, "count_include_pad": include} | ({"divisor_override": divisor} if divisor else {})
    try:
        expected = getattr(torch.nn.functional, f"avg_pool{axes}d")(torch.from_numpy(x), **window, **more).numpy()
    except RuntimeError:  # avg_pool3d forgets that there is padding
        reject()
    y = named("avg_pool", axes)(x, **window, **more)
    assert y.dtype == dtype
    scale = math.prod(window["kernel_size"]) if divisor else 1
    np.testing.assert_allclose(y, expected, rtol=TOLERANCE[y.dtype], atol=TOLERANCE[y.dtype] * scale)


@given(pools(), st.booleans(), st.booleans(), st.integers(0, 99))
def test_pools_by_definition(pool, ceil_mode, include, seed):
    size, window = pool
    assume(math.prod(size) < 400)
    window = {**window, "ceil_mode": ceil_mode}
    x = values(seed, size, np.float64, "plain")
    axes = len(size)

    def mean(cells, count):
        return math.fsum(cells) / (count if include else len(cells)) if include or cells else np.nan

    def norm(p):
        return lambda cells, _: sum(abs(c) ** p for c in cells) ** (1 / p)

    def soft(beta):
        def one(cells, _):
            if not cells:
                return np.nan
            top = max(cells) if beta > 0 else min(cells)
            return top + math.log1p(math.fsum(math.expm1(beta * (c - top)) for c in cells) / len(cells)) / beta

        return one

    def check(y, function):
        np.testing.assert_allclose(y[0], by_definition(function, x, window), rtol=1e-11, atol=1e-12)

    batch = x[np.newaxis]
    check(named("avg_pool", axes)(batch, **window, count_include_pad=include), mean)
    for p in (1, 2, 3, 2.5, 11):
        check(named("lp_pool", axes)(batch, p, **window), norm(p))
    check(named("lp_pool", axes)(batch, np.inf, **window), lambda cells, _: max(map(abs, cells), default=0))
    for beta in (1.0, -0.5, 1e-9, 30.0, -400.0, 1e200):
        check(named("lse_pool", axes)(batch, **window, beta=beta), soft(beta))
    if not include:
        check(named("lse_pool", axes)(batch, **window, beta=0), mean)


@given(st.lists(st.integers(1, 14), min_size=1, max_size=3), st.data(), st.sampled_from(DTYPES))
def test_adaptive_pools_are_torch_s(torch, size, data, dtype):
    axes = len(size)
    output = tuple(data.draw(st.integers(1, 2 * n)) for n in size)
    x = values(0, (2, 2, *size), dtype, data.draw(st.sampled_from(["plain", "ties", "nan"])))
    given_x = torch.from_numpy(x)
    functional = torch.nn.functional
    expected = getattr(functional, f"adaptive_avg_pool{axes}d")(given_x, output).numpy()
    y = named("adaptive_avg_pool", axes)(x, output)
    np.testing.assert_allclose(y, expected, rtol=TOLERANCE[y.dtype], atol=TOLERANCE[y.dtype])
    best, places = getattr(functional, f"adaptive_max_pool{axes}d")(given_x, output, return_indices=True)
    y, indices = named("adaptive_max_pool", axes)(x, output, return_indices=True)
    np.testing.assert_array_equal(y, best.numpy())
    np.testing.assert_array_equal(indices, places.numpy())
    np.testing.assert_array_equal(named("adaptive_max_pool", axes)(x, output), y)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 7, 9), (2, 2, 3, 4, 5), (1, 2, 5001), (2, 0, 3), (0, 2, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_global_pools(shape, dtype):
    if shape[1] == 0:
        with pytest.raises(ValueError, match="at least 1 channel"):
            sc.global_max_pool(np.zeros(shape))
        return
    x = values(3, shape, dtype, "plain")
    axes = tuple(range(2, len(shape)))
    y = sc.global_avg_pool(x)
    np.testing.assert_allclose(y, x.mean(axes, dtype=np.float64, keepdims=True), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(sc.global_max_pool(x), x.max(axes, keepdims=True))
    np.testing.assert_allclose(
        sc.global_lp_pool(x), np.sqrt((x.astype(np.float64) ** 2).sum(axes, keepdims=True)), rtol=TOLERANCE[y.dtype]
    )


@given(pools(), st.integers(0, 99))
def test_unpooling_is_torch_s(torch, pool, seed):
    size, window = pool
    axes = len(size)
    window.pop("dilation")
    x = values(seed, (2, 2, *size), np.float64, "plain")
    y, indices = named("max_pool", axes)(x, **window, return_indices=True)
    sizes = [
        (n - 1) * s - 2 * p + k
        for n, s, p, k in zip(y.shape[2:], *(window[w] for w in ("stride", "padding", "kernel_size")), strict=True)
    ]
    assume(all(n - s < m < n + s for n, m, s in zip(sizes, size, window["stride"], strict=True)))
    # of cells that several windows picked torch keeps any: give them all the same number
    back = named("max_unpool", axes)(y, indices, **window, output_size=size)
    expected = getattr(torch.nn.functional, f"max_unpool{axes}d")(
        torch.from_numpy(y), torch.from_numpy(indices), **window, output_size=size
    )
    np.testing.assert_array_equal(back, expected.numpy())
    np.testing.assert_array_equal(back, named("max_unpool", axes)(y, indices, **window, output_size=x.shape))


def test_unpooling_keeps_the_last_and_needs_places_inside():
    np.testing.assert_array_equal(sc.max_unpool1d([[1.0, 2.0]], [[3, 3]], 2), [[0, 0, 0, 2]])
    np.testing.assert_array_equal(sc.max_unpool1d(np.zeros((0, 1, 2)), np.zeros((0, 1, 2), int), 2).shape, (0, 1, 4))
    with pytest.raises(ValueError, match=r"indices must be in \[0, 3\], a cell of \(4,\), got 2 that are not"):
        sc.max_unpool1d([[1.0, 2.0]], [[4, -2]], 2)
    with pytest.raises(ValueError, match=r"output_size must be in \[3, 5\] on axis 0, got 6"):
        sc.max_unpool1d([[1.0, 2.0]], [[0, 3]], 2, output_size=6)


@pytest.mark.parametrize("padding", ["valid", "same", "same_lower", ((0, 2), (1, 0))])
def test_paddings_by_name_and_by_pair(padding):
    x = values(1, (7, 9), np.float64, "plain")
    pairs = {"valid": ((0, 0), (0, 0)), "same": ((1, 1), (0, 1)), "same_lower": ((1, 1), (1, 0))}.get(padding, padding)
    window = {"kernel_size": (3, 3), "stride": (2, 2), "padding": pairs}
    if padding in ("same", "same_lower"):
        pairs = ((1, 1), (1, 1))  # 7 and 9 by two: four and five windows, one cell at each end
        window["padding"] = pairs
    expected = by_definition(lambda cells, _: max(cells), x, window)
    np.testing.assert_array_equal(sc.max_pool2d(x[None], 3, 2, padding)[0], expected)
    even = sc.max_pool1d(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2, 1, padding) if isinstance(padding, str) else None
    if padding == "same":
        np.testing.assert_array_equal(even, [[2, 3, 4, 5, 5]])
    elif padding == "same_lower":
        np.testing.assert_array_equal(even, [[1, 2, 3, 4, 5]])


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
)
def test_integers_keep_their_dtype_and_every_bit(dtype):
    rng = np.random.default_rng(0)
    if dtype == np.bool_:
        x = rng.random((2, 9, 11)) < 0.1
        least = False
    else:
        info = np.iinfo(dtype)
        x, least = rng.integers(info.min, info.max, (2, 9, 11), dtype, endpoint=True), info.min
    y, indices = sc.max_pool2d(x, 3, 2, 1, return_indices=True)
    assert y.dtype == dtype
    expected = by_definition(lambda cells, _: max(cells), x[1], {"kernel_size": 3, "stride": 2, "padding": 1})
    np.testing.assert_array_equal(y[1], expected)
    np.testing.assert_array_equal(x.reshape(2, -1)[1][indices[1]], y[1])
    np.testing.assert_array_equal(sc.max_pool2d(x.astype(x.dtype.newbyteorder()), 3, 2, 1), y)
    empty = sc.max_pool1d(x[0][:, :1], 2, 1, 1, dilation=2)
    assert empty.dtype == dtype and (empty == least).all()
    mean = sc.avg_pool2d(x, 2)
    assert mean.dtype == (np.float32 if np.dtype(dtype).itemsize <= 2 else np.float64)


def test_half_precision_is_computed_in_single():
    x = values(0, (3, 20, 30), np.float16, "plain")
    for pool in (sc.avg_pool2d, sc.max_pool2d, sc.lse_pool2d, lambda x, k: sc.lp_pool2d(x, 2, k)):
        y = pool(x, 5)
        assert y.dtype == np.float16
        np.testing.assert_array_equal(y, pool(x.astype(np.float32), 5).astype(np.float16))


def test_any_layout_gives_the_same_and_nothing_is_written_to():
    x = values(0, (2, 3, 12, 14), np.float64, "plain")
    expected = sc.max_pool2d(x, 3, 2, 1, return_indices=True)
    frozen = x.copy()
    frozen.flags.writeable = False
    views = [frozen, np.asfortranarray(x), x[:, :, ::-1][:, :, ::-1], x.astype(">f8"), x.tolist()]
    for view in views:
        for ours, theirs in zip(sc.max_pool2d(view, 3, 2, 1, return_indices=True), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    flipped = np.ascontiguousarray(x[:, :, ::-1, ::-1])
    np.testing.assert_array_equal(sc.avg_pool2d(x[:, :, ::-1, ::-1], 3), sc.avg_pool2d(flipped, 3))
    np.testing.assert_array_equal(sc.avg_pool2d(x[1], 3, 2), sc.avg_pool2d(x, 3, 2)[1])
    assert sc.avg_pool2d(np.zeros((0, 3, 5, 5)), 2).shape == (0, 3, 2, 2)
    assert sc.max_pool2d(np.zeros((0, 3, 5, 5)), 2, return_indices=True)[1].shape == (0, 3, 2, 2)


def test_what_is_not_a_number_or_endless():
    x = np.array([[np.nan, 1.0, np.nan, -np.inf, -np.inf, np.inf]])
    y, indices = sc.max_pool1d(x, 3, return_indices=True)
    np.testing.assert_array_equal(y, [[np.nan, np.inf]])
    np.testing.assert_array_equal(indices, [[2, 5]])
    np.testing.assert_array_equal(sc.max_pool1d(x[:, 3:5], 2, return_indices=True)[1], [[0]])
    np.testing.assert_array_equal(sc.avg_pool1d(x, 1)[0], x[0])
    for beta in (1.0, -1.0):
        far = np.array([[-np.inf, 0.0, np.inf, 0.0, -np.inf, -np.inf]])
        np.testing.assert_allclose(
            sc.lse_pool1d(far * beta, 2, beta=beta), [[-beta * math.log(2), beta * np.inf, -beta * np.inf]]
        )
    np.testing.assert_array_equal(np.isnan(sc.lse_pool1d([[np.nan, 0.0, 1.0, 2.0]], 2)), [[True, False]])
    spike = np.array([[1e16, 1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(sc.avg_pool1d(np.repeat(spike, 8, 1), 12, 1)[0, 8:], 1.0)


WIDE = [(1, 1, 31, 1), (2, 31, 1, 15), (2, 40, 3, 7), (1, 1000, 1, 500), (1, 700, 3, 0), (2, (1, 33), (1, 2), 0)]


@pytest.mark.parametrize(("axes", "kernel", "stride", "padding"), WIDE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_wide_windows(torch, axes, kernel, stride, padding, dtype):
    size = (9001,) if axes == 1 else (61, 150)
    x = values(1, (1, 2, *size), dtype, "plain")
    functional = torch.nn.functional
    both = getattr(functional, f"max_pool{axes}d")(
        torch.from_numpy(x), kernel, stride, min(padding, 0 if np.ndim(kernel) else kernel // 2), return_indices=True
    )
    window = (kernel, stride, min(padding, 0 if np.ndim(kernel) else kernel // 2))
    for ours, theirs in zip(named("max_pool", axes)(x, *window, return_indices=True), both, strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())
    np.testing.assert_array_equal(named("max_pool", axes)(x, *window), both[0].numpy())
    mean = getattr(functional, f"avg_pool{axes}d")(torch.from_numpy(x).double(), *window)
    y = named("avg_pool", axes)(x, *window)
    np.testing.assert_allclose(y, mean.numpy(), rtol=0, atol=TOLERANCE[y.dtype])


def test_threads_change_no_bit():
    x = values(0, (3, 17, 65, 70), np.float32, "plain")
    runs = []
    before = sc.get_num_threads()
    try:
        for n in (1, 2, 5):
            sc.set_num_threads(n)
            runs.append(
                [
                    *sc.max_pool2d(x, 3, 2, 1, return_indices=True),
                    sc.avg_pool2d(x, 13, 1, 6),
                    sc.lp_pool2d(x, 3, 3),
                    sc.lse_pool2d(x, 3, beta=40.0),
                    sc.lse_pool2d(x, 3, beta=2.0),
                    sc.adaptive_avg_pool2d(x, (7, 9)),
                    sc.global_avg_pool(x),
                ]
            )
    finally:
        sc.set_num_threads(before)
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            assert one.tobytes() == other.tobytes()


X = np.zeros((1, 2, 5, 5))
WRONG = [
    (lambda: sc.max_pool2d(X[0, 0], 2), ValueError, r"x must be \(N, C, height, width\)"),
    (lambda: sc.max_pool2d(X, 2, padding=2), ValueError, r"padding.* must be in \[0, 1\], half the kernel"),
    (lambda: sc.max_pool2d(X, 6), ValueError, r"kernel_size must span at most 5 cells on axis 0, got 6"),
    (lambda: sc.max_pool2d(X, 0), ValueError, r"kernel_size must be at least 1, got 0"),
    (lambda: sc.max_pool2d(X, (2, 2, 2)), ValueError, r"kernel_size must be a whole number or a sequence of 2"),
    (lambda: sc.max_pool2d(X, 2, 0), ValueError, r"stride must be at least 1, got 0"),
    (lambda: sc.max_pool2d(X, 2, dilation=1.5), TypeError, r"dilation must be a whole number, got 1.5"),
    (lambda: sc.max_pool2d(X * 1j, 2), TypeError, r"x must hold real numbers, got dtype complex128"),
    (lambda: sc.max_pool2d(X[:, :, :, :0], 2), ValueError, r"x must have cells along each spatial axis"),
    (lambda: sc.avg_pool2d(X, 2, divisor_override=0), ValueError, r"divisor_override must not be 0, got 0"),
    (lambda: sc.avg_pool2d(X, 2, padding="full"), ValueError, r"padding must be one of 'valid', 'same', 'same_lower'"),
    (lambda: sc.lp_pool2d(X, 0, 2), ValueError, r"norm_type must be a finite number above 0, got 0"),
    (lambda: sc.lse_pool2d(X, 2, beta=np.nan), ValueError, r"beta must be a finite number, got nan"),
    (lambda: sc.lse_pool2d(X, 2, beta="1"), TypeError, r"beta must be a number, got '1'"),
    (lambda: sc.adaptive_avg_pool2d(X, (1, 2, 3)), ValueError, r"output_size must be a whole number or None, or 2"),
    (lambda: sc.adaptive_max_pool2d(X, 0), ValueError, r"output_size must be at least 1, got 0"),
    (lambda: sc.global_max_pool(X[0, 0]), ValueError, r"x must be \(N, C, \*spatial\) with 1 to 3 spatial axes"),
    (lambda: sc.max_unpool2d(X, X, 2), TypeError, r"indices must hold whole numbers, got dtype float64"),
    (lambda: sc.max_unpool2d(X, [[0]], 2), ValueError, r"indices must have the shape \(1, 2, 5, 5\), got \(1, 1\)"),
]


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_arguments_that_are_wrong(call, error, text):
    with pytest.raises(error, match=text):
        call()
