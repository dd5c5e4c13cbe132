"""One input through the filter into one output: blocks, signals, states, the files of a run."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from sigconv_cli.progress import Progress
from sigconv_cli.stopping import Stop, Stopped

if TYPE_CHECKING:
    from sigconv.io.files import Piece, Write
    from sigconv.io.follow import Follower
    from sigconv.io.telemetry import Filter, Layout, Rewriter
    from sigconv_cli.drawing import Drawing

# M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in bytes, M_ARENA_MAX: see mallopt(3).
_KEPT = {-1: 64 << 20, -3: 32 << 20, -8: 1}
TICK = 1.0  # seconds after which an input that brings nothing is left for a moment
SAVE_EVERY = 5.0  # seconds between two states


@dataclass
class Run:
    """What all inputs of a command have in common."""

    build: "Callable[[int], Filter]"
    layout: "Layout"
    settings: dict[str, str] = field(default_factory=dict)  # options that a state depends on
    overwrite: bool = False
    follow: bool = False
    state: str | None = None
    drawing: "Drawing | None" = None
    quiet: bool = False
    verbose: bool = False

    def smooth(self, source: str, output: str, stop: Stop, progress: Progress) -> list[str]:
        """Filter ``source`` into ``output``; the notes to show."""
        from sigconv.io import files, telemetry

        keep_memory()
        began = time.monotonic()
        rewriter = telemetry.Rewriter(self.build, self.layout)
        keeper = Keeper(self.state, self.settings, rewriter) if self.state else None
        try:
            with ExitStack() as stack:
                if self.follow:
                    self._follow(source, output, rewriter, keeper, stop, stack)
                else:
                    self._read(source, output, rewriter, keeper, stop, progress, stack)
        except (telemetry.TelemetryError, ValueError) as error:
            raise telemetry.TelemetryError(f"{files.title(source)}: {error}") from error
        except Stopped as end:
            end.notes = self._notes(source, rewriter, began) if end.orderly else []
            raise
        if keeper:
            keeper.save()
        notes = self._notes(source, rewriter, began)
        if self.drawing:
            notes.append(self.drawing.save(rewriter, os.path.basename(files.title(source))))
        return [note for note in notes if note]

    def _notes(self, source: str, rewriter: "Rewriter", began: float) -> list[str]:
        from sigconv.io import files

        notes = [] if self.quiet else [str(rewriter.report)]
        if self.verbose:
            notes.append(f"{described(rewriter)}; {time.monotonic() - began:.2f} s")
        return [f"{files.title(source)}: {note}" for note in notes if note]

    def _read(
        self,
        source: str,
        output: str,
        rewriter: "Rewriter",
        keeper: "Keeper | None",
        stop: Stop,
        progress: Progress,
        stack: ExitStack,
    ) -> None:
        from sigconv.io import files

        if keeper:
            keeper.load()
        write = stack.enter_context(files.writing(output, overwrite=self.overwrite))
        plain = files.plain_size(source) is not None
        try:
            if plain:
                write = stack.enter_context(files.behind(write))
                for piece in rewriter.rewrite(progress.counted(files.read_blocks(source))):
                    write(piece)
                    stop.check()
                    progress.show()
            else:
                self._answer(source, write, rewriter, keeper if is_stream(output) else None, stop, progress)
        except Stopped as end:
            # An output that disappears with the run has taken nothing, and the state must not say otherwise.
            if is_stream(output) and end.orderly:
                write_waiting(rewriter, write, settle=not plain, late=not keeper)
                stack.close()  # what waits to be written goes first
                if keeper:
                    keeper.save()
            raise

    def _answer(
        self,
        source: str,
        write: "Write",
        rewriter: "Rewriter",
        keeper: "Keeper | None",
        stop: Stop,
        progress: Progress,
    ) -> None:
        """A pipe: what has arrived is written before anything more is read."""
        from sigconv.io import files

        for block in progress.counted(files.read_blocks(source, ready=lambda fd: stop.ready(fd, TICK))):
            for piece in rewriter.feed(block):
                write(piece)
            stop.check()
            progress.show()
            if keeper:
                keeper.tick(bool(block))
        for piece in rewriter.close():
            write(piece)

    def _follow(
        self,
        source: str,
        output: str,
        rewriter: "Rewriter",
        keeper: "Keeper | None",
        stop: Stop,
        stack: ExitStack,
    ) -> None:
        from sigconv.io import files
        from sigconv.io.follow import Follower

        place = keeper.load() if keeper else None
        follower = stack.enter_context(closing(Follower(source, place, stop.wait)))
        kept = keeper.written if keeper and keeper.resumed else None
        write = stack.enter_context(files.growing(output, overwrite=self.overwrite, keep=kept))
        if keeper:
            keeper.follower, keeper.output = follower, output
        try:
            if keeper and follower.midway:
                # The table is recognised by its header, which stands in the output already.
                above = keeper.above
                write = without_lines(write, above)
                for piece in rewriter.feed(first_lines(source, above)):
                    write(piece)
            for block in follower:
                for piece in rewriter.feed(block):
                    write(piece)
                stop.check()
                if keeper:
                    keeper.tick(bool(block))
        except Stopped as end:
            if end.orderly:
                if keeper:
                    keeper.save()
                else:
                    write_waiting(rewriter, write, settle=True, late=True)
            raise


class Keeper:
    """Keeps the state of a run in its file: now and then, and at the end."""

    def __init__(self, path: str, settings: dict[str, str], rewriter: "Rewriter") -> None:
        from sigconv.io import saved

        saved.check_writable(path)
        self._path, self._settings, self._rewriter = path, settings, rewriter
        self.follower: Follower | None = None
        self.output = ""
        self.resumed = False
        self.written: int | None = None
        self.above = 0  # lines above the first row of data
        self._changed = False
        self._next = time.monotonic() + SAVE_EVERY

    def load(self) -> Any:
        """Go on from the file where there is one; the place in the followed file, where it holds one."""
        from sigconv.errors import SigconvError
        from sigconv.io import saved
        from sigconv.io.follow import Place

        if not os.path.exists(self._path):
            return None
        notes, arrays = saved.load(self._path)
        if difference := saved.difference(notes.get("settings", {}), self._settings):
            raise SigconvError(f"{self._path}: {difference}")
        try:
            self._rewriter.restore(arrays)
        except (ValueError, KeyError) as error:
            raise SigconvError(f"{self._path}: the state does not fit: {error}") from None
        self.resumed = True
        self.written = notes.get("written", 0)
        self.above = notes.get("above", 0)
        return Place(*notes["place"]) if "place" in notes else None

    def tick(self, changed: bool) -> None:
        """Save where something has come since the last time, and that is a while ago."""
        self._changed |= changed
        if self._changed and (now := time.monotonic()) >= self._next:
            self.save()
            self._changed, self._next = False, now + SAVE_EVERY

    def save(self) -> None:
        """Write the file."""
        from sigconv.io import saved

        notes: dict[str, Any] = {"settings": self._settings}
        above = self._rewriter.above
        if self.follower is not None and above is not None:
            place = self.follower.place
            # What is left of a row that has not ended is read again.
            notes["place"] = [place.device, place.inode, place.offset - self._rewriter.waiting]
            notes["above"] = above
            if os.path.isfile(self.output):
                notes["written"] = os.path.getsize(self.output)
        saved.save(self._path, notes, self._rewriter.state())


def keep_memory() -> None:
    """Ask the C library, where it is GNU's, to keep what is freed: a block is as large as the one before it.

    Memory given back to the system would be fetched again page by page.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another library, another system
        return
    for parameter, value in _KEPT.items():
        mallopt(parameter, value)


