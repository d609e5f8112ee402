"""The one question that everybody who segments asks: which models? Answered without a lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...assets import asset_path
from ...imaging.finding import Finding
from .lineage import BUNDLED
from .place import user_folder
from .pointer import DamagedPointerError, Pointer, read_pointer
from .versions import VERSIONS, find_problem, read_version

FALLBACK = "model_fallback"
_ACTION = (
    "Look at `brainstem-als models list`, and choose a version with `brainstem-als models use`."
)


@dataclass(frozen=True)
class ModelsInUse:
    """The models to segment with.

    Attributes
    ----------
    version : str
        Id, or ``bundled``.
    folder : Path
        Holds ``structures`` and ``locator``.
    findings : tuple of Finding
        Says so where another version was meant to be used; empty otherwise.
    """

    version: str
    folder: Path
    findings: tuple[Finding, ...] = ()


def models_folder(root: Path | None = None) -> Path:
    """Return the folder of the models in use; ``models_in_use`` says more."""
    return models_in_use(root).folder


def models_in_use(root: Path | None = None) -> ModelsInUse:
    """Return the models to segment with: those in use, or where they are damaged the next best.

    After the version in use come its parent, that one's parent and so on, and at last the bundled
    models, so that this never fails for what lies in the user's folder.

    Parameters
    ----------
    root : Path, optional
        The user's folder of models; ``place.user_folder`` where left out.
    """
    root = user_folder() if root is None else Path(root)
    while True:
        try:
            pointer = read_pointer(root)
        except Exception as problem:  # nothing in a folder may keep anybody from segmenting
            return _bundled(_why(problem))
        found = _resolve(root, pointer)
        if found is not None:
            return found
        # Damaged, or removed after another version was put into use since the pointer was read.
        try:
            if read_pointer(root) == pointer:
                break
        except Exception as problem:  # nothing in a folder may keep anybody from segmenting
            return _bundled(_why(problem))
    problem = find_problem(root / VERSIONS / pointer.version) or "it does not fit this BrainstemALS"
    for version in pointer.fallback:
        if version != BUNDLED and not read_version(root / VERSIONS / version).problem:
            text = f"The model {pointer.version} is in use, but {problem}; its forerunner {version}"
            return ModelsInUse(version, root / VERSIONS / version, _told(f"{text} was used."))
    return _bundled(f"The model {pointer.version} is in use, but {problem}")


def bundled_folder() -> Path:
    """Return the folder of the models that come with BrainstemALS."""
    return asset_path("Models")


def _resolve(root: Path, pointer: Pointer) -> ModelsInUse | None:
    if pointer.version == BUNDLED:
        return ModelsInUse(BUNDLED, bundled_folder())
    version = read_version(root / VERSIONS / pointer.version)
    return None if version.problem else ModelsInUse(version.id, version.folder)


def _why(problem: Exception) -> str:
    if isinstance(problem, DamagedPointerError):
        return "The file that says which of your models is in use is damaged"
    return "Which of your models is in use could not be read"


def _bundled(why: str) -> ModelsInUse:
    text = f"{why}; the model that comes with BrainstemALS was used."
    return ModelsInUse(BUNDLED, bundled_folder(), _told(text))


def _told(text: str) -> tuple[Finding, ...]:
    return (Finding(FALLBACK, "warning", text, _ACTION),)
