"""``sigconv doctor``: what was found on this machine, and whether smoothing works here."""

from typing import Any

import click

from sigconv_cli import options


@click.command(epilog=options.epilog("sigconv doctor"))
def command() -> None:
    """Show threads, CPU and cache, and check that smoothing works.

    Exits with 1 where the check fails. This is what belongs into a bug report.
    """
    from sigconv import config

    found = config.describe()
    width = max(map(len, found)) + 2
    for name, value in found.items():
        click.echo(f"{name + ':':{width}}{_text(value)}")
    problem = _problem()
    click.echo(f"{'self-test:':{width}}{problem or 'ok'}")
    if problem:
        raise SystemExit(1)


def _problem() -> str:
    """What is wrong with a few smoothed numbers, or nothing."""
    import numpy as np

    import sigconv as sc

    x = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    expected = [x[max(0, i - 2) : i + 1].mean() for i in range(len(x))]
    try:
        y = sc.smooth(x, "uniform:3")
    except Exception as error:  # whatever it is, it is the finding
        return f"failed, smoothing raises {type(error).__name__}: {error}"
    return "" if np.allclose(y, expected, rtol=1e-14) else f"failed, {x} through uniform:3 gave {y}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
