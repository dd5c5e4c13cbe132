"""How a table is written, told from its first bytes: delimiter, decimal mark, header, comments, a row of units."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from sigconv.io.rows import BOM, MISSING, bare, is_number
from sigconv.io.timestamps import is_time

__all__ = ["Dialect", "sniff"]

HEAD = 1 << 16  # so many bytes settle everything
_SAMPLE = 100  # rows below the header that are looked at
_TITLES = 50  # rows above it
_PATIENCE = 8  # rows below it that may hold no number before they count as data after all
_COMMENTS = (b"#", b"%", b"//")
_DELIMITERS = (b"\t", b";", b"|", b",")  # where two fit alike the comma is last: numbers and prose hold it, too
_WITH_COMMAS = (b"\t", b";")  # where decimal commas are common
_BLANKS = b" \t\r"
_QUOTED = re.compile(rb'"[^"]*(?:""[^"]*)*"(?!")')
_COMMA_NUMBER = re.compile(rb"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(rb"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_UNIT = re.compile(
    r"\[.*\]|\(.*\)|[A-Za-z]{1,4}|degrees|volts|(?=.*[°/^*·²³µμΩ%])[\w°/^*·²³µμΩ%. -]{1,12}"  # m/s, degC, %
    r"|[A-Za-z]{1,3}(?:[ .]?[A-Za-z]{0,3}-?[0-9])+",  # m2, kg m-2 s-1
    re.IGNORECASE,
)
_STATES = frozenset(["on", "off", "ok", "err", "bad", "good", "yes", "no", "true", "low", "high", "fail"])


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes
    ----------
    delimiter : bytes
        The one byte between cells.
    decimal : bytes
        Decimal mark of numbers, a point or a comma.
    header : bool
        Whether the first row holds names.
    comment : bytes
        What lines begin with that are no rows; empty where there are none. The header itself may begin with it.
    top : int
        Physical lines above the header, or above the first row where there is no header.
    units : bool
        Whether a row of units follows the header.
    """

    delimiter: bytes = b","
    decimal: bytes = b"."
    header: bool = True
    comment: bytes = b""
    top: int = 0
    units: bool = False


def sniff(
    head: bytes,
    *,
    delimiter: bytes | None = None,
    decimal: bytes | None = None,
    header: bool | None = None,
    comment: bytes | None = None,
    complete: bool = False,
) -> Dialect | None:
    """The dialect of a table that begins with ``head``; what is given is taken as it is, the rest is told from there.

    Parameters
    ----------
    head : bytes
        All that has arrived, or the first 64 KiB of it.
    delimiter, decimal, header, comment : optional
        What is known; an empty ``comment`` says that there are no comments.
    complete : bool
        Whether nothing more will come.

    Returns
    -------
    Dialect or None
        None where ``head`` holds no complete row of data yet, and more may come.

    Examples
    --------
    >>> sniff(b"time;x\\n10.00.00;1,5\\n")
    Dialect(delimiter=b';', decimal=b',', header=True, comment=b'', top=0, units=False)
    >>> sniff(b"# logger 7\\nt,x\\ns,mV\\n0,1\\n")
    Dialect(delimiter=b',', decimal=b'.', header=True, comment=b'#', top=1, units=True)
    >>> sniff(b"t,x\\n0,") is None
    True
    """
    text = head.removeprefix(BOM)
    ended = complete or len(head) >= HEAD
    if not complete:
        text = text[: text.rfind(b"\n") + 1] or text * ended
    prefix = _comment_of(text) if comment is None else comment
    commented = comment is None and header is not False  # whether a comment may turn out to be the header

    def read(mark: bytes) -> _Table:
        return _Table(text, mark, decimal, header, prefix, commented, ended)

    table = read(delimiter) if delimiter is not None else _best(read, [each for each in _DELIMITERS if each != decimal])
    if not ended and not table.is_settled:
        return None
    return Dialect(table.delimiter, table.decimal, table.has_header, prefix, table.top, table.has_units)


class _Row:
    """A row's bare cells, and which of them are numbers or times (None: missing)."""

    def __init__(self, line: int, cells: list[bytes], decimals: Sequence[bytes]) -> None:
        self.line = line
        self.cells = [bare(cell) for cell in cells]
        self._decimals = decimals

    @cached_property
    def used(self) -> int:
        """Cells up to the last that is not blank."""
        return next((k for k in range(len(self.cells), 0, -1) if self.cells[k - 1]), 0)

    @cached_property
    def values(self) -> list[bool | None]:
        return [_is_value(cell, self._decimals) for cell in self.cells]

    def agrees(self, header: "_Row") -> bool:
        """Whether the row is as long as the header, but for blank cells at the end of either."""
        return self.used <= len(header.cells) and len(self.cells) >= header.used


