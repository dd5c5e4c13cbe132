"""What sums of dot products and whoever calls them agree on."""

# By the bytes of a register, and whether outputs stand alone in their groups: outputs x taps of a tile of sums.
DOT_SHAPES = {
    (64, False): (4, 6), (32, False): (2, 4), (16, False): (2, 4),
    (64, True): (1, 9), (32, True): (1, 9), (16, True): (1, 9),
}  # fmt: skip

# A table of integers; these are the places in it. The last three say where its own tables begin: where each row of
# padded planes comes from, where each row of outputs begins in them, and where each tap stands from there.
(
    IMAGES, CHANNELS, OUTPUTS, TAPS, IMAGE, VOLUME, GRAD_IMAGE, PIXELS, ROWS, ROW_STEP, PHASE, STRIDE, LEFT, FIRST,
    COPIED, RUNS, COLUMNS, OF_SOURCES, OF_BASES, OF_PLACES, FACTS,
) = range(21)  # fmt: skip
