"""Four output rows together from nine filters of a quarter of the window's rows, for 9/16 of the multiplications.

Winograd's F(2, 2) along the rows, twice. For a window of an even number of rows, with its even rows H0 and its odd rows
H1, and with the input's even rows X0, its odd rows X1 and the rows X2 that follow these,

    y0 = H0 X0 + H1 X1 = H0 (X0 - X1) + (H0 + H1) X1
    y1 = H0 X1 + H1 X2 = (H0 + H1) X1 - H1 (X1 - X2)

are three filters of half the rows instead of four, and each of the three is done so once more. Every output is made of
its own window's cells alone. What is lost is that a large cell's rounding error is weighed by its neighbours' weights.
"""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.correlate import fetching
from sigconv.engines.cpu.sizes import (
    BAND,
    BLOCK_COLUMNS,
    KERNEL_ROWS,
    OF_OUT_PLANES,
    OF_OUT_ROWS,
    OF_PLANES,
    OUT_COLUMNS,
    OUT_ROWS,
    PITCH,
    REACH,
)
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t


def mix(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The nine inputs of one unit of the output, ``quarter`` rows each, one after the other from m on.

    ``s`` is scratch for the rows that the unit's windows see, as the border continues them, and some beyond.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    fetch = fetching(real, "real")
    load = t.shape(real, 1, lanes).load
    store, sub = t.store, t.sub

    def run(x, fill, g, unit, quarter, m, s):
        pitch = g[PITCH]
        blocks = (g[OUT_COLUMNS] + g[BLOCK_COLUMNS] - 1) // g[BLOCK_COLUMNS]
        bands = (g[OUT_ROWS] + g[BAND] - 1) // g[BAND]
        plane = g[g[OF_PLANES] + unit // (bands * blocks)]
        top = unit // blocks % bands * g[BAND]
        left = unit % blocks * g[BLOCK_COLUMNS]
        rows = min(4 * quarter + 3, g[OUT_ROWS] + g[KERNEL_ROWS] - 1 - top)
        wide = min(g[BLOCK_COLUMNS], g[OUT_COLUMNS] - left) + g[REACH]
        fetch(x, g, plane, top, rows, left, wide, real(fill), s, 0, pitch)
        apart = quarter * pitch
        for i in range(quarter):
            at = i * pitch
            j = 4 * i * pitch
            for _ in range(0, wide, lanes):
                odd, third, last = load(s, j + pitch), load(s, j + 3 * pitch), load(s, j + 5 * pitch)
                even, middle, next_even = load(s, j + 2 * pitch), load(s, j + 4 * pitch), load(s, j + 6 * pitch)
                first, second, beyond = sub(load(s, j), odd), sub(even, third), sub(middle, last)
                store(sub(first, second), m, at)
                store(second, m, at + apart)
                store(sub(second, beyond), m, at + 2 * apart)
                store(sub(odd, third), m, at + 3 * apart)
                store(third, m, at + 4 * apart)
                store(sub(third, last), m, at + 5 * apart)
                first, second, beyond = sub(odd, even), sub(third, middle), sub(last, next_even)
                store(sub(first, second), m, at + 6 * apart)
                store(second, m, at + 7 * apart)
                store(sub(second, beyond), m, at + 8 * apart)
                at += lanes
                j += lanes

    return "xDliixx", run


def unmix(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The outputs of one unit from its nine filtered inputs, rows of ``pitch``; where ``more``, added to what is there.

    ``finite[unit]`` tells whether all of them are: what overflowed on the way, or met an infinity, is to be done again.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    shape, scalar = t.shape(real, 1, lanes), t.shape(real, 1, 1)
    store, add, sub, all_finite = t.store, t.add, t.sub, t.all_finite

    def row_of_four(load):
        @inlined
        def four(f, at, apart, row):
            """One of four rows; 0, 1, 2, 3 from the top."""
            if row == 0:
                upper = add(load(f, at), load(f, at + apart))
                return add(upper, add(load(f, at + 3 * apart), load(f, at + 4 * apart)))
            if row == 1:
                upper = add(load(f, at + 3 * apart), load(f, at + 4 * apart))
                return sub(upper, add(load(f, at + 6 * apart), load(f, at + 7 * apart)))
            if row == 2:
                upper = sub(load(f, at + apart), load(f, at + 2 * apart))
                return add(upper, sub(load(f, at + 4 * apart), load(f, at + 5 * apart)))
            upper = sub(load(f, at + 4 * apart), load(f, at + 5 * apart))
            return sub(upper, sub(load(f, at + 7 * apart), load(f, at + 8 * apart)))

        return four

    many, one = row_of_four(shape.load), row_of_four(scalar.load)
    load, load_one = shape.load, scalar.load

    def run(f, pitch, y, g, unit, more, finite):
        blocks = (g[OUT_COLUMNS] + g[BLOCK_COLUMNS] - 1) // g[BLOCK_COLUMNS]
        bands = (g[OUT_ROWS] + g[BAND] - 1) // g[BAND]
        plane = g[g[OF_OUT_PLANES] + unit // (bands * blocks)]
        top = unit // blocks % bands * g[BAND]
        left = unit % blocks * g[BLOCK_COLUMNS]
        wide = min(g[BLOCK_COLUMNS], g[OUT_COLUMNS] - left)
        apart = g[BAND] // 4 * pitch
        good = True
        for i in range(min(g[BAND], g[OUT_ROWS] - top)):
            to = plane + g[g[OF_OUT_ROWS] + top + i] + left
            at, row = i // 4 * pitch, i % 4
            j = 0
            while j + lanes <= wide:
                total = many(f, at + j, apart, row)
                if more:
                    total = add(load(y, to + j), total)
                good = all_finite(total) and good
                store(total, y, to + j)
                j += lanes
            while j < wide:
                rest = one(f, at + j, apart, row)
                if more:
                    rest = add(load_one(y, to + j), rest)
                good = all_finite(rest) and good
                store(rest, y, to + j)
                j += 1
        finite[unit] = good

    return "xixliil", run


compile_kernel = compiler({"mix": mix, "unmix": unmix})
