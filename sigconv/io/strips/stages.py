"""Chains of filters over bands of rows: which rows each stage is given so that every pixel is the whole image's.

A stage is a function of arrays and the rows that one of its outputs sees. A band is filtered together with the rows it
sees around it, and what those became is cut off. At the image's own top and bottom the band ends where the image ends,
so that the function's own border does there what it does for a whole image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm, prod

import numpy as np

from sigconv.errors import SigconvError

Span = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """A function of arrays whose output row o sees ``size`` rows of its input from ``o * stride - padding[0]`` on.

    Parameters
    ----------
    apply : callable
        Takes rows of an image, gives the rows of the result: each must depend on the rows it sees alone.
    size, stride : int
        Rows that one output sees, and rows from one output to the next.
    padding : (int, int)
        Rows that the function adds above and below: its border, or a pool's padding.
    align : int
        Rows from which on the function's arithmetic is the same again: sums of float rows are made of blocks as long as
        the window, and round as in the whole image where a band begins with a block.
    whole : str, optional
        Why it needs the image in one piece, where it does: "edges are followed over the whole image".

    Examples
    --------
    >>> blur = Stage.around(lambda rows: rows, 3)
    >>> blur.size, blur.padding, blur.height(100)
    (7, (3, 3), 100)
    """

    apply: Callable[[np.ndarray], np.ndarray]
    size: int = 1
    stride: int = 1
    padding: Span = (0, 0)
    align: int = 1
    whole: str | None = None

    @classmethod
    def around(
        cls,
        apply: Callable[[np.ndarray], np.ndarray],
        above: int,
        below: int | None = None,
        *,
        stride: int = 1,
        align: int = 1,
    ) -> "Stage":
        """A filter that sees some rows above and below each, at every row or every ``stride``-th."""
        below = above if below is None else below
        return cls(apply, above + 1 + below, stride, (above, below), align)

    def height(self, rows: int) -> int:
        """Rows of the result of an image of so many rows."""
        return max((rows + sum(self.padding) - self.size) // self.stride + 1, 0)

    def sees(self, low: int, high: int, rows: int) -> Span:
        """Rows of the input, ``rows`` of them in all, from which outputs low to high come right.

        The first is a multiple of the stride and of ``align``. A border looks back into the image, so a band that ends
        where the image ends holds at least as many rows as the border is deep.
        """
        above, below = self.padding
        step = lcm(self.stride, self.align)
        first = max(low * self.stride - above, 0) // step * step
        last = min(max((high - 1) * self.stride - above + self.size, 1), rows)
        for _ in range(2):  # either end may reach the other
            if last == rows:
                first = min(first, max(rows - 1 - below, 0) // step * step)
            if first == 0:
                last = max(last, min(above + 1, rows))
        return first, last


@dataclass(frozen=True)
class Chain:
    """Stages, each fed with what the one before it gives, over an image of so many rows.

    Examples
    --------
    >>> chain = Chain([Stage.around(abs, 2), Stage(abs, 2, 2)], 10)
    >>> chain.heights, chain.spans(1, 2)
    ([10, 10, 5], [(0, 6), (2, 4), (1, 2)])
    """

    stages: Sequence[Stage]
    rows: int

    @property
    def heights(self) -> list[int]:
        """Rows of the image and of each stage's result."""
        found = [self.rows]
        for stage in self.stages:
            found.append(stage.height(found[-1]))
        return found

    @property
    def reach(self) -> int:
        """Rows of the image, at most, that a band needs beside those that its outputs stand for."""
        extra = 0
        for stage in reversed(self.stages):
            extra = extra * stage.stride + stage.size + lcm(stage.stride, stage.align) - 2
        return extra

    @property
    def stride(self) -> int:
        """Rows of the image to one row of the result."""
        return prod(stage.stride for stage in self.stages)

    def spans(self, low: int, high: int) -> list[Span]:
        """The rows of the image, and of each stage's result, that output rows low to high come from."""
        found = [(low, high)]
        for stage, rows in zip(reversed(self.stages), self.heights[-2::-1], strict=True):
            found.append(stage.sees(*found[-1], rows))
        return found[::-1]

    def run(self, band: np.ndarray, spans: Sequence[Span]) -> np.ndarray:
        """The output rows of ``spans``, from the image's rows of ``spans``."""
        for stage, (first, _), (low, high) in zip(self.stages, spans[:-1], spans[1:], strict=True):
            skip = low - first // stage.stride
            result = stage.apply(band)
            band = result[skip : skip + high - low]
            if len(band) != high - low:
                raise SigconvError(f"a stage gave {len(result)} rows where {skip + high - low} were due")
        return band
