"""One patient's images, read and checked together."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import checks, diffusion_maps, tensor
from .reading import read_volume
from .volume import Volume


@dataclass(frozen=True, eq=False)
class Exam:
    """What goes into the pipeline.

    Attributes
    ----------
    t1 : Volume
        float32, any intensity scale.
    fa : Volume or None
        Fractional anisotropy, float32, 0-1, on its own grid.
    md : Volume or None
        Mean diffusivity, float32, in 1e-3 mm2/s, on its own grid.
    names : dict
        ``"t1"``, ``"fa"``, ``"md"`` (those given) to the name of the file, without its folder, or
        to what an image from memory is called.
    checksums : dict
        The same keys to the SHA-256 of the file, hexadecimal; empty where there are no files.
    """

    t1: Volume
    fa: Volume | None = None
    md: Volume | None = None
    names: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)


def read_exam(t1: str | Path, fa: str | Path | None = None, md: str | Path | None = None) -> Exam:
    """Read a T1 and, where there are any, its FA and MD maps; either map may come alone.

    Parameters
    ----------
    t1, fa, md : str or Path
        Image files. MD in mm2/s or 1e-3 mm2/s.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE, UNSUITABLE_IMAGE, UNSUITABLE_DIFFUSION or MISMATCHED_IMAGES.
    """
    paths = {key: Path(path) for key, path in (("t1", t1), ("fa", fa), ("md", md)) if path}
    # All paths first: nobody should wait for a T1 to be read to learn of a typing error.
    for key, path in paths.items():
        checks.check_file(path, key.upper())
    volumes = {key: read_volume(path, key.upper()) for key, path in paths.items()}
    return Exam(
        **_belonging_together(volumes, paths),
        names={key: path.name for key, path in paths.items()},
        checksums={key: _sha256(path) for key, path in paths.items()},
    )


def exam_from_volumes(
    t1: Volume, fa: Volume | None = None, md: Volume | None = None, tensors: Volume | None = None
) -> Exam:
    """Check images that are in memory, as ``read_exam`` checks files.

    Parameters
    ----------
    t1, fa, md : Volume
        Any type of real numbers, shape (i, j, k), each on its own grid. MD in mm2/s or 1e-3 mm2/s.
    tensors : Volume, optional
        Diffusion tensors, shape (i, j, k, 3, 3), from which FA and MD are computed where they are
        not given. In the unit of the MD.

    Raises
    ------
    BrainstemALSError
        As ``read_exam``; the images are called ``T1``, ``FA``, ``MD`` and ``DTI``, because the name
        of a volume may be the name of a patient.
    """
    given = {"t1": t1, "fa": fa, "md": md}
    volumes = {key: _checked(key.upper(), v) for key, v in given.items() if v is not None}
    names = {key: key.upper() for key in volumes}
    if tensors is not None and not {"fa", "md"} <= set(volumes):
        tensor.check_tensors(tensors.array)
        _check_grid("DTI", tensors)
        for key, volume in zip(("fa", "md"), tensor.fa_and_md(tensors), strict=True):
            if key not in volumes:
                volumes[key], names[key] = volume, "DTI"
    return Exam(**_belonging_together(volumes, names), names=names)


def _checked(name: str, volume: Volume) -> Volume:
    array = volume.array
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    checks.check_dimensions(name, name, array.shape[:3], math.prod(array.shape[3:]))
    _check_grid(name, volume)
    # A plain array in native byte order: that it may be a mapped file does not matter further on.
    array = np.asarray(array, dtype=np.float32)
    checks.check_values(name, name, array)
    return Volume(array, volume.affine)


def _check_grid(name: str, volume: Volume) -> None:
    checks.check_axes(name, name, volume.affine[:3, :3])
    checks.check_spacing(name, name, volume.spacing)


def _belonging_together(
    volumes: dict[str, Volume], subjects: Mapping[str, Path | str]
) -> dict[str, Volume]:
    """Return the volumes with FA and MD in their units, once T1 and maps are what they should be.

    ``subjects`` says how to call each volume in a refusal.
    """
    checks.check_field_of_view(subjects["t1"], "T1", volumes["t1"])
    checks.check_not_ct(subjects["t1"], "T1", volumes["t1"])
    for key, scaled in (
        ("fa", diffusion_maps.fractional_anisotropy),
        ("md", diffusion_maps.mean_diffusivity),
    ):
        if key in volumes:
            diffusion_maps.check_covers(subjects[key], key.upper(), volumes[key], volumes["t1"])
            volumes[key] = scaled(subjects[key], volumes[key])
    return volumes


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
