"""Image files: whole processes of `sigconv image` beside other tools on the same file."""

import argparse
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import picture_data
from .harness import one_line, rounds_of
from .picture_report import Pictures
from .processes import timed
from .table_report import MIB, Contender, Figure, Race, figure_line, race_lines

TITLE = "Image files"
HERE = Path(__file__).resolve().parent
OURS = [sys.executable, "-m", "sigconv_cli"]
CLOSE = 0.02  # mean difference, in shares of full scale, of results that are held to be the same filter
ABOVE = 48  # MiB that a large image may take above a small one
SHARPEN = "3x3:0,-1,0 -1,5,-1 0,-1,0"


@dataclass
class Job:
    """One command of ours, and what others call the same."""

    name: str
    source: str
    work: str
    ours: list[str]
    vips: dict[str, list[str]] = field(default_factory=dict)
    """Name -> the operation, with IN and OUT."""
    magick: list[str] = field(default_factory=list)
    libraries: tuple[str, ...] = ("Pillow", "OpenCV")
    targets: dict[str, float] = field(default_factory=dict)
    rounds: int | None = None


GAUSSIAN = {
    "work": "gaussian",
    "ours": ["image", "-k", "gaussian:sigma=3"],
    # which ends where a weight is 0.2 of the middle's; then as far out as ours
    "vips": {
        "vips gaussblur": ["gaussblur", "IN", "OUT", "3"],
        "vips gaussblur, 4 sigma": ["gaussblur", "IN", "OUT", "3", "--min-ampl", "0.001"],
    },
    "magick": ["-blur", "0x3"],
}


def jobs(folder: Path) -> list[Job]:
    """Every workload; masks that vips reads lie in ``folder``."""
    mask = folder / "sharpen.mat"
    mask.write_text("3 3 1 0\n0 -1 0\n-1 5 -1\n0 -1 0\n")
    convolved = {"vips conv": ["conv", "IN", "OUT", str(mask), "--precision", "integer"]}
    tiff = "gray8.tif"
    image = ["image", "-k"]
    return [
        Job("gaussian σ 3, 8-bit TIFF", tiff, **GAUSSIAN),
        Job("gaussian σ 3, 16-bit TIFF", "gray16.tif", **GAUSSIAN, libraries=("OpenCV",)),
        Job("gaussian σ 3, 12 MP JPEG", "rgb.jpg", **GAUSSIAN),
        Job("gaussian σ 3, 12 MP PNG", "rgb.png", **GAUSSIAN),
        Job(
            "sharpen 3x3, TIFF", tiff, "sharpen", [*image, "sharpen"], convolved,
            ["-morphology", "Convolve", SHARPEN],
        ),
        Job("sobel, TIFF", tiff, "sobel", [*image, "sobel"], {"vips sobel": ["sobel", "IN", "OUT"]}, [], ("OpenCV",)),
        Job(
            "median 3x3, TIFF", tiff, "median", [*image, "median:3"],
            {"vips rank": ["rank", "IN", "OUT", "3", "3", "4"]}, ["-statistic", "Median", "3x3"],
        ),
        Job(
            "mean 2x2, TIFF", tiff, "pool", ["pool", "-m", "avg", "--size", "2"],
            {"vips shrink": ["shrink", "IN", "OUT", "2", "2"]}, ["-filter", "Box", "-resize", "50%"],
        ),
        Job(
            "gaussian σ 3, 20,000 x 20,000 TIFF", "large.tif", **GAUSSIAN | {"magick": []}, libraries=("OpenCV",),
            targets={"vips": 1}, rounds=2,
        ),
    ]  # fmt: skip


def run(options: argparse.Namespace) -> Pictures:
    """Every workload whose name matches; what goes wrong is recorded, never raised."""
    pictures = Pictures(TITLE, {"vips": _version(["vips", "--version"], 0), "ImageMagick": _magick()[1]})
    print(", ".join(f"{n} {v or 'is not installed'}" for n, v in pictures.programs.items()), end="\n\n", flush=True)
    for job in jobs(picture_data.folder()):
        if options.only.search(job.name):
            pictures.races.append(_race(job, options.repeat))
            print(f"{race_lines(pictures.races[-1], 'pixels')}\n", flush=True)
    if options.only.search("peak memory"):
        for figure in _memory():
            pictures.figures.append(figure)
            print(figure_line(figure), flush=True)
    print(f"\n{pictures.foot()}")
    return pictures


