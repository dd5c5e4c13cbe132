"""Geometry: sizes against torch over drawn layers, paddings and fields of view against definitions, every error."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigconv.geometry import (
    Slide,
    convolution,
    effective_kernel,
    output_size,
    parameter_count,
    per_axis,
    pooling,
    receptive_field,
    transposed,
)

try:
    import torch
    from torch.nn import functional
except ImportError:
    torch = functional = None

with_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")

few = st.integers(1, 5)
sizes = st.integers(1, 40)


@st.composite
def layers(draw):
    """Sizes of one to three axes, and what a layer says of each: one number, or as many as there are axes."""
    axes = draw(st.integers(1, 3))

    def option(least, most):
        numbers = st.integers(least, most)
        return draw(st.one_of(numbers, st.tuples(*[numbers] * axes)))

    n = tuple(draw(st.lists(st.integers(1, 11), min_size=axes, max_size=axes)))
    return n, option(1, 4), option(1, 4), option(0, 3), option(1, 3)


def same_answer(ours, theirs):
    """Our sizes are theirs, and where they refuse or leave nothing, we refuse."""
    try:
        expected = tuple(theirs().shape[2:])
    except (RuntimeError, ValueError):
        expected = (0,)
    if all(expected):
        assert ours().output == expected
    else:
        with pytest.raises(ValueError, match=r"^(kernel|padding(\[\d\])?|output_padding) must "):
            ours()


def kernel_shape(kernel, axes):
    return (kernel,) * axes if isinstance(kernel, int) else kernel


# ---- against torch ------------------------------------------------------------------------------------------------


@with_torch
@given(layer=layers())
def test_convolutions_of_torch(layer):
    n, kernel, stride, padding, dilation = layer
    x, weight = torch.zeros(1, 1, *n), torch.zeros(1, 1, *kernel_shape(kernel, len(n)))
    conv = getattr(functional, f"conv{len(n)}d")
    same_answer(
        lambda: convolution(n, kernel, stride, padding, dilation),
        lambda: conv(x, weight, None, stride, padding, dilation),
    )


@with_torch
@given(layer=layers(), extra=st.integers(0, 3))
def test_transposed_convolutions_of_torch(layer, extra):
    n, kernel, stride, padding, dilation = layer
    x, weight = torch.zeros(1, 1, *n), torch.zeros(1, 1, *kernel_shape(kernel, len(n)))
    conv = getattr(functional, f"conv_transpose{len(n)}d")
    same_answer(
        lambda: transposed(n, kernel, stride, padding, extra, dilation),
        lambda: conv(x, weight, None, stride, padding, extra, 1, dilation),
    )


@with_torch
@given(layer=layers(), ceil_mode=st.booleans())
def test_pools_of_torch(layer, ceil_mode):
    n, kernel, stride, padding, dilation = layer
    x, axes = torch.zeros(1, 1, *n), len(n)
    largest, mean = (getattr(functional, f"{name}_pool{axes}d") for name in ("max", "avg"))
    same_answer(
        lambda: pooling(n, kernel, stride, padding, dilation, ceil_mode),
        lambda: largest(x, kernel, stride, padding, dilation, ceil_mode),
    )
    same_answer(lambda: pooling(n, kernel, ceil_mode=ceil_mode), lambda: largest(x, kernel, ceil_mode=ceil_mode))
    if axes < 3:  # avg_pool3d refuses inputs smaller than the kernel before they are padded
        same_answer(
            lambda: pooling(n, kernel, stride, padding, ceil_mode=ceil_mode),
            lambda: mean(x, kernel, stride, padding, ceil_mode),
        )


@with_torch
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@given(n=sizes, kernel=few, dilation=few)
def test_same_of_torch(n, kernel, dilation):
    x, weight = torch.arange(1.0, n + 1)[None, None], torch.arange(1.0, kernel + 1)[None, None]
    slide = convolution(n, kernel, 1, "same", dilation)
    padded = functional.pad(x, (*slide.before, *slide.after))
    found = functional.conv1d(padded, weight, dilation=dilation)
    assert torch.equal(found, functional.conv1d(x, weight, padding="same", dilation=dilation))


@with_torch
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel", [(3,), (3, 5), (1, 2, 3)])
def test_parameters_of_torch(kernel, groups, bias):
    for name in ("Conv", "ConvTranspose"):
        layer = getattr(torch.nn, f"{name}{len(kernel)}d")(4, 6, kernel, groups=groups, bias=bias)
        assert parameter_count(4, 6, kernel, groups, bias) == sum(p.numel() for p in layer.parameters())


@with_torch
def test_dense_layers_of_torch():
    dense = torch.nn.Linear(32 * 32 * 3, 10)
    assert parameter_count(3, 10, (32, 32)) == sum(p.numel() for p in dense.parameters())


# ---- worked examples ----------------------------------------------------------------------------------------------


def test_layers_worked_by_hand():
    assert (*output_size((227, 227), 11, 4), 96) == (55, 55, 96)
    assert (*output_size((32, 32), 5, 2, 1), 20) == (15, 15, 20)
    assert parameter_count(3, 20, (5, 5)) == 1520
    assert parameter_count(3, 1, (32, 32), bias=False) == 3072
    assert parameter_count(96, 96, 3, groups=96, bias=False) == 3 * 96
    assert effective_kernel(5, 3) == 13 and effective_kernel(1, 9) == 1


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "ends", "output"),
    [(224, 7, 2, (2, 3), 112), (5, 2, 1, (0, 1), 5), (10, 3, 3, (1, 1), 4), (8, 2, 4, (0, 0), 2), (6, 3, 2, (0, 1), 3)],
)
def test_same_with_a_stride(n, kernel, stride, ends, output):
    for make in (convolution, pooling):
        upper, lower = (make(n, kernel, stride, padding) for padding in ("same", "same_lower"))
        assert (*upper.before, *upper.after) == (*lower.after, *lower.before) == ends
        assert upper.output == lower.output == (output,)


def test_kinds_of_answer():
    assert output_size(7, 3) == 5 and type(output_size(np.int64(7), np.int32(3))) is int
    assert output_size([7, 8], (3, 1), [2, 1]) == (3, 8)
    assert convolution((9, 9), 3, 2, ((0, 2), (1, 0))) == Slide((9, 9), (3, 3), (2, 2), (1, 1), (0, 1), (2, 0), (5, 4))
    assert convolution((9, 9), 3, padding=(1, (0, 2))) == convolution((9, 9), 3, padding=np.array([[1, 1], [0, 2]]))
    assert all(type(value) is int for column in pooling(np.array([9, 8]), 2) for value in column)
    assert per_axis("stride", (2, 3), 2) == per_axis("stride", np.array([2, 3]), 2) == (2, 3)
    assert per_axis("padding", 0, 3, 0) == (0, 0, 0)
    assert transposed(4, 3, 2, "same", 1)[4:] == ((1,), (0,), (8,))


# ---- definitions --------------------------------------------------------------------------------------------------


def pads(span):
    ends = st.integers(0, span - 1)
    return st.one_of(st.sampled_from(["valid", "same", "same_lower"]), st.tuples(ends, ends).map(lambda pair: (pair,)))


windows = st.tuples(sizes, few, few, few)


@given(window=windows, data=st.data())
def test_outputs_are_the_windows_that_fit(window, data):
    n, kernel, stride, dilation = window
    span = effective_kernel(kernel, dilation)
    padding = data.draw(pads(span))
    try:
        slide = convolution(n, kernel, stride, padding, dilation)
    except ValueError:
        lo, hi = (0, 0) if padding == "valid" else padding[0]
        assert lo + n + hi < span
        return
    (lo,), (hi,) = slide.before, slide.after
    starts = [start for start in range(-lo, n + hi, stride) if start + span <= n + hi]
    assert slide.output == (len(starts),)
    assert slide == pooling(n, kernel, stride, padding, dilation)
    assert all(start < n and start + span > 0 for start in starts)  # no window lies wholly in the padding


@given(window=windows, ceil_mode=st.booleans())
def test_same_gives_one_window_a_stride(window, ceil_mode):
    n, kernel, stride, dilation = window
    upper, lower = (pooling(n, kernel, stride, word, dilation, ceil_mode) for word in ("same", "same_lower"))
    assert upper.output == lower.output == (math.ceil(n / stride),)
    assert upper[4:6] == lower[5:3:-1]
    (lo,), (hi,) = upper.before, upper.after
    assert 0 <= hi - lo <= 1
    span = effective_kernel(kernel, dilation)
    assert lo + hi == 0 or lo + n + hi == (upper.output[0] - 1) * stride + span  # and no cell too many


@given(window=windows, data=st.data())
def test_ceil_mode_covers_the_rest_with_a_window_that_starts_inside(window, data):
    n, kernel, stride, dilation = window
    lo, hi = data.draw(st.tuples(*[st.integers(0, effective_kernel(kernel, dilation) - 1)] * 2))
    span = effective_kernel(kernel, dilation)
    try:
        found = pooling(n, kernel, stride, ((lo, hi),), dilation, ceil_mode=True).output[0]
    except ValueError:
        assert span > lo + n + hi + stride - 1
        return
    starts = [-lo]
    while starts[-1] + span < n + hi:
        starts.append(starts[-1] + stride)
    assert found == len([start for start in starts if start < n])


@given(window=windows, data=st.data())
def test_transposing_undoes_the_size(window, data):
    n, kernel, stride, dilation = window
    span = effective_kernel(kernel, dilation)
    lo, hi = data.draw(st.tuples(*[st.integers(0, span - 1)] * 2))
    if lo + n + hi < span:
        return
    forward = convolution(n, kernel, stride, ((lo, hi),), dilation)
    extra = (n + lo + hi - span) % stride
    back = transposed(forward.output, kernel, stride, ((lo, hi),), extra, dilation)
    assert back.output == (n,)
    assert back.before == forward.before and back.after == (hi - extra,)


@given(window=windows)
def test_transposing_undoes_same(window):
    n, kernel, stride, dilation = window
    for word in ("same", "same_lower"):
        back = transposed(n, kernel, stride, word, dilation=dilation)
        assert back.output == (n * stride,)
        forward = convolution(back.output, kernel, stride, word, dilation)
        assert forward.output == (n,)
        assert forward.before == back.before and forward.after == tuple(max(cells, 0) for cells in back.after)


@given(window=windows, extra=st.integers(0, 4))
def test_transposed_windows_end_where_after_says(window, extra):
    n, kernel, stride, dilation = window
    for padding in ("valid", "same", "same_lower", ((0, 0),)):
        if extra >= max(stride, dilation):
            continue
        slide = transposed(n, kernel, stride, padding, extra, dilation)
        last = (n - 1) * stride + (kernel - 1) * dilation - slide.before[0]
        assert last == slide.output[0] - 1 + slide.after[0]


chains = st.lists(st.tuples(few, few, st.integers(0, 6), few), max_size=5)


@given(chain=chains, o=st.integers(-9, 9))
def test_receptive_fields_are_what_outputs_trace_back_to(chain, o):
    first = last = o
    for kernel, stride, padding, dilation in reversed(chain):
        first = first * stride - padding
        last = last * stride - padding + dilation * (kernel - 1)
    field = receptive_field(chain)
    assert first == field.start + o * field.stride and last == first + field.size - 1


@given(chain=chains, others=chains)
def test_axes_of_a_chain_are_chains_of_their_own(chain, others):
    pairs = [tuple(zip(*both, strict=True)) for both in zip(chain, others, strict=False)]
    if pairs:
        found = receptive_field(pairs)
        one, two = receptive_field(chain[: len(pairs)]), receptive_field(others[: len(pairs)])
        assert found == tuple(zip(one, two, strict=True))


def test_layers_of_a_chain_may_be_short():
    assert receptive_field([]) == (1, 1, 0)
    assert receptive_field([3, (3,), (3, 1), (3, 1, 0), [3, 1, 0, 1]]) == (11, 1, 0)
    assert receptive_field([(3, 1, "same"), (4, 1, "same"), (4, 1, "same_lower"), (2, 2, "valid")]) == (10, 2, -4)
    assert receptive_field([(3, 2, ((0, 1),)), 3]) == ((7,), (2,), (0,))
    assert receptive_field([3, (3, (2, 1), ((1, 1), (0, 2)))]) == ((5, 5), (2, 1), (-1, 0))


# ---- errors -------------------------------------------------------------------------------------------------------

MAKERS = (convolution, pooling, transposed, output_size)


@pytest.mark.parametrize(("make", "name"), list(product(MAKERS, ("n", "kernel", "stride", "dilation"))))
def test_numbers_below_one_and_no_numbers(make, name):
    good = {"n": (9, 9), "kernel": 3}
    for value in (0, -2):
        with pytest.raises(ValueError, match=rf"^{name} must be at least 1, got {value}$"):
            make(**good | {"n": 9} | {name: value})
        with pytest.raises(ValueError, match=rf"^{name}\[1\] must be at least 1, got {value}$"):
            make(**good | {name: (3, value)})
    for value in (2.0, True, "2", None):
        if (make, name, value) == (pooling, "stride", None):
            continue
        with pytest.raises(TypeError, match=rf"^{name} must be a whole number, got {value!r}$"):
            make(**good | {"n": 9} | {name: value})
        with pytest.raises(TypeError, match=rf"^{name}\[0\] must be a whole number, got {value!r}$"):
            make(**good | {name: (value, 3)})
    with pytest.raises(
        ValueError, match=rf"^{name} must be a whole number or a sequence of 1, one for each axis, got "
    ):
        make(**good | {"n": 9} | {name: () if name == "n" else (3, 3)})


@pytest.mark.parametrize("make", MAKERS)
def test_paddings_that_are_none(make):
    words = r"^padding must be one of 'valid', 'same', 'same_lower', got 'full'$"
    with pytest.raises(ValueError, match=words):
        make(9, 3, padding="full")
    with pytest.raises(ValueError, match=r"^padding must be at least 0, got -1$"):
        make(9, 3, padding=-1)
    with pytest.raises(ValueError, match=r"^padding\[1\] must be at least 0, got -1$"):
        make((9, 9), 3, padding=(1, -1))
    with pytest.raises(ValueError, match=r"^padding\[1\]\[0\] must be at least 0, got -1$"):
        make((9, 9), 3, padding=(1, (-1, 0)))
    for value in (1.0, None, True):
        with pytest.raises(TypeError, match=rf"^padding must be a whole number, got {value!r}$"):
            make(9, 3, padding=value)
        with pytest.raises(TypeError, match=rf"^padding\[0\]\[1\] must be a whole number, got {value!r}$"):
            make(9, 3, padding=((0, value),))
    for value in ((1, 1), (), ((1, 1), (1, 1)), ((1, 1, 1),), ((1,),), ("same",)):
        with pytest.raises(ValueError, match=r"'same_lower', a whole number, or a sequence of 1, a whole .*, got \("):
            make(9, 3, padding=value)
    with pytest.raises(
        ValueError, match=r"^padding\[0\] must be in \[0, 4\], less than the kernel spans, got \(0, 5\)$"
    ):
        make(9, 3, dilation=2, padding=((0, 5),))


def test_pools_pad_by_half_the_kernel_at_most():
    assert pooling(9, 5, padding=2, dilation=2).before == (2,)
    with pytest.raises(ValueError, match=r"^padding must be in \[0, 1\], half the kernel, got 2$"):
        pooling(9, 3, padding=2, dilation=2)
    with pytest.raises(ValueError, match=r"^padding\[1\] must be in \[0, 0\], half the kernel, got 1$"):
        pooling((9, 9), (2, 1), padding=(1, 1))
    assert convolution(9, 3, padding=20).output == (47,)


def test_kernels_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^kernel must span at most 5 cells on axis 1, got 7: 4 dilated by 2$"):
        convolution((9, 3), 4, padding=1, dilation=2)
    with pytest.raises(ValueError, match=r"^kernel must span at most 2 cells on axis 0, got 4: 4 dilated by 1$"):
        pooling(1, 4, 2, ceil_mode=True)


def test_transposes_that_leave_nothing_or_add_too_much():
    with pytest.raises(ValueError, match=r"^padding must be less than the 4 cells of output on axis 0, got 2 \+ 2$"):
        transposed(3, 2, padding=2)
    with pytest.raises(ValueError, match=r"^output_padding must be in \[0, 1\] on axis 1, less than stride 1 or dila"):
        transposed((3, 3), 2, (3, 1), dilation=(1, 2), output_padding=2)
    with pytest.raises(ValueError, match=r"^output_padding must be at least 0, got -1$"):
        transposed(3, 2, output_padding=-1)
    with pytest.raises(TypeError, match=r"^output_padding must be a whole number, got 1\.0$"):
        transposed(3, 2, output_padding=1.0)


@pytest.mark.parametrize(
    ("chain", "error", "match"),
    [
        ([3, ()], ValueError, r"^layers\[1\] must be \(kernel, stride, padding, dilation\) or less, got \(\)$"),
        ([(3, 1, 1, 1, 1)], ValueError, r"^layers\[0\] must be \(kernel, stride, padding, dilation\) or less, got \(3"),
        ([3, (3, 0)], ValueError, r"^layers\[1\]: stride must be at least 1, got 0$"),
        ([3, "3"], TypeError, r"^layers\[1\]: kernel must be a whole number, got '3'$"),
        ([(3, 2, "same")], ValueError, r"^layers\[0\]: padding must be numbers where the stride is 2, got 'same', "),
        ([(3, 1, ((3, 0),))], ValueError, r"^layers\[0\]: padding\[0\] must be in \[0, 2\], less than the kernel"),
        ([(3, (1, 2)), ((3, 3, 3),)], ValueError, r"^layers\[1\]: kernel must be a whole number or a sequence of 2, "),
    ],
)
def test_chains_that_are_none(chain, error, match):
    with pytest.raises(error, match=match):
        receptive_field(chain)


def test_counts_of_parameters_that_are_none():
    with pytest.raises(ValueError, match=r"^out_channels must be a multiple of groups, 2, got 5$"):
        parameter_count(4, 5, 3, groups=2)
    with pytest.raises(ValueError, match=r"^in_channels must be a multiple of groups, 4, got 6$"):
        parameter_count(6, 4, 3, groups=4)
    good = {"in_channels": 4, "out_channels": 4, "kernel": 3, "groups": 1}
    for name in good:
        with pytest.raises(ValueError, match=rf"^{name} must be at least 1, got 0$"):
            parameter_count(**good | {name: 0})
        with pytest.raises(TypeError, match=rf"^{name} must be a whole number, got 1\.5$"):
            parameter_count(**good | {name: 1.5})
