"""What correlation and convolution mean, one cell of the window at a time: free of the package it judges."""

import itertools

import numpy as np

PADS = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}


def weighted(
    x, w, *, flipped=False, mode="same", border=None, cval=0, origin=0, axes=None, stride=1, dilation=1, omit=False
):
    """The result, and for each of its numbers the sum of magnitudes that a rounding error is measured against.

    Integers are weighed as Python's own, floats in extended precision.
    """
    whole = x.dtype.kind in "biu" and w.dtype.kind in "biu"
    kind = object if whole else np.clongdouble if "c" in x.dtype.kind + w.dtype.kind else np.longdouble
    axes = range(x.ndim) if axes is None else [axis % x.ndim for axis in np.atleast_1d(axes).astype(int)]
    border = border or ("constant" if mode == "full" else "reflect")
    origin, stride, dilation = (np.broadcast_to(number, len(axes)).tolist() for number in (origin, stride, dilation))
    axis_of = dict(zip(axes, range(len(axes)), strict=True))
    x, w = x.astype(kind), w.astype(kind)
    first, counts = np.zeros(x.ndim, int), np.array(x.shape)  # where the window stands, how many windows
    for axis, a in axis_of.items():
        span = (w.shape[a] - 1) * dilation[a] + 1
        if mode == "same":
            first[axis] = span // 2 + origin[a] if flipped else -(span // 2) - origin[a]
        elif flipped:
            first[axis] = 0 if mode == "full" else span - 1
        else:
            first[axis] = 1 - span if mode == "full" else 0
        counts[axis] += {"same": 0, "valid": 1 - span, "full": span - 1}[mode]
    room = [(0, 0)] * x.ndim
    for axis, a in axis_of.items():
        room[axis] = (2 * w.shape[a] * dilation[a],) * 2
    if border == "constant":
        x = np.pad(x, room, constant_values=cval)
    else:
        x = np.pad(x, room, mode=PADS[border])
    total, weight, scale = 0, 0, 0
    for cell in itertools.product(*map(range, w.shape)):
        at = []
        for axis, (low, _) in enumerate(room):
            a = axis_of.get(axis)
            j = 0 if a is None else cell[a] * dilation[a] * (-1 if flipped else 1)
            begin = low + first[axis] + j
            at.append(slice(begin, begin + counts[axis], 1 if a is None else stride[a]))
        seen, by = x[tuple(at)], w[cell]
        by = np.conj(by) if kind is np.clongdouble and not flipped else by
        if omit:
            there = ~np.isnan(seen)
            weight = weight + np.where(there, by, 0)
            seen = np.where(there, seen, 0)
        total = total + by * seen
        scale = scale + abs(by) * abs(seen)
    if omit:
        present = weight != 0
        total = np.where(present, total * w.sum() / np.where(present, weight, 1), np.nan)
        scale = scale * abs(w.sum() / np.where(present, weight, 1))
    return total, scale
