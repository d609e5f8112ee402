"""Names as short as a legend or a terminal needs them."""

from __future__ import annotations


def short_name(name: str) -> str:
    """Return a structure's name without its side and without what its region already says.

    Examples
    --------
    >>> short_name("Corticospinal tract in the basis pontis, left")
    'Corticospinal tract'
    >>> short_name("Dorsal medullary complex: hypoglossal, solitary and dorsal vagal nuclei, right")
    'Dorsal medullary complex'
    """
    text = name.removesuffix(", left").removesuffix(", right")
    return text.split(":")[0].split(",")[0].split(" in the ")[0]
