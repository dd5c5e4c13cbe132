"""What a running filter and whoever calls it must agree on."""

# What a table of integers tells: the input's steps and place; planes, rows of a band, the windows' cells down and
# along and the step along; numbers read of a row, beside them and made of them; the output's steps and place; numbers
# in a row of scratch and before the first; what sums are divided by, and whether bytes are wanted. Then come the tables
# of rows and of row ends.
(
    PLANE, PITCH, AT, PLANES, BAND, DOWN, ALONG, STEP, SEEN, LEFT, RIGHT, OUT, OUT_PLANE, OUT_PITCH, TO, LINE, START,
    COUNT, FORM, HEADER,
) = range(20)  # fmt: skip
CONSTANT = -(2**62)  # in place of a number of a row
TILE = 256  # bytes of the largest tile at least
