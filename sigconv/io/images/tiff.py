"""TIFF (first version)."""

from typing import BinaryIO

import numpy as np

from sigconv.io.images.picture import Picture, Refusal, limited


def read_tiff(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a TIFF file that stands at its beginning."""
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        pages = []
        for page in tiff.pages:
            limited(page.imagelength, page.imagewidth, max_pixels)
            samples = page.asarray()
            if page.planarconfig == 2 and samples.ndim == 3:
                samples = np.moveaxis(samples, 0, -1)
            pages.append(np.ascontiguousarray(samples, samples.dtype.newbyteorder("=")))
        first = tiff.pages[0]
        photometric = int(first.photometric)
        if photometric not in (0, 1, 2, 5, 6):
            raise Refusal(f"is of colour kind {photometric}, which is not read")
        color = {2: "rgb", 5: "cmyk", 6: "rgb"}.get(photometric, "gray")
        alpha = bool(first.extrasamples) and int(first.extrasamples[0]) in (1, 2)
    return Picture(pages, "tiff", color, alpha, 8 * pages[0].dtype.itemsize)


def write_tiff(picture: Picture, file: BinaryIO, quality: int | None = None) -> list[str]:
    """Write a picture; notes of what could not be kept."""
    import tifffile

    photometric = {"gray": "minisblack", "rgb": "rgb", "cmyk": "separated"}[picture.color]
    with tifffile.TiffWriter(file) as tiff:
        for page in picture.pages:
            tiff.write(
                page,
                photometric=photometric,
                metadata=None,
                planarconfig="contig" if page.ndim == 3 else None,
                extrasamples=["unassalpha"] if picture.alpha else None,
            )
    return []
