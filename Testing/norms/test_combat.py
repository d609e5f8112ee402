"""ComBat: takes the scanners out, keeps the rest, learns from those it is given and nobody else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.norms import Combat, fit_combat

FEATURES = tuple(f"f{j}" for j in range(12))
NAMES = ("age", "male", "patient")
SITES = ("A", "B", "C")


def people(n=400, seed=0, sites=SITES, f=12):
    """Values with known shifts, stretches and effects; a site's patients are more in A."""
    rng = np.random.default_rng(seed)
    site = rng.choice(np.array(sites, dtype=object), n)
    patient = rng.random(n) < np.where(site == "A", 0.7, 0.3)
    age, male = rng.uniform(30, 80, n), rng.random(n) < 0.5
    covariates = np.column_stack([age, male, patient]).astype(float)
    world = np.random.default_rng(42)
    shift = dict(zip("ABCD", world.normal(0, 1.0, (4, f)), strict=True))
    stretch = dict(zip("ABCD", np.exp(world.normal(0, 0.3, (4, f))), strict=True))
    values = 100 - 0.05 * age[:, None] + 0.3 * male[:, None] - 0.8 * patient[:, None]
    noise = rng.standard_normal((n, f)) * np.array([stretch[s] for s in site])
    return values + noise + np.array([shift[s] for s in site]), site, covariates


def fit(values, site, covariates, **more):
    return fit_combat(values, site, covariates, FEATURES, NAMES, **more)


def effects(values, site, covariates):
    """Least squares of each feature: (largest difference of sites, effect of the group)."""
    member = site[:, None] == np.unique(site.astype(str)).astype(object)
    beta = np.linalg.lstsq(np.hstack([member, covariates]), values, rcond=None)[0]
    return np.ptp(beta[: member.shape[1]], axis=0), beta[-1]


def test_new_people_lose_the_scanner_and_keep_the_disease():
    combat, new = fit(*people(seed=1, n=900)), people(seed=2, n=900)
    after = combat.apply(*new)
    assert effects(after, *new[1:])[0].mean() < 0.25 * effects(*new)[0].mean()
    assert effects(after, *new[1:])[1].mean() == pytest.approx(-0.8, abs=0.1)
    spread = [np.std(after[new[1] == s] - after[new[1] == s].mean(0), axis=0) for s in SITES]
    assert np.ptp(spread, axis=0).max() < 0.3


def test_who_is_harmonised_teaches_nothing():
    combat, new = fit(*people(seed=1)), people(seed=2)
    before = json.dumps(combat.to_record())
    together = combat.apply(*new)
    alone = np.vstack([combat.apply(*(part[i : i + 1] for part in new)) for i in range(50)])
    assert alone == pytest.approx(together[:50], rel=1e-12)
    assert json.dumps(combat.to_record()) == before


def test_it_agrees_with_neurocombat(capsys):
    pytest.importorskip("neuroCombat", reason="the reference is not installed")
    import pandas as pd
    from neuroCombat import neuroCombat

    values, site, covariates = people(n=120, seed=3)
    # It keeps covariates as 32-bit numbers.
    covariates = covariates.astype(np.float32).astype(float)
    table = pd.DataFrame(covariates, columns=NAMES).assign(site=site)
    theirs = neuroCombat(values.T, table, "site", continuous_cols=list(NAMES))["data"].T
    # It stops at a relative change of 1e-4.
    ours = fit(values, site, covariates).apply(values, site, covariates)
    assert ours == pytest.approx(theirs, abs=2e-3)
    assert np.abs(ours - values).max() > 0.5


def test_it_comes_back_from_json_exactly():
    combat, new = fit(*people()), people(seed=2)
    back = Combat.from_record(json.loads(json.dumps(combat.to_record())))
    assert (back.apply(*new) == combat.apply(*new)).all()
    assert back.to_record() == combat.to_record()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("shift"),
        lambda r: r.__setitem__("format", 7),
        lambda r: r["mean"].pop(),
        lambda r: r["sites"].pop(),
        lambda r: r["sd"].__setitem__(0, float("nan")),
    ],
)
def test_a_damaged_record_is_refused(spoil):
    record = fit(*people()).to_record()
    spoil(record)
    with pytest.raises(BrainstemALSError, match="damaged"):
        Combat.from_record(record)


def test_an_unseen_site_is_refused_until_its_controls_teach_it():
    combat = fit(*people(seed=1, n=900))
    values, site, covariates = people(seed=5, n=900, sites=("A", "D"))
    with pytest.raises(BrainstemALSError, match="not fitted on site D"):
        combat.apply(values, site, covariates)
    controls = (site == "D") & (covariates[:, 2] == 0)
    more = combat.with_site("D", values[controls], covariates[controls])
    after = more.apply(values, site, covariates)
    assert effects(after, site, covariates)[0].mean() < 0.3
    assert effects(values, site, covariates)[0].mean() > 0.6
    assert (more.shift[:3] == combat.shift).all()
    with pytest.raises(BrainstemALSError, match="knows site D"):
        more.with_site("D", values[controls], covariates[controls])
    with pytest.raises(BrainstemALSError, match="no controls"):
        combat.with_site("E", values[:0], covariates[:0])


def test_a_site_of_one_is_named_and_only_its_mean_corrected():
    values, site, covariates = people(n=100)
    site[site == "C"] = "B"
    site[0] = "C"
    combat = fit(values, site, covariates)
    assert [finding.code for finding in combat.findings] == ["combat-one-person"]
    assert "site C" in combat.findings[0].message
    assert (combat.stretch[2] == 1).all()
    assert np.isfinite(combat.apply(values, site, covariates)).all()


def test_a_site_without_controls_is_named():
    values, site, covariates = people(n=200)
    covariates[site == "C", 2] = 1
    group = np.where(covariates[:, 2] == 1, "ALS", "HC")
    combat = fit(values, site, covariates, group=group)
    assert [f.message for f in combat.findings] == ["site C has no controls"]


def test_a_group_that_is_its_own_site_is_refused():
    values, site, covariates = people(n=200)
    covariates[:, 2] = site == "A"
    with pytest.raises(BrainstemALSError, match="cannot be told apart"):
        fit(values, site, covariates)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda v, s, c: (v, np.full(len(s), "A", dtype=object), c), "fewer than two sites"),
        (lambda v, s, c: (v, s, np.where(c > 79, np.nan, c)), "covariates are missing"),
        (lambda v, s, c: (v, s, c[:, :2]), "covariates are missing"),
        (lambda v, s, c: (np.where(s[:, None] == "B", np.nan, v), s, c), "cannot be told apart"),
    ],
)
def test_what_cannot_be_harmonised_is_refused(change, problem):
    with pytest.raises(BrainstemALSError, match=problem):
        fit(*change(*people()))


def test_missing_values_stay_missing_and_harm_nobody():
    values, site, covariates = people(n=600)
    holes = values.copy()
    holes[::7, 3] = np.nan
    after = fit(holes, site, covariates).apply(holes, site, covariates)
    whole = fit(values, site, covariates).apply(values, site, covariates)
    assert (np.isnan(after) == np.isnan(holes)).all()
    assert after[:, 0] == pytest.approx(whole[:, 0], abs=0.05)


def test_one_feature_borrows_from_nobody():
    values, site, covariates = people(n=300, f=1)
    combat = fit_combat(values, site, covariates, ("f0",), NAMES)
    after = combat.apply(values, site, covariates)
    assert effects(after, site, covariates)[0] == pytest.approx(0, abs=0.02)
