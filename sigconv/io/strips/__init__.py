"""Images larger than memory: read, filtered and written in bands of rows."""

from sigconv.io.strips.run import RowSource, apply, filter_array, filter_rows, open_rows, worth_it, writes_rows
from sigconv.io.strips.stages import Chain, Stage

__all__ = [
    "Chain",
    "RowSource",
    "Stage",
    "apply",
    "filter_array",
    "filter_rows",
    "open_rows",
    "worth_it",
    "writes_rows",
]
