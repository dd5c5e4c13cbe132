"""Delimited tables as people and loggers write them, and damage as disks, editors and broken pipes do it.

Everything is drawn from a ``random.Random``: the same seed gives the same bytes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

ODD_CELLS = [
    *(b"+1", b".5", b"1.", b"1e999", b"-1e999", b"1e-999", b"1_0", b"nan", b"NAN", b"-0", b"0x10", b" 7 ", b'"7"'),
    *(b"1,5", b"1.5", b'"1,5"', "\u0661".encode(), b"inf", b"-Infinity", b"NA", b"N/A", b"<NA>", b"", b"  ", b'""'),
    *(b'" 8 "', b' "9" ', b'"', b'"a', b'a"b"', b'"a"b', b'"3"4', b'""""', b"true", b"ground", b"1 2", b"--1", b"1e"),
    *(b"1e5", b"1E-5", b"0.1e1", b"007", b"5e-324", b"1.7976931348623157e308", b"2.2250738585072014e-308", b"1d3"),
    *(b"9007199254740993", b"123456789012345678901234567890", b"0.1000000000000000055511151231257827", b"13", b"-"),
    *(b"\x0b4", b"3\x00", b"\x00", b"\x1c2", b"\xff", b"\xc2\xa05", b"5%", b"1.000,5", b"1,000.5", b".", b"5\x0c"),
    *(b"infinity", b"+nan", b"-999.9", b"e5", b"1e+05", b"1e 5", b"1.5.2", b"1,5,2", b"\r", b"5\r", b"#5", b'"\n5"'),
]
_BYTES = b'",;\t|\r\n\x00 #.-+_eE019\xff\\'
_BOM = b"\xef\xbb\xbf"

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "telemetry"
# File: delimiter, decimal, columns, keys, time and its unit.
LOGS: dict[str, tuple[bytes, bytes, list[str], list[str], tuple[str, str | None] | None]] = {
    "adsb_readsb_ac671b.csv": (b",", b".", ["alt_baro_ft", "gs_kt"], [], ("t_unix", "s")),
    "gps_around_visnjan.csv": (b",", b".", ["ele", "lat"], ["segment"], ("time", None)),
    "imu_xio_sensor_data.csv": (b",", b".", ["2", "10"], [], ("Time (s)", "s")),
    "nab_machine_temperature_system_failure.csv": (b",", b".", ["value"], [], ("timestamp", None)),
    "nyc_weather_2013.csv": (b",", b".", ["temp", "wind_gust"], ["origin"], ("time_hour", None)),
    "pv_snow_inverters.csv": (b",", b".", ["2", "INV1 CB2 Voltage [V]"], [], None),
    "uci_airquality_eu_format.csv": (b";", b",", ["T", "CO(GT)", "4"], [], None),
}

Way = Callable[[bytes, Random, bytes, bytes], bytes]  # data, random source, delimiter, the table's first line


