"""Files of pictures through a recipe: the options, one input, and all inputs of a command."""

import glob
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING, Any

import click

from sigconv_cli import options, running
from sigconv_cli.progress import Progress
from sigconv_cli.stopping import Stop

if TYPE_CHECKING:
    from sigconv.io.develop import Recipe
    from sigconv.io.images import About, Picture


class Amount(click.ParamType):
    """A number, or one divided by another: 10/3."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from math import isfinite

        above, slash, below = str(value).partition("/")
        try:
            number = float(above) / (float(below) if slash else 1.0)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no number", param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r} is not finite", param, ctx)
        return number


BORDERS = ["mirror", "reflect", "nearest", "wrap", "constant"]

_bordered = [
    click.option(
        "--border",
        type=click.Choice(BORDERS),
        default="mirror",
        show_default=True,
        help="What stands around the image: d c b|a b c d (mirror), c b a|a b c d (reflect), a a a|a b c d (nearest), "
        "the other side (wrap), or --cval (constant).",
    ),
    click.option("--cval", type=Amount(), metavar="V", default=0.0, help="The value around it.  [default: 0]"),
]
_developed = [
    click.option("--scale", type=Amount(), metavar="S", default=1.0, help="Multiply results, 10/3 too.  [default: 1]"),
    click.option("--offset", type=Amount(), metavar="V", default=0.0, help="Then add to them.  [default: 0]"),
    click.option(
        "--dtype",
        type=click.Choice(["uint8", "uint16", "uint32", "int16", "int32", "float16", "float32", "float64"]),
        metavar="TYPE",
        help="Of the samples written: uint8, uint16, float32, ...; values stay.  [default: the input's]",
    ),
    click.option(
        "--linear-light",
        "linear",
        is_flag=True,
        help="Filter light: undo sRGB's curve, or the gamma of profile or PNG.",
    ),
    click.option("--auto-orient", is_flag=True, help="Turn pixels as the orientation tag says, and reset it."),
]
_kept = [
    click.option(
        "-o",
        "--output",
        default="-",
        metavar="FILE|FOLDER",
        help="File to write, whole or not at all, of the kind its ending names; several inputs need a folder.  "
        "[default: standard output]",
    ),
    click.option("--quality", type=click.IntRange(1, 100), metavar="Q", help="Of JPEG and WebP, 1 to 100."),
    click.option(
        "--max-pixels",
        type=Amount(),
        default=1e9,
        metavar="N",
        help="Refuse images that say they are larger.  [default: 1e9]",
    ),
    click.option("--plot", metavar="FILE", help="Draw the picture before and after (png, svg or pdf)."),
    options.jobs,
    options.overwrite,
    options.quiet,
    click.option("-v", "--verbose", is_flag=True, help="Say what was found in each file."),
]


def _all(group: list[Any]) -> Callable[[options.Command], options.Command]:
    def decorated(command: options.Command) -> options.Command:
        for option in reversed(group):
            command = option(command)
        return command

    return decorated


bordered, developed, kept = _all(_bordered), _all(_developed), _all(_kept)


@dataclass
class Work:
    """What all inputs of a command have in common."""

    recipe: "Recipe"
    auto_orient: bool = False
    quality: int | None = None
    max_pixels: float = 1e9
    plot: str | None = None
    overwrite: bool = False
    quiet: bool = False
    verbose: bool = False

    def __call__(self, source: str, output: str, stop: Stop, progress: Progress) -> list[str]:
        """Filter ``source`` into ``output``; the notes to show."""
        from sigconv.errors import SigconvError
        from sigconv.io import files, memory

        running.keep_memory()
        began, title = time.monotonic(), files.title(source)
        kind = kind_of(output)
        try:
            found = self._in_bands(source, output, kind, stop, progress)
            notes, facts = found or self._whole(source, output, kind, stop, progress)
        except (ValueError, TypeError, memory.Lack) as error:
            raise SigconvError(f"{title}: {error}") from error
        except MemoryError as error:
            raise SigconvError(f"{title}: is too large for the memory there is") from error
        notes = [] if self.quiet else notes
        if self.verbose:
            notes = [*notes, f"{facts}; {time.monotonic() - began:.2f} s"]
        return [f"{title}: {note}" for note in notes]

    def _in_bands(
        self, source: str, output: str, kind: str | None, stop: Stop, progress: Progress
    ) -> tuple[list[str], str] | None:
        """A large image, band by band, where that gives the same; None where it does not."""
        from sigconv.io import files, memory

        if not stored_by_rows(source):
            return None
        from sigconv.io import strips  # slow to import, and of no use to most formats

        if not strips.worth_it(source):
            return None
        with closing(strips.open_rows(source, max_pixels=int(self.max_pixels))) as rows:
            shape, color, alpha, format = rows.shape, rows.color, rows.alpha, rows.format
            facts = summary(format, shape, color, rows.dtype.itemsize * 8, alpha)
            facts += f", {len(rows.pages)} pages" if len(rows.pages) > 1 else ""
            turned = rows.orientation > 1 and (self._turns(kind or format) or self.recipe.upright)
        recipe, unsure = self._lit(rows.about)
        bands = recipe.bands(alpha)
        plain = color in ("gray", "rgb") and not alpha
        written = kind in (None, format) or (strips.writes_rows(output) and plain)
        stream = output == "-" or files.is_device(output)
        if self.plot or stream or bands is None or turned or not written:
            more, why = recipe.beside(prod(shape), rows.dtype.itemsize, alpha)
            why = why or ("--plot draws all of it" if self.plot else "it is held whole" if turned else "")
            why = why or f"it is written whole to {'a pipe' if stream else f'a file of {(kind or format).upper()}'}"
            memory.refuse_beyond(prod(shape) * rows.dtype.itemsize + more, why)
            return None
        self._check(color)
        size, done = files.plain_size(source) or 0, 0

        def tell(row: int, total: int) -> None:
            nonlocal done
            now = size * row // total
            progress.add(now - done)
            done = now
            stop.check()
            progress.show()

        limit = int(self.max_pixels)
        notes = strips.apply(source, output, [bands], tell, overwrite=self.overwrite, max_pixels=limit)
        return notes + unsure, f"{facts}, band by band"

    def _whole(
        self, source: str, output: str, kind: str | None, stop: Stop, progress: Progress
    ) -> tuple[list[str], str]:
        from sigconv.io import develop, files, memory

        picture = read(source, self.max_pixels)
        progress.add(files.plain_size(source) or 0)
        before = develop.turned(picture.pages[0], picture.about.orientation) if self.plot else None
        facts = described(picture)
        stop.check()
        page = max(picture.pages, key=lambda page: page.nbytes)
        memory.refuse_beyond(*self.recipe.beside(page.size, page.itemsize, picture.alpha))

        def tell(row: int, total: int) -> None:
            stop.check()
            progress.show()

        notes = self._develop(picture, kind or picture.format, tell)
        stop.check()
        notes += save(picture, output, kind, self.quality, self.overwrite)
        if before is not None:
            self._draw(before, picture, os.path.basename(files.title(source)))
        progress.show()
        return notes, facts

    def _lit(self, about: "About") -> tuple["Recipe", list[str]]:
        """The recipe with the curve that an image follows; what is to be said of it."""
        from sigconv.io.images.curves import gamma_of

        if not self.recipe.linear:
            return self.recipe, []
        gamma, sure = gamma_of(about)
        unsure = [] if sure else ["its profile has a curve that is not known here: --linear-light took sRGB's"]
        return replace(self.recipe, gamma=gamma), unsure

    def _check(self, color: str) -> None:
        if self.recipe.linear and color == "cmyk":
            raise ValueError("--linear-light knows gray and RGB, and this image is CMYK")

    def _turns(self, kind: str) -> bool:
        """Whether pixels are turned upright: files of some kinds cannot tell which way is up."""
        from sigconv.io.images import has_room

        return self.auto_orient or not has_room(kind, "orientation")

    def _develop(self, picture: "Picture", kind: str, tell: Callable[[int, int], None]) -> list[str]:
        """The pages as they are to be written; what is to be said of it."""
        from sigconv.io import develop

        self._check(picture.color)
        recipe, notes = self._lit(picture.about)
        about, turns = picture.about, picture.orientations
        if max(turns) > 1 and self._turns(kind):
            if not self.auto_orient:
                notes.append(f"the pixels were turned upright: {kind.upper()} has no room for an orientation")
            picture.pages = list(map(develop.turned, picture.pages, turns))
            if about.orientation >= 5 and about.dpi:
                about.dpi = about.dpi[::-1]
            about.orientation, about.details["orientations"] = 1, None
            turns = picture.orientations
        for k, (page, turn) in enumerate(zip(picture.pages, turns, strict=True)):
            turn = turn if self.recipe.upright else 1
            y = recipe.over(develop.turned(page, turn) if turn > 1 else page, picture.alpha, tell)
            picture.pages[k] = develop.turned_back(y, turn) if turn > 1 else y
        if self.recipe.dtype is not None:
            picture.bits = picture.pages[0].dtype.itemsize * 8
        return notes

    def _draw(self, before: Any, picture: "Picture", title: str) -> None:
        from sigconv.io import develop, files, panels, pictures

        assert self.plot is not None
        kind = pictures.kind_of(self.plot)
        after = develop.turned(picture.pages[0], picture.about.orientation)
        drawn = panels.before_and_after(before, after, picture.color, picture.alpha, kind, title=title)
        with files.writing(self.plot, overwrite=self.overwrite) as write:
            write(drawn)


def kind_of(output: str) -> str | None:
    """The kind of image that a file's name asks for; None where it says nothing."""
    from sigconv.errors import SigconvError
    from sigconv.io import files, images

    if output == "-" or files.is_device(output):
        return None
    kind, ending = images.format_of(output), os.path.splitext(output)[1]
    if kind is None and ending:
        raise SigconvError(f"{output}: the ending {ending} names no kind of image that can be written")
    return kind


