"""``sigconv pool``: blocks of pixels that become one."""

from collections.abc import Sequence
from typing import Any

import click

from sigconv_cli import imaging, options


class Sides(click.ParamType):
    """One number for rows and columns, or two: 2x3."""

    name = "size"

    def __init__(self, least: int) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        parts = value.replace("x", ",").split(",")
        if not all(part.strip().isdecimal() for part in parts) or len(parts) > 2:
            self.fail(f"{value!r} is neither a whole number nor two, ROWSxCOLUMNS", param, ctx)
        sides = tuple(map(int, parts))
        if min(sides) < self._least:
            self.fail(f"{value!r} must be at least {self._least}", param, ctx)
        return sides if len(sides) == 2 else sides[0]


@click.command(
    epilog=options.epilog(
        "sigconv pool photo.jpg -o half.jpg -m avg --linear-light",
        "sigconv pool scan.tif -m max --size 3x5 --stride 2 --padding 1 -o most.tif",
        "sigconv pool in.png -m lp:2 --size 2 --scale 1/2 -o rms.png",
    )
)
@click.argument("sources", nargs=-1, metavar="[IMAGE]...")
@click.option(
    "-m",
    "--mode",
    default="max",
    metavar="MODE",
    help="max, min, avg, lp:P (the root of the sum of P-th powers) or lse:beta=B (the logarithm of the mean of "
    "exponentials, between avg and max; for values from 0 to 1).  [default: max]",
)
@click.option("--size", type=Sides(1), default=2, metavar="N|RxC", help="Rows and columns of a block.  [default: 2]")
@click.option("--stride", type=Sides(1), metavar="N|RxC", help="From one block to the next.  [default: the size]")
@click.option(
    "--padding",
    type=Sides(0),
    default=0,
    metavar="N|RxC",
    help="Cells around the image that do not count.  [default: 0]",
)
@imaging.developed
@imaging.kept
def command(
    sources: Sequence[str], mode: str, size: Any, stride: Any, padding: Any, output: str, jobs: int, **rest: Any
) -> None:
    """Make images smaller: each block of pixels becomes one.

    IMAGE is as in `sigconv image`, and so is what is kept. Rows and columns that fill no block are left out, as torch
    has it.
    """
    from sigconv.images.stages import pool_stage

    stage = options.usage(pool_stage, mode, size, stride, padding)
    named = {name: rest.pop(name) for name in ("scale", "offset", "dtype", "linear")}
    imaging.develop_all(imaging.Work(imaging.recipe([stage], **named), **rest), sources, output, jobs)
