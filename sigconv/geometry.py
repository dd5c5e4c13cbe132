"""Where windows stand: sizes, paddings and strides of convolutions and pools, in integers; no array is touched.

A kernel's window spans ``dilation * (kernel - 1) + 1`` cells of its axis and moves by ``stride``. Sizes, kernels and
the rest are one number for all axes or one for each; the axes are the spatial ones, channels are not among them.
Padding is

- a number, or one for each axis, added at both ends,
- a (lo, hi) pair for each axis, both less than the window spans: ``((0, 1),)`` for one axis,
- "valid": none,
- "same": whatever gives ceil(n / stride) windows, half at each end and an odd cell at the end; "same_lower" has it at
  the start.
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

from sigconv.checks import choice, whole_number

_SAME = ("same", "same_lower")
PADDINGS = ("valid", *_SAME)

Ints = int | Sequence[int]
Padding = int | str | Sequence[int] | Sequence[Sequence[int]]


class Slide(NamedTuple):
    """How a window slides over ``size`` cells of input: padding at both ends, and cells of output, along each axis.

    Output ``o`` of a convolution or a pool and the kernel's cell ``j`` meet at input ``o * stride + j * dilation -
    before``. A transposed convolution goes the other way: input ``i`` and cell ``j`` meet at output ``i * stride +
    j * dilation - before``, and output beyond the last window makes ``after`` negative.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    output: tuple[int, ...]


def output_size(n: Ints, kernel: Ints, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1) -> Any:
    """How many outputs a convolution has along each axis.

    ``floor((n + lo + hi - dilation * (kernel - 1) - 1) / stride) + 1``, as ``torch.nn.Conv2d`` has it; `pooling` and
    `transposed` know theirs.

    Parameters
    ----------
    n, kernel, stride, padding, dilation
        As in `convolution`.

    Returns
    -------
    int or tuple of int
        As ``n`` is.

    Raises
    ------
    ValueError, TypeError
        As in `convolution`.

    Examples
    --------
    A picture of 227 x 227 under a kernel of 11 x 11 that moves by 4, and one of 32 x 32 with a rim of one cell:

    >>> output_size((227, 227), 11, 4)
    (55, 55)
    >>> output_size((32, 32), 5, stride=2, padding=1)
    (15, 15)
    >>> output_size(10, 3, stride=3, padding="same")
    4
    """
    output = convolution(n, kernel, stride, padding, dilation).output
    return output if isinstance(n, Iterable) else output[0]


def convolution(n: Ints, kernel: Ints, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1) -> Slide:
    """How a convolution's kernel slides; `output_size` has the formula.

    Numbers mean what they mean to ``torch.nn.functional.conv2d``; "same" is SAME in TensorFlow and SAME_UPPER in ONNX,
    "same_lower" is ONNX's SAME_LOWER.

    Parameters
    ----------
    n : int or sequence of int
        Cells of the input along each axis, at least 1. Its length is the number of axes.
    kernel, stride, dilation : int or sequence of int
        At least 1.
    padding : int, str, sequence of int, or sequence of (int, int)
        As the module's page has it; a number may be any from 0.

    Returns
    -------
    Slide

    Raises
    ------
    ValueError, TypeError
        For a number out of its range or not whole, for the wrong number of axes, and for a kernel that spans more than
        the padded input.

    Examples
    --------
    >>> convolution(8, 4, stride=2, padding="same")
    Slide(size=(8,), kernel=(4,), stride=(2,), dilation=(1,), before=(1,), after=(1,), output=(4,))
    >>> convolution(4, 3, dilation=2)
    Traceback (most recent call last):
    ValueError: kernel must span at most 4 cells on axis 0, got 5: 3 dilated by 2
    """
    return _slide(n, kernel, stride, padding, dilation)


def pooling(
    n: Ints, kernel: Ints, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1, ceil_mode: bool = False
) -> Slide:
    """How a pool's window slides.

    The output size is the convolution's; with ``ceil_mode`` it is rounded up, and a window that starts at or past
    ``n + lo`` is dropped. Rules and limits are those of ``torch.nn.functional.max_pool2d``.

    Parameters
    ----------
    n, kernel, dilation : int or sequence of int
        As in `convolution`.
    stride : int or sequence of int, optional
        The kernel, where none is given.
    padding : int, str, sequence of int, or sequence of (int, int)
        As the module's page has it; a number must be at most half the kernel, rounded down.
    ceil_mode : bool

    Returns
    -------
    Slide

    Raises
    ------
    ValueError, TypeError
        As in `convolution`.

    Examples
    --------
    >>> pooling((5, 5), 2).output, pooling((5, 5), 2, ceil_mode=True).output
    ((2, 2), (3, 3))
    """
    return _slide(n, kernel, kernel if stride is None else stride, padding, dilation, pool=True, ceil_mode=ceil_mode)


