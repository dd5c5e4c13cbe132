"""Sizes that the kernel of two passes and whoever gives it memory must agree on."""

ROWS = 32  # of a band
LINES = {64: 8, 32: 4, 16: 4}  # by the bytes of a register: outputs whose sums share what is loaded
VECTORS = 4  # of a row that are brought in at a time
# What a table of integers tells the kernel: sizes and steps, where tables start, then these.
(
    DEEP, TAPS, APART, OUT_ROWS, OUT_COLUMNS, IN_COLUMNS, BEFORE, LEFT, BLOCK, OUT_PITCH, OUT_BYTES, PAST,
    OF_PLANES, OF_OUT_PLANES, OF_LEFT, OF_RIGHT, OF_ROWS, HEADER,
) = range(18)  # fmt: skip
