"""exp and decays on tiles of float64, within about one unit in the last place.

A decay is what a step takes from the weight of the past, w = 1 - exp(-z), and what it leaves, exp(-z). One number
tells both without loss: w itself where it is at most a half, else -exp(-z). `shrink` and `taken` read it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.polynomial import chebyshev

from sigconv.engines.cpu.kernels import inlined
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t

_LOG2E = 1.44269504088896338700
_LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts: n times the first is exact for |n| < 2**20
_LN2_LOW = 1.90821492927058770002e-10
_ROUNDER = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, kept in the low bits
BRIEF = 0.69  # so many time constants the quick functions reach; the past then keeps half its weight
_HALF_LN2 = 0.5 * np.log(2.0)


def _polynomial(degree: int) -> list[float]:
    """Coefficients of (expm1(r) - r)/r**2 on |r| <= ln(2)/2, interpolated at Chebyshev nodes."""
    reach = _HALF_LN2 * 1.0001
    nodes = np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    r = (nodes * reach).astype(np.longdouble)
    total, term = np.zeros_like(r), np.ones_like(r) / 2
    for i in range(3, 30):
        total, term = total + term, term * r / i
    fit = chebyshev.cheb2poly(chebyshev.chebfit(nodes, total.astype(np.float64), degree))
    return [float(c / reach**i) for i, c in enumerate(fit)]


def _horner(coefficients: list[float], spread: Callable[..., Any]) -> Callable[..., Any]:
    """A polynomial of degree ten on tiles of the shape that ``spread`` makes."""
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10 = coefficients
    fma = t.fma

    @inlined
    def polynomial(r):
        p = fma(spread(c10), r, spread(c9))
        p = fma(p, r, spread(c8))
        p = fma(p, r, spread(c7))
        p = fma(p, r, spread(c6))
        p = fma(p, r, spread(c5))
        p = fma(p, r, spread(c4))
        p = fma(p, r, spread(c3))
        p = fma(p, r, spread(c2))
        p = fma(p, r, spread(c1))
        return fma(p, r, spread(c0))

    return polynomial


@cache
def tile_functions(count: int, lanes: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``(exp, decay)`` for float64 tiles: exp(v) for v <= 0, and the decay of z >= 0."""
    _, _, _, spread, _ = t.shape(types.float64, count, lanes)
    fma, sub, mul, negative = t.fma, t.sub, t.mul, t.negative
    where_less, power_of_two = t.where_less, t.power_of_two
    polynomial = _horner(_polynomial(10), spread)

    @inlined
    def reduced(v):
        """v = n ln 2 + r: (2**n, expm1(r)), each step on all vectors so that they overlap."""
        v = where_less(spread(-700.0), v, v, spread(-700.0))
        shifted = fma(v, spread(_LOG2E), spread(_ROUNDER))
        n = sub(shifted, spread(_ROUNDER))
        r = fma(n, spread(-_LN2_HIGH), v)
        r = fma(n, spread(-_LN2_LOW), r)
        p = polynomial(r)
        return power_of_two(shifted), fma(mul(p, r), r, r)

    @inlined
    def exp(v):
        scale, fraction = reduced(v)
        return fma(scale, fraction, scale)

    @inlined
    def decay(z):
        scale, fraction = reduced(negative(z))
        taken = fma(negative(scale), fraction, sub(spread(1.0), scale))
        return where_less(spread(0.5), taken, negative(fma(scale, fraction, scale)), taken)

    return exp, decay


def _over_brief(function: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """Coefficients of function(z)/z on 0 < z <= BRIEF, in z - BRIEF/2, interpolated at Chebyshev nodes."""
    half = BRIEF / 2
    nodes = np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    z = (half + nodes * half).astype(np.longdouble)
    fit = chebyshev.cheb2poly(chebyshev.chebfit(nodes, (function(z) / z).astype(np.float64), 10))
    return [float(c / half**i) for i, c in enumerate(fit)]


@cache
def brief_functions(count: int, lanes: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``(growth, loss)`` for float64 tiles: exp(z) and 1 - exp(-z) where 0 <= z <= BRIEF, in half the operations."""
    _, _, _, spread, _ = t.shape(types.float64, count, lanes)
    fma, sub, mul = t.fma, t.sub, t.mul

    growing = _horner(_over_brief(np.expm1), spread)
    losing = _horner(_over_brief(lambda z: -np.expm1(-z)), spread)

    @inlined
    def growth(z):
        return fma(growing(sub(z, spread(BRIEF / 2))), z, spread(1.0))

    @inlined
    def loss(z):
        return mul(losing(sub(z, spread(BRIEF / 2))), z)

    return growth, loss


@inlined
def shrink(mass: float, decay: float) -> float:
    """The mass that a decay leaves."""
    if decay < 0:
        return -decay * mass
    return t.scalar_fma(-decay, mass, mass)


@inlined
def taken(decay: float) -> float:
    """The weight that a decay takes from a mass of one."""
    return 1.0 + decay if decay < 0 else decay


@cache
def decay_functions(vectors: int) -> Callable[..., Any]:
    """``decays`` of consecutive steps: of any number, and quickly of so many vectors."""
    lanes = host().vector_bytes // 8
    block, _, _, spread, _ = t.shape(types.float64, vectors, lanes)
    _, _, load, _, _ = t.shape(types.int64, vectors, lanes)
    _, _, _, single, _ = t.shape(types.float64, 1, 1)
    _, wide = tile_functions(vectors, lanes)
    _, one = tile_functions(1, 1)
    sub, mul, to_float, store = t.sub, t.mul, t.to_float, t.store

    @inlined
    def decays(times, first, n, before, rate, out):
        """out[k] = the decay from stamp first + k - 1 to stamp first + k; ``before`` is the stamp ahead of row 0."""
        if n == block and first > 0:
            ages = to_float(sub(load(times, first), load(times, first - 1)))
            store(wide(mul(ages, spread(rate))), out, 0)
            return
        previous = before
        for k in range(n):
            stamp = times[first + k]
            store(one(single(float(stamp - previous) * rate)), out, k)
            previous = stamp

    return decays


__all__ = ["BRIEF", "brief_functions", "decay_functions", "shrink", "taken", "tile_functions"]
