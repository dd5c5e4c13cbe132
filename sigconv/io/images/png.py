"""PNG: chunks are read and written here, so that nothing of them is lost; libpng undoes the filters of the rows."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from sigconv.io.images.exif import for_writing, orientation_of
from sigconv.io.images.picture import About, Page, Picture, Refusal, channels, limited, narrowed

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a colour type
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_LEVEL = 5  # of libdeflate: half the time of 6 for one per cent more
_PIECE = 1 << 20  # bytes of rows that are filtered at once
_MOST_TEXT = 1 << 26  # bytes that what is not pixels may take
_PER_METRE = 39.37007874015748  # inches in a metre
_COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")  # what samples mean; stand before the pixels
_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"  # what its text, not packed, begins with
_ELSEWHERE = (b"eXIf", b"pHYs")  # kept in another form
_PASSES = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))


def read_png(file: BinaryIO, max_pixels: int) -> Picture:
    """The picture of a PNG file that stands at its beginning."""
    chunks = list(_chunks(file.read()))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise Refusal("is damaged: it does not begin with a header")
    columns, rows, depth, kind, method, filtering, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth not in _DEPTHS.get(kind, ()) or method or filtering or interlace > 1:
        raise Refusal(f"is damaged: PNG knows no colour type {kind} of {depth} bits (interlace {interlace})")
    limited(rows, columns, max_pixels)
    others: dict[bytes, list[bytes]] = {}
    for name, data in chunks[1:]:
        if name not in (b"IDAT", b"fdAT"):
            others.setdefault(name, []).append(bytes(data))
    about = _about(others)
    _refuse_animation(chunks, about)
    size = _raw_size(rows, columns, depth * _CHANNELS[kind], interlace)
    raw = _inflated([data for name, data in chunks if name == b"IDAT"], size)
    samples = _unfiltered(raw, rows, columns, depth, 0 if kind == 3 else kind, interlace)
    transparent = others.get(b"tRNS", [None])[0]
    if kind == 3:
        page = _coloured(samples, depth, others.get(b"PLTE", [b""])[0], transparent)
        return Picture([page], "png", "rgb", page.shape[2] == 4, 8, True, about)
    bits, alpha = depth, kind in (4, 6)
    if transparent is not None and not alpha:
        samples, bits, alpha = _keyed(samples, transparent, depth, _CHANNELS[kind]), max(depth, 8), True
        about.details["keyed"] = True
    return Picture([np.ascontiguousarray(samples)], "png", "rgb" if kind & 2 else "gray", alpha, bits, False, about)


def write_png(picture: Picture, file: BinaryIO) -> list[str]:
    """Write a picture of one page; notes of what could not be kept."""
    import imagecodecs

    (page,), about = picture.pages, picture.about
    rows, columns = page.shape[:2]
    count = channels(page)
    if page.dtype not in (np.uint8, np.uint16) or picture.color == "cmyk" or count > 4:
        raise Refusal(f"PNG holds no {picture.color} images of {count} channels in {page.dtype}")
    notes = []
    if picture.palette:
        notes.append("the palette became RGBA" if picture.alpha else "the palette became RGB")
    if about.details.get("keyed"):
        notes.append("the transparent colour became a channel of opacity")
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    low = page.dtype == np.uint8 and count == 1 and picture.bits in (1, 2, 4)
    if low:
        depth, data = picture.bits, _packed(narrowed(page.reshape(rows, columns), picture.bits), picture.bits)
    else:
        depth = 8 * page.dtype.itemsize
        codecs: Any = imagecodecs
        data = codecs.deflate_encode(_filtered(page).reshape(-1), level=_LEVEL)
    file.write(SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, depth, kind, 0, 0, 0)))
    for name, body in _written_about(about):
        file.write(_chunk(name, body))
    for start in range(0, len(data), 1 << 30):
        file.write(_chunk(b"IDAT", data[start : start + (1 << 30)]))
    file.write(_chunk(b"IEND", b""))
    return notes


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, at, text = memoryview(data), len(SIGNATURE), 0
    while True:
        if at + 12 > len(data):
            raise Refusal("ends in the middle: it is cut off or damaged")
        size, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + size > len(data):
            raise Refusal("ends in the middle: it is cut off or damaged")
        body = view[at + 8 : at + 8 + size]
        if zlib.crc32(view[at + 4 : at + 8 + size]) != struct.unpack_from(">I", data, at + 8 + size)[0]:
            raise Refusal(f"is damaged: the checksum of its part {name.decode('latin-1')!a} is wrong")
        yield name, body
        if name == b"IEND":
            return
        text += 0 if name in (b"IDAT", b"fdAT") else size
        if text > _MOST_TEXT:
            raise Refusal(f"holds more than {_MOST_TEXT:,} bytes of text and profiles")
        if not name[0] & 32 and name not in (b"IHDR", b"PLTE", b"IDAT"):
            raise Refusal(f"needs {name.decode('latin-1')!a}, which is not known here")
        at += 12 + size


def _chunk(name: bytes, body: bytes | memoryview) -> bytes:
    return b"".join((struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))))


def _refuse_animation(chunks: list[tuple[bytes, memoryview]], about: About) -> None:
    names = [name for name, _ in chunks]
    if b"acTL" not in names or b"IDAT" not in names:
        return
    frames = int.from_bytes(chunks[names.index(b"acTL")][1][:4], "big")
    if b"fcTL" not in names[: names.index(b"IDAT")]:
        about.lost.append(f"an animation of {frames} frames, beside which the still image stands")
    elif frames > 1:
        raise Refusal(f"is an animation of {frames} frames; only still images are filtered")


def _sizes(rows: int, columns: int, interlace: int) -> list[tuple[int, int]]:
    if not interlace:
        return [(rows, columns)]
    return [(len(range(r, rows, dr)), len(range(c, columns, dc))) for r, dr, c, dc in _PASSES]


def _raw_size(rows: int, columns: int, bits: int, interlace: int) -> int:
    return sum(r * (1 + (c * bits + 7) // 8) for r, c in _sizes(rows, columns, interlace) if r and c)


def _inflated(parts: list[memoryview], size: int) -> memoryview:
    import imagecodecs

    if size > 1040 * sum(map(len, parts)):  # deflate cannot make more of it: nothing is taken for what cannot come
        raise Refusal("is damaged: it holds too little data for its size")
    codecs: Any = imagecodecs  # whose types do not tell all that it takes
    packed = parts[0] if len(parts) == 1 else b"".join(parts)
    try:
        whole = codecs.deflate_decode(packed, out=np.empty(size, np.uint8))
        if len(whole) == size:
            return memoryview(whole)
    except (imagecodecs.DeflateError, ValueError):
        pass  # libdeflate is quick, but says neither what is wrong nor whether more came than is due
    return memoryview(_inflated_slowly(parts, size))


def _inflated_slowly(parts: list[memoryview], size: int) -> bytes:
    inflate = zlib.decompressobj()
    pieces, left = [], size
    try:
        for part in parts:
            rest: bytes | memoryview = part
            while len(rest) and left >= 0:  # one byte more is asked for than is due: then the checksum is looked at
                pieces.append(inflate.decompress(rest, left + 1))
                left -= len(pieces[-1])
                rest = inflate.unconsumed_tail
    except zlib.error as error:
        raise Refusal(f"is damaged: {error}") from error
    if left > 0:
        raise Refusal("is damaged: it holds too little data for its size")
    return b"".join(pieces)[:size]


def _unfiltered(raw: memoryview, rows: int, columns: int, depth: int, kind: int, interlace: int) -> Page:
    if not interlace:
        return _decoded(raw, rows, columns, depth, kind)
    bits, at, page = depth * _CHANNELS[kind], 0, None
    for (r, dr, c, dc), (high, wide) in zip(_PASSES, _sizes(rows, columns, interlace), strict=True):
        if high and wide:
            size = high * (1 + (wide * bits + 7) // 8)
            part = _decoded(raw[at : at + size], high, wide, depth, kind)
            page = np.empty((rows, columns, *part.shape[2:]), part.dtype) if page is None else page
            page[r::dr, c::dc] = part
            at += size
    assert page is not None  # the first pass holds the first pixel
    return page


def _decoded(raw: memoryview, rows: int, columns: int, depth: int, kind: int) -> Page:
    """The samples of filtered rows: some at a time, which are in the cache all the way, behind the one before them."""
    pitch = len(raw) // rows
    step = max(_PIECE // pitch, 1) if depth >= 8 else rows
    if step >= rows:
        return _by_libpng(raw, rows, columns, depth, kind)
    page: Page | None = None
    before = b""
    for low in range(0, rows, step):
        high = min(low + step, rows)
        lines = b"".join((before, raw[low * pitch : high * pitch]))
        part = _by_libpng(lines, high - low + bool(before), columns, depth, kind)
        page = np.empty((rows, *part.shape[1:]), part.dtype) if page is None else page
        page[low:high] = part[bool(before) :]
        before = b"\0" + part[-1].astype(part.dtype.newbyteorder(">")).tobytes()
    assert page is not None  # there is a row
    return page


def _by_libpng(raw: bytes | memoryview, rows: int, columns: int, depth: int, kind: int) -> Page:
    import imagecodecs

    # libpng prints its warnings; what it is given here leaves none to be said.
    header = struct.pack(">IIBBBBB", columns, rows, depth, kind, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(raw, 0)), _chunk(b"IEND", b""))
    page: Page = imagecodecs.png_decode(b"".join((SIGNATURE, *parts)))
    return page


def _coloured(samples: Page, depth: int, palette: bytes, opacity: bytes | None) -> Page:
    if not palette or len(palette) % 3 or len(palette) > 768:
        raise Refusal("is damaged: its palette is missing or broken")
    index = samples // np.uint8(255 // ((1 << depth) - 1)) if depth < 8 else samples
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    if index.max() >= len(colours):
        raise Refusal(f"is damaged: colour {index.max()} of a palette of {len(colours)}")
    if opacity is not None:
        shown = np.full((len(colours), 1), 255, np.uint8)
        shown[: len(opacity), 0] = np.frombuffer(opacity, np.uint8)[: len(colours)]
        colours = np.hstack([colours, shown])
    return colours[index]


def _keyed(samples: Page, key: bytes, depth: int, count: int) -> Page:
    # one colour stands for "nothing here"
    if len(key) != 2 * count:
        raise Refusal("is damaged: its transparent colour is broken")
    levels = np.frombuffer(key, ">u2").astype(np.uint16) & ((1 << depth) - 1)
    colour = levels * (255 // ((1 << depth) - 1)) if depth < 8 else levels
    pixels = samples.reshape(*samples.shape[:2], count)
    shown = (pixels != colour.astype(samples.dtype)).any(axis=2, keepdims=True)
    return np.concatenate([pixels, shown * np.iinfo(samples.dtype).max], axis=2, dtype=samples.dtype, casting="unsafe")


def _filtered(page: Page) -> Page:
    """Rows as differences to the left or to the row above, whichever are smaller, each behind its filter's number.

    libpng tries more, and takes five times as long for files of about the same size.
    """
    rows, step = len(page), channels(page) * page.dtype.itemsize
    pitch = page.nbytes // rows
    out = np.empty((rows, 1 + pitch), np.uint8)

    def run(low: int, high: int) -> None:
        first = max(low - 1, 0)
        part = np.ascontiguousarray(page[first:high], page.dtype.newbyteorder(">"))
        cells = part.reshape(len(part), -1).view(np.uint8)
        x = cells[low - first :]
        above = cells[:-1] if low else np.concatenate([np.zeros((1, pitch), np.uint8), x[:-1]])
        left = x.copy()
        left[:, step:] -= x[:, :-step]
        ways = (x, left, x - above)
        sizes = [np.minimum(way, -way).sum(axis=1, dtype=np.int64) for way in ways]
        best = np.argmin(sizes, axis=0)
        target = out[low:high]
        target[:, 0] = best
        for k, way in enumerate(ways):
            target[best == k, 1:] = way[best == k]

    many = max(_PIECE // pitch, 1)
    if rows <= many:
        run(0, rows)
        return out
    from sigconv.engines.cpu.threads import parallel, split  # bring compiled code along

    parallel(run, split(rows, many))
    return out


def _packed(levels: Page, bits: int) -> bytes:
    rows, columns = levels.shape
    per = 8 // bits
    padded = np.zeros((rows, -(-columns // per) * per), np.uint8)
    padded[:, :columns] = levels
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    filled = np.zeros((rows, 1 + padded.shape[1] // per), np.uint8)  # each row begins with its filter: none
    filled[:, 1:] = np.bitwise_or.reduce(padded.reshape(rows, -1, per) << shifts, axis=2)
    return zlib.compress(filled.tobytes(), 6)


def _about(others: dict[bytes, list[bytes]]) -> About:
    about = About(exif=others.get(b"eXIf", [None])[0])
    about.orientation = orientation_of(about.exif)
    physical = others.get(b"pHYs", [b""])[0]
    if len(physical) == 9:
        x, y, unit = struct.unpack(">IIB", physical)
        about.details["physical"] = physical
        if unit == 1 and x and y:
            about.dpi = (x / _PER_METRE, y / _PER_METRE)
    if b"iCCP" in others:
        name, _, packed = others[b"iCCP"][0].partition(b"\0")
        try:
            about.icc = zlib.decompressobj().decompress(packed[1:], _MOST_TEXT)
        except zlib.error:
            about.lost.append("a colour profile, which is damaged")
        about.details["profile"] = name
    kept = [name for name in others if name in (*_COLOURS, b"tIME") or (name[3] & 32 and name not in _ELSEWHERE)]
    about.details["chunks"] = [(name, body) for name in kept for body in others[name]]
    packets = [body[len(_XMP) :] for body in others.get(b"iTXt", []) if body.startswith(_XMP)]
    about.xmp = packets[0] if packets else None
    if sum(len(others.get(name, ())) for name in (b"tEXt", b"zTXt", b"iTXt")) > len(packets):
        about.own.append("its texts")
    if not about.icc and b"sRGB" not in others and not {b"gAMA", b"cHRM", b"cICP"}.isdisjoint(others):
        about.own.append("its gamma or primaries")
    return about


def _written_about(about: About) -> Iterator[tuple[bytes, bytes]]:
    kept = about.details.get("chunks", [])
    yield from ((name, body) for name, body in kept if name in _COLOURS)
    if about.icc:
        name = about.details.get("profile") or b"ICC profile"
        yield b"iCCP", name + b"\0\0" + zlib.compress(about.icc)
    physical = about.details.get("physical")
    if about.dpi:
        x, y = (round(dots * _PER_METRE) for dots in about.dpi)
        yield b"pHYs", struct.pack(">IIB", min(x, 2**31 - 1), min(y, 2**31 - 1), 1)
    elif isinstance(physical, bytes) and len(physical) == 9 and not physical[8]:  # the shape of a pixel
        yield b"pHYs", physical
    exif = for_writing(about.exif, about.orientation)
    if exif:
        yield b"eXIf", exif
    if about.xmp and not any(name == b"iTXt" and body.startswith(_XMP) for name, body in kept):
        yield b"iTXt", _XMP + about.xmp
    yield from ((name, body) for name, body in kept if name not in _COLOURS)
