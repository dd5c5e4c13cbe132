"""What a reader sees: the table on the terminal, the one in the README, and JSON."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .ceilings import Ceilings
from .harness import TOLERANCE, Peer, Result, Summary

NAME = 42
PACKAGES = {
    "OpenCV": "opencv-python-headless",
    "convolve": "numpy",
    "lfilter": "scipy",
    "ndimage": "scipy",
    "oaconvolve": "scipy",
    "skimage": "scikit-image",
}
"""Peers that are called by another name than their package."""
LEGEND = """\
Times are the least of all rounds, in ms; in every round ours, a plain copy and the peers take turns: each waits until
the others' threads are asleep, then runs some times in a row.
All use the same number of threads, as far as they use several at all.
ours    allocates its result, as the peers do; out= is the same call into an array that is already there
share   limit / ours (out= where there is one); the limit is the larger of bytes moved over the rate of the plain copy,
        which runs on one thread (so two threads can pass 100 %), and operations over the rate of multiply-adds on all
ratio   best peer / ours; a target in copies is ours with out= over the plain copy
~       computes something else of the same kind: timed, not compared"""


@dataclass
class Group:
    """Results that belong together."""

    title: str
    size: int | None
    """None where every workload names its own."""
    ceilings: Ceilings
    results: list[Result] = field(default_factory=list)
    unit: str = "{:,} samples"
    summaries: Sequence[Summary] = ()

    @property
    def heading(self) -> str:
        """Title and size."""
        return self.title if self.size is None else f"{self.title}, {self.unit.format(self.size)}"

    def as_dict(self) -> dict:
        """Everything measured, in plain types."""
        return {
            "size": self.size,
            "ceilings": self.ceilings.as_dict(),
            "results": [_plain(r) for r in self.results],
            "summaries": {s.name: {"reached": s.of(self.results), "target": s.ratio} for s in self.summaries},
        }


def head(group: str) -> str:
    """The table's first lines."""
    columns = f"{'ours':>8} {'out=':>8} {'copy':>7} {'share':>6} {'ratio':>6}  {'best peer':<19} {'target':<24} others"
    return f"{group:<{NAME}} {columns}\n{'-' * (NAME + len(columns) + 1)}"


def row(result: Result) -> str:
    """One workload as a line of the table."""
    if result.error:
        return f"{result.name:<{NAME}} {result.error}"
    if result.per_call:
        return f"{result.name:<{NAME}} {result.ours * 1e6:>8.2f} us a call"
    named = [f"{name}{peer.mark} {_ms(peer.seconds)}" for name, peer in result.ranking]
    first, others = (named[0] if named else "-"), "  ".join(named[1:])
    return (
        f"{result.name:<{NAME}} {_ms(result.ours):>8} {_ms(result.into):>8} {_ms(result.copy):>7} "
        f"{_percent(result.share):>6} {figure(result.ratio):>6}  {first:<19} {_target(result):<24} {others}"
    ).rstrip()


def foot(results: Iterable[Result]) -> str:
    """What the table's marks mean, which results differ, which peers are absent, and how many targets were reached."""
    results = list(results)
    peers = [(result, name, peer) for result in results for name, peer in result.peers.items()]
    lines = [LEGEND]
    if compared := [result for result, _, peer in peers if peer.difference is not None]:
        bounds = [f"{TOLERANCE[dtype]:g} in {dtype}" for dtype in sorted({result.dtype for result in compared})]
        special: dict[float, list[str]] = {}
        for r in compared:
            if r.tolerance != TOLERANCE[r.dtype]:
                special.setdefault(r.tolerance, []).append(r.name)
        lines.append(
            f"no mark agrees with ours after the start-up: {', '.join(bounds)}, as a part of the largest value"
        )
        lines += [f"        {tolerance:g} in {'; '.join(dict.fromkeys(names))}" for tolerance, names in special.items()]
    lines += [f"≠       {r.name}: {n}: {_difference(p)}" for r, n, p in peers if p.status == "differs"]
    missing = sorted({name for _, name, peer in peers if peer.status == "missing"})
    if missing:
        lines.append(f"not installed, or without this function: {', '.join(missing)}")
    lines += [f"failed  {r.name}: {n}: {p.status}" for r, n, p in peers if _failed(p)]
    lines += [f"*       {text}" for text in _counted(results)]
    judged = [result for result in results if result.ok is not None]
    if judged:
        missed = [f"{result.name} ({figure(result.reached)})" for result in judged if not result.ok]
        lines.append(f"targets reached: {len(judged) - len(missed)} of {len(judged)}")
        lines += [f"MISS    {text}" for text in missed]
    return "\n".join(lines)


def summary_lines(group: Group) -> list[str]:
    """What a group reached as a whole."""
    found = [(summary, summary.of(group.results)) for summary in group.summaries]
    return [f"{s.name}: {figure(value)}, ≥ {s.ratio:g} {_verdict(s, value)}" for s, value in found if value is not None]


def as_json(machine: dict, groups: dict) -> dict:
    """Everything measured, in plain types."""
    return {**machine, "groups": {name: group.as_dict() for name, group in groups.items()}}


