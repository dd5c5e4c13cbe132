"""Exponential windows over equal steps: one running estimate and the weight behind it.

From one row to the next, for w = alpha, the weight of the past shrinks by 1 - w,
a present sample adds 1, and the estimate moves towards it by its share:

    mass = mass (1 - w) + 1        estimate += (x - estimate) / mass

Written this way a constant stays exactly what it is; where the sample's share is more than a half, the estimate is
written as the sample plus the past's share, so that a huge past fades without a trace. With equal steps the mass
converges to a fixed number, and four samples are then taken together from the estimate before them, which cuts the
chain of dependent operations.
"""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import tile as t

# One channel's state: rows of the array `state`, each holding one number a channel. `BASE`, `LEAD` and `LAST` belong
# to a group of four samples taken together: the estimate before it and its weighted differences so far.
ESTIMATE, MASS, COUNT, BASE, LEAD, LAST, GROUPED = range(7)


@inlined
def settled(mass: float, w: float) -> bool:
    """Whether one more sample leaves the mass unchanged, to the last bit."""
    return w <= 0.5 and t.scalar_fma(-w, mass, mass) + 1.0 == mass


@inlined
def towards(estimate: float, value: float, past: float, share: float) -> float:
    """(past * estimate + share * value) / (past + share), exact where both agree, from the heavier of the two."""
    if past < share:
        return t.scalar_fma(past / (past + share), estimate - value, value)
    return t.scalar_fma(share / (past + share), value - estimate, estimate)


