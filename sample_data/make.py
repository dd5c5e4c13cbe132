"""Write probe.csv, what an underwater probe might report, and cells.pgm, what it sees, made from fixed seeds.

    python sample_data/make.py

Position, depth and heading at uneven steps from microseconds to seconds, with noise, spikes, an hour of silence, a
heading that wraps at 360 degrees, cells that are missing and a column of words. All randomness is uniform numbers from
a seeded generator and every number has a fixed count of decimals, so the file is the same on every machine. The picture
shows cells that are brighter at their rims, in noise, under light that falls off to one side; cell.pgm is one of them.
"""

import math
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEED = 20260101
ROWS = 2000
START = 1_780_000_000_000_000  # microseconds since 1970
SILENCE = 3_600_000_000
LAP, SPIRAL = 340.0, 83.0  # seconds for one round, and for the wobble on it
SPIKES = 0.012
MISSING = 0.02

SIDE, CELLS = 192, 6  # pixels, and cells along each side
CELL = (slice(2, 23), slice(10, 31))


def main(path: Path = HERE / "probe.csv") -> None:
    """Write the file."""
    rng = np.random.default_rng(SEED)
    lines = ["time,x,y,depth,heading,mode"]
    now = START
    burst = 0
    for row in range(ROWS):
        if row == ROWS // 2:
            now += SILENCE
        elif burst:
            now += 1 + int(rng.random() * 40)  # microseconds
        elif rng.random() < 0.04:
            now += 1_500_000 + int(rng.random() * 3_000_000)
        else:
            now += 60_000 + int(rng.random() * 500_000)
        burst = burst - 1 if burst else int(rng.random() < 0.03) * (3 + int(rng.random() * 9))
        lines.append(",".join([f"{now // 1_000_000}.{now % 1_000_000:06d}", *reading((now - START) / 1e6, rng)]))
    path.write_bytes(("\n".join(lines) + "\n").encode())


def reading(seconds: float, rng: np.random.Generator) -> list[str]:
    """The cells of one row: x, y, depth, heading, mode."""
    angle = 2 * math.pi * seconds / LAP
    wobble = 2 * math.pi * seconds / SPIRAL
    x = 40 * math.cos(angle) + 6 * math.cos(wobble) + 1.6 * noise(rng)
    y = 40 * math.sin(angle) + 6 * math.sin(wobble) + 1.6 * noise(rng)
    depth = 20 + 4 * math.sin(angle / 3) + 0.35 * noise(rng)
    heading = (math.degrees(angle) + 90 + 5 * noise(rng)) % 360
    if rng.random() < SPIKES:
        x += 60 * (rng.random() - 0.5)
    if rng.random() < SPIKES:
        depth += 25 * rng.random()
    turning = math.cos(wobble - angle) > 0.8
    return [
        f"{x:.3f}",
        f"{y:.3f}",
        "" if rng.random() < MISSING else f"{depth:.2f}",
        "NA" if rng.random() < MISSING / 2 else f"{heading:.1f}",
        '"turn, port"' if turning else "cruise",
    ]


def noise(rng: np.random.Generator) -> float:
    """Nearly normal with variance 1. A sum of twelve uniform numbers, unlike a logarithm, is the same everywhere."""
    return sum(rng.random() for _ in range(12)) - 6.0


def cells(path: Path = HERE / "cells.pgm", part: Path = HERE / "cell.pgm") -> None:
    """Write the picture, and one of its cells."""
    rng = np.random.default_rng(SEED)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    light = 60 + columns * 0.25
    for k in range(CELLS * CELLS):
        row, column = (SIDE * (n + 0.3 + 0.4 * rng.random()) / CELLS for n in divmod(k, CELLS))
        away = ((rows - row) ** 2 + (columns - column) ** 2) / 36
        light = light + (40 + 50 * rng.random()) * (away + 0.2) / (1 + away**3)  # no function that machines disagree on
    seen = light + 9 * (sum(rng.random((SIDE, SIDE)) for _ in range(12)) - 6)
    for target, pixels in ((path, seen), (part, light[CELL])):
        data = np.clip(np.floor(pixels + 0.5), 0, 255).astype(np.uint8)
        target.write_bytes(b"P5\n%d %d\n255\n" % data.shape[::-1] + data.tobytes())


if __name__ == "__main__":
    main()
    cells()