def transposed(
    n: Ints, kernel: Ints, stride: Ints = 1, padding: Padding = 0, output_padding: Ints = 0, dilation: Ints = 1
) -> Slide:
    """How a transposed convolution's kernel slides over its output.

    The output size is ``(n - 1) * stride - lo - hi + dilation * (kernel - 1) + 1 + output_padding``, as
    ``torch.nn.ConvTranspose2d`` has it, and ``n * stride`` for "same" and "same_lower", as ONNX's ConvTranspose. With
    an ``output_padding`` of ``(n + lo + hi - dilation * (kernel - 1) - 1) % stride`` it is the size that a convolution
    of ``n`` cells came from.

    Parameters
    ----------
    n, kernel, stride, dilation : int or sequence of int
        As in `convolution`.
    padding : int, str, sequence of int, or sequence of (int, int)
        As the module's page has it: what is cut off the output.
    output_padding : int or sequence of int
        Cells more at the end, fewer than the larger of stride and dilation.

    Returns
    -------
    Slide

    Raises
    ------
    ValueError, TypeError
        As in `convolution`, and where the padding leaves no output.

    Examples
    --------
    >>> transposed(15, 5, stride=2, padding=1, output_padding=1).output
    (32,)
    >>> transposed((4, 6), 3, stride=2, padding="same").output
    (8, 12)
    """
    rows = []
    windows = _windows(n, kernel, stride, dilation)
    extras = per_axis("output_padding", output_padding, len(windows), 0)
    for axis, (window, entry, extra) in enumerate(zip(windows, _entries(padding, len(windows)), extras, strict=True)):
        cells, width, step, gap = window
        if extra >= max(step, gap):
            raise ValueError(
                f"output_padding must be in [0, {max(step, gap) - 1}] on axis {axis}, less than stride {step} or "
                f"dilation {gap}, got {extra}"
            )
        span = effective_kernel(width, gap)
        full = (cells - 1) * step + span
        lo, hi = _ends(entry, span, span - step + extra)
        output = cells * step if entry[1] in _SAME else full - lo - hi + extra
        if output < 1:
            raise ValueError(
                f"padding must be less than the {full + extra} cells of output on axis {axis}, got {lo} + {hi}"
            )
        rows.append((*window, lo, full - lo - output, output))
    return Slide(*zip(*rows, strict=True))


class ReceptiveField(NamedTuple):
    """What one output of a chain of layers sees of the first layer's input: ints, or tuples with one for each axis.

    Output ``o`` sees the ``size`` cells from ``start + o * stride``.
    """

    size: Any
    stride: Any
    start: Any


def receptive_field(layers: Iterable[Any]) -> ReceptiveField:
    """What one output of a chain of convolutions and pools sees of its input.

    With each layer, from the first on: ``start -= lo * stride``, ``size += dilation * (kernel - 1) * stride``, and
    ``stride`` is multiplied by the layer's (A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of Convolutional
    Neural Networks", Distill, 2019).

    Parameters
    ----------
    layers : sequence of int or tuple
        First layer first: a kernel, or (kernel, stride, padding, dilation) with the later ones optional, each as in
        `convolution`. "same" depends on the input's size where the stride is not 1, and is refused there: give the
        (lo, hi) that its `convolution` has.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    ValueError, TypeError
        As in `convolution`, named by the layer.

    Examples
    --------
    Two kernels of 3 see as much as one of 5:

    >>> receptive_field([3, 3])
    ReceptiveField(size=5, stride=1, start=0)
    >>> receptive_field([(11, 4), (3, 2), (5, 1, 2), (3, 2)])
    ReceptiveField(size=67, stride=16, start=-16)
    """
    chain = [tuple(layer) if _many(layer) else (layer,) for layer in layers]
    counts = [_axes(value) for layer in chain for value in layer if _many(value)]
    seen = [(1, 1, 0)] * (counts[0] if counts else 1)
    for number, layer in enumerate(chain):
        if not 1 <= len(layer) <= 4:
            raise ValueError(f"layers[{number}] must be (kernel, stride, padding, dilation) or less, got {layer!r:.80}")
        try:
            seen = _behind(seen, *layer)
        except (ValueError, TypeError) as error:
            raise type(error)(f"layers[{number}]: {error}") from None
    return ReceptiveField(*zip(*seen, strict=True)) if counts else ReceptiveField(*seen[0])


