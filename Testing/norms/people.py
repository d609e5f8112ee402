"""Made-up controls of a known location-scale model; a cohort's tables of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

SITES = ("A", "B", "C")
SHIFT = {"A": 0.02, "B": -0.03, "C": 0.01, "D": 0.04}
SD_AT_60, SD_PER_DECADE = 0.06, 0.08


def expected(age, male, icv, site):
    """Mean of ln volume."""
    ageing = -0.003 * np.maximum(age - 50.0, 0.0)
    head = 0.7 * np.log(icv / 1.5e6)
    return np.log(5000.0) + ageing + head + 0.02 * male + np.array([SHIFT[s] for s in site])


def spread(age):
    """SD of ln volume."""
    return SD_AT_60 * np.exp(SD_PER_DECADE * (age - 60.0) / 10.0)


def draw(n, seed, sites=SITES):
    """n controls: dict of arrays."""
    rng = np.random.default_rng(seed)
    age, male = rng.uniform(30, 85, n), rng.random(n) < 0.5
    icv = np.where(male, 1.56e6, 1.38e6) * np.exp(0.075 * rng.standard_normal(n))
    site = rng.choice(np.array(sites, dtype=object), n)
    z = rng.standard_normal(n)
    value = np.exp(expected(age, male, icv, site) + spread(age) * z)
    return {
        "age": age, "male": male, "icv": icv, "site": site, "value": value, "z": z,
        "fa": 0.6 + 0.05 * rng.standard_normal(n),
    }  # fmt: skip


def cohort(people, group="HC"):
    """The three tables, one visit each: volume and FA of the medulla."""
    import pandas as pd

    n = len(people["age"])
    ids = [f"sub-{group}{i:04d}" for i in range(n)]
    participants = pd.DataFrame(
        {
            "participant_id": ids,
            "group": group,
            "age": people["age"],
            "sex": np.where(people["male"], "M", "F"),
            "site": people["site"],
        }
    )
    visits = pd.DataFrame({"participant_id": ids, "session_id": "ses-01", "months": 0.0})
    parts = [
        ("medulla", "volume", people["value"], "mm3"),
        ("medulla", "fa", people["fa"], "1"),
        ("intracranial", "volume", people["icv"], "mm3"),
    ]
    measures = pd.concat(
        pd.DataFrame(
            {
                "participant_id": ids,
                "session_id": "ses-01",
                "structure": structure,
                "measure": measure,
                "value": value,
                "unit": unit,
                "uncertainty": 0.0,
                "quality": "good",
            }
        )
        for structure, measure, value, unit in parts
    )
    return SimpleNamespace(
        participants=participants, visits=visits, measures=measures.reset_index(drop=True)
    )


def joined(*cohorts):
    """Several cohorts in one."""
    import pandas as pd

    return SimpleNamespace(
        **{
            name: pd.concat([getattr(c, name) for c in cohorts], ignore_index=True)
            for name in ("participants", "visits", "measures")
        }
    )
