"""The page of the survival model is made, on few people, and tells its marks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.prediction.survival import predict_survival
from BrainstemALSLib.prediction.survival_predictors import IMAGING
from training.cohort.scenario import Scenario
from training.evaluation.prediction_survival import Plan, survival_page
from training.evaluation.prediction_survival_parts import (
    TRAINING,
    encals_risks,
    model_risks,
    own_risks,
    permuted_images,
    respiratory_risk,
)
from training.evaluation.tables import write_page
from training.prediction.survival import fit_survival
from training.prediction.survival_truth import simulated_people

PLAN = Plan(
    train=300, test=150, controls=150, aside=120, coverage_people=16, replicates=20,
    train_seed=21, test_seed=22, draw_seed=23, null_seeds=(24, 25),
)  # fmt: skip


@pytest.fixture(scope="module")
def people():
    found = simulated_people(150, 150, 31)
    return found.take(found.rows(1))


def test_the_page_says_simulated_and_has_every_mark(tmp_path):
    page = survival_page(PLAN)
    text = write_page(page, tmp_path).read_text()
    assert text.startswith("# Survival and respiratory failure (simulated data)")
    assert len(page.marks) == 41
    names = {table.name for table in page.tables}
    assert names == {"discrimination", "paired", "visits", "added", "calibration", "deciles",
                     "slopes", "fifths", "decision", "respiratory", "coverage",
                     "encals"}  # fmt: skip
    assert "is NOT the one of this page" in text  # 300 patients taught it, not those of the file


def test_published_and_true_risk_are_one_where_images_say_nothing():
    found = simulated_people(100, 150, 32, Scenario(imaging_effect=0.0, missing=0.0), follow=0.0)
    found = found.take(found.rows(1))
    after = np.array([6.0, 12.0])
    published = encals_risks(found.raw, found.times, after)
    truth = own_risks(found, after)
    known = ~np.isnan(published[:, 0])
    assert known.mean() > 0.9
    # The tables hold rounded values.
    assert published[known] == pytest.approx(truth[known], abs=0.02)


def test_permuting_images_leaves_everything_else(people):
    mixed = permuted_images(people, np.random.default_rng(0))
    assert np.array_equal(mixed.raw[:, : IMAGING.start], people.raw[:, : IMAGING.start], True)
    assert not np.array_equal(mixed.raw[:, IMAGING], people.raw[:, IMAGING], True)
    assert np.nansum(mixed.raw) == pytest.approx(np.nansum(people.raw))


@pytest.fixture(scope="module")
def model(people):
    return fit_survival(people.patients.values, people.times, TRAINING, 0, strength=1000.0)


def test_respiratory_failure_is_a_part_of_the_risk(people, model):
    part = respiratory_risk(model, people.raw, people.times, 12.0)
    whole = model_risks(model, people.raw, people.times, np.array([12.0]))[:, 0]
    assert np.all((part > 0) & (part < whole))


def imaged(people) -> tuple:
    """A person in whom nothing is missing, and the norms."""
    row = int(np.flatnonzero(~np.isnan(people.raw).any(axis=1))[0])
    return people.patients.records[row], people.patients.scored_by[row]


def test_images_count_and_their_noise_widens_the_band(people, model):
    person, norms = imaged(people)
    strong = replace(model, beta=np.where(np.arange(len(model.beta)) < IMAGING.start,
                                          model.beta, 0.3))  # fmt: skip
    found = predict_survival(person, strong, norms)
    assert not {"survival-no-images", "survival-missing"} & {f.code for f in found.findings}
    images = [part for part in found.contributions if part.imaging]
    assert len(images) == IMAGING.stop - IMAGING.start
    assert all(part.value is not None for part in images)
    visit = person.visits[0]
    noisy = {k: replace(m, sd=4 * (m.sd or 0.0)) for k, m in visit.measures.items()}
    worse = predict_survival(
        replace(person, visits=(replace(visit, measures=noisy),)), strong, norms
    )
    assert worse.log_odds == pytest.approx(found.log_odds)
    width = [p.risks[12].high95 - p.risks[12].low95 for p in (found, worse)]
    assert width[1] > 1.2 * width[0]
    without = predict_survival(
        replace(person, visits=(replace(visit, measures={}),)), strong, norms
    )
    assert "survival-no-images" in {f.code for f in without.findings}


def test_images_far_outside_the_training_are_told_and_not_used(people, model):
    person, norms = imaged(people)
    narrow = np.array(model.high)
    narrow[IMAGING] = -50.0
    found = predict_survival(person, replace(model, high=narrow), norms)
    assert "survival-images-far" in {f.code for f in found.findings}
    assert all(part.value is None for part in found.contributions if part.imaging)
    assert not found.abstains
