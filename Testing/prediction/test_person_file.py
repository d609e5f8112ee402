"""One person as JSON: what is read, and every way in which it is refused."""

from __future__ import annotations

import json

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.person_file import person_of, read_person

RATINGS = [3, 4, 3, 4, 4, 4, 4, 3, 3, 4, 4, 4]


def visit(**changed):
    return {"months": 0, "alsfrs": RATINGS, "gastrostomy": False, "fvc": 84, "niv": "no"} | changed


def person(**changed):
    return {"age": 61, "sex": "F", "onset": "bulbar", "visits": [visit()]} | changed


def test_a_whole_person_is_read(tmp_path):
    path = tmp_path / "person.json"
    content = person(
        months_since_onset=14, ftd="no", c9orf72=None, visits=[visit(), visit(months=6)]
    )
    path.write_text(json.dumps(content))
    found = read_person(path)
    assert (found.age, found.sex, found.onset, found.ftd, found.c9orf72) == (
        61.0, "F", "bulbar", False, None,
    )  # fmt: skip
    assert [v.months for v in found.visits] == [0.0, 6.0]
    first = found.visits[0]
    assert (first.total, first.fvc, first.niv, first.gastrostomy) == (44.0, 84.0, False, False)
    assert (first.kings, first.mitos) == ("2", 0)
    assert not first.has_images
    assert found.participant == "patient"


def test_both_kinds_of_stage_4_are_stage_4():
    for given in ("4", "4A", "4B"):
        content = person(visits=[visit(kings=given, gastrostomy="yes", niv="yes")])
        assert person_of(content, None).visits[0].kings == "4"


