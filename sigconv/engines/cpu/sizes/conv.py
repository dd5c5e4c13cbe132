"""What a layer's kernel and whoever calls it agree on."""

BLOCK_CHANNELS = 8  # output channels that share what they read
BLOCK_COLUMNS = {64: 3, 32: 1, 16: 1}  # by the bytes of a register: how many of them each channel of a block fills
ACROSS = 13  # places at most that have a register of sums each: 15 of 16 are in use
DIRECT, COLUMNS, CELLS = range(3)  # what is laid out side by side: nothing, the window's columns, all of its cells

# A table of integers tells the kernel about a layer: its sizes, how planes are padded and cells laid out, then where
# other tables stand among the maps.
(
    HEIGHT, WIDTH, VOLUME, KERNEL_DEPTH, KERNEL_CELLS, CHANNELS, BLOCK_INPUTS, SAMPLE_STEP,
    DEPTH_GAP, ROW_REACH, ROW_STEP, COLUMN_REACH, COLUMN_STEP, BEFORE, BORDERED, PHASES, PITCH, PHASE,
    LAYOUT, CELL_COUNT, CELL_STEP, APART, LINE_STEP, OUT_WIDTH, OUT_VOLUME, OUT_SAMPLE_STEP, LARGE,
    ROW_MAP, ZERO_MAP, LEFT_MAP, RIGHT_MAP, CELL_MAP,
) = range(32)  # fmt: skip

# Another has a row for each block: where its input starts in x and in the maps, its size, where its outputs go.
START, DEPTH_START, ROW_START, COLUMN_START, SAMPLES, ROWS, WIDE, OUTPUTS, CHANNEL, TO, BLOCK = range(11)
