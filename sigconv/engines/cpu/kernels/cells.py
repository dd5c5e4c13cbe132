"""What cells hold: numbers to the last bit, and times."""

from collections.abc import Callable
from math import nan

from numba import types

from sigconv.engines.cpu.kernels import compiler, inlined
from sigconv.engines.cpu.kernels.places import COLON, COMMA, MINUS, NINE, PLUS, POINT, SPACE, ZERO, bare
from sigconv.engines.cpu.tiles import tile as t
from sigconv.engines.cpu.tiles.masks import word


def numbers(real: types.Float) -> tuple[str, Callable[..., None]]:
    """The numbers in ``n`` cells, to the last bit; first and last become the bounds of the bare text.

    good[k] tells whether value[k] is the number; else the text is empty, or has to be read in another way. Digits
    make an integer m < 1e18 and a power p of ten: for |p| <= 22 this power is exact, m = a + b for two floats, and

        q = a/10**p,    q + (a - q 10**p + b)/10**p

    (or the product likewise) is the nearest float, if the rounded correction leaves no doubt about it.
    """
    fma = t.scalar_fma
    doubt = 2.0**-45

    @inlined
    def nearest(mantissa, power):
        """The nearest float, or NaN where that is in doubt."""
        high = float(mantissa)
        low = float(mantissa - int(high))
        scale = 1.0
        ten = 10.0
        k = abs(power)
        while k > 0:  # exact: no factor and no product passes 10**22
            if k & 1:
                scale *= ten
            k >>= 1
            if k > 0:
                ten *= ten
        if low == 0.0:
            return high / scale if power < 0 else high * scale
        if power < 0:
            first = high / scale
            rest = (fma(-first, scale, high) + low) / scale
        else:
            first = high * scale
            rest = fma(high, scale, -first) + low * scale
        below = fma(rest, 1.0 - doubt, first)
        above = fma(rest, 1.0 + doubt, first)
        return below if below == above else nan

    @inlined
    def eight_digits(data, at):
        """The number of eight digits, -1 where they are none: neighbours are joined to pairs, to fours, to all."""
        v = word(data, at)
        if (v & -0x0F0F0F0F0F0F0F10) != 0x3030303030303030:
            return -1
        if ((v + 0x0606060606060606) & -0x0F0F0F0F0F0F0F10) != 0x3030303030303030:
            return -1
        v &= 0x0F0F0F0F0F0F0F0F
        v = (v * (10 * 2**8 + 1) >> 8) & 0x00FF00FF00FF00FF
        v = (v * (100 * 2**16 + 1) >> 16) & 0x0000FFFF0000FFFF
        return v * (10000 * 2**32 + 1) >> 32

    @inlined
    def read(data, at, end, point):
        """The number that data[at:end] spells, NaN where it does not or where it is in doubt."""
        negative = data[at] == MINUS
        if negative or data[at] == PLUS:
            at += 1
        mantissa = 0
        power = 0
        digits = 0  # that count
        some = False
        if end - at >= 8:
            eight = eight_digits(data, at)
            if eight >= 0:
                mantissa = eight
                digits = 8
                some = True
                at += 8
        while at < end and data[at] >= ZERO and data[at] <= NINE:
            mantissa = mantissa * 10 + (int(data[at]) - ZERO)
            digits += 1 if mantissa != 0 else 0
            some = True
            at += 1
            if digits > 18:
                return nan
        if at < end and data[at] == point:
            at += 1
            while end - at >= 8 and digits <= 10:
                eight = eight_digits(data, at)
                if eight < 0:
                    break
                mantissa = mantissa * 100_000_000 + eight
                digits += 8 if mantissa != 0 else 0
                power -= 8
                some = True
                at += 8
            while at < end and data[at] >= ZERO and data[at] <= NINE:
                mantissa = mantissa * 10 + (int(data[at]) - ZERO)
                digits += 1 if mantissa != 0 else 0
                power -= 1
                some = True
                at += 1
                if digits > 18:
                    return nan
        if not some:
            return nan
        if at < end and (data[at] | 32) == 101:  # e or E
            at += 1
            down = at < end and data[at] == MINUS
            if down or (at < end and data[at] == PLUS):
                at += 1
            if at >= end or at + 4 < end:
                return nan
            exponent = 0
            while at < end and data[at] >= ZERO and data[at] <= NINE:
                exponent = exponent * 10 + (int(data[at]) - ZERO)
                at += 1
            power += -exponent if down else exponent
        if at < end or power < -22 or power > 22:
            return nan
        value = nearest(mantissa, power)
        return -value if negative else value

    def run(data, first, last, n, point, value, good):
        for k in range(n):
            begin, end = bare(data, first[k], last[k])
            first[k] = begin
            last[k] = end
            value[k] = read(data, begin, end, point) if begin < end else nan
            good[k] = 1 if value[k] == value[k] else 0

    return "blliidb", run


