"""NPY: arrays as images. What their channels mean is not known, so that none is taken for opacity."""

from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images.picture import Page, Picture, Refusal, limited

MAGIC = b"\x93NUMPY"


def read_npy(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of an NPY file that stands at its beginning."""
    shape, fortran, dtype = npy_head(file)
    if dtype.hasobject or dtype.kind not in "buif" or dtype.itemsize > 8:
        raise Refusal(f"holds {dtype}, not numbers of up to 64 bits")
    if len(shape) not in (2, 3):
        raise Refusal(f"has {len(shape)} dimensions: images have rows, columns and perhaps channels")
    limited(shape[0], shape[1], max_pixels)
    if len(shape) == 3 and not 1 <= shape[2] <= 1024:
        raise Refusal(f"has {shape[2]} channels")
    count = int(np.prod(shape))
    start = file.tell()
    if file.seek(0, 2) - start < count * dtype.itemsize:
        raise Refusal("ends in the middle: it is cut off or damaged")
    file.seek(start)
    samples = np.frombuffer(bytearray(file.read(count * dtype.itemsize)), dtype)
    page: Page = samples.reshape(shape[::-1]).transpose() if fortran else samples.reshape(shape)
    bits = 8 * dtype.itemsize
    if dtype.kind == "b":
        if (page.view(np.uint8) > 1).any():
            raise Refusal("is damaged: it holds truth values that are neither 0 nor 1")
        page, bits = page * np.uint8(255), 1
    picture = Picture([], "npy", "rgb" if page.ndim == 3 and shape[2] == 3 else "gray", bits=bits)
    picture.pages = [np.ascontiguousarray(page, page.dtype.newbyteorder("="))]
    picture.about.details = {"order": dtype.byteorder, "fortran": fortran, "truth": dtype.kind == "b"}
    return picture


def write_npy(picture: Picture, file: BinaryIO) -> list[str]:
    """Write a picture of one page; notes of what could not be kept."""
    details = picture.about.details if picture.format == "npy" else {}
    (page,) = picture.pages
    if details.get("truth") and page.dtype == np.uint8:
        page = page >= 128
    page = page.astype(page.dtype.newbyteorder(details.get("order", "=")), copy=False)
    if details.get("fortran"):
        page = np.asfortranarray(page)
    np.lib.format.write_array(file, page, allow_pickle=False)
    return []


def npy_head(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype, as the header at the place of the file says."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        found = readers[version](file) if version in readers else None
    except Exception as error:  # NumPy evaluates the header, which fails in many ways
        raise Refusal("is damaged: its header makes no sense") from error
    if found is None:
        raise Refusal(f"is of NPY version {version[0]}.{version[1]}, which is not read")
    return found