def write_waiting(rewriter: "Rewriter", write: "Write", settle: bool, late: bool) -> None:
    """Write the complete rows that wait for more to ``settle`` what the table is like, and for ``late`` ones."""
    for piece in rewriter.settle() if settle else ():
        write(piece)
    for piece in rewriter.release() if late else ():
        write(piece)


def first_lines(source: str, count: int) -> bytes:
    """The first lines of a file."""
    with open(source, "rb") as file:
        return b"".join(file.readline() for _ in range(count))


def without_lines(write: "Write", count: int) -> "Write":
    """A function that leaves out the first lines of all that it is given, and writes the rest."""

    def rest(piece: "Piece") -> None:
        nonlocal count
        if count:
            lines = bytes(piece).split(b"\n", count)
            count -= len(lines) - 1
            piece = lines[-1] if not count else b""
        write(piece)

    return rest


def is_stream(output: str) -> bool:
    """Whether what is written is there at once and stays."""
    from sigconv.io import files

    return output == "-" or files.is_device(output)


def described(rewriter: "Rewriter") -> str:
    """What was found in a table, in words."""
    dialect = rewriter.dialect
    if dialect is None or rewriter.names is None:
        return "no row of data"
    columns = ", ".join(f"{rewriter.names[i]!r} ({i + 1} of {len(rewriter.names)})" for i in rewriter.chosen or ())
    parts = [f"columns {columns}", f"delimiter {dialect.delimiter.decode()!r}", f"decimal {dialect.decimal.decode()!r}"]
    if not dialect.header:
        parts.append("no header")
    if dialect.top:
        parts.append(f"{dialect.top} lines above the header")
    if dialect.units:
        parts.append("a row of units")
    return "; ".join(parts)


