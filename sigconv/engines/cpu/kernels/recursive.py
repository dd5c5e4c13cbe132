"""Exponential windows: one running estimate and the weight behind it.

For a decay ``w`` from one row to the next (w = alpha, or 1 - exp(-dt/tau)) the weight of the past shrinks by 1 - w,
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

from sigconv.engines.cpu import tile as t
from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.decay import decay_functions, shrink, taken
from sigconv.engines.cpu.target import host

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


# The timed kernel's state beyond ESTIMATE, MASS and COUNT. Estimate and mass are each a sum of two numbers, a base and
# what has come since; PENDING and KEPT are what the time since the last present sample takes from the past and leaves
# of it, AGE is that time in units of tau, NEWEST the last present value.
SINCE, MORE, PENDING, KEPT, AGE, NEWEST = range(3, 9)
SAMPLE, FIRST, HOLD, LINEAR = range(4)
GROUP = 16  # rows that share a base
HEAVY = 32.0  # a mass that outweighs a group: the estimate then moves little within it
BRIEF = 0.69  # a base serves for so many tau: the past then keeps half its weight


def timed(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Uneven steps: one channel of x (rows, step) into y; ``before`` is the stamp of the row before the first.

    Row 0 is the ``phase``-th of its group; ``clock`` holds the stamp of the base. While the time since then is BRIEF
    and the mass was HEAVY, both chains of dependent operations are one multiply-add a row, taken from the base:

        mass = base + m,      m = m (1 - w) + (1 - w base)
        y    = base + r,      r = r (1 - 1/mass) + (x - base) / mass

    Elsewhere each row is a base of its own.
    """
    fma = t.scalar_fma
    block, decays, _ = decay_functions()
    lanes = host().vector_bytes // 8
    load = t.shape(real, GROUP // lanes, lanes).load
    all_finite = t.all_finite

    @inlined
    def ramp(age, w):
        """The share of w that falls to the older end of a straight line over ``age``."""
        if age > 0.05:
            return w / age - (1.0 - w)
        a = age
        return a * (1 / 2 + a * (-1 / 3 + a * (1 / 8 + a * (-1 / 30 + a * (1 / 144 + a * (-1 / 840))))))

    @inlined
    def group_of_samples(x, y, i, w, q, base, mass):
        """GROUP rows from a base: (what the estimate has moved, what the mass has grown)."""
        more = 0.0
        since = 0.0
        for k in range(GROUP):
            decay = w[q + k]
            more = fma(1.0 - decay, more, fma(-decay, mass, 1.0))
            share = 1.0 / (mass + more)
            since = fma(1.0 - share, since, share * (float(x[i + k]) - base))
            y[i + k] = real(base + since)
        return since, more

    @inlined
    def group_from_first(x, y, i, w, q, base):
        since = 0.0
        for k in range(GROUP):
            share = w[q + k]
            since = fma(1.0 - share, since, share * (float(x[i + k]) - base))
            y[i + k] = real(base + since)
        return since

    def run(x, y, t, before, rows, phase, c, step, state, clock, rate, mode, omit, needed, w):
        base = state[ESTIMATE]
        since = state[SINCE]
        mass = state[MASS]
        more = state[MORE]
        count = state[COUNT]
        pending = state[PENDING]
        kept = 1.0 - pending if state[KEPT] == 0.0 else state[KEPT]
        age = state[AGE]
        newest = state[NEWEST]
        start = clock[0]
        if (phase & (GROUP - 1)) == 0:
            start = before
        previous = before
        i = 0
        while i < rows:
            place = (i + phase) & (GROUP - 1)
            m = block if place == 0 and rows - i >= block else min(GROUP - place, rows - i)
            decays(t, i, m, previous, rate, w)
            previous = t[i + m - 1]
            q = 0
            while q < m:
                at = (i + q) * step + c
                if ((i + q + phase) & (GROUP - 1)) == 0:
                    base += since
                    since = 0.0
                    mass += more
                    more = 0.0
                    if i + q > 0:
                        start = t[i + q - 1]
                    swift = step == 1 and mode <= FIRST and m - q >= GROUP and count > 0 and count >= needed
                    swift = swift and float(t[i + q + GROUP - 1] - start) * rate <= BRIEF
                    if swift and all_finite(load(x, at)):
                        if mode == SAMPLE and mass >= HEAVY:
                            since, more = group_of_samples(x, y, at, w, q, base, mass)
                            count += GROUP
                            q += GROUP
                            continue
                        if mode == FIRST and pending == 0.0:
                            since = group_from_first(x, y, at, w, q, base)
                            count += GROUP
                            q += GROUP
                            continue
                value = float(x[at])
                decay = w[q]
                present = abs(value) < inf or omit == 0
                lost = omit == 0 and (value != value or (count > 0 and base + since != base + since))
                brief = present and count > 0 and float(t[i + q] - start) * rate <= BRIEF
                if brief and mode == SAMPLE and mass >= HEAVY:
                    more = fma(1.0 - decay, more, fma(-decay, mass, 1.0))
                    share = 1.0 / (mass + more)
                    since = fma(1.0 - share, since, share * (value - base))
                elif brief and mode == FIRST and pending == 0.0:
                    since = fma(1.0 - decay, since, decay * (value - base))
                else:
                    estimate = base + since
                    since = 0.0
                    mass += more
                    more = 0.0
                    if mode == SAMPLE:
                        mass = shrink(mass, decay)
                        if present:
                            estimate = towards(estimate, value, mass, 1.0)
                            mass += 1.0
                    elif mode == FIRST:
                        pending = shrink(pending, decay) + taken(decay)
                        kept = shrink(kept, decay)
                        if present:
                            if count == 0:
                                estimate = value
                            elif pending > 0.5:
                                estimate = fma(kept, estimate - value, value)
                            else:
                                estimate = fma(pending, value - estimate, estimate)
                            pending = 0.0
                            kept = 1.0
                    elif mode == HOLD:
                        if count > 0:
                            mass = shrink(mass, decay)
                            if mass + taken(decay) > 0:
                                estimate = towards(estimate, newest, mass, taken(decay))
                            mass += taken(decay)
                        if present:
                            newest = value
                        if mass == 0:
                            estimate = newest
                    else:
                        pending = shrink(pending, decay) + taken(decay)
                        kept = shrink(kept, decay)
                        age += float(t[i + q] - (before if i + q == 0 else t[i + q - 1])) * rate
                        if present:
                            if count > 0:
                                mass = kept * mass if pending > 0.5 else shrink(mass, pending)
                                if pending > 0:
                                    line = fma(ramp(age, pending) / pending, newest - value, value)
                                    estimate = towards(estimate, line, mass, pending)
                                mass += pending
                            if mass == 0:
                                estimate = value
                            newest = value
                            pending = 0.0
                            kept = 1.0
                            age = 0.0
                    base = estimate
                    start = t[i + q]
                if lost:  # NaN counts, and its weight never ends
                    base = nan
                if present:
                    count += 1.0
                y[at] = real(base + since) if count >= needed and count > 0 else real(nan)
                q += 1
            i += m
        state[ESTIMATE] = base
        state[SINCE] = since
        state[MASS] = mass
        state[MORE] = more
        state[COUNT] = count
        state[PENDING] = pending
        state[KEPT] = kept
        state[AGE] = age
        state[NEWEST] = newest
        clock[0] = start

    return "xxliiiiidlDiiid", run


compile_kernel = compiler({"even": even, "timed": timed})
