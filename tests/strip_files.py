"""Images and TIFFs for the tests of bands of rows."""

import numpy as np
import pytest

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")


def picture(rng, shape, dtype):
    dtype = np.dtype(dtype)
    return (rng.random(shape) * (200 if dtype in (np.uint8, np.float16) else 30000)).astype(dtype)


def write_tiff(path, x, planar=False, **options):
    options = {"compression": None, **options}
    if options["compression"] in (None, "packbits") or x.dtype.kind == "i":
        options.pop("predictor", None)
    if options.get("tile"):
        options.pop("rowsperstrip", None)
    color = x.ndim == 3
    options["photometric"] = "rgb" if color else "minisblack"
    if color:
        options["planarconfig"] = "separate" if planar else "contig"
    if color and x.shape[2] == 4:
        options["extrasamples"] = ["unassalpha"]
    tifffile.imwrite(path, np.moveaxis(x, -1, 0) if planar and color else x, **options)


def read_tiff(path):
    with tifffile.TiffFile(path) as file:
        (page,) = file.pages
        x = page.asarray()
        return np.moveaxis(x, 0, -1) if page.planarconfig == 2 else x


def page_of(path):
    with tifffile.TiffFile(path) as file:
        tags = {tag.code: tag.value for tag in file.pages[0].tags}
        return tags, file.byteorder, file.is_bigtiff
