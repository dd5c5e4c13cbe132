"""The table engine against the reference: byte for byte, over tables as they should be and as they come.

SIGCONV_EXAMPLES sets how many tables each test is given. Whatever fails is shortened before it is shown.
"""

import csv
import io
import itertools
import math
import os
import random
import re
import struct
import time as clock
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import mutations
import numpy as np
import orjson
import pytest
import reference_table as reference
from reference_table import Outcome, Refused, rewrite

from sigconv.io import rows as engine_rows
from sigconv.io.dialect import Dialect, sniff
from sigconv.io.telemetry import Layout, Rewriter, TelemetryError

EXAMPLES = int(os.environ.get("SIGCONV_EXAMPLES", "300"))
SECONDS = 5.0  # for any one table, compiled code being there
FORM = ("delimiter", "decimal", "header", "comment")
KINDS = ("cell", "short", "long", "endless", "repeat", "time")


class Recurrence:
    """y = x + y'/2 + a part of the time: any row that is lost, doubled or misplaced shows in all that follow it."""

    def __init__(self, channels: int) -> None:
        self.last = [math.nan] * channels

    def step(self, values: list[float], time: int | None) -> list[float]:
        return [self._next(j, x, time) for j, x in enumerate(values)]

    def _next(self, j: int, x: float, time: int | None) -> float:
        if math.isnan(x):
            return self.last[j]
        if math.isinf(x) or x == 13:
            return x if x != 13 else math.nan
        y = x + (0.0 if math.isnan(self.last[j]) else self.last[j] / 2) + (0 if time is None else time // 10**6 % 8)
        self.last[j] = y if math.isfinite(y) else math.nan
        return y

    def __call__(self, values: Any, times: Any) -> Any:
        stamps = [None] * len(values) if times is None else times.astype("datetime64[ns]").astype(np.int64).tolist()
        y = [self.step(row, now) for row, now in zip(values.tolist(), stamps, strict=True)]
        return np.array(y, dtype=np.float64).reshape(values.shape)

    def state(self) -> dict[str, Any]:
        return {"last": np.array(self.last)}

    def restore(self, state: dict[str, Any]) -> None:
        self.last = state["last"].tolist()


@dataclass(frozen=True)
class Case:
    """A table, how it is written, what is wanted of it, and where its bytes are cut."""

    data: bytes
    delimiter: bytes = b","
    decimal: bytes = b"."
    header: bool = True
    comment: bytes = b""
    columns: tuple[str, ...] = ("1",)
    keys: tuple[str, ...] = ()
    time: tuple[str, str | None] | None = None
    na: frozenset[bytes] = frozenset()
    suffix: str = ""
    decimals: int | None = None
    row_limit: int = reference.ROW_LIMIT
    cuts: tuple[int, ...] = ()
    sniffed: bool = False  # whether the engine is not told how the table is written

    @property
    def form(self) -> dict[str, Any]:
        return {} if self.sniffed else {name: getattr(self, name) for name in FORM}

    @property
    def layout(self) -> Layout:
        wishes = {name: getattr(self, name) for name in ("columns", "keys", "na", "suffix", "decimals")}
        time, unit = (self.time[:1], self.time[1]) if self.time else ((), None)
        return Layout(**self.form, **wishes, time=time, time_unit=unit)

    def pieces(self) -> list[bytes]:
        edges = [0, *sorted(min(cut, len(self.data)) for cut in self.cuts), len(self.data)]
        return [self.data[a:b] for a, b in itertools.pairwise(edges)]


def by_engine(case: Case) -> tuple[Rewriter, bytes, str]:
    """The engine, what it wrote, and its error if any."""
    rewriter, out = Rewriter(Recurrence, case.layout), []
    try:
        for piece in case.pieces():
            for block in rewriter.feed(piece):
                out.append(bytes(block))
        for block in rewriter.close():
            out.append(bytes(block))
    except TelemetryError as error:
        return rewriter, b"".join(out), str(error)
    return rewriter, b"".join(out), ""


def by_reference(case: Case, top: int = 0, units: bool = False) -> Outcome | None:
    """What the rules say; None where they say nothing: one column is asked for twice."""
    shape: dict[str, Any] = {name: getattr(case, name) for name in ("delimiter", "comment", "header", "row_limit")}
    names = reference.names_of(case.data, top=top, **shape)
    wanted = [*case.columns, *case.keys, *(case.time[:1] if case.time else ())]
    found = [reference.position(names, str(name).encode()) for name in wanted] if names else list(range(len(wanted)))
    if len({*found}) < len(found):
        return None
    n, keys = len(case.columns), len(case.keys)
    shape |= {name: getattr(case, name) for name in ("decimal", "na", "suffix", "decimals")} | {"top": top}
    time = (found[-1], case.time[1]) if case.time else None
    columns, keyed = found[:n], found[n : n + keys]
    return rewrite(case.data, units=units, columns=columns, keys=keyed, time=time, make_filter=Recurrence, **shape)


def difference(case: Case) -> str:
    """What the engine and the reference do not agree on; empty where they do."""
    began = clock.perf_counter()
    try:
        rewriter, out, failure = by_engine(case)
    except Exception as error:
        return f"the engine raised {type(error).__name__}: {error}"
    took = clock.perf_counter() - began
    if took > SECONDS:
        return f"the engine took {took:.1f} s"
    # What stands above the first row and whether units follow it is for the engine to find out.
    found = rewriter.dialect or _sniffed(case)
    case = replace(case, **{name: getattr(found, name) for name in FORM})
    try:
        expected = by_reference(case, found.top, found.units)
    except Refused as refusal:
        if not failure:
            return f"only the reference refuses: {refusal}"
        if "goes back" not in str(refusal):
            return ""
        if out != refusal.written:
            return f"what comes before {refusal}: {_first_difference(refusal.written, out)}"
        line = str(refusal).split(":")[0]
        return "" if failure.startswith(f"{line}:") else f"the reference refuses {line}, the engine says {failure}"
    if expected is None:
        return ""
    if failure:
        return "" if "zero bytes" in failure and b"\0" in case.data else f"only the engine refuses: {failure}"
    if out != expected.data:
        return _first_difference(expected.data, out)
    report = rewriter.report
    counts = {kind: report.counts[kind] for kind in KINDS if report.counts.get(kind)}
    if counts != expected.counts:
        return f"counts: {expected.counts} in the reference, {counts} in the engine"
    for kind, line in expected.lines.items():
        if not report.first[kind].endswith(f"line {line}"):
            return f"first {kind}: line {line} in the reference, {report.first[kind]} in the engine"
    return ""


def _sniffed(case: Case) -> Dialect:
    """What the engine took the table for before it refused: from as few lines as tell it, none of them too long."""
    lines = mutations.lines_of(case.data.removeprefix(reference.BOM))
    fitting = itertools.takewhile(lambda line: len(line.removesuffix(b"\n")) < case.row_limit, lines)
    heads = list(itertools.accumulate(fitting, initial=b""))
    found = next(filter(None, (sniff(head, **case.form) for head in heads[:100])), None)
    found = found or sniff(heads[-1], **case.form, complete=True)
    assert found is not None
    return found


def _first_difference(expected: bytes, got: bytes) -> str:
    at = next((k for k, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got)))
    a = max(0, at - 30)
    return f"at byte {at}: {expected[a : at + 40]!r} in the reference, {got[a : at + 40]!r} in the engine"


