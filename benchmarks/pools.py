"""Pools and their gradients, beside torch's."""

from collections.abc import Callable
from functools import partial

import numpy as np

import sigconv as sc

from . import array_peers as peers
from .harness import Case, Summary, Target, Workload

TITLE = "Pools"
SIZE, UNIT = None, ""  # each pool has its own
SUMMARIES: tuple[Summary, ...] = ()
TORCH = Target(ratio=3, against=("torch",))
MAPS = (8, 64, 112, 112)
# what torch calls it, its arguments, the shape it takes, and how often each number is read
POOLS = {
    "max 2x2": ("max_pool2d", (2,), MAPS),
    "max 3x3/2": ("max_pool2d", (3, 2, 1), MAPS),
    "max 3x3/1": ("max_pool2d", (3, 1, 1), MAPS),
    "mean 2x2": ("avg_pool2d", (2,), MAPS),
    "mean 3x3/2": ("avg_pool2d", (3, 2, 1), MAPS),
    "mean 8x8": ("avg_pool2d", (8,), MAPS),
    "norm 2, 3x3/2": ("lp_pool2d", (2, 3, 2), MAPS),
    "adaptive mean 7x7": ("adaptive_avg_pool2d", (7,), MAPS),
    "adaptive max 7x7": ("adaptive_max_pool2d", (7,), MAPS),
    "global mean": ("adaptive_avg_pool2d", (1,), MAPS),
    "max 4, series": ("max_pool1d", (4,), (8, 64, 12544)),
    "max 2x2x2": ("max_pool3d", (2,), (2, 32, 32, 56, 56)),
    "mean 2x2x2": ("avg_pool3d", (2,), (2, 32, 32, 56, 56)),
}
DOUBLE = ("max 2x2", "mean 3x3/2")


def workloads(size: None, threads: int) -> list[Workload]:
    """Every pool in single precision, some in double, places and gradients; peers use so many threads."""
    found = []
    for dtype, names in (("float32", tuple(POOLS)), ("float64", DOUBLE)):
        for name in names:
            build = partial(forward, *POOLS[name], dtype, threads)
            found.append(Workload(name=f"{name}, {dtype}", build=build, target=TORCH))
    for name, build in (
        ("max 2x2 and places", places),
        ("max 2x2, gradient", max_back),
        ("mean 2x2, gradient", mean_back),
    ):
        found.append(Workload(name=f"{name}, float32", build=partial(build, threads), target=TORCH))
    return found


def maps(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Noise, always the same."""
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


def case(ours: Callable, x: np.ndarray, written: int, torch: Callable) -> Case:
    """A pool does next to nothing with a number: reading and writing is the limit."""
    return Case(ours=ours, x=x, moved=x.nbytes + written, peers={"torch": torch})


def forward(name: str, arguments: tuple[int, ...], shape: tuple[int, ...], dtype: str, threads: int) -> Case:
    x = maps(shape, dtype)
    function = sc.global_avg_pool if (name, arguments) == ("adaptive_avg_pool2d", (1,)) else getattr(sc, name)
    given = () if function is sc.global_avg_pool else arguments
    written = function(x, *given).nbytes
    return case(lambda: function(x, *given), x, written, partial(peers.torch_call, threads, name, (x,), *arguments))


def places(threads: int) -> Case:
    x = maps(MAPS)
    torch = partial(peers.torch_call, threads, "max_pool2d", (x,), 2, return_indices=True)
    return case(lambda: sc.max_pool2d(x, 2, return_indices=True), x, 3 * x.nbytes // 4, torch)


def max_back(threads: int) -> Case:
    x = maps(MAPS)
    y, indices = sc.max_pool2d(x, 2, return_indices=True)
    torch = partial(peers.torch_backward, threads, "max_pool2d", x, y, 2)
    return case(lambda: sc.grad.max_pool2d(y, indices, x.shape), x, 3 * x.nbytes // 4, torch)


def mean_back(threads: int) -> Case:
    x = maps(MAPS)
    y = sc.avg_pool2d(x, 2)
    torch = partial(peers.torch_backward, threads, "avg_pool2d", x, y, 2)
    return case(lambda: sc.grad.avg_pool2d(y, x.shape, 2), x, x.nbytes // 4, torch)
