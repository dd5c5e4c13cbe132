"""``sigconv info``: what a telemetry file holds."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from sigconv_cli import options

_SCALES = [("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)]


@click.command(epilog=options.epilog("sigconv info probe.csv", "sigconv info --json log.csv | jq .time"))
@click.argument("source", default="-", metavar="[FILE]")
@options.written
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.quiet
def command(source: str, as_json: bool, quiet: bool, **rest: Any) -> None:
    """Show what a telemetry file holds: columns, gaps, times.

    Counts numbers, missing cells and odd ones (neither) of every column, and the steps of the times. Takes one pass and
    little memory, whatever the file's size.
    """
    if source == "-" and sys.stdin.isatty():
        raise click.UsageError("name a FILE or pipe one in", click.get_current_context())
    from sigconv.io import files
    from sigconv.io.survey import described, survey
    from sigconv.io.telemetry import Layout, TelemetryError
    from sigconv_cli.progress import Progress

    progress = Progress(files.plain_size(source), not quiet)
    try:
        seen = survey(progress.counted(files.read_blocks(source)), Layout(**rest))
    except (TelemetryError, ValueError) as error:
        raise TelemetryError(f"{files.title(source)}: {error}") from error
    finally:
        progress.clear()
    facts = described(seen)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2, allow_nan=False))
        return
    for line in [*_about(facts), "", *_columns(facts["columns"])]:
        click.echo(line.encode("utf-8", "replace").decode())
    note = "; ".join(f"{count} {what}" for what, count in _passed(seen.report.counts, seen.report.KINDS))
    if note and not quiet:
        click.echo(f"sigconv: {files.title(source)}: passed over: {note}", err=True)


def _about(facts: dict[str, Any]) -> list[str]:
    lines = [f"rows         {facts['rows']:,}", f"columns      {len(facts['columns']):,}"]
    if dialect := facts["dialect"]:
        parts = [f"delimiter {dialect['delimiter']!r}", f"decimal {dialect['decimal']!r}"]
        parts += [] if dialect["header"] else ["no header"]
        parts += [f"comments after {dialect['comment']!r}"] if dialect["comment"] else []
        parts += [f"{dialect['lines above']} lines above the header"] if dialect["lines above"] else []
        parts += ["a row of units"] if dialect["units"] else []
        lines.append(f"written as   {', '.join(parts)}")
    if time := facts["time"]:
        lines.append(f"times        {' and '.join(map(repr, time['columns']))}, {_kind(time)}")
        lines.append(f"from         {_moment(time, 'first')}")
        lines.append(f"to           {_moment(time, 'last')}  ({_duration(time['span'])})")
        lines.append(f"median step  {_duration(time['median step'])}")
        lines.append(f"largest gap  {_duration(time['largest gap'])}")
        lines.append(f"steps back   {time['steps back']:,}")
    return lines


def _columns(columns: Sequence[dict[str, Any]]) -> list[str]:
    """A table of the columns."""
    titles = ["", "name", "kind", "count", "missing", "odd", "min", "mean", "max"]
    rows = [titles] + [
        [str(c["number"]), c["name"], c["kind"]]
        + [f"{c[key]:,}" for key in ("count", "missing", "odd")]
        + ["" if c[key] is None else f"{c[key]:.6g}" for key in ("min", "mean", "max")]
        for c in columns
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(len(titles))]
    sides = [str.rjust, str.ljust, str.ljust] + [str.rjust] * 6
    return [
        "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _passed(counts: dict[str, int], kinds: Any) -> list[tuple[str, int]]:
    return [(kinds[kind][count > 1] or kinds[kind][0], count) for kind, count in counts.items() if kind != "cell"]


def _kind(time: dict[str, Any]) -> str:
    kinds = {"epoch": f"counted in {time['unit']}", "iso": "as in ISO 8601"}
    return kinds.get(time["kind"], "in a layout of their own")


def _moment(time: dict[str, Any], which: str) -> str:
    text = time[which]
    if {time["first"][:4], time["last"][:4]} <= {"1969", "1970", "1971"}:  # counted from a start of their own
        return _duration(time[f"{which} seconds"])
    return text.rstrip("0").rstrip(".") if "." in text else text


def _duration(seconds: float | None) -> str:
    """In the largest unit of which there is one."""
    if seconds is None:
        return "none"
    unit, size = next(((u, s) for u, s in _SCALES if abs(seconds) >= s), ("s", 1.0))
    return f"{seconds / size:.6g} {unit}"
