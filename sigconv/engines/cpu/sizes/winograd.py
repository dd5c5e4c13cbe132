"""What the kernels of layers with fewer multiplications and whoever calls them agree on."""

TILE = 2  # rows and columns of outputs that are computed together
TAPS = 3  # cells along an axis of the largest part of a window
SEEN = TILE + TAPS - 1  # rows and columns of input that they see
KINDS = SEEN * SEEN  # sums of products of a tile, for each output channel
TOGETHER = 8  # output channels whose weights lie side by side

# A table of integers tells the kernel about a layer, and where other tables stand among the maps.
(
    HEIGHT, WIDTH, SAMPLE_STEP, CHANNELS, PARTS, CELLS, ROW_TAP_STEP, COLUMN_TAP_STEP, BEFORE, BORDERED, PITCH, PHASE,
    APART, KIND_STEP, TILE_ROWS, OUT_HEIGHT, OUT_WIDTH, OUT_SAMPLE_STEP, PIECES, INPUTS_READY, WEIGHTS_READY, CHUNKS,
    LEFT_MAP, RIGHT_MAP, PART_MAP, CHUNK_MAP,
) = range(26)  # fmt: skip

# A part is a channel as some cells of the window see it: its place in a sample, where its rows come from, its first
# column, its first weight, and how many rows and columns of cells it has.
PLANE, ROW_MAP, FIRST_COLUMN, FIRST_CELL, TALL, BROAD, PART = range(7)

# Parts that are summed together: the first, and how many. All are as tall and as broad.
FIRST_PART, PART_COUNT, CHUNK = range(3)

# Another table has a row for each block: its first row of tiles, counted through all samples, its first column of
# tiles, how many there are of both; where its input channels start in a sample; its output channels; where what is
# made beforehand of inputs and of weights stands.
FIRST, COLUMN, ROWS, WIDE, START, CHANNEL, OUTPUTS, INPUTS, WEIGHTS, BLOCK = range(10)
