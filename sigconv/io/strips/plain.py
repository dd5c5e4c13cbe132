"""Formats whose rows stand in the file as they are in memory: PNM, PFM and NPY."""

import io
import os
from dataclasses import dataclass
from math import prod
from threading import Lock
from typing import Any, BinaryIO, cast

import numpy as np

from sigconv.io.images.npy import npy_head
from sigconv.io.images.picture import About, Refusal, limited
from sigconv.io.images.pnm import pfm_head, pnm_head

_HEAD = 1 << 16  # bytes that a header may have
_TURN = Lock()


class NotInStrips(Refusal):
    """What speaks against reading a sound file in bands of rows."""


@dataclass(frozen=True)
class Form:
    """What a header says: the shape, the dtype in the file, and whether rows go from the bottom up."""

    format: str
    shape: tuple[int, ...]
    stored: np.dtype
    head: bytes
    upwards: bool = False
    scale: str = "-1.0"

    @property
    def pitch(self) -> int:
        """Bytes of a row."""
        return prod(self.shape[1:]) * self.stored.itemsize

    def place(self, low: int, high: int) -> int:
        """Where rows low to high begin."""
        return len(self.head) + (self.shape[0] - high if self.upwards else low) * self.pitch

    def resized(self, shape: tuple[int, ...], dtype: np.dtype) -> "Form":
        """The same for an image of another size or dtype."""
        if self.format == "npy":
            return npy_form(shape, dtype.newbyteorder("S") if not self.stored.isnative else dtype)
        return (pfm_form if self.format == "pfm" else pnm_form)(shape, dtype, self.scale)


def npy_form(shape: tuple[int, ...], dtype: np.dtype, scale: str = "") -> Form:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return Form("npy", shape, dtype, head.getvalue())


def pnm_form(shape: tuple[int, ...], dtype: np.dtype, scale: str = "") -> Form:
    channels = shape[2] if len(shape) == 3 else 1
    if dtype not in (np.uint8, np.uint16) or channels not in (1, 3):
        raise Refusal(f"PNM holds no images of {channels} channels in {dtype}")
    head = f"P{5 if channels == 1 else 6}\n{shape[1]} {shape[0]}\n{np.iinfo(dtype).max}\n"
    return Form("pnm", shape, dtype.newbyteorder(">"), head.encode())


def pfm_form(shape: tuple[int, ...], dtype: np.dtype, scale: str = "-1.0") -> Form:
    channels = shape[2] if len(shape) == 3 else 1
    if dtype != np.float32 or channels not in (1, 3):
        raise Refusal(f"PFM holds no images of {channels} channels in {dtype}")
    head = f"P{'f' if channels == 1 else 'F'}\n{shape[1]} {shape[0]}\n{scale}\n"
    return Form("pfm", shape, dtype.newbyteorder("<" if scale.startswith("-") else ">"), head.encode(), True, scale)


def form_of(file: BinaryIO, size: int, max_pixels: int) -> Form:
    """What the header of a PNM, PFM or NPY says.

    Raises
    ------
    Refusal
        Where it is damaged or promises more than there is; `NotInStrips` where it has to be read whole.
    """
    file.seek(0)
    head = file.read(_HEAD)
    if head.startswith(b"\x93NUMPY"):
        form = _npy(head)
    elif head[:2] in (b"P5", b"P6"):
        form = _pnm(head)
    elif head[:2] in (b"Pf", b"PF"):
        form = _pfm(head)
    else:
        raise NotInStrips("is of a format that is read whole")
    limited(form.shape[0], form.shape[1], max_pixels)
    if len(form.head) + form.shape[0] * form.pitch > size:
        raise Refusal("ends in the middle: it is cut off or damaged")
    return form


def _npy(head: bytes) -> Form:
    file = io.BytesIO(head)
    shape, fortran, dtype = npy_head(file)
    if fortran or len(shape) not in (2, 3) or dtype.kind not in "iuf":
        raise NotInStrips("is not stored row by row, or is no image")
    if dtype.itemsize > 8 or (len(shape) == 3 and not 0 < shape[2] < 5):
        raise NotInStrips("is no image")
    return Form("npy", shape, dtype, head[: file.tell()])


def _pnm(head: bytes) -> Form:
    kind, columns, rows, most, end = pnm_head(head)
    if most not in (255, 65535):
        raise NotInStrips(f"has values of up to {most}")
    shape = (rows, columns, 3) if kind == 6 else (rows, columns)
    return Form("pnm", shape, np.dtype(">u2" if most > 255 else "u1"), head[:end])


def _pfm(head: bytes) -> Form:
    shape, scale, order, end = pfm_head(head)
    return Form("pfm", shape, np.dtype(f"{order}f4"), head[:end], True, scale.decode())


class PlainRows:
    """The rows of a PNM, PFM or NPY.

    Parameters
    ----------
    file : binary file
        It is read unbuffered.
    size, max_pixels : int
        Its bytes, and the most pixels that its header may claim.

    Raises
    ------
    Refusal
        As `form_of`.
    """

    alpha = False
    orientation = 1
    pages = (None,)

    def __init__(self, file: BinaryIO, size: int, max_pixels: int) -> None:
        self._file, self.form, self.about = file, form_of(file, size, max_pixels), About()
        self.shape, self.dtype, self.format = self.form.shape, self.form.stored.newbyteorder("="), self.form.format
        self.color = "rgb" if self.shape[2:] == (3,) else "gray"

    def turn_to(self, page: int) -> None:
        """There is one page."""

    def close(self) -> None:
        self._file.close()

    def rows(self, low: int, high: int) -> np.ndarray:
        """Rows low to high."""
        out = np.empty((high - low, *self.shape[1:]), self.dtype)
        read_into(self._file, self.form.place(low, high), out)
        if not self.form.stored.isnative:
            out.byteswap(inplace=True)
        return np.ascontiguousarray(out[::-1]) if self.form.upwards else out


class PlainSink:
    """A PNM, PFM or NPY that is written band by band."""

    def __init__(self, file: BinaryIO, form: Form) -> None:
        self._file, self._form, self._row = file, form, 0
        self._write(form.head)

    def write(self, rows: np.ndarray) -> None:
        """The next rows."""
        low, self._row = self._row, self._row + len(rows)
        if self._form.upwards:
            self._file.seek(self._form.place(low, self._row))
            rows = rows[::-1]
        stored = np.ascontiguousarray(rows).astype(self._form.stored, copy=False)
        self._write(stored.reshape(-1).view(np.uint8).data)

    def close(self) -> None:
        """See that nothing is missing."""
        if self._row != self._form.shape[0]:
            raise Refusal("came to an end too early")

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def read_into(file: BinaryIO, at: int, target: Any) -> None:
    """Fill an array or a buffer with the bytes from ``at`` on.

    Raises
    ------
    Refusal
        Where the file ends before.
    """
    view = target.reshape(-1).view(np.uint8).data if isinstance(target, np.ndarray) else memoryview(target)
    while view:
        try:
            count = _read_at(file, at, view)
        except OSError as error:
            raise Refusal(f"cannot be read: {error.strerror}") from error
        if not count:
            raise Refusal("ends in the middle: it is cut off or damaged")
        view, at = view[count:], at + count


def _read_at(file: BinaryIO, at: int, view: memoryview) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [view], at)
    with _TURN:  # where threads share a place in the file
        file.seek(at)
        return cast(io.RawIOBase, file).readinto(view) or 0
