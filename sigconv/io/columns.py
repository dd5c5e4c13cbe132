"""Which columns of a table are meant: by name, number or pattern, or the only one that holds numbers."""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from sigconv.errors import SigconvError
from sigconv.io.rows import Row, bare, is_number

# Rows looked at to tell numbers from text: a column that is empty in all of them holds no numbers.
SAMPLE = 100
_TIME_WORDS = {"time", "timestamp", "datetime", "epoch"}


class TelemetryError(SigconvError):
    """What stands in a file cannot be filtered as asked; the message names the column or the line."""


def names_of(header: Row) -> list[str]:
    """Names in a header row, without quotes and blanks."""
    return [bare(cell).replace(b'""', b'"').decode("utf-8", "surrogateescape") for cell in header]


def find(names: Sequence[str], wanted: str, apart: Callable[[str], bool] | None = None) -> list[int]:
    """Positions that ``wanted`` means: an exact name, else a number counted from 1, else a pattern with ``*``.

    A pattern leaves out names that stand ``apart``, unless it matches no others.

    Raises
    ------
    TelemetryError
        Where there is none, or a name occurs twice.

    Examples
    --------
    >>> find(["time", "x", "y"], "y"), find(["time", "x", "y"], "2"), find(["t", "acc x", "acc y"], "acc*")
    ([2], [1], [1, 2])
    """
    exact = [i for i, name in enumerate(names) if name == wanted]
    if len(exact) > 1:
        numbers = " and ".join(str(i + 1) for i in exact)
        raise TelemetryError(f"{len(exact)} columns are named {wanted!r}; give one by its number ({numbers})")
    if exact:
        return exact
    if re.fullmatch("[0-9]{1,9}", wanted):
        if 1 <= int(wanted) <= len(names):
            return [int(wanted) - 1]
        raise TelemetryError(f"no column {wanted}; columns are numbered 1 to {len(names)}")
    matching = [i for i, name in enumerate(names) if fnmatchcase(name, wanted)]
    if apart is not None and any(not apart(names[i]) for i in matching):
        matching = [i for i in matching if not apart(names[i])]
    if not matching:
        close = get_close_matches(wanted, names)
        close.sort(key=lambda name: sorted(name) != sorted(wanted))  # letters that have changed places come first
        hint = f"did you mean {close[0]!r}?" if close else f"there are {listed(names)}"
        raise TelemetryError(f"no column {wanted!r}; {hint}")
    return matching


def find_one(names: Sequence[str], wanted: str) -> int:
    """The one position that ``wanted`` means."""
    found = find(names, wanted)
    if len(found) > 1:
        raise TelemetryError(f"{wanted!r} matches several columns: {listed([names[i] for i in found])}")
    return found[0]


def only_numeric(names: Sequence[str], rows: list[Row], others: set[int], decimal: bytes, complete: bool) -> int | None:
    """The only column of numbers beside ``others``, times and keys; None while ``rows`` do not settle it.

    A column that is called time does not count. Where ``complete``, nothing more will come.
    """
    settled: dict[int, bool] = {}
    for row in rows[:SAMPLE]:
        for i in range(min(len(names), len(row))):
            if i not in settled and (verdict := is_number(row[i], decimal)) is not None:
                settled[i] = verdict
        if len(settled) == len(names):
            break
    else:
        if len(rows) < SAMPLE and not complete:
            return None
    candidates = [i for i, yes in sorted(settled.items()) if yes and i not in others and not is_called_time(names[i])]
    if len(candidates) != 1:
        problem = "several columns hold" if candidates else "no column beside the time holds"
        told = listed([names[i] for i in candidates or range(len(names))])
        raise TelemetryError(f"{problem} numbers; choose with -c from {told}")
    return candidates[0]


def is_called_time(name: str) -> bool:
    """Whether a column's name says that it holds times."""
    words = re.split("[^A-Za-z]+", name)
    return name == "t" or words[0] == "t" or not _TIME_WORDS.isdisjoint(word.lower() for word in words)


def is_called_date(name: str) -> bool:
    """Whether a column's name says that it holds dates."""
    return "date" in (word.lower() for word in re.split("[^A-Za-z]+", name))


def listed(names: Sequence[str]) -> str:
    """Names for a message."""
    shown = [repr(name) for name in names[:20]]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
