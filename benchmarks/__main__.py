"""Measure workloads beside other libraries and the machine's limits: `python -m benchmarks [GROUP]`."""

import argparse
import importlib
import re
import sys
from pathlib import Path

from . import machine

ROOT = Path(__file__).resolve().parent.parent
GROUPS = {
    "smooth": "benchmarks.smooth",
    "csv": "benchmarks.tables",
    "filter2d": "benchmarks.filter2d",
    "images": "benchmarks.pictures",
    "layers": "benchmarks.layers",
    "grads": "benchmarks.grads",
    "pools": "benchmarks.pools",
}
"""Name -> module with TITLE, SIZE, UNIT, SUMMARIES and workloads(size, threads), or with a run(options) of its own.

SIZE is None where each workload names its own.
"""
SIZED = ("smooth", "csv", "filter2d")
COPIED = 4_000_000
"""Samples of the copies that measure the machine."""


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen groups; a slow or failing workload is reported and never makes the run fail."""
    options = _parse(arguments)
    machine.prepare(options.threads)
    sys.stdout.reconfigure(errors="replace")  # the table's signs must not stop a run where the terminal lacks them
    # Only now: these import libraries that fix their thread count at import.
    import sigconv

    from .report import Group, as_json, markdown, replace_in, write_json

    sigconv.set_num_threads(options.threads)
    about = machine.describe_machine(options.threads)
    print(f"{about['cpu']} ({about['llvm_cpu']}: {' '.join(about['features'])})")
    print(f"{about['threads']} of {about['cores']} cores, {about['date']}")
    print(", ".join(f"{name} {version}" for name, version in about["versions"].items()))
    if (about["load"] or 0) > 0.5:
        print(f"load average {about['load']}: others use this machine, and these times and ratios mean little")

    groups = {}
    for name in [options.group] if options.group else GROUPS:
        module = importlib.import_module(GROUPS[name])
        groups[name] = module.run(options) if hasattr(module, "run") else _run(module, options)
    if options.json:
        write_json(options.json, as_json(about, groups))
    if options.readme:
        for name, group in groups.items():
            text = markdown(about, group) if isinstance(group, Group) else group.markdown(about)
            print(replace_in(ROOT / "README.md", text, "benchmarks" if name == "smooth" else f"benchmarks {name}"))
    return 0


def _run(module, options: argparse.Namespace):
    """A group of calls: each workload beside its peers and the machine's limits."""
    from .ceilings import measure_ceilings
    from .harness import measure
    from .report import Group, foot, head, row, summary_lines

    size = options.size or module.SIZE
    ceilings = measure_ceilings(COPIED, options.threads)
    group = Group(module.TITLE, size, ceilings, unit=module.UNIT, summaries=module.SUMMARIES)
    print("\n".join(ceilings.lines()), end="\n\n")
    print(head(group.heading), flush=True)
    for workload in module.workloads(size, options.threads):
        if options.only.search(workload.name):
            group.results.append(measure(workload, ceilings, options.repeat))
            print(row(group.results[-1]), flush=True)
    print(f"\n{foot(group.results)}" if group.results else "no workload has such a name")
    print("".join(f"{line}\n" for line in summary_lines(group)), end="")
    if size != module.SIZE:
        print(f"the targets are meant for {module.UNIT.format(module.SIZE)}")
    return group


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(":")[0] + ".")
    parser.add_argument("group", nargs="?", choices=GROUPS, help="which group to run (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and every time as JSON")
    parser.add_argument("--readme", action="store_true", help="put the results between the markers in README.md")
    parser.add_argument("--repeat", type=_positive, default=5, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument("--only", type=_pattern, default="", metavar="REGEX", help="workloads whose name matches")
    parser.add_argument(
        "--size", type=_positive, metavar="N",
        help="samples, in csv MB, in filter2d pixels of an edge (default: the group's own)",
    )  # fmt: skip
    parser.add_argument("--large", action="store_true", help="csv: peak memory also for a file of ten times the size")
    cores = machine.available_threads()
    parser.add_argument("--threads", type=_positive, default=cores, metavar="N", help="threads (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.readme and options.only.pattern:
        parser.error("--readme takes the results of whole groups: leave out --only")
    if options.size and options.group not in SIZED:
        parser.error(f"--size needs one of the groups {', '.join(SIZED)}: each has its own unit, and others have none")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _pattern(text: str) -> re.Pattern:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