class _Table:
    """What a text would be with this delimiter."""

    def __init__(
        self, text: bytes, delimiter: bytes, decimal: bytes | None, header: bool | None, prefix: bytes,
        commented: bool, ended: bool,
    ) -> None:  # fmt: skip
        self.delimiter = delimiter
        decimals = [decimal] if decimal is not None else [b".", b","] if delimiter != b"," else [b"."]
        self._decimals = decimals
        rows: list[_Row] = []
        comments: list[_Row] = []  # those that lead
        for line, cells, is_comment in _split(text, delimiter, prefix, ended):
            if not is_comment:
                rows.append(_Row(line, cells, decimals))
                if len(rows) > _TITLES + _SAMPLE:
                    break
            elif not rows:
                comments.append(_Row(line, cells, decimals))
        if commented and comments and rows and _is_header_of(comments[-1], rows):
            rows.insert(0, comments[-1])
            start, self.has_header = 0, True
        else:
            start = _start(rows, header)
            self.has_header = _has_header(rows[start:]) if header is None else header
        self.titles = start
        self.top = rows[start].line if rows else 0
        self._first = rows[start] if rows else None
        data = rows[start + self.has_header : start + 1 + _SAMPLE]
        self.has_units = self.has_header and _has_units(data)
        self.data = data[self.has_units :]
        self.decimal = _decimal_of(self.data) if decimal is None and delimiter != b"," else decimal or b"."

    @cached_property
    def width(self) -> int:
        return len(self._first.cells) if self._first else 0

    @cached_property
    def agreement(self) -> float:
        """Share of the rows that are as long as the first."""
        return _share([row.agrees(self._first) for row in self.data]) if self._first and self.data else 1.0

    @cached_property
    def fit(self) -> float:
        """How well the delimiter explains the text: rows of one length, and cells that are numbers and times."""
        if self.width < 2:
            return 0.0
        rows = self.data or ([self._first] if self._first else [])
        values = [value for row in rows for value in row.values if value is not None]
        return (self.agreement + 0.01) * (_share(values) + 0.1)

    @property
    def _decimal_is_told(self) -> bool:
        if len(self._decimals) == 1 or self.delimiter not in _WITH_COMMAS:
            return True
        cells = [cell for row in self.data for cell in row.cells]
        fractions = any(_COMMA_NUMBER.fullmatch(cell) or _POINT_NUMBER.fullmatch(cell) for cell in cells)
        return fractions or not any(map(bytes.isdigit, cells))

    @property
    def is_settled(self) -> bool:
        """Whether there is a row of data; one without any number may still be a header or a row of units.

        Where numbers may be written with a comma, it takes one with a fraction to tell, or a few without.
        """
        if not self._decimal_is_told and len(self.data) < _PATIENCE:
            return False
        sure = [row for row in self.data if self._first and row.agrees(self._first)]
        return any(True in row.values or False not in row.values for row in sure) or len(self.data) >= _PATIENCE


def _best(read: Callable[[bytes], _Table], delimiters: list[bytes]) -> _Table:
    """The table that fits best; blanks only where nothing else fits, and one column where they do not either."""
    tables = {delimiter: read(delimiter) for delimiter in delimiters}
    ranked = sorted(tables.values(), key=lambda table: table.fit, reverse=True)  # those that fit alike keep their order
    regular = next((table for table in ranked if table.fit and table.agreement >= 0.5), None)
    if regular:
        return regular
    blank = read(b" ")
    if blank.fit and blank.agreement == 1 and not blank.titles:
        return blank
    return ranked[0] if ranked[0].fit else tables.get(b",", tables[b";"])


def _split(text: bytes, delimiter: bytes, prefix: bytes, ended: bool) -> list[tuple[int, list[bytes], bool]]:
    """Line, cells and whether it is a comment, for each row that is complete and not blank."""
    found = []
    at = line = 0
    while at < len(text):
        stop = text.find(b"\n", at)
        stop = len(text) if stop < 0 else stop
        row = text[at:stop]
        is_comment = bool(prefix) and row.startswith(prefix)
        cells = row.split(delimiter)
        if b'"' in row and not is_comment:
            closed = _split_quoted(text, at, delimiter)
            if closed:
                cells, stop = closed
            elif not ended:  # the quote may close in what is to come
                break
        if row.strip(_BLANKS):
            found.append((line, cells, is_comment))
        line += text.count(b"\n", at, stop) + 1
        at = stop + 1
    return found


