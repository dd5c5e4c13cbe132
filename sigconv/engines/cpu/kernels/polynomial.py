"""Local least squares: a polynomial fitted to the samples in the window, evaluated at its newest end.

The fit uses polynomials orthogonal over the window's own ages (Forsythe 1957), built by their three-term recurrence,
so that no ill-conditioned equations are solved. Each output needs two scratch rows of the window's size for them.
"""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined


@inlined
def fit(u, v, n, degree, deriv, p, before, at):  # type: ignore[no-untyped-def]
    """The deriv-th derivative with respect to u, at u = 0, of the fit to (u[k], v[k]), 0 <= k < n; v becomes the residuals.

    p and before are scratch of n numbers; ``at`` of 2 (deriv + 1): values at 0 of the derivatives of two polynomials.
    """
    for k in range(n):
        p[k] = 1.0
        before[k] = 0.0
    for s in range(deriv + 1):
        at[s] = 0.0
        at[deriv + 1 + s] = 0.0
    at[0] = 1.0
    norm = float(n)
    last_norm = 1.0
    result = 0.0
    for j in range(degree + 1):
        c = 0.0
        for k in range(n):
            c += v[k] * p[k]
        c /= norm
        for k in range(n):
            v[k] -= c * p[k]
        result += c * at[deriv]
        if j == degree:
            break
        a = 0.0
        for k in range(n):
            a += u[k] * p[k] * p[k]
        a /= norm
        b = norm / last_norm if j > 0 else 0.0
        last_norm = norm
        norm = 0.0
        for k in range(n):
            following = (u[k] - a) * p[k] - b * before[k]
            before[k] = p[k]
            p[k] = following
            norm += following * following
        for s in range(deriv, -1, -1):
            following = -a * at[s] - b * at[deriv + 1 + s]
            if s > 0:
                following += s * at[s - 1]
            at[deriv + 1 + s] = at[s]
            at[s] = following
    return result


def smooth(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Outputs [lo, hi) of channel c of x (rows, step); ages count rows, or time where ``timed``.

    Ages are scaled by ``scale`` before the fit and the result by ``unit``. With ``mend`` only outputs that are not
    finite are fitted. ``u``, ``v``, ``p`` and ``before`` are scratch of the largest window's size.
    """

    def run(x, t, y, first, lo, hi, c, step, timed, support, degree, deriv, scale, unit, mend, omit, needed, u, v, p, before, at):  # type: ignore[no-untyped-def]  # noqa: E501
        for i in range(lo, hi):
            if mend and abs(y[i * step + c]) < inf:
                continue
            n = 0
            distinct = 0
            whole = True
            j = i
            while j >= first:
                age = t[i] - t[j] if timed else i - j
                if age >= support:
                    break
                value = float(x[j * step + c])
                if abs(value) < inf:
                    u[n] = age * scale
                    v[n] = value
                    if n == 0 or u[n] != u[n - 1]:
                        distinct += 1
                    n += 1
                else:
                    whole = False
                j -= 1
            reached = min(degree, distinct - 1)
            if n < needed or n == 0 or reached < deriv or not (omit or whole):
                y[i * step + c] = real(nan)
            else:
                result = fit(u, v, n, reached, deriv, p, before, at)
                for _ in range(4):  # the residuals' fit mends the digits that close ages have cost
                    more = fit(u, v, n, reached, deriv, p, before, at)
                    result += more
                    if not abs(more) > 1e-15 * abs(result):
                        break
                y[i * step + c] = real(result * unit)

    return "xlxiiiiiiiiiDDiiiddddd", run


compile_kernel = compiler({"smooth": smooth})
