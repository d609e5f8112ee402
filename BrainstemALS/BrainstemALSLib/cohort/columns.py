"""Which columns of a BIDS dataset's tables are read, what they may be called, what they may hold.

Ranges are own choices: wide enough for every patient, too narrow for another unit.
"""

from __future__ import annotations

import re

from ..prognosis.alsfrs import HIGHEST_RATING, HIGHEST_TOTAL
from .cells import Code, Number, Text
from .tables import ALSFRS_COLUMNS

YES_NO = Code(
    {
        "yes": ("y", "true", "1", "positive", "expanded", "present"),
        "no": ("n", "false", "0", "negative", "normal", "not expanded", "absent"),
    }
)
_YEARS = {"years": 1.0, "year": 1.0, "y": 1.0, "months": 1 / 12, "month": 1 / 12,
          "days": 1 / 365.25, "weeks": 7 / 365.25}  # fmt: skip
_MONTHS = {"months": 1.0, "month": 1.0, "years": 12.0, "year": 12.0, "days": 12 / 365.25,
           "day": 12 / 365.25, "weeks": 7 * 12 / 365.25}  # fmt: skip
_AGE = Number(
    1, 120, units=_YEARS,
    hint="Give years, or say the unit in the JSON file (Units: months).",
)  # fmt: skip
_DURATION = Number(
    0, 600, units=_MONTHS,
    hint="Give months, or say the unit in the JSON file (Units: years).",
)  # fmt: skip
_RATING = Number(0, HIGHEST_RATING, whole=True, hint="Write 0, 1, 2, 3, 4 or n/a.")
_LITRES = "Give per cent of the predicted value: litres cannot be converted without the height."
FVC_PERCENT = ("%", "percent", "% predicted", "percent predicted", "%pred")

PARTICIPANT_COLUMNS = {
    "group": Code(
        {
            "HC": ("control", "controls", "healthy", "healthy control", "healthy controls", "con",
                   "ctrl"),
            "ALS": ("amyotrophic lateral sclerosis", "als patient"),
            "MIMIC": ("als mimic", "mimics", "mimic disorder"),
        }
    ),
    "age": _AGE,
    "sex": Code({"M": ("male", "man"), "F": ("female", "woman")}),
    "site": Text(),
    "onset": Code(
        {
            "bulbar": ("bulbar onset",),
            "spinal": ("limb", "spinal onset", "limb onset", "upper limb", "lower limb",
                       "cervical", "lumbosacral", "lumbar"),
            "respiratory": ("respiratory onset",),
        }
    ),
    "onset_age": _AGE,
    "months_since_onset": _DURATION,
    "diagnostic_delay": _DURATION,
    "ftd": YES_NO,
    "c9orf72": YES_NO,
    "riluzole": YES_NO,
    "definite_ee": YES_NO,
    "survival_months": _DURATION,
    "event": Code(
        {
            "death": ("dead", "died", "deceased"),
            "niv": ("noninvasive ventilation", "non invasive ventilation"),
            "tracheostomy": ("tracheotomy",),
            "censored": ("alive", "none", "no event"),
        }
    ),
}  # fmt: skip
VISIT_COLUMNS = {
    "months": _DURATION,
    **dict.fromkeys(ALSFRS_COLUMNS, _RATING),
    "alsfrs_05a": _RATING,
    "alsfrs_05b": _RATING,
    "gastrostomy": YES_NO,
    "alsfrs_total": Number(0, HIGHEST_TOTAL, whole=True, hint="Write 0 to 48, or n/a."),
    "fvc": Number(
        10, 200, units=dict.fromkeys(FVC_PERCENT, 1.0),
        refused_units=dict.fromkeys(("l", "litre", "litres", "liter", "liters"), _LITRES),
        hint=f"A small number may be litres. {_LITRES}",
    ),
    "kings": Code({"0": (), "1": (), "2": (), "3": (), "4": ("4a", "4b"), "5": ()}),
    "mitos": Number(0, 5, whole=True, hint="Write 0 to 5, or n/a."),
    "niv": YES_NO,
    "age": _AGE,
}  # fmt: skip
_SYNONYMS = {
    "participant": "participant_id", "subject": "participant_id", "subject_id": "participant_id",
    "session": "session_id", "visit": "session_id", "visit_id": "session_id",
    "diagnosis": "group", "dx": "group", "gender": "sex", "center": "site", "centre": "site",
    "site_of_onset": "onset", "onset_site": "onset", "onset_region": "onset",
    "age_at_onset": "onset_age", "age_onset": "onset_age", "age_at_scan": "age",
    "disease_duration": "months_since_onset", "symptom_duration": "months_since_onset",
    "diagnosis_delay": "diagnostic_delay", "c9": "c9orf72", "survival": "survival_months",
    "months_since_first_visit": "months", "peg": "gastrostomy",
    "alsfrs": "alsfrs_total", "alsfrs_r": "alsfrs_total", "alsfrsr": "alsfrs_total",
    "alsfrs_r_total": "alsfrs_total", "alsfrsr_total": "alsfrs_total",
    "fvc_percent": "fvc", "fvc_pct": "fvc", "fvc_percent_predicted": "fvc",
    "kings_stage": "kings", "king_s_stage": "kings", "mitos_stage": "mitos",
}  # fmt: skip
_UNIT_ENDINGS = {
    "_years": "years", "_year": "years", "_months": "months", "_days": "days", "_weeks": "weeks",
    "_litres": "litres", "_liters": "litres", "_l": "litres",
}  # fmt: skip
_NEEDS_UNIT = {"disease_duration", "symptom_duration", "diagnosis_delay", "survival"}
"""Names that some studies use for months and others for years."""
UNSTATED = "unstated"
_ITEM = re.compile(r"alsfrs_?r?_?(?:q|item)?_?(\d{1,2})([ab])?")
_PERSONAL = re.compile(
    r"(^|_)(name|surname|firstname|lastname|initials|birth|birthdate|dob|mrn|phone|email|address|"
    r"hospital_id|patient_id|zip|postcode)(_|$)"
)


