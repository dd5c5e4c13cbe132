"""What a running filter and whoever calls it must agree on."""

# What a table of integers tells a running filter: sizes, steps and places, then its tables of rows and of row ends.
(
    PLANES, PLANE, PITCH, AT, TO, BAND, DOWN, SEEN, LEFT,
    RIGHT, ALONG, STEP, OUT, LINE, START, COUNT, FORM,
    HEADER,
) = range(18)  # fmt: skip
CONSTANT = -(2**62)  # in place of a number of a row
TILE = 256  # bytes of the largest tile at least
