"""The page of the study: the curve, what each method gains, and the real image."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..evaluation.score_table import interval_text
from ..evaluation.summary import Interval, bootstrap_mean
from ..evaluation.tables import Page, Table
from . import few_shot, mean_teacher, pretrain, transfer
from .scoring import group_means
from .store import Result, Scores
from .study import Study
from .supervised import SCRATCH

GROUPS = ("tier_A", "tier_B", "all")
SHARE_OF_FULL = 0.95
FEW = 5
CURVES = (SCRATCH, pretrain.METHOD, transfer.METHOD)
MARKERS = {few_shot.METHOD: "s", mean_teacher.METHOD: "^", mean_teacher.WITH_REAL: "v"}
SEEDS = (
    "One seed a run, short runs, a small network, a coarse grid and one processor core: the curve "
    "compares methods with each other and says nothing of what the product's model reaches. "
    "Differences below the width of the intervals mean nothing; the intervals are over held-out "
    "subjects and do not hold the chance of training."
)


def group_intervals(scores: Scores, seed: int) -> dict[str, Interval]:
    """Return the mean over cases of each group, with its bootstrap interval."""
    rows = [group_means(sheet) for sheet in scores.values()]
    return {group: bootstrap_mean([row[group] for row in rows], seed) for group in GROUPS}


def gain(result: Result, base: Result, seed: int, group: str = "tier_A") -> Interval:
    """Return by how much a run is better than another on the same cases, paired by case."""
    differences = [
        group_means(result.scores[case])[group] - group_means(base.scores[case])[group]
        for case in result.scores
    ]
    return bootstrap_mean(differences, seed)


def mark_few_labels(results: Sequence[Result]) -> tuple[str, bool | None]:
    """Return the mark of the issue: what 5 labels with pretraining reach of what all labels do."""
    text = (
        f"{FEW} labelled anatomies with pretraining reach {100 * SHARE_OF_FULL:.0f} % of the "
        "full-label tier A Dice"
    )
    curves = [r for r in results if r.method in CURVES and r.scores]
    most = max((r.labelled for r in curves), default=0)

    def best(chosen: Sequence[Result]) -> float:
        means = [group_intervals(r.scores, 0)["tier_A"].mean for r in chosen]
        return max(means, default=math.nan)

    few = best([r for r in curves if r.labelled == FEW and r.method != SCRATCH])
    full = best([r for r in curves if r.labelled == most]) if most > FEW else math.nan
    if math.isnan(few) or math.isnan(full):
        return text, None
    share = few / full
    return f"{text}: {100 * share:.1f} % ({few:.3f} of {full:.3f})", share >= SHARE_OF_FULL


def tables_of(results: Sequence[Result], seed: int) -> list[Table]:
    """Return the curve, the gains over no pretraining, and the ICBM T1."""
    scored = [r for r in results if r.scores]
    before = {r.run: r for r in results if not r.scores}
    curve, gains, real = [], [], []
    scratch = {r.labelled: r for r in scored if r.method == SCRATCH}
    for result in scored:
        means = group_intervals(result.scores, seed)
        first = before.get(result.built_on)
        curve.append(
            (
                result.method, result.labelled, means["tier_A"].mean,
                interval_text(means["tier_A"]), means["tier_B"].mean, means["all"].mean,
                result.steps, result.seconds, first.steps if first else 0,
                first.seconds if first else 0.0,
            )
        )  # fmt: skip
        base = scratch.get(result.labelled)
        if base and base is not result:
            a, b = gain(result, base, seed), gain(result, base, seed, "tier_B")
            gains.append(
                (result.method, result.labelled, a.mean, interval_text(a), b.mean, interval_text(b))
            )
        for sheet in result.real.values():
            values = group_means(sheet)
            real.append((result.method, result.labelled, *(values[group] for group in GROUPS)))
    head = ("method", "labelled anatomies")
    return [
        Table(
            "curve", "Dice on held-out simulated exams (T1 + FA + MD + V1)",
            (
                *head, "Dice, tier A", "tier A, 95 % interval", "Dice, tier B", "Dice, all",
                "steps", "core seconds", "steps of pretraining", "core seconds of pretraining",
            ),
            curve,
        ),
        Table(
            "gains", "Difference from no pretraining with the same labels, paired by subject "
            "(simulated)",
            (*head, "tier A", "tier A, 95 % interval", "tier B", "tier B, 95 % interval"), gains,
        ),
        Table(
            "icbm", "Dice on one real image: the ICBM T1, T1 only, against the atlas",
            (*head, "Dice, tier A", "Dice, tier B", "Dice, all"), real,
        ),
    ]  # fmt: skip


def case_table(results: Sequence[Result]) -> Table:
    """Return the group means of every held-out case."""
    rows = [
        (r.method, r.labelled, case, *(group_means(sheet)[group] for group in GROUPS))
        for r in results
        for case, sheet in r.scores.items()
    ]
    columns = ("method", "labelled anatomies", "case", "Dice, tier A", "Dice, tier B", "Dice, all")
    return Table("cases", "Every held-out case", columns, rows)


def draw_curve(results: Sequence[Result], seed: int, path: Path) -> None:
    """Draw tier A Dice by labelled anatomies, as PNG; it appears whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    by_method: dict[str, list[Result]] = {}
    for result in sorted((r for r in results if r.scores), key=lambda r: r.labelled):
        if result.method in (*CURVES, *MARKERS):
            by_method.setdefault(result.method, []).append(result)
    for number, (method, members) in enumerate(by_method.items()):
        means = [group_intervals(r.scores, seed)["tier_A"] for r in members]
        # Intervals lie side by side, or they would hide each other.
        x = [r.labelled * (1 + 0.03 * (number - 2)) for r in members]
        y = [m.mean for m in means]
        ends = [
            [max(0.0, m.mean - m.low) for m in means],
            [max(0.0, m.high - m.mean) for m in means],
        ]
        style = "-o" if method in CURVES else MARKERS[method]
        axes.errorbar(x, y, yerr=ends, fmt=style, capsize=2, markersize=5, label=method)
    axes.set_xscale("log")
    ticks = sorted({r.labelled for members in by_method.values() for r in members})
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    axes.set_xlabel("labelled anatomies")
    axes.set_ylabel("tier A Dice, held-out simulated exams")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.png")
    figure.savefig(partial, metadata={"Software": None})
    os.replace(partial, path)


