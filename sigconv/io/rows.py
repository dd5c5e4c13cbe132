"""Rows of delimited text as cells, and cells as numbers: what is read one by one, outside the compiled kernels.

A quote opens a quoted cell only where the cell begins; a quoted cell may hold delimiters and line ends. A row that
would not end within `ROW_LIMIT` bytes in this way is read with its quotes as ordinary characters.
"""

import math
from collections.abc import Iterable

import numpy as np
import orjson
from numpy.typing import NDArray

Row = list[bytes]

ROW_LIMIT = 1 << 20  # bytes of a row, its line end included
BOM = b"\xef\xbb\xbf"
# The tokens that pandas.read_csv takes for missing.
MISSING = frozenset(
    b"|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split(b"|")
)
_BLANKS = b" \t\r"


def cells_of(row: bytes, delimiter: bytes) -> Row:
    """The cells of one row, as they stand; the line end is not part of it."""
    if b'"' not in row:
        return row.split(delimiter)
    cells: Row = []
    start = 0
    while True:
        after = start
        if row.startswith(b'"', start):
            after = row.find(b'"', start + 1) + 1
            while after and row.startswith(b'"', after):  # a doubled quote is a quote
                after = row.find(b'"', after + 1) + 1
            if not after:
                return row.split(delimiter)
        stop = row.find(delimiter, after)
        if stop < 0:
            return [*cells, row[start:]]
        cells.append(row[start:stop])
        start = stop + 1


def bare(cell: bytes) -> bytes:
    """What a cell says, without the blanks and quotes around it."""
    text = cell.strip(_BLANKS)
    if len(text) > 1 and text.startswith(b'"') and text.endswith(b'"'):
        text = text[1:-1].strip(_BLANKS)
    return text


def to_number(text: bytes, decimal: bytes = b".") -> float:
    """The number that a bare text spells.

    Raises
    ------
    ValueError
        Where it spells none.
    """
    if b"_" in text or (decimal == b"," and b"." in text):  # float() takes Python's digit groups, no table means them
        raise ValueError(text)
    return float(text.replace(decimal, b".") if decimal != b"." else text)


def is_number(cell: bytes, decimal: bytes = b".", missing: Iterable[bytes] = MISSING) -> bool | None:
    """Whether a cell is a number; None where it is missing, which settles nothing."""
    text = bare(cell)
    if text in missing:
        return None
    try:
        return True if not math.isnan(to_number(text, decimal)) else None
    except ValueError:
        return False


def to_texts(values: NDArray[np.float64], decimals: int | None = None) -> bytes:
    """A text for each value, the shortest that reads back exactly or one with so many decimals; each ends in LF."""
    if decimals is not None:
        return (f"%.{decimals}f\n" * len(values) % tuple(values.tolist())).encode()
    if not len(values):
        return b""
    texts = to_json(values)
    if np.isfinite(values).all():
        return texts[1:].translate(_LINES)
    numbers = texts[1:-1].split(b",")  # JSON knows no NaN and no infinity
    for k in np.flatnonzero(~np.isfinite(values)):
        numbers[k] = repr(float(values[k])).encode()
    return b"\n".join(numbers) + b"\n"


def to_json(values: NDArray[np.float64]) -> bytes:
    """The shortest texts that read back exactly, as a JSON list; null where a value is not finite."""
    texts = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    if not (np.abs(values) < 1e15).all():
        texts = texts.replace(b"e+", b"e")  # of which versions of orjson think differently
    return texts


_LINES = bytes.maketrans(b",]", b"\n\n")
