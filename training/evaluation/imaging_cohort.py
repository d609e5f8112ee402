"""Measure the error of the real segmentation on simulated images of a cohort.

    python -m training.cohort.imaging
    brainstem-als cohort data/cohort/imaging/bids data/cohort/imaging/results participant
    python -m training.evaluation.imaging_cohort [--write]

Compares what the pipeline measured with the truth of the images, and writes a page; ``--write``
also writes training/cohort/imaging_errors.json for ``training.cohort.simulate --errors``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.cohort.tables import read_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.report.tables import write_json

from ..cohort.config import load_config
from ..cohort.errors import MEASURED, configured_error
from ..cohort.healthy import MEASURES, build_norm
from ..cohort.imaging import default_folder
from ..cohort.imaging_files import read_image_truth
from ..cohort.measuring import COMPOSITES
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..cohort.spread import STRUCTURES
from ..commands import finish
from ..data import repository
from .commands import arguments, publish
from .imaging_cohort_errors import ErrorOf, compared, errors_of, group_effects, repeat_sd
from .tables import Page, Table

if TYPE_CHECKING:
    import pandas as pd

ERRORS = f"training/cohort/{MEASURED}"
KEYS = [s.key for s in STRUCTURES]
SLOPES = (0.05, 1.5)
LEAST = 10
"""Visits that an error needs to be written down; our own choice."""
SHOWN = (*COMPOSITES, "pyramid_left", "pyramid_right", "basis_pontis_left", "basis_pontis_right")
EFFECTS = (
    ("medulla", "volume"), ("pons", "volume"), ("midbrain", "volume"), ("pyramid_left", "volume"),
    ("pyramid_left", "fa"), ("cst_pons_left", "fa"), ("cst_crus_left", "fa"),
    ("pyramid_left", "md"),
)  # fmt: skip


def error_rows(errors: list[ErrorOf], repeats: dict[tuple[str, str], float]) -> list[tuple]:
    """Rows of the table of errors: volumes in per cent of the true volume."""
    rows = []
    for e in errors:
        scale = 100.0 if e.measure == "volume" else 1.0
        rows.append(
            (
                e.structure,
                e.measure,
                e.visits,
                scale * e.bias,
                scale * e.sd,
                scale * e.between_sites,
                scale * repeats.get((e.structure, e.measure), np.nan),
                e.correlation,
                e.slope,
                scale * e.residual,
                e.stated_ratio,
            )
        )
    return rows


COLUMNS = (
    "structure", "measure", "visits", "bias", "SD", "SD between sites", "SD of a repeat",
    "r with truth", "slope on truth", "SD about that line",
    "SD over stated uncertainty",
)  # fmt: skip


def tier_table(errors: list[ErrorOf]) -> Table:
    """Medians over structures, beside what the configuration assumed."""
    norm = build_norm(load_config())
    assumed = configured_error(norm, Scenario()).sd
    tiers = {s.key: s.tier for s in STRUCTURES}
    rows = []
    for row, measure in enumerate(MEASURES):
        for tier in ("A", "B"):
            found = [e for e in errors if e.measure == measure and tiers.get(e.structure) == tier]
            if not found:
                continue
            scale = 100.0 if measure == "volume" else 1.0
            places = [KEYS.index(e.structure) for e in found]
            rows.append(
                (
                    measure,
                    tier,
                    len(found),
                    scale * float(np.median([e.bias for e in found])),
                    scale * float(np.median([e.sd for e in found])),
                    scale * float(np.median(assumed[row, places])),
                    _median([e.correlation for e in found]),
                    _median([e.stated_ratio for e in found]),
                )
            )
    columns = (
        "measure", "tier", "structures", "bias", "SD", "SD assumed so far", "r with truth",
        "SD over stated uncertainty",
    )  # fmt: skip
    caption = "Error by tier, medians over structures; volumes in per cent, MD in 1e-3 mm2/s"
    return Table("tiers", caption, columns, rows)


def _median(values: list[float]) -> float:
    finite = [v for v in values if np.isfinite(v)]
    return float(np.median(finite)) if finite else float("nan")


def written_errors(errors: list[ErrorOf], repeats: dict[tuple[str, str], float]) -> dict:
    """Content of the JSON file that the simulator reads.

    Without the biases: the levels of the tabular cohort are already those that the segmentation
    finds on real heads (``border_*`` in parameters.toml) and that papers have measured (FA, MD).
    """
    kept: dict[str, dict[str, dict[str, float]]] = {name: {} for name in MEASURES}
    for e in errors:
        if e.structure in KEYS and e.visits >= LEAST:
            again = repeats.get((e.structure, e.measure), e.residual)
            entry = {
                "sd": e.residual,
                "slope": float(np.clip(e.slope, *SLOPES)) if np.isfinite(e.slope) else 1.0,
                "lasting": float(np.clip(1.0 - (again / e.residual) ** 2, 0.0, 0.99)),
            }
            kept[e.measure][e.structure] = {k: float(f"{v:.4g}") for k, v in entry.items()}
    return {
        "kind": "simulated",
        "source": "real segmentation of simulated images: training.evaluation.imaging_cohort",
        "errors": kept,
    }


def detectable(path: Path, seed: int) -> list[tuple]:
    """Standardised group differences of the tabular cohort, with assumed and measured errors."""
    rows = []
    config = load_config()
    with_assumed = simulate(config, 500, 500, 0, seed)[0]
    with_measured = simulate(config, 500, 500, 0, seed, errors=path)[0]
    for structure, measure in EFFECTS:
        found = [
            _difference(cohort, structure, measure) for cohort in (with_assumed, with_measured)
        ]
        rows.append((structure, measure, *found))
    return rows


def _difference(cohort, structure: str, measure: str) -> float:
    """Cohen's d of the first visits, patients minus controls, within sites."""
    table: pd.DataFrame = cohort.measures
    table = table[(table.structure == structure) & (table.measure == measure)]
    table = table.sort_values("session_id").groupby("participant_id", as_index=False).first()
    table = table.merge(cohort.participants[["participant_id", "group", "site"]])
    table["value"] -= table.groupby("site").value.transform("mean")
    groups = [table.value[table.group == name] for name in ("ALS", "HC")]
    spread = np.sqrt(np.mean([g.var(ddof=1) for g in groups]))
    return float((groups[0].mean() - groups[1].mean()) / spread)


