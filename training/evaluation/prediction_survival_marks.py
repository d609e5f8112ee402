"""Marks and notes of the page of the survival model."""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.survival_model import SurvivalModel, read_survival

from ..prediction.survival_truth import TRUTHS
from .prediction_survival_parts import Coverage
from .prediction_survival_tables import (
    ANCHOR_LIMIT,
    COVERAGE_LIMIT,
    EARLIER,
    ECE_LIMIT,
    FULL,
    LOSS,
    SLOPE_RANGE,
    interval,
    share,
    words,
)
from .prediction_survival_tails import Tails, tail_marks


def marks_of(
    gains, figures, visits, ideal, covered: dict[int, Coverage], labels, off, tails: Tails
) -> list[tuple[str, bool | None]]:
    """Return what was asked for, and whether it was reached."""
    ece, slope = figures[FULL]["ece"], figures[FULL]["slope"]
    null = gains["imaging effect 0 (negative control), refitted"]["Uno's C"]
    other = gains["images of somebody else, refitted"]["Uno's C"]
    real = gains["images as simulated"]["Uno's C"]
    spent = max(c.milliseconds for c in covered.values())
    out = [
        (f"12-month ECE at most {ECE_LIMIT} from the first visit: {words(ece)}",
         ece[0] <= ECE_LIMIT),
        (f"calibration slope in {SLOPE_RANGE[0]} to {SLOPE_RANGE[1]} (own mark): {words(slope)}",
         SLOPE_RANGE[0] <= slope[0] <= SLOPE_RANGE[1]),
    ]  # fmt: skip
    out += tail_marks(tails, SLOPE_RANGE)
    for number in (2, 3):
        later = interval(visits[1.0, number, FULL]["ECE, 12 months"])
        out.append(
            (f"12-month ECE at most {ECE_LIMIT} from visit {number}: {words(later)}, of a perfect "
             f"model {ideal[1.0, number, FULL]:.3f} (mean)", later[0] <= ECE_LIMIT)
        )  # fmt: skip
    for number, part in covered.items():
        for level, held in zip((95, 80), part.held[TRUTHS[0]], strict=True):
            out.append(
                (f"{level} % interval of the 12-month risk from visit {number} within 3 points: "
                 f"{share(held)}", abs(held.mean() - level / 100) <= COVERAGE_LIMIT)
            )  # fmt: skip
            for months, wider in part.other.items():
                wide = wider[(95, 80).index(level)]
                out.append(
                    (f"the same of the {months:.0f}-month risk: {share(wide)}",
                     len(wide) > 0 and abs(wide.mean() - level / 100) <= COVERAGE_LIMIT)
                )  # fmt: skip
    within = covered[1].range80
    out.append(
        (f"80 % range of the time of the event from visit 1 within 3 points: {share(within)}",
         len(within) > 0 and abs(within.mean() - 0.80) <= COVERAGE_LIMIT)
    )  # fmt: skip
    out += _of_visits(visits)
    return [
        *out,
        (f"images add to the clinical Uno's C, no mark: {words(real, 4)}", None),
        ("imaging effect 0, refitted: Uno's C gains 0 or less; it fails if the whole interval lies "
         f"above 0: {words(null, 4)}", null[1] <= 0),
        (f"the same: what images cost there is less than {LOSS} (own mark); it fails if the "
         f"interval reaches below: {words(null, 4)}", null[1] > -LOSS),
        ("images of somebody else, refitted: Uno's C gains 0 or less; it fails if the whole "
         f"interval lies above 0: {words(other, 4)}", other[1] <= 0),
        (f"labels permuted: AUC 0.5 in the interval: {words(labels)}",
         labels[1] <= 0.5 <= labels[2]),
        (f"a prediction takes under 100 ms, images scored included: {spent:.0f} ms (median)",
         spent < 100),
        (f"ENCALS medians at the anchors within 2 %: {100 * off:.2f} % at most",
         off <= ANCHOR_LIMIT),
        ("ENCALS medians of the published groups within 2 %: the paper's own figures weren't at "
         "hand", None),
    ]  # fmt: skip


def _of_visits(visits) -> list[tuple[str, bool | None]]:
    """Return the marks of reading the last visit, Uno's C in the one world, then in the other."""

    def gain(world: float, number: int) -> tuple[float, float, float]:
        name = "Uno's C"
        return interval(visits[world, number, FULL][name] - visits[world, number, EARLIER][name])

    first = gain(1.0, 1)
    out = [
        ("from visit 1 Uno's C is not below that of a model of first visits only; it fails if the "
         f"whole interval lies below 0: {words(first, 4)}", first[2] >= 0)
    ]  # fmt: skip
    for number in (2, 3):
        more = gain(1.0, number)
        out.append(
            (f"from visit {number} reading the last visit gains Uno's C: {words(more, 4)}",
             more[1] > 0)
        )  # fmt: skip
    for number in (2, 3):
        more = gain(0.0, number)
        out.append(
            (f"the same from visit {number} in the simulator's own world, where nothing can be "
             f"gained: {words(more, 4)}", more[1] > 0)
        )  # fmt: skip
    return out


