"""Where the rows and cells of delimited text stand."""

from collections.abc import Callable

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.places import NEWLINE, QUOTE, RETURN, find, is_blank
from sigconv.engines.cpu.sizes import (
    BLANK_ROW,
    COMMENT_ROW,
    DATA_ROW,
    LINE,
    ROW_CELLS,
    ROW_END,
    ROW_FIELDS,
    ROW_KIND,
    ROW_START,
)
from sigconv.engines.cpu.tiles.masks import bits_set, lowest_bit, matches


@inlined
def closing(data, at, end):
    """Where the quoted cell that opens at ``at`` closes, else ``end``."""
    at += 1
    while at < end:
        at = find(data, at, end, QUOTE)
        if at + 1 < end and data[at + 1] == QUOTE:
            at += 2
        else:
            return at
    return end


def count(real: types.Float) -> tuple[str, Callable[..., None]]:
    """found[0] = how many of data[:size] are ``byte``."""

    def run(data, size, byte, found):
        total = 0
        at = 0
        while at + LINE <= size:
            total += bits_set(matches(data, at, byte))
            at += LINE
        while at < size:
            total += data[at] == byte
            at += 1
        found[0] = total

    return "biil", run


def split(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Rows of data[:size] and the cells ``needed`` (sorted numbers) of each.

    The table has a column for every row: its start, its end without the line end, its kind, how many cells it has,
    then start and end of each needed cell, -1 where the row has none. found[0] is how many rows are complete,
    found[1] where the rest begins. A quoted cell may hold line ends; where the row does not end within ``limit`` bytes
    in this way (or, as the ``last`` one, in what there is), its quotes are ordinary. Where it does not end so either,
    found[2] is 1.
    """

    @inlined
    def end_of_row(data, start, size, limit, last, delimiter, quoted, needed, count, table, rows, row):
        """The line end of the row, or -1 where it is not there; cells are noted on the way."""
        stop = min(start + limit, size)
        cell = 0
        wanted = 0
        begin = start
        at = start
        while at < stop:
            special = matches(data, at, NEWLINE) | matches(data, at, delimiter)
            if quoted:
                special |= matches(data, at, QUOTE)
            jump = at + LINE
            while special != 0:
                place = at + lowest_bit(special)
                if place >= stop:
                    break
                special &= special - 1
                byte = data[place]
                if byte == QUOTE and quoted and byte != delimiter:
                    if place != begin:
                        continue
                    place = closing(data, place, stop)
                    if place >= stop:
                        return -1
                    jump = place + 1
                    break
                if wanted < count and needed[wanted] == cell:
                    table[(ROW_FIELDS + 2 * wanted) * rows + row] = begin
                    table[(ROW_FIELDS + 2 * wanted + 1) * rows + row] = place
                    wanted += 1
                cell += 1
                begin = place + 1
                if byte == NEWLINE:
                    return finish(data, start, place, cell, wanted, count, table, rows, row)
            at = jump
        if last and size < start + limit:
            if wanted < count and needed[wanted] == cell:
                table[(ROW_FIELDS + 2 * wanted) * rows + row] = begin
                table[(ROW_FIELDS + 2 * wanted + 1) * rows + row] = size
                wanted += 1
            return finish(data, start, size, cell + 1, wanted, count, table, rows, row)
        return -1

    @inlined
    def finish(data, start, place, cells, wanted, count, table, rows, row):
        end = place
        if end > start and data[end - 1] == RETURN:
            end -= 1
        kind = DATA_ROW
        if end == start or is_blank(data[start]):
            k = start
            while k < end and is_blank(data[k]):
                k += 1
            if k == end:
                kind = BLANK_ROW
        table[ROW_START * rows + row] = start
        table[ROW_END * rows + row] = end
        table[ROW_KIND * rows + row] = kind
        table[ROW_CELLS * rows + row] = cells
        if wanted > 0:  # the last cell of a row ends before a carriage return
            where = (ROW_FIELDS + 2 * wanted - 1) * rows + row
            table[where] = min(table[where], end)
        for k in range(wanted, count):
            table[(ROW_FIELDS + 2 * k) * rows + row] = -1
            table[(ROW_FIELDS + 2 * k + 1) * rows + row] = -1
        return place

    def run(data, size, delimiter, prefix, prefix_length, limit, last, needed, count, table, rows, found):
        at = 0
        row = 0
        found[2] = 0
        while at < size:
            comment = prefix_length > 0 and at + prefix_length <= size
            for k in range(prefix_length):
                comment = comment and data[at + k] == prefix[k]
            end = -1
            if not comment:
                end = end_of_row(data, at, size, limit, last, delimiter, True, needed, count, table, rows, row)
            if end < 0 and (comment or last or size >= at + limit):
                end = end_of_row(data, at, size, limit, last, delimiter, False, needed, count, table, rows, row)
                if end < 0:
                    found[2] = 1 if size >= at + limit else 0
            if end < 0:
                break
            if comment:
                table[ROW_KIND * rows + row] = COMMENT_ROW
            row += 1
            at = min(end + 1, size)
        found[0] = row
        found[1] = at

    return "biibiiililil", run


compile_kernel = compiler({"count": count, "split": split})
