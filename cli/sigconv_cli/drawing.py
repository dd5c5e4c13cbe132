"""``sigconv smooth --plot``: the columns before and after."""

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sigconv.io.telemetry import Rewriter
    from sigconv.io.traces import Watcher

PANELS, SERIES = 12, 10  # columns and series that are drawn


def refuse_early(path: str, overwrite: bool) -> str:
    """The kind of picture that a name asks for; raises where it could not be written in the end."""
    from sigconv.io import files, pictures

    kind = pictures.kind_of(path)
    if not files.is_device(path):
        files.refuse_existing(path, overwrite)
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
    return kind


class Drawing:
    """Watches the filters of a run and draws what went in and what came out.

    Refuses at once a file that could not be written in the end.
    """

    def __init__(self, path: str, overwrite: bool) -> None:
        self._path, self._overwrite = path, overwrite
        self._kind = refuse_early(path, overwrite)
        self._watchers: list[Watcher] = []

    def watching(self, build: Callable[[int], Any]) -> "Callable[[int], Watcher]":
        """The same filters, under observation."""
        from sigconv.io.traces import Watcher

        def watched(channels: int) -> "Watcher":
            self._watchers.append(Watcher(build(channels), channels))
            return self._watchers[-1]

        return watched

    def save(self, rewriter: "Rewriter", title: str) -> str:
        """Draw the picture; a note where not all of it could be drawn."""
        from sigconv.io import files, pictures

        if not self._watchers or rewriter.names is None:
            return f"{self._path}: nothing to draw"
        names = [rewriter.names[i] for i in rewriter.chosen or ()]
        panels = []
        for k, name in enumerate(names[:PANELS]):
            curves = []
            for n, watcher in enumerate(self._watchers[:SERIES]):  # more than one where --by tells series apart
                labels = ("", "") if k or n else ("as read", "smoothed")
                curves.append(pictures.Curve(labels[0], *watcher.before[k].points(), faint=True))
                curves.append(pictures.Curve(labels[1], *watcher.after[k].points()))
            panels.append(pictures.Panel(name, curves))
        timed = self._watchers[0].timed
        place = pictures.axis_name(rewriter.names, rewriter.time or []) if timed else "row"
        data = pictures.draw(panels, self._kind, title=title, place=place, timed=timed)
        with files.writing(self._path, overwrite=self._overwrite) as write:
            write(data)
        left_out = [
            f"{limit} of {count} {what}"
            for what, count, limit in (("columns", len(names), PANELS), ("series", len(self._watchers), SERIES))
            if count > limit
        ]
        return f"{self._path}: the first {' and '.join(left_out)} are drawn" if left_out else ""
