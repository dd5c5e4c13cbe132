"""Correlation over two axes (and, plane by plane, over more): the window's rows times the rows of the input.

A band of output rows and a block of columns is made at a time. The input that its windows see is brought into scratch
first, as numbers of the kind that is computed with and with the border's cells around it, so that the input itself is
never padded and may be of many kinds. Then register tiles of several output rows slide over it: what is loaded once
serves all of these rows. Every output is one chain of multiply-adds in the order of the window's cells, whatever the
tiles and bands.
"""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import always_inlined, compiler, inlined
from sigconv.engines.cpu.sizes import (
    BAND,
    BEFORE,
    BLOCK_COLUMNS,
    COLUMN_STEP,
    IN_COLUMNS,
    KERNEL_COLUMNS,
    KERNEL_ROWS,
    LARGE,
    LEFT,
    OF_LEFT,
    OF_OUT_PLANES,
    OF_OUT_ROWS,
    OF_PLANES,
    OF_RIGHT,
    OF_ROWS,
    OF_TAPS,
    OUT_BYTES,
    OUT_COLUMNS,
    OUT_ROWS,
    PITCH,
    PLANES,
    REACH,
    RIGHT,
    ROW_GAP,
    ROW_PITCH,
    ROW_STEP,
    TILE_COLUMNS,
    WEIGHTS_APART,
)
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.rows import reader, row_shape, writer

AHEAD = 7  # rows below a tile's input whose turn is two tiles later
COLUMNS = TILE_COLUMNS[host().vector_bytes == 64]


