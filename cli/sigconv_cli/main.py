"""The ``sigconv`` command: finds subcommands on demand and turns every error into one line."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from sigconv_cli.options import told

# Shown by `sigconv --help`; the modules themselves are imported when their command runs.
COMMANDS = {
    "smooth": "Smooth columns of a telemetry file and keep every other byte.",
    "plot": "Draw columns of a telemetry file over time or row number.",
    "info": "Show what a telemetry file holds: columns, gaps, times.",
    "image": "Filter images; format, depth, colour and profile stay.",
    "pool": "Make images smaller: each block of pixels becomes one.",
    "match": "Find a template in an image: places as CSV, scores as an image.",
    "window": "Show what a window does: weights, delay, noise gain.",
    "kernel": "Show what a kernel does: size, sum, passes, weights.",
    "doctor": "Show threads, CPU and cache, and check that smoothing works.",
}

DATA_ERROR, USAGE_ERROR = 1, 2
# As a shell reports the end by a signal; SIGPIPE is not known on every system.
INTERRUPTED, PIPE_CLOSED, TERMINATED = 130, 141, 143


class Commands(click.Group):
    """A group whose commands live in modules of their own, imported when they are called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return import_module(f"sigconv_cli.{cmd_name}").command if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        # Both are caught here, because click's own handling prints "Aborted!" and exits 1.
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            _forget_stdout()
            raise SystemExit(PIPE_CLOSED) from None

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        try:
            code = super().main(args, *rest, **options | {"prog_name": "sigconv", "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(USAGE_ERROR)
        except click.Abort:
            sys.exit(INTERRUPTED)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "sigconv"
            _fail(f"{error.format_message().rstrip('.')} (see {where} --help)", error.exit_code)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except Exception as error:
            if os.environ.get("SIGCONV_DEBUG"):
                raise
            _fail(told(error), DATA_ERROR)
        sys.exit(code if isinstance(code, int) else 0)


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"sigconv {version('sigconv')}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  sigconv smooth readings.csv -c depth -t time -w gaussian:sigma=2s -o smooth.csv\n"
    "  sigconv image photo.jpg -k gaussian:sigma=2 -o soft.jpg",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Smooth telemetry and filter images with weighted windows that slide."""


def main() -> None:
    """Run the command line."""
    # Start-up is most of what a small file takes: no pool for linear algebra that nobody does, few looks for garbage.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(50_000, 20, 100)
    _fill_closed()
    # A terminated run leaves no half-written file behind, since the exception unwinds what is open.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli()
    finally:  # all is done, and the interpreter would only complain of being disturbed while it ends
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        gc.freeze()  # nor has it to look for garbage in what the system takes back at once


def _fill_closed() -> None:
    """Put something in the place of standard streams that are closed, before a file that is opened takes it."""
    modes = {"stdin": ("r", os.O_WRONLY), "stdout": ("w", os.O_RDONLY), "stderr": ("w", os.O_WRONLY)}
    for name, (mode, way) in modes.items():
        if getattr(sys, name) is None:  # to read nothing or write to nowhere is an error, to complain there is not
            setattr(sys, name, open(os.open(os.devnull, way), mode))  # noqa: SIM115


def _terminate(*_: Any) -> NoReturn:
    raise SystemExit(TERMINATED)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"sigconv: {' '.join(message.split())}", err=True)
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _forget_stdout()
    sys.exit(code)


def _forget_stdout() -> None:
    # What Python still holds for what takes nothing would raise once more at exit.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
