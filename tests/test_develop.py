"""Between samples and filters: opacity, light, rounding, which way is up, and the steps that texts spell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from sigconv import images
from sigconv.images import stages
from sigconv.io import develop
from sigconv.io.develop import Recipe
from sigconv.io.strips import run

RNG = np.random.default_rng(5)
BYTES = RNG.integers(0, 256, (40, 33), np.uint8)
WORDS = RNG.integers(0, 65536, (40, 33), np.uint16)
TEXTS = ["gaussian:sigma=1.5", "box:3", "box:4", "median:3", "erode:3", "dilate:3", "sharpen", "unsharp:1,0.7", "sobel"]
TEXTS += ["scharr", "prewitt", "laplacian", "log:sigma=1", "emboss", "sobel_x", "1,2,1;2,4,2;1,2,1", "0.25,0.5,0.25"]


def recipe(*texts, **options):
    return Recipe([stages.stage(text) for text in texts], **options)


def nearest(values, dtype):
    info = np.iinfo(dtype)
    return np.clip(np.rint(values), info.min, info.max).astype(dtype)


# Pages in bands


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
@pytest.mark.parametrize("texts", [*((text,) for text in TEXTS), ("box:4", "sobel"), ("median:3", "gaussian:sigma=2")])
def test_bands_of_a_page_give_what_the_whole_page_gives(texts, channels, monkeypatch):
    monkeypatch.setattr(develop, "_LARGE", 1)
    monkeypatch.setattr(run, "_LEAST", 1)  # bands are a few rows
    for dtype, options in ((np.uint8, {}), (np.uint16, {"stride": 3, "scale": 0.7}), (np.float32, {"border": "wrap"})):
        page = (RNG.random((190, 21, *channels)) * 250).astype(dtype)
        whole, told = recipe(*texts, **options), []
        y = whole.over(page, channels == (4,), lambda *step, told=told: told.append(step))
        np.testing.assert_array_equal(y, whole(page, channels == (4,)))
        assert options.get("border") == "wrap" or (len(told) > 1 and told[-1] == (len(y), len(y)))


def test_pools_of_a_page_in_bands(monkeypatch):
    monkeypatch.setattr(develop, "_LARGE", 1)
    monkeypatch.setattr(run, "_LEAST", 1)
    page = RNG.integers(0, 256, (61, 22, 3), np.uint8)
    for kind, *rest in (("avg", 2), ("max", 3, 2, 1), ("lp:3", (4, 2)), ("lse", 1, 2)):
        whole = Recipe([stages.pool_stage(kind, *rest)])
        np.testing.assert_array_equal(whole.over(page), whole(page))
    with pytest.raises(ValueError, match="100"):
        Recipe([stages.pool_stage("avg", 100)]).over(page)


# Rounding


@pytest.mark.parametrize(
    ("text", "oracle"),
    [
        ("gaussian:sigma=2", lambda x: ndimage.gaussian_filter(x, 2, mode="mirror")),
        ("box:5", lambda x: ndimage.uniform_filter(x, 5, mode="mirror")),
        ("median:3", lambda x: ndimage.median_filter(x, 3, mode="mirror")),
        ("erode:3", lambda x: ndimage.grey_erosion(x, 3, mode="mirror")),
        ("dilate:3", lambda x: ndimage.grey_dilation(x, 3, mode="mirror")),
        ("sharpen", lambda x: ndimage.correlate(x, images.kernel("sharpen"), mode="mirror")),
        ("0,1;2,-3", lambda x: ndimage.correlate(x, [[0, 1], [2, -3]], mode="mirror")),
        ("sobel", lambda x: np.hypot(*(ndimage.sobel(x, axis, mode="mirror") for axis in (0, 1)))),
        ("unsharp:2,1.5", lambda x: x + 1.5 * (x - ndimage.gaussian_filter(x, 2, mode="mirror"))),
    ],
)
def test_sixteen_bits_are_those_of_scipy(text, oracle):
    np.testing.assert_array_equal(recipe(text)(WORDS), nearest(oracle(WORDS.astype(float)), np.uint16))


def test_nothing_is_rounded_between_two_kernels():
    y = recipe("gaussian:sigma=1.5", "sharpen", "gaussian:sigma=0.8")(WORDS)
    blurred = ndimage.gaussian_filter(WORDS.astype(float), 1.5, mode="mirror")
    sharp = ndimage.correlate(blurred, images.kernel("sharpen"), mode="mirror")
    np.testing.assert_array_equal(y, nearest(ndimage.gaussian_filter(sharp, 0.8, mode="mirror"), np.uint16))


@pytest.mark.parametrize(
    "texts", [("median:3", "box:3"), ("box:3", "dilate:3", "median:3"), ("erode:3", "sharpen", "dilate:5")]
)
def test_what_picks_pixels_may_come_before_or_after_rounding(texts):
    floats = recipe(*texts, dtype="float64")(BYTES)
    np.testing.assert_array_equal(recipe(*texts)(BYTES), nearest(floats, np.uint8))


def test_scale_offset_and_dtype():
    y = recipe("sobel_x", scale=0.5, offset=128)(BYTES)
    slope = ndimage.correlate(BYTES.astype(float), images.kernel("sobel_x"), mode="mirror")
    np.testing.assert_array_equal(y, nearest(0.5 * slope + 128, np.uint8))
    np.testing.assert_array_equal(recipe("sobel_x", dtype="int16")(BYTES), slope.astype(np.int16))
    np.testing.assert_array_equal(recipe("sobel_x", dtype="float32")(BYTES), slope.astype(np.float32))
    np.testing.assert_array_equal(Recipe([], scale=257, dtype="uint16")(BYTES), BYTES * np.uint16(257))


def test_a_stride_keeps_every_so_many_th_pixel():
    np.testing.assert_array_equal(recipe("box:3", stride=3)(BYTES), recipe("box:3")(BYTES)[::3, ::3])


def test_a_nan_is_no_integer():
    with pytest.raises(ValueError, match="uint8 cannot hold NaN"):
        recipe("box:3", dtype="uint8")(np.full((4, 4), np.nan, np.float32))


# Opacity


def half_clear(dtype):
    """White, and right of the middle black that nobody sees."""
    full = develop.full_scale(np.dtype(dtype))
    page = np.zeros((20, 24, 4), dtype)
    page[:, :12] = full
    return page, full


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("text", ["gaussian:sigma=2", "box:5", "box:4", "median:3", "unsharp", "dilate:3", "erode:3"])
def test_no_dark_fringes(text, dtype, linear):
    page, full = half_clear(dtype)
    y = recipe(text, linear=linear)(page, True)
    seen = y[..., 3] > (0 if np.dtype(dtype).kind != "f" else 1e-5)
    assert seen[:, :11].all() and not seen[:, 22:].any()
    np.testing.assert_allclose(y[seen][:, :3], full, rtol=1e-4 if np.dtype(dtype).kind == "f" else 0)


def test_a_pool_of_white_and_clear_is_white_and_half_clear():
    page, _ = half_clear(np.uint8)
    page = page[:, 1:]
    y = Recipe([stages.pool_stage("avg", 2)])(page, True)
    assert y[0, 5].tolist() == [255, 255, 255, 128] and y[0, 4].tolist() == [255] * 4 and y[0, 6].tolist() == [0] * 4


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("border", ["mirror", "constant"])
def test_opaque_colours_are_as_without_opacity(text, border):
    colours = RNG.integers(0, 65536, (20, 17, 3), np.uint16)
    page = np.dstack((colours, np.full((20, 17), 65535, np.uint16)))
    y = recipe(text, border=border, cval=777)(page, True)
    np.testing.assert_array_equal(y[..., :3], recipe(text, border=border, cval=777)(colours))
    assert (y[..., 3] == 65535).all()


def test_one_opacity_all_over_stays_and_changes_no_colour():
    colours = RNG.integers(0, 65536, (20, 17), np.uint16)
    page = np.dstack((colours, np.full((20, 17), 13107, np.uint16)))
    for text in TEXTS:
        y = recipe(text)(page, True)
        assert (y[..., 1] == 13107).all(), text
        assert np.abs(y[..., 0].astype(int) - recipe(text)(colours)).max() <= 1, text  # a fifth is no binary fraction


def test_hidden_colours_and_opacity_of_another_dtype():
    page = RNG.integers(0, 256, (9, 9, 4), np.uint8)
    page[::2, :, 3] = 0
    np.testing.assert_array_equal(recipe("identity")(page, True), page)
    y = recipe("identity", dtype="uint16")(page, True)
    np.testing.assert_array_equal(y[..., 3], page[..., 3] * np.uint16(257))


# Light


def test_a_ramp_keeps_its_amount_of_light():
    real = np.dtype(np.float64)
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint16) * 257, (64, 256))
    gray = np.broadcast_to(np.arange(256, dtype=np.uint8), (64, 256))
    blur = recipe("gaussian:sigma=8", linear=True, border="reflect")
    before = develop.light(ramp, real).mean()
    assert abs(develop.light(blur(ramp), real).mean() / before - 1) < 1e-5
    assert abs(develop.light(blur(gray), real).mean() * 257 / before - 1) < 0.003  # as far as bytes can say it
    curved = recipe("gaussian:sigma=8", border="reflect")(ramp)
    assert develop.light(curved, real).mean() / before < 0.999


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_light_there_and_back(dtype):
    full = develop.full_scale(np.dtype(dtype))
    samples = np.linspace(0, full, 1001).astype(dtype)
    back = develop.encoded(develop.light(samples, np.dtype(np.float64)), full)
    np.testing.assert_allclose(back, samples, atol=2e-6 * full)
    if full > 1:
        np.testing.assert_array_equal(recipe("identity", linear=True)(samples[np.newaxis])[0], samples)


def test_light_below_black_and_above_white_comes_back():
    samples = np.array([[-0.5, -0.01, 0.0, 1.0, 4.0]], np.float64)
    np.testing.assert_allclose(recipe("identity", linear=True)(samples), samples, atol=1e-12)


# Which way is up


def test_turns_are_those_of_pillow():
    image_module = pytest.importorskip("PIL.Image")
    page = BYTES[:5, :7]
    ways = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270"}
    ways |= {7: "TRANSVERSE", 8: "ROTATE_90"}
    for orientation, way in ways.items():
        expected = image_module.fromarray(page).transpose(image_module.Transpose[way])
        np.testing.assert_array_equal(develop.turned(page, orientation), np.asarray(expected))
        np.testing.assert_array_equal(develop.turned_back(np.asarray(expected), orientation), page)


@pytest.mark.parametrize("text", TEXTS)
def test_steps_know_whether_it_matters_which_way_is_up(text):
    stage = stages.stage(text)
    filtered = Recipe([stage])
    turned = develop.turned_back(filtered(develop.turned(WORDS, 6)), 6)
    assert np.array_equal(turned, filtered(WORDS)) or stage.upright


# Steps


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(low=st.integers(0, 30), height=st.integers(1, 20), border=st.sampled_from(["mirror", "nearest", "constant"]))
def test_a_row_depends_on_those_that_a_step_reaches(text, dtype, low, height, border):
    page = (BYTES if dtype == np.uint8 else WORDS)[:, :9]
    chain = recipe(text, border=border, cval=9)
    above, below = chain.reach
    high = min(low + height, len(page))
    first, last = max(low - above, 0), min(high + below, len(page))
    if last == len(page):  # the border at the end looks back
        first = max(min(first, last - 1 - above - below), 0)
    if first == 0:
        last = min(max(last, above + below + 1), len(page))
    whole = chain(page)[low:high]
    np.testing.assert_array_equal(chain(page[first:last])[low - first : high - first], whole)


@pytest.mark.parametrize("text", TEXTS)
def test_the_total_is_what_ones_become(text):
    stage = stages.stage(text)
    y = stage.apply(np.ones((15, 15)), "mirror", 0.0, 1.0)
    np.testing.assert_allclose(y, stage.total, atol=1e-12)


def test_edges_are_white_lines_of_the_dtype():
    page = np.zeros((20, 20, 3), np.uint16)
    page[:, 10:] = 40000
    y = recipe("edges")(page)
    assert set(np.unique(y)) == {0, 65535} and (y[5, :, 0] == 65535).sum() == 1
    np.testing.assert_array_equal(recipe("gaussian:sigma=1", "edges:sigma=0")(page), y)
    assert not recipe("edges:0.9,0.9")(page).any()
    smooth = np.linspace(0, 1, 400).reshape(20, 20)
    assert not recipe("edges")(smooth.astype(np.float32)).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gausian:2", "unknown kernel 'gausian'; did you mean 'gaussian'"),
        ("median", None),
        ("median:0", "size must be at least 1, got 0"),
        ("median:2.5", "size must be a whole number, got 2.5"),
        ("median:3,4", "'4' is too much: median takes size"),
        ("median:width=3", "median has no parameter 'width'; known are size"),
        ("sobel:3", "sobel takes no parameters, got '3'"),
        ("edges:0.3,0.1", "low must be at most high, 0.1, got 0.3"),
        ("edges:low=1,low=2", "low is given twice"),
        ("gaussian", "gaussian needs its sigma, such as gaussian:sigma=2"),
        ("1,2;3", "rows must be equally long, got 2 and 1"),
        ("edges:low=wide", "low must be a number, got 'wide'"),
        ("edges:sigma=inf", "parameters must be finite, got sigma=inf"),
        ("1,x", "'x' is no number"),
        ("1,nan", "weights and parameters must be finite, got 'nan'"),
        ("", "a kernel needs weights, such as 0,-1,0;-1,5,-1;0,-1,0"),
    ],
)
def test_texts_that_spell_nothing(text, message):
    if message is None:
        assert stages.stage(text).reach == (1, 1)
        return
    with pytest.raises(ValueError, match="kernel ") as error:
        stages.stage(text)
    assert message in str(error.value)


def test_pools():
    x = BYTES[:8, :8]
    blocks = x.reshape(4, 2, 4, 2).astype(float)
    for mode, expected in {
        "max": blocks.max((1, 3)),
        "min": blocks.min((1, 3)),
        "avg": np.rint(blocks.mean((1, 3))),
        "lp:2": np.rint(np.minimum(np.sqrt((blocks**2).sum((1, 3))), 255)),
        "lse:beta=4": np.rint(255 / 4 * np.log(np.exp(4 * blocks / 255).mean((1, 3)))),
    }.items():
        np.testing.assert_array_equal(Recipe([stages.pool_stage(mode, 2)])(x), expected.astype(np.uint8), err_msg=mode)
    with pytest.raises(ValueError, match="unknown pool 'maxx'; did you mean 'max'"):
        stages.pool_stage("maxx", 2)
    with pytest.raises(ValueError, match="max takes no parameters, got '3'"):
        stages.pool_stage("max:3", 2)
