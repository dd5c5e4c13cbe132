"""Template matching against windows written out, scikit-image and OpenCV."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigconv as sc
from sigconv import templates


def oracle(x, template, mask=None):
    """The formula, window by window, in extended precision."""
    mask = np.ones(template.shape, bool) if mask is None else mask
    before = [k // 2 for k in template.shape]
    padded = np.pad(x.astype(np.longdouble), [(b, k - 1 - b) for b, k in zip(before, template.shape, strict=True)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, template.shape)
    wanted = template.astype(np.longdouble)[mask]
    wanted = wanted - wanted.mean()
    found = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        window = windows[place][mask]
        window = window - window.mean()
        scale = np.sqrt((window**2).sum() * (wanted**2).sum())
        flat = np.ptp(windows[place][mask]) == 0 or np.ptp(template[mask]) == 0
        found[place] = 0 if flat else (window * wanted).sum() / scale
    return found


@st.composite
def cases(draw):
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, (60, 14, 7)[ndim - 1])) for _ in range(ndim))
    kernel = tuple(draw(st.integers(1, (20, 6, 4)[ndim - 1])) for _ in range(ndim))
    return shape, kernel, draw(st.integers(0, 2**32))


@given(case=cases(), offset=st.sampled_from([0.0, -3.0, 1e6]), masked=st.booleans())
def test_scores_are_the_formulas(case, offset, masked):
    shape, kernel, seed = case
    rng = np.random.default_rng(seed)
    x, template = rng.normal(offset, 1, shape), rng.normal(-offset, 2, kernel)
    mask = None
    if masked:
        mask = rng.random(kernel) < 0.7
        mask.flat[rng.integers(mask.size)] = True
    score = sc.match_template(x, template, mask=mask)
    assert score.dtype == np.float64 and (np.abs(score) <= 1).all()
    np.testing.assert_allclose(score, oracle(x, template, mask), atol=1e-7 if offset == 1e6 else 1e-9)


@pytest.mark.parametrize("offset", [0, 1e6, -1e9])
def test_a_large_offset_costs_nothing(offset, rng):
    x = rng.normal(0, 1e-3, (70, 90)) + offset
    template = x[30:37, 40:51].copy()
    score = sc.match_template(x, template)
    inner = (slice(3, -3), slice(5, -5))
    signal = x - offset  # exact: what is left of the numbers once the offset is gone
    expected = oracle(signal, template - offset)
    np.testing.assert_allclose(score[inner], expected[inner], atol=1e-12 if abs(offset) <= 1e6 else 1e-10)
    assert score[33, 45] == pytest.approx(1, abs=1e-12) and np.unravel_index(score.argmax(), score.shape) == (33, 45)


def test_pieces_do_not_show(rng, monkeypatch):
    x, template = rng.random((150, 130)), rng.random((9, 6))
    whole = sc.match_template(x, template)
    monkeypatch.setattr(templates, "_CELLS", 1200)
    np.testing.assert_allclose(sc.match_template(x, template), whole, atol=1e-13)
    np.testing.assert_allclose(sc.match_template(x, template, mask=np.ones((9, 6), bool)), whole, atol=1e-12)


def test_threads_do_not_change_a_bit(rng, monkeypatch):
    monkeypatch.setattr(templates, "_CELLS", 2**12)
    x, template = rng.random((300, 280), dtype=np.float32), rng.random((9, 6))
    kept = sc.get_num_threads()
    try:
        answers = []
        for threads in (1, 2, 5):
            sc.set_num_threads(threads)
            answers.append(sc.match_template(x, template).tobytes())
    finally:
        sc.set_num_threads(kept)
    assert answers[0] == answers[1] == answers[2]


def test_scores_are_scikit_images(rng):
    feature = pytest.importorskip("skimage.feature")
    for shape, kernel in (((40, 50), (7, 9)), ((40, 50), (6, 8)), ((12, 14, 13), (3, 4, 5)), ((100,), (12,))):
        x, template = rng.random(shape), rng.random(kernel)
        if len(shape) > 1:
            expected = feature.match_template(x, template, pad_input=True)
            np.testing.assert_allclose(sc.match_template(x, template), expected, atol=1e-9)


@pytest.mark.parametrize("kernel", [(7, 9), (6, 8), (1, 5)])
def test_scores_inside_are_opencvs(kernel, rng):
    cv2 = pytest.importorskip("cv2")
    x, template = rng.random((60, 70), dtype=np.float32), rng.random(kernel, dtype=np.float32)
    expected = cv2.matchTemplate(x, template, cv2.TM_CCOEFF_NORMED)
    score = sc.match_template(x, template)
    rows, columns = (k // 2 for k in kernel)
    found = score[rows : rows + expected.shape[0], columns : columns + expected.shape[1]]
    assert score.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_flat_windows_and_templates(rng):
    x = rng.random((40, 40))
    x[10:30, 10:30] = 0.1
    score = sc.match_template(x, rng.random((5, 5)))
    assert (score[12:28, 12:28] == 0).all() and (score[:8] != 0).all()
    assert (sc.match_template(x, np.full((5, 5), 0.1)) == 0).all()
    assert (sc.match_template(np.full(50, 0.1), [1, 2, 3])[1:-1] == 0).all()
    assert (sc.match_template(x, [[3]]) == 0).all()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_missing_is_missing_in_its_windows_only(value, masked, rng):
    x, template = rng.random((30, 40)), rng.random((4, 7))
    mask = np.ones((4, 7), bool)
    mask[1:3, 2:5] = not masked
    clean = sc.match_template(x, template, mask=mask if masked else None)
    x[11, 17] = value
    score = sc.match_template(x, template, mask=mask if masked else None)
    seen = np.zeros(x.shape, bool)
    seen[10:14, 14:21] = np.flip(mask)
    np.testing.assert_array_equal(np.isnan(score), seen)
    np.testing.assert_allclose(score[~seen], clean[~seen], atol=1e-10)
    assert np.isnan(sc.match_template(np.full(9, value), [1, 2, 3])).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int16, np.int64, np.float16, np.float32, ">f4"])
def test_dtypes_and_views(dtype, rng):
    x = rng.integers(0, 2 if dtype is np.bool_ else 200, (50, 60)).astype(dtype)[::-1, ::2]
    template = rng.random((4, 5))
    kept = x.copy()
    score = sc.match_template(x, template)
    expected = sc.match_template(np.ascontiguousarray(x, np.float64), template)
    assert score.dtype == {1: np.float32, 2: np.float16 if dtype is np.float16 else np.float32, 4: np.float32}.get(
        np.dtype(dtype).itemsize, np.float64
    )
    np.testing.assert_allclose(score, expected, atol=1e-3 if dtype is np.float16 else 1e-6)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_no_scale_is_too_small_or_too_large(scale, rng):
    x, template = rng.normal(size=80), rng.normal(size=9)
    np.testing.assert_allclose(
        sc.match_template(x * scale, template / scale), sc.match_template(x, template), atol=1e-12
    )


def test_nothing_gives_nothing():
    assert sc.match_template(np.empty((0, 5)), np.ones((2, 2))).shape == (0, 5)


REFUSED = [
    (np.ones((4, 5)), [1, 2], {}, ValueError, r"template must have as many axes as x, 2 and at least 1, got 1"),
    (3.0, 2.0, {}, ValueError, r"template must have as many axes as x, 0 and at least 1, got 0"),
    ([1, 2], [], {}, ValueError, r"template must not be empty, got the shape \(0,\)"),
    ([1, 2], [1, np.nan], {}, ValueError, r"template must be finite where the mask is"),
    ([1, 2], [1, 2], {"mask": [1, 0]}, TypeError, r"mask must hold truth values, got dtype int64"),
    ([1, 2], [1, 2], {"mask": [True]}, ValueError, r"mask must have the template's shape, \(2,\), got \(1,\)"),
    ([1, 2], [1, 2], {"mask": [False, False]}, ValueError, r"mask must have at least one cell, got none"),
    (["a"], [1], {}, TypeError, r"x must hold real numbers, got dtype <U1"),
    ([1], [1j], {}, TypeError, r"template must hold real numbers, got dtype complex128"),
]


@pytest.mark.parametrize(("x", "template", "arguments", "error", "message"), REFUSED)
def test_what_is_refused(x, template, arguments, error, message):
    with pytest.raises(error, match=rf"^{message}$"):
        sc.match_template(x, template, **arguments)
