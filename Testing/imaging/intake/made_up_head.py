"""A made-up head whose every point is known, and the person it is said to be of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pydicom.uid import generate_uid

# Planted where a hospital writes identities; none may come out anywhere.
IDENTITY = {
    "PatientName": "Plantedname^Quirin",
    "PatientID": "PLANTEDID77123",
    "PatientBirthDate": "19510203",
    "OtherPatientIDs": "PLANTEDOTHER9",
    "InstitutionName": "Plantedhospital",
    "ReferringPhysicianName": "Planteddoctor^Ref",
    "AccessionNumber": "PLANTEDACC5",
    "StudyDescription": "Plantedstudy for Plantedname",
    "StudyID": "PLANTEDSTUDY",
    "OperatorsName": "Plantedoperator",
    "DeviceSerialNumber": "PLANTEDSERIAL",
    "StationName": "PLANTEDSTATION",
}
DATE = "20210504"


def head(ras: np.ndarray) -> np.ndarray:
    """Signal at points, shape (..., 3) in RAS mm: three unlike blobs in an unlike background."""
    signal = 200.0 + 0.8 * ras[..., 0] + 1.3 * ras[..., 1] - 0.5 * ras[..., 2]
    for centre, width, height in (
        ((30.0, 10.0, 5.0), 18.0, 900.0),
        ((-15.0, 40.0, -10.0), 22.0, 600.0),
        ((5.0, -35.0, 20.0), 14.0, 400.0),
    ):
        distance = ((ras - np.array(centre)) ** 2).sum(-1)
        signal = signal + height * np.exp(-distance / (2 * width**2))
    return signal


@dataclass(frozen=True)
class Plane:
    """How slices lie: unit vectors in LPS, as DICOM has them."""

    row: np.ndarray
    column: np.ndarray
    spacing: tuple[float, float, float]  # along a row, along a column, between slices
    shape: tuple[int, int, int]  # columns, rows, slices

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.row, self.column)

    @property
    def first(self) -> np.ndarray:
        """Centre of the first voxel of the first slice, LPS, so that the middle is at 0."""
        axes = (self.row, self.column, self.normal)
        pairs = zip(axes, self.spacing, self.shape, strict=True)
        return -sum(axis * step * (n - 1) / 2 for axis, step, n in pairs)

    def position(self, k: int) -> np.ndarray:
        return self.first + self.normal * self.spacing[2] * k

    def slice_ras(self, k: int) -> np.ndarray:
        """Places of the voxels of slice ``k``, shape (rows, columns, 3)."""
        columns, rows, _ = self.shape
        across = np.arange(columns)[None, :, None] * self.row * self.spacing[0]
        down = np.arange(rows)[:, None, None] * self.column * self.spacing[1]
        return (self.position(k) + across + down) * (-1.0, -1.0, 1.0)


def plane(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0),
    kind: str = "axial",
) -> Plane:
    """Axial, sagittal or coronal slices, tilted by degrees about the axes of the patient."""
    from scipy.spatial.transform import Rotation

    row, column = {
        "axial": ((1, 0, 0), (0, 1, 0)),
        "sagittal": ((0, 1, 0), (0, 0, -1)),
        "coronal": ((1, 0, 0), (0, 0, -1)),
    }[kind]
    turn = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix()
    return Plane(turn @ np.array(row, float), turn @ np.array(column, float), spacing, shape)


@dataclass
class Visit:
    """One study of one patient."""

    date: str = DATE
    identity: dict[str, str] = field(default_factory=lambda: dict(IDENTITY))
    sex: str = "F"
    age: str | None = "070Y"
    study: str = field(default_factory=generate_uid)
    frame: str = field(default_factory=generate_uid)


def directions(n: int, seed: int = 4) -> np.ndarray:
    """Unit directions in RAS without symmetry, shape (n, 3)."""
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
