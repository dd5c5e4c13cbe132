"""Angles as unit vectors and back, each by the C library's own functions so that pieces never matter."""

import math
from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.kernels import compiler

double = types.float64  # float() leaves a float32 what it is


def vectors(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[2 i], y[2 i + 1] = cosine and sine of x[i] turns / period; NaN where it is not finite."""

    def run(x, y, n, turn):
        for i in range(n):
            angle = double(x[i])
            if abs(angle) < inf:
                y[2 * i] = real(math.cos(angle * turn))
                y[2 * i + 1] = real(math.sin(angle * turn))
            else:
                y[2 * i] = real(nan)
                y[2 * i + 1] = real(nan)

    return "xxiD", run


def direction(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[i] = the direction of (x[2 i], x[2 i + 1]) in [0, period)."""

    def run(x, y, n, turn, period):
        for i in range(n):
            east = double(x[2 * i])
            north = double(x[2 * i + 1])
            if east == east and north == north:
                angle = real(math.atan2(north, east) / turn)
                if angle < 0:
                    angle = real(angle + period)
                y[i] = angle if angle < real(period) else real(0)
            else:
                y[i] = real(nan)

    return "xxiDD", run


compile_kernel = compiler({"vectors": vectors, "direction": direction})
