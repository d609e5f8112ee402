"""What reaches the networks: intensities on any scale, maps only where they show the brainstem."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.inference import network_input, usable_channels
from BrainstemALSLib.segmentation.models import CONTRACT, LOCATOR, STRUCTURES
from BrainstemALSLib.segmentation.preprocess import (
    COLOUR_CENTRE,
    COLOUR_SCALE,
    LOCATOR_SPACING_MM,
    SPACING_MM,
    WINDOW_MM,
    grounded,
    normalise_t1,
)
from BrainstemALSLib.segmentation.segmenter import Segmenter


def head() -> np.ndarray:
    """Ball of tissue in air, with a bright core."""
    r = np.sqrt(((np.indices((40, 40, 40)) - 20) ** 2).sum(0))
    return np.where(r < 8, 900.0, np.where(r < 16, 500.0, 0.0)).astype(np.float32)


@pytest.mark.parametrize("change", [lambda a: a + 1000, lambda a: a - 300, lambda a: a * 0.01 - 2])
def test_air_is_zero_whatever_the_offset(change):
    shifted = grounded(Volume(change(head()), np.eye(4))).array
    assert shifted.min() == 0
    assert np.corrcoef(shifted.ravel(), head().ravel())[0, 1] > 0.9999
    assert shifted[0, 0, 0] == pytest.approx(0, abs=1e-3 * float(shifted.max()))


def test_standardised_inside_a_mask_keeps_air_darkest():
    array = head()
    inside = array > 0
    array[inside] = (array[inside] - array[inside].mean()) / array[inside].std()
    fixed = grounded(Volume(array, np.eye(4))).array
    assert fixed[~inside].max() <= fixed[inside].min()


def test_an_ordinary_image_is_left_alone():
    volume = Volume(head(), np.eye(4))
    assert grounded(volume) is volume


def test_normalised_t1_has_mean_zero_and_unit_spread_over_tissue():
    import torch

    image = torch.from_numpy(head())
    found = normalise_t1(image)
    tissue = found[image > 0]
    assert float(tissue.mean()) == pytest.approx(0, abs=1e-4)
    assert float(tissue.std()) == pytest.approx(1, abs=1e-3)
    assert torch.allclose(normalise_t1(image * 50), found, atol=1e-4)


def _map(low: float, high: float, value: float = 0.4) -> Volume:
    """FA-like slab between two heights, RAS mm."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-60, -60, low]
    return Volume(np.full((60, 60, int((high - low) / 2)), value, np.float32), affine)


def test_a_map_that_shows_the_brainstem_is_used():
    exam = Exam(t1=_map(-60, 60), fa=_map(-60, 60), md=_map(-50, 40))
    assert usable_channels(exam, np.zeros(3), CHANNELS) == (("t1", "fa", "md"), ())


def test_a_slab_above_the_brainstem_is_not():
    exam = Exam(t1=_map(-60, 60), fa=_map(10, 60), md=_map(-60, 60))
    assert usable_channels(exam, np.zeros(3), CHANNELS) == (("t1", "md"), ("fa",))


def test_a_padded_map_is_not():
    padded = _map(-60, 60)
    padded.array[..., : padded.shape[2] // 2 + 8] = 0
    exam = Exam(t1=_map(-60, 60), fa=padded)
    assert usable_channels(exam, np.zeros(3), CHANNELS) == (("t1",), ("fa",))


def _directions(grid: Volume, direction: tuple[float, float, float]) -> Volume:
    return Volume(np.broadcast_to(np.float32(direction), (*grid.shape, 3)).copy(), grid.affine)


def test_a_direction_is_used_where_it_shows_the_brainstem_and_the_model_knows_it():
    whole, above = _map(-60, 60), _map(10, 60)
    exam = Exam(t1=whole, fa=whole, v1=_directions(whole, (0, 0, 1)))
    assert usable_channels(exam, np.zeros(3), CHANNELS) == (("t1", "fa", "v1"), ())
    assert usable_channels(exam, np.zeros(3), ("t1", "fa")) == (("t1", "fa"), ())
    exam = Exam(t1=whole, fa=whole, v1=_directions(above, (0, 0, 1)))
    assert usable_channels(exam, np.zeros(3), CHANNELS) == (("t1", "fa"), ("v1",))


@pytest.mark.parametrize("sign", [1, -1])
def test_directions_enter_as_colour_whatever_their_sign(sign):
    fa = _map(-60, 60, value=0.5)
    exam = Exam(t1=_map(-60, 60), fa=fa, v1=_directions(fa, (0, 0.6 * sign, -0.8 * sign)))
    affine = np.eye(4)
    affine[:3, 3] = -8
    shape = (16, 16, 16)
    window = network_input(exam, affine, shape, ("t1", "fa", "v1"), CHANNELS)
    assert window.shape == (1, sum(PLANES.values()), *shape)
    colour = window[0, -3:] * COLOUR_SCALE + COLOUR_CENTRE
    for plane, value in zip(colour, (0.0, 0.3, 0.4), strict=True):
        assert np.allclose(plane.numpy(), value, atol=1e-5)


def test_a_channel_that_is_left_out_is_zero_and_the_others_stay_where_they_are():
    fa = _map(-60, 60)
    exam = Exam(t1=_map(-60, 60), fa=fa, md=fa, v1=_directions(fa, (1, 0, 0)))
    affine = np.eye(4)
    affine[:3, 3] = -8
    whole = network_input(exam, affine, (16, 16, 16), CHANNELS, CHANNELS)
    part = network_input(exam, affine, (16, 16, 16), ("t1", "md"), CHANNELS)
    assert not part[0, 1].any()
    assert not part[0, 3:].any()
    assert np.array_equal(part[0, [0, 2]].numpy(), whole[0, [0, 2]].numpy())


def test_sidecar_contract_is_that_of_the_code():
    assert CONTRACT[LOCATOR]["spacing_mm"] == LOCATOR_SPACING_MM
    assert CONTRACT[STRUCTURES]["spacing_mm"] == SPACING_MM
    assert tuple(CONTRACT[STRUCTURES]["window"]) == WINDOW_MM


class Exhausted(Segmenter):
    """A segmenter whose GPU has no room, as TorchScript reports it."""

    def _segment(self, exam, progress, place):
        if self.device == "cuda":
            raise RuntimeError(
                "The following operation failed ... CUDA out of memory. Tried to ..."
            )
        return super()._segment(exam, progress, place)


def test_a_full_gpu_falls_back_to_the_cpu_and_says_so(icbm):
    segmenter = Exhausted(device="cpu")
    segmenter.device = "cuda"
    result = segmenter.segment(icbm)
    assert result.device == "cpu"
    assert "memory" in result.device_reason


def test_other_failures_of_the_gpu_are_not_hidden(icbm):
    class Broken(Segmenter):
        def _segment(self, exam, progress, place):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    segmenter = Broken(device="cpu")
    segmenter.device = "cuda"
    with pytest.raises(RuntimeError, match="illegal"):
        segmenter.segment(icbm)


@pytest.mark.parametrize("change", [lambda a: a + 1000, lambda a: (a - a.mean()) / a.std()])
def test_offset_images_give_the_same_brainstem(segmenter, icbm, icbm_result, change):
    array = change(icbm.t1.array).astype(np.float32)
    result = segmenter.segment(dataclasses.replace(icbm, t1=Volume(array, icbm.t1.affine)))
    labelled = icbm_result.labels.array > 0
    same = np.mean(result.labels.array[labelled] == icbm_result.labels.array[labelled])
    assert same > 0.98