def outputs(sources: Sequence[str], output: str, overwrite: bool, follow: bool = False) -> list[str]:
    """Where each input goes; raises where something would be lost.

    A folder takes files under the names of the inputs; it must be there, or its name end with a slash.
    """
    from sigconv.errors import SigconvError
    from sigconv.io import files

    context = click.get_current_context()
    into = output != "-" and (os.path.isdir(output) or output.endswith(("/", os.sep)))
    if not into:
        if len(sources) > 1:
            where = f"{output} is none" if output != "-" else "none is given"
            raise click.UsageError(f"several files need a folder that takes them, and {where}: -o FOLDER/", context)
        found = [output]
    else:
        if "-" in sources:
            raise click.UsageError("standard input has no name to be written under: give -o FILE", context)
        os.makedirs(output, exist_ok=True)
        found = [os.path.join(output, os.path.basename(source)) for source in sources]
    real: dict[str, str] = {}
    for source, target in zip(sources, found, strict=True):
        if is_stream(target):
            continue
        path = os.path.realpath(target)
        if path in real:
            raise SigconvError(f"{real[path]} and {source} would both be written to {target}")
        real[path] = source
    for source, target in zip(sources, found, strict=True):
        taken = real.get(os.path.realpath(source), source) if source != "-" else source
        if taken != source:
            raise SigconvError(f"{source} is an input, and {taken} would be written to it")
        if not is_stream(target):
            itself = source != "-" and os.path.exists(source) and same(source, target)
            if itself and (follow or not overwrite):
                raise SigconvError(f"{target} is the input itself{'' if follow else '; -y replaces it'}")
            files.refuse_existing(target, overwrite or follow)  # what is followed may go on with what it has written
    return found


def refuse_clashes(files: dict[str, str | None], sources: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse a file beside the output that is an input, the output, or another such file."""
    taken = {os.path.realpath(name): "the output" for name in targets if name != "-"}
    taken |= {os.path.realpath(name): "an input" for name in sources if name != "-"}
    for option, name in files.items():
        if name is None:
            continue
        if (place := os.path.realpath(name)) in taken:
            raise click.UsageError(f"{option} {name} is {taken[place]}", click.get_current_context())
        taken[place] = f"the file of {option}"


def same(a: str, b: str) -> bool:
    """Whether two names mean one file."""
    return os.path.exists(b) and os.path.samefile(a, b)


def each(
    work: Callable[[str, str, Stop, Progress], list[str]],
    sources: Sequence[str],
    targets: Sequence[str],
    jobs: int,
    stop: Stop,
    *,
    quiet: bool,
) -> Iterator[list[str] | Exception]:
    """The notes or the error of each input, in order; ``jobs`` at a time."""
    from sigconv.io import files

    sizes = [files.plain_size(source) for source in sources]
    total = sum(size for size in sizes if size) if None not in sizes else None
    progress = Progress(total, not quiet)

    def one(source: str, target: str) -> list[str] | Exception:
        try:
            stop.check()
            return work(source, target, stop, progress)
        except Exception as error:  # the other inputs go on
            return error

    try:
        if len(sources) == 1:
            yield work(sources[0], targets[0], stop, progress)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(one, sources, targets)
    finally:
        progress.clear()
