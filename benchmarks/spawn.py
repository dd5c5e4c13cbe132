"""Run one command and print what it took as JSON: `python spawn.py STDOUT COMMAND...`.

A process of its own, and a small one: Linux counts the memory of whoever starts a process into that process's peak.
"""

import json
import os
import sys
import time

PEAK_BYTES = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss


def main(stdout: str, *command: str) -> None:
    """Wall and CPU seconds and peak memory of the command and of all processes it waited for."""
    target = os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, target, 1)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    took = {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * PEAK_BYTES}
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), **took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
