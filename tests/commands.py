"""How tests call the command line: in this process, or in one of its own."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner
from sigconv_cli.main import cli

ROOT = Path(__file__).parent.parent
PROBE = ROOT / "sample_data" / "probe.csv"
REAL = ROOT.parent / "shared" / "data" / "telemetry"
COMMAND = [sys.executable, "-m", "sigconv_cli"]
PATIENCE = 60  # seconds after which something hangs


def run(*args, data=b"", **options):
    """The command in a process of its own."""
    return subprocess.run([*COMMAND, *map(str, args)], input=data, capture_output=True, timeout=120, **options)


def smooth(text, *args):
    """What comes out of the command in this process, as text: output, notes, exit code."""
    result = CliRunner().invoke(cli, ["smooth", *map(str, args)], input=text)
    return result.stdout_bytes.decode(), result.stderr, result.exit_code


def start(*args, **options):
    """A running command whose pipes are ours."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *map(str, args)], **pipes | options)


def answer(process, size):
    """The next bytes of output, fewer where it ends or takes too long."""
    data = b""
    while len(data) < size and select.select([process.stdout], [], [], PATIENCE)[0]:
        piece = os.read(process.stdout.fileno(), size - len(data))
        if not piece:
            break
        data += piece
    return data


def until(condition):
    """Wait for something to be true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
    return found
