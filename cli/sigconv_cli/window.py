"""``sigconv window``: what a window does."""

import os
from io import BytesIO

import click

from sigconv_cli import options

SHOWN = 6  # weights printed at each end of a long list


@click.command(epilog=options.epilog("sigconv window gaussian:sigma=2s --plot window.png"))
@click.argument("spec")
@click.option("--plot", metavar="FILE", help="Draw weights, frequency response and group delay (png, svg or pdf).")
@options.overwrite
def command(spec: str, plot: str | None, overwrite: bool) -> None:
    """Show what a window does: weights, delay, noise gain.

    SPEC is a window as `sigconv smooth -w` takes it, such as uniform:30, exponential:halflife=5s or hann:32.
    """
    from sigconv import windows

    window = options.usage(windows.parse, spec)
    unit, per = (" s", " per second") if window.timed else (" samples", "")
    for name, value in {
        "window": str(window),
        "delay": f"{window.delay:.6g}{unit}",
        "noise gain": f"{window.noise_gain:.6g}{per}",
    }.items():
        click.echo(f"{name + ':':12}{value}")
    weights = [f"{weight:.6g}" for weight in window.weights()]
    title = f"{len(weights)} weights, newest first" + (", over the support" if window.timed else "")
    if len(weights) > 2 * SHOWN:
        weights[SHOWN:-SHOWN] = ["..."]
    click.echo(f"{title}:")
    for weight in weights:
        click.echo(f"  {weight}")
    if plot is not None:
        from sigconv.io import files

        drawing = BytesIO()
        window.plot().savefig(drawing, format=os.path.splitext(plot)[1].lstrip(".") or "png", dpi=150)
        with files.writing(plot, overwrite=overwrite) as write:
            write(drawing.getvalue())
