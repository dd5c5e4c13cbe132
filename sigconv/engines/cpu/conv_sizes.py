"""What a layer's kernel and whoever calls it agree on."""

BLOCK_CHANNELS = 8  # output channels that share what they read
BLOCK_COLUMNS = {64: 3, 32: 1, 16: 1}  # by the bytes of a register: how many of them each channel of a block fills
DIRECT, COLUMNS, CELLS = range(3)  # what is laid out side by side: nothing, the window's columns, all of its cells

# A table of integers tells the kernel about a layer: sizes of the arrays, of the window and of the blocks, then where
# other tables stand among the maps. Axes are depth, rows, columns; channels and outputs are those of a group.
(
    SAMPLES, GROUPS, CHANNELS, OUTPUTS, HEIGHT, WIDTH, VOLUME, OUT_DEPTH, OUT_HEIGHT, OUT_WIDTH,
    KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, DEPTH_STEP, ROW_STEP, COLUMN_STEP, DEPTH_GAP, ROW_GAP, COLUMN_GAP,
    JOINED, BLOCK_HEIGHT, BLOCK_WIDTH, BLOCK_INPUTS, BLOCK_OUTPUTS,
    LAYOUT, BEFORE, PHASES, PITCH, PHASE, CELL_COUNT, CELL_STEP, APART,
    ROW_MAP, ZERO_MAP, LEFT_MAP, RIGHT_MAP, CELL_MAP, FACTS,
) = range(38)  # fmt: skip
