"""Causal smoothing of streams: the same filters fed piece by piece, with a state that can be saved."""

from typing import Any

import numpy as np

from sigconv._layout import is_pandas
from sigconv.causal import CausalFilter, as_filter, filter_text, needs_times
from sigconv.checks import choice, real_array, whole_number
from sigconv.plan import Policy
from sigconv.times import UNITS, as_nanoseconds
from sigconv.windows import Window

_VERSION = 1


class Smoother:
    """A causal filter that is fed readings as they arrive.

    The pieces may be of any size: the outputs are those of one call of `sigconv.smooth`, `moving_median` or `hampel`
    over everything fed so far, to the last bit.

    Parameters
    ----------
    window : Window or str
        As for `sigconv.smooth`; also "median:9", "hampel:9", "hampel:2s,threshold=4,min_scale=0.1".
    channels : int, optional
        None for samples of shape (n,), else their number for samples of shape (n, channels).
    dtype : {"float64", "float32"}
        The samples' and the outputs' type.
    time_unit, initial, nan_policy, min_samples, max_gap, measure, period
        As for `sigconv.smooth`.

    Examples
    --------
    >>> import sigconv as sc
    >>> smoother = sc.Smoother("uniform:3")
    >>> smoother.process([1.0, 2.0])
    array([1. , 1.5])
    >>> saved = smoother.state()
    >>> smoother.process([6.0])
    array([3.])
    >>> sc.Smoother.from_state(saved).process([6.0])
    array([3.])
    """

    def __init__(
        self,
        window: Window | str,
        *,
        channels: int | None = None,
        dtype: Any = "float64",
        time_unit: str = "ns",
        initial: str = "renormalize",
        nan_policy: str = "omit",
        min_samples: int = 1,
        max_gap: Any = None,
        measure: str = "sample",
        period: float | None = None,
    ) -> None:
        self._window = as_filter(window)
        self._policy = Policy.checked(initial, nan_policy, min_samples, max_gap, measure, period)
        self._channels = None if channels is None else whole_number("channels", channels, 1)
        try:
            self._dtype = np.dtype(dtype)
        except TypeError:
            self._dtype = np.dtype(object)
        if self._dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be 'float64' or 'float32', got {dtype!r:.80}")
        self._time_unit = choice("time_unit", time_unit, tuple(UNITS))
        self._timed = needs_times(self._window, self._policy)
        self._filter = CausalFilter(self._window, self._policy, self._channels or 1, self._dtype)

    def process(self, x: Any, times: Any = None) -> np.ndarray:
        """Filter the next samples.

        Parameters
        ----------
        x : array_like, shape (n,) or (n, channels)
            Any number of samples, also none.
        times : array_like, shape (n,), optional
            Their stamps, none earlier than any fed before; a pandas DatetimeIndex serves where this is None.

        Returns
        -------
        ndarray
            Of the shape of ``x``. Where an error is raised, the pieces fed before stay as they were.
        """
        if times is None and self._timed and is_pandas(x) and type(x.index).__name__ == "DatetimeIndex":
            times = x.index
        samples = real_array("x", x)
        channels = self._channels
        if samples.ndim != (1 if channels is None else 2) or (channels is not None and samples.shape[1] != channels):
            expected = "(n,) as channels is None" if channels is None else f"(n, {channels}), channels being {channels}"
            raise ValueError(f"x must have shape {expected}; got {samples.shape}")
        stamps = None
        if times is not None:
            stamps = np.ascontiguousarray(as_nanoseconds(times, self._time_unit, check_unit=self._filter.last is None))
            if len(stamps) != len(samples):
                raise ValueError(f"times must have one stamp a sample: {len(stamps)} stamps for {len(samples)} samples")
        elif self._timed:
            raise ValueError("the window or max_gap is a duration: it needs times, one stamp a sample")
        rows = np.ascontiguousarray(samples, self._dtype).reshape(len(samples), channels or 1)
        out = np.empty_like(rows)
        self._filter.process(rows, stamps, out)
        return out.reshape(samples.shape)

    def reset(self) -> None:
        """Forget every sample: the next one is the first."""
        self._filter.restart()

    def state(self) -> dict[str, Any]:
        """Everything the next outputs depend on, as arrays, numbers and texts in nested dictionaries.

        Returns
        -------
        dict
            With "version" and the filter's own description; what `from_state` takes, in any process.
        """
        if isinstance(self._window, Window) and self._window.function is not None:
            raise ValueError(f"the window {self._window} is a Python function, which no state can hold")
        policy = self._policy
        return {
            "version": _VERSION,
            "window": filter_text(self._window),
            "channels": self._channels,
            "dtype": self._dtype.name,
            "time_unit": self._time_unit,
            "initial": policy.initial,
            "nan_policy": policy.nan_policy,
            "min_samples": policy.min_samples,
            "max_gap": policy.max_gap,
            "measure": policy.measure,
            "period": policy.period,
            "filter": self._filter.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Smoother":
        """A smoother that goes on where ``state`` was taken.

        Parameters
        ----------
        state : dict
            From `state`.

        Raises
        ------
        ValueError
            For a state of another version, or one that is not a smoother's.
        """
        version = state.get("version") if isinstance(state, dict) else None
        if version != _VERSION:
            raise ValueError(f"state must be a smoother's state of version {_VERSION}, got version {version!r}")
        try:
            gap = state["max_gap"]
            smoother = cls(
                state["window"],
                channels=state["channels"],
                dtype=state["dtype"],
                time_unit=state["time_unit"],
                initial=state["initial"],
                nan_policy=state["nan_policy"],
                min_samples=state["min_samples"],
                max_gap=None if gap is None else np.timedelta64(int(gap), "ns"),
                measure=state["measure"],
                period=state["period"],
            )
            smoother._filter.restore(state["filter"])
        except KeyError as error:
            raise ValueError(f"state lacks {error}") from None
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise ValueError(f"state is not one that a smoother saved: {error}") from None
        return smoother
