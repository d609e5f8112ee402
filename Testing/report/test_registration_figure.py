"""The picture of a registration is drawn, says what happened, and shows the maps."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from BrainstemALSLib.imaging.dwi import TensorMaps
from BrainstemALSLib.imaging.registration import Alignment, Registration
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.report.registration_figure import registration_figure

CENTRE = np.zeros(3)


@pytest.fixture
def maps(t1: Volume) -> TensorMaps:
    """FA where the spheres of the T1 are, fluid around them."""
    inside = t1.array > 550
    fa = np.where(inside, 0.6, 0.05).astype(np.float32)
    md = np.where(inside, 0.8, 3.0).astype(np.float32)
    return TensorMaps(fa=Volume(fa, t1.affine), md=Volume(md, t1.affine))


def drawn(t1: Volume, maps: TensorMaps, found: Registration, path: Path) -> np.ndarray:
    alignment = Alignment(maps, CENTRE, found)
    registration_figure(t1, alignment, path, title="sub-01", note="Simulated.")
    return matplotlib.image.imread(path)[..., :3]


def done(maps: TensorMaps) -> Registration:
    facts = {"translation_mm": 3.2, "rotation_degrees": 1.5, "contrast": "FA", "left_alone": False}
    return Registration(True, maps, 0.4, np.eye(4), (), facts)


def test_before_and_after_are_drawn(t1, maps, tmp_path):
    image = drawn(t1, maps, done(maps), tmp_path / "figure.png")
    failed = Registration(False, None, 0.0, np.eye(4))
    alone = drawn(t1, maps, failed, tmp_path / "failed.png")
    assert image.shape[0] > 1.6 * alone.shape[0]
    assert image.shape[1] == alone.shape[1]


def test_the_outlines_follow_the_maps(t1, maps, tmp_path):
    def orange(image: np.ndarray) -> int:
        panels = image[110:-70]  # without the header and the footer, which have orange words
        return int((np.abs(panels - [1.0, 0.718, 0.012]).max(-1) < 0.15).sum())

    none = TensorMaps(fa=Volume(np.zeros_like(maps.fa.array), maps.fa.affine))
    with_fa = drawn(t1, maps, done(maps), tmp_path / "a.png")
    without = drawn(t1, none, done(none), tmp_path / "b.png")
    assert orange(with_fa) > 1000
    assert orange(without) == 0


def test_an_fa_alone_can_be_drawn(t1, maps, tmp_path):
    fa = TensorMaps(fa=maps.fa)
    image = drawn(t1, fa, done(fa), tmp_path / "fa.png")
    assert image.std() > 0.05
