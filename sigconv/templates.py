"""Where a template fits: normalised cross-correlation over arrays of any number of dimensions."""

from itertools import product
from math import prod
from typing import Any

import numpy as np

from sigconv.checks import real_array
from sigconv.engines.cpu.linear.running_filters import Window, extremes, means
from sigconv.engines.cpu.threads import parallel, split

_CELLS = 2**18  # of a transform, unless the template needs more
_NOISE = 64 * np.finfo(np.float64).eps  # a variance that is this part of the squares it came from is none


def match_template(x: Any, template: Any, *, mask: Any = None) -> np.ndarray:
    """How well ``template`` fits around each cell of ``x``: normalised cross-correlation.

    The window of cell i is as large as the template and begins at ``i - k // 2`` along each axis; with the means and
    the sums over the window::

        score[i] = sum((window - mean(window)) * (template - mean(template)))
                   / sqrt(sum((window - mean(window))**2) * sum((template - mean(template))**2))

    Cells beyond the edges are 0, as ``skimage.feature.match_template(x, template, pad_input=True)`` has them; inside it
    is also OpenCV's ``TM_CCOEFF_NORMED``.

    Parameters
    ----------
    x : array_like of real numbers, any shape
        It is not changed.
    template : array_like of real numbers, as many axes as ``x``
        Finite where the mask is.
    mask : array_like of bool, shape of ``template``, optional
        Which cells of the template count, all where none is given.

    Returns
    -------
    ndarray, shape of ``x``
        In [-1, 1]; 0 where the window or the template is flat, NaN where the window (of it, what the mask leaves) holds
        a NaN or an infinity. In the dtype of x where it is floating, else float32 up to 16 bits and float64 above.

    Raises
    ------
    ValueError
        For a template of other axes, empty, or not finite, and for a mask of another shape or with no cell.
    TypeError
        Where x or the template do not hold real numbers or the mask no truth values.

    Notes
    -----
    Computed in float64, piece by piece, with Fourier transforms (J. P. Lewis, "Fast normalized cross-correlation",
    1995). Each piece is centred on its own mean and scaled first, and sums over windows are local, so that a large
    offset costs no digits. A variance below 1e-14 of the mean square about the piece's mean counts as flat.

    Examples
    --------
    >>> score = match_template([0, 0, 1, 3, 1, 0, 0, 2, 6, 2, 0], [1, 3, 1])
    >>> np.flatnonzero(score > 0.99)
    array([3, 8])
    """
    values = _numbers("x", x)
    pattern = real_array("template", template).astype(np.float64)
    if values.ndim == 0 or pattern.ndim != values.ndim:
        raise ValueError(f"template must have as many axes as x, {values.ndim} and at least 1, got {pattern.ndim}")
    if pattern.size == 0:
        raise ValueError(f"template must not be empty, got the shape {pattern.shape}")
    score = np.empty(values.shape, _result(values.dtype))
    if score.size:
        _Match(values, pattern, None if mask is None else _mask(mask, pattern.shape), score).run()
    return score


def _numbers(name: str, x: Any) -> np.ndarray:
    plain = type(x) is np.ndarray and x.dtype.kind in "iubf"
    return x if plain else real_array(name, x)


def _result(dtype: np.dtype) -> np.dtype:
    if dtype.kind == "f":
        return np.dtype(f"f{min(dtype.itemsize, 8)}")
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def _mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    cells = np.asarray(mask)
    if cells.dtype != np.bool_:
        raise TypeError(f"mask must hold truth values, got dtype {cells.dtype}")
    if cells.shape != shape:
        raise ValueError(f"mask must have the template's shape, {shape}, got {cells.shape}")
    if not cells.any():
        raise ValueError("mask must have at least one cell, got none")
    return cells


