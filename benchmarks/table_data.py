"""The table that the `csv` group reads: ten columns of telemetry, the same bytes for the same size and seed."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

SEED = 20240229
MB = 1_000_000
BLOCK = 5_000  # rows made at a time
POOL = 8_192  # different texts in a column
STEP_MS = 50
START = np.datetime64("2024-02-29T06:30:00.000", "ms")
UNITS = tuple(f"auv-{number:02d}".encode() for number in range(12))
COLUMNS = {
    "x": (1200.0, 300.0, "{!r}"),  # middle, spread, and how it is printed: 16 or 17 digits
    "y": (-3400.0, 300.0, "{!r}"),
    "depth": (40.0, 6.0, "{:.3f}"),
    "heading": (180.0, 50.0, "{:.2f}"),
    "speed": (1.6, 0.2, "{!r}"),
    "voltage": (24.1, 0.3, "{:.3f}"),
    "count": (31000.0, 9000.0, "{:.0f}"),
    "temperature": (8.4, 0.7, "{:.2f}"),
}
HEADER = ",".join(["time", "unit", *COLUMNS]).encode() + b"\n"


def table(megabytes: int) -> Path:
    """A file of at least so many MB, made once and kept in the temporary folder."""
    path = folder() / f"telemetry-{megabytes}MB-{SEED}.csv"
    if not path.exists():
        require(megabytes * MB)
        made = path.with_suffix(".part")
        _write(made, megabytes * MB)
        made.rename(path)
    return path


def repeated(source: Path, times: int) -> Path:
    """A new file with the same rows so many times over under one header."""
    path = source.with_stem(f"{source.stem}-x{times}")
    with path.open("wb") as target:
        for turn in range(times):
            with source.open("rb") as file:
                if turn:
                    file.readline()
                shutil.copyfileobj(file, target, 1 << 20)
    return path


def folder() -> Path:
    """Where inputs and outputs lie."""
    path = Path(tempfile.gettempdir()) / f"sigconv-benchmarks-{os.getuid()}"
    path.mkdir(exist_ok=True)
    return path


def require(size: int) -> None:
    """Refuse to begin where the disk cannot hold so many bytes and a margin."""
    free = shutil.disk_usage(folder()).free
    if free < size * 1.1 + 500 * MB:
        raise OSError(f"{folder()} has {free / MB:,.0f} MB free; {size / MB:,.0f} MB are needed")


def count_rows(path: Path) -> int:
    """Lines below the header."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 22), b"")) - 1


def _write(path: Path, size: int) -> None:
    rng = np.random.default_rng(SEED)
    pools = [np.array(UNITS, dtype=object)]
    for middle, spread, form in COLUMNS.values():
        values = sorted(rng.normal(middle, spread, POOL).tolist())
        pools.append(np.array([form.format(value).encode() for value in values], dtype=object))
    periods = rng.uniform(3_000, 9_000, len(pools)).tolist()
    row = 0
    with path.open("wb") as file:
        file.write(HEADER)
        while file.tell() < size:
            numbers = np.arange(row, row + BLOCK)
            row += BLOCK
            times = np.datetime_as_string(START + numbers * STEP_MS).astype("S23").tolist()
            columns = [
                p[_places(rng, numbers, period, len(p))].tolist() for p, period in zip(pools, periods, strict=True)
            ]
            file.write(b"\n".join(map(b"Z,".join, zip(times, map(b",".join, zip(*columns, strict=True)), strict=True))))
            file.write(b"\n")


def _places(rng: np.random.Generator, numbers: np.ndarray, period: float, size: int) -> np.ndarray:
    """A slow swing and noise: which of a column's sorted texts each row gets."""
    swing = 0.5 + 0.35 * np.sin(2 * np.pi * numbers / period)
    return (np.clip(swing + rng.uniform(-0.1, 0.1, len(numbers)), 0, 0.999) * size).astype(np.intp)
