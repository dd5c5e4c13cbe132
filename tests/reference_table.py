"""What filtering the columns of a delimited table means: slow, obvious, and free of the package that it judges.

``rewrite`` reads the whole input at once, byte by byte, row by row, and keeps every byte but those of the cells that
the filter changed. A filter is any object with ``step(values, time) -> values``: one row of numbers, NaN where a cell
holds none, and its time in nanoseconds or None.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r"
QUOTE = b'"'
ROW_LIMIT = 1 << 20
MISSING = frozenset(
    b"|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split(b"|")
)
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


class Refused(Exception):
    """The table cannot be filtered as asked; ``written`` is what comes out before that."""

    def __init__(self, message: str, written: bytes = b"") -> None:
        super().__init__(message)
        self.written = written


class Piece(NamedTuple):
    """A part of the input: a row with its cells, or what passes through as it is."""

    kind: str  # "row", "endless" (beyond the limit) or "other" (byte order mark, preamble, comment, blank line)
    line: int
    cells: list[bytes]
    end: bytes  # a row's line end; the whole piece for the other kinds


class Outcome(NamedTuple):
    """What comes out, how many problems there were of each kind, and the line on which the first one stood."""

    data: bytes
    counts: dict[str, int]
    lines: dict[str, int]


def pieces(
    data: bytes,
    *,
    delimiter: bytes = b",",
    comment: bytes = b"",
    header: bool = True,
    top: int = 0,
    row_limit: int = ROW_LIMIT,
) -> Iterator[Piece]:
    """The input in order, without a gap."""
    at, line = 0, 1
    if data.startswith(BOM):
        yield Piece("other", 1, [], BOM)
        at = len(BOM)
    blanks = BLANKS + (delimiter if delimiter in BLANKS else b"")
    while at < len(data):
        after = _after_line(data, at)
        physical = data[at:after]
        is_comment = bool(comment) and physical.startswith(comment)
        is_blank = not physical.strip(blanks + b"\n")
        if line > top and not (is_comment or is_blank):
            piece, after = _row(data, at, line, delimiter, row_limit)
        elif len(physical.removesuffix(b"\n")) >= row_limit:
            piece = Piece("endless", line, [], physical)
        elif is_comment and header and line == top + 1:  # names behind a comment sign
            text = re.fullmatch(rb"(.*?)(\r?\n?)", physical, re.DOTALL)
            assert text is not None
            closed = _row_stop(text[1], 0, delimiter, len(text[1]) + 1, quotes=True) is not None
            piece = Piece("row", line, _cells(text[1], delimiter, closed), text[2])
        else:
            piece = Piece("other", line, [], physical)
        yield piece
        line += data.count(b"\n", at, after)
        at = after


def _row(data: bytes, at: int, line: int, delimiter: bytes, limit: int) -> tuple[Piece, int]:
    """The row that begins at ``at``, and where the next one begins."""
    quotes = True
    stop = _row_stop(data, at, delimiter, limit, quotes)
    if stop is None:
        quotes = False
        stop = _row_stop(data, at, delimiter, limit, quotes)
    if stop is None:
        after = _after_line(data, at)
        return Piece("endless", line, [], data[at:after]), after
    after = _after_line(data, stop)
    end = data[stop:after]
    if data[at:stop].endswith(b"\r"):
        stop, end = stop - 1, b"\r" + end
    return Piece("row", line, _cells(data[at:stop], delimiter, quotes), end), after


def _row_stop(data: bytes, at: int, delimiter: bytes, limit: int, quotes: bool) -> int | None:
    """Where the row's line end, or the end of the input, stands; None where that is not within ``limit`` bytes."""
    k, begins = at, True
    while k - at < limit:
        byte = data[k : k + 1]
        if byte in (b"", b"\n"):
            return k
        if quotes and begins and byte == QUOTE:
            after = _after_quoted(data, k)
            if after is None:
                return None
            k, begins = after, False
        else:
            k, begins = k + 1, byte == delimiter
    return None


def _after_quoted(data: bytes, at: int) -> int | None:
    """The place after the quote that closes the cell which ``data[at]`` opens."""
    while (at := data.find(QUOTE, at + 1)) >= 0:
        if data[at + 1 : at + 2] != QUOTE:
            return at + 1
        at += 1
    return None


def _cells(row: bytes, delimiter: bytes, quotes: bool) -> list[bytes]:
    cells: list[bytes] = []
    start = 0
    while True:
        quoted = quotes and row.startswith(QUOTE, start)
        stop = row.find(delimiter, _after_quoted(row, start) if quoted else start)
        if stop < 0:
            return [*cells, row[start:]]
        cells.append(row[start:stop])
        start = stop + 1