def write_json(path: Path, content: dict) -> None:
    """Write results, creating the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def markdown(machine: dict, group: Group) -> str:
    """The results as a compact Markdown table, for the README."""
    versions = machine["versions"]
    used = {name.split()[0].rstrip(",") for result in group.results for name, _ in result.ranking}
    shown = sorted({PACKAGES.get(name, name) for name in used} & set(versions))
    lines = [
        f"{machine['cpu']}, {machine['threads']} threads, {machine['date'][:10]}, "
        f"sigconv {versions['sigconv']}, Python {versions['python']}"
        + "".join(f", {name} {versions[name]}" for name in shown)
        + ". Least time of interleaved rounds; ratio: best peer / sigconv; limit: the machine's rate of copying or of "
        "multiply-adds, whichever binds.",
    ]
    timed = [result for result in group.results if not result.error]
    lines += ["", f"**{group.heading}**", ""]
    lines += ["| workload | sigconv | best peer | ratio | of the limit | target |", "|---|--:|---|--:|--:|---|"]
    for r in (r for r in timed if not r.per_call):
        best = f"{r.ranking[0][0]}{r.ranking[0][1].mark} {_ms(r.ranking[0][1].seconds)} ms" if r.ranking else "-"
        cells = [r.name, f"{_ms(_judged(r))} ms", best, figure(r.ratio), _percent(r.share), _target(r)]
        lines.append(f"| {' | '.join(cells)} |")
    calls = [result for result in timed if result.per_call]
    if calls:
        lines += ["", "| `Smoother`, one sample a call | time a call |", "|---|--:|"]
        lines += [f"| {r.name} | {r.ours * 1e6:.1f} µs |" for r in calls]
    lines += ["", *(f"- {line}" for line in summary_lines(group)), "", *_notes(timed)]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()


def replace_in(path: Path, text: str, name: str = "benchmarks") -> str:
    """Put `text` between the markers of that name in a file; what was done, as one line."""
    opening, closing = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    if not path.exists():
        return f"{path.name} not changed: there is no such file here"
    before = path.read_text(encoding="utf-8")
    start, end = before.find(opening), before.find(closing)
    if not 0 <= start < end:
        return f"{path.name} not changed: it needs the lines {opening} and {closing}"
    path.write_text(f"{before[: start + len(opening)]}\n{text}\n{before[end:]}", encoding="utf-8")
    return f"{path.name} updated: {name}"


def _notes(results: list[Result]) -> list[str]:
    peers = [peer for result in results for peer in result.peers.values()]
    notes = []
    if any(peer.status == "related" for peer in peers):
        notes.append("~ computes something else of the same kind.")
    if any(peer.status == "differs" for peer in peers):
        notes.append("≠ gives another result.")
    notes += [f"\\* {text}." for text in _counted(results)]
    return [" ".join(notes)] if notes else []


def _counted(results: list[Result]) -> list[str]:
    """Which peers count for targets that leave some out: in one line, where all leave out the same."""
    partial = [(r.name, ", ".join(r.target.against)) for r in results if _partial(r)]
    if len({against for _, against in partial}) == 1:
        return [f"the target counts {partial[0][1]} only"]
    return [f"{name}: the target counts {against} only" for name, against in partial]


def _plain(result: Result) -> dict:
    peers = {
        name: {"seconds": peer.seconds, "difference": finite(peer.difference), "status": peer.status}
        for name, peer in result.peers.items()
    }
    best = result.ranking[0][0] if result.ranking else None
    return {
        "name": result.name,
        "seconds": result.ours,
        "seconds_out": result.into,
        "seconds_copy": result.copy,
        "seconds_limit": result.limit,
        "per_call": result.per_call,
        "share": result.share,
        "ratio": result.ratio,
        "best_peer": best,
        "dtype": result.dtype,
        "tolerance": result.tolerance,
        "peers": peers,
        "target": None if result.target is None else str(result.target),
        "reached": result.reached,
        "ok": result.ok,
        "error": result.error or None,
    }


def _judged(result: Result) -> float | None:
    """Ours as the target takes it."""
    copies = result.target is not None and result.target.copies is not None
    return result.into if copies and result.into else result.ours


def _target(result: Result) -> str:
    if result.target is None:
        return "-"
    if result.target.copies is not None:
        wanted = f"≤ {result.target.copies:g} copies"
    else:
        wanted = f"≥ {result.target.ratio:g}{'*' if _partial(result) else ''}"
    if result.ok is None:
        return f"{wanted} no peer"
    return f"{wanted} {'ok' if result.ok else 'MISS'} {figure(result.reached)}"


def _verdict(summary: Summary, value: float) -> str:
    return "ok" if value >= summary.ratio else "MISS"


def _partial(result: Result) -> bool:
    """Whether the target leaves out a peer that was timed."""
    return bool(result.target and result.target.against and {n for n, _ in result.ranking} - set(result.target.against))


def _failed(peer: Peer) -> bool:
    return peer.status not in ("agrees", "differs", "related", "missing")


def _difference(peer: Peer) -> str:
    if peer.difference == float("inf"):
        return "another shape, or other values missing"
    return f"differs by {peer.difference:.1e}"


def finite(value: float | None) -> float | str | None:
    """A number that JSON can hold, or a word."""
    return "inf" if value == float("inf") else value


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    ms = seconds * 1e3
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"


def figure(value: float | None) -> str:
    """Three digits, or a dash."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
