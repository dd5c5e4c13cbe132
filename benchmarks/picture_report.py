"""What was measured of commands on images, and how a reader sees it."""

from dataclasses import asdict, dataclass, field

from .report import figure
from .table_report import MIB, Contender, Figure, Race, number

LEGEND = """\
Whole processes, start-up included: wall seconds, the least of all rounds, in which all take turns; CPU seconds and peak
memory of that run. Inputs lie in the page cache; outputs are of the input's format.
ratio   the peer's seconds / ours
~       writes something else of the same kind"""


@dataclass
class Pictures:
    """Everything the group measured."""

    title: str
    programs: dict[str, str]
    """Other programs -> their versions, empty where they are not installed."""
    races: list[Race] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def as_dict(self) -> dict:
        """Everything measured, in plain types."""
        races = [{**asdict(r), "ratios": {c.name: r.ratio(c) for c in r.contenders[1:]}} for r in self.races]
        return {"programs": self.programs, "races": races, "figures": [{**asdict(f), "ok": f.ok} for f in self.figures]}

    def foot(self) -> str:
        """What the marks mean, and what went wrong."""
        everyone = [(race, c) for race in self.races for c in race.contenders]
        lines = [LEGEND] if self.races else []
        missing = sorted({c.name for _, c in everyone if c.status == "missing"})
        lines += [f"not installed: {', '.join(missing)}"] if missing else []
        known = ("agrees", "related", "missing")
        lines += [f"failed  {r.name}: {c.name}: {c.status}" for r, c in everyone if c.status not in known]
        for race in self.races:
            for name, (wanted, reached) in race.judged().items():
                verdict = "ok  " if reached >= wanted else "MISS"
                lines.append(f"{verdict}    {race.name}: {figure(reached)} times as fast as {name}, wanted {wanted:g}")
        return "\n".join(lines) if lines or self.figures else "no workload has such a name"

    def markdown(self, machine: dict) -> str:
        """The results as compact Markdown tables for the README."""
        versions = machine["versions"]
        found = {"sigconv": versions.get("sigconv"), **self.programs}
        found["OpenCV"] = versions.get("opencv-python-headless")
        present = ", ".join(f"{name} {version.removeprefix(f'{name}-')}" for name, version in found.items() if version)
        lines = [
            f"**{self.title}**: {machine['cpu']}, {machine['threads']} threads, {machine['date'][:10]}, {present}. "
            "Whole processes, start-up included; least time of interleaved rounds; in brackets the peer's time / ours.",
            "",
            "| command | sigconv | peak memory | vips | ImageMagick | Pillow | OpenCV |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for race in (race for race in self.races if not race.error and race.contenders[0].seconds):
            ours = race.contenders[0]
            cells = [race.name, f"{number(ours.seconds)} s", f"{number(ours.peak / MIB)} MiB"]
            cells += [_cell(race, start) for start in ("vips", "ImageMagick", "Pillow", "OpenCV")]
            lines.append(f"| {' | '.join(cells)} |")
        lines += [""] + [f"- {f.name}: {f.text}, {f.target}".removesuffix(", -") for f in self.figures if not f.error]
        return "\n".join([*lines, "", "~ writes something else of the same kind, such as a shorter Gaussian."])


def _cell(race: Race, start: str) -> str:
    """The fastest of the peers of that name."""
    timed: list[Contender] = [c for c in race.contenders if c.name.startswith(start) and c.seconds]
    if not timed:
        return "-"
    best = min(timed, key=lambda c: c.seconds)
    return f"{number(best.seconds)} s{best.mark} ({figure(race.ratio(best))})"