def _after_line(data: bytes, at: int) -> int:
    return data.find(b"\n", at) + 1 or len(data)


def bare_place(cell: bytes) -> tuple[int, int]:
    """Where a cell's text stands in it: without blanks, one pair of quotes, and blanks again."""
    a, b = _without_blanks(cell, 0, len(cell))
    if b - a >= 2 and cell[a : a + 1] == cell[b - 1 : b] == QUOTE:
        a, b = _without_blanks(cell, a + 1, b - 1)
    return a, b


def _without_blanks(cell: bytes, a: int, b: int) -> tuple[int, int]:
    while a < b and cell[a] in BLANKS:
        a += 1
    while a < b and cell[b - 1] in BLANKS:
        b -= 1
    return a, b


def bare(cell: bytes) -> bytes:
    """What a cell says."""
    a, b = bare_place(cell)
    return cell[a:b]


def number(cell: bytes, decimal: bytes = b".", na: frozenset[bytes] = frozenset()) -> float | None:
    """A cell's number, NaN where it is missing, None where it is neither."""
    text = bare(cell)
    if not text or text in MISSING or text in na:
        return math.nan
    if b"_" in text or not text.isascii() or (decimal == b"," and b"." in text):
        return None
    try:
        return float(text.replace(b",", b".") if decimal == b"," else text)
    except ValueError:
        return None


def text_of(y: float, decimals: int | None = None) -> str:
    """The shortest text that reads back exactly, or one of ``decimals`` places.

    Examples
    --------
    >>> [text_of(y) for y in (3.0, 0.1, 1e16, 1e-7, -0.00001, 123456789.125)]
    ['3.0', '0.1', '1e16', '1e-7', '-0.00001', '123456789.125']
    """
    if decimals is not None:
        return f"%.{decimals}f" % y
    if not math.isfinite(y):
        return repr(y)
    mantissa, _, exponent = repr(y).partition("e")
    if not exponent:  # repr() turns to an exponent below 1e-4 and from 1e16 on
        return mantissa
    power = int(exponent)
    if power == -5:  # the one decade in which a fraction is still written out
        sign, digits = "-" if y < 0 else "", mantissa.lstrip("-").replace(".", "")
        return f"{sign}0.0000{digits}"
    return f"{mantissa}e{power}"


def time_ns(cell: bytes, unit: str | None) -> int | None:
    """Nanoseconds since 1970 of plain digits in ``unit``, or of a plain ISO date and time where that is None."""
    text = bare(cell).decode("latin-1")
    if unit is not None:
        match = re.fullmatch(r"([0-9]+)(?:\.([0-9]{1,9}))?", text)
        if match is None:
            return None
        whole, fraction = match[1], match[2] or ""
        return int(whole + fraction) * UNITS[unit] // 10 ** len(fraction)
    match = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z?", text)
    if match is None:
        return None
    try:
        since = datetime.fromisoformat(f"{match[1]} {match[2]}") - datetime(1970, 1, 1)
    except ValueError:
        return None
    return since // timedelta(seconds=1) * 10**9 + int((match[3] or "").ljust(9, "0"))


def name_of(cell: bytes) -> bytes:
    """What a header cell calls its column."""
    return bare(cell).replace(b'""', QUOTE)


def names_of(data: bytes, *, header: bool = True, comment: bytes = b"", **dialect: Any) -> list[bytes]:
    """What the columns are called: by the header, or by their numbers; empty where there is no row."""
    read = pieces(data, header=header, comment=comment, **dialect)
    first = next((piece.cells for piece in read if piece.kind != "other"), [])
    if not header:
        return [b"%d" % (i + 1) for i in range(len(first))]
    return [name_of(cell) for cell in _without_sign(first, comment)]


def _without_sign(header: list[bytes], comment: bytes) -> list[bytes]:
    return [header[0].removeprefix(comment), *header[1:]] if header else header


def position(names: Sequence[bytes], wanted: bytes) -> int:
    """The column of that exact name, else of that number, counted from 1."""
    exact = [i for i, name in enumerate(names) if name == wanted]
    if len(exact) > 1:
        raise Refused(f"{len(exact)} columns are named {wanted!r}")
    if exact:
        return exact[0]
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise Refused(f"no column {wanted!r}")


