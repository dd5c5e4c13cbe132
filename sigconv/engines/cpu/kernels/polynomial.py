"""Local least squares: a polynomial fitted to the samples in the window, evaluated at its newest end.

The fit uses polynomials orthogonal over the window's own ages, built by their three-term recurrence (Forsythe 1957),
so that no ill-conditioned equations are solved:

    p[0] = 1,    p[j+1](u) = (u - a[j]) p[j](u) - b[j] p[j-1](u).

Ages are whole nanoseconds or samples, taken from their middle, so that a nanosecond between two readings counts in a
window of hours; the recurrence carries each value as an unevaluated sum of two numbers for the same reason.
"""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.sizes import FIT_ROWS
from sigconv.engines.cpu.tiles import tile as t

# Rows of the scratch space: ages, values, and two consecutive polynomials' values as high and low parts.
U, V, P, P_LOW, BEFORE, BEFORE_LOW = range(FIT_ROWS)
fma = t.scalar_fma


@inlined
def step(u, a, p, p_low, b, before, before_low):
    """(u - a) p - b before on sums of two numbers, as such a sum."""
    d = u - a
    back = d - u
    d_low = (u - (d - back)) - (a + back)
    product = d * p
    product_low = fma(d, p, -product) + (d * p_low + d_low * p)
    other = b * before
    other_low = fma(b, before, -other) + b * before_low
    total = product - other
    back = total - product
    total_low = ((product - (total - back)) - (other + back)) + (product_low - other_low)
    high = total + total_low
    return high, total_low - (high - total)


@inlined
def fit(s, size, n, u0, degree, deriv, at):
    """The deriv-th derivative at u0 of the fit to the n samples in scratch s; the values become the residuals.

    ``at`` is scratch of 4 (deriv + 1): the derivatives at u0 of two polynomials, high and low parts.
    """
    m = deriv + 1
    for k in range(n):
        s[P * size + k] = 1.0
        s[P_LOW * size + k] = 0.0
        s[BEFORE * size + k] = 0.0
        s[BEFORE_LOW * size + k] = 0.0
    for k in range(4 * m):
        at[k] = 0.0
    at[0] = 1.0
    norm = float(n)
    last_norm = 1.0
    result = 0.0
    for j in range(degree + 1):
        c = 0.0
        for k in range(n):
            c += s[V * size + k] * s[P * size + k]
        c /= norm
        for k in range(n):
            s[V * size + k] -= c * s[P * size + k]
        result += c * at[deriv] + c * at[m + deriv]
        if j == degree:
            break
        a = 0.0
        for k in range(n):
            a += s[U * size + k] * s[P * size + k] * s[P * size + k]
        a /= norm
        b = norm / last_norm if j > 0 else 0.0
        last_norm = norm
        norm = 0.0
        for k in range(n):
            p = s[P * size + k]
            p_low = s[P_LOW * size + k]
            high, low = step(s[U * size + k], a, p, p_low, b, s[BEFORE * size + k], s[BEFORE_LOW * size + k])
            s[BEFORE * size + k] = p
            s[BEFORE_LOW * size + k] = p_low
            s[P * size + k] = high
            s[P_LOW * size + k] = low
            norm += high * high
        for order in range(deriv, -1, -1):
            p = at[order]
            p_low = at[m + order]
            high, low = step(u0, a, p, p_low, b, at[2 * m + order], at[3 * m + order])
            if order > 0:  # the product rule: the factor (u - a) has derivative 1
                high += order * at[order - 1]
                low += order * at[m + order - 1]
            at[2 * m + order] = p
            at[3 * m + order] = p_low
            at[order] = high
            at[m + order] = low
        if not norm > 0:
            break
    return result


def smooth(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Outputs [lo, hi) of channel c of x (rows, step); ages count rows, or time where ``timed``.

    Ages are scaled by ``scale``, a power of two, before the fit and the result by ``unit``. With ``mend`` only outputs
    that are not finite are fitted. ``s`` is scratch of FIT_ROWS rows of ``size``, the largest window's.
    """

    def run(
        x, t, y, first, lo, hi, c, step, timed, support, degree, deriv, scale, unit, mend, omit, needed, s, size, at
    ):
        for i in range(lo, hi):
            if mend and abs(y[i * step + c]) < inf:
                continue
            n = 0
            distinct = 0
            whole = True
            last = -1
            total = 0.0
            j = i
            while j >= first:
                age = t[i] - t[j] if timed else i - j
                if age >= support:
                    break
                value = float(x[j * step + c])
                if abs(value) < inf:
                    s[U * size + n] = age  # exact up to 2**53, beyond a hundred days in nanoseconds
                    s[V * size + n] = value
                    total += age
                    distinct += 1 if age != last else 0
                    last = age
                    n += 1
                else:
                    whole = False
                j -= 1
            reached = min(degree, distinct - 1)
            if n < needed or n == 0 or reached < deriv or not (omit or whole):
                y[i * step + c] = real(nan)
                continue
            middle = float(int(total / n))
            for k in range(n):
                s[U * size + k] = (s[U * size + k] - middle) * scale
            result = 0.0
            for _ in range(3):  # fitting the residuals mends what rounding has cost
                more = fit(s, size, n, -middle * scale, reached, deriv, at)
                result += more
                if not abs(more) > 1e-15 * abs(result):
                    break
            y[i * step + c] = real(result * unit)

    return "xlxiiiiiiiiiDDiiidid", run


compile_kernel = compiler({"smooth": smooth})
