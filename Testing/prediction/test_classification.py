"""One visit: does the answer follow the measures, and does the model abstain where it must?"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.classification import classify
from BrainstemALSLib.prediction.classification_model import known_norms, read_classifiers
from BrainstemALSLib.prediction.features import NAMES
from Testing.prediction.classification_people import person

ALS_LIKE = {"pyramid_volume": -2.0, "cst_fa": -1.5, "medulla_volume": -1.5, "cst_md": 1.0}


@pytest.fixture(scope="module")
def norms():
    return bundled_norms()


@pytest.fixture(scope="module")
def models(norms):
    # Norms and models are fitted one after the other; which ones they are is a test of its own.
    return replace(read_classifiers(), norms=known_norms(norms))


def codes(found, severity=None):
    return {f.code for f in found.findings if severity in (None, f.severity)}


def changed(who, change):
    """Return a person with a change to the measures, a dict."""
    (visit,) = who.visits
    found = dict(visit.measures)
    change(found)
    return replace(who, visits=(replace(visit, measures=found),))


def test_a_loss_as_in_als_speaks_for_it_and_an_average_brainstem_against(norms, models):
    average = classify(person(norms), norms, models=models)
    loss = classify(person(norms, **ALS_LIKE), norms, models=models)
    assert average.probability < average.prior < loss.probability
    assert average.evidence < 0 < loss.evidence
    assert average.statement == models.training.statement
    assert "simulated" in average.statement


def test_a_loss_of_what_als_spares_speaks_less_for_it(norms, models):
    everything = {**ALS_LIKE, "scp_fa": -2.0, "midbrain_volume": -1.0}
    alone = classify(person(norms, **ALS_LIKE), norms, models=models)
    spared = {c.name: c for c in alone.contributions}["scp_fa"]
    general = classify(person(norms, **everything), norms, models=models)
    assert {c.name: c for c in general.contributions}["scp_fa"].log_odds < spared.log_odds


def test_contributions_and_baseline_add_up_to_the_log_odds(norms, models):
    for prior in (None, 0.05):
        found = classify(person(norms, **ALS_LIKE), norms, models=models, prior=prior)
        total = found.baseline + sum(c.log_odds for c in found.contributions)
        assert total == pytest.approx(logit(found.probability), abs=1e-9)
        assert tuple(c.name for c in found.contributions) == NAMES
        assert all(c.low <= c.log_odds <= c.high for c in found.contributions)


def test_contributions_carry_the_z_scores_that_were_measured(norms, models):
    found = classify(person(norms, **ALS_LIKE), norms, models=models)
    z = {c.name: c.value for c in found.contributions}
    assert {name: z[name] for name in ALS_LIKE} == pytest.approx(ALS_LIKE, abs=1e-6)


def test_another_prior_moves_the_log_odds_and_leaves_the_evidence(norms, models):
    who = person(norms, **ALS_LIKE)
    rare, usual = (classify(who, norms, models=models, prior=p) for p in (0.01, None))
    assert rare.evidence == usual.evidence
    assert rare.evidence_low == usual.evidence_low
    moved = logit(0.01) - logit(usual.prior)
    assert logit(rare.probability) - logit(usual.probability) == pytest.approx(moved)
    assert logit(rare.low) - logit(usual.low) == pytest.approx(moved)
    assert rare.prior == 0.01


def test_what_is_unsure_of_the_measures_widens_the_interval(norms, models):
    sure, unsure = (
        classify(person(norms, error=e, **ALS_LIKE), norms, models=models) for e in (0.05, 2.0)
    )
    assert unsure.high - unsure.low > 1.2 * (sure.high - sure.low)
    assert sure.low < sure.probability < sure.high


def test_an_interval_holds_the_number_itself_where_an_asymmetry_is_0(norms, models):
    found = classify(person(norms, error=1.0, cst_fa_asymmetry=0.0), norms, models=models)
    assert all(c.low <= c.log_odds <= c.high for c in found.contributions)
    assert found.evidence_low <= found.evidence <= found.evidence_high


def test_a_lower_level_has_a_narrower_interval_and_the_seed_decides_on_it(norms, models):
    who = person(norms, **ALS_LIKE)
    wide, narrow = (classify(who, norms, models=models, level=v) for v in (0.95, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert classify(who, norms, models=models) == wide
    assert classify(who, norms, models=models, seed=9).low != wide.low


def test_an_interval_with_both_answers_is_said_to_decide_nothing(norms, models):
    half = {name: 0.5 * z for name, z in ALS_LIKE.items()}
    found = classify(person(norms, **half), norms, models=models)
    assert found.evidence_low < 0 < found.evidence_high
    assert "classification-undecided" in codes(found)
    strong = {name: 2.0 * z for name, z in ALS_LIKE.items()}
    sure = classify(person(norms, error=0.05, **strong), norms, models=models)
    assert ("classification-undecided" in codes(sure)) == (sure.evidence_low < 0)


def test_without_diffusion_volumes_alone_answer_and_say_so(norms, models):
    def drop(found):
        for key in [k for k in found if k[1] != "volume"]:
            del found[key]

    found = classify(changed(person(norms, **ALS_LIKE), drop), norms, models=models)
    assert found.used == "volumes"
    assert found.probability > found.prior
    assert [c.name for c in found.contributions] == [n for n in NAMES if n.endswith("_volume")]
    (finding,) = [f for f in found.findings if f.code == "classification-volumes-only"]
    assert "FA of the corticospinal tracts" in finding.message


@pytest.mark.parametrize("how", ["missing", "bad"])
def test_without_a_volume_it_abstains_and_names_it(norms, models, how):
    def spoil(found):
        key = ("pyramid_left", "volume")
        if how == "missing":
            del found[key]
        else:
            found[key] = replace(found[key], quality="bad")

    found = classify(changed(person(norms), spoil), norms, models=models)
    assert (found.probability, found.low, found.used, found.contributions) == (None, None, None, ())
    (error,) = [f for f in found.findings if f.severity == "error"]
    assert "Volume of the pyramids" in error.message
    assert ("bad" in error.message) == (how == "bad")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"age": 12.0}, "classification-age"),
        ({"age": None}, "classification-age"),
        ({"sex": "X"}, "classification-missing"),
        ({"sex": None}, "classification-missing"),
        ({"visits": ()}, "classification-no-images"),
    ],
)
def test_outside_of_whom_it_knows_it_abstains(norms, models, change, code):
    found = classify(replace(person(norms), **change), norms, models=models)
    assert found.probability is None
    assert codes(found, "error") == {code}


def test_without_the_head_it_abstains_and_says_why(norms, models):
    who = changed(person(norms), lambda found: found.pop(("intracranial", "volume")))
    found = classify(who, norms, models=models)
    assert found.probability is None
    assert "the intracranial volume is missing" in found.findings[0].message


@pytest.mark.parametrize("factor", [0.5, 0.001])
def test_volumes_far_from_anybodys_are_refused(norms, models, factor):
    def shrink(found):
        for key, m in found.items():
            if key[1] == "volume" and key[0] != "intracranial":
                found[key] = replace(m, value=factor * m.value)

    found = classify(changed(person(norms), shrink), norms, models=models)
    assert found.probability is None
    assert found.distance > 6
    assert codes(found, "error") == {"classification-outside"}


def test_the_last_visit_with_images_is_asked_unless_another_is_named(norms, models):
    who = person(norms)
    later = replace(person(norms, age=61.0, **ALS_LIKE).visits[0], session="ses-02", months=12.0)
    blind = replace(later, session="ses-03", months=15.0, measures={})
    who = replace(who, visits=(*who.visits, later, blind))
    assert classify(who, norms, models=models).session == "ses-02"
    first = classify(who, norms, who.visits[0], models=models)
    assert (first.session, first.probability < 0.5) == ("ses-01", True)
    assert codes(classify(who, norms, blind, models=models), "error") == {
        "classification-no-images"
    }


def test_real_people_are_told_that_the_model_knows_simulated_ones_only(norms, models):
    real, simulated = (
        classify(person(norms, simulated=s), norms, models=models) for s in (False, True)
    )
    assert "classification-simulated" in codes(real, "warning")
    assert "classification-simulated" not in codes(simulated)


def test_an_answer_against_mimics_says_that_simulated_ones_are_healthy(norms, models):
    for question in ("mimics", "others"):
        found = classify(person(norms), norms, models=models, question=question)
        assert "classification-mimics" in codes(found, "warning")
    assert "classification-mimics" not in codes(classify(person(norms), norms, models=models))


def test_other_norms_than_those_of_the_training_are_told(norms, models):
    other = replace(norms, population=replace(norms.population, seed=-1))
    assert "classification-norms" in codes(classify(person(norms), other, models=models), "warning")
    assert "classification-norms" not in codes(classify(person(norms), norms, models=models))


@pytest.mark.parametrize(
    "how", [{"question": "ms"}, {"prior": 0.0}, {"prior": 1.5}, {"prior": "0.5"}, {"level": 95},
            {"draws": 10}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_sentence(norms, models, how):
    with pytest.raises(BrainstemALSError) as refusal:
        classify(person(norms), norms, models=models, **how)
    assert refusal.value.code is ExitCode.USAGE


def test_a_question_that_the_file_cannot_answer_is_refused(norms, models):
    few = replace(models, models={k: m for k, m in models.models.items() if k[0] == "healthy"})
    with pytest.raises(BrainstemALSError, match="mimics") as refusal:
        classify(person(norms), norms, models=few, question="mimics")
    assert refusal.value.code is ExitCode.MODEL_UNAVAILABLE


def test_an_answer_takes_less_than_100_ms_of_processor_time(norms, models):
    who, taken = person(norms, **ALS_LIKE), []
    for _ in range(5):
        start = time.process_time()
        classify(who, norms, models=models)
        taken.append(time.process_time() - start)
    assert np.median(taken) < 0.1


def test_it_asks_neither_for_pandas_nor_for_scikit_learn():
    code = "import sys, BrainstemALSLib.prediction.classification as c; c.read_classifiers(); "
    code += "print(sorted({'pandas', 'sklearn', 'torch', 'statsmodels'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="BrainstemALS"
    )
    assert done.stdout.strip() == "[]"