def rewrite(
    data: bytes,
    *,
    delimiter: bytes = b",",
    decimal: bytes = b".",
    header: bool = True,
    comment: bytes = b"",
    top: int = 0,
    units: bool = False,
    columns: Sequence[int],
    keys: Sequence[int] = (),
    time: tuple[int, str | None] | None = None,
    na: frozenset[bytes] = frozenset(),
    suffix: str = "",
    decimals: int | None = None,
    make_filter: Callable[[int], Any],
    row_limit: int = ROW_LIMIT,
) -> Outcome:
    """The table with its ``columns`` filtered; ``time`` is a column and its unit (None: ISO dates and times).

    Raises
    ------
    Refused
        Where a column does not exist, a line above the data is beyond the limit, or times of a key go back.
    """
    columns = sorted(columns)
    needed = max([*columns, *keys, *([time[0]] if time else [])])
    out: list[bytes] = []
    counts: Counter[str] = Counter()
    lines: dict[str, int] = {}
    filters: dict[tuple[bytes, ...], Any] = {}
    latest: dict[tuple[bytes, ...], int] = {}
    header_cells: list[bytes] = []
    names: list[bytes] = []
    expected = 0
    units_to_come = False

    def write(piece: Piece, added: Sequence[bytes] = ()) -> None:
        new = b"".join(delimiter + cell for cell in added) if suffix else b""
        out.append(delimiter.join(piece.cells) + new + piece.end)

    def pass_through(kind: str, piece: Piece, added: Sequence[bytes] = ()) -> None:
        counts[kind] += 1
        lines.setdefault(kind, piece.line)
        write(piece, added)

    def text(y: float) -> bytes:
        return text_of(y, decimals).replace(".", decimal.decode()).encode()

    def new_name(i: int) -> bytes:
        return _quoted(name_of(header_cells[i]) + suffix.encode(), delimiter)

    shape: dict[str, Any] = {"delimiter": delimiter, "comment": comment, "header": header}
    for piece in pieces(data, top=top, row_limit=row_limit, **shape):
        cells, empty = piece.cells, [b""] * len(columns)
        if piece.kind == "other":
            write(piece)
            continue
        if not expected:
            if piece.kind == "endless":
                raise Refused(f"line {piece.line}: too long, above any data")
            if needed >= len(cells):
                raise Refused(f"no column {needed + 1}")
            expected = len(cells)
            if header:
                header_cells, units_to_come = _without_sign(cells, comment), units
                write(piece, [new_name(i) for i in columns])
                # A header of nothing but numbers and blanks cannot be told from data.
                if any(number(header_cells[i], decimal, na) is None for i in columns):
                    names = [bare(header_cells[i]) for i in columns]
                continue
        if piece.kind == "endless":
            pass_through("endless", piece)
            continue
        if units_to_come:
            units_to_come = False
            write(piece, empty)
            continue
        if len(cells) <= needed:
            pass_through("short", piece)
            continue
        if any(bare(cell) for cell in cells[expected:]):
            pass_through("long", piece)
            continue
        if names and [bare(cells[i]) for i in columns] == names:
            pass_through("repeat", piece, [new_name(i) for i in columns])
            continue
        now = None
        if time:
            now = time_ns(cells[time[0]], time[1])
            if now is None:
                pass_through("time", piece, empty)
                continue
        key = tuple(bare(cells[i]) for i in keys)
        if now is not None:
            if now < latest.get(key, now):
                raise Refused(f"line {piece.line}: time goes back", b"".join(out))
            latest[key] = now

        x = []
        for i in columns:
            value = number(cells[i], decimal, na)
            if value is None:
                counts["cell"] += 1
                lines.setdefault("cell", piece.line)
            x.append(math.nan if value is None else value)
        if key not in filters:
            filters[key] = make_filter(len(columns))
        y = filters[key].step(x, now)
        new_cells = list(cells)
        if not suffix:
            for j, i in enumerate(columns):
                if math.isfinite(x[j]) and y[j] != x[j]:
                    new_cells[i] = _replaced(cells[i], text(y[j]), delimiter)
        write(piece._replace(cells=new_cells), [b"" if v != v else _quoted(text(v), delimiter) for v in y])
    return Outcome(b"".join(out), dict(counts), lines)


def _replaced(cell: bytes, text: bytes, delimiter: bytes) -> bytes:
    a, b = bare_place(cell)
    return cell[:a] + (text if QUOTE in cell else _quoted(text, delimiter)) + cell[b:]


def _quoted(text: bytes, delimiter: bytes) -> bytes:
    if any(sign in text for sign in (delimiter, QUOTE, b"\n")):
        return QUOTE + text.replace(QUOTE, b'""') + QUOTE
    return text
