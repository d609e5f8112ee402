"""Builds the tables of a cohort from its derivatives and its clinical data; can be done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from ..imaging.staging import unwritable
from ..report.derivatives import BIDS_VERSION
from ..report.statements import RESEARCH_USE
from .clinical import read_clinical
from .discovery import Visit
from .exam_measures import exam_rows
from .out_folder import SOFTWARE
from .people import Row
from .people_said import say_composition
from .remarks import Remark
from .results_said import say_lost_diffusion, say_outdated, say_same_image
from .run_record import RunRecord, all_records
from .tables import DESCRIPTION, MEASURES, NUMBERS, PARTICIPANTS, VISITS, Cohort, is_simulated


def build_cohort(root: Path, out: Path, visits: Sequence[Visit], remarks: list[Remark]) -> Cohort:
    """Build the three tables: all of the dataset's people, all of the output folder's measures.

    Parameters
    ----------
    root, out : Path
        BIDS dataset and folder of the results.
    visits : sequence of Visit
        All visits of the dataset, whichever were asked for.
    remarks : list of Remark
        Gets what was found.

    Raises
    ------
    BrainstemALSError
        MISSING_PACKAGE: pandas is not installed.
    """
    need_pandas()
    import pandas as pd

    records = all_records(out)
    people, clinical = read_clinical(root, visits, remarks)
    _say_orphans(records, people, clinical, remarks)
    say_outdated(records, visits, root, remarks)
    rows: list[Row] = []
    for record in records:
        try:
            own = exam_rows(record.path.parent, record.stem, record.participant, record.session)
            rows += own
            say_lost_diffusion(record, own, remarks)
        except (OSError, ValueError, KeyError):
            remarks.append(
                Remark(
                    record.path.name, "its tables are damaged", "Run participant with --redo.",
                    "left out", participant=record.participant, session=record.session,
                )
            )  # fmt: skip
    say_same_image(records, remarks)
    say_composition(people, {str(row["participant_id"]) for row in rows}, remarks)
    frame = pd.DataFrame(rows, columns=list(MEASURES))
    keys = ["participant_id", "session_id", "measure", "structure"]
    return Cohort(
        _frame(people, PARTICIPANTS),
        _frame(clinical, VISITS),
        frame.sort_values(keys, ignore_index=True, kind="stable"),
        is_simulated(root),
    )


def need_pandas() -> None:
    """Refuse to go on without pandas (MISSING_PACKAGE)."""
    from importlib.util import find_spec

    if find_spec("pandas") is None:
        raise BrainstemALSError(
            "cohort", "pandas is not installed", "Install it: pip install 'brainstem-als[cohort]'.",
            ExitCode.MISSING_PACKAGE,
        )  # fmt: skip


def describe(out: Path, simulated: bool) -> None:
    """Write what makes the output folder a BIDS derivative dataset; the same whenever written."""
    from .. import __version__

    content = {
        "Name": "Brainstem measures of a cohort",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": SOFTWARE, "Version": __version__, "Description": RESEARCH_USE}],
        **({"source": "simulated", "simulated": True} if simulated else {}),
    }
    try:
        write_whole(out / DESCRIPTION, (json.dumps(content, indent=2) + "\n").encode())
    except OSError:
        raise unwritable(out) from None


def _say_orphans(
    records: Sequence[RunRecord], people: list[Row], visits: list[Row], remarks: list[Remark]
) -> None:
    """Results of people and visits that the dataset no longer has: kept, and named."""
    known = {row["participant_id"] for row in people}
    for participant in sorted({record.participant for record in records} - known):
        people.append({"participant_id": participant})
        remarks.append(
            Remark(
                participant, "there are results of the participant, but no images and no row",
                "Delete them with brainstem-als cohort-forget, or put the images back.", "kept",
                participant=participant,
            )
        )  # fmt: skip
    people.sort(key=lambda row: str(row["participant_id"]))
    there = {(row["participant_id"], row["session_id"]) for row in visits}
    for record in records:
        if (record.participant, record.session) in there:
            continue
        visits.append({"participant_id": record.participant, "session_id": record.session})
        if record.participant in known:
            remarks.append(
                Remark(
                    record.session, "there are results of the visit, but no images",
                    "Delete its folder of results, or put the images back.", "kept",
                    participant=record.participant, session=record.session,
                )
            )  # fmt: skip


def _frame(rows: Sequence[Row], columns: Sequence[str]):
    import pandas as pd

    frame = pd.DataFrame(
        [{name: row.get(name) for name in columns} for row in rows], columns=list(columns)
    )
    for name in columns:
        column = frame[name]
        frame[name] = (
            pd.to_numeric(column)
            if name in NUMBERS
            else column.astype(object).where(column.notna())
        )
    return frame
