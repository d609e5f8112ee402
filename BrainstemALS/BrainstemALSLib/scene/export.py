"""Files of a corrected result: NIfTI and seg.nrrd for programs, TSV and CSV for people."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import slicer
import vtk

from ..errors import BrainstemALSError, ExitCode
from ..imaging.staging import staged_output, unwritable
from ..imaging.volume import Volume
from ..imaging.writing import write_volume
from ..measurement import Measures
from ..report.naming import chosen_stem, derivative_name
from ..report.tables import (
    DIFFUSION_ASYMMETRY_COLUMNS,
    DIFFUSION_COLUMNS,
    LABEL_COLUMNS,
    VOLUME_COLUMNS,
    diffusion_asymmetry_rows,
    diffusion_rows,
    label_rows,
    volume_rows,
    write_tsv,
)
from .labelmap import Box, placed
from .nodes import grid_shape, matrix_of, parent_to_world, voxel_to_world
from .result_nodes import ResultNodes

_FILES = (
    ("dseg", ".nii.gz"),
    ("dseg", ".tsv"),
    ("dseg", ".seg.nrrd"),
    ("volumes", ".tsv"),
    ("volumes", ".csv"),
)
_DIFFUSION = (("diffusion", ".tsv"), ("diffusionasymmetry", ".tsv"))


def export_stem(subject: str, visit_date: str = "") -> str:
    """Return the stem of file names: subject code and visit date, never the name of a node.

    Parameters
    ----------
    subject : str
        Code of the subject. BIDS allows letters and digits alone, so ``-`` and ``_`` are left out.
    visit_date : str
        ISO date, or empty.

    Raises
    ------
    BrainstemALSError
        USAGE: there is no code, or it has other signs than letters, digits, ``-`` and ``_``.

    Examples
    --------
    >>> export_stem("ALS-017", "2026-03-14")
    'sub-ALS017_ses-20260314'
    """
    code = re.sub(r"[-_]", "", subject.strip().removeprefix("sub-"))
    if not re.fullmatch(r"[A-Za-z0-9]+", code):
        raise BrainstemALSError(
            "subject code",
            "file names are made of it, and it is empty or has other signs than letters, digits, - "
            "and _",
            "Enter a code such as ALS-017 in the Exam section; not the patient's name.",
            ExitCode.USAGE,
        )
    date = re.sub(r"[^0-9]", "", visit_date)
    return chosen_stem(f"sub-{code}_ses-{date}" if date else f"sub-{code}")


def export_names(stem: str) -> tuple[str, ...]:
    """Return the names of the files that ``export_files`` may write."""
    files = (*_FILES, *_DIFFUSION)
    return tuple(derivative_name(stem, suffix, extension) for suffix, extension in files)


def export_files(
    folder: str | Path,
    stem: str,
    result: ResultNodes,
    measures: Measures,
    *,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write label map, table of labels, segmentation, volumes and, where there are any, diffusion
    values; all files or none.

    The label map has the whole grid of the T1, with its parent transforms: it is exact there. The
    seg.nrrd has all segments, overlapping and added ones too, under the same transforms.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist.
    stem : str
        As ``export_stem`` makes it, or one that the user chose.
    result : ResultNodes
        Its labels are taken as they are in the scene now.
    measures : Measures
        Of these labels.
    overwrite : bool
        Replace files of the same names.

    Returns
    -------
    tuple of Path

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder takes no files, or has these already. UNSUITABLE_IMAGE: the T1 or
        the segmentation is gone. MISMATCHED_IMAGES: they no longer lie on one grid.
    """
    folder, stem = Path(folder), chosen_stem(stem)
    labels = _labels_on_t1(result)
    names = export_names(stem)
    label_map, label_table, segmentation, volume_table, volume_sheet, *of_diffusion = names
    written = names if measures.diffusion else names[: len(_FILES)]
    keys = result.segmentation.GetSegmentation().GetSegmentIDs()
    rows = volume_rows(measures.volumes)
    with staged_output(folder, names, overwrite) as staging:
        try:
            write_volume(labels, staging / label_map, dtype=np.uint8)
            write_tsv(staging / label_table, LABEL_COLUMNS, label_rows(keys))
            _write_segmentation(staging / segmentation, result, labels)
            write_tsv(staging / volume_table, VOLUME_COLUMNS, rows)
            _write_csv(staging / volume_sheet, VOLUME_COLUMNS, rows)
            if measures.diffusion:
                values, sides = (staging / name for name in of_diffusion)
                write_tsv(values, DIFFUSION_COLUMNS, diffusion_rows(measures.diffusion))
                rows = diffusion_asymmetry_rows(measures.diffusion_asymmetries)
                write_tsv(sides, DIFFUSION_ASYMMETRY_COLUMNS, rows)
        except OSError:
            raise unwritable(folder) from None
    return tuple(folder / name for name in written)


def _labels_on_t1(result: ResultNodes) -> Volume:
    labels, offset = result.labels()
    shape = grid_shape(result.t1, "T1")
    whole = placed(labels, offset, ((0, 0, 0), shape))
    return Volume(whole, voxel_to_world(result.t1, "T1"))


def _write_segmentation(path: Path, result: ResultNodes, labels: Volume) -> None:
    """Write a seg.nrrd whose geometry has the parent transforms in it.

    A copy in a scene of its own: the user's node keeps its transform, and nothing but the segments
    gets into the file. Slicer writes the union of the segments and the reference geometry; with the
    segmented box as such a 0.5 mm T1 takes 0.2 s, with the whole T1 5 s.
    """
    scene = slicer.vtkMRMLScene()
    copy = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation = copy.GetSegmentation()
    segmentation.DeepCopy(result.segmentation.GetSegmentation())
    segmentation.ApplyLinearTransform(_transform(result.segmentation))
    converter = slicer.vtkSegmentationConverter
    segmentation.SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(),
        converter.SerializeImageGeometry(matrix_of(labels.affine), _extent(result.box)),
    )
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    written = storage.WriteData(copy)
    scene.Clear(True)
    if not written or not path.is_file():
        raise OSError("the segmentation was not written")


def _extent(box: Box) -> list[int]:
    """Return a box as VTK has it: first and last index along each axis."""
    return [bound for first, n in zip(*box, strict=True) for bound in (first, first + n - 1)]


def _transform(node: object) -> object:
    transform = vtk.vtkTransform()
    transform.SetMatrix(matrix_of(parent_to_world(node, "segmentation")))
    return transform


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table for spreadsheets: commas, a byte order mark for Excel, nothing for None."""
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return value
