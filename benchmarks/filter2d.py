"""Images: workloads of `correlate` and of the Gaussian and the box of `images`, with mirrored borders throughout."""

from functools import partial

import numpy as np

import sigconv as sc
from sigconv import images

from . import array_peers as peers
from .harness import Case, Summary, Target, Workload

TITLE = "Image filters"
SIZE = 2048
UNIT = "{0:,} x {0:,} pixels"
ONE, RGB = (), (3,)
SUMMARIES = (Summary(name="least ratio to ndimage", part="", against=("ndimage",), ratio=15, least=True),)


def workloads(size: int, threads: int) -> list[Workload]:
    """Every workload of this group, for images of `size` x `size` pixels; peers use so many threads."""

    def work(name: str, build, *args, ratio: float) -> Workload:
        target = Target(ratio=ratio, against=("OpenCV",))
        return Workload(name=name, build=partial(build, size, threads, *args), target=target)

    found = []
    for k in (3, 5, 7, 9, 11, 15, 21, 31):
        found.append(work(f"{k}x{k}, float32", weighted, "float32", ONE, k, ratio=1.5 if k == 31 else 2))
    for kind, channels in (("uint8", ONE), ("uint8 RGB", RGB)):
        found += [work(f"{k}x{k}, {kind}", weighted, "uint8", channels, k, ratio=2) for k in (3, 5, 7)]
    for dtype, ratio in (("float32", 1.5), ("uint8", 1)):
        found += [work(f"Gaussian σ {s:g}, {dtype}", gaussian, dtype, s, ratio=ratio) for s in (1.5, 8.0)]
    for dtype in ("float32", "uint8"):
        found += [work(f"box {k}x{k}, {dtype}", box, dtype, k, ratio=1) for k in (9, 31)]
    return found


def image(size: int, dtype: str, channels: tuple[int, ...] = ONE) -> np.ndarray:
    """Noise, always the same: standard normal, or all bytes alike."""
    rng = np.random.default_rng(1)
    shape = (size, size, *channels)
    return rng.integers(0, 256, shape, np.uint8) if dtype == "uint8" else rng.standard_normal(shape, np.float32)


def kernel(k: int) -> np.ndarray:
    """Weights of both signs without any structure to exploit; they sum to one."""
    w = np.random.default_rng(2).random((k, k)) - 0.2
    return (w / w.sum()).astype(np.float32)


def cutting(dtype: str) -> tuple[str, ...]:
    """Peers that cut bytes off or wrap them around instead of rounding and saturating, or that give floats."""
    return ("ndimage", "skimage") if dtype == "uint8" else ()


def weighted(size: int, threads: int, dtype: str, channels: tuple[int, ...], k: int) -> Case:
    x, w = image(size, dtype, channels), kernel(k)
    y = np.empty_like(x)
    options = dict(border="mirror", axes=(0, 1), out_dtype=x.dtype)
    others = {"OpenCV": partial(peers.cv_filter, x, w, threads), "ndimage": partial(peers.ndimage_filter, x, w)}
    if dtype == "float32":
        others["torch"] = partial(peers.torch_filter, x, w, threads)
    return Case(
        ours=lambda: sc.correlate(x, w, **options),
        into=lambda: sc.correlate(x, w, out=y, **options),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * w.size * x.size,
        sums="float32",
        peers=others,
        related=cutting(dtype),
    )


def gaussian(size: int, threads: int, dtype: str, sigma: float) -> Case:
    x = image(size, dtype)
    taps = 2 * int(4 * sigma + 0.5) + 1
    return Case(
        ours=lambda: images.gaussian(x, sigma),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * 2 * taps * x.size,
        sums="float32",
        peers={
            "OpenCV": partial(peers.cv_gaussian, x, sigma, taps, threads),
            "ndimage": partial(peers.ndimage_gaussian, x, sigma),
            "skimage": partial(peers.skimage_gaussian, x, sigma),
        },
        related=cutting(dtype),
    )


def box(size: int, threads: int, dtype: str, k: int) -> Case:
    x = image(size, dtype)
    return Case(
        ours=lambda: images.box(x, k),
        x=x,
        moved=2 * x.nbytes,
        flops=2 * x.size,
        sums="float32",
        peers={"OpenCV": partial(peers.cv_box, x, k, threads), "ndimage": partial(peers.ndimage_box, x, k)},
        related=cutting(dtype),
    )
