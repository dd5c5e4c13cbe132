"""Options that commands share, and the kinds of values that options take."""

from collections.abc import Callable
from typing import Any

import click

overwrite = click.option("-y", "--overwrite", is_flag=True, help="Overwrite a file that exists.")
quiet = click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")


def epilog(*examples: str) -> str:
    """The end of a command's help: its examples, unwrapped."""
    return "\b\n" + "\n".join(["Example:" if len(examples) == 1 else "Examples:", *(f"  {line}" for line in examples)])


def delimiter(ctx: click.Context, parameter: click.Parameter, value: str) -> bytes:
    """One character; ``tab`` and ``\\t`` are the tabulator."""
    text = "\t" if value in ("tab", "\\t") else value
    if len(text.encode()) != 1 or text in '"\r\n':
        raise click.BadParameter(f"{value!r} must be one ASCII character, or tab", ctx, parameter)
    return text.encode()


def usage(build: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call ``build`` with what the user asked for; where it refuses, that is a usage error."""
    try:
        return build(*args, **options)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
