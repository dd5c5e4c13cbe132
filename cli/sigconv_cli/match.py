"""``sigconv match``: where in an image a template is found."""

from typing import TYPE_CHECKING, Any

import click

from sigconv_cli import imaging, options

if TYPE_CHECKING:
    from sigconv.io.images import Picture

_DEEP = {"tiff": "float32", "npy": "float32", "pfm": "float32", "png": "uint16", "pnm": "uint16"}


@click.command(
    epilog=options.epilog(
        "sigconv match board.png screw.png > places.csv",
        "sigconv match board.png screw.png --threshold 0.9 --min-distance 20 -o scores.png",
    )
)
@click.argument("image", metavar="IMAGE")
@click.argument("template", metavar="TEMPLATE")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Image of the scores: as they are in TIFF, PFM and NPY, else black for 0 and less and white for 1.",
)
@click.option("--threshold", type=float, default=0.8, show_default=True, help="The least score of a place, up to 1.")
@click.option(
    "--min-distance",
    type=click.IntRange(min=0),
    metavar="N",
    help="Rows or columns between two places.  [default: half of the template's shorter side]",
)
@click.option(
    "--max-pixels", type=imaging.Amount(), default=1e9, metavar="N", help="Refuse larger images.  [default: 1e9]"
)
@options.overwrite
@options.quiet
def command(
    image: str,
    template: str,
    output: str | None,
    threshold: float,
    min_distance: int | None,
    max_pixels: float,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Find a template in an image: places as CSV, scores as an image.

    Prints row, column and score of each place where the template fits, the best first. Rows and columns count from 0
    and are those of the template's middle, that is of its pixel (rows // 2, columns // 2), as in the image of scores.
    Both images are turned as their orientation tags say before.
    The score is the normalised cross-correlation of brightness: from -1 to 1, whatever the brightness and contrast of
    either image. Where the template is transparent, anything fits.
    """
    context = click.get_current_context()
    if image == template == "-":
        raise click.UsageError("standard input can be read only once", context)
    if output == "-":
        raise click.UsageError("standard output takes the places: -o FILE for the scores", context)
    if threshold != threshold:
        raise click.UsageError("--threshold must be a number, got nan", context)
    from sigconv import images, match_template
    from sigconv.errors import SigconvError
    from sigconv.io import files

    kind = None
    if output is not None:
        kind = imaging.kind_of(output)
        files.refuse_existing(output, overwrite) if not files.is_device(output) else None
    (x, _), (pattern, mask) = (_brightness(name, max_pixels) for name in (image, template))
    if any(k > n for k, n in zip(pattern.shape, x.shape, strict=True)):
        sizes = [f"{a.shape[1]} x {a.shape[0]}" for a in (pattern, x)]
        raise SigconvError(
            f"{files.title(template)}: the template, {sizes[0]} pixels, is larger than the image, {sizes[1]}"
        )
    try:
        score = match_template(x, pattern, mask=mask)
    except ValueError as error:
        raise SigconvError(f"{files.title(template)}: {error}") from error
    reach = max(min(pattern.shape) // 2, 1) if min_distance is None else min_distance
    places = images.peaks(score, threshold, reach)
    if output is not None:
        imaging.save(_drawn(score, kind), output, kind, None, overwrite)
    click.echo("row,column,score")
    for row, column in places.tolist():
        click.echo(f"{row},{column},{score[row, column]:.6f}")
    if not len(places) and not quiet:
        best = f"; the best is {score[score == score].max():.3f}" if (score == score).any() else ""
        click.echo(f"sigconv: {files.title(image)}: no score reaches {threshold:g}{best}", err=True)


def _brightness(name: str, max_pixels: float) -> tuple[Any, Any]:
    """The image as one channel, and where it can be seen, if that is not everywhere."""
    from sigconv.errors import SigconvError
    from sigconv.images.stages import brightness
    from sigconv.io import develop, files

    picture = imaging.read(name, max_pixels)
    if len(picture.pages) > 1:
        raise SigconvError(f"{files.title(name)}: has {len(picture.pages)} pages, and one is needed")
    upright = develop.turned(picture.pages[0], picture.about.orientation)
    colours, opacity = develop.apart(upright, picture.alpha)
    if opacity is not None:
        opacity = opacity >= develop.full_scale(opacity.dtype) / 2
    return brightness(colours), None if opacity is None or opacity.all() or not opacity.any() else opacity


def _drawn(score: Any, kind: str | None) -> "Picture":
    """The scores as a picture."""
    import numpy as np

    from sigconv._kinds import as_dtype
    from sigconv.io import develop
    from sigconv.io.images import About, Picture

    dtype = np.dtype(_DEEP.get(kind or "png", "uint8"))
    page = as_dtype(
        score if dtype.kind == "f" else np.clip(np.nan_to_num(score), 0, 1) * develop.full_scale(dtype), dtype
    )
    return Picture([page], kind or "png", "gray", False, dtype.itemsize * 8, False, About())
