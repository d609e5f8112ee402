"""Fine-tuning with V1: what is stored is what the network is shown, and it turns with the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from BrainstemALSLib.annotation import CaseStore, cut_images
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.geometry import box_around
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.channels import CHANNELS
from BrainstemALSLib.segmentation.inference import network_input
from training.active.finetune_data import Lesson, read_lessons
from training.active.finetune_directions import colours_at
from training.active.frozen_set import is_set_aside
from training.geometry_augmentation import rotation
from training.samples import mirrored
from training.synthesis import MODALITY_SETS

from .corrected_exams import approval
from .corrected_exams import exam as t1_and_labels

WINDOW = (24, 26, 28)
LEARNS = next(f"ALS-{n}" for n in range(99) if not is_set_aside(f"ALS-{n}"))
T1, FA, V1 = slice(0, 1), slice(1, 2), slice(3, 6)


def grid(affine: np.ndarray) -> torch.Tensor:
    """RAS mm of the voxels of the window."""
    index = np.moveaxis(np.indices(WINDOW), 0, -1)
    return torch.from_numpy(index @ affine[:3, :3].T + affine[:3, 3]).float()


def exam(spacing: float = 2.0) -> tuple[Exam, Volume, np.ndarray]:
    """An exam whose fibres turn from place to place, true labels, and the middle in RAS mm.

    FA and V1 lie on oblique grids of their own; signs are at random, as a fit leaves them.
    """
    t1, truth = t1_and_labels(0)
    middle = truth.affine[:3, :3] @ np.argwhere(truth.array > 0).mean(0) + truth.affine[:3, 3]
    turn = rotation(torch.tensor([10.0, -15.0, 20.0])).numpy().astype(float)
    shape = tuple(int(60 / spacing + n) for n in range(3))
    affine = box_around(middle, shape, spacing, turn)
    places = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3] - middle
    angle = 0.06 * places[..., 0] + 0.04 * places[..., 2]
    v1 = np.stack([np.cos(angle), np.sin(angle), 0.5 + 0.03 * places[..., 1]], axis=-1)
    v1 /= np.linalg.norm(v1, axis=-1, keepdims=True)
    v1 *= np.random.default_rng(0).choice([-1.0, 1.0], (*shape, 1))
    fa = 0.5 + 0.3 * np.sin(places.sum(axis=-1) / 9)
    return (
        Exam(
            t1,
            fa=Volume(fa.astype(np.float32), affine),
            md=Volume((1 + fa).astype(np.float32), affine),
            v1=Volume(v1.astype(np.float32), affine),
        ),
        truth,
        middle,
    )


def lesson_of(one: Exam, truth: Volume) -> Lesson:
    images = {name: getattr(one, name) for name in CHANNELS if getattr(one, name) is not None}
    return Lesson("a", images, truth, Volume(np.ones(truth.shape, np.uint8), truth.affine))


def turned(one: Exam, matrix: np.ndarray, middle: np.ndarray) -> Exam:
    """The exam of a head that lay otherwise: turned by a matrix about its middle."""
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = matrix, middle - matrix @ middle
    images = {name: getattr(one, name) for name in CHANNELS}
    images["v1"] = Volume(one.v1.array @ matrix.T.astype(np.float32), one.v1.affine)
    return Exam(**{name: Volume(v.array, move @ v.affine) for name, v in images.items()})


def test_a_window_that_is_not_deformed_is_what_the_network_is_shown():
    one, truth, middle = exam()
    affine = box_around(middle, WINDOW, 1.0)
    seen = lesson_of(one, truth).channels(grid(affine), CHANNELS)
    shown = network_input(one, affine, WINDOW, CHANNELS, CHANNELS)[0]
    torch.testing.assert_close(seen, shown, atol=2e-3, rtol=0)
    assert seen[V1].std() > 0.3


def test_a_turned_window_is_what_the_network_is_shown_of_a_turned_head():
    one, truth, middle = exam()
    matrix = rotation(torch.tensor([20.0, -12.0, 35.0])).numpy().astype(float)
    affine = box_around(middle, WINDOW, 1.0)
    points = (grid(affine) - torch.from_numpy(middle).float()) @ torch.from_numpy(matrix).float().T
    points = points + torch.from_numpy(middle).float()
    seen = lesson_of(one, truth).channels(points, CHANNELS)
    # The window looks along the matrix, so that what it shows has turned by the inverse.
    head = turned(one, matrix.T, middle)
    shown = network_input(head, affine, WINDOW, CHANNELS, CHANNELS)[0]
    torch.testing.assert_close(seen, shown, atol=2e-3, rtol=0)
    # Colours that only moved would be others.
    unturned = replace(head, v1=Volume(one.v1.array, head.v1.affine))
    wrong = network_input(unturned, affine, WINDOW, CHANNELS, CHANNELS)[0]
    assert (seen[V1] - wrong[V1]).abs().mean() > 0.2


def test_stretching_leans_the_fibres_and_keeps_the_anisotropy():
    index = np.moveaxis(np.indices(WINDOW), 0, -1)
    points = torch.from_numpy(index * [1.0, 1.0, 0.5]).float()  # drawn twice as tall
    fibre = torch.tensor([0.6, 0.0, 0.8])
    colours = colours_at((0.5 * fibre).expand(30, 30, 30, 3), torch.eye(4), points)
    wanted = torch.tensor([0.6, 0.0, 1.6]) / np.hypot(0.6, 1.6) * 0.5
    torch.testing.assert_close(colours, wanted[:, None, None, None].expand_as(colours))


def test_there_is_no_colour_outside_the_image():
    points = torch.zeros(3, 3, 3, 3)
    points[..., 0] = torch.arange(3)[:, None, None] + 1.0
    points[..., 1] = torch.arange(3)[None, :, None] + 1.0
    points[..., 2] = torch.arange(3)[None, None, :] + 1.0
    directions = torch.tensor([0.0, 0.0, 0.7]).expand(3, 5, 5, 3)
    colours = colours_at(directions, torch.eye(4), points)
    torch.testing.assert_close(colours[2, :2], torch.full((2, 3, 3), 0.7))
    assert not colours[:, 2:].any()


def test_an_approved_case_shows_the_network_the_directions_of_the_exam(tmp_path):
    one, truth, middle = exam()
    given = approval(0, LEARNS)
    maps = {"fa": one.fa, "md": one.md, "v1": one.v1}
    images = cut_images(given.grid, truth.shape, one.t1, **maps)
    CaseStore(tmp_path).approve(approval(0, LEARNS, images=images, modalities=CHANNELS))
    warnings: list[str] = []
    (lesson,), _ = read_lessons(tmp_path, warnings)
    assert warnings == []
    affine = box_around(middle, WINDOW, 1.0)
    seen = lesson.channels(grid(affine), CHANNELS)
    shown = network_input(one, affine, WINDOW, CHANNELS, CHANNELS)[0]
    # Interpolated twice, once by dyads: close, and not the same.
    assert (seen[V1] - shown[V1]).abs().mean() < 0.05
    assert torch.corrcoef(torch.stack([seen[V1].ravel(), shown[V1].ravel()]))[0, 1] > 0.99


def test_windows_have_the_images_that_training_draws():
    one, truth, _ = exam()
    lesson = lesson_of(one, truth)
    counts: dict[tuple[bool, ...], int] = {}
    for number in range(120):
        channels = lesson.draw(number, (6, 7, 8)).channels
        there = tuple(bool(channels[part].any()) for part in (T1, FA, slice(2, 3), V1))
        counts[there] = counts.get(there, 0) + 1
    wanted = {tuple(name in names for name in CHANNELS): share for names, share in MODALITY_SETS}
    assert set(counts) <= set(wanted)
    for there, share in wanted.items():
        # Four standard deviations of a count of 120.
        spread = 4 * np.sqrt(120 * share * (1 - share))
        assert abs(counts.get(there, 0) - 120 * share) < spread
    assert torch.equal(lesson.draw(3, WINDOW).channels, lesson.draw(3, WINDOW).channels)


def test_directions_without_anisotropy_are_not_shown():
    one, truth, middle = exam()
    lesson = lesson_of(Exam(one.t1, md=one.md, v1=one.v1), truth)
    channels = lesson.channels(grid(box_around(middle, WINDOW, 1.0)), CHANNELS)
    assert channels[2].any()
    assert not channels[FA].any()
    assert not channels[V1].any()


@pytest.mark.parametrize("angle", [0.0, 25.0])
def test_a_mirrored_window_is_that_of_a_mirrored_head(angle):
    one, truth, middle = exam()
    affine = box_around(middle, WINDOW, 1.0)
    matrix = rotation(torch.tensor([0.0, angle, 0.0]))
    at = torch.from_numpy(middle).float()
    lesson = lesson_of(one, truth)
    seen = lesson.channels((grid(affine) - at) @ matrix.T + at, CHANNELS)
    flipped, _ = mirrored(seen, torch.zeros(WINDOW, dtype=torch.int64))
    mirror = np.diag([-1.0, 1.0, 1.0])
    head = turned(one, mirror @ matrix.numpy().T.astype(float), middle)
    shown = network_input(head, affine, WINDOW, CHANNELS, CHANNELS)[0]
    torch.testing.assert_close(flipped, shown, atol=2e-3, rtol=0)
