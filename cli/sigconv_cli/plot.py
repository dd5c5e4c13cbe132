"""``sigconv plot``: columns of a telemetry file over time."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from sigconv_cli import options

LINES = 10  # that are drawn


@click.command(
    epilog=options.epilog(
        "sigconv plot probe.csv -c x -c y -t time",
        "sigconv plot weather.csv -c temp -t time_hour --by origin -o temp.svg",
    )
)
@click.argument("source", default="-", metavar="[FILE]")
@options.columns("draw")
@options.table
@click.option(
    "-o", "--output", metavar="FILE", help="Picture to write: png, svg or pdf.  [default: FILE with the ending .png]"
)
@options.overwrite
@options.quiet
def command(source: str, columns: Sequence[str], output: str | None, overwrite: bool, quiet: bool, **rest: Any) -> None:
    """Draw columns of a telemetry file over time or row number.

    The column of times is found where there is only one. Missing values leave gaps. A line of many points keeps the
    least and the greatest value of every stretch.
    """
    context = click.get_current_context()
    if source == "-" and sys.stdin.isatty():
        raise click.UsageError("name a FILE or pipe one in", context)
    if output is None:
        if source == "-":
            raise click.UsageError("standard input gives the picture no name: -o FILE", context)
        output = os.path.splitext(source)[0] + ".png"

    from sigconv.io import files, pictures
    from sigconv.io.telemetry import Layout, Rewriter, TelemetryError
    from sigconv.io.traces import Watcher
    from sigconv_cli.progress import Progress

    kind = pictures.kind_of(output)
    if not files.is_device(output):
        files.refuse_existing(output, overwrite)
    watchers: list[Watcher] = []

    def watcher(channels: int) -> Watcher:
        watchers.append(Watcher(None, channels))
        return watchers[-1]

    name = files.title(source)
    rewriter = Rewriter(watcher, Layout(columns=columns, seeks_time=True, in_order=False, **rest))
    progress = Progress(files.plain_size(source), not quiet)
    try:
        for _ in rewriter.rewrite(progress.counted(files.read_blocks(source))):
            progress.show()  # the bytes are as they were
    except (TelemetryError, ValueError) as error:
        raise TelemetryError(f"{name}: {error}") from error
    finally:
        progress.clear()
    if not watchers or rewriter.names is None:
        raise TelemetryError(f"{name}: no row of data")
    chosen = [rewriter.names[k] for k in rewriter.chosen or ()]
    curves = [
        pictures.Curve(" ".join(filter(None, [key, column if not key or len(chosen) > 1 else ""])), *trace.points())
        for key, watched in zip(map(spelled, rewriter.keys), watchers, strict=True)
        for column, trace in zip(chosen, watched.before, strict=True)
    ]
    units = {pictures.unit_of(column) for column in chosen}
    label = chosen[0] if len(chosen) == 1 else units.pop() if len(units) == 1 else ""
    timed = watchers[0].timed
    panel = pictures.Panel(label, curves[:LINES])
    place = pictures.axis_name(rewriter.names, rewriter.time or []) if timed else "row"
    with files.writing(output, overwrite=overwrite) as write:
        write(pictures.draw([panel], kind, title=os.path.basename(name), place=place, timed=timed))
    if not quiet:
        if note := str(rewriter.report).replace("passed through unchanged", "left out"):
            click.echo(f"sigconv: {name}: {note}", err=True)
        if len(curves) > LINES:
            click.echo(f"sigconv: {output}: the first {LINES} of {len(curves)} lines are drawn", err=True)


def spelled(key: tuple[bytes, ...]) -> str:
    """A key as a legend shows it."""
    return " ".join(part.decode("utf-8", "replace") for part in key)
