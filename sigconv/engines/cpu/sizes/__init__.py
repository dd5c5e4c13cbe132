"""Sizes that a kernel and whoever gives it memory must agree on."""

FIT_ROWS = 6  # rows of scratch that a local fit needs, each of the largest window's size
GROUP = 16  # rows of an uneven exponential that share a base; its state keeps two numbers for each
BLOCK = 2048  # outputs of a boxcar by time whose windows are found, then summed, then divided
LINE = 64  # bytes of text read or written at a time: buffers are longer than their content by as many
DATA_ROW, BLANK_ROW, COMMENT_ROW = range(3)
ROW_START, ROW_END, ROW_KIND, ROW_CELLS, ROW_FIELDS = range(5)  # what a table of rows says of each, before its cells
# What a table of integers tells a sliding kernel: sizes and steps, then where its tables of offsets start.
(
    PLANES, KERNEL_ROWS, KERNEL_COLUMNS, ROW_STEP, ROW_GAP, COLUMN_STEP, OUT_ROWS, OUT_COLUMNS, IN_COLUMNS, BEFORE,
    BAND, BLOCK_COLUMNS, REACH, PITCH, OF_PLANES, OF_ROWS, OF_LEFT, OF_RIGHT, LEFT, RIGHT, OF_TAPS, OF_OUT_PLANES,
    OF_OUT_ROWS, ROW_PITCH, OUT_BYTES, LARGE, WEIGHTS_APART, HEADER,
) = range(28)  # fmt: skip
OUTER_ROWS = {64: 14, 32: 6, 16: 6}  # by the bytes of a register: how many rows of two fill them with outer products
OUTER_CHUNK = 512  # pixels whose outer products are summed before the sum is added to others
# What a table of integers tells the sums over positions: sizes and steps, where its places end, then its places.
IMAGES, SEGMENTS, IMAGE_STEP, PIXEL_STEP, TAPS, OF_SEGMENTS, OF_PLACES = range(7)
# Vectors in a row of a tile of so many rows, for 32 registers of 64 bytes and for 16 smaller ones.
TILE_COLUMNS = {True: {1: 8, 4: 4}, False: {1: 6, 4: 2}}
