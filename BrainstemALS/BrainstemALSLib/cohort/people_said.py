"""What a cohort's people lack for a group analysis: groups, sites, and who belongs to none."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .people import Row
from .remarks import Remark

FEW_AT_SITE = 2
"""Participants that a site needs for its effect to be told from theirs at all."""
_FILE = "participants.tsv"
_SHORT_MONTHS, _FEW_VALUES = 6.0, 8
_MONTHS = ("months_since_onset", "diagnostic_delay", "survival_months")


def say_composition(
    people: Sequence[Row], measured: Collection[str], remarks: list[Remark]
) -> None:
    """Name groups without anybody, sites with a single participant, and who belongs to no group.

    Parameters
    ----------
    people : sequence of dict
        Rows of all participants.
    measured : collection of str
        Participants with measures: an analysis counts no others.
    remarks : list of Remark
        Gets what was found.
    """
    there = [row for row in people if row["participant_id"] in measured]
    _say_groups(people, there, remarks)
    _say_sites(there, remarks)
    for name in _MONTHS:
        values = [row[name] for row in people if isinstance(row.get(name), float)]
        # Own choice: of so many patients, one has been ill for longer, unless these are years.
        if len(values) >= _FEW_VALUES and max(values) < _SHORT_MONTHS:
            remarks.append(
                Remark(
                    _FILE, f"all values are below {_SHORT_MONTHS:g}, taken for months; years?",
                    "Give months, or say the unit in the JSON file (Units: years).", "note",
                    column=name,
                )
            )  # fmt: skip


def _say_groups(people: Sequence[Row], there: Sequence[Row], remarks: list[Remark]) -> None:
    groups = [row.get("group") for row in people]
    if not any(group is not None for group in groups):
        return
    of_measured = [row.get("group") for row in there]
    for group in ("HC", "ALS"):
        if group not in groups:
            problem = f"the group {group} has no participant"
        elif there and group not in of_measured:
            problem = f"the group {group} has no participant with measures"
        else:
            continue
        remedy = "Comparisons with it are not made."
        remarks.append(Remark(_FILE, problem, remedy, "note", column="group"))
    for row in there:
        if row.get("group") is None:
            remarks.append(
                Remark(
                    _FILE, "there are measures, but no group",
                    "Write the group; comparisons of groups leave this participant out.",
                    "missing", column="group", participant=str(row["participant_id"]),
                )
            )  # fmt: skip


def _say_sites(there: Sequence[Row], remarks: list[Remark]) -> None:
    members: dict[str, list[str]] = {}
    for row in there:
        if row.get("site") is not None:
            members.setdefault(str(row["site"]), []).append(str(row["participant_id"]))
    ways: dict[str, list[str]] = {}
    for site in sorted(members):
        ways.setdefault("".join(filter(str.isalnum, site.casefold())), []).append(site)
        if len(members[site]) < FEW_AT_SITE and len(members) > 1:
            remarks.append(
                Remark(
                    _FILE, "a site has a single participant",
                    "Analyses that adjust for the site cannot use this participant.", "note",
                    column="site", participant=members[site][0],
                )
            )  # fmt: skip
    for written in ways.values():
        if len(written) > 1:
            fewest = min(written, key=lambda site: len(members[site]))
            for participant in members[fewest]:
                remarks.append(
                    Remark(
                        _FILE, "two sites differ only in the way of writing; they count as two",
                        "Write the same site alike.", "note", column="site",
                        participant=participant,
                    )
                )  # fmt: skip
