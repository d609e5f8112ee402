"""Colours segments by what speaks for or against ALS, and takes the colours away again.

Only the display node's override colours are used: the segments, their own colours and the expert's
corrections stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .nodes import PREFIX
from .views import display_of

_SHOWN = PREFIX + "Evidence"
"""Attribute of the display node while the colours are shown: the override colours from before."""
FOR, AGAINST, NOTHING = (0.84, 0.37, 0.0), (0.0, 0.45, 0.70), (0.78, 0.78, 0.78)
"""Orange and blue of Okabe and Ito (doi:10.1038/nmeth.1618), as in the report; grey: not used."""
FULL = 0.7
"""Log-odds from which on a colour is full, a doubling of the odds; as in the report."""
_PALE = (0.95, 0.95, 0.93)


def evidence_by_structure(evidence: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return log-odds by structure of the atlas.

    Parameters
    ----------
    evidence : iterable of mapping
        As ``prediction.json`` has it: ``log_odds`` of a structure or composite and its ``members``.
        A structure gets the sum of all to which it belongs, each whole: what its predictors say
        together, no part of it.
    """
    found: dict[str, float] = {}
    for one in evidence:
        for key in one["members"]:
            found[key] = found.get(key, 0.0) + float(one["log_odds"])
    return found


def colour_of(log_odds: float) -> tuple[float, float, float]:
    """Return a colour: the stronger, the fuller; pale for nothing.

    Examples
    --------
    >>> colour_of(5.0) == FOR
    True
    """
    strong = FOR if log_odds > 0 else AGAINST
    share = min(abs(log_odds) / FULL, 1.0)
    return tuple(pale + share * (full - pale) for pale, full in zip(_PALE, strong, strict=True))


def show_evidence(node: object, log_odds: Mapping[str, float]) -> None:
    """Colour the segments of a segmentation; those without evidence grey.

    Does nothing once the segmentation is gone.
    """
    display = display_of(node)
    if display is None:
        return
    ids = node.GetSegmentation().GetSegmentIDs()
    stored = display.GetAttribute(_SHOWN)
    before = json.loads(stored) if stored else {key: _override(display, key) for key in ids}
    changing = display.StartModify()
    try:
        for key in ids:
            colour = colour_of(log_odds[key]) if key in log_odds else NOTHING
            display.SetSegmentOverrideColor(key, *colour)
        display.SetAttribute(_SHOWN, json.dumps(before))
    finally:
        display.EndModify(changing)


def hide_evidence(node: object) -> None:
    """Draw the segments in the colours of before; does nothing where no evidence is shown."""
    display = display_of(node)
    stored = None if display is None else display.GetAttribute(_SHOWN)
    if stored is None:
        return
    before = _colours(stored)
    changing = display.StartModify()
    try:
        for key in node.GetSegmentation().GetSegmentIDs():
            if key in before:
                display.SetSegmentOverrideColor(key, *before[key])
            else:
                display.UnsetSegmentOverrideColor(key)
        display.SetAttribute(_SHOWN, None)
    finally:
        display.EndModify(changing)


def evidence_is_shown(node: object) -> bool:
    """Return whether a segmentation has the colours of ``show_evidence``."""
    display = display_of(node)
    return display is not None and display.GetAttribute(_SHOWN) is not None


def _override(display: object, key: str) -> list[float] | None:
    """Return the override colour of a segment; None where it has its own colour."""
    colour = [float(value) for value in display.GetSegmentOverrideColor(key)]
    return colour if min(colour) >= 0.0 else None


def _colours(stored: str) -> dict[str, tuple[float, float, float]]:
    """Override colours of before; none where somebody has damaged the record of them."""
    try:
        found = {key: colour for key, colour in json.loads(stored).items() if colour is not None}
        return {key: (float(r), float(g), float(b)) for key, (r, g, b) in found.items()}
    except (AttributeError, TypeError, ValueError):
        return {}
