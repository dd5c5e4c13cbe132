"""What a layer's kernel and whoever calls it agree on."""

BLOCK_CHANNELS = 8  # output channels that share what they read
BLOCK_COLUMNS = {64: 3, 32: 1, 16: 1}  # by the bytes of a register: how many of them each channel of a block fills
SHARED_ROWS, SHARED_COLUMNS = 3, 3  # output rows, and vectors of them, that share what they read
SHARED_CELLS = 3  # rows and columns of a window that is small enough for that
# What is laid out side by side: nothing, the window's columns, all of its cells; or nothing, and output rows share.
DIRECT, COLUMNS, CELLS, SHARED = range(4)

# A table of integers tells the kernel about a layer: its sizes, how planes are padded and cells laid out, then where
# other tables stand among the maps.
(
    HEIGHT, WIDTH, VOLUME, KERNEL_DEPTH, KERNEL_CELLS, CHANNELS, BLOCK_INPUTS, SAMPLE_STEP,
    DEPTH_GAP, ROW_REACH, ROW_STEP, COLUMN_REACH, COLUMN_STEP, BEFORE, BORDERED, PHASES, PITCH, PHASE,
    LAYOUT, CELL_COUNT, CELL_STEP, APART, LINE_STEP, OUT_WIDTH, OUT_VOLUME, OUT_SAMPLE_STEP,
    ROW_MAP, ZERO_MAP, LEFT_MAP, RIGHT_MAP, CELL_MAP,
) = range(31)  # fmt: skip

# Another has a row for each block: where its input starts in x and in the maps, its size, where its outputs go.
START, DEPTH_START, ROW_START, COLUMN_START, SAMPLES, ROWS, WIDE, OUTPUTS, CHANNEL, TO, BLOCK = range(11)
