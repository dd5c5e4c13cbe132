"""Exponential windows over uneven stamps: the past decays by exp(-dt/tau) from row to row.

Where steps are short against tau, rows are taken in groups from a common base: with u = exp((t - t0)/tau) since the
base's stamp t0, its estimate and its mass, the decays cancel and

    y = base + sum of u (x - base) / (mass + sum of u),

two running sums over the group, made by doubling in registers. Where the past is not renormalised, u times the row's
decay takes the place of u, and u that of the denominator. Elsewhere each row is a base of its own, and the recursion is
that of equal steps.
"""

from collections.abc import Callable
from math import inf, nan

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.decay import BRIEF, brief_functions, decay_functions, shrink, taken
from sigconv.engines.cpu.kernels.recursive import COUNT, ESTIMATE, MASS, towards
from sigconv.engines.cpu.sizes import GROUP
from sigconv.engines.cpu.target import host
from sigconv.engines.cpu.tiles import shuffles
from sigconv.engines.cpu.tiles import tile as t

# ESTIMATE and MASS are the base's. CURRENT is the last estimate; GROWN the base's mass and the sum of u; REACH is u at
# the last row and FILLED how many rows have come since the base. PENDING and KEPT are what the time since the last
# present sample takes from the past and leaves of it, AGE is that time in units of tau, NEWEST the last present value.
# Then stand the group's u, and its u (x - base).
CURRENT, GROWN, REACH, FILLED, PENDING, KEPT, AGE, NEWEST, WEIGHTS = range(3, 12)
SAMPLE, FIRST, HOLD, LINEAR = range(4)
VALUES = WEIGHTS + GROUP
HEAVY = 32.0  # a mass that outweighs a group: the estimate then moves little within it


@inlined
def ramp(age, w):
    """The share of w that falls to the older end of a straight line over ``age``."""
    if age > 0.05:
        return w / age - (1.0 - w)
    a = age
    small = -1 / 30 + a * (1 / 144 + a * (-1 / 840 + a * (1 / 5760 - a / 45360)))
    return a * (1 / 2 + a * (-1 / 3 + a * (1 / 8 + a * small)))


@inlined
def summed(v, first, k):
    """v[first] + .. + v[first + k], in the order of `running`."""
    a = (back(v, first, k, 0) + back(v, first, k, 1)) + (back(v, first, k, 2) + back(v, first, k, 3))
    b = (back(v, first, k, 4) + back(v, first, k, 5)) + (back(v, first, k, 6) + back(v, first, k, 7))
    c = (back(v, first, k, 8) + back(v, first, k, 9)) + (back(v, first, k, 10) + back(v, first, k, 11))
    d = (back(v, first, k, 12) + back(v, first, k, 13)) + (back(v, first, k, 14) + back(v, first, k, 15))
    return (a + b) + (c + d)


@inlined
def back(v, first, k, distance):
    return v[first + k - distance] if distance <= k else 0.0


