"""Timing and checking: what every group of workloads shares."""

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .ceilings import Ceilings

Call = Callable[[], object]
TOLERANCE = {"float32": 2e-5, "float64": 1e-9, "uint8": 1e-2}  # of bytes a step or two
BURST, SHORT_BURST, LONG_BURST = 3, 0.03, 0.05  # calls in a row; seconds that they last at least, and at most
REST = 0.02  # seconds in which the threads of a peer that wait for its next call go to sleep
SLOW_SECONDS, VERY_SLOW_SECONDS = 1.0, 10.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a workload should reach: `ratio` times the best peer's speed, or at most `copies` plain copies."""

    ratio: float | None = None
    copies: float | None = None
    against: tuple[str, ...] = ()
    """Peers the ratio is taken against; all of them where empty."""

    def __str__(self) -> str:
        if self.copies is not None:
            return f"≤ {self.copies:g} copies"
        return f"≥ {self.ratio:g}" + (f" of {'/'.join(self.against)}" if self.against else "")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A workload with its arrays in place."""

    ours: Call
    x: np.ndarray
    """The main input: a plain copy of it is timed beside everything else."""
    moved: int = 0
    """Bytes: every input read once, every output written once."""
    flops: float = 0.0
    sums: str = ""
    """The dtype whose rate of multiply-adds is the limit; x's own where empty."""
    into: Call | None = None
    """Ours with `out=`, where it differs from `ours`."""
    peers: Mapping[str, Callable[[], Call]] = field(default_factory=dict)
    """Name -> preparation, which imports the library and returns what is timed."""
    related: tuple[str, ...] = ()
    """Peers that compute something else of the same kind: timed, not compared."""
    settled: int = 0
    """First output at which every library has left its start-up."""
    tolerance: float | None = None
    """Largest difference as a part of the largest value; by default that of the dtype."""
    samples: int = 1
    """How many calls or samples one run makes, where the time of one is wanted."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A named piece of work; nothing is allocated before `build`."""

    name: str
    build: Callable[[], Case]
    target: Target | None = None
    per_call: bool = False
    """Report microseconds a call instead of milliseconds a run."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What all workloads whose name holds ``part`` should reach together, of the speed of some peers."""

    name: str
    part: str
    against: tuple[str, ...]
    ratio: float
    least: bool = False
    """Whether the least of all ratios is meant; their geometric mean where not."""

    def of(self, results: Sequence["Result"]) -> float | None:
        """The figure, where anything was there to compare with."""
        ratios = [r.ratio_to(self.against) for r in results if self.part in r.name]
        known = [ratio for ratio in ratios if ratio is not None]
        if not known:
            return None
        return min(known) if self.least else math.exp(math.fsum(map(math.log, known)) / len(known))


@dataclass
class Peer:
    """How a peer did: seconds, and the largest difference from ours where the two should agree."""

    seconds: float | None = None
    difference: float | None = None
    status: str = "agrees"
    """agrees, differs, related (not compared), missing (not installed) or the error's text."""

    @property
    def mark(self) -> str:
        """The sign a table sets behind the time."""
        return {"differs": "≠", "related": "~"}.get(self.status, "")


@dataclass
class Result:
    """Everything measured for one workload; times are seconds, the least of all rounds."""

    name: str
    per_call: bool = False
    ours: float | None = None
    into: float | None = None
    copy: float | None = None
    limit: float | None = None
    dtype: str = ""
    tolerance: float | None = None
    peers: dict[str, Peer] = field(default_factory=dict)
    target: Target | None = None
    error: str = ""

    @property
    def ranking(self) -> list[tuple[str, Peer]]:
        """Peers that were timed, fastest first."""
        timed = [(name, peer) for name, peer in self.peers.items() if peer.seconds is not None]
        return sorted(timed, key=lambda item: item[1].seconds)

    @property
    def ratio(self) -> float | None:
        """How many times faster than the best peer."""
        return self.ratio_to(())

    @property
    def share(self) -> float | None:
        """Part of the limit's speed that was reached; with `out=` where measured, as the limit allocates nothing."""
        seconds = self.into or self.ours
        return self.limit / seconds if self.limit and seconds else None

    @property
    def reached(self) -> float | None:
        """The figure the target speaks of."""
        if self.target is None or self.ours is None:
            return None
        if self.target.copies is not None:
            return (self.into or self.ours) / self.copy if self.copy else None
        return self.ratio_to(self.target.against)

    @property
    def ok(self) -> bool | None:
        """Whether the target was reached; None without one, or where nothing was there to compare with."""
        if self.target is None or self.reached is None:
            return None
        if self.target.copies is not None:
            return self.reached <= self.target.copies
        return self.reached >= self.target.ratio

    def ratio_to(self, against: tuple[str, ...]) -> float | None:
        """How many times faster than the best of these peers, of all where none are named."""
        times = [peer.seconds for name, peer in self.ranking if not against or name in against]
        return times[0] / self.ours if times and self.ours else None


