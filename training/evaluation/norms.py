"""Measure norms and harmonisation on simulated cohorts: ``python -m training.evaluation.norms``.

Two to four minutes on one core.
"""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.norms.score import centile

from ..cohort.config import load_config
from ..commands import finish
from .commands import arguments, publish
from .norms_parts import (
    AFFECTED_COLUMNS,
    BANDS,
    CENTILES,
    EACH,
    IMBALANCE,
    LEAKAGE,
    LEAKAGE_CASES,
    LEAST_CONTROLS,
    METHODS,
    NEW,
    ORACLE,
    SITES,
    SLICES,
    SPARED_COLUMNS,
    TRAINING,
    Harmony,
    NewControls,
    harmonisation,
    leakage,
    new_controls,
)
from .tables import Page, Table

SEEDS = (101, 102, 103)
LEAKAGE_SEEDS = (201, 202, 203, 204, 205, 206)
# Tolerances of the marks, own choices: the issue names none.
CENTILE_OFF, BAND_OFF, COVERAGE_OFF, EFFECT_OFF, SITE_OFF, AUC_OFF = 1.0, 2.5, 2.0, 0.1, 0.01, 0.05


def calibration_table(new: NewControls) -> tuple[Table, np.ndarray]:
    """Return the shares of new controls below centiles by age band, and the shares in per cent."""
    rows, shares = [], []
    found = centile(new.z)
    for low, high in (*BANDS, (0, 120)):
        inside = (new.age >= low) & (new.age < high)
        below = [float(100.0 * np.mean(found[inside] < q)) for q in CENTILES]
        shares.append(below)
        name = "all" if (low, high) == (0, 120) else f"{low or 'under'} {f'to {high - 1}'}"
        name = {"under to 49": "under 50", "70 to 119": "70 and over"}.get(name, name)
        z = new.z[inside]
        rows.append((name, int(inside.sum()), *below, float(z.mean()), float(z.std())))
    columns = ("age", "scores", *(f"below {q:g} (%)" for q in CENTILES), "z mean", "z SD")
    caption = "Centiles of new controls: share below, which is the centile itself where it is right"
    return Table("centiles", caption, columns, rows, digits=2), np.array(shares)


def coverage_table(new: NewControls) -> tuple[Table, np.ndarray]:
    """Return how many 95 % intervals hold the true z-score: sites known, sites left out."""
    rows = []
    for measure in (*sorted(set(new.measure.tolist())), "all"):
        inside = (new.measure == measure) | (measure == "all")
        rows.append(
            (
                measure,
                int(inside.sum()),
                *(float(100.0 * hit[inside].mean()) for hit in (new.known, new.unseen)),
                *(float(np.median(w[inside])) for w in (new.width_known, new.width_unseen)),
            )
        )
    columns = ("measure", "scores", "site known: hold it (%)", "site left out: hold it (%)")
    columns += ("median width, known (z)", "median width, left out (z)")
    caption = "95 % intervals of the z-score against the true one"
    return Table("intervals", caption, columns, rows, digits=2), np.array(rows[-1][2:4], float)


def harmonisation_table(found: dict[str, Harmony]) -> tuple[Table, dict[str, tuple]]:
    """Return what every method leaves of the sites, and what it does to the disease effect."""
    truth = found["without scanners"].d
    rows, figures = [], {}
    for name, harmony in found.items():
        off = harmony.d - truth
        row = (
            float(np.median(harmony.eta2)),
            float(harmony.largest.mean()),
            float(harmony.largest.max()),
            float(harmony.d[:, AFFECTED_COLUMNS].mean()),
            float(np.abs(off[:, AFFECTED_COLUMNS]).mean()),
            float(harmony.d[:, SPARED_COLUMNS].mean()),
            float(np.abs(off[:, SPARED_COLUMNS]).mean()),
        )
        rows.append((name, *row))
        figures[name] = row
    columns = (
        "method",
        "partial eta2 of site, median",
        "largest site difference (SD), mean",
        "largest site difference (SD), maximum",
        "Cohen's d, affected, mean",
        "off the truth, affected",
        "Cohen's d, spared, mean",
        "off the truth, spared",
    )
    caption = (
        "People who taught nothing, with patients crowding at one site; the last row is the same "
        "people without scanner effects: what chance leaves, and the true effects"
    )
    return Table("harmonisation", caption, columns, rows), figures


