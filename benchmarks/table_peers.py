"""What one would write instead, each in a process of its own: `python table_peers.py NAME IN OUT COLUMN SPAN`."""

import sys


def polars_sink(source: str, target: str, column: str, span: int) -> None:
    """Scan to sink on the streaming engine."""
    import polars as pl

    smooth = pl.col(column).ewm_mean(span=span)
    pl.scan_csv(source).with_columns(smooth).sink_csv(target, engine="streaming")


def polars_sink_text(source: str, target: str, column: str, span: int) -> None:
    """Scan to sink where only the column to smooth is read as numbers."""
    import polars as pl

    smooth = pl.col(column).cast(pl.Float64).ewm_mean(span=span)
    pl.scan_csv(source, infer_schema=False).with_columns(smooth).sink_csv(target, engine="streaming")


def polars_collect(source: str, target: str, column: str, span: int) -> None:
    """The whole table in memory, then written."""
    import polars as pl

    smooth = pl.col(column).ewm_mean(span=span)
    pl.scan_csv(source).with_columns(smooth).collect().write_csv(target)


def polars_collect_text(source: str, target: str, column: str, span: int) -> None:
    """The whole table in memory, and only the column to smooth read as numbers."""
    import polars as pl

    smooth = pl.col(column).cast(pl.Float64).ewm_mean(span=span)
    pl.scan_csv(source, infer_schema=False).with_columns(smooth).collect().write_csv(target)


def pandas(source: str, target: str, column: str, span: int) -> None:
    """pandas as it comes."""
    import pandas as pd

    table = pd.read_csv(source)
    table[column] = table[column].ewm(span=span).mean()
    table.to_csv(target, index=False)


def pyarrow(source: str, target: str, column: str, span: int) -> None:
    """Read and written by Arrow's threads, smoothed by pandas; only the column to smooth is read as numbers."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv

    with open(source, encoding="utf-8") as file:
        names = file.readline().strip().split(",")
    types = {name: pa.float64() if name == column else pa.string() for name in names}
    table = csv.read_csv(source, convert_options=csv.ConvertOptions(column_types=types))
    smooth = pd.Series(table[column].to_numpy()).ewm(span=span).mean().to_numpy()
    table = table.set_column(table.column_names.index(column), column, pa.array(smooth))
    csv.write_csv(table, target, csv.WriteOptions(quoting_style="none"))


PEERS = {
    "polars sink": polars_sink,
    "polars sink, others as text": polars_sink_text,
    "polars collect": polars_collect,
    "polars collect, others as text": polars_collect_text,
    "pandas": pandas,
    "pyarrow": pyarrow,
}


if __name__ == "__main__":
    name, source, target, column, span = sys.argv[1:]
    PEERS[name](source, target, column, int(span))
