"""Light behind samples: --linear-light takes the curve that an image tells, and says where it cannot."""

import struct

import numpy as np
import pytest
from image_files import after, command, saved
from PIL import ImageCms
from scipy import ndimage

from sigconv.io import strips
from sigconv.io.images import About, read
from sigconv.io.images.curves import gamma_of

WORDS = np.random.default_rng(4).integers(0, 65536, (24, 31), np.uint16)
BLUR = ("-k", "gaussian:sigma=2", "--border", "reflect", "--linear-light")


def profile(*curves):
    """An ICC profile of nothing but curves."""
    names = (b"rTRC", b"gTRC", b"bTRC")[: len(curves)] if len(curves) > 1 else (b"kTRC",)
    at, table, data = 132 + 12 * len(curves), b"", b""
    for name, curve in zip(names, curves, strict=True):
        table += struct.pack(">4sII", name, at + len(data), len(curve))
        data += curve
    return bytes(128) + struct.pack(">I", len(curves)) + table + data


def curv(*values):
    return struct.pack(f">4sII{len(values)}H", b"curv", 0, len(values), *values)


def para(kind, *values):
    return struct.pack(f">4sIHH{len(values)}i", b"para", 0, kind, 0, *(round(v * 65536) for v in values))


SRGB = para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
TABLE = (np.linspace(0, 1, 1024) ** 1.8 * 65535).round().astype(int)
REC709 = para(3, 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)


@pytest.mark.parametrize(
    ("icc", "gamma", "sure"),
    [
        (profile(curv()), 1.0, True),
        (profile(curv(0x0233)), 2.19921875, True),
        (profile(*[para(0, 2.2)] * 3), 2.2, True),
        (profile(*[SRGB] * 3), None, True),
        (profile(curv(*TABLE)), 1.8, True),
        (profile(REC709), None, False),
        (profile(para(0, 2.2), para(0, 1.8), para(0, 2.2)), None, False),
        (profile(para(1, 2.2, 1, 0)), None, False),
        (profile(SRGB)[:150], None, False),
        (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), None, True),
        (ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), None, False),
        (b"", None, False),
    ],
)
def test_curves_of_profiles(icc, gamma, sure):
    found, known = gamma_of(About(icc=icc))
    assert known == sure and found == (gamma if gamma is None else pytest.approx(gamma, abs=2e-3))


@pytest.mark.parametrize(
    ("chunks", "gamma", "sure"),
    [
        ({}, None, True),
        ({b"gAMA": struct.pack(">I", 45455)}, 2.2, True),
        ({b"gAMA": struct.pack(">I", 45455), b"sRGB": b"\0"}, None, True),
        ({b"gAMA": bytes(4)}, None, False),
        ({b"cICP": bytes((1, 8, 0, 1)), b"sRGB": b"\0"}, 1.0, True),
        ({b"cICP": bytes((9, 16, 0, 1))}, None, False),
    ],
)
def test_curves_of_pngs(chunks, gamma, sure):
    found, known = gamma_of(About(details={"chunks": list(chunks.items())}))
    assert known == sure and found == (gamma if gamma is None else pytest.approx(gamma, abs=1e-4))


@pytest.mark.parametrize("large", [False, True])
def test_light_is_blurred_as_the_profile_has_it(large, tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "worth_it", lambda path: large)
    source = saved(tmp_path / "a.tif", WORDS, kind="tiff", icc=profile(curv(0x0200)))
    y = after(source, *BLUR).pages[0]
    light = ndimage.gaussian_filter((WORDS / 65535) ** 2, 2, mode="reflect")
    np.testing.assert_array_equal(y, np.rint(np.sqrt(light) * 65535).astype(np.uint16))
    np.testing.assert_allclose(((y / 65535) ** 2).mean(), ((WORDS / 65535) ** 2).mean(), rtol=1e-5)


@pytest.mark.parametrize("large", [False, True])
def test_an_unknown_curve_is_named(large, tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "worth_it", lambda path: large)
    source = saved(tmp_path / "a.tif", WORDS, kind="tiff", icc=profile(REC709))
    notes = command("image", source, "-o", tmp_path / "b.tif", *BLUR)[1]
    assert notes == f"sigconv: {source}: its profile has a curve that is not known here: --linear-light took sRGB's\n"
    plain = saved(tmp_path / "plain.tif", WORDS, kind="tiff")
    assert np.array_equal(read(tmp_path / "b.tif").pages[0], after(plain, *BLUR).pages[0])
    assert command("image", source, "-k", "box:3", "-o", tmp_path / "c.tif") == (b"", "", 0)