def even(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Equal steps: channels [c0, c1) of x (rows, step) into y, a row's place in its group of four being row + phase."""
    fma = t.scalar_fma
    lanes = host().vector_bytes // 8
    vectors = 4
    real_size, _, load, _, _ = t.shape(real, vectors, lanes)
    wide, _, load_state, spread, _ = t.shape(types.float64, vectors, lanes)
    assert real_size == wide
    vfma, sub, div, add, store = t.fma, t.sub, t.div, t.add, t.store
    widen, narrow, all_finite, all_equal = t.widen, t.narrow_to(real), t.all_finite, t.all_equal

    @inlined
    def row(x, y, at, memory, w, place, omit, needed):
        """One sample of one channel: what its memory becomes."""
        estimate, mass, count, base, lead, last, grouped = memory
        value = float(x[at])
        present = abs(value) < inf or omit == 0
        count += 1.0 if present else 0.0
        if place == 0:
            base = estimate
            grouped = 1.0 if settled(mass, w) else 0.0
        if present and grouped == 1.0:
            d = 1.0 - w
            e = value - base
            if place == 0:
                h = e
                lead = e
            elif place == 1:
                h = fma(d, lead, e)
                lead = h
            elif place == 2:
                h = fma(d, lead, e)
                last = e
            else:
                h = fma(d * d, lead, fma(d, last, e))
            estimate = fma(1.0 / mass, h, base)
        else:
            grouped = 0.0
            mass = fma(-w, mass, mass)
            if present:
                estimate = towards(estimate, value, mass, 1.0)
                mass += 1.0
        y[at] = real(estimate) if count >= needed else real(nan)
        return estimate, mass, count, base, lead, last, grouped

    @inlined
    def recall(state, c, step):
        return (
            state[ESTIMATE * step + c],
            state[MASS * step + c],
            state[COUNT * step + c],
            state[BASE * step + c],
            state[LEAD * step + c],
            state[LAST * step + c],
            state[GROUPED * step + c],
        )

    @inlined
    def remember(state, c, step, memory):
        estimate, mass, count, base, lead, last, grouped = memory
        state[ESTIMATE * step + c] = estimate
        state[MASS * step + c] = mass
        state[COUNT * step + c] = count
        state[BASE * step + c] = base
        state[LEAD * step + c] = lead
        state[LAST * step + c] = last
        state[GROUPED * step + c] = grouped

    @inlined
    def one_channel(x, y, rows, c, step, state, w, phase, omit, needed):
        d = 1.0 - w
        d2 = d * d
        memory = recall(state, c, step)
        i = 0
        while i < rows:
            place = (i + phase) & 3
            estimate, mass, count, base, lead, last, grouped = memory
            if place == 0 and count >= needed and settled(mass, w):
                gain = 1.0 / mass
                first = i
                while i + 4 <= rows:
                    at = i * step + c
                    x0 = float(x[at])
                    x1 = float(x[at + step])
                    x2 = float(x[at + 2 * step])
                    x3 = float(x[at + 3 * step])
                    if not abs(((x0 - x0) + (x1 - x1)) + ((x2 - x2) + (x3 - x3))) < inf:
                        break
                    e0 = x0 - estimate
                    e2 = x2 - estimate
                    two = fma(d, e0, x1 - estimate)
                    four = fma(d2, two, fma(d, e2, x3 - estimate))
                    y[at] = real(fma(gain, e0, estimate))
                    y[at + step] = real(fma(gain, two, estimate))
                    y[at + 2 * step] = real(fma(gain, fma(d, two, e2), estimate))
                    estimate = fma(gain, four, estimate)
                    y[at + 3 * step] = real(estimate)
                    i += 4
                memory = estimate, mass, count + float(i - first), base, lead, last, grouped
                if i >= rows:
                    break
            memory = row(x, y, i * step + c, memory, w, (i + phase) & 3, omit, needed)
            i += 1
        remember(state, c, step, memory)

    @inlined
    def channels(x, y, rows, c, step, state, w, phase, omit, needed):
        """Whole vectors of channels: the same arithmetic, lane by lane."""
        d = spread(1.0 - w)
        d2 = spread((1.0 - w) * (1.0 - w))
        i = 0
        while i < rows:
            ready = w <= 0.5 and ((i + phase) & 3) == 0
            if ready:
                mass = load_state(state, MASS * step + c)
                ready = all_equal(add(vfma(spread(-w), mass, mass), spread(1.0)), mass)
                for k in range(wide):
                    ready = ready and state[COUNT * step + c + k] >= needed
            if ready:
                gain = div(spread(1.0), mass)
                base = load_state(state, ESTIMATE * step + c)
                first = i
                while i + 4 <= rows:
                    at = i * step + c
                    x0 = load(x, at)
                    x1 = load(x, at + step)
                    x2 = load(x, at + 2 * step)
                    x3 = load(x, at + 3 * step)
                    if not (all_finite(x0) and all_finite(x1) and all_finite(x2) and all_finite(x3)):
                        break
                    e0 = sub(widen(x0), base)
                    e2 = sub(widen(x2), base)
                    lead = vfma(d, e0, sub(widen(x1), base))
                    whole = vfma(d2, lead, vfma(d, e2, sub(widen(x3), base)))
                    store(narrow(vfma(gain, e0, base)), y, at)
                    store(narrow(vfma(gain, lead, base)), y, at + step)
                    store(narrow(vfma(gain, vfma(d, lead, e2), base)), y, at + 2 * step)
                    base = vfma(gain, whole, base)
                    store(narrow(base), y, at + 3 * step)
                    i += 4
                store(base, state, ESTIMATE * step + c)
                for k in range(wide):
                    state[COUNT * step + c + k] += i - first
                if i >= rows:
                    break
            for k in range(wide):
                memory = recall(state, c + k, step)
                memory = row(x, y, i * step + c + k, memory, w, (i + phase) & 3, omit, needed)
                remember(state, c + k, step, memory)
            i += 1

    def run(x, y, rows, c0, c1, step, state, w, phase, omit, needed):
        c = c0
        while c + wide <= c1:
            channels(x, y, rows, c, step, state, w, phase, omit, needed)
            c += wide
        while c < c1:
            one_channel(x, y, rows, c, step, state, w, phase, omit, needed)
            c += 1

    return "xxiiiidDiii", run


compile_kernel = compiler({"even": even})