def shortened(case: Case) -> Case:
    """A smaller case that fails in the same way: fewer cuts, and fewer bytes or lines."""
    kind = _kind(difference(case))
    stop = clock.perf_counter() + 20

    def fails(smaller: Case) -> bool:
        return clock.perf_counter() < stop and _kind(difference(smaller)) == kind

    case = next(filter(fails, (replace(case, cuts=case.cuts[:n]) for n in (0, 1))), case)
    # Times that are cut might be read in ways that the reference does not know.
    parts = mutations.lines_of(case.data) if case.time else [case.data[k : k + 1] for k in range(len(case.data))]
    size = len(parts)
    while size := size // 2:
        at = 0
        while at < len(parts):
            fewer = parts[:at] + parts[at + size :]
            smaller = replace(case, data=b"".join(fewer))
            at, parts, case = (at, fewer, smaller) if fails(smaller) else (at + size, parts, case)
    return case


def _kind(problem: str) -> str:
    return re.split("[0-9:]", problem)[0]


def check(make_case: Callable[[random.Random], Case]) -> None:
    for seed in range(EXAMPLES):
        case = make_case(random.Random(seed))
        problem = difference(case)
        if problem:
            small = shortened(case)
            pytest.fail(f"seed {seed}: {problem}\nshortened: {small}\n{difference(small)}", pytrace=False)