def _split_quoted(text: bytes, at: int, delimiter: bytes) -> tuple[list[bytes], int] | None:
    """Cells of a row that begins at ``at``, and where it ends; None where a quote never closes."""
    cells = []
    ends = re.compile(b"[" + re.escape(delimiter) + b"\n]")
    while True:
        quoted = _QUOTED.match(text, at)
        if quoted is None and text.startswith(b'"', at):
            return None
        end = ends.search(text, quoted.end() if quoted else at)
        stop = end.start() if end else len(text)
        cells.append(text[at:stop])
        if end is None or end[0] == b"\n":
            return cells, stop
        at = stop + 1


def _comment_of(text: bytes) -> bytes:
    """The prefix of the first line that is not blank."""
    start = text.lstrip(_BLANKS + b"\n")
    return next((prefix for prefix in _COMMENTS if start.startswith(prefix)), b"")


def _is_value(cell: bytes, decimals: Sequence[bytes]) -> bool | None:
    """Whether a bare cell is a number or a time; None where it is missing."""
    if cell in MISSING:
        return None
    verdicts = [is_number(cell, decimal) for decimal in decimals]
    return True if True in verdicts else None if None in verdicts else is_time(cell)


def _holds_values(rows: list[_Row], column: int) -> bool:
    """Whether at least half of what stands in a column are numbers or times."""
    found = [row.values[column] for row in rows if column < len(row.values) and row.values[column] is not None]
    return bool(found) and _share(found) >= 0.5


def _share(values: Sequence[bool | None]) -> float:
    return sum(map(bool, values)) / len(values) if values else 0.0


def _start(rows: list[_Row], header: bool | None) -> int:
    """Position of the header, or of the first row: 0, unless titles of another length stand above a table."""
    for k, row in enumerate(rows[:_TITLES]):
        below = rows[k + 1 : k + 1 + _SAMPLE]
        if row.used < 2 or not below or any(title.used == row.used for title in rows[:k]):
            continue
        if _share([each.agrees(row) for each in below]) < 0.9:
            continue
        if header is not False and _names(row, below) and _are_titles(rows[:k], row):
            return k
        # Without names, only single cells of text count as titles: longer rows may be the names of a ragged table.
        if k and header is not True and False not in row.values and all(map(_is_title, rows[:k])):
            return k
    return 0


def _are_titles(above: list[_Row], row: _Row) -> bool:
    """Whether rows are hardly the names of a ragged table: short ones, several, or with a number among the first."""
    return not above or len(above) > 2 or 2 * above[0].used <= row.used or True in above[0].values


def _is_title(row: _Row) -> bool:
    return row.used == 1 and row.values[0] is False


def _names(row: _Row, below: list[_Row]) -> bool:
    """Whether a row without numbers names most of the columns that hold numbers from soon below it."""
    if True in row.values or False not in row.values or not any(True in each.values for each in below[:3]):
        return False
    over = [k for k in range(len(below[0].cells)) if _holds_values(below, k)]
    named = [k for k in over if k < len(row.cells) and row.values[k] is False]
    return not over or 2 * len(named) > len(over)


def _is_header_of(comment: _Row, rows: list[_Row]) -> bool:
    """Whether a commented line right above rows of data is their header."""
    if len(comment.cells) < 2 or len(comment.cells) != len(rows[0].cells) or True in comment.values:
        return False
    return True in rows[0].values


def _has_header(rows: list[_Row]) -> bool:
    """Whether the first row is something else than numbers and times over numbers and times."""
    if not rows:
        return True
    first, below = rows[0], rows[1 : 1 + _SAMPLE]
    over = [
        value
        for k, value in enumerate(first.values)
        if value is not None and (not below or _holds_values(below, k))
    ]  # fmt: skip
    return not over or not all(over)


def _has_units(below: list[_Row]) -> bool:
    """Whether the first row below the header holds units of the columns of numbers below it."""
    if len(below) < 2 or True in below[0].values:
        return False
    return any(_is_unit(cell) and _holds_values(below[1:], k) for k, cell in enumerate(below[0].cells))


def _is_unit(cell: bytes) -> bool:
    text = cell.decode("utf-8", "replace")
    return cell not in MISSING and text.lower() not in _STATES and _UNIT.fullmatch(text) is not None


def _decimal_of(rows: list[_Row]) -> bytes:
    """A comma where more numbers are written with one than with a point."""
    cells = [cell for row in rows for cell in row.cells]
    commas = sum(_COMMA_NUMBER.fullmatch(cell) is not None for cell in cells)
    return b"," if commas > sum(_POINT_NUMBER.fullmatch(cell) is not None for cell in cells) else b"."
