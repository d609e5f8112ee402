"""How uncertain the model was, as a volume over the T1 with its own colours."""

from __future__ import annotations

import numpy as np

from .nodes import PREFIX, nodes_of_class

COLORS = "BrainstemALS entropy"
# Below this a voxel is as good as certain, and stays transparent.
_LOWEST_SHOWN = 0.02
# Stops of the colour map: value, red, green, blue, opacity. From a faint dark violet to a light
# yellow, even in lightness, as matplotlib's inferno.
_STOPS = np.array(
    [
        (0.00, 0.10, 0.04, 0.24, 0.00),
        (0.25, 0.40, 0.10, 0.43, 0.45),
        (0.50, 0.74, 0.22, 0.33, 0.75),
        (0.75, 0.95, 0.49, 0.09, 0.90),
        (1.00, 0.99, 1.00, 0.64, 1.00),
    ]
)
_LEVELS = 256


def show_as_entropy(node: object) -> None:
    """Give a scalar volume of values 0-1 its display: window 0-1, 0 transparent."""
    scene = node.GetScene()
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_color_node(scene).GetID())
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetThreshold(_LOWEST_SHOWN, 1.0)
    display.SetApplyThreshold(True)
    display.SetInterpolate(True)


def _color_node(scene: object) -> object:
    """Return the scene's colour node for entropy; made where there is none."""
    tag = PREFIX + "EntropyColors"
    for node in nodes_of_class(scene, "vtkMRMLColorTableNode"):
        if node.GetSingletonTag() == tag and node.GetNumberOfColors() == _LEVELS:
            return node
    node = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    node.UnRegister(scene)
    node.SetName(COLORS)
    node.SetSingletonTag(tag)
    node.SetTypeToUser()
    node.SetNumberOfColors(_LEVELS)
    levels = np.linspace(0.0, 1.0, _LEVELS)
    channels = [np.interp(levels, _STOPS[:, 0], _STOPS[:, n]) for n in range(1, 5)]
    for level, rgba in enumerate(zip(*channels, strict=True)):
        node.SetColor(level, f"{level / (_LEVELS - 1):.3f}", *(float(value) for value in rgba))
    return scene.AddNode(node)
