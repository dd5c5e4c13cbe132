"""What pools do with their cells: how they are prepared, joined to those before, and what changes nothing."""

from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple

from numba import types

from sigconv.engines.cpu.kernels import inlined
from sigconv.engines.cpu.tiles import pools as p
from sigconv.engines.cpu.tiles import tile as t


class Kind(NamedTuple):
    """What a pool does with its cells: tiles and numbers are prepared, and joined to those before."""

    nothing: float  # joined to anything it changes nothing
    prepare: Callable[..., Any]
    join: Callable[..., Any]
    join_one: Callable[..., Any]
    fold: Callable[..., Any]  # joins the numbers of a vector
    counted: bool = False  # the result is divided by how many cells there were
    rooted: bool = False  # of sums of squares the root is taken
    again: bool = False  # a cell may be joined twice


def cells_by(number: Any, lanes: int) -> Callable[..., Any]:
    """A function that loads a vector of every ``stride``-th number of a line."""
    load, load_pair = (t.shape(number, vectors, lanes).load for vectors in (1, 2))
    evens, load_every = p.every_other(0), p.load_every(number, lanes)

    @inlined
    def cells_of(line, at, stride):
        if stride == 1:
            return load(line, at)
        if stride == 2:
            return evens(load_pair(line, at))
        return load_every(line, at, stride)

    return cells_of


def _as_it_is() -> Callable[..., Any]:
    @inlined
    def same(x, power):
        return x

    return same


def greatest(real: types.Float) -> Kind:
    @inlined
    def greater(a, b):
        return b if b > a or b != b else a

    return Kind(-inf, _as_it_is(), p.greater, greater, p.fold_greater, again=True)


def summed(real: types.Float) -> Kind:
    @inlined
    def plus(a, b):
        return a + b

    return Kind(0.0, _as_it_is(), t.add, plus, p.fold_sum, counted=True)


def powers(real: types.Float) -> Kind:
    mul, absolute = t.mul, t.absolute

    @inlined
    def power_of(x, power):
        base = absolute(x)
        result = base
        for _ in range(1, power):
            result = mul(result, base)
        return result

    return summed(real)._replace(prepare=power_of, counted=False, rooted=True)