def parameter_count(in_channels: int, out_channels: int, kernel: Ints, groups: int = 1, bias: bool = True) -> int:
    """How many numbers a convolution learns.

    ``out_channels * (in_channels / groups * prod(kernel) + bias)``, as ``torch.nn.Conv2d`` and its transpose have it.

    Parameters
    ----------
    in_channels, out_channels : int
        Multiples of ``groups``.
    kernel : int or sequence of int
        One number for each axis; an int is a kernel of one axis.
    groups : int
    bias : bool
        Whether every output channel adds a number of its own.

    Returns
    -------
    int

    Raises
    ------
    ValueError, TypeError
        For a number below 1 or not whole, and channels that are no multiple of groups.

    Examples
    --------
    20 filters of 5 x 5 on three channels; a dense layer is a filter as large as its input, here 32 x 32:

    >>> parameter_count(3, 20, (5, 5))
    1520
    >>> parameter_count(3, 1, (32, 32), bias=False)
    3072
    """
    groups = whole_number("groups", groups, 1)
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
        if whole_number(name, value, 1) % groups:
            raise ValueError(f"{name} must be a multiple of groups, {groups}, got {value}")
    cells = prod(per_axis("kernel", kernel, _axes(kernel)))
    return int(out_channels) * (int(in_channels) // groups * cells + bool(bias))


def effective_kernel(kernel: int, dilation: int = 1) -> int:
    """How many cells a kernel spans along an axis."""
    return dilation * (kernel - 1) + 1


def per_axis(name: str, value: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """One whole number of at least ``least`` for each axis, from one for all or a sequence with one for each."""
    if not _many(value):
        return (whole_number(name, value, least),) * axes
    numbers = tuple(value)
    if len(numbers) != axes:
        raise ValueError(f"{name} must be a whole number or a sequence of {axes}, one for each axis, got {value!r:.80}")
    return tuple(whole_number(f"{name}[{axis}]", number, least) for axis, number in enumerate(numbers))


def _many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)


def _axes(value: Any) -> int:
    return max(len(tuple(value)), 1) if _many(value) else 1


def _windows(n: Any, kernel: Any, stride: Any, dilation: Any) -> list[tuple[int, int, int, int]]:
    """Size, kernel, stride and dilation of each axis."""
    named = (("n", n), ("kernel", kernel), ("stride", stride), ("dilation", dilation))
    return list(zip(*(per_axis(name, value, _axes(n)) for name, value in named), strict=True))


def _entries(padding: Any, axes: int) -> list[tuple[str, Any]]:
    """What each axis is padded with, a word, a number or a pair, and what errors call it."""
    if isinstance(padding, str):
        choice("padding", padding, PADDINGS)
    if not _many(padding):
        return [("padding", padding)] * axes
    entries = list(padding)
    if len(entries) != axes or any(isinstance(e, str) or (_many(e) and len(tuple(e)) != 2) for e in entries):
        raise ValueError(
            f"padding must be one of {', '.join(map(repr, PADDINGS))}, a whole number, or a sequence of {axes}, "
            f"a whole number or a (lo, hi) pair for each axis, got {padding!r:.80}"
        )
    return [(f"padding[{axis}]", tuple(entry) if _many(entry) else entry) for axis, entry in enumerate(entries)]


def _ends(named: tuple[str, Any], span: int, same: int, most: int | None = None) -> tuple[int, int]:
    """Padding before and after, where "same" adds so many cells, if any, and a number may be as large as ``most``."""
    name, entry = named
    if isinstance(entry, str):
        cells = 0 if entry == "valid" else max(same, 0)
        less, more = cells // 2, cells - cells // 2
        return (more, less) if entry == "same_lower" else (less, more)
    lo, hi = per_axis(name, entry, 2, 0)
    limit = span - 1 if _many(entry) else most
    if limit is not None and max(lo, hi) > limit:
        why = "less than the kernel spans" if _many(entry) else "half the kernel"
        raise ValueError(f"{name} must be in [0, {limit}], {why}, got {entry!r}")
    return lo, hi


def _slide(
    n: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, pool: bool = False, ceil_mode: bool = False
) -> Slide:
    rows = []
    windows = _windows(n, kernel, stride, dilation)
    for axis, (window, entry) in enumerate(zip(windows, _entries(padding, len(windows)), strict=True)):
        cells, width, step, gap = window
        span = effective_kernel(width, gap)
        same = (-(-cells // step) - 1) * step + span - cells
        lo, hi = _ends(entry, span, same, width // 2 if pool else None)
        room = lo + cells + hi + (step - 1 if ceil_mode else 0)
        if span > room:
            raise ValueError(
                f"kernel must span at most {room} cells on axis {axis}, got {span}: {width} dilated by {gap}"
            )
        last = (room - span) // step
        dropped = ceil_mode and last * step >= cells + lo
        rows.append((*window, lo, hi, last + 1 - dropped))
    return Slide(*zip(*rows, strict=True))


def _behind(
    seen: list[tuple[int, int, int]], kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> list[tuple[int, int, int]]:
    """What is seen through one layer more: size, stride and start along each axis."""
    axes = len(seen)
    windows = _windows((1,) * axes, kernel, stride, dilation)
    further = []
    for (size, jump, start), window, entry in zip(seen, windows, _entries(padding, axes), strict=True):
        _, width, step, gap = window
        if entry[1] in _SAME and step > 1:
            raise ValueError(f"padding must be numbers where the stride is {step}, got {padding!r}, which needs a size")
        span = effective_kernel(width, gap)
        lo, _ = _ends(entry, span, span - 1)
        further.append((size + (span - 1) * jump, jump * step, start - lo * jump))
    return further
