"""What the rows of a table have come to, as plain arrays: how it is written, its columns, one entry for each series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigconv.io.clock import Clock
from sigconv.io.dialect import Dialect
from sigconv.io.reader import Head

_VERSION = 2
_DAMAGE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError)
_ENCODING = ("utf-8", "surrogateescape")

State = dict[str, Any]


@dataclass(frozen=True)
class Reached:
    """How far one series has come."""

    key: tuple[bytes, ...]
    latest: int
    """Its last time."""
    course: list[int] | None
    filter: State


@dataclass(frozen=True)
class Past:
    """What a `state` holds."""

    head: Head
    series: list[Reached]
    held: bytes
    """Rows that wait for others to come before them."""
    newest: int | None
    """The latest time of all rows, where they are put in order."""


def empty() -> State:
    """The state before a table is known."""
    return {"version": np.array(_VERSION)}


def packed(past: Past) -> State:
    """A flat dictionary of arrays that `unpacked` reads."""
    head, dialect = past.head, past.head.dialect
    state = {
        **empty(),
        **_packed_texts("dialect", [dialect.delimiter, dialect.decimal, dialect.comment]),
        "lines": np.array([dialect.top, dialect.header, dialect.units], np.int64),
        **_packed_texts("name", [name.encode(*_ENCODING) for name in head.names]),
        **_packed_texts("header", head.header),
        **{name: np.array(getattr(head, name), np.int64) for name in ("chosen", "time", "keys")},
        **_packed_texts("clock", [word.encode(*_ENCODING) for word in head.clock.words] if head.clock else []),
        **_packed_texts("key", [part for series in past.series for part in series.key]),
        "latest": np.array([series.latest for series in past.series], np.int64),
        "held": np.frombuffer(past.held, np.uint8),
        "newest": np.array([] if past.newest is None else [past.newest], np.int64),
    }
    for k, series in enumerate(past.series):
        state |= {f"filter {k} {name}": value for name, value in series.filter.items()}
        if series.course is not None:
            state[f"course {k}"] = np.array(series.course, np.int64)
    return state


def unpacked(state: Mapping[str, Any]) -> Past | None:
    """What a state holds; None for that of a table that was not known yet.

    Raises
    ------
    ValueError
        Where it is of another version, or damaged.
    """
    try:
        version = int(state["version"])
    except _DAMAGE:
        version = 0
    if version != _VERSION:
        raise ValueError("the state is of another version")
    if state.keys() == empty().keys():
        return None
    try:
        return _unpacked(state)
    except _DAMAGE:
        raise ValueError("the state is damaged") from None


def _unpacked(state: Mapping[str, Any]) -> Past:
    delimiter, decimal, comment = _texts(state, "dialect")
    top, header, units = _integers(state, "lines")
    _check(len(delimiter) == 1 and decimal in (b".", b",") and top >= 0 and {header, units} <= {0, 1})
    dialect = Dialect(delimiter, decimal, bool(header), comment, top, bool(units))
    names = [name.decode(*_ENCODING) for name in _texts(state, "name")]
    columns = {name: _integers(state, name) for name in ("chosen", "time", "keys")}
    _check(all(0 <= column < len(names) for places in columns.values() for column in places))
    _check(columns["chosen"] == sorted({*columns["chosen"]}) != [] and len(columns["time"]) <= 2)
    words = [word.decode(*_ENCODING) for word in _texts(state, "clock")]
    _check(len({*columns["time"]}) == len(columns["time"]) and (bool(columns["time"]) or not words))
    bare = _texts(state, "header")
    _check(len(bare) == (len(names) if header else 0))
    head = Head(dialect, names, bare, len(names), **columns, clock=Clock.from_words(words) if words else None)
    parts, width, latest = _texts(state, "key"), len(head.keys), _integers(state, "latest")
    _check(len(parts) == width * len(latest))
    filters: dict[str, State] = {}
    for name, value in state.items():
        if name.startswith("filter "):
            _, place, own_name = name.split(" ", 2)
            filters.setdefault(place, {})[own_name] = value
    series = []
    for k, moment in enumerate(latest):
        settles = head.clock is not None and head.clock.settles
        course = _integers(state, f"course {k}") if settles else None
        if course is not None and head.clock is not None:
            head.clock.course().restore(course)
        series.append(Reached(tuple(parts[k * width : (k + 1) * width]), moment, course, filters.get(str(k), {})))
    newest = _integers(state, "newest")
    return Past(head, series, _bytes(state["held"]), newest[0] if newest else None)


def _packed_texts(name: str, texts: Sequence[bytes]) -> State:
    return {
        f"{name} texts": np.frombuffer(b"".join(texts), np.uint8),
        f"{name} lengths": np.array([len(text) for text in texts], np.int64),
    }


def _texts(state: Mapping[str, Any], name: str) -> list[bytes]:
    joined, lengths = _bytes(state[f"{name} texts"]), _integers(state, f"{name} lengths")
    _check(min(lengths, default=0) >= 0 and sum(lengths) == len(joined))
    ends = np.cumsum([0, *lengths]).tolist()
    return [joined[a:b] for a, b in pairwise(ends)]


def _integers(state: Mapping[str, Any], name: str) -> list[int]:
    return _plain(state[name], np.int64).tolist()


def _bytes(array: Any) -> bytes:
    return _plain(array, np.uint8).tobytes()


def _plain(array: Any, dtype: Any) -> NDArray[Any]:
    _check(isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == 1)
    return array


def _check(sound: bool) -> None:
    if not sound:
        raise ValueError
