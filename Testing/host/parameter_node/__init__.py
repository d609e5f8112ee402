"""``slicer.parameterNodeWrapper``: typed parameters that are kept in the scene."""

from __future__ import annotations

import types

from . import annotations, wrapper


def build() -> types.ModuleType:
    """Return the module with the documented names."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    for kind in annotations.PUBLIC:
        setattr(module, kind.__name__, kind)
    module.parameterNodeWrapper = wrapper.parameterNodeWrapper
    module.isParameterNodeWrapper = wrapper.isParameterNodeWrapper
    module.SlicerParameterNamePropertyName = wrapper.PROPERTY_NAME
    return module
