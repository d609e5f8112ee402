"""Asks which bad exams are noticed, and how many good ones are called unfamiliar.

    python -m training.evaluation.safety [--cases 10] [--seed 7]

Real T1s are manipulated (``safety_cases``) and go through checks, segmentation and quality findings
as a user's image does; so do simulated exams of anatomies that training never saw.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import Exam, exam_from_volumes
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.measure import measure
from BrainstemALSLib.measurement.unfamiliar import CODE

from ..data import shared_data
from ..familiarity import t1_contrast
from . import adapter, commands
from .real import IMAGES
from .safety_cases import CONTROLS, MANIPULATIONS, Subject, lesion
from .tables import Page, Table

CONTROL = "good"
STRIPPED = ("icbm",)  # has no skull to strip
DETECTED = ("refused", "unfamiliar")
SHIFT_MM = 8.0  # by which maps lie off the T1: what is much further off is refused when read
SIMULATED = {
    "wrong contrast": "inverted",
    "lesion": "dark, 12 mm, pons",
    "maps off the T1": f"FA and MD {SHIFT_MM:g} mm too low",
}
"""What is done to simulated exams too: the kind, and what."""
REFUSALS = {
    ExitCode.NO_BRAINSTEM,
    ExitCode.UNSUITABLE_IMAGE,
    ExitCode.UNSUITABLE_DIFFUSION,
    ExitCode.MISMATCHED_IMAGES,
}


@dataclass(frozen=True)
class Outcome:
    """What became of one exam.

    Attributes
    ----------
    data : str
        ``real`` or ``simulated``.
    image, kind, case : str
        Which image; what is wrong (``good`` where nothing is); what was done.
    noticed : str
        ``refused``; ``unfamiliar``; ``other finding`` where only another warning or error came up
        that the good image does not have; ``nothing``.
    by : str
        The refusal, or the codes of the findings.
    ratio : float
        Distance as a multiple of the limit; NaN where refused or not compared.
    message : str
        Of the finding on unfamiliar exams, or of the refusal.
    """

    data: str
    image: str
    kind: str
    case: str
    noticed: str
    by: str
    ratio: float
    message: str


def judge(exam: Exam, segmenter, known: frozenset[str] = frozenset()) -> dict:
    """Let an exam go through and say what was noticed; fields of ``Outcome``.

    Parameters
    ----------
    exam : Exam
    segmenter : Segmenter
    known : frozenset of str
        Codes of findings that the good image has too: they don't count.
    """
    try:
        checked = exam_from_volumes(exam.t1, exam.fa, exam.md)
        segmentation = segmenter.segment(checked)
        findings = measure(segmentation, checked.t1, checked.maps).findings
    except BrainstemALSError as refusal:
        if refusal.code not in REFUSALS:
            raise
        return {
            "noticed": "refused",
            "by": refusal.code.name.lower(),
            "ratio": float("nan"),
            "message": refusal.problem,
        }
    codes = {f.code: f for f in findings if f.severity != "info"}
    new = sorted(set(codes) - known)
    unfamiliar = codes.get(CODE)
    familiarity = segmentation.familiarity
    return {
        "noticed": "unfamiliar" if unfamiliar else "other finding" if new else "nothing",
        "by": ", ".join(new),
        "ratio": familiarity.ratio if familiarity else float("nan"),
        "message": unfamiliar.message if unfamiliar else "",
    }


def real_outcomes(name: str, t1: Volume, segmenter, seed: int) -> Iterator[Outcome]:
    """Yield what becomes of one real T1, as it is and with all that can be done to it."""
    exam = adapter.exam_of(t1)
    segmentation = segmenter.segment(exam)
    findings = measure(segmentation, t1).findings
    known = frozenset(f.code for f in findings if f.severity != "info") - {CODE}
    subject = Subject(t1, segmentation.labels)
    for kind, changes in ((CONTROL, CONTROLS), *MANIPULATIONS.items()):
        for case, change in changes.items():
            if case == "skull stripped" and name in STRIPPED:
                continue
            changed = adapter.exam_of(change(subject, seed))
            yield _told(Outcome("real", name, kind, case, **judge(changed, segmenter, known)))


def simulated_outcomes(cases: Sequence[str], seed: int, segmenter) -> Iterator[Outcome]:
    """Yield what becomes of simulated exams, good and manipulated, of the T1 alone and with maps.

    A good exam that is refused is told too: no other was asked for, and it counts as a false alarm.
    """
    for number, name in enumerate(cases):
        image_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        with t1_contrast():
            exam, truth = adapter.simulate(name, image_seed)
        exam = adapter.without_directions(exam)
        for inputs, shown in (("T1", adapter.t1_only(exam)), ("T1 + FA + MD", exam)):
            yield _told(Outcome("simulated", name, CONTROL, inputs, **judge(shown, segmenter)))
        subject = Subject(exam.t1, truth)
        inverted = MANIPULATIONS["wrong contrast"]["inverted"](subject, image_seed)
        dark = lesion("basis_pontis_left", 12.0, -1)(subject, image_seed)
        bad = {
            "wrong contrast": adapter.exam_of(inverted),
            "lesion": adapter.exam_of(dark),
            "maps off the T1": replace(exam, fa=_lowered(exam.fa), md=_lowered(exam.md)),
        }
        for kind, changed in bad.items():
            case = SIMULATED[kind]
            yield _told(Outcome("simulated", name, kind, case, **judge(changed, segmenter)))


def _lowered(image: Volume) -> Volume:
    affine = image.affine.copy()
    affine[2, 3] -= SHIFT_MM
    return Volume(image.array, affine)


def _told(outcome: Outcome) -> Outcome:
    print(
        f"{outcome.image}, {outcome.kind}, {outcome.case}: {outcome.noticed} "
        f"({outcome.ratio:.2f}) {outcome.by}",
        flush=True,
    )
    return outcome


def rates(outcomes: Sequence[Outcome]) -> list[tuple]:
    """Rows of counts by data, kind and case, with the exact interval of the share noticed.

    For good exams the share is that of false alarms: refused or called unfamiliar.
    """
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        for case in (outcome.case, "all"):
            groups.setdefault((outcome.data, outcome.kind, case), []).append(outcome)
    # The total of a kind comes last, and not at all where it would repeat its only line.
    ordered = sorted(groups.items(), key=lambda item: item[0][2] == "all")
    kinds = dict.fromkeys((data, kind) for data, kind, _ in groups)
    return [
        _rate(key, some)
        for pair in kinds
        for key, some in ordered
        if key[:2] == pair and not (key[2] == "all" and sum(k[:2] == pair for k in groups) == 2)
    ]


def _rate(key: tuple[str, str, str], some: Sequence[Outcome]) -> tuple:
    counts = [
        sum(o.noticed == word for o in some)
        for word in ("refused", "unfamiliar", "other finding", "nothing")
    ]
    share, low, high = noticed_share(some)
    return (*key, len(some), *counts, share, f"{low:.2f} to {high:.2f}")


def noticed_share(some: Sequence[Outcome]) -> tuple[float, float, float]:
    """Share refused or unfamiliar, and its exact 95 % interval (Clopper & Pearson 1934)."""
    from scipy.stats import binomtest

    count = sum(o.noticed in DETECTED for o in some)
    interval = binomtest(count, len(some)).proportion_ci(0.95, method="exact")
    return count / len(some), float(interval.low), float(interval.high)


def marks_of(outcomes: Sequence[Outcome]) -> list[tuple[str, bool | None]]:
    """Our own marks: no target was set but that the rates are given."""
    lines = []
    for data in ("real", "simulated"):
        good = [o for o in outcomes if (o.data, o.kind) == (data, CONTROL)]
        bad = [o for o in outcomes if o.data == data and o.kind != CONTROL]
        if good:
            alarms = sum(o.noticed == "unfamiliar" for o in good)
            refused = sum(o.noticed == "refused" for o in good)
            _, low, high = noticed_share(good)
            lines.append(
                (
                    f"no good {data} exam is called unfamiliar or refused: {alarms} unfamiliar and "
                    f"{refused} refused of {len(good)} (95 % interval of the share, "
                    f"{100 * low:.0f} to {100 * high:.0f} %)",
                    alarms + refused == 0,
                )
            )
        if bad:
            found = sum(o.noticed in DETECTED for o in bad)
            lines.append(
                (
                    f"every manipulated {data} exam is refused or called unfamiliar: "
                    f"{found} of {len(bad)}",
                    found == len(bad),
                )
            )
    return lines


RATE_COLUMNS = (
    "data", "what is wrong", "case", "exams", "refused", "unfamiliar", "only another finding",
    "nothing", "share refused or unfamiliar", "95 % interval",
)  # fmt: skip
CASE_COLUMNS = (
    "data", "image", "what is wrong", "case", "noticed", "distance (limits)", "by", "message",
)  # fmt: skip


def page_of(outcomes: Sequence[Outcome], model: dict, seed: int) -> Page:
    """Return the page of results."""
    rows = rates(outcomes)
    case_rows = [
        (o.data, o.image, o.kind, o.case, o.noticed, o.ratio, o.by, o.message) for o in outcomes
    ]
    heads = sorted({o.image for o in outcomes if o.data == "real"})
    anatomies = {o.image for o in outcomes if o.data == "simulated"}
    missed = [row for row in case_rows if row[2] != CONTROL and row[4] not in DETECTED]
    alarms = [row for row in case_rows if row[2] == CONTROL and row[4] in DETECTED]
    return Page(
        stem="safety",
        title="Which bad exams are noticed, and how many good ones raise an alarm",
        kind="real and simulated",
        data=f"{len(heads)} real T1s ({', '.join(heads)}; icbm is the average of 152 heads), good "
        f"and manipulated, and simulated exams of {len(anatomies)} anatomies kept from training.",
        seed=seed,
        model=model,
        marks=marks_of(outcomes),
        tables=[
            *(
                Table(
                    f"rates_{data}",
                    f"{data.capitalize()} images: what was noticed",
                    RATE_COLUMNS,
                    [row for row in rows if row[0] == data],
                    digits=2,
                )
                for data in ("real", "simulated")
            ),
            Table("missed", "Bad exams that were not noticed", CASE_COLUMNS, missed, digits=2),
            Table("alarms", "Good exams that raised an alarm", CASE_COLUMNS, alarms, digits=2),
        ],
        notes=[
            "An exam counts as noticed when it is refused (checks, locator, too little brainstem) "
            "or has the finding unfamiliar_exam. 'Only another finding': another warning or error "
            "came up that the good image does not have.",
            "The limits of familiarity were set on simulated exams of training anatomies "
            "(training.familiarity), never on an image of this page. Which properties there are, "
            "and how strong motion is here, was settled while looking at the real T1s of this "
            "page: their rates are no independent test. The manipulations are our own "
            "simulations on few T1s of healthy adults: no patient with a lesion, and no scan "
            "spoilt by real motion, was at hand.",
            "Intervals are exact (Clopper-Pearson) and treat exams as independent, which several "
            "versions of one head are not. A mirrored head (left and right exchanged in the "
            "header) can't be told from the image and is not among the cases.",
            "Simulated good exams hold the degraded scans that training draws (thick slices, "
            "noise, some motion), but not its contrast at will, which no T1 has.",
        ],
        attachments=[
            Table("rates", "Counts of every kind of exam, real and simulated", RATE_COLUMNS, rows),
            Table("cases", "Every exam, real and simulated", CASE_COLUMNS, case_rows),
        ],
    )


def real_images() -> dict[str, Volume]:
    """Return the real T1s by name.

    Raises
    ------
    BrainstemALSError
        One is missing.
    """
    paths = {name: shared_data() / "images" / file for name, file in IMAGES.items()}
    paths["icbm"] = icbm_path("t1")
    return {name: adapter.read_t1(path).t1 for name, path in paths.items()}


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--cases", type=int, default=10, help="held-out anatomies")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    try:
        cases = adapter.held_out(options.cases)
        segmenter = adapter.segmenter(options.device, options.model_dir)
        outcomes = [
            outcome
            for name, t1 in real_images().items()
            for outcome in real_outcomes(name, t1, segmenter, options.seed)
        ]
        outcomes += simulated_outcomes(cases, options.seed, segmenter)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    commands.publish(page_of(outcomes, segmenter.identity, options.seed), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
