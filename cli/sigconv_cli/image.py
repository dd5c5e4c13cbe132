"""``sigconv image``: images through one kernel after another."""

from collections.abc import Sequence
from typing import Any

import click

from sigconv_cli import imaging, options


@click.command(
    epilog=options.epilog(
        "sigconv image photo.jpg -k gaussian:sigma=2 -o soft.jpg",
        "sigconv image scan.tif -k median:3 -k unsharp:sigma=1,amount=0.7 -o clean.tif",
        "sigconv image photos/*.png -k sobel -o edges/",
        "sigconv image in.png -k '0,-1,0;-1,5,-1;0,-1,0' --linear-light -o out.png",
        "cat in.png | sigconv image - -k emboss > out.png",
    )
)
@click.argument("sources", nargs=-1, metavar="[IMAGE]...")
@click.option(
    "-k",
    "--kernel",
    "specs",
    multiple=True,
    required=True,
    metavar="SPEC",
    help="gaussian:sigma=2, box:5, median:3, erode:3, dilate:3, sharpen, unsharp:sigma=1,amount=1, sobel, scharr, "
    "prewitt, laplacian, log:sigma=2, emboss, edges:low=0.05,high=0.15, weights row by row such as "
    "'0,-1,0;-1,5,-1;0,-1,0', or @kernel.txt; repeated: applied in order.",
)
@imaging.bordered
@click.option(
    "--stride", type=click.IntRange(min=1), metavar="N", default=1, help="Keep every N-th pixel of the result."
)
@imaging.developed
@imaging.kept
def command(sources: Sequence[str], specs: Sequence[str], output: str, jobs: int, **rest: Any) -> None:
    """Filter images; format, depth, colour and profile stay.

    IMAGE is PNG, JPEG, TIFF, WebP, BMP, PNM, PFM or NPY; - or nothing means standard input. Colours are filtered apart
    and weighed by their opacity. Between two kernels nothing is rounded; in the end integers are rounded half to even
    and kept in their range. An image of several pages is filtered page by page.
    """
    from sigconv_cli.kernel import stage_of

    stages = [stage_of(spec) for spec in specs]
    named = {name: rest.pop(name) for name in ("border", "cval", "stride", "scale", "offset", "dtype", "linear")}
    imaging.develop_all(imaging.Work(imaging.recipe(stages, **named), **rest), sources, output, jobs)
