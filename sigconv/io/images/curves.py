"""Which curve the samples of a picture follow: what part of full light a sample from 0 to 1 stands for."""

import struct

import numpy as np
from numpy.typing import NDArray

from sigconv.io.images.picture import About

_CODES = {1: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None}  # of cICP, ITU-T H.273; None where sRGB's is near enough
_NEAR = 0.005  # of full light
_PLACES = np.linspace(0, 1, 65)


def srgb(v: NDArray[np.floating]) -> NDArray[np.floating]:
    """The part of full light that samples from 0 to 1 stand for in sRGB (IEC 61966-2-1).

    Below 0 the curve goes on as its own mirror image.

    Examples
    --------
    >>> srgb(np.array([0.0, 0.5, 1.0])).round(4)
    array([0.   , 0.214, 1.   ])
    """
    size = np.abs(v)
    return np.copysign(np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4), v)


def gamma_of(about: About) -> tuple[float | None, bool]:
    """The exponent of the curve that a picture's profile or file tells, None for sRGB's, and whether that is sure.

    Pictures that tell nothing follow sRGB's; of profiles with a curve of another kind nothing better is known.

    Examples
    --------
    >>> gamma_of(About()), gamma_of(About(details={"chunks": [(b"gAMA", struct.pack(">I", 50000))]}))
    ((None, True), (2.0, True))
    """
    chunks = dict(about.details.get("chunks", []))
    if len(chunks.get(b"cICP", b"")) == 4:
        code = chunks[b"cICP"][1]
        return _CODES.get(code), code in _CODES
    if about.icc is not None:
        try:
            return _of_profile(about.icc)
        except (struct.error, ValueError, IndexError):
            return None, False
    gamma = int.from_bytes(chunks.get(b"gAMA", b""), "big")
    if b"sRGB" in chunks or not 10_000 <= gamma <= 1_000_000:
        return None, b"sRGB" in chunks or b"gAMA" not in chunks
    return 100_000 / gamma, True


def _of_profile(icc: bytes) -> tuple[float | None, bool]:
    (count,) = struct.unpack_from(">I", icc, 128)
    tags = {}
    for k in range(min(count, 200)):
        name, at, size = struct.unpack_from(">4sII", icc, 132 + 12 * k)
        tags[name] = icc[at : at + size]
    curves = [tags[name] for name in (b"rTRC", b"gTRC", b"bTRC", b"kTRC") if name in tags]
    if not curves:
        return None, False
    values = [_evaluated(curve) for curve in curves]
    if any(np.abs(other - values[0]).max() > _NEAR for other in values):
        return None, False
    if np.abs(values[0] - srgb(_PLACES)).max() <= _NEAR:
        return None, True
    middle = values[0][32]
    gamma = float(np.log(middle) / np.log(0.5)) if 0 < middle < 1 else 0.0
    told = _exponent(curves[0]) or gamma
    near = 0.1 <= told <= 10 and np.abs(values[0] - _PLACES**told).max() <= _NEAR
    return (told, True) if near else (None, False)


def _exponent(curve: bytes) -> float | None:
    """Of a curve that is one to the letter."""
    if curve[:4] == b"curv" and curve[8:12] == bytes(4):
        return 1.0
    if curve[:4] == b"curv" and curve[8:12] == b"\0\0\0\1":
        return int(struct.unpack_from(">H", curve, 12)[0]) / 256
    if curve[:4] == b"para" and curve[8:10] == bytes(2):
        return int(struct.unpack_from(">i", curve, 12)[0]) / 65536
    return None


def _evaluated(curve: bytes) -> NDArray[np.floating]:
    """A curve of a profile at some places (ICC.1:2010, 10.5 and 10.15)."""
    exponent = _exponent(curve)
    if exponent is not None:
        return _PLACES**exponent
    if curve[:4] == b"curv":
        (count,) = struct.unpack_from(">I", curve, 8)
        table = np.frombuffer(curve, ">u2", count, 12) / 65535
        return np.interp(_PLACES, np.linspace(0, 1, count), table)
    if curve[:4] != b"para" or curve[8:10] not in (b"\0\3", b"\0\4"):
        raise ValueError("a curve of another kind")
    g, a, b, c, d = (value / 65536 for value in struct.unpack_from(">5i", curve, 12))
    e, f = (value / 65536 for value in struct.unpack_from(">2i", curve, 32)) if curve[9] == 4 else (0.0, 0.0)
    return np.where(_PLACES >= d, np.maximum(a * _PLACES + b, 0) ** g + e, c * _PLACES + f)
