"""The methods paragraph: written from what really ran, never from what was meant to."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

from .. import __version__
from .design import GROUPS, Design
from .mixed import AS_SEEN, EVERYBODY
from .options import MIN_GROUP, REAL, SIMULATED

if TYPE_CHECKING:
    import pandas as pd

    from .results import GroupResults

PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib")
SOURCES = {
    SIMULATED: "SIMULATED DATA: drawn by a simulator with known truth. Nothing here is a finding "
    "about patients.",
    REAL: "Real data.",
}
LIMITS = (
    "Limits: on simulated images the segmentation found only a part of what sets a structure apart "
    "from the norm, so differences and changes tend to come out too "
    "small. Intervals do not know of it."
)
UNSTATED_SOURCE = (
    "The source of these tables is not stated: they do not say whether they are simulated or real."
)


def source_sentence(source: str) -> str:
    """Return what a reader has to know about where the data come from."""
    return SOURCES.get(source, UNSTATED_SOURCE)


def versions() -> dict[str, str]:
    """Return versions of this program, of Python and of the packages that computed."""
    found = {"BrainstemALS": __version__, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def methods(results: GroupResults) -> list[str]:
    """Return the methods, one sentence or two in each paragraph."""
    design, options = results.design, results.options
    parts = [_people(design), _quality(design), _missing(design), _linear(results)]
    if options.permutations:
        parts.append(
            f"Permutation p-values come from {options.permutations} Freedman-Lane permutations, "
            "within sites where site is in the model "
            f"(doi:10.1016/j.neuroimage.2014.01.060; seed {options.seed})."
        )
    parts.append(
        "False discovery rates are those of Benjamini and Hochberg, within each contrast and "
        "family (volume, FA, MD, asymmetry). King's stages and onsets are compared at the first "
        "visit; the trend takes stages 1 to 4 as equally far apart, among patients only."
    )
    if len(results.change):
        parts.append(_mixed(results.change))
    if results.beyond is not None and len(results.beyond):
        parts.append(
            "The change of each participant is that of longitudinal processing (changes.tsv). "
            "Groups are compared by weighted least squares with the variance between participants "
            "(Paule and Mandel) and the same robust errors, adjusted for age, sex and site where "
            "these are above; a change is beyond error where its own interval leaves out 0."
        )
    if results.correlations.rho.notna().any():
        parts.append(
            "Correlations with clinical scores are partial Spearman correlations among patients at "
            "the first visit with the same covariates, intervals by Fisher's z with the variance "
            "of Bonett and Wright (doi:10.1007/BF02294183)."
        )
    if results.spread is not None:
        parts.append(
            f"The order of change is that of an event-based model of {results.spread.patients} "
            f"patients and {results.spread.controls} controls"
            + (
                ", together with yearly change relative to the change so far of "
                f"{results.spread.repeated} patients who were measured more than once"
                if results.spread.repeated
                else ""
            )
            + f", with {results.spread.bootstraps} bootstrap samples (seed {options.seed}). "
            "Which structures have a place, and the deviations from controls, were chosen once on "
            "everybody, not in each sample, and patients count once for each visit in that choice: "
            "how sure a place is, is overstated."
        )
    parts.append(LIMITS)
    software = ", ".join(f"{name} {version}" for name, version in versions().items())
    parts.append(f"Software: {software}.")
    return parts


def _people(design: Design) -> str:
    people, visits = design.people, design.observations
    counts = []
    for group in GROUPS:
        own = people.index[people.group == group]
        if len(own):
            seen = int(visits.participant_id.isin(own).sum())
            counts.append(f"{len(own)} {group} ({seen} visits)")
    measured = int(design.first.notna().any(axis=1).sum())
    sites = people.site.nunique()
    return (
        f"{len(people)} participants took part: {', '.join(counts)}; {sites} sites. {measured} "
        "have a usable measure at the first visit, the one that cross-sectional analyses read."
    )


def _quality(design: Design) -> str:
    bad = int((design.measures.quality == "bad").sum())
    warned = int((design.measures.quality == "warning").sum())
    return (
        f"Of {len(design.measures)} measures, {bad} were rated bad and left out; {warned} carry a "
        "warning and were kept (see the sensitivity analysis)."
    )


def _linear(results: GroupResults) -> str:
    table = results.comparisons
    main = table[(table.analysis == "group") & table.p.notna()]
    if not len(main):
        return "No comparison of groups could be made."
    volume = main[main.measure == "volume"].adjusted_for
    other = main[main.measure != "volume"].adjusted_for
    text = [
        f"{name} for {value.mode().iloc[0] or 'nothing'}"
        for name, value in (("volumes", volume), ("other measures", other))
        if len(value)
    ]
    return (
        "Groups were compared by ordinary least squares with robust errors (HC2, degrees of "
        "freedom of Bell and McCaffrey, doi:10.1162/REST_a_00552), adjusted: "
        f"{'; '.join(text)}. {_scanners(results)}Standardised differences are divided by the "
        "residual standard deviation; per cents refer to the adjusted mean of the "
        "comparison group; Hedges g is not adjusted. "
        f"Levels with fewer than {MIN_GROUP} participants are not compared. Intervals are at "
        f"{1 - results.options.alpha:.0%}."
    )


def _scanners(results: GroupResults) -> str:
    if not results.harmonised:
        return ""
    return (
        "Scanners were harmonised by ComBat, learnt from controls with age, sex and, for volumes, "
        "intracranial volume kept; what that learning leaves uncertain is not in the intervals. "
    )


def _mixed(change: pd.DataFrame) -> str:
    seen = change[change.analysis == AS_SEEN]
    fitted = seen[seen.p.notna()].drop_duplicates(["measure", "structure"])
    kinds = fitted.random_effects.value_counts()
    text = ", ".join(f"{count} with random {kind}" for kind, count in kinds.items())
    failed = seen[seen.p.isna()].drop_duplicates(["measure", "structure"])
    found = (
        "Change over time was estimated by linear mixed models (restricted maximum likelihood) of "
        f"all visits with group, years and their product: {len(fitted)} models were fitted"
        f"{f' ({text})' if text else ''}, {len(failed)} were not. They describe those who came "
        "back."
    )
    if change[change.analysis == EVERYBODY].p.notna().any():
        found += (
            " For all patients of the first visit, the change was let depend on the ALSFRS-R and "
            "its loss per month at the first visit, and taken at the mean of all patients; this "
            "is right where coming back depends on nothing else that goes with the change."
        )
    return found


def _missing(design: Design) -> str:
    total = design.first.size
    used = int(design.first.notna().to_numpy().sum())
    return (
        f"Nothing was imputed: each model takes the participants who have its measure and "
        f"covariates ({used} of {total} values at the first visit). Its estimates are right where "
        "what is missing does not depend on the measure given the covariates; who is missing is "
        "listed below."
    )