def page_of(study: Study, results: Sequence[Result], lacking: int, folder: Path) -> Page:
    """Return the page, and draw its picture into the folder.

    Parameters
    ----------
    study : Study
    results : sequence of Result
        Of the runs that are done.
    lacking : int
        Runs that are not.
    folder : Path
        Of the page.
    """
    settings = study.settings
    picture = f"{settings.name}_curve.png"
    draw_curve(results, settings.seed, folder / picture)
    images, plan = settings.images, settings.training
    own = f" and {len(study.scan_files) - 3} T1s of the user" if study.scans_folder else ""
    return Page(
        stem=settings.name,
        title="Learning from few labels",
        kind="real and simulated",
        data=f"{len(study.training_cases)} anatomies to learn from, "
        f"{len(study.held_out_cases)} held out, drawn by training.synthesis at "
        f"{images.spacing_mm:g} mm ({images.renders} images of each, "
        f"{images.held_out_renders} of a held-out one, undeformed); without labels also the ICBM "
        f"T1 and two real T1s (studyforrest, dcm_qa_uih){own}.",
        seed=settings.seed,
        tables=tables_of(results, settings.seed),
        marks=[mark_few_labels(results)],
        pictures=[
            ("Tier A Dice by labelled anatomies; bars: 95 % interval over subjects.", picture)
        ],
        threads=1,
        notes=notes(settings.network.filters, plan.steps, lacking, study.scan_checksums),
        attachments=[case_table(results)],
    )


def notes(
    filters: Sequence[int], steps: int, lacking: int, checksums: Mapping[str, str]
) -> list[str]:
    """Return the sentences below the tables."""
    text = [
        SEEDS,
        f"Every run with labels: DynUNet with {', '.join(map(str, filters))} filters, {steps} "
        "steps from the same seed, moving average of weights scored. A run sees labelled images of "
        "its own anatomies only; larger sets hold the smaller ones, in one drawn order. Class "
        "weights and the adjacency prior come from the same labels. The learning rate was taken "
        "from two that were tried without pretraining at 5 labels, looking at one held-out anatomy "
        "(hoa2-103818); the other settings were not tuned.",
        "self_supervised: masked-image modelling and contrast-invariant features on images of all "
        f"training anatomies without labels and on {len(checksums)} real T1s, ICBM among them, cut "
        "around the brainstem that the product's locator finds. "
        "The unlabelled simulated images are drawn from label maps of all training anatomies: a "
        "site that has scans alone must expect less. "
        "transfer: thalamus, basal ganglia, ventral diencephalon, cerebellum and ventricles of the "
        "HOA2 and SynthSeg maps of the training anatomies and of the Allen atlas; their brainstem "
        "is one tissue and background. HOA2's and SynthSeg's ventral diencephalon reaches into "
        "what our table calls midbrain. Neither sees a label of a brainstem structure. few_shot: "
        "prototypes after SSL-ALPNet, nothing is learned from the support.",
        "mean_teacher takes unlabelled simulated images of the other training anatomies, "
        "mean_teacher_real the real T1s as well. On the simulated exams a real T1 can hardly help; "
        "the ICBM table is where it could. It is one image, of an average head, the runs with real "
        "T1s have seen it without labels, and its truth is the atlas that all labels come from.",
        "no_averaging scores the last weights of the scratch run; hierarchy adds the loss of "
        "tissues and regions, hierarchy_adjacency the adjacency prior to that.",
        "Dice by MONAI, mean over the images of a subject first. A missed structure counts 0; one "
        "that lies outside the window is left out. Tiers as in the other pages; all: every "
        "structure, aqueduct and fourth ventricle included. Gains are differences within subjects. "
        "The mark takes the better of the pretrainings on these very cases, without an interval.",
    ]
    if lacking:
        text.insert(0, f"Not finished: {lacking} runs of the study have no result yet.")
    return text