def measure(workload: Workload, ceilings: Ceilings, rounds: int) -> Result:
    """Check and time one workload; whatever goes wrong is recorded, never raised."""
    result = Result(workload.name, per_call=workload.per_call, target=workload.target)
    try:
        _measure(workload.build(), result, ceilings, rounds)
    except Exception as error:
        result.error = one_line(error)
    gc.collect()
    return result


def _measure(case: Case, result: Result, ceilings: Ceilings, rounds: int) -> None:
    expected = as_arrays(case.ours())
    calls = {"ours": case.ours}
    if case.into is not None:
        calls["into"] = case.into
        case.into()
    if not result.per_call:
        copied = np.empty_like(case.x)
        calls["copy"] = lambda: np.copyto(copied, case.x)
    result.dtype = expected[0].dtype.name
    result.tolerance = TOLERANCE[result.dtype] if case.tolerance is None else case.tolerance
    for name, prepare in case.peers.items():
        peer = result.peers[name] = Peer()
        try:
            call = prepare()
            found = as_arrays(call())
        except ImportError:
            peer.status = "missing"
            continue
        except Exception as error:
            peer.status = one_line(error)
            continue
        calls[f"peer {name}"] = call
        if name in case.related:
            peer.status = "related"
            continue
        start = min(case.settled, len(expected[0]) // 2)
        pairs = zip(found, expected, strict=False)
        peer.difference = max(largest_difference(theirs, ours, start) for theirs, ours in pairs)
        if not peer.difference <= result.tolerance:
            peer.status = "differs"
        del found
    del expected
    gc.collect()
    best = interleave(calls, rounds)
    result.ours, result.into, result.copy = (best.get(name) for name in ("ours", "into", "copy"))
    for name, peer in result.peers.items():
        peer.seconds = best.get(f"peer {name}")
    if result.per_call:
        result.ours /= case.samples
    else:
        rate = ceilings.fma_all.get(case.sums or case.x.dtype.name, math.inf) * 1e9
        result.limit = max(case.moved * result.copy / (2 * case.x.nbytes), case.flops / rate)


def interleave(calls: Mapping[str, Call], rounds: int) -> dict[str, float]:
    """Time all calls in turn, round after round, and return the least seconds of each; slow ones sit rounds out."""
    best = dict.fromkeys(calls, math.inf)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            for name, call in calls.items():
                if turn == 0 or turn < rounds_of(best[name], rounds):
                    best[name] = min(best[name], _burst(call))
    finally:
        if enabled:
            gc.enable()
    return best


def rounds_of(seconds: float, rounds: int) -> int:
    """How many of the rounds something takes part in that needs so long."""
    if seconds > VERY_SLOW_SECONDS:
        return 1
    return min(rounds, 2) if seconds > SLOW_SECONDS else rounds


def _burst(call: Call) -> float:
    """The quickest of some calls in a row: the first ones pay for what others left in caches and thread pools."""
    time.sleep(REST)
    quickest, calls, spent = math.inf, 0, 0.0
    while (calls < BURST and spent <= LONG_BURST) or spent < SHORT_BURST:
        start = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - start
        del result  # only now, so that giving memory back is not timed
        quickest, calls, spent = min(quickest, seconds), calls + 1, spent + seconds
    return quickest


def as_arrays(value: object) -> list[np.ndarray]:
    """Any library's answer, one array or several, as arrays."""
    return [as_array(part) for part in (value if isinstance(value, tuple) else (value,))]


def as_array(value: object) -> np.ndarray:
    """One array of any library as NumPy's."""
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    elif hasattr(value, "numpy"):
        value = value.numpy()
    return np.asarray(value)


def largest_difference(found: np.ndarray, expected: np.ndarray, start: int) -> float:
    """Largest |found - expected| from row `start` on, as a part of the largest |expected|; NaN matches NaN only."""
    if found.size == expected.size:
        found = found.reshape(expected.shape)
    if found.shape != expected.shape:
        return math.inf
    difference, scale = 0.0, 0.0
    for lo in range(start, len(expected), 1 << 16):  # in blocks, to hold no further array of the workload's size
        ours, theirs = (_signed(values[lo : lo + (1 << 16)]) for values in (expected, found))
        present = ~np.isnan(ours)
        if not np.array_equal(present, ~np.isnan(theirs)):
            return math.inf
        if present.any():
            difference = max(difference, float(np.abs(ours[present] - theirs[present]).max()))
            scale = max(scale, float(np.abs(ours[present]).max()))
    return difference / scale if scale else difference


def _signed(values: np.ndarray) -> np.ndarray:
    """Numbers whose differences do not wrap around."""
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def one_line(error: Exception) -> str:
    """An error as a table shows it."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:200]
