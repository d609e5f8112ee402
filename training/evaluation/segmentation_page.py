"""The page of the segmentation's evaluation: its tables, its marks, its notes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..data import work_dir
from ..export import default_folder
from .calibration import ANY, BINS, NEIGHBOURHOOD_MM, pooled
from .kinds import KINDS
from .methods import METHODS, Method
from .records import Record
from .score_table import CONVENTIONS, interval_text, mark_at_least, mark_at_most
from .segmentation_figure import Curve, reliability_figure
from .segmentation_sheet import SUMMARY_COLUMNS, Results, Sheet
from .summary import Line, bootstrap_mean, line_of, summarise
from .tables import Page, Table

TIER_A_DICE, TIER_B_DICE = 0.90, 0.75
T1_ONLY_LOSS = 0.04
CALIBRATION_ERROR = 0.05
CASES = 15
FULL, T1 = "t1_fa_md", "t1"


def publishable(
    results: Results, methods: Sequence[Method], seed: int, quick: bool, folder: Path
) -> Page:
    """Return the page, its figure drawn into the folder where it will lie."""
    stem = "segmentation_quick" if quick else "segmentation"
    sheets = {
        (method, kind): Sheet(method, kind, records, seed)
        for method, kinds in results.items()
        for kind, records in kinds.items()
        if records
    }
    words = {method.slug: method.words for method in methods}
    pictures = []
    curves = [
        Curve(s.method, s.kind, pooled(b[ANY] for b in s.bins)) for s in sheets.values() if s.bins
    ]
    if curves:
        folder.mkdir(parents=True, exist_ok=True)
        reliability_figure(curves, folder / f"{stem}_reliability.png")
        caption = "Reliability of the probability of the label given, all cases together."
        pictures.append((caption, f"{stem}_reliability.png"))
    count = min(len(sheet.records) for sheet in sheets.values())
    return Page(
        stem=stem,
        title="Segmentation of simulated exams of held-out anatomies",
        kind="simulated",
        data=f"{count} anatomies of subjects kept from training, drawn by training.synthesis: "
        "boxes of 96 x 108 x 120 mm around the brainstem, 1 mm, and four degradations of them.",
        seed=seed,
        model=_models(methods),
        marks=_marks(sheets, count),
        tables=[_overview(sheets, words), _against_ants(sheets, seed), _kinds_table()],
        pictures=pictures,
        notes=[*CONVENTIONS, *_notes(), *_effort(methods)],
        attachments=[
            Table(
                "summary", "Every group and composite, by method and exam", SUMMARY_COLUMNS,
                [s.row(n) for s in sheets.values() for n in s.lines if n.kind != "structure"],
            ),
            Table(
                "structures", "Every structure, by method and exam", SUMMARY_COLUMNS,
                [s.row(n) for s in sheets.values() for n in s.lines if n.kind == "structure"],
            ),
            _calibration(sheets),
            _reliability(curves),
            _cases(sheets),
        ],
    )  # fmt: skip


def _models(methods: Sequence[Method]) -> dict[str, dict[str, str]]:
    """Roles of all methods; ``plain`` is the model once more."""
    found = {}
    for method in methods:
        for role, identity in method.identity.items():
            if identity not in found.values():
                found[role if role not in found else f"{role}, {method.slug}"] = identity
    return found


def _marks(sheets: Mapping[tuple[str, str], Sheet], count: int) -> list[tuple[str, bool | None]]:
    full, t1 = sheets.get(("model", FULL)), sheets.get(("model", T1))

    def figure(sheet: Sheet | None, get) -> float:
        return get(sheet) if sheet else math.nan

    def tier(name: str):
        return lambda sheet: sheet.dice(f"tier_{name}").mean

    loss = figure(full, tier("A")) - figure(t1, tier("A"))
    marks = [
        mark_at_least(f"tier {name} mean Dice, T1 + FA + MD,", figure(full, tier(name)), bound)
        for name, bound in (("A", TIER_A_DICE), ("B", TIER_B_DICE))
    ]
    marks.append(mark_at_most("tier A mean Dice lost without FA and MD", loss, T1_ONLY_LOSS))
    for sheet, words in ((full, "T1 + FA + MD"), (t1, "T1 only")):
        for key, what in ((ANY, "label given"), ("tier_A", "tier A"), ("tier_B", "tier B")):
            error = figure(sheet, lambda s, key=key: s.ece(key))
            marks.append(
                mark_at_most(f"calibration error, {what}, {words},", error, CALIBRATION_ERROR)
            )
    marks.append(_mark_against_ants(sheets))
    marks.append((f"at least {CASES} held-out anatomies: {count}", count >= CASES))
    return marks


def _pairs(sheets: Mapping[tuple[str, str], Sheet]) -> list[tuple[Line, list[float], list[float]]]:
    """Line of the model on the T1, and the Dice of both methods in the cases that both have."""
    model, ants = sheets.get(("model", T1)), sheets.get(("ants", T1))
    if not (model and ants):
        return []
    both = [case for case in model.records if case in ants.records]
    pairs = []
    for line in model.lines:
        dice = [
            [_mean_dice(sheet.records[case], model.members(line.key)) for case in both]
            for sheet in (model, ants)
        ]
        known = [n for n in range(len(both)) if all(math.isfinite(one[n]) for one in dice)]
        if known:
            pairs.append((line, *([one[n] for n in known] for one in dice)))
    return pairs


def _mean_dice(record: Record, keys: Sequence[str]) -> float:
    known = [record.scores[k].dice for k in keys if k in record.scores]
    known = [dice for dice in known if math.isfinite(dice)]
    return sum(known) / len(known) if known else math.nan


def _mark_against_ants(sheets: Mapping[tuple[str, str], Sheet]) -> tuple[str, bool | None]:
    what = "every structure at least equal to ANTs on the same T1"
    gains = {
        line.key: float(np.mean(ours) - np.mean(theirs))
        for line, ours, theirs in _pairs(sheets)
        if line.kind == "structure"
    }
    if not gains:
        return what, None
    worse = {key: gain for key, gain in gains.items() if gain < 0}
    text = f"{what}: {len(gains) - len(worse)} of {len(gains)}"
    if worse:
        text += "; not " + ", ".join(f"{key} ({gain:+.3f})" for key, gain in worse.items())
    return text, not worse


def _against_ants(sheets: Mapping[tuple[str, str], Sheet], seed: int) -> Table:
    columns = (
        "structure or group", "kind", "tier", "cases", "Dice, model", "Dice, ANTs", "difference",
        "difference, 95 % interval",
    )  # fmt: skip
    rows = []
    for line, ours, theirs in _pairs(sheets):
        gain = bootstrap_mean(np.subtract(ours, theirs), seed)
        rows.append(
            (
                line.key, line.kind, line.tier, len(ours), float(np.mean(ours)),
                float(np.mean(theirs)), gain.mean, interval_text(gain),
            )
        )  # fmt: skip
    return Table(
        "against_ants", "The model beside ANTs on the same T1, no diffusion", columns, rows
    )


def _overview(sheets: Mapping[tuple[str, str], Sheet], words: Mapping[str, str]) -> Table:
    columns = (
        "method", "exam", "cases", "refused", "tier A Dice", "tier A, 95 % interval",
        "tier B Dice", "tier B, 95 % interval", "brainstem Dice", "tier A NSD", "tier A HD95 (mm)",
        "tier A volume error (%)", "tier A ICC(2,1)", "ECE", "AUROC of errors", "seconds",
    )  # fmt: skip
    rows = []
    for sheet in sheets.values():
        first, second = (line_of(sheet.lines, f"tier_{tier}") for tier in "AB")
        rows.append(
            (
                words[sheet.method], KINDS[sheet.kind].words, len(sheet.records), sheet.refused,
                first.dice.mean, interval_text(first.dice), second.dice.mean,
                interval_text(second.dice), sheet.dice("brainstem").mean, first.nsd,
                first.hd95_mm, first.volume_error_percent, sheet.icc("tier_A"), sheet.ece(ANY),
                sheet.auroc.mean, sheet.seconds,
            )
        )  # fmt: skip
    return Table("overview", "Overview", columns, rows)


def _kinds_table() -> Table:
    rows = [(slug, kind.words, kind.degraded) for slug, kind in KINDS.items()]
    return Table(
        "kinds", "Exams by their short name in the TSV", ("exam", "what", "degraded"), rows
    )


def _calibration(sheets: Mapping[tuple[str, str], Sheet]) -> Table:
    columns = (
        "method", "exam", "structure or group", "cases", "ECE", "ECE, 95 % interval",
        "overlooked true voxels (%)", "AUROC of errors", "AUROC, 95 % interval",
    )  # fmt: skip
    rows = []
    for sheet in sheets.values():
        if not sheet.bins:
            continue
        for key in (ANY, *(line.key for line in sheet.lines)):
            interval = sheet.ece_interval(key) if key in (ANY, "tier_A", "tier_B") else None
            auroc = sheet.auroc if key == ANY else None
            rows.append(
                (
                    sheet.method, sheet.kind, key, len(sheet.bins), sheet.ece(key),
                    interval_text(interval) if interval else "n/a", sheet.overlooked(key),
                    auroc.mean if auroc else None, interval_text(auroc) if auroc else "n/a",
                )
            )  # fmt: skip
    return Table("calibration", "Calibration and error detection", columns, rows)


def _reliability(curves: Sequence[Curve]) -> Table:
    columns = ("method", "exam", "from", "to", "voxels", "mean probability", "share right")
    rows = [
        (c.method, c.kind, n / BINS, (n + 1) / BINS, int(count), said / count, right / count)
        for c in curves
        for n, (count, said, right) in enumerate(
            zip(c.bins.voxels, c.bins.said, c.bins.right, strict=True)
        )
        if count
    ]
    return Table("reliability", "Reliability of the probability of the label given", columns, rows)


def _cases(sheets: Mapping[tuple[str, str], Sheet]) -> Table:
    columns = (
        "method", "exam", "case", "structure or group", "Dice", "NSD at 1 mm", "HD95 (mm)",
        "truth (mm3)", "found (mm3)", "AUROC of errors", "seconds", "refused",
    )  # fmt: skip
    rows = []
    for sheet in sheets.values():
        for case, record in sheet.records.items():
            for line in summarise({case: record.scores}):
                if line.kind == "structure" or not line.cases:
                    continue
                score = record.scores.get(line.key)  # groups have no volume of their own
                rows.append(
                    (
                        sheet.method, sheet.kind, case, line.key, line.dice.mean, line.nsd,
                        line.hd95_mm, score.truth_mm3 if score else None,
                        score.measured_mm3 if score else None, record.auroc, record.seconds,
                        bool(record.refused),
                    )
                )  # fmt: skip
    return Table("cases", "Groups and composites of every case", columns, rows)


_FOLDERS = {"model": default_folder, "unet": lambda: work_dir() / "runs" / "unet"}
"""Where the sidecars of the networks lie that are compared."""


def _effort(methods: Sequence[Method]) -> list[str]:
    """How long each network learned: a baseline that learned less is not beaten by a method."""
    told = []
    for method in methods:
        if method.slug not in _FOLDERS:
            continue
        sidecar = _FOLDERS[method.slug]() / "structures.json"
        if not sidecar.is_file():
            continue
        card = json.loads(sidecar.read_text(encoding="utf-8"))
        if card["sha256"] == method.identity["structures"]["sha256"]:
            steps = card["training"].get("total_steps", card["training"]["steps"])
            told.append(
                f"`{method.slug}`: {steps} steps, {card['training']['anatomies']} anatomies"
            )
    return [
        f"Learned for: {'; '.join(told)}. They did not learn equally long, and the U-Net was not "
        "calibrated."
    ] * (len(told) > 1)


def _notes() -> list[str]:
    return [
        "Simulated images are drawn from the same label atlas that training used, by the same kind "
        "of simulation: these figures say how well the model learnt its task, not how well it "
        "finds structures in patients.",
        "Volumes are those users see, from probabilities; ANTs has labels only. ICC(2,1) is that "
        "of true and found volumes (Shrout & Fleiss 1979), of a group the mean over its "
        "structures.",
        f"ECE: expected calibration error in {BINS} bins (Naeini et al. 2015), all cases "
        "together. Of a structure: its own probability, over the voxels where that is at least "
        "0.05; of a group the mean over its structures. Of the label given (`any`, and the "
        "overview): the probability of the label given, background too, over the voxels where "
        "all structures together reach 0.05. The truth has no part in choosing voxels; true "
        "voxels below 0.05 are counted as overlooked.",
        "AUROC of errors: how well the entropy tells wrong voxels from right ones within "
        f"{NEIGHBOURHOOD_MM:g} mm of a true or found label, mean over cases.",
        "Degraded exams are given as T1 + FA + MD. Thick slices: the T1 along one axis; scored on "
        "its own voxels against the truth brought there, volumes against those of the 1 mm truth. "
        "Noise: on all three images. Cut view: all images end at 10-35 % of the brainstem's "
        "height, mostly from below; structures of which under half is in view are left out. "
        "Atrophy: the medulla 8-16 % smaller, the pyramids a little more. The sizes are our own "
        "choice. Only the bundled model is asked these, and V1.",
        "ANTs carries the very atlas that the training anatomies were made from, from the "
        "skull-stripped ICBM T1, with the true brain mask and a template cut to the same field of "
        "view. The truth comes from label maps registered with ANTs' SyN, which may favour ANTs, "
        "and from the simulation that our model was trained on, which favours ours.",
        "An exam that is refused or fails counts as nothing found, in every figure but distances, "
        "ECE and AUROC. Seconds: median, as many threads as the machine gave, whatever else it "
        "did; records that were kept are of the day they were made.",
        "Good exams hold what training draws at random: contrast at will, thick slices or coarse "
        "voxels, some motion, heads without a skull. 'Degraded' adds to that.",
        "The methods: " + ", ".join(f"`{name}`" for name in METHODS) + "; see "
        "training/evaluation/methods.py.",
    ]
