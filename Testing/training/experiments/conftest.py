"""A tiny study on geometric anatomies: real files, a network of a few hundred weights."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from training.experiments import scans
from training.experiments.settings import read_settings
from training.experiments.study import Study
from training.smoke import phantom_labels

SUBJECTS = tuple(f"10000{n}" for n in range(6))  # the fifth is held out


def tiny_settings(**changes):
    """The settings of the study, as small as they can be."""
    settings = read_settings()
    replace = dataclasses.replace
    values = {
        "name": "tiny",
        "budgets": (1, 3, "all"),
        "images": replace(
            settings.images,
            spacing_mm=4.0,
            window=(16, 20, 24),
            margin=1,
            renders=1,
            held_out_cases=2,
            held_out_renders=1,
            scan_windows=1,
            subcortical_renders=1,
        ),
        "network": replace(settings.network, filters=(4, 4, 8)),
        "training": replace(settings.training, steps=2, warm_up=1),
        "self_supervised": replace(settings.self_supervised, steps=2, voxels=16),
        "transfer": replace(settings.transfer, steps=2, raise_mm=4.0),
        "few_shot": replace(
            settings.few_shot, steps=2, support=(1, 2), renders=1, voxels=64, pseudo_classes=2
        ),
        "mean_teacher": replace(settings.mean_teacher, labelled=2),
    }
    return replace(settings, **(values | changes))


def source_map(seed: int) -> Volume:
    """An HOA2 map in miniature: a brainstem, and above it the structures of transfer in a row."""
    anatomy = phantom_labels(seed)
    array = np.zeros(anatomy.shape, np.int16)
    array[(anatomy.array > 0) & (anatomy.array < 100)] = 15
    middle = anatomy.shape[0] // 2
    for number, left in enumerate((9, 11, 13, 16, 20, 22, 25, 29, 31, 1)):
        rows = slice(2 + 5 * number, 6 + 5 * number)
        array[2 : middle - 6, rows, 58:] = left
        array[middle + 6 : -2, rows, 58:] = left + 1
    return Volume(array, anatomy.affine)


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    """Folders of the shared and the built data, with six subjects and an atlas."""
    top = tmp_path_factory.mktemp("places")
    shared, work = top / "shared", top / "work"
    for folder in ("labelmaps/hoa2/dseg", "labelmaps/synthseg"):
        (shared / folder).mkdir(parents=True)
    for folder in ("anatomies", "atlas"):
        (work / folder).mkdir(parents=True)
    (shared / "atlases/allen-human-reference-atlas-3d").mkdir(parents=True)
    for seed, name in enumerate(SUBJECTS):
        source = source_map(seed)
        write_volume(source, shared / "labelmaps/hoa2/dseg" / f"{name}_dseg.nii.gz")
        write_volume(phantom_labels(seed), work / "anatomies" / f"hoa2-{name}.nii.gz")
    write_volume(phantom_labels(9), work / "atlas" / "brainstem_labels.nii.gz")
    allen = np.where(source.array == 15, 122, 0).astype(np.int16)
    allen[source.array >= 16] = 27
    write_volume(
        Volume(allen, source.affine),
        shared / "atlases/allen-human-reference-atlas-3d/AllenAtlas.nii.gz",
    )
    return shared, work


@pytest.fixture
def study(places, monkeypatch, tmp_path):
    """A study whose results go to a folder of the test; its real T1s are the ICBM one alone."""
    shared, work = places
    monkeypatch.setenv("BRAINSTEM_ALS_SHARED", str(shared))
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(work))
    monkeypatch.setattr(scans, "IMAGES", {})
    monkeypatch.setattr(Study, "folder", tmp_path / "study")
    return Study(tiny_settings())