def stored_by_rows(source: str) -> bool:
    """Whether a file is of a format whose rows can be read band by band."""
    from sigconv.io import files, images

    if source == "-" or files.plain_size(source) is None:
        return False
    with open(source, "rb") as file:
        return images.begun_as(file.read(16)) in ("tiff", "pnm", "pfm", "npy")


def read(source: str, max_pixels: float) -> "Picture":
    """The picture in a file or in what standard input brings."""
    from sigconv.io import files, images

    if source != "-":
        return images.read(source, max_pixels=int(max_pixels))
    data = BytesIO(b"".join(map(bytes, files.read_blocks("-"))))
    data.name = files.title("-")
    return images.read(data, max_pixels=int(max_pixels))


def save(picture: "Picture", output: str, kind: str | None, quality: int | None, overwrite: bool) -> list[str]:
    """Write a picture whole or not at all; what is to be said of it."""
    from sigconv.io import files, images

    data = BytesIO()
    data.name = "standard output" if output == "-" else output
    notes = images.write(picture, data, format=kind, quality=quality)
    with files.writing(output, overwrite=overwrite) as write:
        write(data.getbuffer())
    return notes


def described(picture: "Picture") -> str:
    """What was found in a file, in words."""
    kind = "palette" if picture.palette else picture.color
    text = summary(picture.format, picture.pages[0].shape, kind, picture.bits, picture.alpha)
    parts = [f"{len(picture.pages)} pages"] if len(picture.pages) > 1 else []
    parts += ["ICC profile"] if picture.about.icc else []
    parts += [f"orientation {picture.about.orientation}"] if picture.about.orientation > 1 else []
    return ", ".join([text, *parts])


