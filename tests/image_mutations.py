"""Image files as people have them, and damage as disks, networks and broken programs do it.

Everything is drawn from a ``random.Random``: the same seed gives the same bytes. Run as a script, it reads mutants in
a process of little memory and prints what became of each.
"""

import io
import re
import struct
import sys
import zlib
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "images"
MEMORY = 3 << 30  # bytes that a process of mutants may take
SECONDS = 20  # for any one of them
_VALUES = (0, 1, 2, 3, 7, 8, 15, 16, 100, 127, 128, 254, 255, 256, 257, 32767, 32768, 65535, 65536, 10**6)
_BIG = (*_VALUES, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**30, 10**9)


def samples(rows=23, columns=37, count=3, dtype="u1"):
    """A ramp with a little noise, over the full scale."""
    rng = np.random.default_rng(count)
    x = np.add.outer(np.arange(rows) * 3.0, np.arange(columns) * 2.0)[..., None] + 9 * rng.random(
        (rows, columns, count)
    )
    dtype = np.dtype(dtype)
    scaled = x / x.max() * (np.iinfo(dtype).max if dtype.kind in "ui" else 1)
    return scaled.astype(dtype)[..., 0] if count == 1 else scaled.astype(dtype)


@cache
def written():
    """Files of all kinds, by name, as Pillow, tifffile and NumPy write them."""
    import tifffile
    from PIL import Image

    found = {}

    def pillow(name, mode, kind, **options):
        image = Image.fromarray(samples(count=4 if mode == "RGBA" else 3)).convert(mode)
        file = io.BytesIO()
        image.save(file, kind, **options)
        found[name] = file.getvalue()

    def tiff(name, x, **options):
        file = io.BytesIO()
        tifffile.imwrite(file, x, **{"metadata": None, **options})
        found[name] = file.getvalue()

    exif = Image.Exif()
    exif[0x112] = 6
    exif[0x10F] = "maker"
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        pillow(f"{mode}.png", mode, "PNG", dpi=(300, 200), exif=exif)
    pillow("bits4.png", "P", "PNG", bits=4, transparency=0)
    for name, options in {
        "plain": {},
        "progressive": {"progressive": True},
        "restarts": {"restart_marker_blocks": 2},
        "full": {"subsampling": 0, "exif": exif, "icc_profile": bytes(70000), "dpi": (72, 72)},
    }.items():
        pillow(f"{name}.jpg", "RGB", "JPEG", **options)
    pillow("cmyk.jpg", "CMYK", "JPEG")
    pillow("lossless.webp", "RGBA", "WEBP", lossless=True, exif=exif)
    pillow("lossy.webp", "RGB", "WEBP")
    for mode in ("1", "L", "P", "RGB"):
        pillow(f"{mode}.bmp", mode, "BMP")
    for compression in ("lzw", "zlib", "packbits", "zstd", "lzma", "jpeg"):
        tiff(f"{compression}.tif", samples(), photometric="rgb", compression=compression, rowsperstrip=8)
    tiff(
        "tiles.tif", samples(count=4, dtype="u2"), photometric="rgb", tile=(16, 16), compression="zlib", predictor=True
    )
    tiff("floats.tif", samples(count=1, dtype="f4"), compression="zlib", predictor=True, byteorder=">")
    tiff("big.tif", samples(count=1, dtype="u2"), bigtiff=True)
    tiff("pages.tif", np.stack([samples(count=1)] * 3), photometric="minisblack")
    tiff("planes.tif", np.moveaxis(samples(), -1, 0), photometric="rgb", planarconfig="separate", extrasamples=[])
    tiff("zero.tif", samples(count=1) > 99, photometric="miniswhite")
    tiff(
        "premultiplied.tif",
        np.minimum(x := samples(count=4), x[..., 3:]),
        photometric="rgb",
        extrasamples=["assocalpha"],
    )
    for mode in ("P", "CMYK"):
        pillow(f"{mode}.tif", mode, "TIFF")
    pillow("fax.tif", "1", "TIFF", compression="group4")
    for mode, suffix in (("1", "pbm"), ("L", "pgm"), ("RGB", "ppm")):
        pillow(f"{mode}.{suffix}", mode, "PPM")
    found["text.ppm"] = b"P3\n# text\n3 2 100\n" + b"7 50 100 " * 6
    found["odd.pgm"] = b"P5 4 3 4095\n" + samples(3, 4, 1, "u2").__floordiv__(17).astype(">u2").tobytes()
    found["gray.pfm"] = b"Pf\n5 4\n-1.0\n" + samples(4, 5, 1, "f4").tobytes()
    for name, x in (("bytes", samples()), ("floats", samples(dtype=">f8")), ("truth", samples(count=1) > 99)):
        file = io.BytesIO()
        np.save(file, np.asfortranarray(x) if name == "bytes" else x)
        found[f"{name}.npy"] = file.getvalue()
    return found