def fetching(real: types.Float, kind: str) -> Callable[..., None]:
    """A function that brings what a band's windows see into scratch; see `sizes` for the table ``g``."""
    lanes = host().vector_bytes * 8 // real.bitwidth
    many, one = reader(kind, real, 1, lanes), reader(kind, real, 1, 1)

    @inlined
    def cell(x, g, row, column, fill, s, to):
        """One cell of a row, or the border's in its place."""
        place = column - g[BEFORE]
        if place < 0:
            place = g[g[OF_LEFT] + column] if column < g[LEFT] else -1
        elif place >= g[IN_COLUMNS]:
            place -= g[IN_COLUMNS]
            place = g[g[OF_RIGHT] + place] if place < g[RIGHT] else -1
        if place < 0:
            s[to] = fill
        else:
            t.store(one(x, row + place), s, to)

    @inlined
    def line(x, g, row, column, n, fill, s, to):
        """s[to : to + n] = the cells of a row from ``column`` on, as the border continues it."""
        inside = min(max(g[BEFORE] - column, 0), n)
        beyond = max(min(g[BEFORE] + g[IN_COLUMNS] - column, n), inside)
        for k in range(inside):
            cell(x, g, row, column + k, fill, s, to + k)
        from_here = row + column - g[BEFORE]
        if beyond - inside >= lanes:
            t.store(many(x, from_here + inside), s, to + inside)
            k = (inside // lanes + 1) * lanes  # whole cache lines from here on, but for the last
            while k + lanes <= beyond:
                t.store(many(x, from_here + k), s, to + k)
                k += lanes
            t.store(many(x, from_here + beyond - lanes), s, to + beyond - lanes)
        else:
            for k in range(inside, beyond):
                t.store(one(x, from_here + k), s, to + k)
        for k in range(beyond, n):
            cell(x, g, row, column + k, fill, s, to + k)

    @inlined
    def fetch(x, g, plane, first, rows, column, n, fill, s, to, pitch):
        """Input rows ``first`` + .. of one plane from the window's first ``column`` on; a stride's phases apart."""
        step = g[COLUMN_STEP]
        for r in range(rows):
            row = g[g[OF_ROWS] + first + r]
            begin = to + r * pitch * step
            if plane < 0 or row < 0:
                for k in range(step * pitch):
                    s[begin + k] = fill
            elif step == 1:
                line(x, g, plane + row, column, n, fill, s, begin)
            else:
                for phase in range(step):
                    for k in range(n):
                        cell(x, g, plane + row, (column + k) * step + phase, fill, s, begin + phase * pitch + k)

    return fetch


def sliding(
    real: types.Float, rows: int, source: str, target: str, inside: bool, three: bool
) -> tuple[str, Callable[..., None]]:
    """Units [lo, hi) of the output, each a band of rows by a block of columns of one plane.

    y[plane, i, j] = sum of w[q, a, b] x[plane q, i * step + a * gap, j * step + b * gap] in the order of (q, a, b).
    Where ``rows`` > 1 share what is loaded, step and gap are 1. Of integers one kernel makes the outputs ``inside``,
    whose windows see no border, from the input where it lies, and another one those around. ``three`` is for windows
    of three columns side by side, of all the most frequent.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    columns = COLUMNS[rows]
    zeros, fma, row = row_shape(real, rows, columns, lanes, source if inside else "real", 3 if three else 0)
    width = columns * lanes
    real_cells = source == "real"
    line_numbers = 64 * 8 // (real.bitwidth if target == "real" else int(target.removeprefix("uint")))
    fetch = fetching(real, source)
    number_line = 64 * 8 // real.bitwidth
    number_bytes = real.bitwidth // 8
    lines = target == "real" and lanes == line_numbers  # a vector is a cache line
    write, write_past_cache = writer(target), writer(target, past_cache=lines)
    one = t.shape(real, 1, 1).load
    first_one, first_two, first_three, add_all = (fma(0, min(n, rows)) for n in (1, 2, 3, rows))
    last_one, last_two, last_three = (fma(max(rows - n, 0), rows) for n in (1, 2, 3))
    row_0, row_1, row_2, row_3 = (row[min(n, rows - 1)] for n in range(4))

    @always_inlined
    def put(row_tile, s, aside, y, at, n, large):
        """Store the first ``n`` numbers of a row; of a ``large`` result past the cache, where lines are whole."""
        if n >= width:
            if lines and large and t.until_aligned(y, at * number_bytes) == 0:
                write_past_cache(row_tile, y, at)
            else:
                write(row_tile, y, at)
        else:
            t.store(row_tile, s, aside)
            for k in range(n):
                write(one(s, aside + k), y, at + k)

    @inlined
    def ask(cells, at, down):
        """Ask for what a tile some rows further down reads first: from row to row no stream is foreseen."""
        for r in range(rows):
            for c in range(columns + 1):
                t.ask_for_later(cells, at + r * down + c * lanes)

    @inlined
    def ask_beside(x, g, at, down, begin, end, block):
        """The same for what the next band brings into scratch, on both sides of columns that are read in place."""
        for r in range(rows):
            row = at + r * down - g[BEFORE]
            for k in range(0, begin + g[REACH], lanes):
                t.ask_for_later(x, row + k)
            for k in range(end, block + g[REACH], lanes):
                t.ask_for_later(x, row + k)

    @inlined
    def in_line(g, plane, above, below):
        """Whether the windows of output rows [above, below) see rows that lie in the input as they are wanted."""
        first, last = above * g[ROW_STEP], (below - 1) * g[ROW_STEP] + (g[KERNEL_ROWS] - 1) * g[ROW_GAP]
        at, end = g[g[OF_ROWS] + first], g[g[OF_ROWS] + last]
        there = at >= 0 and end - at == (last - first) * g[ROW_PITCH]
        for q in range(g[PLANES]):
            there = there and g[g[OF_PLANES] + plane * g[PLANES] + q] >= 0
        return there

    @inlined
    def side(part, low, high, end):
        """The first, middle or last part of a range."""
        if part == 0:
            return 0, low
        if part == 1:
            return low, high
        return high, end

    @inlined
    def seen_at(x, s, in_place):
        """Where the cells are that tiles read: in the input, or in scratch."""
        if inside:
            return x
        if real_cells:
            return x if in_place else s
        return s

    def run(x, w, fill, y, g, lo, hi, s):
        planes, kernel_rows, kernel_columns = g[PLANES], g[KERNEL_ROWS], g[KERNEL_COLUMNS]
        taps, large = g[OF_TAPS], g[LARGE] > 0
        close = kernel_columns > 1 and g[taps + 1] == 1 and g[COLUMN_STEP] == 1
        blocks = (g[OUT_COLUMNS] + g[BLOCK_COLUMNS] - 1) // g[BLOCK_COLUMNS]
        bands = (g[OUT_ROWS] + g[BAND] - 1) // g[BAND]
        for unit in range(lo, hi):
            plane = unit // (bands * blocks)
            first_row = unit // blocks % bands * g[BAND]
            left = unit % blocks * g[BLOCK_COLUMNS]
            all_rows = min(g[BAND], g[OUT_ROWS] - first_row)
            block = min(g[BLOCK_COLUMNS], g[OUT_COLUMNS] - left)
            # what is read where it lies: rows and, by whole tiles, columns whose windows see no border
            upper, lower, inner, outer = all_rows, all_rows, block, block
            if g[COLUMN_STEP] == 1:
                inner = max(width, g[BEFORE] - left) if left < g[BEFORE] else 0
                outer = min(block, g[IN_COLUMNS] + g[BEFORE] - g[REACH] - left)
                if outer < block:
                    outer = min(outer, block - width)
                upper = 0
                while upper < all_rows and not in_line(g, plane, first_row + upper, first_row + upper + 1):
                    upper += 1
                while lower > upper and not in_line(g, plane, first_row + lower - 1, first_row + lower):
                    lower -= 1
                narrow = outer - inner < width or lower - upper < rows
                if narrow or not in_line(g, plane, first_row + upper, first_row + lower):
                    upper, lower, inner, outer = all_rows, all_rows, block, block
            for part in range(9):
                above, below = side(part // 3, upper, lower, all_rows)
                begin, end = side(part % 3, inner, outer, block)
                in_place = part == 4
                if begin >= end or above >= below or (not real_cells and in_place != inside):
                    continue
                top = first_row + above
                band = below - above
                needed = (band - 1) * g[ROW_STEP] + (kernel_rows - 1) * g[ROW_GAP] + 1
                seen = end - begin + g[REACH]
                pitch = g[PITCH]
                if g[COLUMN_STEP] == 1:
                    # an odd number of cache lines, so that few rows share a place in the cache
                    pitch = min(pitch, ((seen + width) // number_line | 1) * number_line)
                line = pitch * g[COLUMN_STEP]
                depth = line * max(needed, rows + kernel_rows - 1)
                aside = planes * depth + width
                cells = seen_at(x, s, in_place)
                if in_place:
                    line = g[ROW_PITCH]
                elif not inside:
                    for q in range(planes):
                        from_plane = g[g[OF_PLANES] + plane * planes + q]
                        at = top * g[ROW_STEP]
                        fetch(x, g, from_plane, at, needed, left + begin, seen, real(fill), s, q * depth, pitch)
                down = line * g[ROW_STEP]
                deeper = line * g[ROW_GAP]
                out = g[g[OF_OUT_PLANES] + plane] + left + begin
                wide = end - begin
                i = 0
                while i < band:
                    if band >= rows:
                        i = min(i, band - rows)  # the last tiles overlap: the same bits once more
                    to = out + g[g[OF_OUT_ROWS] + top + i]
                    j = 0
                    while j < wide:
                        if wide >= width:
                            j = min(j, wide - width)
                        acc = zeros()
                        if in_place and planes == 1:
                            p = g[g[OF_PLANES] + plane] + g[g[OF_ROWS] + top * g[ROW_STEP]] + left + begin - g[BEFORE]
                            ask(cells, p + (i + kernel_rows + AHEAD) * down + j, down)
                            if j == 0:
                                p += (i + g[BAND] + kernel_rows - 1) * down - begin + g[BEFORE]
                                ask_beside(cells, g, p, down, begin, end, block)
                        for q in range(planes):
                            p = q * depth + i * down + j
                            if in_place:
                                p = g[g[OF_PLANES] + plane * planes + q] + g[g[OF_ROWS] + top * g[ROW_STEP]]
                                p += i * down + j + left + begin - g[BEFORE]
                            v = plane * g[WEIGHTS_APART] + q * kernel_rows * kernel_columns
                            if rows > 1:
                                acc = first_one(acc, cells, p, w, v, kernel_columns, g, taps, close)
                                p += deeper
                                v += kernel_columns
                                acc = first_two(acc, cells, p, w, v, kernel_columns, g, taps, close)
                                p += deeper
                                v += kernel_columns
                                acc = first_three(acc, cells, p, w, v, kernel_columns, g, taps, close)
                                p += deeper
                                v += kernel_columns
                            for _ in range(rows - 1, kernel_rows):
                                acc = add_all(acc, cells, p, w, v, kernel_columns, g, taps, close)
                                p += deeper
                                v += kernel_columns
                            v -= kernel_columns
                            if rows > 1:
                                acc = last_three(acc, cells, p, w, v, kernel_columns, g, taps, close)
                                p += deeper
                                acc = last_two(acc, cells, p, w, v, kernel_columns, g, taps, close)
                                p += deeper
                                acc = last_one(acc, cells, p, w, v, kernel_columns, g, taps, close)
                        n = wide - j
                        row_at = g[OF_OUT_ROWS] + top + i
                        put(row_0(acc), s, aside, y, out + g[row_at] + j, n, large)
                        if rows > 1 and i + 1 < band:
                            put(row_1(acc), s, aside, y, out + g[row_at + 1] + j, n, large)
                        if rows > 1 and i + 2 < band:
                            put(row_2(acc), s, aside, y, out + g[row_at + 2] + j, n, large)
                        if rows > 1 and i + 3 < band:
                            put(row_3(acc), s, aside, y, out + g[row_at + 3] + j, n, large)
                        if j == 0 and width > line_numbers and wide > 2 * width:
                            # from here on results are written to whole cache lines
                            short = t.until_aligned(y, (to + width) * g[OUT_BYTES])
                            j = short // g[OUT_BYTES] - line_numbers if short > 0 else 0
                        j += width
                    i += rows

    return ("x" if real_cells else "b") + "xDbliix", run


def _variant(
    rows: int, source: str, target: str, inside: bool, three: bool = False
) -> Callable[[types.Float], tuple[str, Callable[..., None]]]:
    return lambda real: sliding(real, rows, source, target, inside, three)


compile_kernel = compiler(
    {
        "rows1_real_real": _variant(1, "real", "real", False),
        "rows1_uint8_real": _variant(1, "uint8", "real", False),
        "inside1_uint8_real": _variant(1, "uint8", "real", True),
        "rows1_uint8_uint8": _variant(1, "uint8", "uint8", False),
        "inside1_uint8_uint8": _variant(1, "uint8", "uint8", True),
        "rows1_uint16_real": _variant(1, "uint16", "real", False),
        "inside1_uint16_real": _variant(1, "uint16", "real", True),
        "rows1_uint16_uint16": _variant(1, "uint16", "uint16", False),
        "inside1_uint16_uint16": _variant(1, "uint16", "uint16", True),
        "rows4_real_real": _variant(4, "real", "real", False),
        "rows4_real_real_3": _variant(4, "real", "real", False, True),
        "rows4_uint8_real": _variant(4, "uint8", "real", False),
        "inside4_uint8_real": _variant(4, "uint8", "real", True),
        "inside4_uint8_real_3": _variant(4, "uint8", "real", True, True),
        "rows4_uint8_uint8": _variant(4, "uint8", "uint8", False),
        "inside4_uint8_uint8": _variant(4, "uint8", "uint8", True),
        "inside4_uint8_uint8_3": _variant(4, "uint8", "uint8", True, True),
        "rows4_uint16_real": _variant(4, "uint16", "real", False),
        "inside4_uint16_real": _variant(4, "uint16", "real", True),
        "inside4_uint16_real_3": _variant(4, "uint16", "real", True, True),
        "rows4_uint16_uint16": _variant(4, "uint16", "uint16", False),
        "inside4_uint16_uint16": _variant(4, "uint16", "uint16", True),
        "inside4_uint16_uint16_3": _variant(4, "uint16", "uint16", True, True),
    }
)