def test_a_missing_item_leaves_no_total():
    found = person_of(person(visits=[visit(alsfrs=[None, *RATINGS[1:]])]), None)
    assert found.visits[0].total is None
    assert found.visits[0].ratings[0] == -1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (person(sex="female"), "sex is 'female'"),
        (person(age="61"), "age is no number"),
        (person(age=True), "age is no number"),
        (person(age=-3), "age is -3"),
        (person(onset="limb"), "onset is 'limb'"),
        (person(ftd="maybe"), "ftd. is 'maybe'. Give yes or no, or leave it out"),
        (person(agee=3), "'agee' is not known"),
        (person(visits=[]), "there is no visit"),
        ({"sex": "F", "visits": [visit()]}, "age is missing"),
        ([1], "no JSON object"),
        (person(visits=[visit(alsfrs=[5, *RATINGS[1:]])]), "item 1 .Speech. is rated 5"),
        (person(visits=[visit(alsfrs=RATINGS[1:])]), "12 items, not 11"),
        (person(visits=[visit(alsfrs=44)]), "the ALSFRS-R is no list"),
        (person(visits=[visit(alsfrs_total=40)]), "not the sum"),
        (person(visits=[visit(fvc=3.1)]), "outside 5-180"),
        (person(visits=[visit(months=6), visit()]), "visit 2 is before visit 1"),
        (person(visits=[visit(), visit()]), "on one date"),
        (person(visits=[visit(), visit(months=None)]), "has no months"),
        (person(visits=[visit(kings="7")]), "King's stage is '7'"),
        (person(visits=[visit(weight=70)]), "'weight' is not known"),
        # What cannot be true at once.
        (person(onset_age=70), "age at onset, 70, is above the age, 61"),
        (person(onset_age=30, months_since_onset=14), "onset at 30 does not fit age 61 and 14"),
        (person(onset_age=61, months_since_onset=30), "onset at 61 does not fit age 61 and 30"),
        (
            person(months_since_onset=14, diagnostic_delay=40, visits=[visit(), visit(months=4)]),
            "40 months after onset, is later than the last visit .18.",
        ),
        (person(visits=[visit(months=20)]), "first visit is at month 20"),
        (person(visits=[visit(months=2), visit(months=6)]), "first visit is at month 2"),
        (person(visits=[visit(kings="1")]), "visit 1 has King's stage 1, but its ratings give 2"),
        (person(visits=[visit(kings="4")]), "visit 1 has King's stage 4, but its ratings give 2"),
        (
            person(visits=[visit(), visit(months=6, mitos=3)]),
            "visit 2 has MiToS stage 3, but its ratings give 0",
        ),
        (person(simulated="yes"), "simulated is 'yes'. Give true or false"),
        (person(simulated=1), "simulated is 1"),
        # Words of the file, not of what reads it.
        (person(visits=[visit(fvc=float("nan"))]), "FVC is no number"),
        (person(visits=[visit(fvc=10**400)]), "outside 5-180"),
        (person(sex=None), "sex is missing"),
        (person(sex="x"), "Give F or M\\.$"),
        (person(months_since_onset=-2), "number of months from onset to the first visit is -2"),
        (person(intracranial_mm3=1450), "is 1450 mm3, which looks like mL. Give 1450000"),
        (person(intracranial_mm3=1.45), "which looks like litres. Give 1450000"),
        (person(intracranial_mm3=145_000), "is 145 mL .145000 mm3., that of no adult. Give 960 to"),
        (person(intracranial_mm3="1450 mL"), "intracranial volume in mm3 is no number"),
        (person(intracranial_mm3=1_450_000, intracranial_sd_mm3=0), "volume is 0 mm3. Give 2900"),
        (
            person(intracranial_mm3=1_450_000, intracranial_sd_mm3=900_000),
            "Give 2900 to 290000 mm3",
        ),
        (person(intracranial_wins="yes"), "is missing. Give intracranial_mm3"),
        (person(visits=[visit(alsfrs=[9, *RATINGS[1:]])]), "or null for not rated"),
        (person(visits=[visit(fvc=5.5)]), "which looks like litres"),
        (
            person(visits=[visit(alsfrs=[None, *RATINGS[1:]], alsfrs_total=3)]),
            "total of 3, but its items allow",
        ),
        (
            person(visits=[visit(kings="5"), visit(months=6)]),
            "visit 1 has stage 5, which is death",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(content, said):
    with pytest.raises(BrainstemALSError, match=said) as refusal:
        person_of(content, None)
    assert refusal.value.code == ExitCode.USAGE
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    [
        person(onset_age=61),  # whole years
        person(onset_age=60, months_since_onset=30),
        person(months_since_onset=14, diagnostic_delay=14.5),
        person(months_since_onset=14, diagnostic_delay=17, visits=[visit(), visit(months=4)]),
        person(diagnostic_delay=40),
        person(visits=[visit(months=None)]),
        person(visits=[visit(kings="2", mitos=0)]),
        person(visits=[visit(kings="4", gastrostomy=None)]),
        person(visits=[visit(kings="1", alsfrs=[None] * 12)]),
        person(visits=[visit(kings="1", alsfrs=None)]),
        person(visits=[visit(kings="5")]),  # death is no matter of ratings
        person(intracranial_mm3=1_450_000),
        person(intracranial_mm3=1_450_000, intracranial_sd_mm3=30_000, intracranial_wins=True),
        person(simulated=None),
        person(simulated=False),
    ],
)
def test_what_may_be_is_read(content):
    assert not person_of(content, None).simulated


def test_a_sex_that_is_needed_may_not_be_null():
    with pytest.raises(BrainstemALSError) as refusal:
        person_of(person(sex="female"), None)
    assert "null" not in refusal.value.remedy
    assert "leave it out" not in refusal.value.remedy
    assert person_of(person(simulated=True), None).simulated


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(BrainstemALSError, match="cannot be read"):
        read_person(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(BrainstemALSError, match="no JSON"):
        read_person(tmp_path / "bad.json")


def test_an_exam_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BrainstemALSError, match="no results of one exam") as refusal:
        person_of(person(visits=[visit(exam="gone")]), tmp_path)
    assert refusal.value.code == ExitCode.UNREADABLE_IMAGE