def cuts(rng: random.Random, size: int) -> tuple[int, ...]:
    step = rng.choice([1, 7, 64, 1000])
    every = tuple(range(step, min(size, 200 * step), step))
    return rng.choice([(), tuple(rng.randrange(size + 1) for _ in range(rng.randrange(1, 9))), every])


def wishes(rng: random.Random) -> dict[str, Any]:
    na = rng.choice([frozenset(), frozenset([b"-999.9", b"-200", b"on"])])
    return {"suffix": rng.choice(["", "", "_smooth", ' "s"']), "decimals": rng.choice([None, None, 0, 2]), "na": na}


def generated(rng: random.Random, *, timed: bool = False, clean: bool = False, damaged: float = 0.85) -> Case:
    table = mutations.table(rng, timed=timed, clean=clean)
    free = [str(i + 1) for i in range(timed, table.width)]
    rng.shuffle(free)
    n = rng.randrange(1, min(3, len(free)) + 1)
    keys = rng.choice([[], [], free[n : n + rng.choice([1, 1, 2])]])
    data = table.data
    if rng.random() < damaged:
        ways, spared = (mutations.LINE_WAYS, _lines_to_spare(table)) if timed else (None, rng.choice([0, 1, 1]))
        data = mutations.damage(data, rng, delimiter=table.delimiter, ways=ways, spared=spared)
    return Case(
        data,
        **{name: getattr(table, name) for name in FORM},
        columns=tuple(free[:n]),
        keys=tuple(keys),
        time=("1", table.unit) if timed else None,
        cuts=cuts(rng, len(data)),
        **wishes(rng),
    )


def _lines_to_spare(table: mutations.Table) -> int:
    """Down to the first row of data: it settles how times are written."""
    pieces = reference.pieces(table.data, delimiter=table.delimiter, comment=table.comment, header=False)
    lines = [piece.line for piece in pieces if piece.kind == "row"]
    return [*lines, 10**9, 10**9][1 + table.header] - 1


def real(rng: random.Random, timed: bool) -> Case:
    if not mutations.REAL.exists():
        pytest.skip(f"the logs are not there: {mutations.REAL}")
    name = rng.choice([name for name, log in mutations.LOGS.items() if log[4] or not timed])
    delimiter, decimal, columns, keys, time = mutations.LOGS[name]
    lines = mutations.log_lines(name)
    start = rng.randrange(1, len(lines))
    data = b"".join([lines[0], *lines[start : start + rng.choice([3, 10, 40])]])
    ways = mutations.LINE_WAYS if timed else None
    data = mutations.damage(data, rng, delimiter=delimiter, ways=ways, spared=2 if timed else rng.choice([0, 1]))
    wanted = tuple(rng.sample(columns, rng.randrange(1, len(columns) + 1)))
    by = tuple(rng.choice([keys, []]))
    form = {"delimiter": delimiter, "decimal": decimal, "time": time if timed else None}
    return Case(data, **form, columns=wanted, keys=by, cuts=cuts(rng, len(data)), **wishes(rng))


SMALL = b'~\n~\r~\xef\xbb~\xef\xbb\xbf~\xef\xbb\xbf\r\n~"~"\n~,~,\n~t,x~t,x\r\n~t,x\n\n~t,x\n#~t,x\n# c\n'.split(b"~")
SMALL += b'#~# c\nt,x\n~t,x\n1,2~t,x\n1,2\n1~t,x\n"1,2\n3,4~t,x\n1,\n2,~1\r\n~t,x\n1,\x00'.split(b"~")


