"""Pools of images (n, d, h, w): kernels over rows of outputs, which threads share."""

from math import prod

import numpy as np

from sigconv.engines.cpu.compile import address, kernel
from sigconv.engines.cpu.pools.windows import Axis, Row, Windows
from sigconv.engines.cpu.results import apart_from
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sizes.pools import BLOCK, INDICES, NOWHERE, PART
from sigconv.engines.cpu.threads import parallel, shares, split

_STRIP = 2**17  # cells of a block of rows that are joined while they are in cache
_GRAIN = 2**19  # cells a thread reads at a time
_WHOLE = 2**21  # and where reading them is all there is to do
_LANES = 16  # numbers in the widest vector
_VISITS = 4  # parts of an image that a block of places may be for, on average, before parts are not worth it

Counts = tuple[np.ndarray, np.ndarray]  # of rows (d, h) and of columns: their products are what sums are divided by


def _ranges(images: int, windows: Windows) -> list[tuple[int, int]]:
    """Rows of outputs, cut into blocks, in ranges that cost about the same."""
    deep, high, wide = windows.output
    blocks = -(-wide // windows.block)
    return shares(images * deep * high * blocks, max(_GRAIN * blocks // max(windows.cells, 1), 1))


def _whole(name: str, x: np.ndarray, over: float, power: int) -> np.ndarray:
    """Every image joined to one number: its blocks by the kernel, and these in their order."""
    run = kernel(f"pool_whole.{name}", x.dtype)
    size = _cells(x)
    parts = np.empty((len(x), -(-size // BLOCK)))
    source, target = address(x), address(parts)

    def task(lo: int, hi: int) -> None:
        run(source, target, size, power, lo, hi)

    parallel(task, shares(parts.size, max((_GRAIN if name == "powers" else _WHOLE) // min(size, BLOCK), 1)))
    with np.errstate(all="ignore"):
        if name == "greatest":
            whole = parts.max(1)
        else:
            whole = parts.sum(1) / over
        if name == "powers" and power == 2:
            whole = np.sqrt(whole)
        return whole.astype(x.dtype).reshape(-1, 1, 1, 1)


def _tall(name: str, x: np.ndarray, place: int, axis: Axis, power: int) -> np.ndarray:
    """The windows of one axis, depth or height, joined."""
    run = kernel(f"pool_tall.{name}", x.dtype)
    output = (*x.shape[: place + 1], len(axis.first), *x.shape[place + 2 :])
    out = np.empty(output, x.dtype)
    window = axis.row or Row(1, 1, 1, 0)
    arrays, rows, columns = prod(x.shape[: place + 1]), axis.size, prod(x.shape[place + 2 :])
    strip = min(max(_STRIP // window.kernel // 64, 1) * 64, columns)
    pitch = -(-strip // _LANES) * _LANES + 4 * _LANES
    blocks = ((output[place + 1] - 1) * window.stride + window.kernel) // window.kernel
    whole = (rows, columns, output[place + 1], window.kernel, window.stride, window.before, strip)
    source, target = address(x), address(out)

    def task(lo: int, hi: int) -> None:
        (ends,) = scratch(1, (window.kernel + 1) * pitch, x.dtype)
        run(source, target, *whole, pitch, power, address(ends), lo, hi)

    parallel(task, shares(arrays * -(-columns // strip) * blocks, max(_GRAIN // (2 * window.kernel * strip), 1)))
    return out


def _run(name: str, x: np.ndarray, windows: Windows, rows: np.ndarray, columns: np.ndarray, power: int) -> np.ndarray:
    if windows.everything:
        return _whole(name, x, float(rows[0] * columns[0]), power)
    for place in (0, 1):
        if windows.axes[place].tall and x.size and windows.output[place]:
            joined = _tall(name, x, place, windows.axes[place], power)
            found = _run(name, joined, windows.after(place), rows, columns, 1)
            return np.sqrt(found, out=found) if name == "powers" and power == 2 else found
    run = kernel(f"pool.{name}", x.dtype)
    out = apart_from(x, (len(x), *windows.output))
    if out.size == 0:
        return out
    fixed = [address(x), address(out), *windows.pointers(power), address(rows), address(columns)]
    room = windows.room

    def task(lo: int, hi: int) -> None:
        line, spare = scratch(2, room, x.dtype)
        run(*fixed, address(line), address(spare), lo, hi)

    parallel(task, _ranges(len(x), windows))
    return out


_NO_COUNTS = np.ones(1), np.ones(1)


def greatest(x: np.ndarray, windows: Windows) -> np.ndarray:
    """The greatest number of each window; NaN where there is one, -inf where the window is empty."""
    return _run("greatest", x, windows, *_NO_COUNTS, power=1)


def total(x: np.ndarray, windows: Windows, counts: Counts | None = None) -> np.ndarray:
    """The sum of each window, divided by its count."""
    deep, high, wide = windows.output
    rows, columns = counts or (np.ones(deep * high), np.ones(wide))
    wider = np.ones(-(-wide // _LANES) * _LANES, x.dtype)
    wider[:wide] = columns
    return _run("total", x, windows, rows.astype(x.dtype), wider, power=1)


def sent_back(x: np.ndarray, windows: Windows, back: Windows, over: float = 1.0) -> np.ndarray:
    """The sum of x / over over the windows that a cell is in; ``back`` tells for each cell which these are."""
    if windows.side_by_side:
        return _spread(x, windows, over)
    deep, high, wide = back.output
    return total(x, back, (np.full(deep * high, over), np.ones(wide)))


def _spread(x: np.ndarray, windows: Windows, over: float) -> np.ndarray:
    """The same for windows that lie side by side: x / over in each cell of one, zero beyond the last."""
    run = kernel("pool_spread.means", x.dtype)
    out = apart_from(x, (len(x), *windows.input))
    rows = [axis.row or Row(1, 1, 1, 0) for axis in windows.axes]
    axes = zip(windows.output, windows.input, (row.stride for row in rows), (row.before for row in rows), strict=True)
    plan = np.array(list(axes), np.int64)
    _, sizes, steps, before = plan.T
    groups = -(-(sizes + before) // steps)
    fixed = [address(array) for array in (x, out, plan)]
    width = int(max(plan[2, 0] * steps[2], sizes[2] + before[2])) + 4 * _LANES

    def task(lo: int, hi: int) -> None:
        (line,) = scratch(1, width, x.dtype)
        run(*fixed, over, address(line), lo, hi)

    cells = int(steps[0] * steps[1] * sizes[2])
    parallel(task, shares(len(x) * int(groups[0] * groups[1]), max(_GRAIN // max(cells, 1), 1)))
    return out


def powers(x: np.ndarray, windows: Windows, power: int) -> np.ndarray:
    """The sum of |x|**power over each window, of which the root is taken for a power of 2."""
    return _run("powers", x, windows, *_NO_COUNTS, power=power)


def greatest_places(x: np.ndarray, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """The greatest numbers and their places in their images, -1 for an empty window."""
    run = kernel("pool_places.greatest", x.dtype)
    out = apart_from(x, (len(x), *windows.output))
    places = np.empty(out.shape, np.int64)
    if out.size == 0:
        return out, places
    fixed = [address(x), address(out), address(places), *windows.pointers(1)]

    def task(lo: int, hi: int) -> None:
        line, places = scratch(2, windows.room, np.dtype(np.int64))  # of which numbers may need half
        run(*fixed, address(line), address(places), lo, hi)

    parallel(task, _ranges(len(x), windows))
    if not windows.whole:
        places[places == NOWHERE] = -1
    return out, places


def put(x: np.ndarray, places: np.ndarray, out: np.ndarray, adding: bool = False) -> int:
    """Images ``out`` of x at its places, zero elsewhere; how many places were outside their image.

    Of several for a place the last one stays, or else all of them are added in their order.
    """
    run = kernel("pool_places.add" if adding else "pool_places.put", x.dtype)
    n, size = _cells(places), _cells(out)
    lowest, highest, part = np.zeros(1, np.int64), np.zeros(1, np.int64), size
    if size > PART:
        lowest, highest, outside = _bounds(places, size)
        if outside.any():
            return int(outside.sum())
        visits = int(np.maximum(highest // PART - lowest // PART + 1, 0).sum())
        part = PART if visits <= _VISITS * len(lowest) else size
    parts = -(-size // max(part, 1))
    ranges = shares(len(out) * parts, max(_GRAIN // max((n + size) // max(parts, 1), 1), 1))
    first = [address(x), address(places), n, address(out), size, part, -1, address(lowest), address(highest)]
    wrong = np.zeros(len(ranges), np.int64)
    numbers = {lo: address(wrong) + 8 * k for k, (lo, _) in enumerate(ranges)}

    def task(lo: int, hi: int) -> None:
        run(*first, numbers[lo], lo, hi)

    parallel(task, ranges)
    return int(wrong.sum())


def _bounds(places: np.ndarray, size: int) -> np.ndarray:
    """The lowest and the highest place in each block of each image's places, and how many are outside."""
    run = kernel("pool_places.bounds")
    found = np.empty((3, len(places) * -(-_cells(places) // INDICES)), np.int64)

    def task(lo: int, hi: int) -> None:
        run(address(places), _cells(places), size, -1, *(address(row) for row in found), lo, hi)

    parallel(task, split(found.shape[1], _GRAIN // INDICES))
    return found


def take(x: np.ndarray, places: np.ndarray, out: np.ndarray) -> int:
    """What stands at their places in the images x; how many places were outside their image."""
    run = kernel("pool_places.take", x.dtype)
    ranges = split(places.size, _GRAIN)
    outside = np.zeros(len(ranges), np.int64)

    def task(lo: int, hi: int) -> None:
        counted = address(outside) + 8 * (lo // _GRAIN)
        run(address(x), address(places), _cells(places), address(out), _cells(x), -1, counted, lo, hi)

    parallel(task, ranges)
    return int(outside.sum())


def _cells(images: np.ndarray) -> int:
    return prod(images.shape[1:])
