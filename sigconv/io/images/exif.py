"""The little of EXIF that matters to pixels: which way up they are, found and set in place."""

import struct

_ORIENTATION = 0x0112
_MOST = 1000  # entries of a directory that are looked at


def orientation_of(exif: bytes | None) -> int:
    """Orientation, 1 to 8; 1 where it is not told or makes no sense.

    Examples
    --------
    >>> orientation_of(bytes.fromhex("4d4d002a00000008 0001 0112 0003 00000001 0006 0000 00000000"))
    6
    """
    found = _find(exif or b"")
    if found is None:
        return 1
    order, place = found
    (value,) = struct.unpack_from(order + "H", exif or b"", place)
    return value if 1 <= value <= 8 else 1


def with_orientation(exif: bytes, orientation: int) -> bytes:
    """The same block with another orientation; a block that tells none stays as it is."""
    found = _find(exif)
    if found is None or orientation_of(exif) == orientation:
        return exif
    order, place = found
    return exif[:place] + struct.pack(order + "H", orientation) + exif[place + 2 :]


def minimal(orientation: int) -> bytes:
    """A block that tells the orientation and nothing else."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def for_writing(exif: bytes | None, orientation: int) -> bytes | None:
    """The block to be written, which tells the orientation; one that has no place for it stays as it is."""
    if exif is not None and _find(exif) is not None:
        return with_orientation(exif, orientation)
    return exif if exif is not None or orientation == 1 else minimal(orientation)


def _find(exif: bytes) -> tuple[str, int] | None:
    # the byte order and where the value stands
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 14:
        return None
    (at,) = struct.unpack_from(order + "I", exif, 4)
    if at + 2 > len(exif):
        return None
    (count,) = struct.unpack_from(order + "H", exif, at)
    for k in range(min(count, _MOST)):
        entry = at + 2 + 12 * k
        if entry + 12 > len(exif):
            return None
        tag, kind, values = struct.unpack_from(order + "HHI", exif, entry)
        if tag == _ORIENTATION:
            return (order, entry + 8) if kind == 3 and values == 1 else None
    return None
