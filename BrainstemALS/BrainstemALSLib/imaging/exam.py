"""One patient's images, read and checked together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from . import checks, diffusion_maps
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
        ``"t1"``, ``"fa"``, ``"md"`` (those given) to the name of the file, without its folder.
    checksums : dict
        The same keys to the SHA-256 of the file, hexadecimal.
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
    checks.check_field_of_view(paths["t1"], "T1", volumes["t1"])
    checks.check_not_ct(paths["t1"], "T1", volumes["t1"])
    for key, scaled in (
        ("fa", diffusion_maps.fractional_anisotropy),
        ("md", diffusion_maps.mean_diffusivity),
    ):
        if key in volumes:
            diffusion_maps.check_covers(paths[key], key.upper(), volumes[key], volumes["t1"])
            volumes[key] = scaled(paths[key], volumes[key])
    return Exam(
        **volumes,
        names={key: path.name for key, path in paths.items()},
        checksums={key: _sha256(path) for key, path in paths.items()},
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
