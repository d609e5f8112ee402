"""Reads one session of a BIDS subject (brain imaging data structure, bids.neuroimaging.io).

Only what an exam needs: T1-weighted images, diffusion series with the gradients that the
inheritance principle gives them, age and sex, and the days between sessions.
"""

from __future__ import annotations

import csv
import math
import re
from datetime import datetime
from pathlib import Path

from ...errors import BrainstemALSError, ExitCode
from ..checksum import sha256_of
from ..dwi import B0_LIMIT, Dwi
from ..finding import Finding
from ..person import OLDEST_AGE, Person
from ..reading import read_volume
from .nifti_dwi import read_dwi, stem_of
from .source import Source, not_read

_SUBJECT = re.compile(r"sub-[A-Za-z0-9+]+")
_SESSION = re.compile(r"ses-[A-Za-z0-9+]+")
# A reconstruction or a processed image beside the plain one is the second choice; of repeated runs,
# the last: who scans again was not content with the first. Our own choice.
_SECOND_CHOICE = ("rec-", "desc-", "space-", "ce-")
_SEXES = {
    "m": "male",
    "male": "male",
    "f": "female",
    "female": "female",
    "o": "other",
    "other": "other",
}
_INHERITED = ("bval", "bvec", "json")


def is_bids(folder: Path) -> bool:
    """Return whether a folder is a BIDS subject, one of its sessions, or a whole dataset."""
    folder = folder.resolve()
    of_subject = _SUBJECT.fullmatch(folder.name)
    # A folder called ses-01 in one that is called after a patient is no session of BIDS.
    of_session = _SESSION.fullmatch(folder.name) and _SUBJECT.fullmatch(folder.parent.name)
    if of_subject or of_session:
        images = _images(folder, "anat", "T1w") or _images(folder, "dwi", "dwi")
        return bool(images or (of_subject and any(map(is_bids, _sessions(folder)))))
    return (folder / "dataset_description.json").is_file() and bool(_subjects(folder))


def read_subject(folder: Path, session: str | None = None, with_dwi: bool = True) -> Source:
    """Read one session of a subject.

    Parameters
    ----------
    folder : Path
        Of the subject or of one of its sessions.
    session : str, optional
        ``02`` or ``ses-02``; needed where there are several.
    with_dwi : bool
        Read the diffusion series too.

    Raises
    ------
    BrainstemALSError
        USAGE: a dataset instead of a subject, or several sessions and none chosen.
        UNREADABLE_IMAGE: no T1.
    """
    folder = folder.resolve()
    subject, visit = _chosen(folder, session)
    root = subject.parent
    name = subject.name if visit == subject else f"{subject.name}_{visit.name}"
    pictures = _images(visit, "anat", "T1w")
    if not pictures:
        raise BrainstemALSError(
            name,
            "there is no T1-weighted image (anat/*_T1w.nii.gz)",
            "Give a session that has one.",
            ExitCode.UNREADABLE_IMAGE,
        )
    findings = []
    if len(pictures) > 1:
        findings.append(_several("t1_chosen", "T1-weighted images", pictures[0], len(pictures)))
    t1 = pictures[0]
    names, checksums = {"t1": t1.name}, {"t1": sha256_of(t1)}
    candidates = _images(visit, "dwi", "dwi") if with_dwi else []
    taken, series, noted = _read_series(candidates, root)
    findings += noted
    if taken is not None:
        names["dwi"], checksums["dwi"] = taken.name, sha256_of(taken)
    return Source(
        name=name,
        t1=read_volume(t1, "T1"),
        dwi=series,
        person=_person(root, subject, visit),
        findings=tuple(findings),
        names=names,
        checksums=checksums,
    )


def _read_series(found: list[Path], root: Path) -> tuple[Path | None, Dwi | None, list[Finding]]:
    """Read the best diffusion series that can be read, and say what was taken and what was not."""
    weighted = {path: _n_weighted(_inherited(path, "bval", root)) for path in found}
    # First of all the one with most directions: series with the other phase encoding have few.
    found = sorted(found, key=lambda path: -weighted[path])
    taken = series = None
    refused: list[tuple[Path, BrainstemALSError]] = []
    for path in found:
        if refused and not weighted[path]:
            break  # nothing can be fitted to what has no weighting
        beside = {kind: _inherited(path, kind, root) for kind in _INHERITED}
        try:
            series = read_dwi(path, beside["bval"], beside["bvec"], beside["json"])
        except BrainstemALSError as refusal:
            refused.append((path, refusal))
        else:
            taken = path
            break
    findings = []
    if taken is not None and len(found) > 1:
        findings.append(_several("dwi_chosen", "diffusion series", taken, len(found)))
    then = "only the T1 is used" if taken is None else "another one was taken"
    for path, refusal in refused:
        findings.append(not_read(refusal, _label(path) if len(found) > 1 else "", then))
    return taken, series, findings


