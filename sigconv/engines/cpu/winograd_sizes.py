"""What the kernels of layers with fewer multiplications and whoever calls them agree on."""

KERNEL = 3  # rows and columns of the window
TILE = 2  # rows and columns of outputs that are computed together
SEEN = TILE + KERNEL - 1  # rows and columns of input that they see
KINDS = SEEN * SEEN  # products of a tile, for each input channel and output channel
TOGETHER = 8  # output channels whose weights lie side by side

# A table of integers tells the kernel about a layer.
(
    HEIGHT, WIDTH, SAMPLE_STEP, CHANNELS, CHUNK, BEFORE, BORDERED, LEFT_MAP, RIGHT_MAP, PITCH, PHASE,
    APART, KIND_STEP, TILE_ROWS, OUT_HEIGHT, OUT_WIDTH, OUT_SAMPLE_STEP, PIECES, INPUTS_READY, WEIGHTS_READY,
) = range(20)  # fmt: skip

# Another has a row for each block: its first row of tiles, counted through all samples, its first column of tiles, how
# many there are of both; where its input channels start in a sample; its output channels; where what is made beforehand
# of inputs and of weights stands.
FIRST, COLUMN, ROWS, WIDE, START, CHANNEL, OUTPUTS, INPUTS, WEIGHTS, BLOCK = range(10)
