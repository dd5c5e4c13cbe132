"""The files that the `images` group reads, made once from a fixed seed and kept in the temporary folder."""

from pathlib import Path

import numpy as np

from .table_data import folder, require

SEED = 20240301
PIECE = 4000  # rows from which on an image repeats itself
FILES = {
    "gray8.tif": (4000, 4000, 0, np.uint8),
    "gray16.tif": (4000, 4000, 0, np.uint16),
    "rgb.jpg": (3000, 4000, 3, np.uint8),
    "rgb.png": (3000, 4000, 3, np.uint8),
    "small.tif": (500, 500, 0, np.uint8),
    "large.tif": (20_000, 20_000, 0, np.uint8),
}
"""Name -> rows, columns, channels (0: gray) and dtype."""


def picture(name: str) -> Path:
    """The file of that name."""
    from PIL import Image

    rows, columns, channels, dtype = FILES[name]
    path = folder() / f"{SEED}-{name}"
    if not path.exists():
        require(2 * rows * columns * max(channels, 1) * np.dtype(dtype).itemsize)  # and as much for what is written
        made = path.with_stem(f"{path.stem}-part")
        times = max(rows // PIECE, 1)
        pixels = _pixels(rows // times, columns // times, channels, np.dtype(dtype))
        repeated = np.tile(pixels, (times, times)) if times > 1 else pixels
        Image.fromarray(repeated).save(made, quality=90, compress_level=1)
        made.rename(path)
    return path


def _pixels(rows: int, columns: int, channels: int, dtype: np.dtype) -> np.ndarray:
    """Waves of several lengths and some noise: compressible as photographs are."""
    rng = np.random.default_rng(SEED)
    out = np.empty((rows, columns, *([channels] if channels else [])), dtype)
    scale = np.iinfo(dtype).max / 255
    noise = rng.normal(0, 4, (256, columns)).astype(np.float32)
    j = np.arange(columns)
    for i in range(rows):
        for c in range(max(channels, 1)):
            wave = np.sin(j / 37 + i / (51 + 9 * c)) + np.sin(j / 211 - i / 173 + c) + 0.5 * np.sin(j / 5 + i / 7)
            line = 128 + 40 * wave.astype(np.float32) + np.roll(noise[(7 * i + c) % 256], 131 * i)
            out[(i, slice(None), c) if channels else i] = np.clip(np.rint(line * scale), 0, 255 * scale)
    return out