def lines_of(data: bytes) -> list[bytes]:
    """The physical lines with their ends."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


@cache
def log_lines(name: str) -> list[bytes]:
    """The physical lines of a real log."""
    return lines_of((REAL / name).read_bytes())


def damage(
    data: bytes, rng: Random, *, delimiter: bytes = b",", ways: Sequence[Way] | None = None, spared: int = 0
) -> bytes:
    """The data after a few accidents, drawn from ``ways`` (all), that leave the first ``spared`` lines alone."""
    lines = lines_of(data)
    first, head, body = (lines or [b"\n"])[0], b"".join(lines[:spared]), b"".join(lines[spared:])
    for _ in range(rng.choice([1, 1, 2, 3, 5, 8])):
        body = rng.choice(WAYS if ways is None else ways)(body, rng, delimiter, first)
    return head + body


def _insert(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at:]


def flip_bits(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes(byte ^ 1 << rng.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :]


def change_byte(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.choice(_BYTES)]) + data[at + 1 :]


def insert_byte(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    return _insert(data, rng.randrange(len(data) + 1), bytes([rng.choice([*_BYTES, rng.randrange(256)])]))


def insert_bom(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    return _insert(data, rng.choice([0, 0, rng.randrange(len(data) + 1)]), _BOM)


def insert_quote(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    begins = [m.end() for m in re.finditer(b"\n|" + re.escape(delimiter), data)]
    return _insert(data, rng.choice([0, *begins]), rng.choice([b'"', b'""', b'"\n']))


def insert_return(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    ends = [m.start() for m in re.finditer(b"\n", data)]
    return _insert(
        data, rng.choice([len(data), rng.randrange(len(data) + 1), *ends[:30]]), rng.choice([b"\r", b"\r\r"])
    )


def delete_bytes(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice([1, 1, 2, 8, 100]) :]


def truncate(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    kept = rng.choice([1, 2, 3, 10, rng.randrange(len(data) + 1)])
    return data[: max(0, len(data) - kept)]


def drop_line(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    lines = lines_of(data)
    at = rng.randrange(len(lines) + 1)
    return b"".join(lines[:at] + lines[at + 1 :])


def duplicate_line(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    lines = lines_of(data)
    at = rng.randrange(len(lines) + 1)
    return b"".join(lines[:at] + lines[at : at + 1] * 2 + lines[at + 1 :])


def swap_lines(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    lines = lines_of(data)
    if len(lines) < 2:
        return data
    a, b = rng.sample(range(len(lines)), 2)
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def insert_line(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    """A blank line, a comment, or the header again."""
    line = rng.choice(
        [b"\n", b"\r\n", b" \t \n", b" " * 80 + b"\n", b'# a "note, with a quote\n', b"#\n", b"//x,1,2\n", first, first]
    )
    lines = lines_of(data)
    at = rng.randrange(len(lines) + 1)
    return b"".join([*lines[:at], line, *lines[at:]])


def resize_row(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    """One row with more cells, blank or not, or with fewer."""

    def change(cells: list[bytes]) -> list[bytes]:
        more = rng.choice([[b""], [b"", b""], [b" "], [b'""'], [b"9"], [b"", b"x"], [b"1"] * 5])
        return rng.choice([cells + more, cells[:-1], cells[: rng.randrange(len(cells)) + 1], more + cells])

    return _with_changed_row(data, rng, delimiter, change)


def change_cell(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    return _with_new_cell(data, rng, delimiter, rng.choice(ODD_CELLS))


def insert_huge_cell(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    size = rng.choice([30, 63, 64, 65, 70, 200, 5000])
    filling = rng.choice([b"7", b"x", b" ", b"0", b"1.", b'""', b"\n", delimiter, delimiter + b"3"])
    cell = (filling * size)[:size]
    return _with_new_cell(data, rng, delimiter, rng.choice([cell, b'"' + cell + b'"', b'"' + cell]))


def change_line_ends(data: bytes, rng: Random, delimiter: bytes, first: bytes) -> bytes:
    return rng.choice([data.replace(b"\r\n", b"\n"), data.replace(b"\r", b"").replace(b"\n", b"\r\n")])


def _with_new_cell(data: bytes, rng: Random, delimiter: bytes, cell: bytes) -> bytes:
    def change(cells: list[bytes]) -> list[bytes]:
        at = rng.randrange(len(cells))
        return [*cells[:at], cell, *cells[at + 1 :]]

    return _with_changed_row(data, rng, delimiter, change)


def _with_changed_row(
    data: bytes, rng: Random, delimiter: bytes, change: Callable[[list[bytes]], list[bytes]]
) -> bytes:
    lines = lines_of(data)
    if not lines:
        return data
    at = rng.randrange(len(lines))
    text = lines[at].rstrip(b"\r\n")
    lines[at] = delimiter.join(change(text.split(delimiter))) + lines[at][len(text) :]
    return b"".join(lines)


# Those that leave every byte of a line where it is: times stay readable.
LINE_WAYS: list[Way] = [drop_line, duplicate_line, swap_lines, insert_line, change_line_ends]
WAYS: list[Way] = [
    *(flip_bits, change_byte, insert_byte, insert_bom, insert_quote, insert_quote, insert_return, delete_bytes),
    *(truncate, resize_row, resize_row, change_cell, change_cell, change_cell, insert_huge_cell),
    *LINE_WAYS,
]


@dataclass(frozen=True)
class Table:
    """A well-formed table, and how it is written."""

    data: bytes
    delimiter: bytes = b","
    decimal: bytes = b"."
    header: bool = True
    comment: bytes = b""
    width: int = 1
    unit: str | None = None  # of the times in the first column; None: dates and times


def table(rng: Random, *, timed: bool = False, clean: bool = False) -> Table:
    """A table by the grammar of CSV; ``timed``: the first column holds times; ``clean``: nothing but rows."""
    delimiter, decimal = rng.choice([(b",", b".")] * 3 + [(b";", b","), (b";", b"."), (b"\t", b"."), (b"|", b".")])
    width = rng.randrange(1 + (timed or clean), 6)
    comment = b"" if clean or rng.random() < 0.7 else rng.choice([b"#", b"//", b"%"])
    unit = rng.choice(["s", "ms", "us", "ns", None]) if timed else None
    written = Table(b"", delimiter, decimal, rng.random() < 0.85, comment, width, unit)
    end = rng.choice([b"\n", b"\n", b"\r\n"])
    all_quoted = rng.random() < 0.2
    lines = []
    if written.header:
        names = rng.sample([b"x", b"y", b"temp", b"a b", "POA [W/m\u00b2]".encode(), b" z ", b"n;m", b'q "5"'], width)
        names[0] = b"t" if timed else names[0]
        lines.append([_written(name, delimiter, all_quoted) for name in names])
        if not (timed or clean) and rng.random() < 0.1:
            lines.append([_written(rng.choice([b"V", b"m/s", b"[s]"]), delimiter, all_quoted) for _ in names])
    times = _times(rng, unit)
    for k in range(rng.choice([1, 2, 5, 20, 40])):
        cells = [_cell(rng, written, clean, all_quoted) for _ in range(width)]
        if timed:
            cells[0] = next(times) if k == 0 or clean or rng.random() < 0.95 else rng.choice([b"", b"NA", b"soon"])
        lines.append(cells)
    text = end.join(delimiter.join(line) for line in lines)
    if comment:
        text = _with_notes(text, rng, comment, end)
    title = b"Logger 7" + end
    tops = [b""] * 8 + [_BOM, b"\n", b" \t\r\n"] + ([] if timed else [title, title * 2, comment + b" "])
    top = b"" if clean else rng.choice(tops)
    return replace(written, data=top + text + rng.choice([b"", end]))


def _with_notes(text: bytes, rng: Random, comment: bytes, end: bytes) -> bytes:
    notes = [comment, comment + b' 5" disk, 1, 2', comment + b"1,2,3", comment * 2]
    # Line ends inside quoted cells get none: there a note would be a part of the cell.
    lines = text.split(end) if b'"' not in text else [text]
    return end.join(x for line in lines for x in ([rng.choice(notes)] if rng.random() < 0.1 else []) + [line])


def _times(rng: Random, unit: str | None) -> Iterator[bytes]:
    start = now = 1_700_000_000_000
    zone = rng.choice([b"", b"Z"])
    mark = rng.choice([b"T", b" "])
    while True:
        now += rng.choice([0, 1, 5, 20, 1000, 60_000])
        whole = {"s": now // 1000, "ms": now, "us": now * 1000, "ns": now * 10**6}
        if unit is not None:
            yield b"%d" % whole[unit]
            continue
        seconds, ms = divmod(now - start, 1000)
        yield b"2024-02-%02d%b%02d:%02d:%02d.%03d%b" % (
            *(1 + seconds // 86400, mark, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60, ms, zone),
        )


def _cell(rng: Random, written: Table, clean: bool, all_quoted: bool) -> bytes:
    kind = rng.random()
    if kind < 0.7:
        text = _number(rng).replace(b".", written.decimal)
    elif kind < 0.8:
        text = rng.choice([b"", b"", b"NA", b"nan", b"-999.9"])
    elif kind < 0.85:
        text = rng.choice([b"inf", b"-inf", b"+1", b"1E3", b"13", b"-0", b"1e22"])
    elif kind < 0.95 or clean:
        text = rng.choice([b"on", b"a b", b'say "7"', b"1,5;2\t3|4", b"two\nlines", b"a\r\nb", b"#1", b"b"])
    else:
        return rng.choice([x for x in ODD_CELLS if written.delimiter not in x and b'"' not in x])
    text = _written(text, written.delimiter, all_quoted)
    if rng.random() < 0.05 and not clean and not text.startswith(b'"'):
        return b" " + text + rng.choice([b"", b"  "])
    return text


def _number(rng: Random) -> bytes:
    x = rng.choice([rng.uniform(-100, 100), rng.uniform(-1, 1) * 10 ** rng.randrange(-320, 308), rng.gauss(0, 1e5)])
    return rng.choice([repr(x), f"{x:.2f}", f"{x:.15g}", str(rng.randrange(-50, 50)), f"{x:e}"]).encode()


def _written(text: bytes, delimiter: bytes, quoted: bool) -> bytes:
    if quoted or any(byte in text for byte in (delimiter, b'"', b"\n", b"\r")):
        return b'"' + text.replace(b'"', b'""') + b'"'
    return text