def _chosen(folder: Path, session: str | None) -> tuple[Path, Path]:
    """Folder of the subject and of what is to be read, which is the same without sessions."""
    if _SESSION.fullmatch(folder.name):
        if session is not None and f"ses-{session.removeprefix('ses-')}" != folder.name:
            raise _usage(folder.name, "another session was asked for")
        return folder.parent, folder
    if not _SUBJECT.fullmatch(folder.name):
        raise _usage(
            "BIDS dataset", "this is a whole dataset", "Give the folder of one subject (sub-...)."
        )
    sessions = _sessions(folder)
    labels = ", ".join(path.name for path in sessions)
    if session is not None:
        wanted = f"ses-{session.removeprefix('ses-')}"
        for path in sessions:
            if path.name == wanted:
                return folder, path
        raise _usage(
            folder.name,
            f"it has no session {wanted}",
            f"Choose one of {labels}." if sessions else "Leave --session out: it has no sessions.",
        )
    if not sessions:
        return folder, folder
    if len(sessions) > 1:
        raise _usage(
            folder.name,
            f"it has {len(sessions)} sessions ({labels})",
            "Choose one with --session, or give its folder.",
        )
    return folder, sessions[0]


def _usage(subject: str, problem: str, remedy: str = "Give one of them.") -> BrainstemALSError:
    return BrainstemALSError(subject, problem, remedy, ExitCode.USAGE)


def _subjects(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and _SUBJECT.fullmatch(p.name))


def _sessions(subject: Path) -> list[Path]:
    return sorted(p for p in subject.iterdir() if p.is_dir() and _SESSION.fullmatch(p.name))


def _images(visit: Path, kind: str, suffix: str) -> list[Path]:
    """Images of a kind, the one to take first."""
    found = [
        path
        for ending in (".nii.gz", ".nii")
        for path in (visit / kind).glob(f"sub-*_{suffix}{ending}")
        if path.is_file()
    ]

    def order(path: Path) -> tuple[bool, int, str]:
        run = re.search(r"_run-(\d+)", path.name)
        second = any(f"_{entity}" in path.name for entity in _SECOND_CHOICE)
        if suffix == "dwi":  # what was corrected before is better than what was not
            second = "_desc-preproc" not in path.name and second
        return second, -int(run[1]) if run else 0, path.name

    return sorted(found, key=order)


def _inherited(image: Path, kind: str, root: Path) -> Path | None:
    """The nearest file whose entities are all among the image's, upwards to the dataset."""
    stem = stem_of(image)
    own = set(stem.split("_"))
    folder = image.parent
    while True:
        fitting = [
            path
            for path in folder.glob(f"*dwi.{kind}")
            if path.is_file() and set(path.name.removesuffix(f".{kind}").split("_")) <= own
        ]
        if fitting:
            return max(fitting, key=lambda path: (path.name.count("_"), path.name))
        if folder in (root, folder.parent):
            return None
        folder = folder.parent


def _n_weighted(bval: Path | None) -> int:
    """Weighted volumes that a ``bval`` file names, as far as it can be read."""
    try:
        words = bval.read_text(encoding="utf-8").split() if bval else []
        return sum(float(word) > B0_LIMIT for word in words)
    except (OSError, ValueError):
        return 0


def _several(code: str, what: str, taken: Path, count: int) -> Finding:
    return Finding(
        code,
        "info",
        f"There are {count} {what}; {_label(taken)} was taken.",
        "Move the others away if another one is wanted.",
    )


def _label(path: Path) -> str:
    """Return what to call an image: findings go into results, which need not say whose they are."""
    own = [part for part in stem_of(path).split("_") if not part.startswith(("sub-", "ses-"))]
    return "_".join(own)


def _person(root: Path, subject: Path, visit: Path) -> Person:
    rows = _table(root / "participants.tsv")
    row = next((r for r in rows if r.get("participant_id") == subject.name), {})
    sessions = _table(subject / f"{subject.name}_sessions.tsv")
    of_visit = next((r for r in sessions if r.get("session_id") == visit.name), {})
    return Person(
        age_years=_age(of_visit.get("age") or row.get("age")),
        sex=_SEXES.get((row.get("sex") or "").strip().lower()),
        days_since_first_visit=_days(sessions, of_visit),
    )


def _table(path: Path) -> list[dict[str, str]]:
    """Rows of a BIDS table; none where it is missing or damaged."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return list(csv.DictReader(handle, delimiter="\t"))
    except (OSError, ValueError, csv.Error):
        return []


def _age(text: str | None) -> float | None:
    try:
        age = float((text or "").strip().rstrip("+"))
    except ValueError:
        return None
    return min(age, OLDEST_AGE) if math.isfinite(age) and age >= 0 else None


def _days(sessions: list[dict[str, str]], of_visit: dict[str, str]) -> int | None:
    def when(row: dict[str, str]) -> datetime | None:
        try:
            return datetime.fromisoformat((row.get("acq_time") or "").strip()).replace(tzinfo=None)
        except ValueError:
            return None

    here = when(of_visit)
    known = [moment for row in sessions if (moment := when(row)) is not None]
    if here is None or not known:
        return None
    return (here.date() - min(known).date()).days
