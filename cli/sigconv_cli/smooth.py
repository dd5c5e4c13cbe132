"""``sigconv smooth``: columns of a telemetry file through one window after another."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from sigconv_cli import options

if TYPE_CHECKING:
    from sigconv.io.telemetry import Filter

DEFAULT_WINDOW = "exponential:span=10"


@click.command(
    epilog=options.epilog(
        "sigconv smooth probe.csv -c x -c y -t time -w hampel:9 -w gaussian:sigma=2s -o smooth.csv",
        "tail -f log.csv | sigconv smooth -c pressure -w exponential:span=20",
    )
)
@click.argument("file", default="-")
@click.option(
    "-c",
    "--column",
    "columns",
    multiple=True,
    metavar="COL",
    help="Column to smooth: its name, its number from 1, or a pattern with *; repeatable.  "
    "[default: the only column of numbers beside the time]",
)
@click.option(
    "-w",
    "--window",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="uniform:30, gaussian:sigma=2s, exponential:halflife=5s, hann:32, 0.5,0.3,0.2 or @weights.csv (newest first), "
    f"median:9, hampel:9, ...; repeated: applied in order.  [default: {DEFAULT_WINDOW}]",
)
@click.option(
    "-t",
    "--time",
    metavar="COL",
    help="Column of times: numbers since 1970, or ISO 8601. Windows given as durations need it.",
)
@click.option(
    "--time-unit",
    type=click.Choice(["s", "ms", "us", "ns"]),
    default="s",
    show_default=True,
    help="Unit of times that are numbers.",
)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE",
    help="File to write, whole or not at all.  [default: standard output]",
)
@click.option(
    "-d",
    "--delimiter",
    default=",",
    callback=options.delimiter,
    metavar="CHAR",
    help="Character between cells, or tab.  [default: ,]",
)
@click.option("--no-header", is_flag=True, help="The first row is data; columns go by their numbers.")
@click.option("--max-gap", metavar="DURATION", help="Start afresh after a silence longer than this, such as 10s.")
@click.option(
    "--min-samples",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Give nan while the window holds fewer values.",
)
@click.option(
    "--initial",
    type=click.Choice(["renormalize", "first", "zero", "nan"]),
    default="renormalize",
    show_default=True,
    help="What stands before the first sample.",
)
@click.option(
    "--measure",
    type=click.Choice(["sample", "hold", "linear"]),
    default="sample",
    show_default=True,
    help="What counts: each sample, the time for which it was the current one, or the lines between samples.",
)
@click.option("--period", type=float, metavar="P", help="The values are angles that wrap at P, such as 360.")
@options.overwrite
@options.quiet
def command(
    file: str,
    columns: Sequence[str],
    specs: Sequence[str],
    time: str | None,
    time_unit: str,
    output: str,
    delimiter: bytes,
    no_header: bool,
    overwrite: bool,
    quiet: bool,
    **policies: Any,
) -> None:
    """Smooth columns of a telemetry file and keep every other byte.

    FILE is delimited text with a header line; - or nothing means standard input, which is answered as it arrives. A
    smoothed value depends on the past alone. Empty cells, NA and cells that are no numbers pass through, and a value
    that smoothing leaves as it is keeps its text.
    """
    if file == "-" and sys.stdin.isatty():
        raise click.UsageError("name a FILE or pipe one in", click.get_current_context())
    make_filter = _chain(specs or [DEFAULT_WINDOW], policies, has_times=time is not None)

    from sigconv.errors import SigconvError
    from sigconv.io import files, telemetry

    layout = telemetry.Layout(columns, time, time_unit, delimiter, header=not no_header)
    rewriter = telemetry.Rewriter(make_filter, layout)
    name = "standard input" if file == "-" else file
    try:
        with files.writing(output, overwrite=overwrite) as write:
            for block in files.read_blocks(file):
                for piece in rewriter.feed(block):
                    write(piece)
            for piece in rewriter.close():
                write(piece)
    except (telemetry.TelemetryError, ValueError) as error:
        raise SigconvError(f"{name}: {error}") from error
    if not quiet and (note := str(rewriter.report)):
        click.echo(f"sigconv: {name}: {note}", err=True)


def _chain(specs: Sequence[str], policies: dict[str, Any], has_times: bool) -> "Callable[[int], Filter]":
    """What builds the filter for a number of columns: one `Smoother` per window, each fed what the one before gave."""
    import numpy as np

    from sigconv import Smoother

    texts = [_read_weights(spec[1:]) if spec.startswith("@") else spec for spec in specs]

    def build(channels: int) -> "Filter":
        # "keep": what is missing in the file is missing for every window, as if each read the other's output.
        stages = [
            options.usage(Smoother, text, channels=channels, nan_policy="keep", **_fitting(text, policies))
            for text in texts
        ]

        def apply(x: Any, times: Any) -> Any:
            for stage in stages:
                x = stage.process(x, times)
            return x

        return apply

    trial = build(1)  # what cannot work is refused before anything is read
    if not has_times:
        try:
            trial(np.empty((0, 1)), None)
        except ValueError:
            raise click.UsageError(
                "a window or --max-gap is a duration: name the column of times with -t", click.get_current_context()
            ) from None
    return build


def _fitting(spec: str, policies: dict[str, Any]) -> dict[str, Any]:
    """The policies that a stage can follow: a median and a Hampel filter rank samples, whatever the others weigh."""
    if spec.partition(":")[0].strip() not in ("median", "hampel"):
        return policies
    return {**policies, "measure": "sample", "period": None}


def _read_weights(path: str) -> str:
    """The weights in a text file, as a window spells them: newest first, separated by commas, blanks or line ends."""
    with open(path, encoding="utf-8-sig") as file:
        weights = re.split(r"[\s,;]+", file.read().strip(" \t\r\n,;"))
    return ",".join(weights) + ("," if len(weights) == 1 else "")
