"""What travels along with the pixels of a TIFF, from its tags and to tags."""

import re
import struct
from io import BytesIO
from typing import Any

import numpy as np

from sigconv.io.images import tiff_tags as t
from sigconv.io.images.picture import About, Refusal
from sigconv.io.images.tiff_layout import LAID_OUT
from sigconv.io.images.tiff_tags import Entry, Kind, Tags, entry

XMP, X_RESOLUTION, Y_RESOLUTION, UNIT, SUB_IFDS = 700, 282, 283, 296, 330
_EXIF = {271, 272, 305, 306, 315, 33432, t.ORIENTATION, 34665, 34853}  # what of a TIFF an EXIF block holds
_OF_NO_USE = {254, 255, 297, 305, 332}  # elsewhere: kinds and numbers of pages, who wrote the file, the set of inks


def about_of(kind: Kind, all_tags: list[Tags]) -> About:
    """What travels along, as the tags of all pages tell it."""
    tags = all_tags[0]
    about = About(icc=_raw(tags, t.ICC), xmp=_raw(tags, XMP), dpi=dpi_of(kind, tags))
    about.orientation = orientation_of(kind, tags)
    if any(tags[code].below for code in (34665, 34853) if code in tags):
        plain = Kind(kind.order)
        kept = {code: tag for code, tag in tags.items() if code in _EXIF and tag.type not in (16, 17, 18)}
        about.exif = plain.header(8) + t.encoded(plain, kept, 8)
    if any(SUB_IFDS in one for one in all_tags):
        about.lost.append("smaller copies of the image (SubIFDs)")
    about.own = _own(tags, about)
    return about


def orientation_of(kind: Kind, tags: Tags) -> int:
    """1 to 8; 1 where a page does not tell it, or tells nonsense."""
    value = t.integers(kind, tags[t.ORIENTATION])[:1] if t.ORIENTATION in tags else ()
    return value[0] if value and 1 <= value[0] <= 8 else 1


def _own(tags: Tags, about: About) -> list[str]:
    kept = {t.ICC, XMP, X_RESOLUTION, Y_RESOLUTION, UNIT, t.ORIENTATION, *(_EXIF if about.exif else ())}
    own = sorted(tags.keys() - LAID_OUT - kept - _OF_NO_USE)
    words = ["its description"] if t.DESCRIPTION in own else []
    numbers = [str(code) for code in own if code != t.DESCRIPTION]
    more = f" and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    return [*words, *([f"its tags {', '.join(numbers[:6])}{more}"] if numbers else [])]


def dpi_of(kind: Kind, tags: Tags) -> tuple[float, float] | None:
    """Pixels per inch, where a page tells them."""
    unit: Any = t.integers(kind, tags[UNIT])[:1] if UNIT in tags else (2,)
    dots = []
    for code in (X_RESOLUTION, Y_RESOLUTION):
        if code not in tags or tags[code].type != 5 or len(tags[code].data) < 8:
            return None
        above, below = np.frombuffer(tags[code].data, f"{kind.order}u4", 2).tolist()
        dots.append(above / below if below else 0.0)
    if unit[:1] not in ((2,), (3,)) or not all(dots):
        return None
    scale = 2.54 if unit[0] == 3 else 1.0
    return dots[0] * scale, dots[1] * scale


def refuse_hidden(all_tags: list[Tags]) -> None:
    """Refuse what ImageJ and tifffile may write: one page of many is described, and their number is told in words."""
    words = all_tags[0][t.DESCRIPTION].data if t.DESCRIPTION in all_tags[0] else b""
    told = re.search(rb"^images=(\d{1,9})", words, re.MULTILINE) if words.startswith(b"ImageJ=") else None
    if (told and int(told[1]) > len(all_tags)) or (words.startswith(b'{"shape"') and b'"truncated": true' in words):
        raise Refusal("holds further images that its directory does not list (as ImageJ writes large stacks)")


def put_about(kept: Tags, about: About, was: About, orientation: int, kind: Kind) -> None:
    """What travels along, as far as it is not what it was on the first page: others keep their own."""
    for code, data, before in ((t.ICC, about.icc, was.icc), (XMP, about.xmp, was.xmp)):
        if data is None and before is not None:
            kept.pop(code, None)
        elif data is not None and data != before:
            kept[code] = Entry(7 if code == t.ICC else 1, len(data), data)
    if about.dpi != was.dpi:
        for code, dots in zip((X_RESOLUTION, Y_RESOLUTION), about.dpi or (1, 1), strict=True):
            kept[code] = Entry(5, 1, struct.pack(kind.order + "II", round(dots * 10000), 10000))
        kept[UNIT] = entry(kind, 3, 2 if about.dpi else 1)
    if orientation != orientation_of(kind, kept):
        kept[t.ORIENTATION] = entry(kind, 3, orientation)
    if about.exif and was.exif is None:
        kept.update(_of_exif(about.exif, kind))


def _of_exif(exif: bytes, kind: Kind) -> Tags:
    # what an EXIF block tells, as tags; its numbers are turned to the file's byte order
    try:
        own, tags = t.read(BytesIO(exif), len(exif))
    except Refusal:
        return {}
    return {code: t.turned(tag, own, kind) for code, tag in tags.items() if code in _EXIF - {t.ORIENTATION}}


def _raw(tags: Tags, code: int) -> bytes | None:
    return tags[code].data if code in tags else None
