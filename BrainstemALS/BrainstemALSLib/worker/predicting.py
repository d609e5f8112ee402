"""The command ``predict``: what can be said of one person, from a form and a measured exam.

Measures go through the same tables as the results of ``brainstem-als segment``, so that panel and
command line say the same of one exam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BrainstemALSError
from ..measurement.records import measures_from_record
from ..report.naming import derivative_name
from ..report.tables import (
    ASYMMETRY_COLUMNS,
    DIFFUSION_ASYMMETRY_COLUMNS,
    DIFFUSION_COLUMNS,
    VOLUME_COLUMNS,
    asymmetry_rows,
    diffusion_asymmetry_rows,
    diffusion_rows,
    volume_rows,
    write_json,
    write_tsv,
)

if TYPE_CHECKING:
    from ..measurement import Measures
    from ..norms.score import Norms, NormScore
    from ..prediction.models import Models
    from ..prediction.predict import Prediction
    from ..prediction.records import PersonRecord

EXAM = "exam"
"""Folder of the tables of this visit, beside the other files of the job."""
_STEM = "sub-x"
_PREDICT, _REPORT = 0.4, 0.9
"""Where the prediction and the report begin in the whole, the first time; later all is fast."""
MOST_UNUSUAL = 6
"""Unusual measures that are named; the rest is counted."""
_MEASURES = {
    "volume": "volume",
    "fa": "FA",
    "md": "MD",
    "volume_asymmetry": "left-right difference of the volume",
    "fa_asymmetry": "left-right difference of FA",
    "md_asymmetry": "left-right difference of MD",
}


class Predicting:
    """Norms and models, read once, and what they say."""

    def __init__(self) -> None:
        self._norms: Norms | None = None
        self._models: Models | None = None

    def run(
        self,
        params: dict[str, Any],
        progress: Callable[[str, float, str], None] = lambda _stage, _fraction, _text: None,
    ) -> dict[str, Any]:
        """Predict; see ``requests.predict_params``.

        Parameters
        ----------
        params : dict
        progress : callable
            Called with stage, fraction 0-1 and text between the steps.

        Returns
        -------
        dict
            ``prediction``: as ``brainstem-als predict`` writes it; ``report``: the HTML page;
            ``blocks``: parts of the page in the order of the panel, ``name`` and ``html`` each;
            ``findings``: severity, where it belongs and sentence of each; ``simulated``: whether
            any model that answers was learned from simulated people; ``simulated_norms``: whether
            simulated norms score the images.

        Raises
        ------
        BrainstemALSError
            What ``prediction.person_file`` and ``prediction.predict`` refuse.
        """
        from ..norms.files import bundled_norms
        from ..prediction.models import PARTS, read_models
        from ..prediction.person_file import person_of
        from ..prediction.predict import predict
        from ..prediction.prediction_json import prediction_record
        from ..prediction.report_html import report_html
        from ..prediction.report_html_words import findings_once

        progress("models", 0.0, "Reading norms and models")
        if self._models is None:
            self._models = read_models()
            with suppress(BrainstemALSError):  # a finding of the prediction says so
                self._norms = bundled_norms()
        progress("exam", _PREDICT - 0.05, "Reading the exam")
        folder = Path(params["folder"])
        content = params["person"]
        if params.get("measures") is not None:
            write_exam_tables(folder / EXAM, measures_from_record(params["measures"]))
            *earlier, last = content["visits"]
            content = {**content, "visits": [*earlier, {**last, "exam": EXAM}]}
        person = person_of(content, folder)
        prediction = predict(
            person, self._norms, self._models, params.get("prior"),
            progress=lambda fraction, text: progress(
                "predict", _PREDICT + (_REPORT - _PREDICT) * fraction, text
            ),
        )  # fmt: skip
        progress("report", _REPORT, "Writing the report")
        today = date.today().isoformat()
        return {
            "prediction": prediction_record(prediction, today),
            "report": report_html(prediction, today),
            "blocks": [
                {"name": name, "html": html}
                for name, html in _blocks(prediction, self._norms, folder)
            ],
            "findings": [list(one) for one in findings_once(prediction)],
            "simulated": any(prediction.simulated[part] for part in PARTS),
            "simulated_norms": bool(prediction.norms_statement) and prediction.simulated["norms"],
        }


def write_exam_tables(folder: Path, measures: Measures) -> None:
    """Write the tables of an exam that ``cohort.exam_measures`` reads."""
    folder.mkdir(parents=True, exist_ok=True)

    def path(suffix: str, extension: str = ".tsv") -> Path:
        return folder / derivative_name(_STEM, suffix, extension)

    write_tsv(path("volumes"), VOLUME_COLUMNS, volume_rows(measures.volumes))
    write_tsv(path("asymmetry"), ASYMMETRY_COLUMNS, asymmetry_rows(measures.asymmetries))
    if measures.diffusion:
        write_tsv(path("diffusion"), DIFFUSION_COLUMNS, diffusion_rows(measures.diffusion))
        write_tsv(
            path("diffusionasymmetry"),
            DIFFUSION_ASYMMETRY_COLUMNS,
            diffusion_asymmetry_rows(measures.diffusion_asymmetries),
        )
    findings = [
        {"code": f.code, "severity": f.severity, "structure": f.structure}
        for f in measures.findings
    ]
    quality = {
        "findings": findings,
        "intracranial_volume_mm3_estimate": measures.intracranial.volume_mm3,
    }
    write_json(path("qc", ".json"), quality)


def _blocks(prediction: Prediction, norms: Norms | None, folder: Path) -> Iterator[tuple[str, str]]:
    from ..prediction import report_html_sections as sections

    compared = sections.compared(prediction)
    if norms is not None and (folder / EXAM).is_dir():
        said = unusual_sentence(prediction.person, norms, folder / EXAM)
        compared = compared.replace("</h2>", f"</h2><p>{said}</p>", 1)
    yield "compared", compared
    for name in ("consistency", "stage", "disease_stage", "course", "risk", "contributions"):
        yield name, getattr(sections, name)(prediction)


def unusual_sentence(person: PersonRecord, norms: Norms, exam: Path) -> str:
    """Return which measures of the last visit are unusual: not without their interval."""
    from ..cohort.exam_measures import exam_rows
    from ..norms.exam import score_exam
    from ..prediction.head_size import head_of

    rows = exam_rows(exam, _STEM, "", "")
    months = person.visits[-1].months or 0.0
    age = None if person.age is None else person.age + months / 12.0
    head = head_of(person.visits[-1])  # measured, or entered where the exam is cut
    icv = (None, None) if head is None or head.quality == "bad" else (head.value, head.sd)
    found = score_exam(norms, rows, age, person.sex, icv[0], icv_uncertainty=icv[1])
    scored = [s for s in found.scores if s.z is not None]
    if not scored:
        return "No measure could be compared with norms."
    found = sorted((s for s in scored if s.beyond), key=lambda s: -abs(s.z))
    many = f"of {len(scored)} measures"
    where = "beyond where 95 % of healthy people are, with the whole 95 % interval of the z-score"
    if not found:
        return f"None {many} lies {where}."
    named = "; ".join(_named(score) for score in found[:MOST_UNUSUAL])
    more = len(found) - MOST_UNUSUAL
    rest = f"; {more} more" if more > 0 else ""
    return f"{len(found)} {many} {'lies' if len(found) == 1 else 'lie'} {where}: {named}{rest}."


def _named(score: NormScore) -> str:
    from ..prediction.explain_map import label_of

    what = _MEASURES.get(score.measure, score.measure)
    return (
        f"{label_of(score.structure)}, {what}: between {score.z_low:.1f} and {score.z_high:.1f} "
        f"({score.beyond})"
    )
