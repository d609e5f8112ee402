"""DICOM folders that may hold two people: refused, or said to be unsure, and never repeated."""

from __future__ import annotations

import pytest
from pydicom import config

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.intake import open_source

from . import dicom_files as files
from .conftest import codes

WHO = ("PatientID", "PatientName", "PatientBirthDate")
UNSURE = "dicom_one_person_unsure"


def person(study: str | None = None, sex: str = "F", **identity: str) -> files.Visit:
    """A visit of somebody of whom only what is named is known."""
    visit = files.Visit(sex=sex, **({"study": study} if study else {}))
    visit.identity.update({name: identity.get(name, "") for name in WHO})
    return visit


@pytest.fixture
def pair(tmp_path, t1_plane, dwi_plane, gradients):
    """Write the T1 of one visit and the diffusion of another into one folder."""

    def write(first: files.Visit, second: files.Visit):
        files.t1_series(tmp_path / "a", t1_plane, first)
        few = slice(0, 3)  # who it is of does not hang on more
        files.dwi_series(
            tmp_path / "b", dwi_plane, second, gradients.bvals[few], gradients.bvecs[few]
        )
        return tmp_path

    return write


def refused(folder) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        open_source(folder)
    return caught.value


@pytest.mark.parametrize("known", [{}, {"PatientID": "anon", "PatientName": "anon"}])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"PatientBirthDate": "19510203"}, {"PatientBirthDate": "19620304"}),
        ({"sex": "F"}, {"sex": "M"}),
    ],
)
def test_birth_dates_or_sexes_that_contradict(known, first, second, pair):
    refusal = refused(pair(person(**known, **first), person(**known, **second)))
    assert "2 patients" in refusal.problem
    assert refusal.code == ExitCode.MISMATCHED_IMAGES
    assert "195" not in str(refusal)
    assert "196" not in str(refusal)
    assert "anon" not in str(refusal)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"PatientBirthDate": "19510203"}, {"PatientBirthDate": "1951.02.03"}),
        ({"PatientBirthDate": "19510203"}, {"PatientBirthDate": "00000000"}),
        ({"PatientBirthDate": "19510203"}, {}),
        ({"sex": "F"}, {"sex": "f"}),
        ({"sex": "F"}, {"sex": ""}),
        ({"sex": "F"}, {"sex": "unknown"}),
    ],
)
def test_what_is_missing_or_written_otherwise_contradicts_nothing(first, second, pair, monkeypatch):
    for mode in ("reading_validation_mode", "writing_validation_mode"):  # as scanners write it
        monkeypatch.setattr(config.settings, mode, config.IGNORE)
    known = {"PatientID": "17"}
    assert open_source(pair(person(**known, **first), person(**known, **second))).findings == ()


def test_a_birth_date_that_was_put_right_between_visits(tmp_path, t1_plane):
    for date, birth in (("20210504", "19510203"), ("20220101", "19510302")):
        visit = person(PatientID="17", PatientBirthDate=birth)
        visit.date = date
        files.t1_series(tmp_path / date, t1_plane, visit)
    assert open_source(tmp_path, visit=2).person.days_since_first_visit == 242


@pytest.mark.parametrize("study", ["1.2.3", None])
def test_only_an_identifier_and_only_a_name(study, pair):
    first = person(study, PatientID="PLANTEDID77123")
    found = open_source(pair(first, person(study, PatientName="Plantedname^Quirin")))
    (finding,) = found.findings
    assert finding.code == UNSURE
    assert finding.severity == "warning"
    assert found.dwi is not None
    assert "lanted" not in (finding.message + finding.action).replace("LANTED", "lanted")


def test_a_file_with_both_ties_an_identifier_to_a_name(pair, t1_plane):
    folder = pair(person(PatientID="17"), person(PatientName="Doe"))
    files.t1_series(
        folder / "c",
        t1_plane,
        person(PatientID="17", PatientName="Doe"),
        number=9,
        values={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
    )
    assert open_source(folder).findings == ()


@pytest.mark.parametrize("one", [{}, {"PatientID": "17"}])
def test_two_studies_that_no_identity_ties(one, pair):
    found = open_source(pair(person(**one), person()))
    assert codes(found.findings) == {UNSURE}
    assert "two DICOM studies" in found.findings[0].message


@pytest.mark.parametrize("name", WHO)
def test_two_studies_that_one_identity_ties(name, pair):
    one = {name: "19510203"}
    assert open_source(pair(person(**one), person(**one))).findings == ()


def test_one_study_without_identities(pair):
    assert open_source(pair(person("1.2.3"), person("1.2.3"))).findings == ()
