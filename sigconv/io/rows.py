"""Delimited text as rows of cells, and cells as numbers: nothing is lost, so joining gives the same bytes back.

A row is the list of its cells as they stand, quotes and blanks included. The line's own end is cut off, but not the
carriage return of a CRLF: that is a blank of the last cell. A quote opens a quoted cell only where the cell begins.
"""

import math

import numpy as np
import orjson
from numpy.typing import NDArray

Row = list[bytes]

# The tokens that pandas.read_csv takes for missing.
MISSING = frozenset(
    b"|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split(b"|")
)
_BLANKS = b" \t\r\n"
_BARE_NUMBERS = b"0123456789+-.eE,"


def split_rows(text: bytes, delimiter: bytes, limit: int = -1) -> tuple[list[Row], bytes]:
    """Rows of the complete lines in ``text``, and the rest that waits for more.

    At most ``limit`` delimiters of a line without quotes are cut; what follows stays in the last cell. A quoted cell
    may hold delimiters and line ends, so a row may span lines.
    """
    lines = text.split(b"\n")
    rest = lines.pop()
    if b'"' not in text:
        return [line.split(delimiter, limit) for line in lines], rest
    rows = []
    open_lines: list[bytes] = []
    for line in lines:
        if b'"' not in line:
            if open_lines:
                open_lines.append(line)
            else:
                rows.append(line.split(delimiter, limit))
            continue
        open_lines.append(line)
        row = _split_quoted(b"\n".join(open_lines), delimiter)
        if row is not None:
            rows.append(row)
            open_lines = []
    return rows, b"\n".join([*open_lines, rest])


def join_rows(rows: list[Row], delimiter: bytes) -> bytes:
    """The bytes that `split_rows` took apart."""
    return b"".join([delimiter.join(row) + b"\n" for row in rows])


def is_blank(row: Row) -> bool:
    """Whether the line holds nothing: such a line is no row of the table."""
    return len(row) == 1 and not row[0].strip()


def bare(cell: bytes) -> bytes:
    """What a cell says, without the blanks and quotes around it."""
    text = cell.strip(_BLANKS)
    if len(text) > 1 and text.startswith(b'"') and text.endswith(b'"'):
        text = text[1:-1].strip(_BLANKS)
    return text


def to_numbers(cells: list[bytes]) -> tuple[NDArray[np.float64], list[int]]:
    """Values of the cells, NaN where there is none, and the positions of cells that are neither number nor missing."""
    values = _bare_numbers(b",".join(cells), len(cells))
    if values is not None:
        return values, []
    values = np.empty(len(cells))
    odd = []
    for k, cell in enumerate(cells):
        text = bare(cell)
        if text in MISSING:
            values[k] = math.nan
            continue
        try:
            values[k] = _number(text)
        except ValueError:
            values[k] = math.nan
            odd.append(k)
    return values, odd


def is_number(cell: bytes) -> bool | None:
    """Whether a cell is a number; None where it is missing, which settles nothing."""
    text = bare(cell)
    if text in MISSING:
        return None
    try:
        _number(text)
    except ValueError:
        return False
    return True


def to_texts(values: NDArray[np.float64]) -> list[bytes]:
    """The shortest text of each value that reads back exactly."""
    if not len(values):
        return []
    texts = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    for k in np.flatnonzero(~np.isfinite(values)):  # JSON knows no NaN and no infinity
        texts[k] = repr(float(values[k])).encode()
    return texts


def replace_number(cell: bytes, text: bytes) -> bytes:
    """The cell with another number in it; blanks and quotes stay."""
    old = bare(cell)
    return text if len(old) == len(cell) else cell.replace(old, text, 1)


def _bare_numbers(text: bytes, count: int) -> NDArray[np.float64] | None:
    # JSON reads numbers ten times faster than float(); words and brackets are kept out, since "true" is no number, and
    # a cell with a comma in it shows in the count. What JSON refuses ("+1", ".5", an empty cell) goes the long way.
    if text.translate(None, _BARE_NUMBERS + _BLANKS):
        return None
    try:
        values = orjson.loads(b"[" + text + b"]")
    except orjson.JSONDecodeError:
        return None
    return np.array(values, dtype=np.float64) if len(values) == count else None


def _number(text: bytes) -> float:
    if b"_" in text:  # float() takes Python's digit groups, no table means a number by them
        raise ValueError(text)
    return float(text)


def _split_quoted(line: bytes, delimiter: bytes) -> Row | None:
    """Cells of a line, or None where a quoted cell is still open at its end."""
    row = []
    start = 0
    while True:
        after = start
        if line.startswith(b'"', start):
            after = line.find(b'"', start + 1) + 1
            while after and line.startswith(b'"', after):  # a doubled quote is a quote
                after = line.find(b'"', after + 1) + 1
            if not after:
                return None
        stop = line.find(delimiter, after)
        if stop < 0:
            row.append(line[start:])
            return row
        row.append(line[start:stop])
        start = stop + 1
