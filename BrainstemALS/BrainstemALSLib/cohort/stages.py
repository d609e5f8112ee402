"""Completes the clinical scores of visits from the items of the ALSFRS-R."""

from __future__ import annotations

from collections.abc import Mapping

from ..prognosis import alsfrs, kings, mitos
from .people import Row
from .remarks import Remark
from .tables import ALSFRS_COLUMNS

_FLAG = {"yes": True, "no": False}
_FILE = "ALSFRS-R"


def completed(rows: list[Row], groups: Mapping[str, object], remarks: list[Remark]) -> None:
    """Fill in item 5, gastrostomy, the sum and the stages where the items give them.

    Parameters
    ----------
    rows : list of dict
        Visits, changed in place; ``alsfrs_05a`` and ``alsfrs_05b`` go.
    groups : mapping
        Participant to group: stages are of patients with ALS alone.
    remarks : list of Remark
        Gets sums that contradict their items.
    """
    for row in rows:
        who = str(row["participant_id"]), str(row["session_id"])
        _item_5(row, who, remarks)
        ratings = [row.get(name) for name in ALSFRS_COLUMNS]
        if all(rating is None for rating in ratings):
            continue
        whole = [alsfrs.NOT_RATED if rating is None else int(rating) for rating in ratings]
        total = alsfrs.total(whole)
        if total is not None:
            if row.get("alsfrs_total") not in (None, float(total)):
                remarks.append(
                    Remark(
                        _FILE, "the sum that is given is not that of the items, which counts",
                        "Correct the sum or the items.", "converted", 0, "alsfrs_total", *who,
                    )
                )  # fmt: skip
            row["alsfrs_total"] = float(total)
        if groups.get(who[0]) != "ALS":
            continue
        if row.get("kings") is None:
            gastrostomy, niv = (_FLAG.get(str(row.get(name))) for name in ("gastrostomy", "niv"))
            row["kings"] = kings.stage(whole, gastrostomy, niv)
        if row.get("mitos") is None:
            stage = mitos.stage(whole)
            row["mitos"] = None if stage is None else float(stage)


def _item_5(row: Row, who: tuple[str, str], remarks: list[Remark]) -> None:
    """Make one item of its two forms."""
    without, with_gastrostomy = row.pop("alsfrs_05a", None), row.pop("alsfrs_05b", None)
    if row.get("alsfrs_05") is not None or (without is None and with_gastrostomy is None):
        return
    if without is not None and with_gastrostomy is not None:
        if without != with_gastrostomy:
            remarks.append(
                Remark(
                    _FILE, "both forms of item 5 are rated, and differ",
                    "Rate 5a without and 5b with a gastrostomy.", "set to n/a", 0, "alsfrs_05",
                    *who,
                )
            )  # fmt: skip
            return
        row["alsfrs_05"] = without
        return
    row["alsfrs_05"] = without if with_gastrostomy is None else with_gastrostomy
    if row.get("gastrostomy") is None:
        row["gastrostomy"] = "no" if with_gastrostomy is None else "yes"
