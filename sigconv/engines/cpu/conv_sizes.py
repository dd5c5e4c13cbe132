"""What a layer's kernel and whoever calls it agree on."""

BLOCK_CHANNELS = 8  # output channels that share what they read
BLOCK_COLUMNS = {64: 3, 32: 1, 16: 1}  # by the bytes of a register: how many of them each channel of a block fills
DIRECT, COLUMNS, CELLS = range(3)  # what is laid out side by side: nothing, the window's columns, all of its cells

# A table of integers tells the kernel about a layer; these are the places in it. Axes are depth, rows, columns.
(
    SAMPLES, GROUPS, CHANNELS, OUTPUTS, HEIGHT, WIDTH, VOLUME, OUT_DEPTH, OUT_HEIGHT, OUT_WIDTH,
    KERNEL_DEPTH, KERNEL_HEIGHT, KERNEL_WIDTH, DEPTH_STEP, ROW_STEP, COLUMN_STEP, DEPTH_GAP, ROW_GAP, COLUMN_GAP,
    BEFORE, JOINED, BLOCK_HEIGHT, BLOCK_WIDTH, BLOCK_INPUTS, BLOCK_OUTPUTS, PITCH, PHASE, LAYOUT, APART,
    ROW_MAP, COLUMN_MAP, FACTS,
) = range(32)  # fmt: skip
