"""The one way in: a T1, a BIDS subject or a DICOM folder becomes what an exam is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import BrainstemALSError, ExitCode
from .. import checks
from ..dwi import Dwi
from ..finding import Finding
from ..person import Person
from ..reading import read_volume
from ..volume import Volume
from .nifti_dwi import read_dwi

_BIDS, _DICOM, _FILE = "BIDS folder", "DICOM folder", "single file"


@dataclass(frozen=True, eq=False)
class Source:
    """What was read of one visit of one person.

    Attributes
    ----------
    name : str
        What to call the results: ``sub-01_ses-02`` of BIDS, the name of a T1 file, ``exam`` for a
        DICOM folder, whose names may be those of patients.
    t1 : Volume
        float32, RAS mm.
    dwi : Dwi or None
    fa, md : Path or None
        Maps that were given.
    person : Person
    findings : tuple of Finding
        What reading found; where the diffusion could not be read, why.
    names : dict
        ``t1``, ``fa``, ``md``, ``dwi`` (those there) to the name of the file, or, from DICOM, to
        what it is called.
    checksums : dict
        The same keys to the SHA-256 of the file; of DICOM, of what the series were converted to.
    """

    name: str
    t1: Volume
    dwi: Dwi | None = None
    fa: Path | None = None
    md: Path | None = None
    person: Person = field(default_factory=Person)
    findings: tuple[Finding, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)


def open_source(
    source: str | Path,
    *,
    dwi: str | Path | None = None,
    bval: str | Path | None = None,
    bvec: str | Path | None = None,
    fa: str | Path | None = None,
    md: str | Path | None = None,
    session: str | None = None,
    t1_series: int | None = None,
    dwi_series: int | Sequence[int] | None = None,
    visit: int | None = None,
) -> Source:
    """Read an exam.

    Parameters
    ----------
    source : str or Path
        T1 image; folder of a BIDS subject or session; folder of DICOM files, or one multi-frame
        file of DICOM.
    dwi, bval, bvec : str or Path, optional
        Diffusion series and its gradients, see ``nifti_dwi.read_dwi``; instead of what a folder
        holds.
    fa, md : str or Path, optional
        Maps. They win over a series of a folder, which is then not read.
    session : str, optional
        Of a BIDS subject that has several.
    t1_series, dwi_series, visit : int, optional
        Of a DICOM folder: numbers of series, and which visit, counted from 1. Several diffusion
        series of one geometry are put together.

    Returns
    -------
    Source

    Raises
    ------
    BrainstemALSError
        USAGE: choices that do not go together. UNREADABLE_IMAGE, UNSUITABLE_IMAGE,
        MISMATCHED_IMAGES: no T1 can be had. What is wrong with the diffusion of a folder is a
        finding; with a series that was named, a refusal.
    """
    source = Path(source)
    if dwi is not None and (fa is not None or md is not None):
        raise _usage("--dwi", "a diffusion series and FA or MD maps were given together")
    if dwi is None and (bval is not None or bvec is not None):
        raise _usage("--bval, --bvec", "gradients were given without their diffusion series")
    given = {key: Path(path) for key, path in (("fa", fa), ("md", md), ("dwi", dwi)) if path}
    for key, path in given.items():  # nobody should wait to learn of a typing error
        checks.check_file(path, key.upper())
    kind = _kind(source)
    _refuse_unused(kind, session, t1_series, dwi_series, visit)
    if kind == _BIDS:
        from .bids import read_subject

        found = read_subject(source, session, with_dwi=not given)
    elif kind == _DICOM:
        from .dicom import read_folder

        found = read_folder(source, t1_series, dwi_series, visit, with_dwi=not given)
    else:
        found = Source(
            name=source.name,
            t1=read_volume(source, "T1"),
            names={"t1": source.name},
            checksums={"t1": sha256(source)},
        )
    return _with(found, given, bval, bvec)


def sha256(path: Path) -> str:
    """Return the checksum of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def not_read(refusal: BrainstemALSError, label: str = "") -> Finding:
    """Return the finding for a series that a folder holds and that cannot be read.

    Parameters
    ----------
    refusal : BrainstemALSError
        Its subject, the name of a file, is left out: findings go into results, where the user may
        not want the names of the inputs.
    label : str
        What to call the series, where that says nothing of a person: ``series 5``.
    """
    what = f" ({label})" if label else ""
    return Finding(
        "dwi_not_read",
        "warning",
        f"The diffusion series{what} could not be read, only the T1 is used: {refusal.problem}.",
        refusal.remedy,
    )


def _with(
    found: Source, given: dict[str, Path], bval: str | Path | None, bvec: str | Path | None
) -> Source:
    """Add the files that were named to what a folder held."""
    if not given:
        return found
    series = read_dwi(given["dwi"], bval, bvec) if "dwi" in given else found.dwi
    return replace(
        found,
        dwi=series,
        fa=given.get("fa"),
        md=given.get("md"),
        names={**found.names, **{key: path.name for key, path in given.items()}},
        checksums={**found.checksums, **{key: sha256(path) for key, path in given.items()}},
    )


def _kind(source: Path) -> str:
    """Return what a path is: ``BIDS``, ``DICOM`` (a folder, or a file with its mark) or a file."""
    if source.is_dir():
        from .bids import is_bids

        return _BIDS if is_bids(source) else _DICOM
    checks.check_file(source, "T1")
    from .dicom_headers import is_dicom_file

    return _DICOM if is_dicom_file(source) else _FILE


def _refuse_unused(kind: str, session: object, *of_dicom: object) -> None:
    """Refuse choices that this kind of source does not know: they would be dropped in silence."""
    if kind != _DICOM and any(choice is not None for choice in of_dicom):
        raise _usage(
            "--visit, --t1-series, --dwi-series", f"these are for DICOM, and this is a {kind}"
        )
    if kind != _BIDS and session is not None:
        raise _usage("--session", f"this is for BIDS, and this is a {kind}")


def _usage(subject: str, problem: str) -> BrainstemALSError:
    return BrainstemALSError(subject, problem, "Leave one of them out.", ExitCode.USAGE)
