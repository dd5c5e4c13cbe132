"""Weights that are a product of one factor along the rows and one along the columns: one pass for each.

A band of the first pass's results is kept while it is in the cache, and the second pass reads it there.
"""

from dataclasses import replace

import numpy as np

from sigconv.engines.cpu.compile import address
from sigconv.engines.cpu.scratch import scratch
from sigconv.engines.cpu.sliding_jobs import Columns, Job, Planes, Rows
from sigconv.engines.cpu.threads import parallel, split

_SPACE = 2**17  # numbers between the passes
_PARTS = 32


def run(
    x: np.ndarray,
    factors: tuple[np.ndarray, np.ndarray],
    where: tuple[Rows, Columns, Planes],
    cval: float,
    out: np.ndarray,
) -> None:
    """out = x weighed by factors[0] along the rows and by factors[1] along the columns; steps are 1."""
    rows, columns, planes = where
    down, across = factors
    dtype, outputs = down.dtype, len(rows.out)
    span = (rows.kernel - 1) * rows.gap + 1
    block = min(columns.out, 2048)
    band = min(outputs, max(_SPACE // block - span + 1, span, 16))
    starts = [min(top, outputs - band) for top in range(0, outputs, band)]  # the last band overlaps
    tall = band + span - 1
    kept = np.arange(tall, dtype=np.int64) * block
    seen = np.concatenate([rows.at[top : top + tall] for top in starts])
    across_rows = Rows(seen, np.tile(kept, len(starts)), 1, 1, 1, rows.pitch)
    aside = replace(planes, out=np.zeros(len(planes.out), np.int64))
    first = Job(dtype, across_rows, columns, aside, dtype.itemsize, tall, block)
    one_plane = Planes(np.zeros((1, 1), np.int64), np.zeros(1, np.int64))
    none = np.empty(0, np.int64)

    def second(width: int) -> Job:
        """For a band of so many columns."""
        plain = Columns(width, width, 1, 1, 1, 1, 0, none, none)
        to = rows.out[:band] - rows.out[0]
        return Job(dtype, Rows(kept, to, rows.kernel, 1, rows.gap, block), plain, one_plane, out.itemsize, band)

    jobs = {width: second(width) for width in {block, columns.out % block or block}}
    filter_columns = first.kernel(x.dtype, dtype)
    filter_rows = next(iter(jobs.values())).kernel(dtype, out.dtype)
    source, target = address(x), address(out)
    weights, weights_down, table = address(across), address(down), address(first.table)
    most = max(job.numbers for job in jobs.values())
    row_places, plane_places = rows.out.tolist(), planes.out.tolist()

    def task(lo: int, hi: int) -> None:
        space = scratch(2, max(tall * block + 4096, first.numbers, most), dtype)
        between, free = address(space[0]), address(space[1])
        for unit in range(lo, hi):
            left = unit % first.blocks * block
            top = starts[unit // first.blocks % len(starts)]
            plane = plane_places[unit // (first.blocks * len(starts))]
            filter_columns(source, weights, cval, between - left * dtype.itemsize, table, unit, unit + 1, free)
            job = jobs[min(block, columns.out - left)]
            to = target + (plane + row_places[top] + left) * out.itemsize
            filter_rows(between, weights_down, 0.0, to, address(job.table), 0, job.units, free)

    parallel(task, split(first.units, -(-first.units // _PARTS)))
