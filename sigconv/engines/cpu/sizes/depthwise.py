"""What the kernels of small windows and whoever calls them agree on."""

# Kernels by the rows and columns of a window and by how many cells it moves.
WINDOWS = {(3, 1): "three", (3, 2): "three_by_two", (5, 1): "five", (5, 2): "five_by_two"}
COLUMNS = {64: 2, 32: 1, 16: 1}  # vectors of outputs that go down a plane side by side, by the bytes of a register

# A table of integers tells a kernel about a layer: planes of the input and how many numbers they are apart, those of
# the output, the cells before the first, the window's depth, the channels and outputs of a group, the groups and the
# rows of a band.
(
    DEPTH, HEIGHT, WIDTH, AREA, OUT_DEPTH, OUT_HEIGHT, OUT_WIDTH, OUT_AREA, FRONT, TOP, LEFT,
    KERNEL_DEPTH, DEPTH_STEP, DEPTH_GAP, CHANNELS, OUTPUTS, GROUPS, BAND,
) = range(18)  # fmt: skip
