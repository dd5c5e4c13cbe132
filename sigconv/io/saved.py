"""What a stream has come to, kept in a file: written whole, read with distrust."""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigconv.errors import SigconvError
from sigconv.io.files import save_whole

_VERSION = 1
_NOTES = "notes"
_ARRAY = "array/"
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, OSError, TypeError, NotImplementedError)

Arrays = dict[str, NDArray[Any]]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Arrays:
    """Nested dictionaries of numbers, texts, arrays and None as one dictionary of arrays, fit for `save`.

    Examples
    --------
    >>> flat = flatten({"a": {"b": 1, "c": None}, "d": "x"})
    >>> list(flat), nest(flat)
    (['a/b', 'a/c', 'd'], {'a': {'b': 1, 'c': None}, 'd': 'x'})
    """
    flat: Arrays = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}/")
        else:
            flat[prefix + name] = np.empty(0, "V1") if value is None else np.asarray(value)
    return flat


def nest(flat: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """What `flatten` was given, but a dictionary without entries."""
    tree: dict[str, Any] = {}
    for path, array in flat.items():
        *above, name = path.split("/")
        branch = tree
        for step in above:
            branch = branch.setdefault(step, {})
        if array.dtype.kind == "V" and not array.size:
            branch[name] = None
        else:
            branch[name] = array if array.ndim else array.item()
    return tree


def save(path: str, notes: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a state to ``path``: after a crash at any moment there is the former state or this one.

    Parameters
    ----------
    path : str
        The file, replaced where it exists.
    notes : mapping
        What JSON can hold: the settings that the state belongs to.
    arrays : mapping of str to ndarray
        No objects among them.
    """
    text = json.dumps({"sigconv state": _VERSION, **notes})
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{_NOTES: np.array(text)}, **{_ARRAY + name: a for name, a in arrays.items()})
    save_whole(path, buffer.getvalue())


def load(path: str) -> tuple[dict[str, Any], Arrays]:
    """The notes and arrays of a state.

    Raises
    ------
    SigconvError
        Where the file is damaged, is no state or is one of another version.
    FileNotFoundError
        Where there is none.
    """
    with open(path, "rb") as file:  # what cannot be opened says so itself
        try:
            with np.load(file, allow_pickle=False) as stored:
                content = {name: stored[name] for name in stored.files}
            notes = json.loads(str(content.pop(_NOTES)))
            version = notes.pop("sigconv state")
        except _DAMAGE:
            raise SigconvError(f"{path}: not a state that sigconv saved, or damaged") from None
    if version != _VERSION:
        raise SigconvError(f"{path}: a state of version {version}; this sigconv reads version {_VERSION}")
    return notes, {name.removeprefix(_ARRAY): array for name, array in content.items()}


def check_writable(path: str) -> None:
    """Raise now what `save` would raise after hours of work."""
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        raise IsADirectoryError(21, "Is a directory", path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(2, "No such file or directory", path)
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "Permission denied", path)


def difference(saved: Mapping[str, str], given: Mapping[str, str]) -> str:
    """What differs between two sets of options, in words; nothing where they agree.

    Examples
    --------
    >>> difference({"-w": "uniform:5", "-c": "x"}, {"-w": "uniform:3", "-c": "x"})
    'saved with -w uniform:5, not with -w uniform:3'
    >>> difference({}, {"-t": "time"})
    'saved without -t, not with -t time'
    """
    for name in [*saved, *given]:
        before, now = saved.get(name, ""), given.get(name, "")
        if before != now:
            words = [f"with {name} {value}" if value else f"without {name}" for value in (before, now)]
            return f"saved {words[0]}, not {words[1]}"
    return ""
