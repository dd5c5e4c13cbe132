"""Options that commands share, and the kinds of values that options take."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

Command = Callable[..., Any]

overwrite = click.option("-y", "--overwrite", is_flag=True, help="Overwrite a file that exists.")
quiet = click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
jobs = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    metavar="N",
    help="Files to work on at once.  [default: one for each CPU]",
)


def columns(verb: str) -> Callable[[Command], Command]:
    """The option that chooses columns to do something with."""
    return click.option(
        "-c",
        "--column",
        "columns",
        multiple=True,
        metavar="COL",
        help=f"Column to {verb}: its name, its number from 1, or a pattern with *; repeatable.  "
        "[default: the only column of numbers beside time and key]",
    )


def epilog(*examples: str) -> str:
    """The end of a command's help: its examples, unwrapped."""
    return "\b\n" + "\n".join(["Example:" if len(examples) == 1 else "Examples:", *(f"  {line}" for line in examples)])


def told(error: Exception) -> str:
    """An error as one line."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}" if error.filename else reason
    return " ".join((str(error) if _is_ours(error) else f"{type(error).__name__}: {error}").split())


def _is_ours(error: Exception) -> bool:
    from sigconv.errors import SigconvError

    return isinstance(error, (SigconvError, ValueError, TypeError))


def usage(build: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call ``build`` with what the user asked for; where it refuses, that is a usage error."""
    try:
        return build(*args, **options)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error), click.get_current_context()) from None


def duration(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int:
    """Nanoseconds; 0 where none is given."""
    if value is None:
        return 0
    from sigconv.checks import duration as checked

    try:
        return checked(str(parameter.human_readable_name), value)
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from None


def _character(ctx: click.Context, parameter: click.Parameter, value: str | None) -> bytes | None:
    """One character; ``tab`` and ``\\t`` are the tabulator."""
    if value in (None, "auto"):
        return None
    text = {"tab": "\t", "\\t": "\t", "space": " "}.get(str(value), str(value))
    if len(text.encode()) != 1 or text in '"\r\n':
        raise click.BadParameter(f"{value!r} must be one ASCII character, or tab", ctx, parameter)
    return text.encode()


def _point(ctx: click.Context, parameter: click.Parameter, value: str) -> bytes | None:
    return None if value == "auto" else value.encode()


def _tokens(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> frozenset[bytes]:
    return frozenset(token.strip().encode() for value in values for token in value.split(",")) - {b""}


def _times(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> Sequence[str]:
    if len(values) > 2:
        raise click.BadParameter("give one column, or two: date and time", ctx, parameter)
    return values


def _prefix(ctx: click.Context, parameter: click.Parameter, value: str | None) -> bytes | None:
    return None if value in (None, "auto") else str(value).encode()


def written(command: Command) -> Command:
    """The options that say how a table is written, and which column holds the times: fields of a `Layout`."""
    for option in reversed(_WRITTEN):
        command = option(command)
    return command


def table(command: Command) -> Command:
    """Those of `written`, and the one that tells series apart."""
    return written(_KEYS(command))


_KEYS = click.option(
    "--by", "keys", multiple=True, metavar="COL", help="Column whose every value is a series of its own; repeatable."
)
_WRITTEN = [
    click.option(
        "-t",
        "--time",
        multiple=True,
        callback=_times,
        metavar="COL",
        help="Column of times; twice where date and time stand in two.  [default: found where a window needs it]",
    ),
    click.option(
        "--time-format",
        metavar="FORMAT",
        help="How times are written, as strptime spells it: '%d/%m/%Y %H:%M:%S'.  [default: found]",
    ),
    click.option(
        "--time-unit",
        type=click.Choice(["s", "ms", "us", "ns"]),
        help="Unit of times that are numbers.  [default: by their size]",
    ),
    click.option(
        "--time-zone", metavar="ZONE", help="Zone of times that name none, such as Europe/Zurich.  [default: UTC]"
    ),
    click.option(
        "-d",
        "--delimiter",
        default="auto",
        callback=_character,
        metavar="CHAR",
        help="Character between cells, or tab.  [default: found]",
    ),
    click.option(
        "--decimal",
        type=click.Choice([".", ",", "auto"]),
        default="auto",
        callback=_point,
        help="Decimal sign.  [default: found]",
    ),
    click.option(
        "--header/--no-header",
        default=None,
        help="The first row holds names, or is data: columns then go by their numbers.  [default: found]",
    ),
    click.option(
        "--skip",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Lines at the top that are no part of the table.  [default: found]",
    ),
    click.option(
        "--comment",
        default="auto",
        callback=_prefix,
        metavar="PREFIX",
        help="Lines that begin with it are no rows.  [default: found]",
    ),
    click.option(
        "--na",
        multiple=True,
        callback=_tokens,
        metavar="TOKENS",
        help="More texts that mean a missing value, separated by commas: -200,off; repeatable.",
    ),
]
