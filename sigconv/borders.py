"""Borders: the cell that stands in for one outside the array.

The names are scipy's everywhere. The aliases below mean one thing only; "reflect" means another thing in numpy, OpenCV
and torch, where it is this page's "mirror".

========  =======================================  ==================================================
border    cells of ``a b c d`` and around it       also called
========  =======================================  ==================================================
reflect   ``d c b a | a b c d | d c b a``          "symmetric" (numpy), BORDER_REFLECT (OpenCV)
mirror    ``d c b | a b c d | c b a``              "reflect" (numpy, torch), BORDER_REFLECT_101
nearest   ``a a a a | a b c d | d d d d``          "edge" (numpy), "replicate" (torch, OpenCV)
wrap      ``a b c d | a b c d | a b c d``          "circular" (torch)
constant  ``k k k k | a b c d | k k k k``          "zeros" (torch's layers), where ``cval`` k is 0
========  =======================================  ==================================================
"""

from typing import Any

import numpy as np

from sigconv.checks import choice, whole_number

BORDERS = ("reflect", "mirror", "nearest", "wrap", "constant")
ALIASES = {"symmetric": "reflect", "edge": "nearest", "replicate": "nearest", "circular": "wrap"}


def border_name(border: str) -> str:
    """The name of a border that may be called by an alias.

    Parameters
    ----------
    border : str
        One of ``BORDERS`` or ``ALIASES``.

    Returns
    -------
    str
        One of ``BORDERS``.

    Raises
    ------
    ValueError
        For any other value.

    Notes
    -----
    Names and meanings are those of ``scipy.ndimage``; the aliases are numpy's and torch's words for
    the same.

    Examples
    --------
    >>> border_name("replicate")
    'nearest'
    """
    name = choice("border", border, (*BORDERS, *ALIASES))
    return ALIASES.get(name, name)


def layer_border(border: str) -> str:
    """The name of a layer's border, where "zeros" is known and "reflect" is not.

    Parameters
    ----------
    border : str
        "zeros", or what `border_name` takes except "reflect": torch means "mirror" by it and scipy "symmetric".

    Returns
    -------
    str
        One of ``BORDERS``.

    Raises
    ------
    ValueError
        For any other value.

    Notes
    -----
    The names of ``torch.nn.Conv2d``'s ``padding_mode`` are taken but for "reflect".

    Examples
    --------
    >>> layer_border("zeros"), layer_border("circular")
    ('constant', 'wrap')
    >>> layer_border("reflect")
    Traceback (most recent call last):
    ValueError: border must be 'mirror' for torch's 'reflect' or 'symmetric' for scipy's, got 'reflect'
    """
    if isinstance(border, str) and border == "reflect":
        raise ValueError("border must be 'mirror' for torch's 'reflect' or 'symmetric' for scipy's, got 'reflect'")
    known = ("zeros", *(name for name in (*BORDERS, *ALIASES) if name != "reflect"))
    name = choice("border", border, known)
    return "constant" if name == "zeros" else border_name(name)


def index_of(i: Any, n: int, border: str) -> Any:
    """The index in an axis of ``n`` cells whose value stands at ``i``, however far outside.

    With ``m`` the remainder of ``i`` by the period::

        reflect    min(m, 2n - 1 - m)      period 2n
        mirror     min(m, 2n - 2 - m)      period 2n - 2, and 0 where n is 1
        nearest    min(max(i, 0), n - 1)
        wrap       m                       period n
        constant   i inside, -1 outside

    Parameters
    ----------
    i : int or array_like of int, any shape
        Negative before the axis, ``n`` and above behind it.
    n : int
        At least 1.
    border : str
        What `border_name` takes.

    Returns
    -------
    int or ndarray of int64, shape of ``i``
        In [0, n - 1], or -1 for a cell outside a constant border: no index, but the mark for ``cval``.

    Raises
    ------
    ValueError
        For n below 1 and unknown borders.
    TypeError
        Where n or ``i`` are not whole numbers.

    Notes
    -----
    Equal to ``numpy.pad`` and to the filters of ``scipy.ndimage`` at any width.

    Examples
    --------
    >>> index_of(-1, 4, "reflect"), index_of(-1, 4, "mirror"), index_of(-9, 4, "wrap")
    (0, 1, 3)
    >>> index_of(range(-6, 7), 3, "mirror")
    array([2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2])
    >>> index_of([-1, 0, 2, 3], 3, "constant")
    array([-1,  0,  2, -1])
    """
    n = whole_number("n", n, 1)
    border = border_name(border)
    places = np.asarray(i)
    beyond = isinstance(i, int) and not isinstance(i, bool)  # perhaps more than 64 bits hold
    empty = places.size == 0 and not isinstance(i, np.ndarray)  # [] does not say what it would hold
    if not (places.dtype.kind in "iu" or beyond or empty):
        raise TypeError(f"i must hold whole numbers, got {i!r:.80}")
    fits = places.dtype.kind == "i" and n < 2**62  # so that 2n fits, too
    found = _fold(np.atleast_1d(places).astype(np.int64 if fits else object), n, border)
    return found.reshape(places.shape).astype(np.int64) if places.ndim else int(found[0])


def _fold(i: np.ndarray, n: int, border: str) -> np.ndarray:
    if border == "reflect":
        m = i % (2 * n)
        return np.minimum(m, 2 * n - 1 - m)
    if border == "mirror":
        period = max(2 * n - 2, 1)
        m = i % period
        return np.minimum(m, period - m)
    if border == "nearest":
        return np.minimum(np.maximum(i, 0), n - 1)
    if border == "wrap":
        return i % n
    return np.where((i >= 0) & (i < n), i, -1)
