"""Windows of few cells over few channels: planes are read where they lie, in strips whose rows share what they read.

Each output is one chain of multiply-adds from its bias on, channel by channel and through each channel's window row by
row, as in all layers; cells outside the input are zeros.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from sigconv.engines.cpu.kernels import always_inlined, compiler
from sigconv.engines.cpu.sizes import depthwise as of
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.blocks import beyond, block_shape
from sigconv.engines.cpu.tiles.depthwise import strip_of


def _down(real: types.Float, columns: int, cells: int, step: int, guarded: bool) -> tuple[Callable[..., Any], int, int]:
    """A function that goes down a strip of a plane, the outputs in each of its rows, and the cells that these see.

    Sums begin with ``value`` or, where not ``fresh``, with what y holds. With ``ahead``, the strip's part of what the
    next band will read and write is asked for meanwhile, in the order of memory.
    """
    lanes, line = host().vector_bytes * 8 // real.bitwidth, 512 // real.bitwidth
    size, reach, waiting, spread, load, taps_of, enter, begin, advance, store = strip_of(
        real, columns, lanes, cells, step, guarded
    )
    nothing = t.shape(real, (waiting + 1) * columns, lanes).zeros

    @always_inlined
    def down(x, top, height, width, column, zeros, w, first, value, fresh, y, k, rows, out_width, ahead):
        taps, start, acc, left = taps_of(w, first), spread(value), nothing(), out_width - k
        next_x, next_y = (top + rows * step) * width + k * rows * step**2, rows * (out_width + k)
        for i in range(waiting):
            if not fresh:
                start = load(y, k + min(i, rows - 1) * out_width, left)
            acc = enter(acc, start)
        acc = begin(acc, x, top, height, width, column, width, zeros, taps)
        for i in range(rows):
            if not fresh:
                start = load(y, k + min(i + waiting, rows - 1) * out_width, left)
            acc = enter(acc, start)
            acc = advance(acc, x, top + i * step, height, width, column, width, zeros, taps)
            store(acc, y, k + i * out_width, left)
            if ahead:
                for j in range(0, size * step**2, line):
                    t.ask_for(x, next_x + i * size * step**2 + j)
                for j in range(0, size, line):
                    t.ask_for(y, next_y + i * size + j)

    return down, size, reach


def _slider(real: types.Float, cells: int, step: int) -> Callable[..., Any]:
    """A function that slides a window over rows of a plane of outputs, strip by strip."""
    inside, size, reach = _down(real, of.COLUMNS[host().vector_bytes], cells, step, False)
    guarded, lanes, _ = _down(real, 1, cells, step, True)
    both, _, _ = _down(real, 2, cells, step, True)

    @always_inlined
    def slide(x, top, height, width, before, zeros, w, first, value, fresh, y, rows, out_width, ahead):
        k = 0
        while k < out_width:
            column = k * step - before
            if column >= 0 and column + reach <= width and k + size <= out_width:
                inside(x, top, height, width, column, zeros, w, first, value, fresh, y, k, rows, out_width, ahead)
                k += size
            elif (cells, step) == (3, 2) and lanes < out_width - k <= 2 * lanes:  # two sums that need not wait
                both(x, top, height, width, column, zeros, w, first, value, fresh, y, k, rows, out_width, ahead)
                k += 2 * lanes
            else:
                guarded(x, top, height, width, column, zeros, w, first, value, fresh, y, k, rows, out_width, ahead)
                k += lanes

    return slide


def planes_of(cells: int, step: int) -> Callable[..., Any]:
    """The builder of a kernel for square windows of so many cells that move by ``step`` along rows and columns."""

    def planes(real: types.Float) -> tuple[str, Callable[..., None]]:
        """Planes [lo, hi) of the output, each of one plane of the input."""
        slide = _slider(real, cells, step)

        def run(x, w, bias, y, zeros, sizes, lo, hi):
            height, width, out_height, out_width = (
                sizes[of.HEIGHT], sizes[of.WIDTH], sizes[of.OUT_HEIGHT], sizes[of.OUT_WIDTH],
            )  # fmt: skip
            outputs, all_outputs = sizes[of.OUTPUTS], sizes[of.OUTPUTS] * sizes[of.GROUPS]
            o, group, of_group = lo % all_outputs, lo // outputs, lo % outputs
            for plane in range(lo, hi):
                slide(
                    beyond(x, group * sizes[of.AREA]), -sizes[of.TOP], height, width, sizes[of.LEFT], zeros,
                    w, o * cells**2, bias[o], True, beyond(y, plane * sizes[of.OUT_AREA]), out_height, out_width, False,
                )  # fmt: skip
                o, of_group = o + 1, of_group + 1
                if of_group == outputs:
                    of_group, group = 0, group + 1
                if o == all_outputs:
                    o = 0

        return "xxxxxlii", run

    return planes


def bands_of(cells: int, step: int) -> Callable[..., Any]:
    """As `planes_of`, for layers of several channels and for planes that are large, or parts of volumes."""

    def bands(real: types.Float) -> tuple[str, Callable[..., None]]:
        """Bands [lo, hi) of the output's planes; so many of a plane stand together."""
        slide = _slider(real, cells, step)

        def run(x, w, bias, y, zeros, sizes, lo, hi):
            depth, out_depth, kernel_depth = sizes[of.DEPTH], sizes[of.OUT_DEPTH], sizes[of.KERNEL_DEPTH]
            out_height, out_width, band = sizes[of.OUT_HEIGHT], sizes[of.OUT_WIDTH], sizes[of.BAND]
            channels, outputs, groups = sizes[of.CHANNELS], sizes[of.OUTPUTS], sizes[of.GROUPS]
            bands = (out_height + band - 1) // band
            for u in range(lo, hi):
                plane = u // bands
                i = (u - plane * bands) * band
                channel = plane // out_depth
                z, o, group = plane - channel * out_depth, channel % (outputs * groups), channel // outputs
                for c in range(channels):
                    for a in range(kernel_depth):
                        q = z * sizes[of.DEPTH_STEP] + a * sizes[of.DEPTH_GAP] - sizes[of.FRONT]
                        there = 0 <= q < depth
                        slide(
                            beyond(x, ((group * channels + c) * depth + q) * sizes[of.AREA] if there else 0),
                            i * step - sizes[of.TOP], sizes[of.HEIGHT] if there else 0, sizes[of.WIDTH],
                            sizes[of.LEFT], zeros, w, ((o * channels + c) * kernel_depth + a) * cells**2, bias[o],
                            c == a == 0, beyond(y, plane * sizes[of.OUT_AREA] + i * out_width),
                            min(band, out_height - i), out_width, True,
                        )  # fmt: skip

        return "xxxxxlii", run

    return bands


