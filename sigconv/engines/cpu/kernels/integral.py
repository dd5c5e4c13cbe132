"""Readings over uneven stamps, weighed by how long they were current, or straight lines between them."""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.decay import tile_functions
from sigconv.engines.cpu.tiles import tile as t

UNIFORM, LINEAR_SHAPE, TRIANGULAR, GAUSSIAN = range(4)


def integral(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Each reading weighed by the integral of w over the time it was current, or lines between readings (``lines``).

    Ages are in units of ``scale`` (1 = the support, or sigma); readings younger than ``edge`` count as samples in the
    window. Integrals use Gauss-Legendre quadrature of five nodes on pieces short
    enough to be exact to rounding.
    """
    exp_tile, _ = tile_functions(1, 1)
    single = t.shape(types.float64, 1, 1).spread
    store = t.store
    n1, n2 = 0.5384693101056831, 0.9061798459386640
    g0, g1, g2 = 128 / 225, 0.4786286704993665, 0.2369268850561891

    @inlined
    def weight(shape, u, scratch):
        if shape == UNIFORM:
            return 1.0
        if shape == LINEAR_SHAPE:
            return 1.0 - u
        if shape == TRIANGULAR:
            return 2.0 * min(u, 1.0 - u)
        store(exp_tile(single(-0.5 * u * u)), scratch, 0)
        return scratch[0]

    @inlined
    def pieces(shape, p, length, scratch, out):
        """out[0] = integral of w over [p, p + length], out[1] = integral of w(p + s) s."""
        plain = 0.0
        slanted = 0.0
        a = 0.0
        while a < length:
            b = length
            if shape == TRIANGULAR and p + a < 0.5 < p + b:
                b = 0.5 - p
            if shape == GAUSSIAN:
                b = min(b, a + 0.25)
            if not b > a:
                break
            half = 0.5 * (b - a)
            middle = 0.5 * (a + b)
            for k in range(5):
                if k == 0:
                    node, share = 0.0, g0
                elif k == 1:
                    node, share = n1, g1
                elif k == 2:
                    node, share = -n1, g1
                elif k == 3:
                    node, share = n2, g2
                else:
                    node, share = -n2, g2
                s = middle + half * node
                w = weight(shape, p + s, scratch) * share * half
                plain += w
                slanted += w * s
            a = b
        out[0] = plain
        out[1] = slanted

    def run(x, t, y, first, lo, hi, support, edge, scale, shape, lines, omit, needed, scratch, out):
        for i in range(lo, hi):
            num = 0.0
            den = 0.0
            inside = 0
            reached = False  # a present reading has been met
            poisoned = False
            newest = nan
            newer = nan
            newer_age = 0
            j = i
            while j >= first:
                value = x[j]
                age = t[i] - t[j]
                if omit == 0 and value != value:
                    poisoned = poisoned or age < edge
                elif omit == 0 or abs(value) < inf:
                    if not reached:
                        newest = value
                    elif newer_age >= edge:
                        break
                    inside += 1 if age < edge else 0
                    length = min(age, support) - newer_age  # before it is scaled: a short one counts exactly
                    if length > 0 and (reached or lines == 0):
                        pieces(shape, newer_age * scale, length * scale, scratch, out)
                        if lines == 0:
                            num += out[0] * value
                        else:
                            older = out[1] / ((age - newer_age) * scale)
                            num += older * value + (out[0] - older) * newer
                        den += out[0]
                    reached = True
                    newer = value
                    newer_age = age
                    if age >= edge:
                        break
                j -= 1
            if inside < needed or inside == 0 or poisoned:
                y[i] = nan
            elif den > 0:
                y[i] = num / den
            else:
                y[i] = newest

    return "dldiiiiiDiiiidd", run


compile_kernel = compiler({"smooth": integral})
