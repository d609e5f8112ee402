"""Surfaces of the segments for the 3D view, one at a time, so that the window stays alive."""

from __future__ import annotations

from collections.abc import Iterator

import slicer
import vtk

from .labelmap import LABELMAP, SURFACE
from .nodes import in_scene


def surface_steps(node: object) -> Iterator[float]:
    """Make the surface of each segment that has none yet.

    Each step is one segment: some 10 ms at 1 mm, some 50 ms at 0.5 mm. Smoothing is the one set in
    the segmentation (Slicer's *Show 3D*, 0.5 unless the user changed it). Ends early when the
    segmentation is removed or its labels change in between; another call then starts over.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode

    Yields
    ------
    float
        Fraction done, 0-1.
    """
    if not in_scene(node):
        return
    segmentation = node.GetSegmentation()
    rule = _rule(segmentation)
    ids = list(segmentation.GetSegmentIDs())
    for done, key in enumerate(ids, start=1):
        if not in_scene(node):
            return
        segment = segmentation.GetSegment(key)
        if segment is not None and segment.GetRepresentation(SURFACE) is None:
            image = segment.GetRepresentation(LABELMAP)
            if image is None or image.IsEmpty() or not rule.Convert(segment):
                segment.AddRepresentation(SURFACE, vtk.vtkPolyData())
        if done == len(ids):
            # The event by which Slicer's own conversion tells the views.
            segmentation.InvokeEvent(segmentation.ContainedRepresentationNamesModified)
        yield done / len(ids)


def _rule(segmentation: object) -> slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule:
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule()
    for name in (rule.GetSmoothingFactorParameterName(), rule.GetDecimationFactorParameterName()):
        value = segmentation.GetConversionParameter(name)
        if value:
            rule.SetConversionParameter(name, value)
    return rule
