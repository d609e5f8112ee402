"""A small cohort with known effects, made here so that tests do not depend on the simulator."""

import numpy as np
import pandas as pd

from BrainstemALSLib.cohort.tables import UNITS, Cohort

SEX_EFFECT, AGE_EFFECT, ICV_EFFECT, SITE_EFFECT = 0.3, -0.02, 0.8, 0.5
MEANS = {
    "volume": (6000.0, 500.0),
    "fa": (0.5, 0.04),
    "md": (0.8, 0.05),
    "volume_asymmetry": (0, 6),
}


def small_cohort(
    seed=0,
    sizes=None,
    effects=None,
    structures=("medulla", "pyramid_left"),
    measures=("volume", "fa"),
    visits=1,
    slopes=None,
    sites=("A", "B"),
    simulated=True,
):
    """Effects and slopes (per year) are in standard deviations of a measure, by group or onset."""
    rng = np.random.default_rng(seed)
    effects, slopes = effects or {}, slopes or {}
    sizes = sizes or {"HC": 40, "ALS": 60}
    group = np.repeat(list(sizes), list(sizes.values()))
    n = len(group)
    patient = group == "ALS"
    onset = np.where(patient, np.where(rng.random(n) < 0.35, "bulbar", "spinal"), None)
    people = pd.DataFrame({
        "participant_id": [f"sub-{i:03d}" for i in range(n)],
        "group": group,
        "age": rng.normal(62, 9, n),
        "sex": np.where(rng.random(n) < 0.55, "M", "F"),
        "site": np.array(sites)[rng.integers(len(sites), size=n)],
        "onset": onset,
        "months_since_onset": np.where(patient, rng.uniform(6, 30, n), np.nan),
        "event": np.where(patient & (rng.random(n) < 0.3), "death", None),
    })  # fmt: skip
    icv = rng.normal(1.5e6, 1.3e5, n)
    common = (
        SEX_EFFECT * (people.sex == "M")
        + AGE_EFFECT * (people.age - 62)
        + SITE_EFFECT * (people.site == sites[-1])
    ).to_numpy()
    change = np.array(
        [effects.get(o, effects.get(g, 0.0)) for g, o in zip(group, onset, strict=True)]
    )
    slope = np.array([slopes.get(g, 0.0) for g in group])
    base = {
        (m, s): rng.normal(size=n) + common + change
        + ICV_EFFECT * (m == "volume") * (icv - 1.5e6) / 1.3e5
        for m in measures
        for s in structures
    }  # fmt: skip
    own_slope = {key: slope + 0.3 * rng.normal(size=n) for key in base}
    visit_rows, rows = [], []
    for v in range(visits):
        months = np.where(v == 0, 0.0, 6.0 * v + rng.uniform(-1, 1, n))
        score = 38 - 4 * v + 3 * rng.normal(size=n) + 3 * base[next(iter(base))]
        score = np.clip(np.round(score), 0, 48)
        items = {i: np.where(patient, rng.integers(1, 5, n), np.nan) for i in (1, 2, 3)}
        stage = [str(k) if p else None for k, p in zip(rng.integers(1, 5, n), patient, strict=True)]
        visit_rows.append(pd.DataFrame({
            "participant_id": people.participant_id,
            "session_id": f"ses-{v + 1:02d}",
            "months": months,
            **{f"alsfrs_{i:02d}": item for i, item in items.items()},
            "alsfrs_total": np.where(patient, score, np.nan),
            "fvc": np.where(patient, rng.normal(80, 12, n), np.nan),
            "kings": stage,
        }))  # fmt: skip
        for (m, s), z in base.items():
            mean, sd = MEANS[m]
            noise = 0.3 * rng.normal(size=n) if visits > 1 else 0.0
            value = mean + sd * (z + own_slope[m, s] * months / 12 + noise)
            rows.append(_rows(people, v, s, m, value))
        rows.append(_rows(people, v, "intracranial", "volume", icv))
    measured = pd.concat(rows, ignore_index=True)
    return Cohort(people, pd.concat(visit_rows, ignore_index=True), measured, simulated)


def _rows(people, visit, structure, measure, value):
    return pd.DataFrame({
        "participant_id": people.participant_id,
        "session_id": f"ses-{visit + 1:02d}",
        "structure": structure,
        "measure": measure,
        "value": value,
        "unit": UNITS[measure],
        "uncertainty": 0.0,
        "quality": "good",
    })  # fmt: skip
