"""Finds the participants and visits of a BIDS dataset, and the diffusion maps that go with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BrainstemALSError, ExitCode
from .remarks import Remark

_SUBJECT = re.compile(r"sub-[A-Za-z0-9+]+")
_SESSION = re.compile(r"ses-[A-Za-z0-9+]+")
ONLY_SESSION = "ses-01"
"""What tables call the visit of a participant without session folders (own choice)."""
DIFFUSION = ("auto", "maps", "series", "none")
_NIFTI = (".nii.gz", ".nii")
# What git-annex (datalad) and git-lfs leave in the place of a file that was not fetched.
_POINTERS = (b"/annex/objects/", b"../", b".git/annex/", b"version https://git-lfs")
_POINTER_BYTES = 1024
_ENTITY = re.compile(r"(sub|ses)-([A-Za-z0-9+]+)(?=_)")
# The maps of BIDS derivatives: param-fa_dwimap (BEP016), mdp-FA, desc-FA, or a plain _FA.
_MAP = r"(^|_)(?:(?:param|mdp|desc)-)?{}(_dwimap|_mdp|_dwi|_map)?$"
_OTHER_SPACE = re.compile(r"_space-(?!T1w|ACPC|dwi|orig|individual|native)", re.IGNORECASE)


@dataclass(frozen=True)
class Visit:
    """One visit of one participant, as it lies on disk.

    Attributes
    ----------
    participant, session : str
        ``sub-01``, ``ses-02``; ``ONLY_SESSION`` where the participant has no session folders.
    folder : Path
        Of the session, or of the participant.
    has_t1 : bool
    has_series : bool
        There is a diffusion series.
    fa, md : Path or None
        Maps of a pipeline that the dataset's derivatives hold.
    """

    participant: str
    session: str
    folder: Path
    has_t1: bool = True
    has_series: bool = False
    fa: Path | None = None
    md: Path | None = None

    @property
    def key(self) -> str:
        """``sub-01_ses-02``, as the results are named."""
        return self.participant + (f"_{self.session}" if self.has_session else "")

    @property
    def has_session(self) -> bool:
        """Whether the session has a folder of its own."""
        return self.folder.name != self.participant

    @property
    def place(self) -> Path:
        """Folder of the results within the output folder."""
        parts = (self.session,) if self.has_session else ()
        return Path(self.participant, *parts, "anat")


def find_visits(
    root: Path,
    remarks: list[Remark],
    *,
    participants: Sequence[str] = (),
    sessions: Sequence[str] = (),
    diffusion: str = "auto",
    derivatives: Sequence[Path] = (),
    leave_out: Path | None = None,
) -> list[Visit]:
    """Find the visits of a dataset.

    Parameters
    ----------
    root : Path
        BIDS dataset; however it is written, the visits' paths are absolute and without links above
        it.
    remarks : list of Remark
        Gets what was found.
    participants, sessions : sequence of str
        Labels, with or without ``sub-`` and ``ses-``; all where empty.
    diffusion : str
        ``auto``: maps of derivatives where there are any, else the series; or only ``maps``, only
        the ``series``, or ``none``.
    derivatives : sequence of Path
        Datasets with maps, besides ``root/derivatives/*`` and the dataset itself.
    leave_out : Path, optional
        Folder of our own results, whose maps are not to be read again.

    Returns
    -------
    list of Visit
        In the order of their names; those without a T1 too.

    Raises
    ------
    BrainstemALSError
        USAGE: no BIDS dataset, or a label that it does not hold.
    """
    if not root.is_dir():
        raise _refused(root, "there is no such folder", "Name the folder of a BIDS dataset.")
    # Records name files within the dataset, and workers elsewhere have another working directory.
    root = root.resolve()
    people = _folders(root, _SUBJECT)
    _say_odd_names(root, "sub", people, remarks)
    if not people:
        raise _refused(
            root, "it has no folders of participants (sub-...)",
            "Name the folder of a BIDS dataset, the one that holds the sub- folders.",
        )  # fmt: skip
    if not (root / "dataset_description.json").is_file():
        remarks.append(
            Remark(
                "dataset_description.json", "it is not there", "BIDS asks for it.", "missing"
            )
        )  # fmt: skip
    wanted = _wanted("sub", participants, {path.name for path in people})
    pipelines = _pipelines(root, derivatives, leave_out)
    found: list[Visit] = []
    for person in people:
        if person.name in wanted:
            for folder, session in _visits_of(person, remarks):
                found.append(_visit(person.name, session, folder, diffusion, pipelines, remarks))
    wanted = _wanted("ses", sessions, {visit.session for visit in found})
    found = [visit for visit in found if visit.session in wanted]
    _say_mixed(found, diffusion, remarks)
    return found


def _folders(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(p for p in folder.iterdir() if pattern.fullmatch(p.name) and p.is_dir())


def _wanted(prefix: str, labels: Sequence[str], there: set[str]) -> set[str]:
    asked = {f"{prefix}-{label.removeprefix(f'{prefix}-')}" for label in labels}
    lacking = sorted(asked - there)
    if lacking:
        what = "participant" if prefix == "sub" else "session"
        raise BrainstemALSError(
            f"--{what}-label", f"the dataset has no {', '.join(lacking[:5])}",
            "Check the label against the folders of the dataset.", ExitCode.USAGE,
        )  # fmt: skip
    return asked or there


def _visits_of(person: Path, remarks: list[Remark]) -> list[tuple[Path, str]]:
    sessions = _folders(person, _SESSION)
    _say_odd_names(person, "ses", sessions, remarks, person.name)
    own = any((person / kind).is_dir() for kind in ("anat", "dwi"))
    if sessions and own:
        remarks.append(
            Remark(
                person.name, "it has images both in session folders and outside of them",
                "Move those outside into a session; they were not read.", "left out",
                participant=person.name,
            )
        )  # fmt: skip
    return [(path, path.name) for path in sessions] or [(person, ONLY_SESSION)]


def _visit(
    participant: str,
    session: str,
    folder: Path,
    diffusion: str,
    pipelines: Sequence[Path],
    remarks: list[Remark],
) -> Visit:
    def remark(problem: str, remedy: str, action: str) -> None:
        remarks.append(
            Remark(folder.name, problem, remedy, action, participant=participant, session=session)
        )

    t1 = _images(folder / "anat", "T1w")
    series = _images(folder / "dwi", "dwi")
    if any(not is_there(image) for image in (*t1, *series)):
        remark(
            "an image is a link to a file that is not there", "Fetch it (datalad get).", "missing"
        )
    strange = {
        kind for kind, images in (("T1w", t1), ("dwi", series)) for image in images
        if _of_another(image, participant, folder)
    }  # fmt: skip
    if strange:
        remark(
            f"images ({', '.join(sorted(strange))}) are named after another participant or session",
            "Find out whose they are: rename or move them; none of this kind was used.",
            "left out",
        )
    has_t1 = any(is_there(image) for image in t1) and "T1w" not in strange
    if not has_t1 and "T1w" not in strange:
        remark(
            "there is no T1-weighted image (anat/*_T1w.nii.gz)",
            "Add it; the visit was not segmented.", "left out",
        )  # fmt: skip
    maps: dict[str, Path] = {}
    if diffusion in ("auto", "maps"):
        relative = Path(participant, *((folder.name,) if folder.name != participant else ()))
        for pipeline in pipelines:
            maps, lacking = _maps(pipeline / relative)
            if lacking:
                remark(
                    "a diffusion map is a link to a file that is not there",
                    "Fetch it (datalad get).", "missing",
                )  # fmt: skip
            if maps:
                break
    has_series = any(is_there(image) for image in series) and diffusion in ("auto", "series")
    has_series = has_series and "dwi" not in strange
    return Visit(participant, session, folder, has_t1, has_series and not maps, **maps)


def is_participant(name: str) -> bool:
    """Whether a folder is called as BIDS calls a participant's."""
    return _SUBJECT.fullmatch(name) is not None


def is_there(image: Path) -> bool:
    """Whether an image is a file, and not what stands for one that was not fetched."""
    try:
        if not image.is_file():
            return False
        if image.stat().st_size > _POINTER_BYTES:
            return True
        return not image.read_bytes().startswith(_POINTERS)
    except OSError:
        return True  # whoever reads it says what is wrong


def _of_another(image: Path, participant: str, folder: Path) -> bool:
    """Whether an image's name contradicts the folders that it lies in."""
    named = {prefix: f"{prefix}-{label}" for prefix, label in _ENTITY.findall(image.name)}
    session = folder.name if folder.name != participant else None
    return named.get("sub", participant) != participant or (
        session is not None and named.get("ses", session) != session
    )


def _say_odd_names(
    folder: Path, prefix: str, taken: list[Path], remarks: list[Remark], participant: str = ""
) -> None:
    """Name folders that look like participants or sessions and are not, by their number alone.

    What is no label may be a name.
    """
    odd = [
        path for path in folder.iterdir()
        if path.name.lower().startswith(prefix) and path not in taken and path.is_dir()
    ]  # fmt: skip
    if odd:
        remarks.append(
            Remark(
                participant or "dataset",
                f"folders that begin with {prefix} have no names that BIDS allows ({len(odd)})",
                f"Call them {prefix}- and letters or digits; they were not read.", "left out",
                participant=participant,
            )
        )  # fmt: skip
    labels = [path.name.lower() for path in taken]
    for path in taken:
        if labels.count(path.name.lower()) > 1:
            remarks.append(
                Remark(
                    participant or "dataset", "two labels differ in capitals alone",
                    "Change one: Windows and macOS cannot keep them apart.", "kept",
                    participant=participant or path.name,
                )
            )  # fmt: skip


def holds_images(root: Path) -> bool:
    """Whether a folder holds a T1 or a diffusion series of anybody; our own results are none."""
    return any(
        "_desc-brainstem_" not in image.name
        for person in _folders(root, _SUBJECT)
        for visit in (person, *_folders(person, _SESSION))
        for kind, suffix in (("anat", "T1w"), ("dwi", "dwi"))
        for image in _images(visit / kind, suffix)
    )


def _images(folder: Path, suffix: str) -> list[Path]:
    """Images of a kind, links to nothing among them."""
    return sorted(
        path for ending in _NIFTI for path in folder.glob(f"sub-*_{suffix}{ending}")
    )  # fmt: skip


def _pipelines(root: Path, derivatives: Iterable[Path], leave_out: Path | None) -> list[Path]:
    """Folders that may hold maps: those that were named, then the dataset's, then the dataset."""
    for folder in derivatives:
        if not folder.is_dir():
            raise _refused(folder, "there is no such folder", "Check --derivatives.")
    own = root / "derivatives"
    found = [
        *(folder.resolve() for folder in derivatives),
        *(sorted(p for p in own.iterdir() if p.is_dir()) if own.is_dir() else []),
    ]
    ours = None if leave_out is None else leave_out.resolve()
    return [path for path in (*found, root) if path.resolve() != ours]


def _maps(folder: Path) -> tuple[dict[str, Path], bool]:
    """FA and MD of one visit of one pipeline, and whether one is a link to nothing.

    Those on a template are passed over.
    """
    found: dict[str, Path] = {}
    lacking = False
    for kind in ("dwi", "anat"):
        for path in sorted((folder / kind).glob("sub-*.nii*")) if (folder / kind).is_dir() else ():
            stem = re.sub(r"\.nii(\.gz)?$", "", path.name)
            if "_desc-brainstem" in stem or _OTHER_SPACE.search(stem):
                continue
            for name in ("fa", "md"):
                if re.search(_MAP.format(name), stem, re.IGNORECASE):
                    lacking = lacking or not is_there(path)
                    if is_there(path):
                        found.setdefault(name, path)
    return found, lacking


def _say_mixed(visits: Sequence[Visit], diffusion: str, remarks: list[Remark]) -> None:
    """Maps of another pipeline and our own fit do not give the same values."""
    maps = sum(visit.fa is not None or visit.md is not None for visit in visits)
    series = sum(visit.has_series for visit in visits)
    if diffusion == "auto" and maps and series:
        remarks.append(
            Remark(
                "dataset", f"diffusion comes from maps in {maps} visits, from series in {series}",
                "Their values may differ; choose one kind with --diffusion.", "note",
            )
        )  # fmt: skip


def input_files(visit: Visit, root: Path) -> list[Path]:
    """Return every file that the results of a visit may depend on, in a fixed order.

    The T1s, the diffusion series, and the gradients and JSON files that they may inherit; a file
    more than is read does no harm, it only makes the visit be done again when it changes.
    """
    files: set[Path] = set()
    for pattern in ("anat/sub-*_T1w.*", *(("dwi/*dwi.*",) if visit.has_series else ())):
        files.update(path for path in visit.folder.glob(pattern) if path.is_file())
    if visit.has_series:
        for folder in {visit.folder, visit.folder.parent, root}:
            files.update(path for path in folder.glob("*dwi.*") if path.is_file())
    files.update(path for path in (visit.fa, visit.md) if path is not None)
    return sorted(files)


def name_within(path: Path, root: Path) -> str:
    """Return a file's name within the dataset; of one outside, only its own name."""
    for base in (root, root.resolve()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.name


def _refused(folder: Path, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(folder, problem, remedy, ExitCode.USAGE)