def is_bundled(model: SurvivalModel) -> bool:
    """Return whether a model is the one that comes along."""
    try:
        return np.allclose(read_survival().beta, model.beta, atol=1e-4)
    except (BrainstemALSError, ValueError):  # none yet, or another
        return False


def notes_of(full: SurvivalModel, seeds: str, covered: dict[int, Coverage]) -> list[str]:
    """Return what a reader should know; the model of the page is that which comes along."""
    wider = "; ".join(
        f"visit {number}: " + ", ".join(f"{a:.2f} and {b:.2f}" for a, b in of_visit)
        for number, of_visit in enumerate(full.widening, 1)
    )
    later = " and ".join(f"{a:+.2f} and {b:.2f}" for a, b in full.recalibration[1:])
    most = ", ".join(
        f"{100 * full.most(t, 12.0):.0f} % at {t:.0f}" for t in (12.0, 24.0, 36.0, 60.0)
    )
    limited, asked = (sum(getattr(c, name) for c in covered.values()) for name in
                      ("limited", "asked"))  # fmt: skip
    silent = sum(c.abstained for c in covered.values())
    return [
        f"The model that comes along {'is' if is_bundled(full) else 'is NOT'} the one of this page "
        "(fitted again here).",
        f"Seeds: {seeds}; none was used to choose anything. An earlier page had the model of first "
        "visits, a second one (test seed 20261251) one set of coefficients without recalibration; "
        "a third (20261261) was the first with it, and its widths of intervals were of one cohort: "
        "at visit 3 80 % intervals held 73 %. This one, with new seeds, replaces them.",
        "Outcomes are not the simulator's: it draws the event from findings of the first visit, "
        "so that later ones can say nothing. They were drawn anew with a hazard that follows the "
        "findings of each planned visit, by the weights of the ENCALS equation, beyond what the "
        "first visit foretells. This is an assumption laid on the simulator. What later visits add "
        "here was put in; only real patients can tell. In the simulator's own world reading the "
        "last visit loses: see the table of visits.",
        "The ENCALS equation made both worlds. A model of its form is favoured here; on real "
        "patients it need not be right. How much images add is a parameter of the simulator "
        "(survival.imaging_log_odds, an own choice), seen through its errors of measurement.",
        "A visit after the first weighs 0.3 in the fit, a first one 1 (chosen on development "
        "seeds). One over the number of visits was tried there and is biased, for who dies early "
        "has fewer. A predictor for the recent change was not taken: in the simulator's own world "
        "it can only undo the last visit.",
        "From later visits one set of coefficients is too sure in both tails. Offset and slope of "
        "the log odds were learned from the simulator's own risks of people set aside (visit 2 and "
        f"3: {later}; the first visit keeps 0 and 1); contributions are multiplied by the slope "
        "and still add up. Chosen on development seeds: a third coefficient (steepness of the "
        "baseline) added nothing, and events instead of own risks gave slopes that differ by 0.1 "
        "between seeds. "
        "Models that stand beside it from later visits are recalibrated alike. A model of a real "
        "cohort is not: nobody is set aside.",
        "The form caps the risk by the time since onset, whatever the findings: within 12 months "
        f"at most {most} months (any log-logistic model with delayed entry has such a cap). The "
        "outcomes of both worlds have the same form, so that this page cannot show what the cap "
        f"costs. {limited} of {asked} predictions asked for intervals were warned about it "
        "(survival-cap).",
        f"{silent} of these {asked} visits got no risk: outside the range of the training visits "
        "(total, pace of the last change, sum of all findings; 0.1 % to 99.9 %) or without an "
        "ALSFRS-R. The tables of discrimination and calibration ask for everybody.",
        "Intervals are widened on the log odds by split conformal factors, from four simulated "
        "cohorts set aside, others than that of the recalibration; within 6, 12, 24 months at 80 % "
        f"and 95 %: {wider}. Between, a straight line. They are those of this one model, the "
        "errors of its coefficients included, for patients as simulated; a model of a real cohort "
        "has none. Each cohort has three scanners, the asked one too: on four development seeds "
        "what 80 % intervals held differed by 1 to 4 points (standard deviation; 2 of them "
        "chance). The ends of the median time are where the widened curves cross one half.",
        "The first truth of the table of intervals is what they are meant to hold. The second "
        "includes what no image shows and findings to come; no interval claims it. At first visits "
        "the first truth also knows the clinical predictors that the model lacks; at later ones it "
        "takes them as expected, as the model does.",
        "The anchors of ENCALS are medians computed from public code of users of the model, not "
        "from the paper's supplement. Our risk groups lie between remembered medians of the "
        "paper's groups, so these medians cannot check the implementation.",
        "Causes of the end are drawn independently of the person in the simulator: respiratory "
        "failure is predicted no better than the end itself.",
        "The AFT models are the page's own code; they agree with lifelines 0.30.3, which needs an "
        "older pandas, to four digits.",
        "In bootstraps the models and the censoring curve are held fixed.",
    ]
