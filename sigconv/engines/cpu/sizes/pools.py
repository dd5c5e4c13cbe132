"""What the kernels of pools and their caller agree on."""

from typing import NamedTuple

WIDE = 10  # windows of so many columns share what they have in common
SLACK = 16  # vectors that a line must be longer than its cells
BLOCK = 2**14  # cells whose sum is made in their own precision; blocks are summed in float64
PART = 2**16  # cells of an image that numbers are sent to at a time: they stay in cache
INDICES = 2**12  # places whose lowest and highest tell which parts they are in
NOWHERE = 2**62  # the place of a cell of the border


class Plan(NamedTuple):
    """The whole numbers of a pool of one axis or several, in the order in which kernels read them."""

    width: int  # cells of a row, of a plane, of an image
    plane: int
    image: int
    deep: int  # outputs of an image along each axis
    high: int
    wide: int
    step_d: int  # how far a window's neighbours along each axis are apart
    step_h: int
    step_w: int
    kernel: int  # along a row
    stride: int
    before: int
    block: int  # outputs of a row that are worked on together
    listed: bool  # the windows along a row are those listed, not those of kernel, stride and before
    expand: int  # so far apart a row's cells are laid out before windows go over them
    power: int