@pytest.mark.parametrize("data", SMALL)
def test_almost_nothing(data):
    for time, suffix, at in itertools.product([None, ("1", "s")], ["", "_s"], range(len(data) + 1)):
        case = Case(data, columns=("2",), comment=b"#", time=time, suffix=suffix, cuts=(at,))
        assert not difference(case), case


def test_tables_as_they_should_be():
    check(lambda rng: generated(rng, clean=True, damaged=0))


def test_damaged_tables():
    check(generated)


def test_damaged_tables_that_have_to_be_sniffed():
    check(lambda rng: replace(generated(rng), sniffed=True))


def test_damaged_tables_with_times():
    check(lambda rng: generated(rng, timed=True))


def test_rows_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(engine_rows, "ROW_LIMIT", 64)
    check(lambda rng: replace(generated(rng), row_limit=64))


@pytest.mark.parametrize("timed", [False, True])
def test_damaged_logs(timed):
    check(lambda rng: real(rng, timed))


@pytest.mark.parametrize("limit", [4096, reference.ROW_LIMIT])
def test_large_rows_where_the_limit_is(limit, monkeypatch):
    monkeypatch.setattr(engine_rows, "ROW_LIMIT", limit)
    small = limit < 10**5
    for size in range(limit - 8, limit + 2) if small else [limit - 3, limit]:
        rows, lines = b"a,\n" * (size // 3), (b"y" * 98 + b"\n") * (size // 50)
        for cell in (b"x" * size, b'"%b"' % (b"x" * (size - 2)), b'"%b"' % rows if small else b"", b'"' + lines):
            data = b"x,y\n1,2\n3," + cell + b"\n4,5\n6,7"
            for edges in ((), (len(data) // 2, len(data) - 12)):
                problem = difference(Case(data, columns=("2",), row_limit=limit, cuts=edges))
                assert not problem, f"{size} bytes of {cell[:3]!r}: {problem[:300]}"


# The reference itself: by hand, and against what others read and print.


@pytest.mark.parametrize(
    ("data", "expected", "given"),
    [
        (b"a,b\n1,2\n3,4\n", b"a,b\n1,2\n3,5.0\n", {}),
        (b'\xef\xbb\xbfa,b\r\n\r\n1," 2 "\r\n3, "4"\t\r', b'\xef\xbb\xbfa,b\r\n\r\n1," 2 "\r\n3, "5.0"\t\r', {}),
        (b'a,b\n"x,\n""y",2\n3",4\n', b'a,b\n"x,\n""y",2\n3",5.0\n', {}),
        (b'a,b\n1,2\n"3,4\n5,6\n', b'a,b\n1,2\n"3,5.0\n5,8.5\n', {}),  # the quote never closes
        (b'a,b\n1,2\n"3,4\n5,6\n7",8\n', b'a,b\n1,2\n"3,5.0\n5,8.5\n7",12.25\n', {"row_limit": 10}),
        (b'a,b\n1,2\n"3,4\n5,6\n7",8\n', b'a,b\n1,2\n"3,4\n5,6\n7",9.0\n', {}),
        (b'a,b\n1,2\n"3\n45",6789\n3,4\n', b'a,b\n1,2\n"3\n45",6790.0\n3,3399.0\n', {"row_limit": 11}),
        (b'a,b\n1,2\n"3\n45",6789\n3,4\n', b'a,b\n1,2\n"3\n45",6790.0\n3,3399.0\n', {"row_limit": 12}),
        (b"a;b\n1;2,5\n1;2.5\n1;3,5\n", b"a;b\n1;2,5\n1;2.5\n1;4,75\n", {"delimiter": b";", "decimal": b","}),
        (b'a,b\n1,"2,5"\n1,1\n', b'a,b\n1,"2,5"\n1,"2,25"\n', {"decimal": b","}),
        (b'a,b\n1,2\n#,"9\n1,inf\n1,1e999\n1,4\n', b'a,b\n1,2\n#,"9\n1,inf\n1,1e999\n1,5.0\n', {"comment": b"#"}),
        (b"a,b\n1,2\n1\n1,2,3\n1,2, \n", b"a,b\n1,2\n1\n1,2,3\n1,3.0, \n", {}),
        (b"a,b\n1,2\na,b\n1,2\n", b"a,b\n1,2\na,b\n1,3.0\n", {}),
        (b"a,b\n1,2\n1,13\n1,-999\n1,0\n", b"a,b\n1,2\n1,nan\n1,-999\n1,1.0\n", {"na": frozenset([b"-999"])}),
        (b"a,b\n1,2\n1,2\n", b"a,b\n1,2\n1,3.00\n", {"decimals": 2}),
        (b"1,2\n1,2\n", b"1,2\n1,3.0\n", {"header": False}),
        (b"log 5\na,b\nm,V\n1,2\n1,2\n", b"log 5\na,b\nm,V\n1,2\n1,3.0\n", {"top": 1, "units": True}),
        (b"k,x\na,1\nb,8\n a,1\nb,8\n", b"k,x\na,1\nb,8\n a,1.5\nb,12.0\n", {"keys": [0]}),
        (
            b't,"x"\n1,\r\n\n2,3\n2\nt,x\n?,3\n4,3',
            b't,"x",x_s\n1,,\r\n\n2,3,5.0\n2\nt,x,x_s\n?,3,\n4,3,9.5',
            {"suffix": "_s", "time": (0, "ms")},
        ),
        (b't,"a,""b"\n1,2\n', b't,"a,""b","a,""b_s"\n1,2,2.0\n', {"suffix": "_s"}),
    ],
)
def test_the_reference_by_hand(data, expected, given):
    assert rewrite(data, **{"columns": [1], "make_filter": Recurrence} | given).data == expected


def test_the_reference_counts_and_names_lines():
    data = b'a,b\n\n1,x\n"2\n3",y\n4\n5,6,7\na,b\n' + b"8" * 99 + b"\n9"
    outcome = rewrite(data, columns=[1], make_filter=Recurrence, row_limit=64)
    assert outcome.counts == {"cell": 2, "short": 2, "long": 1, "repeat": 1, "endless": 1}
    assert outcome.lines == {"cell": 3, "short": 6, "long": 7, "repeat": 8, "endless": 9}


def test_the_reference_refuses_times_that_go_back_within_a_key():
    data = b"t,k,x\n5,a,1\n3,b,2\n6,a,2\n4,b,1\n5,a,1\n7,a,1\n"
    with pytest.raises(Refused, match=r"^line 6:") as refused:
        rewrite(data, columns=[2], keys=[1], time=(0, "ms"), make_filter=Recurrence)
    assert refused.value.written == b"t,k,x\n5,a,6.0\n3,b,5.0\n6,a,11.0\n4,b,7.5\n"


def test_texts_are_those_of_orjson():
    rng = random.Random(5)
    values = [struct.unpack("d", rng.randbytes(8))[0] for _ in range(20_000)]
    values += [x * 10.0**k for k in range(-9, 20) for x in (1.0, -1.0, 1.5, 9.999999999999998, 0.1, 123.456)]
    values += [rng.uniform(-1e3, 1e3) for _ in range(2000)] + [0.0, -0.0, 5e-324, 2.0**53, 2.0**53 + 2]
    for x in filter(math.isfinite, values):
        text = reference.text_of(x)
        assert float(text) == x
        # The sign of a positive exponent depends on orjson's version.
        assert text == orjson.dumps(x).decode().replace("e+", "e")


def test_the_reference_reads_what_csv_reads():
    for seed in range(300):
        table = mutations.table(random.Random(seed), clean=True)
        form = {"delimiter": table.delimiter.decode(), "strict": True}
        theirs = list(csv.reader(io.StringIO(table.data.decode(), newline=""), **form))
        ours = [p.cells for p in reference.pieces(table.data, delimiter=table.delimiter) if p.kind == "row"]
        told = [[reference.name_of(cell).decode() for cell in row] for row in ours]
        assert told == [[cell.strip(" \t\r") for cell in row] for row in theirs]
        plain = rewrite(
            table.data, columns=[0], delimiter=table.delimiter, decimal=table.decimal, make_filter=Recurrence
        )
        after = list(csv.reader(io.StringIO(plain.data.decode(), newline=""), **form))
        assert [row[1:] for row in after] == [row[1:] for row in theirs]