def column_of(name: str, known: dict[str, object]) -> tuple[str, str]:
    """Return which of our columns a column is, and the unit that its name states.

    Parameters
    ----------
    name : str
        As ``raw_table.plain`` returns it.
    known : dict
        ``PARTICIPANT_COLUMNS`` or ``VISIT_COLUMNS``.

    Returns
    -------
    (column, unit)
        Empty where it is none of ours.

    Examples
    --------
    >>> column_of("age_months", PARTICIPANT_COLUMNS)
    ('age', 'months')
    >>> column_of("alsfrs_r_q5a", VISIT_COLUMNS)
    ('alsfrs_05a', '')
    >>> column_of("survival_months", PARTICIPANT_COLUMNS)
    ('survival_months', '')
    """
    item = _ITEM.fullmatch(name)
    if item and 1 <= int(item[1]) <= 12 and (not item[2] or int(item[1]) == 5):
        name = f"alsfrs_{int(item[1]):02d}{item[2] or ''}"
    for candidate, unit in ((name, ""), *_without_unit(name)):
        ours = candidate if candidate in known else _SYNONYMS.get(candidate, candidate)
        if ours in known or ours in ("participant_id", "session_id"):
            return ours, unit or (UNSTATED if candidate in _NEEDS_UNIT else "")
    return "", ""


def looks_personal(name: str) -> bool:
    """Say whether a column's name promises what does not belong in a dataset.

    Examples
    --------
    >>> looks_personal("date_of_birth"), looks_personal("onset")
    (True, False)
    """
    return _PERSONAL.search(name) is not None


def _without_unit(name: str) -> list[tuple[str, str]]:
    return [
        (name.removesuffix(ending), unit)
        for ending, unit in _UNIT_ENDINGS.items()
        if name.endswith(ending)
    ]