def smooth(real: types.Float) -> tuple[str, Callable[..., None]]:
    """One channel of x (rows, step) into y; ``before`` is the stamp of the row before the first.

    Row 0 is the ``phase``-th of its group; ``clock`` holds the stamp of the base, ``w`` is scratch of 3 GROUP numbers.
    """
    fma = t.scalar_fma
    lanes = host().vector_bytes // 8
    vectors = GROUP // lanes
    decays = decay_functions(vectors)
    growth, loss = brief_functions(vectors, lanes)  # a base serves for BRIEF tau
    growth_one, loss_one = brief_functions(1, 1)
    load = t.shape(real, vectors, lanes).load
    _, zeros, _, spread, _ = t.shape(types.float64, vectors, lanes)
    _, _, load_stamps, spread_stamp, _ = t.shape(types.int64, vectors, lanes)
    single = t.shape(types.float64, 1, 1).spread
    add, sub, mul, div, store = t.add, t.sub, t.mul, t.div, t.store
    widen, narrow, to_float = t.widen, t.narrow_to(real), t.to_float
    where_finite, all_finite = t.where_finite, t.all_finite
    by_one, by_two, by_four, by_eight = (shuffles.delayed(n) for n in (1, 2, 4, 8))

    @inlined
    def running(v):
        """Sums of v up to each of its numbers."""
        v = add(v, by_one(v))
        v = add(v, by_two(v))
        v = add(v, by_four(v))
        return add(v, by_eight(v))

    @inlined
    def group_of_samples(x, y, at, stamps, row, start, rate, base, mass, omit, w):
        """A group from its base; the estimates, grown masses and u go to w."""
        u = growth(mul(to_float(sub(load_stamps(stamps, row), spread_stamp(start))), spread(rate)))
        value = widen(load(x, at))
        moved = mul(u, sub(value, spread(base)))
        weights = u
        if omit:
            weights = where_finite(value, u, zeros())
            moved = where_finite(value, moved, zeros())
        grown = add(spread(mass), running(weights))
        estimate = add(spread(base), div(running(moved), grown))
        store(narrow(estimate), y, at)
        store(estimate, w, 0)
        store(grown, w, GROUP)
        store(u, w, 2 * GROUP)

    @inlined
    def group_from_first(x, y, at, stamps, row, start, rate, base, w):
        """A group whose past is not renormalised; its estimates also go to w."""
        u = growth(mul(to_float(sub(load_stamps(stamps, row), spread_stamp(start))), spread(rate)))
        steps = mul(to_float(sub(load_stamps(stamps, row), load_stamps(stamps, row - 1))), spread(rate))
        moved = mul(mul(loss(steps), u), sub(widen(load(x, at)), spread(base)))
        estimate = add(spread(base), div(running(moved), u))
        store(narrow(estimate), y, at)
        store(estimate, w, 0)

    @inlined
    def present_rows(x, at):
        count = 0.0
        for k in range(GROUP):
            count += 1.0 if abs(x[at + k]) < inf else 0.0
        return count

    def run(x, y, t, before, rows, phase, c, step, state, clock, rate, mode, omit, needed, w):
        base = state[ESTIMATE]
        mass = state[MASS]
        count = state[COUNT]
        current = state[CURRENT]
        grown = state[GROWN]
        reach = state[REACH]
        filled = int(state[FILLED])
        pending = state[PENDING]
        kept = 1.0 - pending if state[KEPT] == 0.0 else state[KEPT]
        age = state[AGE]
        newest = state[NEWEST]
        start = clock[0]
        previous = before
        i = 0
        while i < rows:
            place = (i + phase) & (GROUP - 1)
            m = min(GROUP - place, rows - i)
            if place == 0:
                base = current
                mass = grown / reach if filled > 0 else mass
                start = previous
                filled = 0
            at = i * step + c
            swift = m == GROUP and step == 1 and count > 0 and count >= needed and mode <= FIRST
            swift = swift and float(t[i + m - 1] - start) * rate <= BRIEF
            if swift and mode == SAMPLE and mass >= HEAVY:
                group_of_samples(x, y, at, t, i, start, rate, base, mass, omit, w)
                current = w[GROUP - 1]
                grown = w[2 * GROUP - 1]
                reach = w[3 * GROUP - 1]
                filled = GROUP
                count += float(GROUP) if omit == 0 or all_finite(load(x, at)) else present_rows(x, at)
                previous = t[i + m - 1]
                i += m
                continue
            if swift and mode == FIRST and pending == 0.0 and i > 0 and all_finite(load(x, at)):
                group_from_first(x, y, at, t, i, start, rate, base, w)
                current = w[GROUP - 1]
                count += float(GROUP)
                previous = t[i + m - 1]
                i += m
                continue
            decays(t, i, m, previous, rate, w)
            for q in range(m):
                at = (i + q) * step + c
                now = t[i + q]
                value = float(x[at])
                decay = w[q]
                present = abs(value) < inf or omit == 0
                lost = omit == 0 and (value != value or (count > 0 and current != current))
                age_of_base = float(now - start) * rate
                if mode == SAMPLE and count > 0 and mass >= HEAVY and age_of_base <= BRIEF:
                    store(growth_one(single(age_of_base)), w, 2 * GROUP)
                    reach = w[2 * GROUP]
                    state[WEIGHTS + filled] = reach if present else 0.0
                    state[VALUES + filled] = reach * (value - base) if present else 0.0
                    grown = mass + summed(state, WEIGHTS, filled)
                    current = base + summed(state, VALUES, filled) / grown
                    filled += 1
                elif mode == FIRST and present and count > 0 and pending == 0.0 and age_of_base <= BRIEF:
                    store(growth_one(single(age_of_base)), w, 2 * GROUP)
                    reach = w[2 * GROUP]
                    store(loss_one(single(float(now - previous) * rate)), w, 2 * GROUP)
                    state[VALUES + filled] = w[2 * GROUP] * reach * (value - base)
                    current = base + summed(state, VALUES, filled) / reach
                    filled += 1
                else:
                    if filled > 0:
                        mass = grown / reach
                    if mode == SAMPLE:
                        mass = shrink(mass, decay)
                        if present:
                            current = towards(current, value, mass, 1.0)
                            mass += 1.0
                    elif mode == FIRST:
                        pending = shrink(pending, decay) + taken(decay)
                        kept = shrink(kept, decay)
                        if present:
                            if count == 0:
                                current = value
                            elif pending > 0.5:
                                current = fma(kept, current - value, value)
                            else:
                                current = fma(pending, value - current, current)
                            pending = 0.0
                            kept = 1.0
                    elif mode == HOLD:
                        if count > 0:
                            mass = shrink(mass, decay)
                            if mass + taken(decay) > 0:
                                current = towards(current, newest, mass, taken(decay))
                            mass += taken(decay)
                        if present:
                            newest = value
                        if mass == 0:
                            current = newest
                    else:
                        pending = shrink(pending, decay) + taken(decay)
                        kept = shrink(kept, decay)
                        age += float(now - previous) * rate
                        if present:
                            if count > 0:
                                mass = kept * mass if pending > 0.5 else shrink(mass, pending)
                                if pending > 0:
                                    line = fma(ramp(age, pending) / pending, newest - value, value)
                                    current = towards(current, line, mass, pending)
                                mass += pending
                            if mass == 0:
                                current = value
                            newest = value
                            pending = 0.0
                            kept = 1.0
                            age = 0.0
                    base = current
                    start = now
                    filled = 0
                if lost:  # NaN counts, and its weight never ends
                    current = nan
                    base = nan
                if present:
                    count += 1.0
                y[at] = real(current) if count >= needed and count > 0 else real(nan)
                previous = now
            i += m
        state[ESTIMATE] = base
        state[MASS] = mass
        state[COUNT] = count
        state[CURRENT] = current
        state[GROWN] = grown
        state[REACH] = reach
        state[FILLED] = float(filled)
        state[PENDING] = pending
        state[KEPT] = kept
        state[AGE] = age
        state[NEWEST] = newest
        clock[0] = start

    return "xxliiiiidlDiiid", run


compile_kernel = compiler({"smooth": smooth})
