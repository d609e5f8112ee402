"""Takes a set of models from a folder, for computers that cannot download."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..assets import asset_path
from ..errors import BrainstemALSError, ExitCode
from ..segmentation.models import LOCATOR, STRUCTURES, ModelFile, find_model


def install_models(source: Path, user_folder: Path) -> Path:
    """Copy models into the user's folder, whole or not at all, and never over the bundled ones.

    Parameters
    ----------
    source : Path
        Folder with ``structures.ts``, ``structures.json`` and, where it is another than the bundled
        one, ``locator.ts`` with ``locator.json``; or one of these files.
    user_folder : Path
        Gets one folder for each set of models; made where it does not exist.

    Returns
    -------
    Path
        Folder of the set, to segment with; it was there already if the checksums are the same.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: a file is missing, damaged or made for another version. OUTPUT_REFUSED:
        the folder cannot be written to, or it is that of the bundled models.
    """
    source = source if source.is_dir() else source.parent
    structures = find_model(STRUCTURES, source)
    own = (source / f"{LOCATOR}.ts").exists() or (source / f"{LOCATOR}.json").exists()
    locator = find_model(LOCATOR, source if own else None)
    target = user_folder / _folder_name(structures, locator)
    bundled = asset_path("Models").resolve()
    if bundled in (user_folder.resolve(), *user_folder.resolve().parents):
        raise _refused("it is the folder of the bundled models, which stay as they are", None)
    if target.is_dir():
        for name in (STRUCTURES, LOCATOR):
            find_model(name, target)
        return target
    try:
        user_folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".models-", dir=user_folder))
    except OSError as error:
        raise _refused("it cannot be written to", error) from error
    try:
        for model in (structures, locator):
            for path in (model.path, model.path.with_suffix(".json")):
                shutil.copyfile(path, staged / path.name)
        for name in (STRUCTURES, LOCATOR):
            find_model(name, staged)  # what was read a second time may have changed
        os.replace(staged, target)
    except OSError as error:
        raise _refused("the models could not be copied into it", error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return target


def _folder_name(structures: ModelFile, locator: ModelFile) -> str:
    """Told by what is in it, so that two sets never share a folder."""
    return f"{structures.identity['sha256'][:12]}-{locator.identity['sha256'][:12]}"


def _refused(problem: str, error: OSError | None) -> BrainstemALSError:
    reason = f" ({error.strerror})" if error is not None and error.strerror else ""
    return BrainstemALSError(
        "Folder for models",
        problem + reason,
        "Choose a folder of your own with enough space.",
        ExitCode.OUTPUT_REFUSED,
    )
