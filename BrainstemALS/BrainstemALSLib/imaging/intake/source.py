"""What was read of one visit of one person, whatever it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import BrainstemALSError
from ..dwi import Dwi
from ..finding import Finding
from ..person import Person
from ..volume import Volume


@dataclass(frozen=True, eq=False)
class Source:
    """What was read of one visit of one person.

    Attributes
    ----------
    name : str
        What to call the results: ``sub-01_ses-02`` of BIDS, the name of a T1 file, ``sub-exam`` for
        a DICOM folder, whose names may be those of patients.
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


def not_read(
    refusal: BrainstemALSError, label: str = "", then: str = "only the T1 is used"
) -> Finding:
    """Return the finding for a diffusion series that cannot be read.

    Parameters
    ----------
    refusal : BrainstemALSError
        Its subject, the name of a file, is left out: findings go into results, where the user may
        not want the names of the inputs.
    label : str
        What to call the series, where that says nothing of a person: ``series 5``.
    then : str
        What is done instead.
    """
    what = f" ({label})" if label else ""
    return Finding(
        "dwi_not_read",
        "warning",
        f"The diffusion series{what} could not be read, {then}: {refusal.problem}.",
        refusal.remedy,
    )
