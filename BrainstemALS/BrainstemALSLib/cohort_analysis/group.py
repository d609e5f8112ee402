"""The one way into the group analysis: tables of a cohort in, report and tables out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from .comparisons import cross_sectional
from .correlation import clinical_correlations
from .design import build_design
from .missing import missing_covariates, missing_measures, missing_visits
from .mixed import COLUMNS as CHANGE_COLUMNS
from .mixed import change_over_time
from .options import SIMULATED, GroupOptions, Notes
from .results import GroupResults, write_record, write_tables
from .sensitivity import SUMMARY_COLUMNS, sensitivity
from .spread_section import estimate_spread

if TYPE_CHECKING:
    from ..cohort.tables import Cohort

REPORT = "group.html"


def analyse_group(
    cohort: Cohort, options: GroupOptions | None = None, say: Callable[[str], None] = lambda _: None
) -> GroupResults:
    """Analyse a cohort without writing anything.

    Parameters
    ----------
    cohort : Cohort
        ``participants``, ``visits`` and ``measures`` as ``BrainstemALSLib.cohort.tables`` has them.
    options : GroupOptions, optional
    say : callable
        Gets one line as each part begins.

    Raises
    ------
    BrainstemALSError
        USAGE: tables that cannot be analysed. MISSING_PACKAGE: pandas or statsmodels is absent.
    """
    _need_packages()
    import pandas as pd

    options = options or GroupOptions()
    notes = Notes()
    source = SIMULATED if getattr(cohort, "simulated", False) else options.source
    design = build_design(cohort, notes)
    say("comparing groups, onsets and stages")
    comparisons = cross_sectional(design, options, notes)
    change = pd.DataFrame(columns=list(CHANGE_COLUMNS))
    if options.mixed:
        say("change over time")
        change = change_over_time(design, options, notes)
    say("clinical scores")
    correlations = clinical_correlations(design, options, notes)
    everything = pd.DataFrame(columns=["variant", *comparisons.columns])
    summary = pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    if options.sensitivity:
        say("sensitivity")
        everything, summary = sensitivity(design, options, notes)
    say("spread order")
    spread = estimate_spread(cohort, options, notes)
    missing = {
        "measures": missing_measures(design),
        "visits": missing_visits(design, cohort.participants),
        "covariates": missing_covariates(design, options.adjust),
    }
    return GroupResults(
        design, options, source, notes, comparisons, change, correlations, everything, summary,
        missing, spread,
    )  # fmt: skip


def run_group(
    cohort: Cohort,
    out: Path,
    options: GroupOptions | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Analyse a cohort and write ``group.html``, ``group.json``, TSV tables, PNG and NIfTI maps.

    Parameters
    ----------
    cohort, options, say
        As ``analyse_group``.
    out : pathlib.Path
        Folder; made where it does not exist.

    Returns
    -------
    list of pathlib.Path
        What was written; the report is the first.

    Raises
    ------
    BrainstemALSError
        As ``analyse_group``; OUTPUT_REFUSED: the folder cannot be written to.
    """
    from .figures import draw_figures
    from .html_report import report_page

    results = analyse_group(cohort, options, say)
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