class _Match:
    """One call: the template made ready, and the pieces of the score."""

    def __init__(self, x: np.ndarray, template: np.ndarray, mask: np.ndarray | None, score: np.ndarray) -> None:
        from scipy import fft

        self.x, self.score, self.fft = x, score, fft
        self.kernel, self.mask = template.shape, mask
        counted = np.ones(template.shape, bool) if mask is None else mask
        used = template[counted]
        if not np.isfinite(used).all():
            raise ValueError("template must be finite where the mask is")
        self.count = used.size
        self.flat = used.max() == used.min()
        used = used - used.mean()
        used = used / (np.abs(used).max() or 1)
        used = used - used.mean()
        self.pattern = np.zeros(template.shape)
        if not self.flat:
            self.pattern[counted] = used / np.linalg.norm(used)
        axes = len(self.kernel)
        self.length = tuple(
            fft.next_fast_len(min(max(round(_CELLS ** (1 / axes)), 4 * k), n + k - 1), real=True)
            for n, k in zip(x.shape, self.kernel, strict=True)
        )
        self.transform = self._forward(self.pattern).conj()
        self.windows = {axis: Window(k, 0) for axis, k in enumerate(self.kernel)}
        if mask is not None:
            self.mask_transform = self._forward(mask.astype(np.float64)).conj()

    def run(self) -> None:
        pieces = [split(n, length - k + 1) for n, k, length in zip(self.x.shape, self.kernel, self.length, strict=True)]
        jobs = list(product(*pieces))

        def task(lo: int, hi: int) -> None:
            for job in jobs[lo:hi]:
                with np.errstate(all="ignore"):
                    self.score[tuple(slice(*ends) for ends in job)] = self._piece(job)

        parallel(task, split(len(jobs), 1))

    def _forward(self, values: np.ndarray) -> np.ndarray:
        return self.fft.rfftn(values, self.length)

    def _correlated(self, values: np.ndarray, transform: np.ndarray, outputs: tuple[slice, ...]) -> np.ndarray:
        """Sums of values times a template at every place where it lies inside them."""
        return self.fft.irfftn(self._forward(values) * transform, self.length)[outputs]

    def _piece(self, job: tuple[tuple[int, int], ...]) -> np.ndarray:
        starts = [lo - k // 2 for (lo, _), k in zip(job, self.kernel, strict=True)]
        ends = [hi - k // 2 + k - 1 for (_, hi), k in zip(job, self.kernel, strict=True)]
        inside = tuple(
            slice(max(-lo, 0), min(hi, n) - lo) for lo, hi, n in zip(starts, ends, self.x.shape, strict=True)
        )
        outputs = tuple(slice(hi - lo) for lo, hi in job)
        cells = self.x[tuple(slice(max(lo, 0), hi) for lo, hi in zip(starts, ends, strict=True))].astype(np.float64)
        missing = ~np.isfinite(cells)
        present = cells[~missing]
        centre = present.mean() if present.size else 0.0
        cells = np.where(missing, 0.0, cells - centre)
        values = np.zeros([hi - lo for lo, hi in zip(starts, ends, strict=True)])
        scale = max(np.abs(cells).max(), abs(centre) if values.size > cells.size else 0.0) or 1.0
        values[inside] = cells / scale
        beyond = -centre / scale  # what a 0 outside has become
        score = self._scores(values, beyond, inside, outputs)
        if missing.any():
            there = np.zeros(values.shape, np.uint8)
            there[inside] = missing
            score[self._any(there, outputs)] = np.nan
        return score

    def _scores(
        self, values: np.ndarray, beyond: float, inside: tuple[slice, ...], outputs: tuple[slice, ...]
    ) -> np.ndarray:
        fits = self._correlated(values, self.transform, outputs)
        edged = values.size > prod(s.stop - s.start for s in inside)
        if edged:
            fits += beyond * self._outside(self.pattern, inside, outputs)
        if self.mask is None:
            if edged:
                rim = np.ones(values.shape, bool)
                rim[inside] = False
                values[rim] = beyond
            mean = means(values, self.windows, "constant", 0.0)[outputs]
            square = means(values * values, self.windows, "constant", 0.0)[outputs]
            noise = 0.0
        else:
            squares = values * values
            noise = _NOISE * np.linalg.norm(squares) / np.sqrt(self.count)  # what transforms spread
            mean = self._correlated(values, self.mask_transform, outputs) / self.count
            square = self._correlated(squares, self.mask_transform, outputs) / self.count
            if edged:
                part = self._outside(self.mask.astype(np.float64), inside, outputs) / self.count
                mean += part * beyond
                square += part * beyond**2
        variance = square - mean * mean
        flat = ~(variance > _NOISE * square + noise)
        score = np.clip(fits / np.sqrt(np.where(flat, 1.0, variance) * self.count), -1, 1)
        score[flat] = 0
        return score

    def _outside(self, kernel: np.ndarray, inside: tuple[slice, ...], outputs: tuple[slice, ...]) -> np.ndarray:
        """For every place of a kernel, the sum of those of its cells that lie beyond the edges."""
        total, whole = kernel.sum(), []
        for axis, (cells, places) in enumerate(zip(inside, outputs, strict=True)):
            k = kernel.shape[axis]
            before = np.zeros_like(np.take(kernel, [0], axis))
            sums = np.concatenate((before, np.cumsum(kernel, axis)), axis)
            place = np.arange(places.stop)
            first, last = (np.clip(end - place, 0, k) for end in (cells.start, cells.stop))
            kernel = np.take(sums, last, axis) - np.take(sums, first, axis)
            whole.append(slice(cells.start, max(cells.stop - k + 1, cells.start)))
        outside = total - kernel
        outside[tuple(whole)] = 0  # not what rounding left
        return outside

    def _any(self, cells: np.ndarray, outputs: tuple[slice, ...]) -> np.ndarray:
        """Whether a window holds any of the cells."""
        if self.mask is None:
            return extremes(cells, self.windows, "constant", 0, largest=True)[outputs] > 0
        return self._correlated(cells.astype(np.float64), self.mask_transform, outputs) > 0.5
