"""One patient's images, read and checked together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import checks, diffusion_maps, tensor
from .checksum import sha256_of
from .dwi import Dwi
from .finding import Finding
from .person import Person
from .reading import read_volume
from .registration import Alignment
from .volume import Volume

if TYPE_CHECKING:
    from .intake import Source


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
    ad, rd : Volume or None
        Axial and radial diffusivity, float32, in 1e-3 mm2/s.
    v1 : Volume or None
        Principal direction, float32, shape (i, j, k, 3), RAS, unit length; never without FA.
    dwi : Dwi or None
        A series that has not been fitted yet: ``diffusion.prepare`` makes maps of it.
    person : Person
        What the source says of who was scanned.
    findings : tuple of Finding
        What reading and preparing found.
    facts : dict
        How the diffusion was prepared: numbers and words for the provenance.
    alignment : Alignment or None
        How the maps were laid on the T1, where that was tried.
    """

    t1: Volume
    fa: Volume | None = None
    md: Volume | None = None
    names: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    ad: Volume | None = None
    rd: Volume | None = None
    v1: Volume | None = None
    dwi: Dwi | None = None
    person: Person = field(default_factory=Person)
    findings: tuple[Finding, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)
    alignment: Alignment | None = None

    @property
    def maps(self) -> dict[str, Volume]:
        """The scalar diffusion maps that are there, by ``fa``, ``md``, ``ad`` and ``rd``."""
        found = {name: getattr(self, name) for name in ("fa", "md", "ad", "rd")}
        return {name: volume for name, volume in found.items() if volume is not None}

    @property
    def has_diffusion(self) -> bool:
        """Whether there is anything of diffusion, fitted or not."""
        return bool(self.maps) or self.dwi is not None


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
        checksums={key: sha256_of(path) for key, path in paths.items()},
    )


def exam_from_volumes(
    t1: Volume,
    fa: Volume | None = None,
    md: Volume | None = None,
    tensors: Volume | None = None,
    dwi: Dwi | None = None,
) -> Exam:
    """Check images that are in memory, as ``read_exam`` checks files.

    Parameters
    ----------
    t1, fa, md : Volume
        Any type of real numbers, shape (i, j, k), each on its own grid. MD in mm2/s or 1e-3 mm2/s.
    tensors : Volume, optional
        Diffusion tensors in RAS, shape (i, j, k, 3, 3), from which everything is computed that is
        not given. In the unit of the MD.
    dwi : Dwi, optional
        A series; whether it can be fitted is found out when it is, see ``prepare``.

    Raises
    ------
    BrainstemALSError
        As ``read_exam``; the images are called ``T1``, ``FA``, ``MD`` and ``DTI``, because the name
        of a volume may be the name of a patient.
    """
    given = {"t1": t1, "fa": fa, "md": md}
    volumes = {key: _checked(key.upper(), v) for key, v in given.items() if v is not None}
    names = {key: key.upper() for key in volumes}
    if tensors is not None:
        tensor.check_tensors(tensors.array)
        _check_grid("DTI", tensors)
        maps = tensor.maps_from_tensors(tensors)
        for key in ("fa", "md", "ad", "rd", "v1"):
            if key not in volumes:
                volumes[key], names[key] = getattr(maps, key), "DTI"
    if dwi is not None:
        names["dwi"] = "DWI"
    return Exam(**_belonging_together(volumes, names), names=names, dwi=dwi)


def exam_from_source(source: Source) -> Exam:
    """Return the exam of what ``intake.open_source`` has read.

    Raises
    ------
    BrainstemALSError
        As ``read_exam``.
    """
    paths = {key: path for key in ("fa", "md") if (path := getattr(source, key)) is not None}
    volumes = {"t1": source.t1, **{k: read_volume(path, k.upper()) for k, path in paths.items()}}
    names = dict(source.names)
    return Exam(
        **_belonging_together(volumes, {**names, **paths}),
        names=names,
        checksums=dict(source.checksums),
        dwi=source.dwi,
        person=source.person,
        findings=tuple(source.findings),
    )


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
