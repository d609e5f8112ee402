"""Exams as they leave the scanner, of the made-up head of ``dicom_files``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume

from . import dicom_files as files

N = 8


@dataclass(frozen=True)
class Gradients:
    """b-values, shape (n,), and directions in RAS, shape (n, 3), zeros where b is 0."""

    bvals: np.ndarray
    bvecs: np.ndarray


@pytest.fixture(scope="session")
def gradients() -> Gradients:
    """One unweighted volume and seven weighted ones."""
    bvals = np.array([0.0, *([1000.0] * (N - 1))])
    return Gradients(bvals, np.vstack([np.zeros(3), files.directions(N - 1)]))


@pytest.fixture(scope="session")
def t1_plane() -> files.Plane:
    """Sagittal slices, tilted about every axis."""
    return files.plane((48, 56, 40), (1.5, 1.5, 2.0), (5, 7, -10), "sagittal")


@pytest.fixture(scope="session")
def dwi_plane() -> files.Plane:
    """Axial slices, tilted about every axis."""
    return files.plane((20, 24, 10), (3.0, 3.5, 4.0), (12, -8, 20))


@pytest.fixture
def visit() -> files.Visit:
    """The only visit of a person with planted identities."""
    return files.Visit()


@pytest.fixture
def exam_folder(tmp_path, visit, t1_plane, dwi_plane, gradients) -> Path:
    """A folder with a T1 (series 2) and diffusion (series 5)."""
    folder = tmp_path / "exam"
    files.t1_series(folder / "a", t1_plane, visit)
    files.dwi_series(folder / "b", dwi_plane, visit, gradients.bvals, gradients.bvecs)
    return folder


def codes(findings: Sequence) -> set[str]:
    """Return the codes of findings."""
    return {finding.code for finding in findings}


def deviation(volume: Volume, image: np.ndarray | None = None) -> float:
    """Return how far an image is from the head where it says that it lies, at most."""
    array = volume.array if image is None else image
    index = np.stack(np.indices(array.shape[:3]), axis=-1)
    places = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return float(np.abs(array - files.head(places)).max())


def write_series(
    folder: Path, affine: np.ndarray, n: int = N, name: str = "dwi.nii.gz", slices: int = 10
) -> Path:
    """Write a 4D NIfTI that says its orientation in both ways."""
    folder.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(3).uniform(50, 500, (20, 24, slices, n)).astype(np.float32)
    image = nib.Nifti1Image(array, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, folder / name)
    return folder / name
