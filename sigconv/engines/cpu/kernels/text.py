"""New texts in the place of old ones."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.places import COMMA, find
from sigconv.engines.cpu.sizes import LINE
from sigconv.engines.cpu.tiles.masks import copy_line


@inlined
def move(source, at, end, out, to):
    """out[to:] = source[at:end]; where that ends."""
    while at < end:
        n = min(end - at, LINE)
        copy_line(source, at, out, to)
        at += n
        to += n
    return to


def splice(real: types.Float) -> tuple[str, Callable[..., None]]:
    """data[:size] with texts[start[k] : stop[k]] in place of data[first[k] : last[k]]; made[0] is how long that is."""

    def run(data, size, first, last, n, texts, start, stop, out, made):
        at = 0
        to = 0
        for k in range(n):
            to = move(data, at, first[k], out, to)
            to = move(texts, start[k], stop[k], out, to)
            at = last[k]
        to = move(data, at, size, out, to)
        made[0] = to

    return "billibllbl", run


def fill(real: types.Float) -> tuple[str, Callable[..., None]]:
    """As `splice`, the new texts being the elements of the JSON list texts[:length]."""

    def run(data, size, first, last, n, texts, length, out, made):
        at = 0
        to = 0
        begin = 1
        for k in range(n):
            to = move(data, at, first[k], out, to)
            end = find(texts, begin, length - 1, COMMA)
            to = move(texts, begin, end, out, to)
            begin = end + 1
            at = last[k]
        to = move(data, at, size, out, to)
        made[0] = to

    return "billibibl", run


compile_kernel = compiler({"splice": splice, "fill": fill})
