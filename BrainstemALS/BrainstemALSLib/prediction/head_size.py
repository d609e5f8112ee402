"""An intracranial volume that the clinic enters, for exams that do not show the whole head.

Norms of volumes need the size of the head. Where an exam is cut (the head not wholly in view), it
has none, and with it neither consistency nor stage. A head has one size for life: one number a
person serves all of its exams. An exam's own wins unless told otherwise. The norms know the
intracranial volume of their own people and method; that of another method differs by some per cent,
which moves every volume: it is taken as unsure, and a finding says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from .records import INTRACRANIAL, Key, Measure, PersonRecord, VisitRecord

METHODS_DIFFER = 0.05
"""Standard deviation of an entered volume where none is given, as a share of it (own choice: means
of methods differ by about so much; from memory)."""
LEAST_SHARE, LARGEST_SHARE = 0.002, 0.2
"""Of the volume, that its standard deviation may be; own choice: no method does better."""
DISAGREE = 0.1
"""Share by which the entered volume and that of an exam may differ unsaid; own choice."""
MM3_A_ML = 1000.0


@dataclass(frozen=True)
class EnteredVolume(Measure):
    """A volume that somebody entered.

    Attributes
    ----------
    own : float
        That of the exam, which it replaces, mm3; NaN where it has none.
    """

    own: float = float("nan")


@dataclass(frozen=True)
class OwnVolume(Measure):
    """A volume of the exam itself, taken though one was entered.

    Attributes
    ----------
    entered : float
        The other one, mm3.
    """

    entered: float = float("nan")


def entered_volume(mm3: float, sd_mm3: float | None, subject: str) -> EnteredVolume:
    """Return an intracranial volume after its check.

    Raises
    ------
    BrainstemALSError
        USAGE: no volume of a human head, or in another unit.
    """
    low, high = _range()
    if not low <= mm3 <= high:
        for unit, factor in (("mL", MM3_A_ML), ("litres", 1e6)):
            if low <= mm3 * factor <= high:
                raise _refuse(
                    subject,
                    f"the intracranial volume is {mm3:g} mm3, which looks like {unit}",
                    f"Give {mm3 * factor:.0f}: it is in mm3.",
                )
        raise _refuse(
            subject,
            f"the intracranial volume is {mm3 / MM3_A_ML:g} mL ({mm3:.7g} mm3), that of no adult",
            f"Give {low / MM3_A_ML:.0f} to {high / MM3_A_ML:.0f} mL ({low:.0f} to {high:.0f} mm3), "
            "or leave it out.",
        )
    if sd_mm3 is None:
        sd_mm3 = METHODS_DIFFER * mm3
    if not LEAST_SHARE * mm3 <= sd_mm3 <= LARGEST_SHARE * mm3:
        raise _refuse(
            subject,
            f"the standard deviation of the intracranial volume is {sd_mm3:g} mm3",
            f"Give {LEAST_SHARE * mm3:.0f} to {LARGEST_SHARE * mm3:.0f} mm3, or leave it out.",
        )
    return EnteredVolume(mm3, sd_mm3)


def with_entered(
    measures: Mapping[Key, Measure], entered: EnteredVolume | None, wins: bool
) -> dict[Key, Measure]:
    """Return the measures of an exam, with the entered volume where it has none that can be used.

    Parameters
    ----------
    measures : mapping
    entered : EnteredVolume or None
    wins : bool
        Take the entered one even where the exam has one.
    """
    found = dict(measures)
    own = found.get(INTRACRANIAL)
    if entered is None or not found:
        return found
    if wins or own is None or own.quality == "bad":
        usable = own is not None and own.quality != "bad"
        found[INTRACRANIAL] = replace(entered, own=own.value) if usable else entered
    else:
        found[INTRACRANIAL] = OwnVolume(own.value, own.sd, own.quality, entered.value)
    return found


def head_of(visit: VisitRecord) -> Measure | None:
    """Return the intracranial volume that a visit's images are compared with."""
    return visit.measures.get(INTRACRANIAL)


def about_head(person: PersonRecord) -> Iterator[Finding]:
    """Yield what has to be known of an entered volume: that it is used, or that it is not."""
    heads = [head_of(visit) for visit in person.visits]
    entered = next((head for head in heads if isinstance(head, EnteredVolume)), None)
    against = [h for h in heads if isinstance(h, EnteredVolume) and h.own > 0]
    far = max((abs(head.value / head.own - 1.0) for head in against), default=0.0)
    if far > DISAGREE:
        yield Finding(
            "person-intracranial-disagrees", "warning",
            f"The entered intracranial volume is {100 * far:.0f} % away from that of an exam, "
            "which it replaces", "Check its unit, its method and whose it is.",
        )  # fmt: skip
    own = [head for head in heads if isinstance(head, OwnVolume)]
    off = max((abs(head.entered / head.value - 1.0) for head in own if head.value > 0), default=0.0)
    if own:
        yield Finding(
            "person-intracranial-own", "warning" if off > DISAGREE else "info",
            "An exam has an intracranial volume of its own, which was taken "
            f"({100 * off:.0f} % away from the entered one)",
            "Check the entered one's unit and method." if off > DISAGREE else
            "Nothing is to be done; intracranial_wins takes the entered one.",
        )  # fmt: skip
    if entered is None:
        return
    yield Finding(
        "person-intracranial-entered", "warning",
        f"The intracranial volume ({entered.value / MM3_A_ML:.0f} mL) was entered, not measured "
        "on the exam; the norms know that of their own people and method, and another method's "
        "bias moves all volumes",
        "Enter the whole cranial cavity with its fluid (SynthSeg, SPM12; FreeSurfer's eTIV only "
        "with care), measured on an image of the whole head; FA and MD do not depend on it.",
    )  # fmt: skip


def _range() -> tuple[float, float]:
    from ..measurement.plausibility import plausible_ranges

    human = plausible_ranges()["intracranial"]
    return human.low_mm3, human.high_mm3


def _refuse(subject: str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(subject, problem, remedy, ExitCode.USAGE)
