"""Windows over uneven stamps: every pair of an output and a sample in its window is weighed by its age.

Outputs lie side by side in vector lanes. Values, weights and sums are float64, stamps int64.
"""

from collections.abc import Callable
from math import inf, nan
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.decay import tile_functions
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t


def _pairs(weigh: Callable[..., Any], count: int, lanes: int) -> Callable[..., Any]:
    """A tile of outputs at ``at``, each over up to ``reach`` samples back.

    ``weigh`` maps ages and what is left of the support, both over the scale, to weights.
    """
    _, zeros, load, spread, _ = t.shape(types.float64, count, lanes)
    _, _, load_stamp, spread_stamp, _ = t.shape(types.int64, count, lanes)
    fma, add, sub, mul, div, store = t.fma, t.add, t.sub, t.mul, t.div, t.store
    to_float, where_younger, where_finite, all_finite = t.to_float, t.where_younger, t.where_finite, t.all_finite

    @inlined
    def tile(x, t, y, at, reach, support, scale, omit):
        now = load_stamp(t, at)
        limit = spread_stamp(support)
        rate = spread(scale)
        nothing = zeros()
        num = zeros()
        den = zeros()
        for back in range(reach):
            age = sub(now, load_stamp(t, at - back))
            value = load(x, at - back)
            left = sub(limit, age)
            weight = weigh(mul(to_float(age), rate), mul(to_float(left), rate))
            weight = where_younger(age, limit, weight, nothing)
            if omit:
                weight = where_finite(value, weight, nothing)
                value = where_finite(value, value, nothing)
            else:
                value = where_younger(age, limit, value, nothing)
            num = fma(weight, value, num)
            den = add(den, weight)
        mean = div(num, den)
        store(mean, y, at)
        return all_finite(mean)

    return tile


def pairs(shape: str) -> Callable[[types.Float], tuple[str, Callable[..., None]]]:
    """The kernel of one shape: y[i] over the samples younger than ``support``, for outputs [lo, hi)."""

    def weigher(count: int, lanes: int) -> Callable[..., Any]:
        spread = t.shape(types.float64, count, lanes).spread
        mul, where_less = t.mul, t.where_less
        exp, _ = tile_functions(count, lanes)

        @inlined
        def gaussian(u, left):
            return exp(mul(mul(u, u), spread(-0.5)))

        @inlined
        def linear(u, left):
            return left

        @inlined
        def triangular(u, left):
            return mul(where_less(u, left, u, left), spread(2.0))

        return {"gaussian": gaussian, "linear": linear, "triangular": triangular}[shape]

    def build(real: types.Float) -> tuple[str, Callable[..., None]]:
        lanes = host().vector_bytes // 8
        wide = 4 * lanes
        wide_tile = _pairs(weigher(4, lanes), 4, lanes)
        scalar = _pairs(weigher(1, 1), 1, 1)

        def run(x, t, y, first, lo, hi, support, scale, omit, needed):
            left = first
            i = lo
            while i < hi:
                begin = t[i] - support
                while t[left] <= begin:
                    left += 1
                outputs = 1
                whole = False
                if i + wide <= hi:
                    far = left  # the lanes' own windows start at `far`, which moves on; the widest decides the reach
                    reach = 0
                    for lane in range(wide):
                        begin = t[i + lane] - support
                        while t[far] <= begin:
                            far += 1
                        reach = max(reach, i + lane - far + 1)
                    if i - (reach - 1) >= first:
                        whole = wide_tile(x, t, y, i, reach, support, scale, omit)
                        outputs = wide
                if outputs == 1:
                    whole = scalar(x, t, y, i, i - left + 1, support, scale, omit)
                if needed > 1 or not whole:
                    far = left
                    for k in range(i, i + outputs):
                        begin = t[k] - support
                        while t[far] <= begin:
                            far += 1
                        present = 0
                        newest = nan
                        poisoned = False
                        endless = False
                        for j in range(k, far - 1, -1):
                            poisoned = poisoned or (omit == 0 and x[j] != x[j])
                            endless = endless or (omit == 0 and abs(x[j]) == inf)
                            if abs(x[j]) < inf or omit == 0:
                                if present == 0:
                                    newest = x[j]
                                present += 1
                                if present >= needed and y[k] == y[k]:
                                    break
                        if present < needed or poisoned:
                            y[k] = nan
                        elif y[k] != y[k] and not endless:  # no weight at all
                            y[k] = newest
                i += outputs

        return "dldiiiiDii", run

    return build


def given(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Weights computed elsewhere: ``w`` holds those of each output's window, newest first, one window after another."""

    def run(x, w, y, left, lo, hi, omit, needed):
        at = 0
        for i in range(lo, hi):
            num = 0.0
            den = 0.0
            present = 0
            newest = nan
            for j in range(i, left[i - lo] - 1, -1):
                value = x[j]
                if omit == 0 or abs(value) < inf:
                    if present == 0:
                        newest = value
                    present += 1
                    num += w[at] * value
                    den += w[at]
                at += 1
            if present < needed or present == 0:
                y[i] = nan
            else:
                y[i] = num / den if den != 0 else newest

    return "dddliiii", run


compile_kernel = compiler(
    {"gaussian": pairs("gaussian"), "linear": pairs("linear"), "triangular": pairs("triangular"), "given": given}
)
