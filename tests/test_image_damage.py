"""Damaged image files: an error that names them, never a crash, a hang, a raw warning or half an image.

SIGCONV_EXAMPLES sets how many mutants are read; each that fails is named by its seed.
"""

import io
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import image_mutations as mutations
import numpy as np
import pytest

from sigconv.io.images import ImageError, read

MUTANTS = int(os.environ.get("SIGCONV_EXAMPLES", "600"))
AT_ONCE = 5000
FILES = mutations.corpus()


@pytest.mark.parametrize("first", range(0, MUTANTS, AT_ONCE))
def test_mutants_are_read_or_refused_in_little_memory(first):
    last = min(first + AT_ONCE, MUTANTS)
    done = subprocess.run(
        [sys.executable, mutations.__file__, str(first), str(last)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = done.stdout.splitlines()
    assert not [line for line in lines if line.split(maxsplit=2)[2:] not in (["read"], ["refused"])], done.stderr
    assert done.returncode == 0 and len(lines) == last - first and done.stderr == "", lines[-1:]


@pytest.mark.parametrize("name", sorted(FILES))
def test_what_is_cut_off_is_refused_or_was_not_needed(name):
    data, rng = FILES[name], random.Random(name)
    if name in ("truncated.png", "text.ppm"):
        pytest.skip("it is cut off as it is, or ends in a number that may be shorter")
    pages = read(io.BytesIO(data)).pages
    for kept in {0, 1, len(data) // 2, len(data) - 1, *(rng.randrange(len(data)) for _ in range(25))}:
        try:
            cut = read(io.BytesIO(data[:kept]))
        except ImageError:
            continue
        assert all(map(np.array_equal, pages, cut.pages)) and len(pages) == len(cut.pages), kept


def refused(data, match, **options):
    with pytest.raises(ImageError, match=match):
        read(io.BytesIO(data), **options)


def jpegs():
    return sorted(name for name in FILES if name.endswith(".jpg"))


@pytest.mark.parametrize("name", jpegs())
def test_jpegs_that_lack_data_but_not_their_end(name):
    data = FILES[name]
    start, size = data.index(b"\xff\xda"), len(data)
    for kept in ((start + size) // 2, size - 40):
        refused(data[:kept] + b"\xff\xd9", "is damaged|ends in the middle")
    middle = (start + size) // 2
    refused(data[:middle] + b"\xff\xd5" + data[middle + 2 :], "is damaged|ends in the middle")


def png(columns, rows, bits, kind, raw, *more):
    header = struct.pack(">IIBBBBB", columns, rows, bits, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_sizes_are_held_against_the_limit_before_anything_is_decoded():
    refused(png(100_000, 100_000, 8, 2, b""), "100000 x 100000 pixels, more than the limit")
    refused(png(30_000, 30_000, 8, 2, b"\0"), "too little data for its size")
    refused(b"P6 99999 99999 255\n", "more than the limit")
    refused(b"P5 30000 30000 255\n", "cut off or damaged")
    for name in ("RGB.png", "plain.jpg", "RGB.bmp", "lossless.webp", "zlib.tif", "RGB.ppm", "bytes.npy", "gray.pfm"):
        refused(mutations.written()[name], "limit", max_pixels=19)
        assert read(io.BytesIO(mutations.written()[name]), max_pixels=23 * 37).pages
    refused(mutations.written()["pages.tif"], "limit", max_pixels=2 * 23 * 37)  # all pages together


def test_pngs_that_claim_too_much_or_too_little():
    refused(png(2, 2, 8, 0, bytes(5)), "too little data")
    assert read(io.BytesIO(png(2, 2, 8, 0, bytes(6) + bytes(100)))).pages[0].shape == (2, 2)
    refused(png(2, 1, 8, 3, b"\0\0\2", (b"PLTE", bytes(6))), "colour 2 of a palette of 2")
    refused(png(2, 1, 8, 0, bytes(3), *[(b"tEXt", bytes(1 << 20))] * 65), "bytes of text")
    refused(png(2, 1, 8, 0, bytes(3), (b"ABCD", b"")), "needs 'ABCD'")
    refused(png(2, 1, 7, 0, bytes(3)), "colour type 0 of 7 bits")


def tiff(entries, pixels=bytes(64)):
    table = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in entries)
    at = 8 + len(pixels)
    return b"II*\0" + struct.pack("<I", at) + pixels + struct.pack("<H", len(entries)) + table, at


def test_tiffs_whose_directories_lie():
    sound = {256: 8, 257: 8, 258: 8, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}

    def made(following=0, **changes):
        entries = {**sound, **{int(k[1:]): v for k, v in changes.items()}}
        data, at = tiff(sorted((k, v) for k, v in entries.items() if v is not None))
        return data + struct.pack("<I", at if following else 0)

    assert read(io.BytesIO(made())).pages[0].shape == (8, 8)
    refused(made(following=1), "pages have no end")
    refused(made(t273=1000), "beyond its end")
    refused(made(t273=0), "missing")
    refused(made(t279=63), "too few samples")
    refused(made(t257=9), "1 strips or tiles of 2")
    refused(made(t257=10**6, t256=10**6), "limit")
    refused(made(t277=1025), "1025 samples")
    refused(made(t258=13), "13 bits")
    refused(made(t259=34712), "JPEG 2000")
    refused(made(t262=8), "colour kind")
    refused(made(t256=None), "tag 256 is missing")
    refused(made(t322=2**20, t323=2**20), "tiles of")


def test_animations_and_formats_that_are_not_read_are_named():
    from PIL import Image

    first, second = (Image.fromarray(mutations.samples()[::step]) for step in (1, -1))
    for kind, match in (("GIF", "format GIF"), ("WEBP", "an animation"), ("PNG", "animation of 2 frames")):
        file = io.BytesIO()
        first.save(file, kind, save_all=True, append_images=[second])
        refused(file.getvalue(), match)
    for data in (b"", b"text", b"\0" * 20, b"%PDF-1.7", b"P7\nWIDTH 1"):
        refused(data, "is empty|is no image|of the format")


def test_arrays_that_are_no_images_or_no_arrays():
    for x, match in (
        (np.zeros(3), "1 dimensions"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.array([["a"]]), "<U1"),
    ):
        file = io.BytesIO()
        np.save(file, x)
        refused(file.getvalue(), match)
    file = io.BytesIO()
    np.save(file, np.array([[{}]]), allow_pickle=True)
    refused(file.getvalue(), "object")


def test_files_that_are_not_there_are_the_systems_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "no.png")
    with pytest.raises(IsADirectoryError):
        read(tmp_path)
    path = tmp_path / "bad.png"
    path.write_bytes(b"x")
    with pytest.raises(ImageError, match=r"bad\.png: is no image"):
        read(path)


@pytest.mark.skipif(not mutations.REAL.is_dir(), reason="the shared images are not here")
def test_the_truncated_image_is_refused():
    path = Path(mutations.REAL) / "truncated.png"
    with pytest.raises(ImageError, match=r"truncated\.png: ends in the middle"):
        read(path)
