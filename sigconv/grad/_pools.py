"""What gradients of pools share. Sums run over each cell's windows in a fixed order, whatever the number of threads."""

from collections.abc import Sequence
from math import isinf
from typing import Any, NamedTuple

import numpy as np

from sigconv._layer_arguments import layer_numbers
from sigconv._pools import (
    Images,
    divisors,
    images_of,
    no_place_outside,
    places_of,
    pool_powers,
    stacked,
)
from sigconv.checks import whole_number
from sigconv.engines.cpu.pools import pools
from sigconv.engines.cpu.pools.means import log_mean_exp_back, mapped
from sigconv.engines.cpu.pools.windows import Windows, adaptive_back, adaptive_windows, windows_back, windows_of
from sigconv.engines.cpu.results import apart_from
from sigconv.geometry import Slide


class Pass(NamedTuple):
    """The windows of a pool there and back."""

    there: Windows
    back: Windows


def slide_pass(slide: Slide) -> Pass:
    """Those of a pool that slides."""
    return Pass(windows_of(slide), windows_back(slide))


def adaptive_pass(size: tuple[int, ...], output: tuple[int, ...]) -> Pass:
    """Those of a pool whose output size is given."""
    return Pass(adaptive_windows(size, output), adaptive_back(size, output))


def gradient_of(axes: int, grad_out: Any) -> Images:
    """``grad_out`` as images; float16 and integers as in the pools themselves."""
    values, dtype = layer_numbers("grad_out", grad_out)
    if values.ndim not in (axes + 1, axes + 2):
        raise ValueError(f"grad_out must have {axes + 1} or {axes + 2} axes, got the shape {values.shape}")
    return Images(stacked(values, axes), values.shape[-axes:], values.shape[:-axes], dtype)


def input_size(axes: int, input_shape: Any, lead: tuple[int, ...]) -> tuple[int, ...]:
    """The spatial sizes of a pool's input whose leading axes are those of grad_out."""
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else (input_shape,)
    numbers = tuple(whole_number("input_shape", n, 0) for n in shape)
    if numbers[:-axes] != lead or 0 in numbers[-axes:] or len(numbers) != len(lead) + axes:
        expected = ", ".join([*map(str, lead), *("n" for _ in range(axes))])
        raise ValueError(f"input_shape must be ({expected}) with every n at least 1, got {input_shape!r:.80}")
    return numbers[-axes:]


def matching(given: Images, lead: tuple[int, ...], output: tuple[int, ...]) -> None:
    """An error unless grad_out has the shape of the pool's result."""
    if (given.lead, given.size) != (lead, output):
        raise ValueError(f"grad_out must have the result's shape {lead + output}, got {given.lead + given.size}")


def max_back(axes: int, grad_out: Any, indices: Any, input_shape: Any) -> np.ndarray:
    """Every gradient added to the cell it came from."""
    given = gradient_of(axes, grad_out)
    size = input_size(axes, input_shape, given.lead)
    where = places_of("indices", indices, given.lead + given.size)
    out = apart_from(given.cells, (len(given.cells), *(1,) * (3 - axes), *size))
    outside = pools.put(given.cells, stacked(where, axes), out, adding=True)
    no_place_outside("indices", outside, size)
    return given.answer(out, size)


def unpool_back(axes: int, grad_out: Any, indices: Any) -> np.ndarray:
    """What stands at the indices."""
    given = gradient_of(axes, grad_out)
    where = places_of("indices", indices, given.lead + np.shape(indices)[-axes:])
    out = apart_from(given.cells, (len(given.cells), *(1,) * (3 - axes), *where.shape[-axes:]))
    outside = pools.take(given.cells, stacked(where, axes), out)
    no_place_outside("indices", outside, given.size)
    return given.answer(out, where.shape[-axes:])


def mean_back(given: Images, ways: Pass, counts: pools.Counts, size: tuple[int, ...]) -> np.ndarray:
    """The sum of grad / count over each cell's windows."""
    rows, columns = counts
    cells, over = given.cells, 1.0
    if (rows == rows[:1]).all() and (columns == columns[:1]).all():
        over = float((rows[:1] * columns[:1]).sum()) or 1.0
    else:
        each = rows.reshape(*ways.there.output[:2], 1) * columns
        cells = np.divide(cells, each, dtype=cells.dtype, casting="same_kind")
    sums = pools.sent_back(cells, ways.there, ways.back, over)
    return given.answer(sums, size)


def powers_back(axes: int, x: Any, grad_out: Any, p: float, passed: Any) -> np.ndarray:
    """sign(x) |x|^(p-1) times the sum of grad * y^(1-p) over each cell's windows, 0 where y is 0.

    It is computed in float64, unless factors of p = 1 and 2 keep within the range of less.
    """
    images, given = images_of(axes, x), gradient_of(axes, grad_out)
    ways: Pass = passed(images.size)
    matching(given, images.lead, ways.there.output[3 - axes :])
    cells, grads = images.cells, given.cells.astype(images.cells.dtype)
    y = pool_powers(cells, ways.there, p)
    if p not in (1, 2) or (p == 2 and ((y < 1e-12) & (y != 0)).any()):
        cells, grads = cells.astype(np.float64), grads.astype(np.float64)
        y = pool_powers(cells, ways.there, p)
    if isinf(p):
        _, where = pools.greatest_places(np.abs(cells), ways.there)
        sums = np.empty_like(cells)
        pools.put(grads, where, sums, adding=True)
        return images.answer(sums * np.sign(cells), images.size)
    if p != 1:
        with np.errstate(all="ignore"):
            factor = 1 / y if p == 2 else mapped(lambda v: v ** (1 - p), y)
            grads = np.where(y == 0, grads.dtype.type(0), grads * factor)
    sums = pools.sent_back(grads, ways.there, ways.back)

    def slope(v: np.ndarray) -> np.ndarray:
        return np.sign(v) if p == 1 else np.copysign(np.abs(v) ** (p - 1), v)

    with np.errstate(all="ignore"):
        sums *= cells if p == 2 else mapped(slope, cells)
    return images.answer(sums, images.size)


def log_mean_back(axes: int, x: Any, grad_out: Any, beta: float, sliding: Any) -> np.ndarray:
    """The gradient of log-mean-exp pools; ``sliding`` is told the spatial sizes."""
    images, given = images_of(axes, x), gradient_of(axes, grad_out)
    slide: Slide = sliding(images.size)
    matching(given, images.lead, slide.output)
    sums = log_mean_exp_back(images.cells, given.cells, slide_pass(slide), beta, divisors(slide))
    return images.answer(sums, images.size)