def summary(format: str, shape: Sequence[int], color: str, bits: int, alpha: bool) -> str:
    """Format, size and kind of an image, in words."""
    kind = color.upper() if color in ("rgb", "cmyk") else color
    text = f"{format.upper()}, {shape[1]} x {shape[0]} pixels, {kind}, {bits} bit"
    return f"{text}, opacity" if alpha else text


def found(sources: Sequence[str], output: str) -> list[str]:
    """The inputs, with patterns in the place of which files stand; refuses what cannot be read or shown."""
    context = click.get_current_context()
    names: list[str] = []
    for source in sources or ["-"]:
        fits = sorted(glob.glob(source)) if source != "-" and not os.path.lexists(source) else []
        names += fits or [source]
    if "-" in names and sys.stdin.isatty():
        raise click.UsageError("name an image or pipe one in", context)
    if names.count("-") > 1:
        raise click.UsageError("standard input can be read only once", context)
    if output == "-" and sys.stdout.isatty():
        raise click.UsageError("an image is nothing for a terminal: -o FILE, or pipe it on", context)
    return names


def recipe(stages: Sequence[Any], linear: bool, dtype: str | None, **rest: Any) -> "Recipe":
    """The recipe that the options of a command ask for."""
    from sigconv.io.develop import Recipe

    return Recipe(stages, linear=linear, dtype=dtype, **rest)


def develop_all(work: Work, sources: Sequence[str], output: str, jobs: int) -> None:
    """All inputs to where they go; exits with 1 where one of several failed."""
    names = found(sources, output)
    if work.plot is not None:
        if len(names) > 1:
            raise click.UsageError(f"--plot goes with one image, not with {len(names)}", click.get_current_context())
        from sigconv_cli.drawing import refuse_early

        refuse_early(work.plot, work.overwrite)
    failed = False
    with Stop() as stop, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what readers do in each thread would come undone in another's
        targets = running.outputs(names, output, work.overwrite)
        running.refuse_clashes({"--plot": work.plot}, names, targets)
        for result in running.each(work, names, targets, jobs, stop, quiet=work.quiet):
            failed |= isinstance(result, Exception)
            for note in [options.told(result)] if isinstance(result, Exception) else result:
                click.echo(f"sigconv: {note}", err=True)
    if failed:
        raise SystemExit(1)