def _race(job: Job, rounds: int) -> Race:
    """All commands in turn, round after round; what each wrote first is compared with ours."""
    race = Race(job.name, 0, 0, targets=job.targets)
    rounds = min(rounds, job.rounds or rounds)
    try:
        source = picture_data.picture(job.source)
        race.size, race.rows = source.stat().st_size, int(np.prod(picture_data.FILES[job.source][:2]))
        target = source.with_stem("out")
        timed(_ours(job, picture_data.picture("small.tif"), target.with_suffix(".tif")))  # compiles
    except Exception as error:
        race.error = one_line(error)
        return race
    commands = dict(_commands(job, source, target))
    race.contenders = [Contender(name) for name in commands]
    expected = None
    for turn in range(rounds):
        for contender in race.contenders:
            if turn and (contender.seconds is None or turn >= rounds_of(contender.seconds, rounds)):
                continue
            try:
                took = timed(commands[contender.name])
                if not turn and race.size < 200e6:
                    written = _read(target)
                    expected = written if contender is race.contenders[0] else expected
                    contender.difference = _difference(written, expected)
                    contender.status = "agrees" if contender.difference <= CLOSE else "related"
                if contender.seconds is None or took["seconds"] < contender.seconds:
                    contender.seconds, contender.cpu, contender.peak = took["seconds"], took["cpu"], took["peak"]
            except FileNotFoundError:
                contender.status = "missing"
            except Exception as error:
                contender.status = one_line(error)
            finally:
                target.unlink(missing_ok=True)
    return race


def _commands(job: Job, source: Path, target: Path) -> Iterator[tuple[str, list[str]]]:
    """Ours first."""
    yield "sigconv", _ours(job, source, target)
    places = {"IN": str(source), "OUT": str(target)}
    for name, operation in job.vips.items():
        yield name, ["vips", *(places.get(word, word) for word in operation)]
    if job.magick:
        yield "ImageMagick", [_magick()[0], str(source), *job.magick, str(target)]
    for name, package in {"Pillow": "PIL", "OpenCV": "cv2"}.items():
        if name in job.libraries:
            there = importlib.util.find_spec(package) is not None
            script = [sys.executable, "-P", str(HERE / "picture_peers.py")] if there else [name]
            yield name, [*script, name, job.work, str(source), str(target)]


def _ours(job: Job, source: Path, target: Path) -> list[str]:
    command, *rest = job.ours
    return [*OURS, command, str(source), *rest, "-o", str(target), "-y", "-q"]


def _memory() -> Iterator[Figure]:
    """The largest resident set for a small image, and how much more a large one takes."""
    job = Job("", "", **GAUSSIAN)
    small, more = Figure("peak memory, 500 x 500", "MiB"), Figure("20,000 x 20,000 above it", "MiB", most=ABOVE)
    try:
        target = picture_data.folder() / "out.tif"
        peaks = []
        for name in ("small.tif", "large.tif"):
            peaks.append(timed(_ours(job, picture_data.picture(name), target))["peak"] / MIB)
            target.unlink(missing_ok=True)
        small.value, more.value = peaks[0], peaks[1] - peaks[0]
    except Exception as error:
        small.error = more.error = one_line(error)
    yield from (small, more)


def _read(path: Path) -> np.ndarray:
    from sigconv.io import images

    page = images.read(path).pages[0]
    full = np.iinfo(page.dtype).max if page.dtype.kind in "iu" else 1
    return page.astype(np.float32) / full


def _difference(written: np.ndarray, expected: np.ndarray | None) -> float:
    """Mean difference in shares of full scale."""
    if expected is None or written.shape != expected.shape:
        return float("inf")
    return float(np.abs(written - expected).mean())


def _magick() -> tuple[str, str]:
    """ImageMagick's command by whichever name it has here, and its version."""
    for name in ("magick", "convert", "convert-im6.q16"):
        version = _version([name, "-version"], 0)
        if version.startswith("Version: ImageMagick"):
            return name, version.split()[2]
    return "magick", ""


def _version(command: list[str], line: int) -> str:
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [""])[line].strip()
