"""The montage of a label map."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume
from training.montage import label_colours, montage


def two_boxes(shape=(40, 30, 50)):
    array = np.zeros(shape, np.uint8)
    array[5:20, 5:25, 10:40] = by_key()["pyramid_left"].index
    array[20:35, 5:25, 10:40] = by_key()["basis_pontis_right"].index
    affine = np.eye(4)
    affine[0, 3] = -19.5  # the patient's left has x < 0
    return Volume(array, affine)


def columns_of(picture, colour):
    near = np.abs(picture[..., :3] - np.array(to_rgb(colour))).max(-1) < 0.02
    return np.flatnonzero(near.any(0))


def drawn(path, labels, **how):
    montage(None, labels, path, planes=("axial",), slices=1, **how)
    return imread(path)


def test_structures_keep_their_colours_and_right_is_on_the_left(tmp_path):
    picture = drawn(tmp_path / "new" / "m.png", two_boxes())
    left = columns_of(picture, by_key()["pyramid_left"].color)
    right = columns_of(picture, by_key()["basis_pontis_right"].color)
    assert left.size
    assert right.size
    assert right.max() < left.min()


def test_the_picture_is_the_same_however_the_array_is_stored(tmp_path):
    labels = two_boxes()
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = labels.shape[0] - 1
    turned = Volume(
        np.ascontiguousarray(labels.array[::-1].transpose(2, 0, 1)),
        (labels.affine @ flip)[:, [2, 0, 1, 3]],
    )
    assert np.array_equal(drawn(tmp_path / "a.png", labels), drawn(tmp_path / "b.png", turned))


def test_an_image_on_another_grid_shows_through(tmp_path):
    labels = two_boxes()
    bright = Volume(np.full((20, 20, 20), 100, np.float32), np.diag([3.0, 3, 3, 1]))
    bright.affine[:3, 3] = -25
    bright.array[:, :5] = 0
    montage(bright, labels, tmp_path / "c.png", title="trial")
    over = imread(tmp_path / "c.png")
    montage(None, labels, tmp_path / "d.png", title="trial")
    assert over.shape == imread(tmp_path / "d.png").shape
    assert not np.array_equal(over, imread(tmp_path / "d.png"))


def test_stray_values_are_seen():
    colours = label_colours()
    assert colours[0, 3] == 0
    assert tuple(colours[99]) == (1, 0, 1, 1)
    assert len(set(colours[150, :3])) == 1
