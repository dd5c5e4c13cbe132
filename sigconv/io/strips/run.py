"""Images filtered in bands of rows: while one band is filtered the next is read and the one before is written."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np

from sigconv.io.files import ahead, behind, drafting, plain_size
from sigconv.io.images import MAX_PIXELS, ImageError, format_of, left_out
from sigconv.io.images import tiff_layout as layouts
from sigconv.io.images.picture import About, Refusal
from sigconv.io.images.tiff_layout import Layout
from sigconv.io.images.tiff_tags import Kind
from sigconv.io.strips.plain import Form, NotInStrips, PlainRows, PlainSink, npy_form, pfm_form, pnm_form
from sigconv.io.strips.stages import Chain, Span, Stage
from sigconv.io.strips.tiff import TiffRows, TiffSink

LARGE = 1 << 22  # bytes of pixels from which on bands are worth it: quicker and in less memory
_LEAST, _MOST = 1 << 20, 1 << 22  # samples of a band, as far as what it sees around it allows
_EIGHTH = 8  # of a band may be what it sees around it

Progress = Callable[[int, int], None]
_FORMATS = ("tiff", "pnm", "pfm", "npy")


class RowSource(Protocol):
    """An image whose rows are read band by band: those of the page that it was turned to last."""

    pages: Sequence[Any]
    shape: tuple[int, ...]
    dtype: np.dtype
    format: str
    color: str
    alpha: bool
    orientation: int

    @property
    def about(self) -> About: ...

    def turn_to(self, page: int) -> None: ...

    def rows(self, low: int, high: int) -> np.ndarray: ...

    def close(self) -> None: ...


class Sink(Protocol):
    """What takes the rows of a result, band by band."""

    def write(self, rows: np.ndarray) -> None: ...

    def close(self) -> None: ...


def open_rows(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> RowSource:
    """Open a TIFF, PNM, PFM or NPY to be read band by band; ``with contextlib.closing(...)`` closes it.

    Parameters
    ----------
    path : str or Path
    max_pixels : int
        The most that a header may claim.

    Returns
    -------
    RowSource
        Its ``shape``, ``dtype``, ``format``, ``color`` and ``alpha`` are those of `sigconv.io.images.read`'s picture,
        and ``rows(low, high)`` is the array of these rows.

    Raises
    ------
    ImageError
        Where the file is damaged, or of a kind that has to be read whole.
    """
    try:
        return _open(str(path), max_pixels)
    except Refusal as error:
        raise ImageError(f"{path}: {_said(error)}") from error


def worth_it(path: str | Path, least: int = LARGE) -> bool:
    """Whether an image has ``least`` bytes of pixels, and is of a format and layout that bands are read from."""
    size = plain_size(str(path))
    if str(path) == "-" or size is None:
        return False
    try:
        with closing(_open(str(path), 2**62)) as source:
            return _samples(source) * source.dtype.itemsize >= least
    except (Refusal, OSError):
        return False


def writes_rows(path: str | Path) -> bool:
    """Whether a result can be written band by band to a file of this name."""
    return format_of(path) in _FORMATS and Path(path).suffix.lower() != ".pbm"


def apply(
    path: str | Path,
    out_path: str | Path,
    stages: Sequence[Stage],
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
    rows: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> list[str]:
    """Filter an image band by band into a file that appears whole or not at all.

    The result is, pixel by pixel, that of the stages one after the other on the whole image. Layout, compression, byte
    order and tags of a TIFF are kept.

    Parameters
    ----------
    path, out_path : str or Path
        TIFF, PNM, PFM or NPY. They may be the same.
    stages : sequence of Stage
        In order. None may change the number of channels.
    progress : callable, optional
        Told after each band how many rows are done, and how many there will be. What it raises ends the run.
    overwrite : bool
        Whether ``out_path`` may be there already.
    rows : int, optional
        Rows of a band of the result; chosen from the image's width where none are given.
    max_pixels : int
        The most that the image's header may claim.

    Returns
    -------
    list of str
        What could not be kept, as `sigconv.io.images.write` says it.

    Raises
    ------
    ImageError
        Where the image is damaged, has to be read whole, or a stage needs all of it at once.
    """
    for stage in stages:
        if stage.whole:
            raise ImageError(f"{path}: cannot be filtered in bands of rows: {stage.whole}")
    try:
        with (
            closing(_open(str(path), max_pixels)) as source,
            drafting(str(out_path), overwrite=overwrite) as file,
        ):
            notes = dict.fromkeys(left_out(source.about, source.format, format_of(out_path) or source.format))
            _filter_pages(source, _sinks(source, str(out_path), file, notes), stages, progress, rows)
            return list(notes)
    except Refusal as error:
        raise ImageError(f"{path}: {_said(error)}") from error
    except OSError as error:
        if error.filename is None:  # descriptors have no names
            error.filename = str(out_path)
        raise


def _filter_pages(
    source: RowSource,
    sink: Callable[[tuple[int, ...], np.dtype], Sink],
    stages: Sequence[Stage],
    progress: Progress | None,
    rows: int | None,
) -> None:
    totals = []
    for page in range(len(source.pages)):
        source.turn_to(page)
        totals.append(Chain(stages, source.shape[0]).heights[-1])
    for page in range(len(totals)):

        def tell(done: int, _: int, before: int = sum(totals[:page])) -> None:
            if progress is not None:
                progress(before + done, sum(totals))

        source.turn_to(page)
        filter_rows(source, sink, stages, tell, rows=rows)


def filter_rows(
    source: RowSource,
    sink: Callable[[tuple[int, ...], np.dtype], Sink],
    stages: Sequence[Stage],
    progress: Progress | None = None,
    *,
    rows: int | None = None,
) -> None:
    """Feed the rows of a page through a chain of stages into a sink.

    Parameters
    ----------
    source : RowSource
    sink : callable
        Given the shape and the dtype of the result, gives what takes its rows.
    stages, progress, rows
        As in `apply`.
    """
    chain = Chain(stages, source.shape[0])
    total = chain.heights[-1]
    if not total:
        raise Refusal(f"{source.shape[0]} rows are too few for what is to be done")
    step = rows or _band(source, chain)
    bands = [(low, min(low + step, total)) for low in range(0, total, step)]

    def read() -> Iterator[tuple[list[Span], np.ndarray]]:
        for low, high in bands:
            spans = chain.spans(low, high)
            yield spans, source.rows(*spans[0])

    opened: list[Sink] = []

    def write(result: np.ndarray) -> None:
        if not opened:
            opened.append(sink((total, *result.shape[1:]), result.dtype))
        opened[0].write(result)

    with closing(ahead(read(), 1)) as read_ahead, behind(cast(Any, write), 1) as put:
        for spans, band in read_ahead:
            put(cast(Any, chain.run(band, spans)))
            if progress is not None:
                progress(spans[-1][1], total)
    opened[0].close()


def filter_array(
    page: np.ndarray, stages: Sequence[Stage], progress: Progress | None = None, *, rows: int | None = None
) -> np.ndarray:
    """The result of a chain of stages on an image in memory, which takes little more than that and the result.

    Parameters
    ----------
    page : ndarray, shape (rows, columns) or (rows, columns, channels)
    stages, progress, rows
        As in `apply`.

    Examples
    --------
    >>> filter_array(np.arange(6).reshape(6, 1), [Stage(lambda x: x[::2] + x[1::2], 2, 2)], rows=2).ravel()
    array([1, 5, 9])
    """
    chain = Chain(stages, len(page))
    total = chain.heights[-1]
    step = rows or _band(page, chain)
    out = None
    for low in range(0, total, step):
        spans = chain.spans(low, min(low + step, total))
        result = chain.run(page[slice(*spans[0])], spans)
        if out is None:
            out = np.empty((total, *result.shape[1:]), result.dtype)
        out[low : low + len(result)] = result
        if progress is not None:
            progress(low + len(result), total)
    if out is None:
        raise ImageError(f"{len(page)} rows are too few for what is to be done")
    return out


def _band(source: RowSource | np.ndarray, chain: Chain) -> int:
    """Rows of a band of the result: what it sees around it is to be an eighth of it, or as much as memory allows."""
    row = int(np.prod(source.shape[1:]))
    wanted = max(_LEAST // row, _EIGHTH * chain.reach)
    return max(min(wanted, max(_MOST // row, 2 * chain.reach)) // chain.stride, 1)


def _open(path: str, max_pixels: int) -> Any:
    file = cast(BinaryIO, open(path, "rb", buffering=0))  # noqa: SIM115
    try:
        size = os.fstat(file.fileno()).st_size
        head = file.read(2)
        return (TiffRows if head in (b"II", b"MM") else PlainRows)(file, size, max_pixels)
    except BaseException:
        file.close()
        raise


def _sinks(
    source: Any, out_path: str, file: BinaryIO, notes: dict[str, None]
) -> Callable[[tuple[int, ...], np.dtype], Sink]:
    format = format_of(out_path) or source.format
    pages: list[TiffSink] = []
    if len(source.pages) > 1 and format != "tiff":
        raise ImageError(f"{out_path}: cannot hold {len(source.pages)} pages: TIFF can")

    def sink(shape: tuple[int, ...], dtype: np.dtype) -> Sink:
        if shape[2:] != source.shape[2:]:
            raise Refusal(f"a stage made {shape[2:]} channels of {source.shape[2:]}")
        if format not in _FORMATS:
            raise Refusal(f"cannot be written band by band as {format}")
        if format == "tiff":
            samples = shape[2] if len(shape) == 3 else 1
            cells = (shape[0], shape[1], samples)
            layout, tags = (source.layout, source.tags) if source.format == "tiff" else (_layout(source, cells), {})
            layout = layout.resized(cells, dtype)
            big = layout.kind.big or _samples(source) * dtype.itemsize * 1.1 > 2**32
            layout = replace(layout, kind=replace(layout.kind, big=pages[0].layout.kind.big if pages else big))
            pages.append(TiffSink(file, layout, tags, notes, pages[-1] if pages else None))
            return pages[-1]
        try:
            if source.format == format:
                form = cast(Form, source.form).resized(shape, dtype)
            else:
                form = {"npy": npy_form, "pnm": pnm_form, "pfm": pfm_form}[format](shape, dtype)
        except Refusal as refusal:
            raise ImageError(f"{out_path}: {refusal}") from refusal
        return PlainSink(file, form)

    return sink


def _samples(source: Any) -> float:
    """Of all pages, and of their tiles beyond the edges."""
    if source.format != "tiff":
        return float(np.prod(source.shape, dtype=float))
    return sum(sum(page.sizes()) / page.dtype.itemsize for page, _ in source.pages)


def _layout(source: RowSource, shape: tuple[int, int, int]) -> Layout:
    """Of a TIFF that comes from another format."""
    color = layouts.RGB if shape[2] > 2 else layouts.BLACK_IS_ZERO
    extra = (layouts.STRAIGHT,) * (shape[2] in (2, 4))
    bits = 8 * source.dtype.itemsize
    return Layout(Kind(), shape, source.dtype, bits, shape[:2], photometric=color, extra=extra)


def _said(error: Refusal) -> str:
    return f"{error}: it cannot be filtered in bands of rows" if isinstance(error, NotInStrips) else str(error)
