"""What would run, and why: the policies of a causal filter and the method chosen for its window."""

from dataclasses import dataclass

from sigconv.checks import INITIAL, MEASURE, NAN_POLICY, choice, duration, positive, whole_number
from sigconv.windows import Window


@dataclass(frozen=True)
class Policy:
    """How a causal filter treats missing values, its start, silences and angles; see `sigconv.smooth`."""

    initial: str = "renormalize"
    nan_policy: str = "omit"
    min_samples: int = 1
    max_gap: int | None = None
    measure: str = "sample"
    period: float | None = None

    @classmethod
    def checked(
        cls,
        initial: object = "renormalize",
        nan_policy: object = "omit",
        min_samples: object = 1,
        max_gap: object = None,
        measure: object = "sample",
        period: object = None,
    ) -> "Policy":
        """A policy from the public arguments, or one line that names the wrong one."""
        return cls(
            choice("initial", initial, INITIAL),
            choice("nan_policy", nan_policy, NAN_POLICY),
            whole_number("min_samples", min_samples, 1),
            None if max_gap is None else duration("max_gap", max_gap),
            choice("measure", measure, MEASURE),
            None if period is None else positive("period", period),
        )

    @property
    def omits(self) -> bool:
        """Whether missing samples are left out of the windows."""
        return self.nan_policy != "propagate"


@dataclass(frozen=True)
class Plan:
    """The method a filter uses, and the reason for it."""

    method: str
    reason: str

    def __str__(self) -> str:
        return f"{self.method}: {self.reason}"


@dataclass(frozen=True)
class Ranks:
    """A running median, or the Hampel filter built on it: filters that order their window instead of weighing it."""

    width: int  # samples, or ns where timed
    timed: bool
    hampel: bool = False
    threshold: float = 3.0
    min_scale: float = 0.0


def plan_smoothing(window: Window | Ranks, policy: Policy) -> Plan:
    """Choose the method for a window, after checking that the policies make sense with it."""
    if isinstance(window, Ranks):
        _check_support(window.timed, window.width, policy)
        if policy.period is not None:
            raise ValueError("period is for weighted windows: angles have no order for a median or a Hampel filter")
        if policy.measure != "sample":
            raise ValueError(
                f"measure={policy.measure!r} is for weighted windows: a median and a Hampel filter rank samples"
            )
        return Plan("rank", "the window is kept sorted")
    _check_combination(window, policy)
    if window.shape == "exponential":
        if window.timed:
            return Plan("recursive-timed", "an exponential needs only the last estimate and the time since")
        return Plan("recursive", "an exponential needs only the last estimate")
    if window.shape == "polynomial":
        return Plan("polynomial-timed" if window.timed else "polynomial", "each window is fitted anew where it must be")
    if window.timed:
        if policy.measure != "sample":
            return Plan("integral", f"readings weigh by time ({policy.measure})")
        if window.shape == "uniform":
            return Plan("boxcar-timed", "two running sums, nothing subtracted")
        if window.shape == "custom":
            return Plan("given", "a function of age is asked for every pair")
        return Plan("pairs", "every sample in the window is weighed by its own age")
    if window.shape == "uniform":
        return Plan("boxcar", "equal weights share their partial sums")
    return Plan("taps", "multiply-adds over each output's own window")


def _check_support(timed: bool, width: int, policy: Policy) -> None:
    if timed and policy.initial in ("first", "zero"):
        raise ValueError(
            f"initial={policy.initial!r} is for windows counted in samples; by time use 'renormalize' or 'nan'"
        )
    if not timed and policy.min_samples > width:
        raise ValueError(f"min_samples must be at most the window's {width} samples, got {policy.min_samples}")


def _check_combination(window: Window, policy: Policy) -> None:
    if policy.measure != "sample":
        if not window.timed:
            raise ValueError(
                f"measure={policy.measure!r} weighs by time: the window {window} needs a duration, such as '2s'"
            )
        if window.shape in ("polynomial", "custom"):
            raise ValueError(f"measure={policy.measure!r} is not for {window.shape} windows: they weigh samples")
    if window.shape == "exponential":
        if policy.initial == "nan":
            raise ValueError("initial='nan' needs a window that can be full; an exponential never is (use min_samples)")
        if window.timed and policy.initial == "zero":
            raise ValueError("initial='zero' is for windows counted in samples; by time use 'renormalize' or 'first'")
    else:
        width = window.length
        _check_support(window.timed, width if width is not None else 0, policy)
    if policy.period is not None and window.deriv:
        raise ValueError(f"period is for values: a derivative (deriv={window.deriv}) of angles has none")
