"""Versions of the models: those that corrections made, which one is in use, and the way back.

The user's folder of models (``place.user_folder``) holds

    current.json            which version is in use, and every change of that
    registry.lock           held while something is written
    versions/<id>/          one version, never changed again, see ``versions``

The models that come with BrainstemALS lie elsewhere and are never written to: whatever happens to
this folder, they are what is left. Nothing here imports torch.
"""

from .in_use import BUNDLED, ModelsInUse, models_folder, models_in_use
from .lineage import Lineage, read_lineage
from .place import user_folder
from .registry import ModelRegistry
from .versions import Version

__all__ = [
    "BUNDLED",
    "Lineage",
    "ModelRegistry",
    "ModelsInUse",
    "Version",
    "models_folder",
    "models_in_use",
    "read_lineage",
    "user_folder",
]
