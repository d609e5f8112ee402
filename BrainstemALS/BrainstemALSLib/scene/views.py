"""Where the slice views look, and how segments are drawn in them. The user's layout stays."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import slicer

from .nodes import PREFIX, in_scene

_HIGHLIGHTED = PREFIX + "Highlighted"
_DIMMED = 0.2
"""Part of its opacity that a segment keeps while another one is highlighted."""


def jump_to(scene: object, ras: Sequence[float]) -> None:
    """Centre all slice views, and the crosshair, on a point.

    Parameters
    ----------
    scene : vtkMRMLScene
    ras : sequence of 3 float
        World RAS mm.
    """
    point = [float(value) for value in ras]
    mode = slicer.vtkMRMLSliceNode.CenteredJumpSlice
    slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *point, mode)
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        crosshair.SetCrosshairRAS(point)


def centre_of(node: object, key: str) -> tuple[float, float, float] | None:
    """Return the middle of a segment in world RAS mm; None where it is gone or empty."""
    if not in_scene(node) or node.GetSegmentation().GetSegment(key) is None:
        return None
    centre = node.GetSegmentCenterRAS(key)
    return None if centre is None else tuple(centre)


def highlight(node: object, keys: Collection[str] | None) -> None:
    """Draw some segments fully and dim the others; None draws them as they were before.

    The user's opacities are kept with the display node, so that a scene saved meanwhile does not
    lose them. Does nothing once the segmentation is gone.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
    keys : collection of str or None
        Segment IDs.
    """
    display = display_of(node)
    if display is None:
        return
    ids = node.GetSegmentation().GetSegmentIDs()
    stored = display.GetAttribute(_HIGHLIGHTED)
    before = json.loads(stored) if stored else {one: _opacities(display, one) for one in ids}
    changing = display.StartModify()
    try:
        for one in ids:
            opacities = before.get(one) or _opacities(display, one)
            if keys is not None:
                opacities = [1.0 if one in keys else value * _DIMMED for value in opacities]
            _set_opacities(display, one, opacities)
        display.SetAttribute(_HIGHLIGHTED, None if keys is None else json.dumps(before))
    finally:
        display.EndModify(changing)


def set_visible(node: object, on: bool) -> None:
    """Show a segmentation in all views, or hide it."""
    display = display_of(node)
    if display is not None:
        display.SetVisibility(on)


def drawn(node: object) -> tuple[bool, float] | None:
    """Return whether segments are filled in the slice views, and their opacity 0-1."""
    display = display_of(node)
    if display is None:
        return None
    return bool(display.GetVisibility2DFill()), display.GetOpacity2DFill()


def set_fill(node: object, on: bool) -> None:
    """Fill the segments in the slice views, or not."""
    display = display_of(node)
    if display is not None:
        display.SetVisibility2DFill(on)


def set_opacity(node: object, opacity: float) -> None:
    """Set the opacity, 0-1, of the filled segments in the slice views; outlines stay."""
    display = display_of(node)
    if display is not None:
        display.SetOpacity2DFill(min(max(float(opacity), 0.0), 1.0))


def display_of(node: object) -> object | None:
    """Return the display node of a node; None once the node has left the scene."""
    return node.GetDisplayNode() if in_scene(node) else None


def _opacities(display: object, key: str) -> list[float]:
    return [
        display.GetSegmentOpacity2DFill(key),
        display.GetSegmentOpacity2DOutline(key),
        display.GetSegmentOpacity3D(key),
    ]


def _set_opacities(display: object, key: str, opacities: Sequence[float]) -> None:
    fill, outline, surface = opacities
    display.SetSegmentOpacity2DFill(key, fill)
    display.SetSegmentOpacity2DOutline(key, outline)
    display.SetSegmentOpacity3D(key, surface)
