"""The picture shows the image, the outlines in their colours and the notices."""

from __future__ import annotations

import dataclasses

import matplotlib.image
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.report.canvas import BACKGROUND, NOTICE, is_dark
from BrainstemALSLib.report.overview import draw_overview

TOLERANCE = 10 / 255


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def count(picture: np.ndarray, colour: str) -> int:
    """Return how many pixels have a colour."""
    return int((np.abs(picture - rgb(colour)).max(axis=-1) < TOLERANCE).sum())


def draw(tmp_path, t1, segmentation, **options) -> np.ndarray:
    path = tmp_path / "overview.png"
    draw_overview(t1, segmentation, path, **options)
    assert path.read_bytes().startswith(b"\x89PNG")
    return matplotlib.image.imread(path)[..., :3]


@pytest.fixture(scope="module")
def picture(tmp_path_factory, t1, segmentation, measures) -> np.ndarray:
    folder = tmp_path_factory.mktemp("overview")
    return draw(folder, t1, segmentation, title="sub-07", measures=measures)


def panels(picture: np.ndarray) -> np.ndarray:
    """Cut away header and legend."""
    return picture[120:-420]


def test_size_and_dark_surroundings(picture):
    height, width, _ = picture.shape

    assert 1400 < width < 2000
    assert 1500 < height < 2200
    np.testing.assert_allclose(picture[2, 2], rgb(BACKGROUND), atol=1 / 255)


def test_the_t1_is_shown_in_many_greys(picture):
    inner = panels(picture)
    grey = inner[np.ptp(inner, axis=-1) < 1 / 255][:, 0]

    assert len(np.unique(np.round(grey * 255))) > 40
    assert (grey > 0.4).mean() > 0.05  # the labelled tissue, the brightest of this T1


def test_every_structure_is_outlined_in_its_colour(picture, segmentation):
    inner = panels(picture)
    table = by_key()
    for key in segmentation.keys:
        if not is_dark(table[key].color):
            assert count(inner, table[key].color) > 40, key


def test_what_is_not_segmented_is_not_drawn(picture):
    assert count(picture, by_key()["fourth_ventricle"].color) == 0


def test_the_notices_are_on_the_picture(picture):
    assert count(picture[:110], NOTICE) > 300


def test_the_legend_is_in_the_colours(picture, segmentation):
    table = by_key()
    for key in segmentation.keys:
        assert count(picture[-420:], table[key].color) > 100, key


@pytest.mark.parametrize("angle", [0.0, 35.0])
def test_oblique_thick_slices(tmp_path, make_segmentation, make_grid, angle):
    rotation = Rotation.from_euler("xyz", [angle, angle / 2, -angle], degrees=True).as_matrix()
    shape, affine = make_grid((1.0, 1.0, 4.0), (60.0, 60.0, 60.0), rotation)
    spheres = {
        "basis_pontis_left": ((-8.0, 0.0, 0.0), 8.0),
        "basis_pontis_right": ((8.0, 0.0, 0.0), 8.0),
    }
    image = np.random.default_rng(0).normal(500, 50, shape).astype(np.float32)
    segmentation = make_segmentation(spheres, shape, affine)
    picture = draw(tmp_path, Volume(image, affine), segmentation)

    # In the first axial panel the patient's right is on the left, however the grid lies.
    top = picture[120:520, 45:550]
    middle = {
        side: np.argwhere(
            np.abs(top - rgb(by_key()[f"basis_pontis_{side}"].color)).max(-1) < TOLERANCE
        )[:, 1].mean()
        for side in ("left", "right")
    }
    assert middle["right"] < middle["left"]


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_a_constant_t1_still_gives_outlines(tmp_path, t1, segmentation, value):
    flat = dataclasses.replace(t1, array=np.full_like(t1.array, value))
    picture = draw(tmp_path, flat, segmentation)

    assert count(panels(picture), by_key()["basis_pontis_left"].color) > 40
