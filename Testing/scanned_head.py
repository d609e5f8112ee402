"""A simulated head with its diffusion series, coarse and short, as the files a scan may come in."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from BrainstemALSLib.imaging.diffusion.gradients import ras_to_fsl
from BrainstemALSLib.imaging.dwi import Dwi
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.phantom.diffusion import Protocol, gradient_scheme, simulate_dwi
from BrainstemALSLib.phantom.diffusion_head import DiffusionHead, diffusion_head
from BrainstemALSLib.phantom.sample import sample_anatomy
from Testing.imaging.intake import dicom_files
from Testing.imaging.intake.made_up_head import Visit

LIBRARY = Path(__file__).resolve().parents[1] / "BrainstemALS"
OPTIONS = ("--device", "cpu", "--threads", "1", "--no-probabilities")
DIRECTIONS = 8
SPACING_MM = 3.5
T1_SERIES, DWI_SERIES = 2, 5


@dataclass(frozen=True, eq=False)
class Scanned:
    """A simulated head and its series."""

    head: DiffusionHead
    dwi: Dwi


@lru_cache(maxsize=1)
def scanned_head() -> Scanned:
    """Return a head of 2 mm and a series of 3.5 mm, eight directions and one unweighted volume."""
    anatomy = tuple(
        resample(
            part,
            [n // 2 for n in part.shape],
            part.affine @ np.diag([2.0, 2.0, 2.0, 1.0]),
            "nearest" if kind == "labels" else "linear",
        )
        for kind, part in zip(("labels", "white", "grey"), sample_anatomy(), strict=True)
    )
    head = diffusion_head(resolution=SPACING_MM, anatomy=anatomy)
    protocol = Protocol(
        *gradient_scheme(DIRECTIONS, unweighted=1), shape=(52, 60, 34), spacing=(SPACING_MM,) * 3
    )
    return Scanned(head, simulate_dwi(head, protocol, snr=30).dwi)


def segment(source: Path, out: Path, *more: object, **environment: str):
    """Run the command in a process of its own; returns what ``subprocess.run`` does."""
    command = [sys.executable, "-m", "BrainstemALSLib.cli", "segment", source, "--out", out]
    return subprocess.run(
        [str(part) for part in (*command, *OPTIONS, *more)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(LIBRARY), "COLUMNS": "200", **environment},
    )


def write_bids(scanned: Scanned, folder: Path, away_mm: tuple[float, ...] = (0.0,) * 3) -> Path:
    """Write a BIDS subject, its series said to lie ``away_mm`` (RAS) from where it does."""
    subject = folder / "sub-01"
    for kind in ("anat", "dwi"):
        (subject / kind).mkdir(parents=True)
    write_volume(scanned.head.t1, subject / "anat" / "sub-01_T1w.nii.gz")
    affine = scanned.dwi.volume.affine.copy()
    affine[:3, 3] += away_mm
    image = nib.Nifti1Image(scanned.dwi.volume.array.astype(np.float32), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, subject / "dwi" / "sub-01_dwi.nii.gz")
    tables = {
        "bval": scanned.dwi.bvals[None, :],
        "bvec": ras_to_fsl(scanned.dwi.bvecs, affine).T,
    }
    for kind, table in tables.items():
        np.savetxt(subject / "dwi" / f"sub-01_dwi.{kind}", table, fmt="%.6f")
    return subject


class _Slices(dicom_files.Plane):
    """Slices of a volume, along its third axis."""

    def __init__(self, volume: Volume):
        array, affine = volume.array, np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
        if np.linalg.det(affine[:3, :3]) < 0:  # rows, columns and slices are right-handed in DICOM
            array = array[:, :, ::-1]
            affine = affine.copy()
            affine[:3, 3] += affine[:3, 2] * (array.shape[2] - 1)
            affine[:3, 2] *= -1
        steps = np.linalg.norm(affine[:3, :3], axis=0)
        super().__init__(
            affine[:3, 0] / steps[0], affine[:3, 1] / steps[1], tuple(steps), array.shape[:3]
        )
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "corner", affine[:3, 3])

    def position(self, k: int) -> np.ndarray:
        return self.corner + self.normal * self.spacing[2] * k


def write_dicom(scanned: Scanned, folder: Path, visit: Visit) -> Path:
    """Write T1 and series as a scanner sends them, one file per slice, with all of a visit."""
    t1 = _Slices(scanned.head.t1)
    scale = 4000.0 / t1.array.max()
    series = generate_uid()
    for k in range(t1.shape[2]):
        ds = _file(visit, T1_SERIES, series, dicom_files.T1, t1, k, t1.array[:, :, k] * scale)
        ds.InstanceNumber, ds.AcquisitionNumber = k + 1, 1
        dicom_files.save(ds, folder, f"Plantedname_{T1_SERIES:03d}_{k:04d}.dcm")
    dwi, slices, series = scanned.dwi, _Slices(scanned.dwi.volume), generate_uid()
    for n, (b, vector) in enumerate(zip(dwi.bvals, dwi.bvecs, strict=True)):
        for k in range(slices.shape[2]):
            pixels = slices.array[:, :, k, n]
            ds = _file(visit, DWI_SERIES, series, dicom_files.DWI, slices, k, pixels)
            dicom_files.mark(ds, "siemens", b, vector, slices)
            ds.InstanceNumber = n * slices.shape[2] + k + 1
            ds.AcquisitionNumber = ds.TemporalPositionIdentifier = n + 1
            ds.AcquisitionTime = f"1011{n % 60:02d}.{n:02d}0000"
            dicom_files.save(ds, folder, f"Plantedname_{DWI_SERIES:03d}_{n:03d}_{k:03d}.dcm")
    return folder


def _file(visit, number, series, values, slices, k, pixels) -> Dataset:
    ds = dicom_files.base(visit, number, series)
    ds.SpecificCharacterSet = "ISO_IR 100"
    dicom_files.set_values(ds, values)
    dicom_files.place(ds, slices, k)
    dicom_files.set_pixels(ds, pixels.T)
    return ds
