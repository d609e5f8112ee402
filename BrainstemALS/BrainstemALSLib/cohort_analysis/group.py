"""The one way into the group analysis: tables of a cohort in, report and tables out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from .comparisons import cross_sectional
from .correlation import clinical_correlations
from .design import build_design
from .harmonise import harmonised
from .individual_change import BEYOND_COLUMNS, beyond_error, compare_changes, usable_changes
from .individual_change import COLUMNS as INDIVIDUAL_COLUMNS
from .missing import missing_covariates, missing_measures, missing_visits
from .mixed import COLUMNS as CHANGE_COLUMNS
from .mixed import change_over_time
from .options import HARMONISE, SIMULATED, GroupOptions, Notes
from .results import GroupResults, write_record, write_tables
from .sensitivity import SUMMARY_COLUMNS, sensitivity
from .spread_section import estimate_spread

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort.tables import Cohort

REPORT = "group.html"


def analyse_group(
    cohort: Cohort,
    options: GroupOptions | None = None,
    say: Callable[[str], None] = lambda _: None,
    changes: pd.DataFrame | None = None,
) -> GroupResults:
    """Analyse a cohort without writing anything.

    Parameters
    ----------
    cohort : Cohort
        ``participants``, ``visits`` and ``measures`` as ``BrainstemALSLib.cohort.tables`` has them.
    options : GroupOptions, optional
    say : callable
        Gets one line as each part begins.
    changes : pandas.DataFrame, optional
        Of ``cohort.changes.read_changes``: change of each participant by longitudinal processing.

    Raises
    ------
    BrainstemALSError
        USAGE: tables that cannot be analysed, or an unknown way to harmonise. MISSING_PACKAGE:
        pandas or statsmodels is absent.
    """
    _need_packages()
    import pandas as pd

    options = options or GroupOptions()
    if options.harmonise not in HARMONISE:
        raise BrainstemALSError(
            "harmonise", f"{options.harmonise} is unknown", f"Choose {' or '.join(HARMONISE)}.",
            ExitCode.USAGE,
        )  # fmt: skip
    notes = Notes()
    source = SIMULATED if getattr(cohort, "simulated", False) else options.source
    design, measured = build_design(cohort, notes), None
    if options.harmonise == "combat" and (free := harmonised(design, notes)) is not None:
        design, measured = free, design
        options = replace(options, adjust=tuple(t for t in options.adjust if t != "site"))
    say("comparing groups, onsets and stages")
    comparisons = cross_sectional(design, options, notes)
    change = pd.DataFrame(columns=list(CHANGE_COLUMNS))
    if options.mixed:
        say("change over time")
        change = change_over_time(design, options, notes)
    individual = pd.DataFrame(columns=list(INDIVIDUAL_COLUMNS))
    beyond = pd.DataFrame(columns=list(BEYOND_COLUMNS))
    if changes is not None and len(changes):
        say("change of each participant")
        usable = usable_changes(changes, design, notes)
        individual = compare_changes(usable, design, options, notes)
        beyond = beyond_error(usable, design, options)
    say("clinical scores")
    correlations = clinical_correlations(design, options, notes)
    everything = pd.DataFrame(columns=["variant", *comparisons.columns])
    summary = pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    if options.sensitivity:
        say("sensitivity")
        everything, summary = sensitivity(design, options, notes, measured)
    say("spread order")
    spread = estimate_spread(cohort, options, notes)
    missing = {
        "measures": missing_measures(design),
        "visits": missing_visits(design, cohort.participants),
        "covariates": missing_covariates(design, options.adjust),
    }
    return GroupResults(
        design, options, source, notes, comparisons, change, correlations, everything, summary,
        missing, spread, individual, beyond, harmonised=measured is not None,
    )  # fmt: skip


def run_group(
    cohort: Cohort,
    out: Path,
    options: GroupOptions | None = None,
    say: Callable[[str], None] = lambda _: None,
    changes: Path | None = None,
) -> list[Path]:
    """Analyse a cohort and write ``group.html``, ``group.json``, TSV tables, PNG and NIfTI maps.

    Parameters
    ----------
    cohort, options, say
        As ``analyse_group``.
    out : pathlib.Path
        Folder; made where it does not exist.
    changes : pathlib.Path, optional
        Folder of ``changes.tsv``; where it is not told, the one that holds ``out``, as the cohort
        runner has it. Without that table this part of the report says so.

    Returns
    -------
    list of pathlib.Path
        What was written; the report is the first.

    Raises
    ------
    BrainstemALSError
        As ``analyse_group``; OUTPUT_REFUSED: the folder cannot be written to.
    """
    from ..cohort.changes import read_changes
    from .figures import draw_figures
    from .html_report import report_page

    found = read_changes(out.parent if changes is None else changes)
    results = analyse_group(cohort, options, say, found)
    try:
        out.mkdir(parents=True, exist_ok=True)
        drawn = []
        if results.options.figures:
            say("figures")
            drawn = draw_figures(results, out)
        written = [*write_tables(results, out), *drawn]
        written.append(write_record(results, out))
        write_whole(out / REPORT, report_page(results).encode())
    except OSError:
        raise BrainstemALSError(
            out, "results cannot be written to this folder", "Choose another folder.",
            ExitCode.OUTPUT_REFUSED,
        ) from None  # fmt: skip
    return [out / REPORT, *written]


def _need_packages() -> None:
    from importlib.util import find_spec

    missing = [
        name
        for name in ("pandas", "statsmodels", "matplotlib", "jinja2")
        if find_spec(name) is None
    ]
    if missing:
        raise BrainstemALSError(
            "group analysis", f"{', '.join(missing)} is not installed",
            "Install brainstem-als[cohort].", ExitCode.MISSING_PACKAGE,
        )  # fmt: skip
