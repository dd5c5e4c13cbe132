"""How much memory a call of correlate takes beside its result, from sizes alone."""

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from sigconv.engines.cpu.linear import correlations, fours, slabs, two_passes
from sigconv.engines.cpu.threads import get_num_threads
from sigconv.sliding import Sliding

if TYPE_CHECKING:
    from sigconv._weighted import Call

# arrays of a part's input and of its output that are there at a time
_ARRAYS = {"direct": (2, 2), "separable": (4, 2), "fft": (7, 3), "omit": (5, 6), "integers": (3, 3)}


def workspace(call: "Call", x: np.ndarray) -> int:
    """Bytes beside the result, at most."""
    sliding, plan = call.sliding, call.plan
    if not prod(sliding.output):
        return 0
    w = np.broadcast_to(plan.dtype.type(0), call.w.shape)
    if call.natural.kind != "c" and call.reads_in_place(x, call.dtype, w, 0.0):
        axes = correlations.told_apart(x, sliding)
        stored = call.dtype in (plan.dtype, x.dtype)
        if axes is not None and stored and (plan.method == "direct" or correlations.meets(x, sliding, axes)):
            more = 0
            if plan.method == "winograd" and axes.rows is not None:
                more = fours.numbers(sliding.span(axes.rows), call.w.size)
            return _kernel(call, sliding, axes) + 4 * more * get_num_threads()
    axis, many = slabs.cut(sliding)
    whole = np.prod([max(sliding.seen(a), n) for a, n in enumerate(sliding.size) if a != axis], dtype=float)
    sliding = sliding.along(axis, size=(many - 1) * sliding.stride[axis] + sliding.span(axis), before=0, output=many)
    for a, step in enumerate(sliding.stride):
        sliding = sliding.along(a, stride=min(step, sliding.span(a)))
    kind = "omit" if call.omits else "integers" if plan.dtype.kind == "i" else plan.method
    cells, outputs = whole * sliding.size[axis], prod(sliding.output)
    of_cells, of_outputs = _ARRAYS[kind]
    found = int(plan.dtype.itemsize * (of_cells * cells + of_outputs * outputs))
    axes = correlations.told_apart(_side_by_side(sliding.size, plan.dtype), sliding)
    if axes is not None and kind not in ("fft", "integers"):
        found += _kernel(call, sliding, axes)
    return found


def _side_by_side(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of that shape, of which there is one number only: its strides are what counts."""
    strides = [prod(shape[axis + 1 :]) * dtype.itemsize for axis in range(len(shape))]
    return np.lib.stride_tricks.as_strided(np.empty(1, dtype), shape, strides, writeable=False)


def _kernel(call: "Call", sliding: Sliding, axes: correlations.Axes) -> int:
    """Scratch of all threads, and what the kernel is told."""
    cells = _side_by_side(sliding.size, call.plan.dtype)
    column, rows = axes.columns[0], axes.rows
    block, span = prod(sliding.output[a] for a in axes.columns), 1 if rows is None else sliding.span(rows)
    step = 1 if rows is None else sliding.stride[rows]
    reach = (sliding.kernel[column] - 1) * sliding.dilation[column] * axes.width
    planes = prod(sliding.kernel[a] for a in axes.planes) if call.plan.method == "direct" else 1
    band = 1 if rows is None else min(max(32, span // step + 1), sliding.output[rows])
    deep = (band - 1) * step + span + 4
    line = (min(block, 8192) + 256) * sliding.stride[column] + reach + 64
    numbers = planes * deep * line + 4096
    if call.plan.method == "separable" and rows is not None and correlations.meets(cells, sliding, axes):
        apart = sliding.dilation[column] * axes.width
        down, across = sliding.kernel[rows], sliding.kernel[column]
        numbers = two_passes.space(down, across, apart, call.plan.dtype).total
    tables = planes * prod(sliding.output[a] for a in axes.planes) * 3 + 4 * sum(
        map(sliding.seen, range(len(sliding.size)))
    )
    return int(numbers * call.plan.dtype.itemsize * get_num_threads() + 8 * tables)
