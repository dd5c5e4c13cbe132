"""``sigconv smooth``: columns of telemetry files through one window after another."""

import shlex
import sys
from collections.abc import Sequence
from typing import Any

import click

from sigconv_cli import options

DEFAULT_WINDOW = "exponential:span=10"


@click.command(
    epilog=options.epilog(
        "sigconv smooth probe.csv -c x -c y -t time -w hampel:9 -w gaussian:sigma=2s -o smooth.csv",
        "sigconv smooth logs/*.csv -c 'acc*' -w uniform:30 --suffix _smooth -o smooth/",
        "tail -f log.csv | sigconv smooth -c pressure -w exponential:span=20",
        "sigconv smooth --follow log.csv -c pressure --state log.state",
    )
)
@click.argument("sources", nargs=-1, metavar="[FILE]...")
@click.option(
    "-w",
    "--window",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="uniform:30, gaussian:sigma=2s, exponential:halflife=5s, hann:32, 0.5,0.3,0.2 or @weights.csv (newest first), "
    f"median:9, hampel:9, ...; repeated: applied in order.  [default: {DEFAULT_WINDOW}]",
)
@options.columns("smooth")
@options.table
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE|FOLDER",
    help="File to write, whole or not at all; several inputs need a folder.  [default: standard output]",
)
@click.option("--suffix", default="", help="Append columns with this ending instead of replacing values.")
@click.option(
    "--decimals",
    type=click.IntRange(0, 30),
    metavar="N",
    help="Digits behind the point of new values.  [default: as many as read back exactly]",
)
@click.option("--max-gap", metavar="DURATION", help="Start afresh after a silence longer than this, such as 10s.")
@click.option(
    "--reorder",
    callback=options.duration,
    metavar="DURATION",
    help="Put rows in order that come late by at most this, such as 5s.  [default: times that go back are an error]",
)
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
@click.option(
    "-f",
    "--follow",
    is_flag=True,
    help="Go on as the file grows, through rotation and truncation; -o FILE is then written at once.",
)
@click.option(
    "--state",
    metavar="FILE",
    help="Go on from the state in this file where it exists, and leave the new one in it.",
)
@click.option("--plot", metavar="FILE", help="Draw the columns before and after (png, svg or pdf).")
@click.option("--strict", is_flag=True, help="Fail where a cell is no number or a row is no row.")
@options.jobs
@options.overwrite
@options.quiet
@click.option("-v", "--verbose", is_flag=True, help="Say what was found in each file.")
def command(
    sources: Sequence[str],
    specs: Sequence[str],
    output: str,
    follow: bool,
    state: str | None,
    plot: str | None,
    jobs: int,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
    **rest: Any,
) -> None:
    """Smooth columns of a telemetry file and keep every other byte.

    FILE is delimited text; - or nothing means standard input, which is answered as it arrives. A smoothed value depends
    on the past alone. Empty cells, NA and cells that are no numbers pass through, and a value that smoothing leaves as
    it is keeps its text.
    """
    sources = sources or ["-"]
    check_sources(sources, follow, {"--follow": follow, "--state": state, "--plot": plot})
    policies = {name: rest.pop(name) for name in ("max_gap", "min_samples", "initial", "measure", "period")}

    from sigconv_cli import chain, running
    from sigconv_cli.stopping import Stop, Stopped

    specs = chain.spelled(specs or [DEFAULT_WINDOW])
    build, needs_time = chain.builder(specs, policies, fills=bool(rest["suffix"]))
    run = running.Run(
        build=build,
        layout=layout(needs_time=needs_time, **rest),
        settings=settings({"window": specs, **policies, **rest}) if state else {},
        overwrite=overwrite,
        follow=follow,
        state=state,
        quiet=quiet,
        verbose=verbose,
    )
    if plot is not None:
        from sigconv_cli.drawing import Drawing

        run.drawing = Drawing(plot, overwrite)
        run.build = run.drawing.watching(build)
    failed = False
    with Stop() as stop:
        targets = running.outputs(sources, output, overwrite, follow)
        running.refuse_clashes({"--state": state, "--plot": plot}, sources, targets)
        try:
            for result in running.each(run.smooth, sources, targets, jobs, stop, quiet=quiet or follow):
                failed |= isinstance(result, Exception)
                tell([options.told(result)] if isinstance(result, Exception) else result)
        except Stopped as end:
            tell(end.notes)
            raise
    if failed:
        raise SystemExit(1)


def tell(notes: Sequence[str]) -> None:
    """Say something on stderr."""
    for note in notes:
        click.echo(f"sigconv: {note}", err=True)


def check_sources(sources: Sequence[str], follow: bool, alone: dict[str, Any]) -> None:
    """Refuse inputs that cannot be read together with the other options."""
    context = click.get_current_context()
    if sources.count("-") and sys.stdin.isatty():
        raise click.UsageError("name a FILE or pipe one in", context)
    if sources.count("-") > 1:
        raise click.UsageError("standard input can be read only once", context)
    if follow and alone["--plot"]:
        raise click.UsageError("--plot draws what has an end, and --follow has none", context)
    if follow and "-" in sources:
        raise click.UsageError("--follow needs a FILE; a pipe is followed anyway", context)
    if len(sources) > 1:
        for name in (name for name, given in alone.items() if given):
            raise click.UsageError(f"{name} goes with one FILE, not with {len(sources)}", context)


def layout(**given: Any) -> Any:
    """The layout that the options of a table and of a command ask for."""
    from sigconv.io.telemetry import Layout

    return Layout(**given)


def settings(given: dict[str, Any]) -> dict[str, str]:
    """The options that a state depends on, by their names on the command line."""
    texts = {}
    for name, value in given.items():
        several = sorted(value) if isinstance(value, frozenset) else value
        words = [_word(item) for item in (several if isinstance(several, (list, tuple)) else [several])]
        if any(words) and name != "decimals":
            texts["--" + {"columns": "column", "keys": "by"}.get(name, name).replace("_", "-")] = shlex.join(words)
    return texts


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
