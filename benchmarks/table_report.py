"""What was measured of whole processes, and how a reader sees it."""

from dataclasses import asdict, dataclass, field

from .report import figure, finite

MB, MIB = 1e6, 2**20
NAME = 38
LEGEND = """\
Whole processes, start-up included: wall seconds, the least of all rounds, in which all take turns; CPU seconds and peak
memory of that run (the largest resident set, file pages that were mapped included). Inputs lie in the page cache.
ratio   the peer's seconds / ours
~       timed; leaves no table that could be compared"""


@dataclass
class Contender:
    """One command: how its best run did, and how its column compares with ours."""

    name: str
    seconds: float | None = None
    cpu: float | None = None
    peak: float | None = None
    """Bytes."""
    difference: float | None = None
    status: str = "agrees"
    """agrees, differs, related (not compared), missing (not installed) or the error's text."""

    @property
    def mark(self) -> str:
        """The sign a table sets behind the name."""
        return {"differs": "≠", "related": "~"}.get(self.status, "")


@dataclass
class Race:
    """Commands that do the same work on the same bytes; ours is the first."""

    name: str
    size: int
    """Bytes."""
    rows: int
    contenders: list[Contender] = field(default_factory=list)
    targets: dict[str, float] = field(default_factory=dict)
    """How a peer's name begins -> how many times faster than the best such peer ours should be."""
    error: str = ""

    def ratio(self, contender: Contender) -> float | None:
        """How many times faster ours was."""
        ours = self.contenders[0].seconds
        return contender.seconds / ours if contender.seconds and ours else None

    def judged(self) -> dict[str, tuple[float, float]]:
        """Name of the best peer of each target -> (wanted, reached)."""
        found = {}
        for start, wanted in self.targets.items():
            timed = [c for c in self.contenders if c.name.startswith(start) and self.ratio(c)]
            if timed:
                best = min(timed, key=lambda c: c.seconds)
                found[best.name] = (wanted, self.ratio(best))
        return found


