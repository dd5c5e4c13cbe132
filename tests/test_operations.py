"""What every operation on arrays promises, whatever it computes: see operations.py for what each is given."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from inspect import isfunction

import numpy as np
import pytest
from operations import OPERATIONS, Draw, float_of

import sigconv as sc

SEEDS = range(max(1, int(os.environ.get("SIGCONV_EXAMPLES", "50")) // 12))
LETTERS = {"b": "?", "u": "BHIQ", "i": "bhil", "f": "efd"}
SMOOTHING = {"smooth", "diagnose", "moving_median", "hampel"}  # held to the same by cases.py
NO_ARRAYS = {"explain", "get_num_threads", "set_num_threads", "show_config", "images.kernel"}


@pytest.fixture
def threads():
    before = sc.get_num_threads()
    yield sc.set_num_threads
    sc.set_num_threads(before)


every = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def bits(results):
    return [(y.dtype, y.shape, y.tobytes()) for y in results]


def largest(results):
    return [np.abs(y[np.isfinite(y)]).max(initial=0) for y in results]


def magnitudes(operation, call):
    """What rounding is relative to: the largest results of the magnitudes, or what the input's own may grow to."""
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in call.arrays]
    sums = largest(operation(call, [np.abs(a) if a.dtype.kind == "f" else a for a in arrays]))
    return np.maximum(sums, call.gain * max(largest(arrays[:1])))


def assert_near(results, expected, scales, call, eps):
    """Floats but for the rounding of as many products as there are, everything else exactly."""
    for y, exact, scale in zip(results, expected, scales, strict=True):
        assert y.shape == exact.shape
        if exact.dtype.kind == "f":
            np.testing.assert_allclose(y, exact, rtol=0, atol=eps * (4 + call.terms**0.5) * scale)
        elif call.steady:
            np.testing.assert_array_equal(y, exact)


def test_every_operation_is_registered():
    public = {"": sc, "grad.": sc.grad, "images.": sc.images}
    names = {prefix + name for prefix, place in public.items() for name in place.__all__
             if isfunction(getattr(place, name))}  # fmt: skip
    assert names - SMOOTHING - NO_ARRAYS == OPERATIONS.keys()


@every
def test_inputs_are_left_alone_and_results_are_new(operation):
    for seed in SEEDS:
        for dtype in (np.float32, np.float64, np.uint8, np.float16):
            call = operation.draw(Draw(seed, dtype))
            before = bits(call.arrays)
            first = operation(call)
            assert bits(call.arrays) == before
            for array in call.arrays:
                array.flags.writeable = False
            kept = bits(first)
            second = operation(call)
            assert bits(second) == kept
            for y in second:
                y[...] = 0
            assert bits(first) == kept
            for i, y in enumerate(first):
                others = [*call.arrays, *second, *first[:i]]
                assert y.flags.writeable and not any(np.may_share_memory(y, other) for other in others)


@every
def test_threads_change_no_bit(operation, threads):
    calls = [operation.draw(Draw(seed, dtype, large=True)) for seed in SEEDS for dtype in (np.float32, np.float64)]
    threads(1)
    alone = [bits(operation(call)) for call in calls]
    for count in (2, 7):
        threads(count)
        for call, expected in zip(calls, alone, strict=True):
            assert bits(operation(call)) == expected


@every
def test_callers_at_once_get_what_each_gets_alone(operation, threads):
    threads(2)
    draws = [Draw(seed, dtype, large=seed == 0) for seed in SEEDS for dtype in (np.float32, np.float64)]
    calls = [operation.draw(draw) for draw in draws]
    alone = [bits(operation(call)) for call in calls]

    def caller(k):
        return [bits(operation(call)) for call in calls[k:] + calls[:k]]

    with ThreadPoolExecutor(4) as callers:
        for k, answers in enumerate(callers.map(caller, range(4))):
            assert answers == alone[k:] + alone[:k]


LAYOUTS = {
    "columns first": np.asfortranarray,
    "backwards": lambda a: np.flip(np.flip(a).copy()),
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": lambda a: np.frombuffer(b"." + a.tobytes(), a.dtype, a.size, 1).reshape(a.shape),
}


# which make their passes in another order where rows do not lie side by side
ROUNDED = {"uniform_filter", "images.box"}


@every
def test_any_layout_gives_the_same(operation):
    """The same bits, but for a few sums, and those to rounding."""
    for seed in SEEDS:
        for dtype in (np.float32, np.float64, np.int16, np.float16):
            call = operation.draw(Draw(seed, dtype))
            expected = operation(call)
            for name, layout in LAYOUTS.items():
                arrays = [layout(array) for array in call.arrays]
                for array in arrays:
                    array.flags.writeable = False
                results = operation(call, arrays)
                if operation.name in ROUNDED:
                    assert [y.dtype for y in results] == [y.dtype for y in expected]
                    eps = np.finfo(float_of(np.dtype(dtype))).eps
                    assert_near(results, expected, magnitudes(operation, call), call, eps)
                else:
                    assert bits(results) == bits(expected), (name, seed, dtype)


@every
def test_dtypes(operation):
    for seed in SEEDS:
        for dtype in "".join(LETTERS[kind] for kind in operation.kinds):
            call = operation.draw(Draw(seed, dtype))
            results = operation(call)
            dtypes = [np.dtype(expected) for expected in operation.gives(call)]
            assert [y.dtype for y in results[: len(dtypes)]] == dtypes, (seed, dtype)


@every
def test_nothing_gives_nothing_or_is_refused(operation):
    for seed in SEEDS:
        call = operation.draw(Draw(seed, np.float32))
        x, *others = call.arrays
        for axis in range(x.ndim):
            empty = np.take(x, [], axis)
            alike = [np.take(a, [], axis) if a.shape == x.shape else a for a in others]
            options = dict(call.options)
            if "input_shape" in options:
                options["input_shape"] = tuple(0 if i == axis else n for i, n in enumerate(options["input_shape"]))
            for arrays in ([empty, *others], [empty, *alike]):
                try:
                    results = operation(replace(call, options=options), arrays)
                except ValueError as error:
                    text = str(error)
                else:
                    text = "x must be finite"
                    assert all(np.isfinite(y).all() for y in results)
                assert re.fullmatch(r"\w+ must .+", text), text


@every
def test_single_precision_is_double_precision_rounded(operation):
    for seed in SEEDS:
        call = operation.draw(Draw(seed, np.float32))
        double = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in call.arrays]
        eps = np.finfo(np.float32).eps
        assert_near(operation(call), operation(call, double), magnitudes(operation, call), call, eps)


SLIDING = [name for name, operation in OPERATIONS.items() if operation.draw(Draw(0, np.float64, strides=False)).axes]


@pytest.mark.parametrize("name", SLIDING)
def test_what_slides_moves_with_its_input(name):
    operation = OPERATIONS[name]
    for seed in SEEDS:
        call = operation.draw(Draw(seed, np.float64, large=True, strides=False))
        x, *others = call.arrays
        scales = magnitudes(operation, call)[:1]
        y = operation(call)[0]
        for axis in call.axes:
            moved = operation(call, [np.roll(x, 3, axis), *others])[0]
            inside = range(3 + call.span, y.shape[axis] - call.span)
            assert len(inside) > 0
            parts = moved.take(inside, axis), y.take(np.subtract(inside, 3), axis)
            assert_near(parts[:1], parts[1:], scales, call, np.finfo(y.dtype).eps)
