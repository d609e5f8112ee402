"""What is odd about results that are there: outdated, of unlike runs, without their diffusion."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..report.naming import derivative_name
from .discovery import Visit, input_files, name_within
from .exam_measures import OF_DIFFUSION
from .remarks import Remark
from .run_record import RunRecord, same_inputs

_AGAIN = "Run participant again; without --participant-label it is done for everybody."
_DIFFUSION = ("fa", "md")


def say_outdated(
    records: Sequence[RunRecord], visits: Iterable[Visit], root: Path, remarks: list[Remark]
) -> None:
    """Name results of images that have changed since, and of other options, models or versions."""
    on_disk = {(visit.participant, visit.session): visit for visit in visits}
    usual = Counter(str(record.content["settings"]) for record in records).most_common(1)
    for record in records:
        visit = on_disk.get((record.participant, record.session))
        problems = []
        if visit is not None and not _fits(visit, root, record.content["inputs"]):
            problems.append("its images, or the choice of diffusion, have changed since")
        if record.content["settings"] != usual[0][0]:
            problems.append("it was processed with other options, models or version than most")
        for problem in problems:
            remarks.append(
                Remark(
                    record.path.name, problem, _AGAIN, "kept", participant=record.participant,
                    session=record.session,
                )
            )  # fmt: skip


def say_lost_diffusion(
    record: RunRecord, rows: Iterable[Mapping[str, Any]], remarks: list[Remark]
) -> None:
    """Name a visit whose diffusion lies on disk and gave no measure, with the reason.

    Raises
    ------
    OSError, ValueError, KeyError
        The findings of the exam are missing or damaged.
    """
    if record.content["diffusion"] == "none" or any(row["measure"] in _DIFFUSION for row in rows):
        return
    path = record.path.with_name(derivative_name(record.stem, "qc", ".json"))
    findings = json.loads(path.read_text(encoding="utf-8"))["findings"]
    limiting = (each for each in findings if each["severity"] != "info")
    found = next((each for each in limiting if each["code"].startswith(OF_DIFFUSION)), None)
    why = f": {str(found['message']).rstrip('.')}" if found else ""
    remarks.append(
        Remark(
            record.path.name, f"its diffusion gave no measures{why}",
            str(found["action"]) if found else "Look at the findings in its qc.json.", "left out",
            participant=record.participant, session=record.session,
        )
    )  # fmt: skip


def say_same_image(records: Sequence[RunRecord], remarks: list[Remark]) -> None:
    """Name what has the T1 of another: one visit twice, or one person under two names."""
    first: dict[str, RunRecord] = {}
    for record in records:
        checksum = record.t1_voxels()
        if not checksum:
            continue
        same = first.setdefault(checksum, record)
        if same is not record:
            remarks.append(
                Remark(
                    record.path.name, f"its T1 is that of {same.stem}, voxel for voxel",
                    "Leave one of them; both were kept.", "kept",
                    participant=record.participant, session=record.session,
                )
            )  # fmt: skip


def _fits(visit: Visit, root: Path, known: Mapping[str, Mapping[str, Any]]) -> bool:
    return same_inputs({name_within(path, root): path for path in input_files(visit, root)}, known)
