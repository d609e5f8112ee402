"""The library ``packaging``: Slicer's own copy, or the one that is part of every pip."""

from __future__ import annotations

import importlib
from types import ModuleType


def packaging(part: str) -> ModuleType:
    """Return a module of ``packaging``: ``requirements``, ``version``, ``utils``, ``markers``.

    Raises
    ------
    ImportError
        Neither is there; then there is no pip either, and nothing could be installed.
    """
    try:
        return importlib.import_module(f"packaging.{part}")
    except ImportError:
        return importlib.import_module(f"pip._vendor.packaging.{part}")
