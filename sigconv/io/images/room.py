"""What beside pixels the formats have room for, and what is lost where a picture comes to another."""

from sigconv.io.images.picture import About

TITLES = {"webp": "WebP"}  # as formats are called, where that is not in capitals
_THINGS = {"icc": "the colour profile", "exif": "EXIF", "xmp": "XMP", "dpi": "the resolution"}
_ALL = {*_THINGS, "orientation"}
_ROOM = {"png": _ALL, "jpeg": _ALL, "tiff": _ALL, "webp": _ALL - {"dpi"}, "bmp": {"icc", "dpi"}}


def has_room(format: str, thing: str) -> bool:
    """Whether files of a format hold an attribute of `About`.

    Examples
    --------
    >>> has_room("webp", "exif"), has_room("pnm", "exif")
    (True, False)
    """
    return thing in _ROOM.get(format, ())


def left_out(about: About, format: str, target: str) -> list[str]:
    """Notes of what travels along with a picture of one format and not into a file of another.

    Examples
    --------
    >>> left_out(About(dpi=(72.0, 72.0), own=["its texts"]), "png", "bmp")
    ['left out: its texts']
    >>> left_out(About(dpi=(72.0, 72.0)), "png", "pnm")
    ['PNM has no room for the resolution']
    """
    things = [name for key, name in _THINGS.items() if getattr(about, key) and not has_room(target, key)]
    if about.orientation > 1 and not has_room(target, "orientation"):
        things.append(f"the orientation, {about.orientation}")
    lost = [*about.lost, *(about.own if format != target else [])]
    title = TITLES.get(target, target.upper())
    return [*(f"left out: {thing}" for thing in lost), *(f"{title} has no room for {thing}" for thing in things)]
