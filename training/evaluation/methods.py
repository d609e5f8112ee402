"""The methods that are compared: the bundled model, the same without its refinements, baselines."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.result import Segmentation

from ..data import work_dir
from . import adapter
from .kinds import KINDS, Drawn

GOOD_KINDS = ("t1_fa_md", "t1")
"""What baselines are asked; only the bundled model sees every kind."""
_ANTS_CASE = "case"


@dataclass(frozen=True, eq=False)
class Method:
    """A way to segment.

    Attributes
    ----------
    slug, words : str
        Short name, and name in tables.
    kinds : tuple of str
        Keys of ``KINDS`` that it is asked.
    identity : dict
        Role to name, version and checksum of what it carries, as ``Segmentation.model``.
    settings : dict
        Whatever else decides what it returns.
    segment : callable
        Drawn exam to segmentation; loads what it needs at the first call.
    """

    slug: str
    words: str
    kinds: tuple[str, ...]
    identity: dict[str, dict[str, str]]
    settings: dict[str, object]
    segment: Callable[[Drawn], Segmentation]


def chosen(
    slugs: Iterable[str], device: str = "auto", model_dir: Path | None = None
) -> list[Method]:
    """Return methods by their short names, without those whose parts are missing here.

    Parameters
    ----------
    slugs : iterable of str
        Keys of ``METHODS``.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    model_dir : Path, optional
        Folder of models instead of the bundled ones, for ``model`` and ``plain``.

    Raises
    ------
    BrainstemALSError
        The model under test can't be used.
    """
    found = []
    for slug in slugs:
        try:
            found.append(METHODS[slug](device, model_dir))
        except BrainstemALSError as refusal:
            if slug == "model":
                raise
            print(f"{slug} is left out: {refusal}")
    return found


def _network(
    slug: str,
    words: str,
    kinds: tuple[str, ...],
    device: str,
    folder: Path | None,
    **settings: object,
) -> Method:
    files = adapter.model_files(folder)
    structures = files["structures"]
    deciding = {"temperature": structures.temperature, "channels": structures.channels} | settings

    identity = {name: dict(file.identity) for name, file in files.items()}
    identity["structures"] |= {
        "mirrored": "averaged" if settings.get("flip", True) else "no",
        "temperature": f"{settings.get('temperature', structures.temperature):g}",
    }

    @cache
    def segmenter():
        return adapter.segmenter(device, folder, **settings)

    return Method(
        slug, words, kinds, identity, deciding,
        lambda drawn: segmenter().segment(drawn.exam),
    )  # fmt: skip


def _model(device: str, model_dir: Path | None) -> Method:
    return _network("model", "BrainstemALS as users get it", tuple(KINDS), device, model_dir)


def _plain(device: str, model_dir: Path | None) -> Method:
    return _network(
        "plain", "the same network, one look, temperature 1", GOOD_KINDS, device, model_dir,
        flip=False, temperature=1.0,
    )  # fmt: skip


def _untempered(device: str, model_dir: Path | None) -> Method:
    return _network(
        "untempered", "the same network, mirror averaged, temperature 1", GOOD_KINDS[:1], device,
        model_dir, temperature=1.0,
    )  # fmt: skip


def _unet(device: str, model_dir: Path | None) -> Method:
    folder = work_dir() / "runs" / "unet"
    if not folder.is_dir():
        raise BrainstemALSError(
            "data/runs/unet",
            "the baseline network isn't trained",
            "Run `python -m training.supervised`.",
            ExitCode.USAGE,
        )
    return _network("unet", "plain supervised U-Net, same labels", GOOD_KINDS, device, folder)


def _ants(device: str, model_dir: Path | None) -> Method:
    from .icbm import atlas_labels

    atlas = atlas_labels()
    try:
        version = metadata.version("antspyx")
    except metadata.PackageNotFoundError as error:
        raise BrainstemALSError(
            "antspyx", "it isn't installed", "Run `make install`.", ExitCode.USAGE
        ) from error
    checksum = hashlib.sha256(np.ascontiguousarray(atlas.array).tobytes()).hexdigest()
    identity = {"name": "antspyx", "version": version, "sha256": checksum}
    role = "ants; the checksum is that of the atlas it carries"
    return Method("ants", "ANTs SyN label propagation", ("t1",), {role: identity}, {}, propagated)


def propagated(drawn: Drawn) -> Segmentation:
    """Carry the training atlas to a T1 by ANTs, as the benchmark of time does.

    The exam must not be degraded: ANTs gets the true brain mask.
    """
    import SimpleITK as sitk

    from BrainstemALSLib.imaging.geometry import to_sitk
    from BrainstemALSLib.imaging.reading import read_label_map

    from .bench_child import ants_syn
    from .grids import structures_only

    t1 = drawn.exam.t1
    files = {"t1": t1, "truth": drawn.truth, "stripped": Volume(t1.array * drawn.brain, t1.affine)}
    with tempfile.TemporaryDirectory(prefix="brainstem-als-ants-") as name:
        for part, volume in files.items():
            sitk.WriteImage(to_sitk(volume), str(Path(name) / f"{_ANTS_CASE}_{part}.nii.gz"))
        ants_syn(Path(name), _ANTS_CASE)
        found = structures_only(read_label_map(Path(name) / f"{_ANTS_CASE}_ants.nii.gz"))
    return _of_labels(Volume(found.array, t1.affine))


def _of_labels(labels: Volume) -> Segmentation:
    """A segmentation of a method that says nothing of its uncertainty."""
    keys = tuple(by_key())
    return Segmentation(
        labels=labels,
        entropy=Volume(np.zeros(labels.shape, np.float32), labels.affine),
        probabilities=None,
        keys=keys,
        confidence={},
        intracranial_mm3=None,
        modalities=("t1",),
        device="cpu",
        device_reason="",
        model={},
    )


METHODS = {
    "model": _model,
    "untempered": _untempered,
    "plain": _plain,
    "unet": _unet,
    "ants": _ants,
}
