"""Whole commands: what one run of a process took."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

SPAWN = Path(__file__).resolve().parent / "spawn.py"


def timed(command: list[str], stdout: str = "/dev/null") -> dict[str, float]:
    """Seconds, CPU seconds and peak bytes of one run."""
    if not shutil.which(command[0]):
        raise FileNotFoundError(command[0])
    spawn = [sys.executable, "-I", "-S", str(SPAWN), stdout, *command]
    done = subprocess.run(spawn, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    took = json.loads(done.stdout) if done.returncode == 0 else {"code": done.returncode}
    if took["code"]:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {took['code']}"])[-1])
    return took