def main() -> None:
    parser = arguments(__doc__ or "", models=False)
    parser.add_argument("--cohort", type=Path, help="instead of data/cohort/imaging")
    parser.add_argument("--results", type=Path, help="instead of its folder results")
    parser.add_argument("--write", action="store_true", help=f"write {ERRORS} too")
    given = parser.parse_args()

    def command() -> None:
        folder = given.cohort or default_folder()
        results = given.results or folder / "results"
        truth = read_image_truth(folder)
        if not (results / "measures.tsv").is_file():
            raise BrainstemALSError(
                results, "no results of the imaging cohort lie there",
                "Run brainstem-als cohort on its bids folder first.", ExitCode.USAGE,
            )  # fmt: skip
        publish(page(truth, read_cohort(results), results, given.write), given.out)

    finish(command)


def page(truth: pd.DataFrame, cohort, results: Path, write: bool) -> Page:
    """Return the page; with ``write`` the JSON file is written as well."""
    import pandas as pd

    rows = compared(truth, cohort)
    errors = errors_of(rows)
    repeats = repeat_sd(rows)
    path = repository() / ERRORS
    if write:
        write_json(path, written_errors(errors, repeats))
    summary = pd.read_csv(results / "summary.tsv", sep="\t")
    done = int((summary.status == "done").sum())
    of = len(truth[["participant_id", "session_id"]].drop_duplicates())
    people = cohort.participants.group.value_counts()
    measured = {(e.structure, e.measure) for e in errors if e.structure in KEYS}
    missing = [f"{k} ({m})" for m in MEASURES for k in KEYS if (k, m) not in measured]
    singles = [e for e in errors if e.structure in by_key()]
    tables = [
        tier_table(singles),
        Table(
            "composites",
            "Error of regions, tracts and some structures; volumes in per cent",
            COLUMNS,
            error_rows([e for e in errors if e.structure in SHOWN], repeats),
        ),
        Table(
            "groups",
            "Patients against controls in these images: what is there and what is measured",
            ("structure", "measure", "unit", "true difference", "measured", "from", "to"),
            group_effects(rows, EFFECTS),
        ),
    ]
    if path.is_file():
        tables.append(
            Table(
                "detectable",
                "Patients against controls (Cohen's d, 500 each, tabular cohort, seed 31)",
                ("structure", "measure", "with assumed errors", "with measured errors"),
                detectable(path, 31),
                digits=2,
            )
        )
    quality = rows.drop_duplicates(["participant_id", "session_id"]).quality.value_counts()
    return Page(
        stem="imaging_cohort",
        title="Error of measurement: a simulated cohort through the real segmentation",
        kind="simulated",
        data=(
            f"{of} visits of {people.get('ALS', 0)} patients, {people.get('HC', 0)} controls and "
            f"{people.get('MIMIC', 0)} mimics; T1 at 1 mm, FA and MD at 2 mm; held-out anatomies."
        ),
        seed=_seed(results.parent),
        tables=tables,
        marks=(
            (f"visits that went through the pipeline: {done} of {of}", done == of),
            (
                f"structures with a measured error of their volume: "
                f"{sum(m == 'volume' for _, m in measured)} of {len(KEYS)}",
                sum(m == "volume" for _, m in measured) == len(KEYS),
            ),
        ),
        notes=(
            "Bias: measured minus true, of volumes as a share of the true one; SD: within a site, "
            "about the site's mean. Between persons, an error is partly the person's own: the SD "
            "of a repeat, from two visits of one person, says what a change is measured with. The "
            "simulator takes the SD about the line, its slope, and which share of the SD stays "
            "with the person, and not the bias: its levels are those of measured heads already.",
            "Where few visits have FA or MD, the outline is too thin for 2 mm voxels; what is "
            "missing is not simulated.",
            "True FA and MD are those of the tissue; what 2 mm voxels mix is therefore bias.",
            "The images have one tissue per structure with a fine grain, no lesions, no motion: "
            "real errors will be larger. The box shows no whole head, so that there is no "
            "intracranial volume, and no adjustment for it.",
            "Quality of the first measure by visit: "
            + ", ".join(f"{name} {count}" for name, count in quality.items())
            + ". "
            + ("Not measured: " + ", ".join(missing) + "." if missing else "All were measured."),
        ),
        attachments=(Table("structures", "All structures", COLUMNS, error_rows(errors, repeats)),),
    )


def _seed(folder: Path) -> int | None:
    import json

    path = folder / "bids" / "dataset_description.json"
    return json.loads(path.read_bytes())["Seed"] if path.is_file() else None


if __name__ == "__main__":
    main()
