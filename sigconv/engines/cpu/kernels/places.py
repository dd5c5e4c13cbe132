"""Places in text: a byte, the bare part of a cell.

Whole lines of 64 bytes are compared at a time; buffers are longer than their content by as many.
"""

from sigconv.engines.cpu.kernels import inlined
from sigconv.engines.cpu.sizes import LINE
from sigconv.engines.cpu.tiles.masks import lowest_bit, matches

QUOTE, NEWLINE, RETURN, SPACE, TAB = 34, 10, 13, 32, 9
PLUS, MINUS, POINT, COMMA, ZERO, NINE, COLON = 43, 45, 46, 44, 48, 57, 58


@inlined
def find(data, at, end, byte):
    """The first place of ``byte`` in data[at:end], else ``end``."""
    while at < end:
        found = matches(data, at, byte)
        if found != 0:
            return min(at + lowest_bit(found), end)
        at += LINE
    return end


@inlined
def is_blank(byte):
    return (byte == SPACE) | (byte == TAB) | (byte == RETURN)


@inlined
def trimmed(data, begin, end):
    """The bounds without blanks at either end."""
    while begin < end and is_blank(data[begin]):
        begin += 1
    while begin < end and is_blank(data[end - 1]):
        end -= 1
    return begin, end


@inlined
def bare(data, begin, end):
    """The bounds of what a cell says, without the blanks and quotes around it."""
    begin, end = trimmed(data, begin, end)
    if end - begin >= 2 and data[begin] == QUOTE and data[end - 1] == QUOTE:
        begin, end = trimmed(data, begin + 1, end - 1)
    return begin, end
