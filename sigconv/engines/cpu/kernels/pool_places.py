"""The greatest number of each window and its place in the image; numbers sent to their places and fetched from there.

Windows are taken apart as `pool` does. A place is a cell's number in its image.
"""

from collections.abc import Callable
from math import inf

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.pool_kinds import cells_by
from sigconv.engines.cpu.sizes.pools import INDICES, NOWHERE, WIDE
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import pools as p
from sigconv.engines.cpu.tiles import shuffles
from sigconv.engines.cpu.tiles import tile as t

LINE = 16  # places that are worked on together, and how many come before those that are asked for
AHEAD = 512


def greatest(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y = the greatest number of each window, NaN where there is one, and where = its place.

    It is the first of several, the last of several NaN, and NOWHERE in a window without cells.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    _, _, load, _, _ = t.shape(real, 1, lanes)
    _, _, load_places, _, _ = t.shape(types.int64, 1, lanes)
    load_some = p.load_some(real, lanes)
    cells_of, places_of = cells_by(real, lanes), cells_by(types.int64, lanes)
    ramp = shuffles.ramp(1, lanes)
    greater, later_place, value_of, place_of = p.greater, p.later_place, p.winning_value, p.winning_place
    store, store_some = t.store, p.store_some

    @inlined
    def join_row(x, at, image, n, fresh, line, places, to):
        c = 0
        while c < n:
            value = load_some(x, at + c, n - c)
            place = ramp(at + c - image)
            if not fresh:
                old = load(line, to + c)
                place = later_place(old, value, load_places(places, to + c), place)
                value = greater(old, value)
            store(value, line, to + c)
            store(place, places, to + c)
            c += lanes

    @inlined
    def clear(line, places, begin, end):
        for k in range(begin, end):
            line[k] = -inf
            places[k] = NOWHERE

    @inlined
    def join_rows(x, at, image, deep, step_d, high, step_h, n, line, places, to):
        for d in range(deep):
            for h in range(high):
                join_row(x, at + d * step_d + h * step_h, image, n, d + h == 0, line, places, to)
        if deep * high == 0:  # no cell but of the border
            clear(line, places, to, to + n)

    @inlined
    def double(line, places, far, n):
        i = 0
        while i < n:
            near, ahead = load(line, i), load(line, i + far)
            place, other = load_places(places, i), load_places(places, i + far)
            store(value_of(near, ahead, place, other), line, i)
            store(place_of(near, ahead, place, other), places, i)
            i += lanes

    @inlined
    def best_of_run(line, places, at, count, step):
        """Where in the line the best of line[at], line[at + step], .. stands."""
        best = at
        for j in range(1, count):
            k = at + j * step
            if line[k] > line[best]:
                best = k
            elif line[k] == line[best]:
                if places[k] < places[best]:
                    best = k
            elif line[k] != line[k] and (line[best] == line[best] or places[k] > places[best]):
                best = k
        return best

    def run(x, y, where, plan, depth, height, columns, line, places, lo, hi):
        width, plane, image, deep, high, wide = plan[0], plan[1], plan[2], plan[3], plan[4], plan[5]
        step_d, step_h, step_w, kernel, stride, before = plan[6], plan[7], plan[8], plan[9], plan[10], plan[11]
        block, listed = plan[12], plan[13]
        blocks = (wide + block - 1) // block
        row = lo // blocks
        o = (lo - row * blocks) * block
        first = row // (high * deep) * image
        d = row // high % deep
        h = row % high
        for _ in range(lo, hi):
            n = min(block, wide - o)
            if listed:
                start = columns[o]
                stop = columns[o + n - 1] + (columns[wide + o + n - 1] - 1) * step_w + 1
            else:
                start = o * stride - before
                stop = start + (n - 1) * stride + (kernel - 1) * step_w + 1
            left = max(start, 0)
            right = max(min(stop, width), left)
            at = first + depth[d] * plane + height[h] * width + left
            to = left - start
            clear(line, places, 0, min(to, stop - start))
            join_rows(x, at, first, depth[deep + d], step_d, height[high + h], step_h, right - left, line, places, to)
            clear(line, places, max(right - start, 0), stop - start)
            taps = kernel
            gap = step_w
            if not listed and kernel >= WIDE:
                span = 1
                while 2 * span <= kernel:
                    double(line, places, span * step_w, stop - start - (2 * span - 1) * step_w)
                    span *= 2
                gap = (kernel - span) * step_w
                taps = 2 if kernel > span else 1
            result = row * wide + o
            i = 0
            while listed and i < n:
                best = best_of_run(line, places, columns[o + i] - start, columns[wide + o + i], step_w)
                y[result + i] = line[best]
                where[result + i] = places[best]
                i += 1
            while i < n:
                value, place = cells_of(line, i * stride, stride), places_of(places, i * stride, stride)
                for j in range(1, taps):
                    new = cells_of(line, i * stride + j * gap, stride)
                    other = places_of(places, i * stride + j * gap, stride)
                    old = value
                    value = value_of(old, new, place, other)
                    place = place_of(old, new, place, other)
                store_some(value, y, result + i, n - i)
                store_some(place, where, result + i, n - i)
                i += lanes

            o += block
            if o >= wide:
                o = 0
                row += 1
                h += 1
                if h == high:
                    h = 0
                    d += 1
                    if d == deep:
                        d = 0
                        first += image

    return "xxlllllxlii", run


def _send(real: types.Float, adding: bool) -> tuple[str, Callable[..., None]]:
    """Numbers sent to their places in parts of images, which are zero elsewhere.

    An image of ``size`` cells has parts of ``cells`` and the last part. Of several parts each looks into those blocks
    of places alone that have any for it: ``lowest`` and ``highest`` hold what `bounds` found in each block.
    """
    lanes = host().vector_bytes * 8 // real.bitwidth
    big = 4 * lanes
    zeros, store, ask_for = t.shape(real, 4, lanes).zeros, t.store, t.ask_for

    @inlined
    def clear(y, at, stop):
        while at + big <= stop:
            store(zeros(), y, at)
            at += big
        while at < stop:
            y[at] = 0
            at += 1

    def run(x, where, n, y, size, cells, nowhere, lowest, highest, wrong, lo, hi):
        parts = (size + cells - 1) // cells
        blocks = (n + INDICES - 1) // INDICES
        outside = 0
        for part in range(lo, hi):
            image = part // parts
            begin = part % parts * cells
            end = min(begin + cells, size)
            first = image * size
            clear(y, first + begin, first + end)
            for block in range(blocks):
                known = image * blocks + block
                if parts > 1 and (lowest[known] >= end or highest[known] < begin):
                    continue
                i = image * n + block * INDICES
                stop = min(i + INDICES, (image + 1) * n)
                while i < stop:
                    for line in range(0, LINE, 8):
                        ask_for(where, i + AHEAD + line)
                    ask_for(x, i + AHEAD)
                    for k in range(i, min(i + LINE, stop)):
                        place = where[k]
                        if begin <= place < end:
                            if adding:
                                y[first + place] += x[k]
                            else:
                                y[first + place] = x[k]
                        elif (place < 0 or place >= size) and place != nowhere:
                            outside += 1
                    i += LINE
        wrong[0] = outside

    return "xlixiiilllii", run


def add(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[where[i]] += x[i]; how many places were outside their image is left in wrong[0]. NOWHERE is skipped."""
    return _send(real, adding=True)


def put(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[where[i]] = x[i], the last of several; how many places were outside their image is left in wrong[0]."""
    return _send(real, adding=False)


def bounds(_: types.Float) -> tuple[str, Callable[..., None]]:
    """The lowest and the highest place in [0, size) of each block of an image's places, and how many are outside."""

    def run(where, n, size, nowhere, lowest, highest, outside, lo, hi):
        blocks = (n + INDICES - 1) // INDICES
        for block in range(lo, hi):
            first = block // blocks * n
            begin = first + block % blocks * INDICES
            low = size
            high = -1
            wrong = 0
            for k in range(begin, min(begin + INDICES, first + n)):
                place = where[k]
                if 0 <= place < size:
                    low = min(low, place)
                    high = max(high, place)
                elif place != nowhere:
                    wrong += 1
            lowest[block] = low
            highest[block] = high
            outside[block] = wrong

    return "liiilllii", run


def take(real: types.Float) -> tuple[str, Callable[..., None]]:
    """y[i] = x[where[i]] in i's image of n such; places outside are counted, and zero comes from there."""

    def run(x, where, n, y, size, nowhere, wrong, lo, hi):
        outside = 0
        image = lo // n
        i = lo
        while i < hi:
            for k in range(i, min((image + 1) * n, hi)):
                place = where[k]
                y[k] = 0
                if 0 <= place < size:
                    y[k] = x[image * size + place]
                elif place != nowhere:
                    outside += 1
            image += 1
            i = image * n
        wrong[0] = outside

    return "xlixiilii", run


compile_kernel = compiler({"greatest": greatest, "add": add, "put": put, "bounds": bounds, "take": take})
