"""Explanations: they add up, are as steady as the measurement, and "what if" is an asked answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.prediction.classification import classify
from BrainstemALSLib.prediction.explain_reference import (
    COLUMNS,
    NEAREST,
    content_of,
    nearest,
    read_references,
    values_of,
)
from BrainstemALSLib.prediction.features import FEATURES, NAMES, features_of
from BrainstemALSLib.prediction.model_files import write_model
from BrainstemALSLib.prediction.norms_once import NormsOnce
from BrainstemALSLib.prediction.predict import predict
from BrainstemALSLib.prediction.records import Measure

from .person_files import patient


@pytest.fixture(scope="module")
def found(norms, models):
    return predict(patient(), norms, models, strict=True)


def measured(person, structure, measure, sd=None, times=1.0):
    """The person with one measure changed at every visit."""
    key = (structure, measure)

    def changed(visit):
        was = visit.measures[key]
        new = Measure(was.value * times, was.sd if sd is None else sd, was.quality)
        return replace(visit, measures={**visit.measures, key: new})

    return replace(person, visits=tuple(map(changed, person.visits)))


def test_contributions_add_up_to_each_answer(found):
    explained = found.explanation
    parts = [one.log_odds for one in explained.of("classification")]
    answer = found.classification
    assert answer.baseline + sum(parts) == pytest.approx(logit(answer.probability), abs=1e-9)
    survival = sum(one.log_odds for one in explained.of("survival"))
    assert survival == pytest.approx(found.survival.log_odds)
    staged = {one.name: one.log_odds for one in explained.of("stage")}
    assert staged == {one.name: one.log_odds for one in found.stage.contributions}


def test_contributions_have_intervals_and_come_the_largest_first(found):
    for part in ("classification", "stage", "survival"):
        rows = found.explanation.of(part)
        sizes = [abs(one.log_odds) for one in rows]
        assert sizes == sorted(sizes, reverse=True)
        for one in rows:
            assert one.low < one.high
            assert (one.same_sign is None) == (not one.imaging)
            assert one.same_sign is None or 0 <= one.same_sign <= 1
            assert one.same_place is None or 0 <= one.same_place <= 1


def sign_of_medulla(norms, models, sd):
    person = measured(patient(), "medulla", "volume", sd=sd)
    explained = predict(person, norms, models, strict=True).explanation
    (one,) = [c for c in explained.of("survival") if c.name == "medulla_volume"]
    return one.same_sign


def test_a_sloppy_measurement_is_told_by_unsteady_signs(norms, models):
    assert sign_of_medulla(norms, models, 5000.0) < sign_of_medulla(norms, models, 1.0)


def test_what_was_not_measured_is_neither_steady_nor_not(norms, models):
    person = patient()
    visits = tuple(
        replace(v, measures={k: m for k, m in v.measures.items() if k[1] == "volume"})
        for v in person.visits
    )
    explained = predict(replace(person, visits=visits), norms, models).explanation
    missing = [r for r in explained.of("survival") if r.imaging and r.value is None]
    assert missing
    assert all((r.same_sign, r.same_place) == (None, None) for r in missing)


def test_scores_that_are_kept_are_those_of_the_norms(norms):
    person = patient()
    once = NormsOnce(norms)
    plain = features_of([person], [person.visits[0]], norms)
    for _ in range(2):
        kept = features_of([person], [person.visits[0]], once)
        assert np.array_equal(kept.z, plain.z, equal_nan=True)
        assert np.array_equal(kept.sd, plain.sd, equal_nan=True)
    assert once.population == norms.population


def test_an_average_value_changes_nothing_else(norms):
    person = patient()
    once = NormsOnce(norms)
    before = features_of([person], [person.visits[0]], once)
    chosen = FEATURES[NAMES.index("cst_fa")]
    average = features_of([person], [person.visits[0]], once.finding_average(chosen.keys))
    place = NAMES.index("cst_fa")
    others = [k for k in range(len(NAMES)) if k != place]
    assert average.z[0, place] == 0
    assert average.sd[0] == pytest.approx(before.sd[0])
    assert average.z[0, others] == pytest.approx(before.z[0, others])
    # And asking does not change the norms.
    assert features_of([person], [person.visits[0]], once).z == pytest.approx(before.z)


def test_a_what_if_of_nothing_is_what_is_shown(found, norms, models):
    from BrainstemALSLib.prediction.explain import _what_if

    now, mean = found.explanation.now, found.stage.expected
    # The stage of the "what if" is the one that is shown: of images alone.
    assert now.stage == (mean.value, mean.low95, mean.high95)
    risk = found.survival.risks[12]
    assert now.risk == (risk.value, risk.low95, risk.high95)
    same = _what_if(
        found.person, found.imaged, NormsOnce(norms), models, now, (), "nothing", None, True
    )
    for name in ("probability", "stage", "risk"):
        assert getattr(same, name) == pytest.approx(getattr(now, name), rel=1e-9), name
    # What the clinic knows of breathing does not move it.
    weak = tuple(replace(visit, fvc=45.0) for visit in found.person.visits)
    other = predict(replace(found.person, visits=weak), norms, models, strict=True)
    assert other.explanation.now.stage == now.stage
    assert other.explanation.what_ifs[0].stage == found.explanation.what_ifs[0].stage


def test_without_an_image_in_the_outlook_no_risk_is_asked_for(norms, models):
    person = patient()
    blind = tuple(replace(v, measures={k: replace(m, quality="bad") for k, m in v.measures.items()})
                  for v in person.visits)  # fmt: skip
    found = predict(replace(person, visits=blind), norms, models, strict=True)
    assert found.explanation.now.risk is not None
    assert all(one.risk is None for one in found.explanation.what_ifs)
    assert not found.simulated_norms("survival")


def test_the_distance_lies_within_its_interval_and_not_at_its_end(found):
    inside = [one.low < one.distance < one.high for one in found.explanation.neighbours]
    assert all(inside)


def test_what_if_is_what_the_models_say_of_an_average_value(found, norms, models):
    explained = found.explanation
    assert explained.now.probability[0] == found.classification.probability
    *singles, everything = explained.what_ifs
    largest = [c for c in explained.of("classification") if c.imaging][: len(singles)]
    assert [one.features for one in singles] == [(c.name,) for c in largest]
    person, visit = found.person, found.imaged
    for one, contribution in zip(singles, largest, strict=True):
        value, low, high = one.probability
        assert low <= value <= high
        # Without what speaks for ALS it is less likely; healthy people's mean is near 0.
        if abs(contribution.log_odds) > 0.3:
            less = value < explained.now.probability[0]
            assert less == (contribution.log_odds > 0)
    keys = [key for feature in FEATURES for key in feature.keys]
    asked = classify(
        person, NormsOnce(norms).finding_average(keys), visit, models=models.classification
    )
    assert everything.probability[0] == pytest.approx(asked.probability)
    assert everything.stage is not None
    assert everything.risk is not None


def test_evidence_adds_up_and_lies_on_the_side_of_the_loss(found, norms, models):
    explained = found.explanation
    total = sum(one.log_odds for one in explained.of("classification"))
    assert sum(one.log_odds for one in explained.evidence) == pytest.approx(total)
    for one in explained.evidence:
        assert one.low <= one.log_odds <= one.high
        assert set(one.members) <= set(by_key())
        assert one.members
    worse = measured(patient(), "dorsal_medullary_complex_left", "volume", times=0.85)
    places = {e.structure: e.log_odds for e in predict(worse, norms, models).explanation.evidence}
    before = {one.structure: one.log_odds for one in explained.evidence}
    left, right = "dorsal_medullary_complex_left", "dorsal_medullary_complex_right"
    assert places[left] - before[left] > abs(places[right] - before[right])


def test_the_nearest_reference_patient_is_oneself(models, norms):
    """Somebody with the values of a reference patient is nearest to that one."""
    person, references = patient(), models.reference
    visit = person.visits[0]
    z = features_of([person], [visit], norms).z[0]
    values = references.values.copy()
    values[7] = [*z, *values_of(person, visit)]
    found, _ = nearest(
        person, visit, NormsOnce(norms), replace(references, values=values), models.measurement
    )
    assert len(found) == NEAREST
    assert found[0].name == references.names[7]
    assert found[0].distance == pytest.approx(0.0, abs=1e-9)
    distances = [one.distance for one in found]
    assert distances == sorted(distances)
    assert all(one.low <= one.distance <= one.high for one in found)


def test_without_images_nothing_is_drawn_and_too_little_compares_with_nobody(models, norms):
    person = patient()
    visit = replace(person.visits[0], measures={})
    found, _ = nearest(person, visit, NormsOnce(norms), models.reference, models.measurement)
    assert {(one.low, one.high, one.stays) for one in found} == {(None, None, None)}
    unknown = replace(person, age=None, onset=None, months_since_onset=None)
    blank = replace(visit, total=None, fvc=None)
    found, (why,) = nearest(unknown, blank, None, models.reference, models.measurement)
    assert found == ()
    assert why.code == "reference-unknown"


def test_nobody_is_near_a_child_or_somebody_without_als(models, norms):
    person = patient()
    visit = replace(person.visits[0], measures={})
    for odd, code in (
        (replace(person, age=12.0), "age"),
        (replace(person, age=101.0), "age"),
        (replace(person, age=18.0, months_since_onset=550.0), "far"),
        (replace(person, group="HC"), "not-als"),
    ):
        # A child's images, too, are compared with nobody's.
        for seen in (visit, person.visits[0]) if code != "far" else (visit,):
            found, (why,) = nearest(
                odd, seen, NormsOnce(norms), models.reference, models.measurement
            )
            assert found == ()
            assert why.code == f"reference-{code}"
            assert why.severity == "error"


def test_two_values_are_too_few_to_be_alike(models):
    person = replace(patient(), onset=None, months_since_onset=None)
    visit = replace(person.visits[0], measures={}, fvc=None)
    found, (why,) = nearest(person, visit, None, models.reference, models.measurement)
    assert (found, why.code) == ((), "reference-unknown")
    found, nothing = nearest(
        replace(person, onset="bulbar"), visit, None, models.reference, models.measurement
    )
    assert len(found) == NEAREST
    assert nothing == ()
    assert {one.shared for one in found} == {3}


def test_reference_patients_come_back_from_their_file(models, tmp_path):
    references = models.reference
    path = tmp_path / "reference.json"
    write_model(path, "reference", references.training, content_of(references))
    again = read_references(path)
    assert again.names == references.names
    assert np.array_equal(again.values, references.values, equal_nan=True)
    assert again.events == references.events
    assert again.values.shape[1] == len(COLUMNS)
    assert path.stat().st_size < 40_000