def stamps(real: types.Float) -> tuple[str, Callable[..., None]]:
    """Nanoseconds since 1970 in ``n`` cells: a count of 10**-digits seconds, or, for digits < 0, ISO 8601.

    good[k] tells whether the cell could be read in this way; fractions beyond a nanosecond round half to even.
    """

    @inlined
    def two(data, at):
        """Two digits as a number, -1 where they are none."""
        tens = int(data[at]) - ZERO
        ones = int(data[at + 1]) - ZERO
        return tens * 10 + ones if 0 <= tens and tens <= 9 and 0 <= ones and ones <= 9 else -1

    @inlined
    def fraction(data, at, end, digits):
        """(so many digits of a fraction as an integer, rounded; where it ends)."""
        value = 0
        k = 0
        half = 0  # the sign of what is cut off, less a half
        while at < end and data[at] >= ZERO and data[at] <= NINE:
            digit = int(data[at]) - ZERO
            if k < digits:
                value = value * 10 + digit
            elif k == digits:
                half = 1 if digit > 5 else (0 if digit == 5 else -1)
            elif half == 0 and digit > 0:
                half = 1
            k += 1
            at += 1
        if k > digits and (half > 0 or (half == 0 and value % 2 == 1)):
            value += 1
        while k < digits:
            value *= 10
            k += 1
        return value, at

    @inlined
    def days(year, month, day):
        """Days from 1970-01-01 in the Gregorian calendar, years counted from March."""
        y = year - 1 if month <= 2 else year
        era = y // 400
        of_era = y - era * 400
        of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
        return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468

    @inlined
    def month_length(year, month):
        if month == 2:
            return 29 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 28
        return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31

    @inlined
    def from_count(data, at, end, digits):
        negative = data[at] == MINUS
        if negative:
            at += 1
        whole = 0
        some = 0
        while at < end and data[at] >= ZERO and data[at] <= NINE:
            if whole > 922_337_203_685_477_578:
                return False, 0
            whole = whole * 10 + (int(data[at]) - ZERO)
            some += 1
            at += 1
        most = 9_223_372_036_854_775_807
        scale = 1
        for _ in range(digits):
            scale *= 10
            most //= 10
        if some == 0 or whole >= most:
            return False, 0
        whole *= scale
        if at < end and data[at] == POINT:
            part, at = fraction(data, at + 1, end, digits)
            whole += part
        return at == end, -whole if negative else whole

    @inlined
    def from_iso(data, at, end):
        if end - at < 10 or data[at + 4] != MINUS or data[at + 7] != MINUS:
            return False, 0
        century = two(data, at)
        of_century = two(data, at + 2)
        month = two(data, at + 5)
        day = two(data, at + 8)
        if century < 17 or of_century < 0 or month < 1 or month > 12 or day < 1:
            return False, 0
        year = century * 100 + of_century
        if year > 2261 or day > month_length(year, month):
            return False, 0
        ns = days(year, month, day) * 86400
        at += 10
        part = 0
        if at < end:
            if end - at < 6 or (data[at] != SPACE and (data[at] | 32) != 116) or data[at + 3] != COLON:
                return False, 0
            hour = two(data, at + 1)
            minute = two(data, at + 4)
            second = 0
            at += 6
            if at < end and data[at] == COLON and end - at >= 3:
                second = two(data, at + 1)
                at += 3
                if at < end and (data[at] == POINT or data[at] == COMMA):
                    if at + 1 == end or data[at + 1] < ZERO or data[at + 1] > NINE:
                        return False, 0
                    part, at = fraction(data, at + 1, end, 9)
            if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 60:
                return False, 0
            ns += hour * 3600 + minute * 60 + second
            if at < end and (data[at] | 32) == 122:  # z or Z
                at += 1
            elif end - at >= 3 and (data[at] == PLUS or data[at] == MINUS):
                west = data[at] == MINUS
                offset = two(data, at + 1) * 3600
                at += 3
                if at < end and data[at] == COLON:
                    at += 1
                if end - at == 2:
                    minutes = two(data, at)
                    if minutes < 0 or minutes > 59:
                        return False, 0
                    offset += minutes * 60
                    at += 2
                if offset < 0 or offset >= 86400:
                    return False, 0
                ns += offset if west else -offset
        return at == end, ns * 1_000_000_000 + part

    def run(data, first, last, n, digits, ns, good):
        for k in range(n):
            good[k] = 0
            begin, end = bare(data, first[k], last[k])
            if begin < end:
                if digits >= 0:
                    fine, value = from_count(data, begin, end, digits)
                else:
                    fine, value = from_iso(data, begin, end)
                if fine:
                    ns[k] = value
                    good[k] = 1

    return "blliilb", run


compile_kernel = compiler({"numbers": numbers, "stamps": stamps})
