"""The one way in: a T1, a BIDS subject or a DICOM folder becomes what an exam is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import BrainstemALSError, ExitCode
from .. import checks
from ..checksum import sha256_of
from ..reading import read_volume
from .bids import is_bids, read_subject
from .dicom import read_folder
from .dicom_headers import is_dicom_file
from .nifti_dwi import read_dwi
from .source import Source, not_read

_BIDS, _DICOM, _FILE = "BIDS folder", "DICOM folder", "single file"
# Refusals of ``read_dwi`` that say what is wrong with a series.
_OF_THE_SERIES = (
    ExitCode.UNSUITABLE_DIFFUSION,
    ExitCode.UNREADABLE_IMAGE,
    ExitCode.UNSUITABLE_IMAGE,
)


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
        USAGE: choices that do not go together. UNREADABLE_IMAGE: a file that was named is not
        there, or no T1. UNSUITABLE_IMAGE, MISMATCHED_IMAGES: no T1 can be had. What is wrong with a
        diffusion series or its gradients, of a folder or named, is a finding: it costs the
        diffusion, not the exam.
    """
    source = Path(source)
    if dwi is not None and (fa is not None or md is not None):
        raise _usage("--dwi", "a diffusion series and FA or MD maps were given together")
    if dwi is None and (bval is not None or bvec is not None):
        raise _usage("--bval, --bvec", "gradients were given without their diffusion series")
    given = {key: Path(path) for key, path in (("fa", fa), ("md", md), ("dwi", dwi)) if path}
    _refuse_missing({**given, "bval": bval, "bvec": bvec})
    kind = _kind(source)
    _refuse_unused(kind, session, t1_series, dwi_series, visit)
    if kind == _BIDS:
        found = read_subject(source, session, with_dwi=not given)
    elif kind == _DICOM:
        found = read_folder(source, t1_series, dwi_series, visit, with_dwi=not given)
    else:
        found = Source(
            name=source.name,
            t1=read_volume(source, "T1"),
            names={"t1": source.name},
            checksums={"t1": sha256_of(source)},
        )
    return _with(found, given, bval, bvec)


def _refuse_missing(paths: dict[str, str | Path | None]) -> None:
    """Refuse files that were named and are not there: nobody should wait for a typing error."""
    for key, path in paths.items():
        # What else is wrong with a series or its gradients costs the diffusion only.
        if path and (key in ("fa", "md") or not Path(path).is_file()):
            checks.check_file(Path(path), key if key in ("bval", "bvec") else key.upper())


def _with(
    found: Source, given: dict[str, Path], bval: str | Path | None, bvec: str | Path | None
) -> Source:
    """Add the files that were named to what a folder held; a series only if it can be read."""
    if not given:
        return found
    series, findings = found.dwi, found.findings
    if "dwi" in given:
        try:
            series = read_dwi(given["dwi"], bval, bvec)
        except BrainstemALSError as refusal:
            if refusal.code not in _OF_THE_SERIES:
                raise
            given, findings = {}, (*findings, not_read(refusal))  # no map comes with a series
    return replace(
        found,
        dwi=series,
        fa=given.get("fa"),
        md=given.get("md"),
        findings=findings,
        names={**found.names, **{key: path.name for key, path in given.items()}},
        checksums={**found.checksums, **{key: sha256_of(path) for key, path in given.items()}},
    )


def _kind(source: Path) -> str:
    """Return what a path is: ``BIDS``, ``DICOM`` (a folder, or a file with its mark) or a file."""
    if source.is_dir():
        return _BIDS if is_bids(source) else _DICOM
    checks.check_file(source, "T1")
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
