"""Does the main finding hold when a choice is made otherwise? ALS against controls, many ways."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .comparisons import group_question
from .design import Design
from .harmonise import harmonised
from .linear import answer, with_rates
from .options import GroupOptions, Notes

if TYPE_CHECKING:
    import pandas as pd

PRIMARY = "as reported"
SUMMARY_COLUMNS = (
    "variant", "n", "n_reference", "estimated", "found", "lost", "new", "largest_change_of_d",
    "structure_of_largest_change", "correlation_of_d",
)  # fmt: skip


def variants(
    design: Design, options: GroupOptions, notes: Notes, measured: Design | None = None
) -> dict[str, tuple[GroupOptions, pd.DataFrame | None]]:
    """Return the other ways to analyse: name to options and values.

    ``measured`` is the design before ComBat, where ``design`` is the one after it.
    """
    options = replace(options, permutations=0)

    def without(term: str) -> GroupOptions:
        return replace(options, adjust=tuple(t for t in options.adjust if t != term))

    found: dict[str, tuple[GroupOptions, pd.DataFrame | None]] = {PRIMARY: (options, None)}
    if design.warned.to_numpy().any():
        found["without warnings"] = (options, design.first.mask(design.warned))
    if "site" in options.adjust:
        found["without site"] = (without("site"), None)
        free = harmonised(design, notes) if design.people.site.nunique() > 1 else None
        if free is not None:
            found["harmonised by ComBat"] = (without("site"), free.first)
    elif measured is not None:
        with_site = replace(options, adjust=(*options.adjust, "site"))
        found["with site, not harmonised"] = (with_site, measured.first)
    if "age" in options.adjust:
        found["with age squared"] = (
            replace(options, adjust=(*options.adjust, "age2")), None
        )  # fmt: skip
    if "icv" in options.adjust and design.people.icv.notna().any():
        found["without intracranial volume"] = (without("icv"), None)
        found["intracranial volume by residuals"] = (without("icv"), residual_method(design))
    return found


def residual_method(design: Design) -> pd.DataFrame:
    """Return first values with volumes freed of intracranial volume by the slope of controls.

    V - b (ICV - mean ICV of controls), b the slope of controls alone (Mathalon et al. 1993,
    doi:10.1016/0925-4927(93)90016-F).
    """
    values, people = design.first.copy(), design.people
    controls = (people.group == "HC") & people.icv.notna()
    centred = people.icv - people.icv[controls].mean()
    for key in design.measures_of("volume"):
        use = (controls & values[key].notna()).to_numpy()
        x, y = centred[use].to_numpy(float), values[key][use].to_numpy(float)
        slope = float(x @ (y - y.mean()) / (x @ (x - x.mean()))) if use.sum() > 2 else np.nan
        values[key] = values[key] - slope * centred
    return values


def sensitivity(
    design: Design, options: GroupOptions, notes: Notes, measured: Design | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every estimate of every variant, and one summary row for each variant.

    What is dropped in a variant is noted with the variant's name.
    """
    import pandas as pd

    tables = []
    for name, (chosen, values) in variants(design, options, notes, measured).items():
        own = Notes()
        table = answer(group_question(design), design, chosen, own, values=values)
        table.insert(0, "variant", name)
        tables.append(table)
        if name != PRIMARY:
            for about, problem in own.found:
                if (about, problem) not in notes.found:
                    notes.add(about, problem, f"sensitivity: {name}")
    everything = with_rates(pd.concat(tables, ignore_index=True))
    return everything, _summary(everything, options.alpha)


def _summary(table: pd.DataFrame, alpha: float) -> pd.DataFrame:
    import pandas as pd

    key = ["measure", "structure"]
    main = table[table.variant == PRIMARY].set_index(key)
    found = main.q < alpha
    rows = []
    for name, part in table.groupby("variant", sort=False):
        part = part.set_index(key).reindex(main.index)
        here = part.q < alpha
        change = (part.adjusted_d - main.adjusted_d).abs()
        both = part.adjusted_d.notna() & main.adjusted_d.notna()
        largest = change.idxmax() if change.notna().any() else ("n/a", "n/a")
        varied = both.sum() > 2
        rows.append({
            "variant": name,
            "n": part.n.max(),
            "n_reference": part.n_reference.max(),
            "estimated": int(part.p.notna().sum()),
            "found": int(here.sum()),
            "lost": int((found & ~here).sum()),
            "new": int((here & ~found).sum()),
            "largest_change_of_d": float(change.max()) if both.any() else np.nan,
            "structure_of_largest_change": f"{largest[0]} of {largest[1]}",
            "correlation_of_d": float(part.adjusted_d[both].corr(main.adjusted_d[both]))
            if varied else np.nan,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))
