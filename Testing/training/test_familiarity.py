"""How familiar exams are described for the model's sidecar, on small made-up numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation import familiarity as F
from BrainstemALSLib.segmentation.familiarity_properties import PARTS
from BrainstemALSLib.segmentation.familiarity_spots import Spot
from training import synthesis
from training.familiarity import SLACK, deformed, fit, t1_contrast

NAMES = ("contrast", "texture", "shape", "certainty")


def exams(count: int, seed: int = 0) -> list[F.Description]:
    """Descriptions drawn from one Gaussian, of very different units, with a gap here and there."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        parts = {}
        for name in NAMES:
            size = len(PARTS[name])
            parts[name] = 5 + draw.normal(size=size) * np.geomspace(0.01, 100, size)
            if number % 10 == 0:
                parts[name][0] = np.nan
        spots = {kind: Spot(float(draw.uniform(0.0, 0.1)), "pyramid_left") for kind in ("dark",)}
        spots["bright"] = Spot(float("nan"), None) if number == 3 else spots["dark"]
        found.append(F.Description(parts, spots))
    return found


@pytest.fixture(scope="module")
def known() -> F.Reference:
    entry = fit(exams(120), [f"anatomy-{n % 30}" for n in range(120)])
    text = json.dumps({"sha256": "a", F.KEY: _whole(entry)}, allow_nan=False)
    return F.reference(json.loads(text), F.T1)


def _whole(entry: dict) -> dict:
    return {"format": F.FORMAT, "weights": "a", "temperature": 1.0, "sets": {F.T1: entry}}


def test_fresh_exams_of_the_same_kind_are_familiar(known):
    ratios = [F.compare(one, known).ratio for one in exams(60, seed=1)]

    assert np.mean(np.array(ratios) > 1) <= 0.05
    assert np.median(ratios) < 0.9


@pytest.mark.parametrize("place", [0, -1])
def test_one_property_far_out_is_enough_and_is_named(known, place):
    odd = exams(1, seed=2)[0]
    sd = np.geomspace(0.01, 100, len(PARTS["shape"]))[place]
    odd.parts["shape"][place] = 5 + 15 * sd

    found = F.compare(odd, known)

    assert found.ratio > 1.5
    assert found.properties == {"shape": list(PARTS["shape"])[place]}


def test_a_spot_beyond_all_seen_is_named_by_its_structure(known):
    odd = exams(1, seed=2)[0]
    odd.spots["dark"] = Spot(0.1 * SLACK * 2, "basis_pontis_left")

    found = F.compare(odd, known)

    assert found.parts["dark"] == pytest.approx(2.0, rel=0.05)
    assert found.properties == {"dark": "basis_pontis_left"}


def test_contrast_at_will_is_left_out_for_a_while_only():
    usual = synthesis.PROBABILITY["free_contrast"]

    with t1_contrast():
        assert synthesis.PROBABILITY["free_contrast"] == 0

    assert synthesis.PROBABILITY["free_contrast"] == usual > 0


def test_half_of_the_exams_are_deformed_and_one_in_three_has_directions(monkeypatch):
    from Testing.training.evaluation.conftest import slab_anatomy
    from training import familiarity

    seen = []

    def simulate(anatomy, seed):
        seen.append(anatomy)
        exam = Exam(anatomy, fa=anatomy, md=anatomy, v1=anatomy)
        return exam, anatomy, None

    whole = slab_anatomy()
    monkeypatch.setattr(familiarity, "load_anatomy", lambda case: whole)
    monkeypatch.setattr(familiarity, "simulate_exam", simulate)

    drawn = list(familiarity.familiar_exams(["a", "b"], 6, seed=3))

    assert [case for case, _ in drawn] == ["a", "b"] * 3
    assert [anatomy is whole for anatomy in seen] == [True, False, False, True, True, False]
    assert [exam.v1 is not None for _, exam in drawn] == [True, False, False] * 2


def test_a_deformed_anatomy_keeps_its_structures_and_changes_its_shape():
    from Testing.training.evaluation.conftest import slab_anatomy

    anatomy = slab_anatomy()

    one, same, other = (deformed(anatomy, seed) for seed in (1, 1, 2))

    assert isinstance(one, Volume)
    assert one.shape == anatomy.shape
    assert set(np.unique(one.array[one.array > 0])) <= set(np.unique(anatomy.array))
    assert len(np.unique(one.array)) > 40
    np.testing.assert_array_equal(one.array, same.array)
    assert (one.array != other.array).any()
