"""Delimited text through the compiled kernels: rows and cells found, numbers and times read, texts replaced."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.sizes import LINE, ROW_CELLS, ROW_END, ROW_FIELDS, ROW_KIND, ROW_START

Places = NDArray[np.int64]


def padded(*pieces: bytes | memoryview) -> tuple[NDArray[np.uint8], int]:
    """The pieces one after another in a buffer as the kernels read it, and how many bytes they are."""
    size = sum(map(len, pieces))
    data = np.empty(size + LINE, np.uint8)
    at = 0
    for piece in pieces:
        data[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    data[size:] = 0
    return data, size


@dataclass(frozen=True)
class Rows:
    """Complete rows of a text: where each starts and ends (without its line end), its kind, how many cells it has.

    ``first[k]`` and ``last[k]`` bound the k-th of the cells that were asked for; -1 where a row has none.
    """

    start: Places
    end: Places
    kind: Places
    cells: Places
    first: Places
    last: Places
    rest: int
    """Where the first incomplete row begins."""
    too_long: bool
    """That row does not end within the limit."""

    def __len__(self) -> int:
        return len(self.start)


def split(
    data: NDArray[np.uint8],
    size: int,
    rows: int,
    *,
    delimiter: bytes,
    comment: bytes,
    limit: int,
    last: bool,
    needed: list[int],
) -> Rows:
    """The rows of data[:size], at most ``rows`` of them, and their cells with the numbers ``needed`` (ascending)."""
    wanted = np.array(needed, np.int64)
    table = np.empty((ROW_FIELDS + 2 * len(needed), max(rows, 1)), np.int64)
    found = np.empty(3, np.int64)
    prefix = np.frombuffer(comment + b"\0", np.uint8)
    kernel("rows.split")(
        address(data), size, delimiter[0], address(prefix), len(comment), limit, last, address(wanted), len(needed),
        address(table), table.shape[1], address(found),
    )  # fmt: skip
    count, rest, too_long = found.tolist()
    table = table[:, :count]
    return Rows(
        table[ROW_START], table[ROW_END], table[ROW_KIND], table[ROW_CELLS],
        table[ROW_FIELDS::2], table[ROW_FIELDS + 1 :: 2], rest, bool(too_long),
    )  # fmt: skip


def count(data: NDArray[np.uint8], byte: int) -> int:
    """How many of the bytes are ``byte``."""
    found = np.empty(1, np.int64)
    kernel("rows.count")(address(data), len(data), byte, address(found))
    return int(found[0])


def read_numbers(
    data: NDArray[np.uint8], first: Places, last: Places, point: bytes = b"."
) -> tuple[NDArray[np.float64], NDArray[Any], Places, Places]:
    """Values of cells, whether each could be read, and the bounds of the bare texts; the rest is left to the caller."""
    first, last = first.copy(), last.copy()
    value, good = np.empty(len(first)), np.empty(len(first), np.uint8)
    kernel("cells.numbers")(
        address(data), address(first), address(last), len(first), point[0], address(value), address(good)
    )
    return value, good.view(bool), first, last


def read_stamps(data: NDArray[np.uint8], first: Places, last: Places, digits: int) -> tuple[Places, NDArray[Any]]:
    """Nanoseconds since 1970 of cells that count 10**-digits seconds (or, where negative, hold ISO 8601)."""
    ns, good = np.zeros(len(first), np.int64), np.empty(len(first), np.uint8)
    first, last = np.ascontiguousarray(first), np.ascontiguousarray(last)
    kernel("cells.stamps")(address(data), address(first), address(last), len(first), digits, address(ns), address(good))
    return ns, good.view(bool)


def splice(
    data: NDArray[np.uint8], size: int, first: Places, last: Places, texts: bytes, start: Places, stop: Places
) -> memoryview:
    """data[:size] with texts[start[k] : stop[k]] in place of data[first[k] : last[k]], which ascend."""
    first, last, start, stop = (np.ascontiguousarray(places, np.int64) for places in (first, last, start, stop))
    out, made = np.empty(size + int((stop - start).sum()) + LINE, np.uint8), np.empty(1, np.int64)
    new, _ = padded(texts)
    kernel("text.splice")(
        address(data), size, address(first), address(last), len(first), address(new), address(start), address(stop),
        address(out), address(made),
    )  # fmt: skip
    return out[: made[0]].data


def fill(data: NDArray[np.uint8], size: int, first: Places, last: Places, texts: bytes) -> memoryview:
    """data[:size] with the elements of the JSON list ``texts`` in place of data[first[k] : last[k]], which ascend."""
    out, made = np.empty(size + len(texts) + LINE, np.uint8), np.empty(1, np.int64)
    new, length = padded(texts)
    kernel("text.fill")(
        address(data), size, address(first), address(last), len(first), address(new), length, address(out),
        address(made),
    )  # fmt: skip
    return out[: made[0]].data
