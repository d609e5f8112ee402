"""Reads a diffusion series from NIfTI with the b-values and directions beside it."""

from __future__ import annotations

import json
from pathlib import Path

import SimpleITK as sitk

from ...errors import BrainstemALSError
from .. import checks
from ..diffusion.gradients import fsl_to_ras
from ..dwi import Dwi
from ..finding import Finding
from ..geometry import from_sitk
from ..itk_output import silenced_itk
from ..volume import Volume
from .gradient_files import read_bvals, read_bvecs, unsuitable
from .nrrd_dwi import read_nrrd_dwi
from .series import WHAT, check_series, tidy
from .upstream import corrected_before

_LONGEST_SIDECAR = 1 << 24
_PHASE_ENCODING = {"i", "i-", "j", "j-", "k", "k-"}


def read_dwi(
    path: str | Path,
    bval: str | Path | None = None,
    bvec: str | Path | None = None,
    sidecar: str | Path | None = None,
) -> Dwi:
    """Read a diffusion series.

    Parameters
    ----------
    path : str or Path
        NIfTI (.nii, .nii.gz) with four axes; or NRRD (.nrrd, .nhdr) as Slicer writes it, which
        holds its own gradients.
    bval, bvec : str or Path, optional
        As FSL writes them. Left out, they are looked for beside the image: rotated directions of
        FSL's eddy first, then ``<name>.bval`` and ``.bvec``, then ``bvals`` and ``bvecs``.
    sidecar : str or Path, optional
        JSON file of BIDS; ``<name>.json`` when left out, where there is one. A damaged one is not
        missed: only the phase-encoding axis and earlier corrections are looked for in it.

    Returns
    -------
    Dwi
        As acquired, directions in RAS.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE, UNSUITABLE_IMAGE or UNSUITABLE_DIFFUSION; each names the file.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith((".nrrd", ".nhdr")):
        return read_nrrd_dwi(path)
    checks.check_file(path, WHAT)
    if name.endswith((".mif", ".mif.gz", ".mih")):
        raise unsuitable(
            path,
            "this is a file of MRtrix, which is not read here",
            "Convert it: mrconvert dwi.mif dwi.nii.gz -export_grad_fsl dwi.bvec dwi.bval "
            "-json_export dwi.json.",
        )
    stem = stem_of(path)
    bval = Path(bval) if bval else _beside(path, "bval", (f"{stem}.bval", "bvals", f"{stem}.bvals"))
    bvec = (
        Path(bvec)
        if bvec
        else _beside(
            path,
            "bvec",
            (f"{stem}.eddy_rotated_bvecs", f"{stem}.bvec", "bvecs", f"{stem}.bvecs"),
        )
    )
    volume = read_series(path)
    bvals = read_bvals(bval, volume.array.shape[3])
    table, transposed = read_bvecs(bvec, bvals)
    bvecs = tidy(fsl_to_ras(table, volume.affine), bvals)
    facts = read_sidecar(Path(sidecar) if sidecar else path.with_name(f"{stem}.json"))
    return Dwi(
        volume=volume,
        bvals=bvals,
        bvecs=bvecs,
        phase_encoding=_phase_encoding(facts),
        corrected=corrected_before(path, stem, facts, (bval, bvec)),
        findings=(_was_transposed(),) if transposed else (),
    )


def stem_of(path: Path) -> str:
    """Return the name of an image without its extensions."""
    name = path.name
    for ending in (".gz", ".nii"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


def read_series(path: Path) -> Volume:
    """Read the volumes of a 4D NIfTI: float32, shape (i, j, k, n), after the checks of a T1's grid.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE or UNSUITABLE_IMAGE.
    """
    checks.check_file(path, WHAT)
    checks.check_nifti(path, WHAT)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with silenced_itk():
        if reader.GetImageIOFromFileName(str(path)) != checks.NIFTI_READER:
            raise unsuitable(
                path,
                "this DWI file is neither NIfTI nor NRRD",
                "Give a NIfTI (.nii, .nii.gz) with bval and bvec, or an NRRD of Slicer.",
            )
        try:
            reader.ReadImageInformation()
            size = list(reader.GetSize())
            while len(size) > 4 and size[-1] == 1:
                size.pop()
            if len(size) != 4 or size[3] < 2:
                n = size[3] if len(size) == 4 else 1
                raise unsuitable(
                    path,
                    f"a diffusion series has many volumes along its fourth axis, this has {n}"
                    if len(size) <= 4
                    else f"a diffusion series has 4 axes, and this image has {len(size)}",
                    "Give the 4D series as it was converted from DICOM.",
                )
            if reader.GetDimension() > 4:
                reader.SetExtractSize(size + [0] * (reader.GetDimension() - 4))
            reader.SetOutputPixelType(sitk.sitkFloat32)
            image = reader.Execute()
        except RuntimeError:
            raise checks.damaged(path, WHAT) from None
    first = from_sitk(image[:, :, :, 0])
    volume = Volume(sitk.GetArrayViewFromImage(image).transpose(3, 2, 1, 0).copy(), first.affine)
    check_series(path, volume)
    return volume


def read_sidecar(path: Path) -> dict:
    """Return the content of a JSON file; nothing where it is missing or damaged."""
    try:
        with path.open("rb") as handle:
            found = json.loads(handle.read(_LONGEST_SIDECAR))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _phase_encoding(facts: dict) -> str | None:
    """Return the axis as BIDS names it; dcm2niix writes ``...Axis`` where it knows no direction."""
    for key in ("PhaseEncodingDirection", "PhaseEncodingAxis"):
        if isinstance(facts.get(key), str) and facts[key] in _PHASE_ENCODING:
            return facts[key]
    return None


def _beside(path: Path, what: str, names: tuple[str, ...]) -> Path:
    for name in names:
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise missing_gradients(path, what)


def missing_gradients(path: Path | str, what: str) -> BrainstemALSError:
    """Return the refusal of a series without its ``bval`` or ``bvec`` file."""
    content = "b-values" if what == "bval" else "directions"
    return unsuitable(
        path,
        f"there is no {what} file with the {content} of this DWI beside it",
        f"Put the {what} file beside the image, with the same name, or name it (--{what}).",
    )


def _was_transposed() -> Finding:
    return Finding(
        "bvec_transposed",
        "info",
        "The bvec file of the diffusion series has one row per volume; it was read so.",
        "Nothing to do; FSL writes three rows.",
    )