@cache
def corpus():
    """All files, real ones included where they are there, by name."""
    real = {path.name: path.read_bytes() for path in sorted(REAL.glob("*"))} if REAL.is_dir() else {}
    return {**written(), **real}


def mutant(seed):
    """Name and bytes of a file that had a few accidents."""
    rng = Random(seed)
    name = rng.choice(sorted(corpus()))
    data = corpus()[name]
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        data = rng.choice(_WAYS)(data, rng)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        data = mended(data)
    return name, data


def _place(data, rng):
    # most of what can go wrong is told at the beginning, and at a TIFF's end
    near = rng.choice([16, 64, 300, len(data)])
    at = rng.randrange(max(min(near, len(data)), 1))
    return len(data) - 1 - at if data[:2] in (b"II", b"MM") and rng.random() < 0.5 and data else at


def _put(data, at, new):
    return data[:at] + new + data[at + len(new) :]


def _flip(data, rng):
    at = _place(data, rng)
    return _put(data, at, bytes(byte ^ 1 << rng.randrange(8) for byte in data[at : at + 1]))


def _byte(data, rng):
    return _put(data, _place(data, rng), bytes([rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])]))


def _number(data, rng):
    size, order = rng.choice("HIQ"), rng.choice("<>")
    value = rng.choice(_VALUES if size == "H" else _BIG)
    return _put(data, _place(data, rng), struct.pack(order + size, min(value, 65535) if size == "H" else value))


def _cut(data, rng):
    return data[: rng.randrange(len(data) + 1)]


def _cut_little(data, rng):
    return data[: max(len(data) - rng.choice([1, 2, 4, 12, 40]), 0)]


def _drop(data, rng):
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice([1, 2, 4, 12, 100, 1000]) :]


def _repeat(data, rng):
    at, size = _place(data, rng), rng.choice([1, 2, 4, 12, 100])
    return data[: at + size] + data[at : at + size] * rng.choice([1, 1, 2, 50]) + data[at + size :]


def _swap(data, rng):
    size = rng.choice([1, 2, 4, 12, 64])
    a, b = sorted((_place(data, rng), _place(data, rng)))
    return (
        data
        if b < a + size
        else data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def _blank(data, rng):
    at, size = _place(data, rng), rng.choice([2, 8, 64, 512])
    return _put(data, at, (rng.choice([b"\0", b"\xff", b"\x55"]) * size)[: max(len(data) - at, 0)])


def _insert(data, rng):
    at = _place(data, rng)
    return data[:at] + rng.randbytes(rng.choice([1, 2, 5, 64])) + data[at:]


def _marry(data, rng):
    other = corpus()[rng.choice(sorted(corpus()))]
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


_WAYS = (
    _flip,
    _flip,
    _byte,
    _byte,
    _number,
    _number,
    _number,
    _cut,
    _cut_little,
    _drop,
    _repeat,
    _swap,
    _blank,
    _insert,
)
_WAYS = (*_WAYS, _marry)


def mended(data):
    """A PNG whose checksums are right whatever happened to its parts: the damage reaches what comes behind them."""
    pieces, at = [data[:8]], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + size > len(data):
            break
        part = data[at + 4 : at + 8 + size]
        pieces.append(data[at : at + 4] + part + struct.pack(">I", zlib.crc32(part)))
        at += 12 + size
    return b"".join([*pieces, data[at:]])


def main(first, last):
    """Read the mutants of these seeds and print what became of each: "read", "refused", or what must not happen."""
    import resource
    import signal
    import time

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from sigconv.io.images import ImageError, Picture, read

    signal.signal(signal.SIGALRM, lambda *_: sys.exit("took too long"))
    for seed in range(first, last):
        _, data = mutant(seed)
        print(seed, end=" ", flush=True)
        begun = time.perf_counter()
        signal.alarm(SECONDS)
        try:
            picture = read(io.BytesIO(data))
            whole = isinstance(picture, Picture) and all(page.flags.c_contiguous for page in picture.pages)
            outcome = "read" if whole else "strange"
        except ImageError as error:
            text = str(error)
            outcome = "refused" if text.startswith("image: ") and "\n" not in text else f"strange: {text!r}"
        except BaseException as error:
            outcome = f"raised {error!r}"
        signal.alarm(0)
        print(f"{time.perf_counter() - begun:.2f} {re.sub(chr(10), ' ', outcome)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
