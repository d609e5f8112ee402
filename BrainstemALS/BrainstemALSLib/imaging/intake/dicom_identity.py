"""Whether the files of a DICOM folder are of one person.

Identities are compared here and nowhere repeated: a refusal or a finding says that they differ, and
never what they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ...errors import BrainstemALSError, ExitCode
from ..finding import Finding
from .dicom_headers import FOLDER, Header

_SEXES = "MFO"
_OWN_FOLDER = "Put the images of one patient into a folder of their own."


def refuse_two_patients(headers: Iterable[Header]) -> None:
    """Refuse files whose identifiers or names contradict each other; an empty one says nothing.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES.
    """
    _refuse_contradictions(headers, (lambda one: one.patient[0], lambda one: one.patient[1]))


def refuse_two_patients_of_a_visit(headers: Iterable[Header]) -> None:
    """Refuse files of one visit whose birth dates or sexes contradict each other.

    Folders that were made anonymous give everybody one identifier and name, or none. Only within a
    visit: from one to the next, a hospital may have put a wrong birth date right.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES.
    """
    _refuse_contradictions(headers, (_birth, _sex))


def unsure_of_one_person(
    visit: Iterable[Header], t1: Sequence[Header], dwi: Sequence[Header]
) -> list[Finding]:
    """Return the finding for a T1 and a diffusion that nothing ties to one person.

    Parameters
    ----------
    visit : iterable of Header
        All files of the visit: one with identifier and name says that the two belong together.
    t1, dwi : sequence of Header
        The files that are used.
    """
    linked = any(all(header.patient) for header in visit)
    said = {tuple(map(bool, header.patient)) for header in (*t1, *dwi)}
    if {(True, False), (False, True)} <= said and not linked:
        problem = "Some DICOM files give only an identifier of the patient and others only a name"
    elif any(_apart(t1[0], other, linked) for other in dwi):
        problem = "The T1 and the diffusion are of two DICOM studies that say nothing of a patient"
    else:
        return []
    return [
        Finding(
            "dicom_one_person_unsure",
            "warning",
            f"{problem}: that they are of one person cannot be told.",
            f"Check it. {_OWN_FOLDER}",
        )
    ]


def _apart(first: Header, other: Header, linked: bool) -> bool:
    """Whether two files of a visit have neither the study nor any identity in common."""
    if first.study and first.study == other.study:
        return False
    if linked and any(first.patient) and any(other.patient):
        return False
    pairs = zip((*first.patient, _birth(first)), (*other.patient, _birth(other)), strict=True)
    return not any(one and one == another for one, another in pairs)


def _refuse_contradictions(
    headers: Iterable[Header], parts: Iterable[Callable[[Header], str]]
) -> None:
    headers = list(headers)
    for part in parts:
        known = {part(header) for header in headers} - {""}
        if len(known) > 1:
            raise BrainstemALSError(
                FOLDER,
                f"this folder holds images of {len(known)} patients",
                _OWN_FOLDER,
                ExitCode.MISMATCHED_IMAGES,
            )


def _birth(header: Header) -> str:
    """Return the digits of a birth date; nothing where all are 0, as some programs fill it."""
    digits = re.sub(r"\D", "", header.birth_date)
    return digits if digits.strip("0") else ""


def _sex(header: Header) -> str:
    letter = header.sex.strip().upper()[:1]
    return letter if letter and letter in _SEXES else ""
