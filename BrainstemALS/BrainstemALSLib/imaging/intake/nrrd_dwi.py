"""Reads a diffusion series from NRRD, as Slicer and DWIConvert write it.

Format: "NRRD for DWI", NA-MIC wiki (https://www.na-mic.org/wiki/NAMIC_Wiki:DTI:Nrrd_format), and
the definition of NRRD (https://teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .. import checks
from ..dwi import Dwi
from ..geometry import from_sitk
from ..itk_output import silenced_itk
from ..text_header import NRRD_READER
from ..volume import Volume
from .gradient_files import unsuitable
from .series import WHAT, check_series, tidy
from .upstream import steps_in

_LONGEST_HEADER = 1 << 20
# Signs that bring the named spaces to RAS.
_SPACES = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "las": (-1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "lps": (-1.0, -1.0, 1.0),
}
_KEY = re.compile(r"DWMRI_(gradient|NEX|B-matrix)_(\d+)$")
_EXPORT = "Save the series from Slicer again, or convert the DICOM series with dcm2niix."


def read_nrrd_dwi(path: str | Path) -> Dwi:
    """Read a diffusion series with the gradients in its header.

    The list of volumes may be the first or the last axis. The b-value of a volume is the nominal
    one times the square of its gradient's length over the longest; directions are turned by the
    measurement frame into the patient's.

    Parameters
    ----------
    path : str or Path
        .nrrd, or .nhdr with its data file.

    Returns
    -------
    Dwi
        Directions in RAS, unit length.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE, UNSUITABLE_IMAGE or UNSUITABLE_DIFFUSION.
    """
    path = Path(path)
    checks.check_file(path, WHAT)
    fields, pairs = _header(path)
    signs = _SPACES.get(fields.get("space", "").lower())
    if pairs.get("modality", "").upper() != "DWMRI":
        raise unsuitable(
            path,
            "the header of this NRRD file holds no diffusion gradients (modality DWMRI)",
            "Save the diffusion weighted volume from Slicer as NRRD, or give NIfTI with bval and "
            "bvec.",
        )
    volume = _voxels(path)
    if signs is None:
        raise unsuitable(path, "the header of this DWI names no space that is known", _EXPORT)
    n = volume.array.shape[3]
    gradients, bvals = _gradients(path, pairs, n)
    frame = _measurement_frame(path, fields.get("measurement frame"))
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    # In the words of the format a gradient's length is its share of the weighting.
    unit = np.divide(gradients, lengths, out=np.zeros_like(gradients), where=lengths > 0)
    bvecs = tidy(unit @ frame.T * signs, bvals)
    return Dwi(volume, bvals, bvecs, corrected=steps_in(path.stem))


def _header(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields of the format, names in lower case, and the key/value pairs of the user."""
    with path.open("rb") as handle:
        content = handle.read(_LONGEST_HEADER)
    if not content.startswith(b"NRRD"):
        raise checks.not_an_image(path, WHAT)
    text = content.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0].decode("latin-1")
    fields, pairs = {}, {}
    for line in text.splitlines()[1:]:
        if line.startswith("#"):
            continue
        if ":=" in line:
            key, value = line.split(":=", 1)
            pairs[key.strip()] = value.strip()
        elif ":" in line:
            key, value = line.split(":", 1)
            fields[key.strip().lower()] = value.strip()
    return fields, pairs


def _voxels(path: Path) -> Volume:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with silenced_itk():
        checks.check_format(path, WHAT, reader.GetImageIOFromFileName(str(path)))
        if reader.GetImageIOFromFileName(str(path)) != NRRD_READER:
            raise checks.not_an_image(path, WHAT)
        try:
            reader.ReadImageInformation()
            if reader.GetDimension() != 3 or reader.GetNumberOfComponents() < 2:
                raise unsuitable(
                    path, "this DWI is not a list of three-dimensional volumes", _EXPORT
                )
            volume = from_sitk(reader.Execute())
        except RuntimeError:
            raise checks.damaged(path, WHAT) from None
    volume = Volume(volume.array.astype(np.float32), volume.affine)
    check_series(path, volume)
    return volume


def _gradients(path: Path, pairs: dict[str, str], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return gradients of the header's own lengths, shape (n, 3), and b-values, shape (n,)."""
    rows: dict[int, np.ndarray] = {}
    weights: dict[int, float] = {}
    repeats: dict[int, int] = {}
    try:
        nominal = float(pairs["DWMRI_b-value"].split()[0])
        for key, text in pairs.items():
            found = _KEY.match(key)
            if not found:
                continue
            kind, number = found[1], int(found[2])
            values = np.array(text.split(), dtype=float)
            if kind == "NEX":
                repeats[number] = int(values[0])
            elif kind == "gradient":
                (rows[number],) = values.reshape(1, 3)
            else:
                rows[number], weights[number] = _of_b_matrix(values)
    except (KeyError, IndexError, ValueError, OverflowError):
        raise unsuitable(
            path, "the gradients in the header of this DWI are damaged", _EXPORT
        ) from None
    for number, count in repeats.items():
        # The volumes that follow repeat this one.
        for follower in range(number + 1, min(number + count, n)):
            if number in rows:
                rows.setdefault(follower, rows[number])
            if number in weights:
                weights.setdefault(follower, weights[number])
    if sorted(rows) != list(range(n)):
        raise unsuitable(
            path,
            f"the header of this DWI has {len(rows)} gradients, but the image has {n} volumes",
            _EXPORT,
        )
    table = np.array([rows[number] for number in range(n)])
    longest = np.linalg.norm(table, axis=1).max()
    if not np.isfinite(table).all() or not (np.isfinite(nominal) and nominal >= 0):
        raise unsuitable(path, "the gradients in the header of this DWI are damaged", _EXPORT)
    shares = (np.linalg.norm(table, axis=1) / longest) ** 2 if longest > 0 else np.zeros(n)
    bvals = nominal * shares
    for number, weight in weights.items():
        bvals[number] = weight
    return table, bvals


def _of_b_matrix(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the direction and the b-value of a b-matrix: xx, xy, xz, yy, yz, zz."""
    xx, xy, xz, yy, yz, zz = values
    sizes, axes = np.linalg.eigh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    weight = float(sizes.sum())
    return (axes[:, -1] if weight > 0 else np.zeros(3)), weight


def _measurement_frame(path: Path, text: str | None) -> np.ndarray:
    """Return the frame as a matrix: measured coordinates to those of the header's space.

    The format writes the columns, each in parentheses. Where there is none, the gradients are in
    the header's space already.
    """
    if not text:
        return np.eye(3)
    try:
        columns = [
            [float(number) for number in part.split(",")]
            for part in re.findall(r"\(([^)]*)\)", text)
        ]
        frame = np.array(columns, dtype=float).reshape(3, 3).T
    except ValueError:
        frame = np.zeros((3, 3))
    if not np.allclose(frame @ frame.T, np.eye(3), atol=1e-2):
        raise unsuitable(
            path, "the measurement frame in the header of this DWI is not a rotation", _EXPORT
        )
    left, _, right = np.linalg.svd(frame)
    return left @ right
