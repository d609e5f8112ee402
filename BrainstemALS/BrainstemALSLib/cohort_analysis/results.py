"""Everything a group analysis found, and its tables on disk."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..durability import write_whole
from ..report.statements import RESEARCH_USE
from .design import GROUPS, Design
from .methods_text import methods, versions
from .options import GroupOptions, Notes
from .spread import Spread
from .spread_section import spread_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(eq=False)
class GroupResults:
    """What was found.

    Attributes
    ----------
    design : Design
    options : GroupOptions
    source : str
        ``simulated``, ``real`` or ``not stated``.
    notes : Notes
    comparisons, change, correlations, sensitivity, variants : pandas.DataFrame
        Of ``linear``, ``mixed``, ``correlation`` and ``sensitivity``.
    missing : dict of str to pandas.DataFrame
        ``measures``, ``visits``, ``covariates``.
    spread : Spread or None
    individual, beyond : pandas.DataFrame
        Of ``individual_change``; empty where no change of single participants was given.
    harmonised : bool
        The values are those after ComBat, and site is in no model.
    figures : dict of str to bytes
        Name to PNG.
    """

    design: Design
    options: GroupOptions
    source: str
    notes: Notes
    comparisons: pd.DataFrame
    change: pd.DataFrame
    correlations: pd.DataFrame
    sensitivity: pd.DataFrame
    variants: pd.DataFrame
    missing: dict[str, pd.DataFrame]
    spread: Spread | None = None
    individual: pd.DataFrame | None = None
    beyond: pd.DataFrame | None = None
    harmonised: bool = False
    figures: dict[str, bytes] = field(default_factory=dict)

    def main(self) -> pd.DataFrame:
        """Return the contrast that figures and the summary show: ALS against controls."""
        table = self.comparisons
        return table[(table.analysis == "group") & (table.contrast == "ALS - HC")]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return what is written as TSV, by name."""
        import pandas as pd

        found = {
            "comparisons": self.comparisons,
            "change": self.change,
            "correlations": self.correlations,
            "sensitivity": self.sensitivity,
            "sensitivity_summary": self.variants,
            **{f"missing_{name}": table for name, table in self.missing.items()},
            "notes": pd.DataFrame(
                self.notes.rows(None), columns=["about", "problem", "concerns", "count"]
            ),
        }
        if self.beyond is not None and len(self.beyond):
            found["individual_change"] = self.individual
            found["beyond_error"] = self.beyond
        if self.spread is not None:
            found["spread"] = spread_table(self.spread)
        return found


def write_tables(results: GroupResults, folder: Path) -> list[Path]:
    """Write every table as TSV (BIDS: n/a for what is missing), each row with its source.

    A table of an earlier run that this one does not have is deleted: results of two runs never mix.
    """
    written = []
    for name, table in results.tables().items():
        path = folder / f"group_{name}.tsv"
        text = table.assign(source=results.source).to_csv(
            sep="\t", index=False, na_rep="n/a", float_format="%.6g", lineterminator="\n"
        )
        write_whole(path, text.encode())
        written.append(path)
    for old in set(folder.glob("group_*.tsv")) - set(written):
        old.unlink()
    return written


def write_record(results: GroupResults, folder: Path) -> Path:
    """Write ``group.json``: what ran, on whom, with which software; no participant is named."""
    design, options = results.design, results.options
    record = {
        "format": 1,
        "source": results.source,
        "statement": RESEARCH_USE,
        "versions": versions(),
        "seed": options.seed,
        "permutations": options.permutations,
        "alpha": options.alpha,
        "adjust": list(options.adjust),
        "harmonised": results.harmonised,
        "command": options.command,
        "participants": {g: int((design.people.group == g).sum()) for g in GROUPS},
        "visits": len(design.observations),
        "measures": len(design.measures),
        "methods": methods(results),
        "notes": results.notes.rows(),
    }
    path = folder / "group.json"
    write_whole(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    return path


def number(value: object, digits: int = 2, sign: bool = False) -> str:
    """Return a number for a reader; n/a for what is missing."""
    if value is None or (isinstance(value, float | np.floating) and not math.isfinite(value)):
        return "n/a"
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    # Rounded to nothing: neither -0.0 nor +0.0 says more.
    return text.lstrip("+-") if float(text) == 0 else text


def p_text(value: float) -> str:
    """Return a p-value for a reader."""
    if not math.isfinite(value):
        return "n/a"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
