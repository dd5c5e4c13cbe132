"""From whatever came (arrays of any shape, pandas objects) to rows and channels, and back to its own kind."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sigconv.checks import axis_of, output_array, real_array
from sigconv.engines.cpu.results import apart_from
from sigconv.engines.cpu.threads import parallel, split
from sigconv.times import as_nanoseconds

_LONG = 1024  # rows at least this long are filtered where they lie, one by one

# filters (rows, channels) into an array of the same shape, and its outliers' flags into another
Run = Callable[[np.ndarray, np.ndarray, np.ndarray | None], None]


def is_pandas(x: Any) -> bool:
    """Whether x is a pandas Series or DataFrame; pandas is never imported for that."""
    return type(x).__module__.split(".")[0] == "pandas" and hasattr(x, "to_numpy") and hasattr(x, "index")


class Signal:
    """One call's input: samples, stamps, and the form the answer takes."""

    def __init__(self, x: Any, times: Any, time_unit: str, axis: Any, timed: bool) -> None:
        self.pandas = x if is_pandas(x) else None
        if self.pandas is not None:
            if axis not in (-1, 0):
                raise ValueError(f"axis must be 0 for a pandas object, which runs down its rows; got {axis!r:.80}")
            axis = 0
            if times is None and timed and type(x.index).__name__ == "DatetimeIndex":
                times = x.index
            x = _numbers(x)
        self.x = real_array("x", x)
        if self.x.ndim == 0:
            raise ValueError("x must have at least one dimension, got a single number")
        self.axis = axis_of(axis, self.x.ndim)
        self.rows = self.x.shape[self.axis]
        self.t: np.ndarray | None = None
        if times is not None:
            self.t = np.ascontiguousarray(as_nanoseconds(times, time_unit))
            if len(self.t) != self.rows:
                raise ValueError(f"times must have one stamp a sample: {len(self.t)} stamps for {self.rows} samples")
        elif timed:
            raise ValueError("the window or max_gap is a duration: it needs times, one stamp a sample")

    def run(self, out: np.ndarray | None, run: Run, flags: np.ndarray | None = None) -> np.ndarray:
        """Filter along the axis into ``out`` or a new array laid out as the input is."""
        x = self.x
        if out is None:
            out = apart_from(x, x.shape) if x.flags.c_contiguous else np.empty_like(x, subok=False)
        else:
            output_array(out, x.shape, x.dtype)
        result = out
        if np.may_share_memory(out, x):  # tiles at the end are computed twice, from what must still be the input
            result = np.empty_like(x, subok=False)
        channels = x.size // self.rows if self.rows else 0
        if channels:
            if channels > 1 and x.strides[self.axis] == x.itemsize and self.rows >= _LONG:
                self._series_by_series(result, run, flags, channels)
            else:
                self._side_by_side(result, run, flags, channels)
        if result is not out:
            out[...] = result
        return out

    def _side_by_side(self, out: np.ndarray, run: Run, flags: np.ndarray | None, channels: int) -> None:
        def rows(a: np.ndarray) -> np.ndarray:
            return np.ascontiguousarray(np.moveaxis(a, self.axis, 0)).reshape(self.rows, channels)

        y, marks = rows(out), None if flags is None else rows(flags)
        run(rows(self.x), y, marks)
        for whole, part in ((out, y), (flags, marks)):
            if whole is not None and part is not None and not np.shares_memory(whole, part):
                moved = np.moveaxis(whole, self.axis, 0)
                moved[...] = part.reshape(moved.shape)

    def _series_by_series(self, out: np.ndarray, run: Run, flags: np.ndarray | None, channels: int) -> None:
        x, y = (np.moveaxis(a, self.axis, -1) for a in (self.x, out))
        marks = None if flags is None else np.moveaxis(flags, self.axis, -1)
        places = list(np.ndindex(x.shape[:-1]))

        def task(lo: int, hi: int) -> None:
            for place in places[lo:hi]:
                target = np.ascontiguousarray(y[place])[:, None]
                mark = None if marks is None else np.zeros((self.rows, 1), bool)
                run(np.ascontiguousarray(x[place])[:, None], target, mark)
                if not np.shares_memory(target, y):
                    y[place] = target[:, 0]
                if marks is not None and mark is not None:
                    marks[place] = mark[:, 0]

        parallel(task, split(channels, 1))

    def wrap(self, y: np.ndarray) -> Any:
        """The answer as the kind of object that came."""
        if self.pandas is None:
            return y
        if y.ndim == 1:
            return type(self.pandas)(y, index=self.pandas.index, name=self.pandas.name)
        return type(self.pandas)(y, index=self.pandas.index, columns=self.pandas.columns)


def _numbers(x: Any) -> np.ndarray:
    """A pandas object's values; its own missing values become NaN."""
    dtypes = list(x.dtypes) if x.ndim == 2 else [x.dtype]
    for dtype in dtypes:
        if getattr(dtype, "kind", "O") not in "fiub":
            raise TypeError(f"x must hold real numbers, got a pandas column of dtype {dtype}")
    if all(isinstance(dtype, np.dtype) for dtype in dtypes):
        return x.to_numpy()
    narrow = all(dtype.itemsize <= 4 and dtype.kind == "f" for dtype in dtypes)
    return x.to_numpy(dtype=np.float32 if narrow else np.float64, na_value=np.nan)