@dataclass
class Figure:
    """One number with its bound: at most or at least so much."""

    name: str
    unit: str
    value: float | None = None
    most: float | None = None
    least: float | None = None
    peers: dict[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the bound holds; None without one or without a value."""
        if self.value is None or (self.most is None and self.least is None):
            return None
        return self.value <= self.most if self.most is not None else self.value >= self.least

    @property
    def target(self) -> str:
        """The bound and the verdict."""
        if self.most is None and self.least is None:
            return "-"
        bound = f"≤ {self.most:,g}" if self.most is not None else f"≥ {self.least:,g}"
        return bound if self.ok is None else f"{bound} {'ok' if self.ok else 'MISS'}"

    @property
    def text(self) -> str:
        """The value with its unit."""
        return "-" if self.value is None else f"{number(self.value)} {self.unit}"


@dataclass
class Tables:
    """Everything the group measured."""

    title: str
    size: int
    """MB."""
    miller: str
    races: list[Race] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def as_dict(self) -> dict:
        """Everything measured, in plain types."""
        races = [
            {
                **asdict(race),
                "contenders": [{**asdict(c), "difference": finite(c.difference)} for c in race.contenders],
                "ratios": {c.name: race.ratio(c) for c in race.contenders[1:]},
                "reached": {name: reached >= wanted for name, (wanted, reached) in race.judged().items()},
            }
            for race in self.races
        ]
        figures = [{**asdict(f), "target": f.target, "ok": f.ok} for f in self.figures]
        return {"size": self.size, "miller": self.miller or None, "races": races, "figures": figures}

    def foot(self) -> str:
        """What the marks mean, what went wrong, and how many targets were reached."""
        everyone = [(race, c) for race in self.races for c in race.contenders]
        lines = [LEGEND] if self.races else []
        lines += [f"≠       {r.name}: {c.name}: differs by {c.difference:.1e}" for r, c in everyone if c.mark == "≠"]
        missing = sorted({c.name for _, c in everyone if c.status == "missing"})
        if missing:
            lines.append(f"not installed: {', '.join(missing)}")
        known = ("agrees", "differs", "related", "missing")
        lines += [f"failed  {r.name}: {c.name}: {c.status}" for r, c in everyone if c.status not in known]
        judged = {f"{f.name} ({f.text})": f.ok for f in self.figures if f.ok is not None}
        for race in self.races:
            for name, (wanted, reached) in race.judged().items():
                judged[f"{race.name}: {figure(reached)} times {name}, not {wanted:g}"] = reached >= wanted
        if judged:
            lines.append(f"targets reached: {sum(judged.values())} of {len(judged)}")
            lines += [f"MISS    {text}" for text, ok in judged.items() if not ok]
        return "\n".join(lines)

    def markdown(self, machine: dict) -> str:
        """The results as compact Markdown tables for the README."""
        versions = machine["versions"]
        programs = {name: versions.get(name) for name in ("sigconv", "polars", "pandas", "pyarrow")}
        programs |= {"Miller": self.miller, "Python": versions["python"]}
        present = ", ".join(f"{name} {version}" for name, version in programs.items() if version)
        lines = [
            f"**{self.title}**: {machine['cpu']}, {machine['threads']} threads, {machine['date'][:10]}, "
            f"{present}. "
            "Whole processes, start-up included; least time of interleaved rounds; ratio: the peer's time / sigconv's.",
        ]
        for race in (race for race in self.races if not race.error):
            judged = race.judged()
            lines += ["", f"{race.name}, {race.size / MB:,.0f} MB, {race.rows:,} rows", ""]
            lines += ["| command | seconds | MB/s | rows/s | peak memory | ratio | target |"]
            lines += ["|---|--:|--:|--:|--:|--:|---|"]
            for c in (c for c in race.contenders if c.seconds):
                cells = [c.name + c.mark, number(c.seconds), *_rates(race, c), f"{number(c.peak / MIB)} MiB"]
                cells += ["-" if c is race.contenders[0] else figure(race.ratio(c)), _verdict(judged, c)]
                lines.append(f"| {' | '.join(cells)} |")
        valid = [f for f in self.figures if not f.error]
        if valid:
            lines += ["", "| figure | sigconv | target | others |", "|---|--:|---|---|"]
            lines += [f"| {f.name} | {f.text} | {f.target} | {_others(f)} |" for f in valid]
        return "\n".join(lines)


def race_lines(race: Race, things: str = "rows") -> str:
    """A race as a table; what it counts are rows, or other things."""
    columns = f"{'seconds':>8} {'MB/s':>7} {f'{things}/s':>11} {'CPU s':>7} {'peak MiB':>9} {'ratio':>6}  target"
    about = f"{race.name}, {race.size / MB:,.0f} MB, {race.rows:,} {things}"
    if race.error:
        return f"{about}: {race.error}"
    judged = race.judged()
    lines = [about, f"{'':<{NAME}} {columns}", "-" * (NAME + len(columns) + 9)]
    for c in race.contenders:
        if c.seconds is None:
            lines.append(f"{c.name:<{NAME}} {c.status}")
            continue
        rate, rows = _rates(race, c)
        ratio = "-" if c is race.contenders[0] else figure(race.ratio(c))
        lines.append(
            f"{c.name + c.mark:<{NAME}} {number(c.seconds):>8} {rate:>7} {rows:>11} {number(c.cpu):>7} "
            f"{number(c.peak / MIB):>9} {ratio:>6}  {_verdict(judged, c)}"
        )
    return "\n".join(lines)


def figure_line(result: Figure) -> str:
    """A figure as a line."""
    if result.error:
        return f"{result.name:<{NAME}} {result.error}"
    return f"{result.name:<{NAME}} {result.text:>18}  {result.target:<16} {_others(result)}".rstrip()


def number(value: float) -> str:
    """Thousands with commas, small values with three digits."""
    return f"{value:,.0f}" if value >= 100 else figure(value) if value >= 0.1 else f"{value:.3f}"


def _others(result: Figure) -> str:
    return ", ".join(f"{name} {number(value)} {result.unit}" for name, value in result.peers.items()) or "-"


def _rates(race: Race, contender: Contender) -> tuple[str, str]:
    return number(race.size / MB / contender.seconds), f"{race.rows / contender.seconds:,.0f}"


def _verdict(judged: dict[str, tuple[float, float]], contender: Contender) -> str:
    if contender.name not in judged:
        return "-"
    wanted, reached = judged[contender.name]
    return f"≥ {wanted:g} {'ok' if reached >= wanted else 'MISS'}"
