"""What the caller knows and wants of a table, and what is told about it afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are meant, and how it is written; what is None is found out from its first rows.

    Parameters
    ----------
    columns : sequence of str
        Names, numbers from 1 or patterns; empty: the only column of numbers beside times and keys.
    time : sequence of str
        The column of times; two where date and time stand apart.
    keys : sequence of str
        Columns that tell series apart whose rows are mixed.
    time_unit : {"s", "ms", "us", "ns"}, optional
        Unit of times that are numbers since 1970; by their magnitude otherwise.
    time_format : str, optional
        How times are written, in the directives of strptime.
    time_zone : str, optional
        Name of the zone of times that name none, such as Europe/Berlin; otherwise UTC.
    needs_time : bool
        Whether the filter needs times, so that their column is looked for where none is named.
    seeks_time : bool
        Whether it is looked for, and rows have no times where none or more than one is found.
    in_order : bool
        Whether times that go back are an error.
    reorder : int
        Nanoseconds by which rows may come late to be put in the order of their times; 0: they stay as they come.
    delimiter, decimal : bytes, optional
        The character between cells, and the one in front of decimals.
    header : bool, optional
        Whether the first row holds names; without, columns are called by their numbers.
    comment : bytes, optional
        What lines begin with that are no rows; empty for none.
    skip : int
        Lines at the top that are no part of the table, whatever they look like.
    na : frozenset of bytes
        Further texts that stand for a missing value.
    suffix : str
        Where not empty, results go to new columns of the old names with this added.
    decimals : int, optional
        Digits after the point of new values; otherwise as many as read back exactly.
    strict : bool
        Whether what would pass through and be counted is an error.
    """

    columns: Sequence[str] = ()
    time: Sequence[str] = ()
    keys: Sequence[str] = ()
    time_unit: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    needs_time: bool = False
    seeks_time: bool = False
    in_order: bool = True
    reorder: int = 0
    delimiter: bytes | None = None
    decimal: bytes | None = None
    header: bool | None = None
    comment: bytes | None = None
    skip: int = 0
    na: frozenset[bytes] = frozenset()
    suffix: str = ""
    decimals: int | None = None
    strict: bool = False


class Report:
    """What passed through unchanged although a number or a time was wanted: how many, and where the first stood."""

    KINDS = MappingProxyType(
        {
            "cell": ("cell that is no number", "cells that are no numbers"),
            "short": ("row with too few cells", "rows with too few cells"),
            "long": ("row with too many cells", "rows with too many cells"),
            "endless": ("row that is too long for a table", "rows that are too long for a table"),
            "time": ("row without a readable time", "rows without a readable time"),
            "repeat": ("repeated header", "repeated headers"),
            "header": ("header of nothing but numbers", ""),
        }
    )

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.first: dict[str, str] = {}

    def add(self, kind: str, count: int, where: Callable[[], str]) -> None:
        """Count occurrences; ``where`` tells the place of the first of them."""
        if count:
            if kind not in self.first:
                self.first[kind] = where()
            self.counts[kind] = self.counts.get(kind, 0) + count

    def __str__(self) -> str:
        found = [
            f"{self.counts[kind]} {told[self.counts[kind] > 1]} (first: {self.first[kind]})"
            for kind, told in self.KINDS.items()
            if kind in self.counts
        ]
        return "passed through unchanged: " + "; ".join(found) if found else ""