def leakage_table(aucs: list[dict[str, np.ndarray]]) -> Table:
    """Return the AUCs where there is no disease, by ``LEAKAGE_CASES``."""
    rows = [
        (
            case.name,
            case.size,
            name,
            len(a),
            float(a.mean()),
            float(a.std(ddof=1) / np.sqrt(len(a))),
        )
        for case, methods in zip(LEAKAGE_CASES, aucs, strict=True)
        for name, a in methods.items()
    ]
    columns = ("cohort", "controls, and patients", "harmonisation", "cohorts", "AUC, mean")
    columns += ("standard error",)
    caption = "Patients against controls without any disease: 0.5 is right"
    return Table("leakage", caption, columns, rows)


def norms_page() -> Page:
    """Measure everything; returns the page."""
    config = load_config()
    new = new_controls(config, SEEDS)
    found = harmonisation(config, SEEDS)
    aucs = [leakage(config, LEAKAGE_SEEDS, case) for case in LEAKAGE_CASES]
    centiles, shares = calibration_table(new)
    intervals, held = coverage_table(new)
    harmony, figures = harmonisation_table(found)
    off = np.abs(shares - np.array(CENTILES))
    chance = figures["without scanners"][0]
    marks = [
        (
            f"Centiles of new controls within {CENTILE_OFF:g} percentage points: "
            f"{off[-1].max():.2f} at most",
            bool(off[-1].max() <= CENTILE_OFF),
        ),
        (
            f"In every age band within {BAND_OFF:g} points: {off[:-1].max():.2f} at most",
            bool(off[:-1].max() <= BAND_OFF),
        ),
        (
            f"95 % intervals hold the true z-score, sites known, within {COVERAGE_OFF:g} points: "
            f"{held[0]:.1f} %",
            bool(abs(held[0] - 95.0) <= COVERAGE_OFF),
        ),
        (
            f"The same at least, sites left out: {held[1]:.1f} %",
            bool(held[1] >= 95.0 - COVERAGE_OFF),
        ),
    ]
    for name in METHODS[1:]:
        eta2, off_truth = figures[name][0], figures[name][4]
        marks += [
            (
                f"Site effect removed, {name}: partial eta2 {eta2:.3f} against "
                f"{figures[METHODS[0]][0]:.3f} before and {chance:.3f} by chance "
                f"(at most {SITE_OFF:g} above it)",
                bool(eta2 <= chance + SITE_OFF),
            ),
            (
                f"Disease effect kept, {name}: Cohen's d off by {off_truth:.3f} on average "
                f"(at most {EFFECT_OFF:g}) against {figures[METHODS[0]][4]:.3f} before",
                bool(off_truth <= EFFECT_OFF),
            ),
        ]
    for case, methods in list(zip(LEAKAGE_CASES, aucs, strict=True))[:2]:
        safe = float(methods[LEAKAGE[-1]].mean())
        marks.append(
            (
                f"Leakage-safe ComBat finds no disease where there is none, {case.name}: "
                f"AUC {safe:.3f} (0.5 within {AUC_OFF:g})",
                bool(abs(safe - 0.5) <= AUC_OFF),
            )
        )
    return Page(
        stem="norms",
        title="Norms and harmonisation across scanners",
        kind="simulated",
        data=(
            f"simulated cohorts (training.cohort). Norms: {len(SEEDS)} times {SITES} sites with "
            f"about {TRAINING} controls to fit, {ORACLE} as truth, {NEW} new. Harmonisation: "
            f"{len(SEEDS)} times {EACH} controls and {EACH} patients at 3 sites, imbalance "
            f"{IMBALANCE:g}. Leakage: {len(LEAKAGE_SEEDS) * SLICES} cohorts of each kind."
        ),
        seed=SEEDS[0],
        tables=[centiles, intervals, harmony, leakage_table(aucs)],
        marks=marks,
        notes=[
            f"Seeds {', '.join(map(str, (*SEEDS, *LEAKAGE_SEEDS)))}.",
            "The simulated world has the form of the models that are tested (normal residuals, "
            "sites that shift and stretch): the page shows that they are right there, not that "
            "real scanners behave like this.",
            f"People at a site with fewer than {LEAST_CONTROLS} controls are left out of the "
            "check of leakage, whatever the method.",
            "Where patients crowd at one site, few controls fix its scanner's shift badly, and all "
            "patients there share the error. That is no leakage, and leakage-safe fitting does not "
            "cure it: compare the last case of that table, where there is nothing to correct.",
            "The tolerances of the marks are our own.",
        ],
        threads=1,
    )


def main() -> None:
    given = arguments(__doc__, models=False).parse_args()
    finish(lambda: publish(norms_page(), given.out))


if __name__ == "__main__":
    main()
