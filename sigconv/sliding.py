"""A window over an N-D array in integers: along each axis its cells, how it moves, and where it begins."""

from dataclasses import dataclass, replace

from sigconv.geometry import effective_kernel


@dataclass(frozen=True)
class Sliding:
    """How a window slides over an array; axes it does not extend over have a kernel of 1.

    Output ``o`` and the window's cell ``j`` meet at input ``o * stride + j * dilation - before`` of each axis.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    output: tuple[int, ...]

    def span(self, axis: int) -> int:
        """Cells of the axis that one window spans."""
        return effective_kernel(self.kernel[axis], self.dilation[axis])

    def seen(self, axis: int) -> int:
        """Cells of the bordered axis that all windows see."""
        return (self.output[axis] - 1) * self.stride[axis] + self.span(axis) if self.output[axis] else 0

    def along(self, axis: int, **changed: int) -> "Sliding":
        """The same with other numbers along one axis."""
        parts = {name: _with(getattr(self, name), axis, value) for name, value in changed.items()}
        return replace(self, **parts)


def _with(numbers: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*numbers[:axis], value, *numbers[axis + 1 :])