def border(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Planes of ``height`` rows of ``width`` numbers, laid out with a border that ``rows`` and ``columns`` tell.

    The columns from ``left`` on, so many as are ``inside``, are x's own from the first.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    _, _, load, store, _ = block_shape(real, 1, 1, lanes, True)

    def run(x, height, y, rows, n_rows, columns, width, n_columns, left, inside, planes):
        for plane in range(planes):
            for r in range(n_rows):
                source = beyond(x, (plane * height + rows[r]) * width)
                target = beyond(y, (plane * n_rows + r) * n_columns)
                for k in range(0, inside, lanes):
                    store(load(source, k, 0, inside - k), target, left + k, 0, inside - k)
                for k in range(left):
                    target[k] = source[columns[k]]
                for k in range(left + inside, n_columns):
                    target[k] = source[columns[k]]

    return "xixliliiiii", run


compile_kernel = compiler(
    {
        "planes_three": planes_of(3, 1),
        "planes_three_by_two": planes_of(3, 2),
        "planes_five": planes_of(5, 1),
        "planes_five_by_two": planes_of(5, 2),
        "bands_three": bands_of(3, 1),
        "bands_three_by_two": bands_of(3, 2),
        "bands_five": bands_of(5, 1),
        "bands_five_by_two": bands_of(5, 2),
        "border": border,
    }
)
