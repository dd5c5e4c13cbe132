"""``sigconv kernel``: what a kernel of `sigconv image` does."""

import re
from typing import Any

import click

from sigconv_cli import options

SHOWN = 15  # rows and columns that are printed


@click.command(epilog=options.epilog("sigconv kernel sobel_x", "sigconv kernel gaussian:sigma=2 --plot kernel.png"))
@click.argument("spec")
@click.option("--plot", metavar="FILE", help="Draw the weights and their gain (png, svg or pdf).")
@options.overwrite
def command(spec: str, plot: str | None, overwrite: bool) -> None:
    """Show what a kernel does: size, sum, passes, weights.

    SPEC is a kernel as `sigconv image -k` takes it, such as gaussian:sigma=2, sobel_x, '1,2,1;2,4,2;1,2,1' or
    @kernel.txt.
    """
    stage = stage_of(spec)
    if stage.weights is None:
        raise click.UsageError(f"{spec} is no weighted sum: it has no weights to show", click.get_current_context())
    if plot is not None:
        from sigconv_cli.drawing import refuse_early

        refuse_early(plot, overwrite)
    try:
        weights = stage.weights()
    except MemoryError:
        raise click.UsageError(
            f"kernel {spec!r}: its weights need more memory than there is", click.get_current_context()
        ) from None
    for name, value in facts(stage.text, weights).items():
        click.echo(f"{name + ':':12}{value}")
    for line in printed(weights):
        click.echo(line)
    if plot is not None:
        from sigconv.io import files, panels, pictures

        kind = pictures.kind_of(plot)
        with files.writing(plot, overwrite=overwrite) as write:
            write(panels.weights(weights, kind, title=stage.text))


def stage_of(spec: str) -> Any:
    """The step that a text spells, where @FILE holds weights: one row a line, or rows separated by semicolons."""
    from sigconv.images import stages

    if not spec.startswith("@"):
        return options.usage(stages.stage, spec)
    path = spec[1:]
    with open(path, encoding="utf-8-sig") as file:
        lines = [line.partition("#")[0] for line in file.read().splitlines()]
    try:
        return stages.weighted_by(";".join(line for line in lines if re.search(r"\S", line)), path)
    except ValueError as error:
        raise click.UsageError(f"{path}: {error}", click.get_current_context()) from None


def facts(text: str, weights: Any) -> dict[str, str]:
    """A kernel in words."""
    import numpy as np

    rows, columns = weights.shape
    rank = int(np.linalg.matrix_rank(weights, tol=1e-9 * max(float(np.abs(weights).max()), 1e-300)))
    total = float(weights.sum())
    kinds = {0: "all weights are zero", 1: "yes: one pass along rows, one down columns"}
    return {
        "kernel": text,
        "size": f"{rows} x {columns} (rows x columns)",
        "sum": f"{0.0 if abs(total) < 1e-12 * np.abs(weights).sum() else total:.6g}",
        "separable": kinds.get(rank, f"no: rank {rank}"),
        "noise gain": f"{float((weights**2).sum()):.6g}",
    }


def printed(weights: Any) -> list[str]:
    """The weights as a table; of large ones the middle rows and columns."""
    parts = []
    for n in weights.shape:
        most = min(n, SHOWN)
        parts.append(slice((n - most) // 2, (n - most) // 2 + most))
    shown = weights[tuple(parts)]
    cells = [[f"{w:.4g}" for w in row] for row in shown.tolist()]
    width = max(len(cell) for row in cells for cell in row)
    title = "weights:" if shown.size == weights.size else f"weights, the middle {shown.shape[0]} x {shown.shape[1]}:"
    return [title, *("  " + " ".join(cell.rjust(width) for cell in row) for row in cells)]
