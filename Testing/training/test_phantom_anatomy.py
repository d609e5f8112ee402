"""What the command writes is what ``phantom.sample`` reads."""

import json

import numpy as np

from BrainstemALSLib.imaging.reading import read_label_map, read_volume
from BrainstemALSLib.imaging.volume import Volume
from training.phantom_anatomy import TISSUE_LEVELS, write_anatomy


def test_labels_are_cut_out_and_tissue_is_averaged(tmp_path):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (-10, -12, -14)
    labels = np.zeros((20, 24, 28), np.uint8)
    labels[8:12, 9:15, 0:5] = 7
    white = np.zeros(labels.shape, np.float32)
    white[4:16] = 1.0
    tissue = Volume(white, affine)
    write_anatomy(tmp_path, Volume(labels, affine), tissue, tissue, {"source": "made up"})

    box = read_label_map(tmp_path / "labels.nii.gz")
    assert box.shape == (8, 10, 7)  # two voxels around it, but none below the grid
    np.testing.assert_allclose(box.affine[:3, 3], affine[:3, 3] + (6, 7, 0))
    coarse = read_volume(tmp_path / "white.nii.gz", "white matter")
    assert coarse.shape == (10, 12, 14)
    np.testing.assert_allclose(coarse.affine[:3, 3], affine[:3, 3] + 0.5)
    assert set(np.unique(coarse.array)) == {0.0, float(TISSUE_LEVELS)}
    about = json.loads((tmp_path / "anatomy.json").read_text(encoding="utf-8"))
    assert about["shape"] == [20, 24, 28]
    assert about["source"] == "made up"
