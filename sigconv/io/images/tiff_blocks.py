"""One strip or tile of a TIFF to samples and back."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sigconv.io.images import tiff_layout as layouts
from sigconv.io.images.picture import Page, Refusal
from sigconv.io.images.tiff_layout import Layout


def decoded(layout: Layout, data: bytes | bytearray, rows: int) -> Page:
    """The (rows, columns, channels) of a strip or tile that is stored with so many rows."""
    import imagecodecs

    shape = (rows, layout.block[1], layout.samples)
    if layout.compression == layouts.JPEG:
        return _of_jpeg(layout, bytes(data), shape)
    if layout.reversed_bits:
        data = bytes(imagecodecs.bitorder_decode(bytes(data)))
    if layout.compression in (layouts.CCITT, layouts.FAX3, layouts.FAX4):
        return np.asarray(_of_fax(layout, bytes(data), rows), np.uint8).reshape(shape)
    size = rows * layout.pitch
    raw = data if layout.compression == layouts.NONE else _codec(layout.compression, "decode")(data, out=size)
    if len(raw) < size:
        raise Refusal("is damaged: a strip or tile holds too few samples")
    if layout.bits < 8:
        bits = np.unpackbits(np.frombuffer(raw, np.uint8, size).reshape(rows, -1), axis=1)
        per_row = layout.block[1] * layout.samples
        weights = (1 << np.arange(layout.bits - 1, -1, -1)).astype(np.uint8)
        levels = bits[:, : per_row * layout.bits].reshape(rows, per_row, layout.bits) @ weights
        return np.asarray(levels, np.uint8).reshape(shape)
    if layout.bits % 8:
        x = imagecodecs.packints_decode(bytes(raw[:size]), layout.dtype, layout.bits, runlen=shape[1] * shape[2])
        return np.asarray(x, layout.dtype).reshape(shape)
    floats = layout.predictor == layouts.FLOAT_DIFFERENCES
    stored = layout.dtype if floats else layout.stored
    x = np.frombuffer(raw, stored, size // stored.itemsize).reshape(shape).astype(layout.dtype, copy=False)
    if layout.predictor == 1:
        return x
    undo = _codec("floatpred" if floats else "delta", "decode")
    return np.asarray(undo(x, axis=-2, out=np.empty_like(x)))


def encoded(layout: Layout, x: Page) -> bytes | memoryview:
    """The bytes of a strip or tile: `decoded` backwards, for whatever keeps each sample."""
    import imagecodecs

    x = np.ascontiguousarray(x)
    if layout.bits < 8:
        rows = x.reshape(len(x), -1, 1) >> np.arange(layout.bits - 1, -1, -1).astype(np.uint8) & 1
        x = np.packbits(rows.reshape(len(x), -1), axis=1)
    elif layout.bits % 8:
        packed = imagecodecs.packints_encode(x, layout.bits, runlen=x[0].size)
        x = np.frombuffer(packed, np.uint8).reshape(len(x), -1)
    elif layout.predictor == layouts.FLOAT_DIFFERENCES:
        x = _codec("floatpred", "encode")(x, axis=-2, out=np.empty_like(x))
    else:
        if layout.predictor == layouts.DIFFERENCES:
            x = _codec("delta", "encode")(x, axis=-2, out=np.empty_like(x))
        x = x.astype(layout.stored, copy=False)
    flat = x.reshape(len(x), -1).view(np.uint8)
    data: bytes | memoryview = flat.reshape(-1).data
    if layout.compression == layouts.PACKBITS:  # rows are packed one by one
        data = _codec(layouts.PACKBITS, "encode")(flat, axis=-1)
    elif layout.compression != layouts.NONE:
        data = _codec(layout.compression, "encode")(data)
    return bytes(imagecodecs.bitorder_encode(bytes(data))) if layout.reversed_bits else data


def _codec(name: int | str, way: str) -> Callable[..., Any]:
    import imagecodecs

    found = layouts.CODECS[name] if isinstance(name, int) else name
    if found == "zlib" and imagecodecs.DEFLATE.available:
        found = "deflate"  # the same bytes read, in half the time
    codec: Callable[..., Any] = getattr(imagecodecs, f"{found}_{way}")
    return codec


def _of_jpeg(layout: Layout, data: bytes, shape: tuple[int, int, int]) -> Page:
    import imagecodecs

    from sigconv.io.images.jpeg import lengthened

    spaces = {layouts.YCBCR: "YCBCR", layouts.RGB: "RGB", layouts.INKS: "CMYK"}
    space = spaces.get(layout.photometric) if layout.samples > 2 else None
    options: Any = {"colorspace": space, "outcolorspace": "RGB" if space == "YCBCR" else space}
    x, y = (
        imagecodecs.jpeg8_decode(stream, tables=layout.tables, shape=shape[:2], **options)
        for stream in (data, lengthened(data, shape[:2], shape[2]))
    )
    if not np.array_equal(x, y):
        raise Refusal("is damaged: the data of a strip or tile end too early")
    x = x.reshape(*x.shape[:2], -1)
    if x.dtype != np.uint8 or x.shape[2] != shape[2] or x.shape[0] > shape[0] or x.shape[1] > shape[1]:
        raise Refusal("is damaged: a strip or tile has another size")
    return np.asarray(x)


def _of_fax(layout: Layout, data: bytes, rows: int) -> Any:
    import imagecodecs

    if layout.compression == layouts.FAX4:
        return imagecodecs.ccittfax4_decode(data, rows, layout.block[1])
    if layout.compression == layouts.FAX3:
        return imagecodecs.ccittfax3_decode(data, rows, layout.block[1], t4options=layout.fax)
    return imagecodecs.ccittrle_decode(data, rows, layout.block[1])
