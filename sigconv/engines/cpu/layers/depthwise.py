"""Layers whose windows are small and see few channels: planes are read where they lie, borders of zeros not at all."""

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from sigconv.borders import index_of
from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.scratch import kept
from sigconv.engines.cpu.sizes.depthwise import COLUMNS, WINDOWS
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.threads import parallel, shares
from sigconv.geometry import Slide

_FEW = 4  # channels and outputs of a group, at which weights are too few to make up for laying out the input
_FAR = 2**24  # bytes of a layer that no cache keeps from one layer to the next
_PLANE, _BAND = 2**15, 2**14  # bytes, in and out, of a plane that needs no bands, and of a band
_LARGE = 2**18  # bytes of a plane, in and out, that several threads had better share
_BORDERED = 2**20  # bytes of input with a border that are laid out at a time
_WORK, _RANGES = 2**20, 16  # multiply-adds worth a call of a kernel, and ranges enough for some threads to share


def serves(slide: Slide, channels: int, outputs: int, border: str) -> bool:
    """Whether this module computes layers of groups of so many channels and outputs; ``slide`` has three axes."""
    if (slide.kernel[1], slide.stride[1]) not in WINDOWS or channels > _FEW or outputs >= _FEW:
        return False
    square = slide.kernel[1] == slide.kernel[2] and slide.stride[1] == slide.stride[2] and slide.dilation[1:] == (1, 1)
    return square and (border == "constant" or _is_flat(slide))


def _is_flat(slide: Slide) -> bool:
    return slide.size[0] == slide.kernel[0] == slide.output[0] == 1


class Plan(NamedTuple):
    """What a kernel is told about a layer, and the ranges of its units."""

    kernel: str
    arrays: tuple[np.ndarray, np.ndarray]  # as many zeros as a row of the input has, and the sizes
    tables: tuple[int, int]  # where they are
    units: int
    ranges: list[tuple[int, int]]


@lru_cache(maxsize=64)
def planned(
    samples: int, groups: int, channels: int, outputs: int, itemsize: int, slide: Slide, apart: int = 0
) -> Plan:
    """How a layer is computed, from its sizes alone; its output's planes may be further ``apart`` than they must."""
    (depth, height, width), (out_depth, out_height, out_width) = slide.size, slide.output
    planes = samples * groups * outputs * out_depth
    area = (height * width + out_height * out_width) * itemsize
    kind, band = "planes", out_height
    if channels > 1 or not _is_flat(slide) or area > _LARGE or (area > _PLANE and area * planes > _FAR):
        kind, band = "bands", min(max(_BAND * out_height // area, 8), out_height)
    units = planes * -(-out_height // band)
    work = planes * out_height * out_width * channels * prod(slide.kernel)
    sizes = [
        depth, height, width, height * width,
        out_depth, out_height, out_width, apart or out_height * out_width,
        *slide.before, slide.kernel[0], slide.stride[0], slide.dilation[0], channels, outputs, groups, band,
    ]  # fmt: skip
    arrays = np.zeros(width, f"f{itemsize}"), np.array(sizes, np.int64)
    return Plan(
        f"depthwise.{kind}_{WINDOWS[slide.kernel[1], slide.stride[1]]}",
        arrays,
        (address(arrays[0]), address(arrays[1])),
        units,
        shares(units, max(-(-units // _RANGES), _WORK * units // work)),
    )


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, slide: Slide, groups: int, border: str
) -> None:
    """Fill y, as `convs.convolve` says, where this module `serves`."""
    if border != "constant":
        _with_border(x, weight, bias, y, slide, groups, border)
        return
    plan = planned(len(y), groups, weight.shape[1], len(weight) // groups, x.itemsize, slide)
    parallel(_task(plan, x, weight, bias, address(y)), plan.ranges)


def _task(plan: Plan, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: int) -> Callable[[int, int], object]:
    return partial(kernel(plan.kernel, x.dtype), *map(address, (x, weight, bias)), y, *plan.tables)


def _with_border(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray, slide: Slide, groups: int, border: str
) -> None:
    """The same for a border that is not zeros: it is laid out around some planes, or bands of one, at a time."""
    (height, width), (out_height, out_width) = slide.size[1:], slide.output[1:]
    channels, outputs, cells, step = weight.shape[1], len(weight) // groups, slide.kernel[1], slide.stride[1]
    rows, columns = (
        index_of(np.arange((slide.output[axis] - 1) * step + cells) - slide.before[axis], slide.size[axis], border)
        for axis in (1, 2)
    )
    left = min(slide.before[2], len(columns))
    around = width, len(columns), left, min(width, len(columns) - left)
    group = channels * len(rows) * len(columns) * x.itemsize
    samples_at_once = max(_BORDERED // (group * groups), 1)
    groups_at_once = min(max(_BORDERED // group, 1), groups)
    band = min(max(_BORDERED * out_height // group, 8), out_height)
    jobs = list(
        product(range(0, len(y), samples_at_once), range(0, groups, groups_at_once), range(0, out_height, band))
    )
    lay_out, volume = kernel("depthwise.border", x.dtype), height * width * x.itemsize

    def task(lo: int, hi: int) -> None:
        for n, g, i in jobs[lo:hi]:
            samples, some = min(samples_at_once, len(y) - n), min(groups_at_once, groups - g)
            out_rows = min(band, out_height - i)
            these, planes = rows[i * step :][: (out_rows - 1) * step + cells], samples * some * channels
            laid_out = kept("border", planes * len(these) * len(columns), x.dtype)
            source = address(x) + (n * groups + g) * channels * volume
            lay_out(source, height, address(laid_out), address(these), len(these), address(columns), *around, planes)
            part = slide._replace(size=(1, len(these), len(columns)), before=(0, 0, 0), output=(1, out_rows, out_width))
            plan = planned(samples, some, channels, outputs, x.itemsize, part, out_height * out_width)
            w, b = (array[g * outputs : (g + some) * outputs] for array in (weight, bias))
            run = _task(plan, laid_out, w, b, address(y[n, g * outputs]) + i * out_width * x.itemsize)
            run(0, plan.units)

    parallel(task, shares(len(jobs), -(-len(jobs) // _RANGES)))


def tile(itemsize: int) -> tuple[int, int]:
    """Rows and columns of outputs that are summed in registers at a time."""
    vector = host().vector_bytes
    return 1, COLUMNS[vector] * vector // itemsize
