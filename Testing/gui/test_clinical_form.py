"""Fold *Disease history*: what is typed is kept in the scene, and becomes a record and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from BrainstemALSLib.prediction.person_file import read_person
from Testing.worker.measured import PERSON

EARLIER = {
    "age": 60, "sex": "M", "group": "MIMIC", "onset": "spinal", "months_since_onset": 10,
    "c9orf72": "no",
    "visits": [
        {"months": 0, "alsfrs": [4, 4, 4, 3, 4, 4, 4, 4, 4, 4, 4, None], "fvc": 95.5},
        {"months": 3, "alsfrs_total": 44},
        {"months": 6, "alsfrs": [4, 4, 4, 3, 3, 3, 4, 4, 4, 4, 4, 4], "fvc": 90, "niv": "no"},
    ],
}  # fmt: skip


@pytest.fixture
def ui(panel):
    return panel.ui


def choose(combo, value):
    combo.currentIndex = combo.findData(value)
    combo.activated.emit(combo.currentIndex)


def rate(ui, ratings):
    for number, rating in enumerate(ratings, start=1):
        getattr(ui, f"alsfrs{number}Spin").value = rating


def record_of(panel):
    from BrainstemALSLib.gui.clinical_record import person_json

    return person_json(panel.visit.parameters)


@pytest.fixture
def written(tmp_path):
    """Give a function that writes a record."""

    def write(content, name="record.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_total_and_stages_run_along(panel, ui):
    assert ui.alsfrsTotalLabel.text == "No item rated."
    rate(ui, [4] * 12)
    text = ui.alsfrsTotalLabel.text
    assert "Total: 48 of 48" in text
    assert "King's: 0 or 4" in text  # a gastrostomy or NIV would make it 4
    assert "gastrostomy or NIV is not given" in text
    choose(ui.gastrostomyCombo, "no")
    choose(ui.nivCombo, "no")
    assert ui.alsfrsTotalLabel.text == "Total: 48 of 48. King's: 0. MiToS: 0."
    ui.alsfrs1Spin.value = -1
    text = ui.alsfrsTotalLabel.text
    assert "Total: 44–48 of 48. King's: 0–1. MiToS: 0." in text
    assert "11 of 12 items are rated" in text
    ui.alsfrs12Spin.value = -1
    ui.alsfrs8Spin.value = 1
    text = ui.alsfrsTotalLabel.text
    assert "King's: 1–2 or 4" in text
    assert "MiToS: 1–2" in text


def test_item_5_is_the_form_that_a_gastrostomy_asks_for(panel, ui):
    assert ui.alsfrs5Label.text.startswith("5. ")
    choose(ui.gastrostomyCombo, "yes")
    assert ui.alsfrs5Label.text.startswith("5b. ")
    rate(ui, [4] * 12)
    assert "King's: 4." in ui.alsfrsTotalLabel.text
    choose(ui.gastrostomyCombo, "no")
    assert ui.alsfrs5Label.text.startswith("5a. ")


def test_of_the_date_of_onset_only_the_months_are_kept(host, panel, ui, tmp_path):
    ui.onsetDateEdit.text = "2025-01-15"
    ui.onsetDateEdit.editingFinished.emit()
    assert "the visit has no date" in panel.messages.text
    ui.visitDateEdit.text = "2026-03-15"
    ui.onsetDateEdit.editingFinished.emit()
    assert ui.monthsSinceOnsetSpin.value == pytest.approx(13.9, abs=0.1)
    assert ui.onsetDateEdit.text == ""
    ui.onsetDateEdit.text = "last spring"
    ui.onsetDateEdit.editingFinished.emit()
    assert "not a date" in panel.messages.text
    ui.onsetDateEdit.text = "2026-04-01"  # after the visit
    ui.onsetDateEdit.editingFinished.emit()
    assert "is earlier" in panel.messages.text
    assert ui.monthsSinceOnsetSpin.value == pytest.approx(13.9, abs=0.1)
    ui.onsetDateEdit.text = ""
    host.save_scene(tmp_path / "scene.mrml")
    text = (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    assert "2025-01-15" not in text
    assert "months_since_onset" in text


def test_the_scene_keeps_what_was_typed(host, panel, ui, spheres, tmp_path):
    choose(ui.onsetCombo, "bulbar")
    choose(ui.c9orf72Combo, "yes")
    ui.diagnosticDelaySpin.value = 9.0
    ui.fvcSpin.value = 84
    ui.earlierMonths1Spin.value = 6.0
    ui.earlierTotal1Spin.value = 46
    before = record_of(panel)
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    assert ui.onsetCombo.currentIndex == 0
    assert ui.earlierTotal1Spin.value == -1
    host.load_scene(tmp_path / "scene.mrb")
    assert record_of(panel) == before
    assert ui.onsetCombo.itemData(ui.onsetCombo.currentIndex) == "bulbar"
    assert (ui.fvcSpin.value, ui.earlierTotal1Spin.value) == (84, 46)


def test_another_t1_has_a_history_of_its_own(host, panel, ui, t1, add_volume):
    first, second = add_volume(t1, "one"), add_volume(t1, "two")
    host.choose(ui.t1Selector, first)
    choose(ui.onsetCombo, "bulbar")
    ui.monthsSinceOnsetSpin.value = 14.0
    ui.earlierMonths1Spin.value = 3.0
    ui.intracranialSpin.value = 1450
    ui.intracranialSdSpin.value = 40
    ui.intracranialWinsCheck.checked = True
    before = record_of(panel)
    host.choose(ui.t1Selector, second)
    assert "onset" not in record_of(panel)
    assert "intracranial_mm3" not in record_of(panel)
    assert ui.intracranialSpin.value == 0
    assert ui.intracranialWinsCheck.checked is False
    assert ui.monthsSinceOnsetSpin.value == -1
    assert ui.earlierMonths1Spin.value == 0
    host.choose(ui.t1Selector, first)
    assert record_of(panel)["onset"] == "bulbar"
    assert ui.earlierMonths1Spin.value == 3.0
    assert record_of(panel) == before


def test_the_record_counts_from_the_first_visit(panel, ui):
    ui.ageSpin.value = 61
    choose(ui.sexCombo, "F")
    ui.monthsSinceOnsetSpin.value = 20.0
    ui.earlierMonths1Spin.value = 6.0
    ui.earlierTotal1Spin.value = 44
    ui.earlierMonths2Spin.value = 12.0
    ui.earlierTotal2Spin.value = 47
    ui.earlierFvc2Spin.value = 100
    record = record_of(panel)
    assert [visit["months"] for visit in record["visits"]] == [0.0, 6.0, 12.0]
    assert [visit.get("alsfrs_total") for visit in record["visits"]] == [47, 44, None]
    assert record["visits"][0]["fvc"] == 100
    assert record["age"] == pytest.approx(60.0)
    assert record["months_since_onset"] == pytest.approx(8.0)
    assert record["onset_age"] == pytest.approx(60.0 - 8.0 / 12, abs=0.01)
    ui.earlierMonths1Spin.value = 0.0
    ui.earlierTotal1Spin.value = -1
    assert len(record_of(panel)["visits"]) == 2


def test_a_record_is_saved_and_says_the_same_when_it_is_loaded(host, panel, ui, tmp_path):
    from BrainstemALSLib.gui.clinical_record import fill_form

    fill_form(panel.visit.parameters, PERSON)
    ui.subjectEdit.text = "ALS-017"
    ui.visitDateEdit.text = "2026-03-31"
    before = record_of(panel)
    host.answer(tmp_path / "record")  # the ending is put on
    ui.savePersonButton.click()
    assert "images of this visit are not in it" in panel.messages.text
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert "2026" not in text
    person = read_person(tmp_path / "record.json")
    assert (person.age, person.sex, person.onset) == (61, "F", "bulbar")
    assert person.visits[0].kings == "2"
    host.close_scene()
    assert record_of(panel) != before
    ui.subjectEdit.text = "ALS-017"  # is not taken from a file
    host.answer(tmp_path / "record.json", "This visit")
    ui.loadPersonButton.click()
    assert record_of(panel) == before
    host.answer(tmp_path / "record")
    (tmp_path / "record.json").write_text("mine")
    ui.savePersonButton.click()
    assert "a file of this name exists" in panel.messages.text
    assert (tmp_path / "record.json").read_text() == "mine"


def test_the_head_is_entered_in_ml_and_kept_in_mm3(host, panel, ui, written):
    assert "intracranial_mm3" not in record_of(panel)
    ui.intracranialWinsCheck.checked = True  # of nothing
    assert "intracranial_wins" not in record_of(panel)
    ui.intracranialSpin.value = 1450
    ui.intracranialSdSpin.value = 30
    record = record_of(panel)
    assert (record["intracranial_mm3"], record["intracranial_sd_mm3"]) == (1_450_000, 30_000)
    assert record["intracranial_wins"] == "yes"
    ui.intracranialWinsCheck.checked = False
    ui.intracranialSpin.editingFinished.emit()
    assert panel.messages.text == ""
    for value, said in ((145, "is 145 mL"), (9999, "is 9999 mL")):
        ui.intracranialSpin.value = value
        ui.intracranialSpin.editingFinished.emit()
        assert said in panel.messages.text
        assert "Give 960 to 2040 mL" in panel.messages.text
    path = written({**EARLIER, "intracranial_mm3": 1_512_300, "intracranial_wins": True})
    host.answer(path, "This visit")
    ui.loadPersonButton.click()
    assert (ui.intracranialSpin.value, ui.intracranialSdSpin.value) == (1512, 0)
    assert ui.intracranialWinsCheck.checked is True


def test_visits_of_a_record_become_earlier_ones(host, panel, ui, written):
    path = written(EARLIER)
    host.answer(path, "An earlier visit")
    ui.loadPersonButton.click()
    assert "can't be told how long ago" in panel.messages.text
    assert record_of(panel)["visits"] == [{"session": "ses-01", "months": 0.0}]
    ui.monthsSinceOnsetSpin.value = 20.0  # ten after the first visit of the record
    rate(ui, [3] * 12)
    host.answer(path, "An earlier visit")
    ui.loadPersonButton.click()
    record = record_of(panel)
    assert [visit["months"] for visit in record["visits"]] == [0.0, 3.0, 6.0, 10.0]
    assert record["months_since_onset"] == pytest.approx(10.0)
    assert record["group"] == "MIMIC"
    assert record["visits"][0]["alsfrs"] == EARLIER["visits"][0]["alsfrs"]
    assert record["visits"][0]["fvc"] == 95.5
    assert record["visits"][-1]["alsfrs"] == [3] * 12  # what was typed for this one stays
    assert ui.ageSpin.value == 61
    assert "and 1 more before" in ui.earlierMoreLabel.text
    assert (ui.earlierTotal1Spin.value, ui.earlierTotal1Spin.enabled) == (44, True)
    assert (ui.earlierTotal2Spin.value, ui.earlierTotal2Spin.enabled) == (45, False)
    ui.earlierFvc2Spin.value = 88
    assert record_of(panel)["visits"][2]["fvc"] == 88
    assert record_of(panel)["visits"][0]["fvc"] == 95.5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "no JSON"),
        ({**EARLIER, "sex": "female"}, "sex is 'female'"),
        ({**EARLIER, "visits": []}, "no visit"),
        ({**EARLIER, "name": "Jane"}, "'name' is not known"),
        ({**EARLIER, "visits": [{"alsfrs": [5] * 12}]}, "rated 5"),
        ({**EARLIER, "visits": [{"exam": "nowhere"}]}, "no results of one exam"),
    ],
)
def test_a_bad_record_changes_nothing(host, panel, ui, written, content, words):
    ui.fvcSpin.value = 84
    before = record_of(panel)
    host.answer(written(content))
    ui.loadPersonButton.click()
    assert words in panel.messages.text
    assert record_of(panel) == before


def test_what_a_scene_holds_by_mistake_is_no_visit(panel, ui):
    for text in ("nonsense", "[1]", '[{"odd": 1}]', '{"months_before": 3}'):
        panel.visit.parameters.earlier_visits = text
        assert len(record_of(panel)["visits"]) == 1


def test_exams_of_a_record_are_found_wherever_it_is_written(tmp_path, host):
    from BrainstemALSLib.gui.clinical_form import read_record, write_record
    from BrainstemALSLib.gui.clinical_record import with_exams
    from BrainstemALSLib.norms.files import bundled_norms
    from BrainstemALSLib.worker.predicting import write_exam_tables
    from Testing.worker.measured import exam_of

    write_exam_tables(tmp_path / "a" / "exam", exam_of(bundled_norms()))
    person = with_exams({**PERSON, "visits": [{"exam": "exam"}]}, lambda name: name)
    (tmp_path / "a" / "record.json").write_text(json.dumps(person))
    found = read_record(tmp_path / "a" / "record.json")
    assert Path(found["visits"][0]["exam"]) == (tmp_path / "a" / "exam").resolve()
    write_record(tmp_path / "a" / "again.json", found)
    again = json.loads((tmp_path / "a" / "again.json").read_text(encoding="utf-8"))
    assert again["visits"][0]["exam"] == "exam"
    (tmp_path / "b").mkdir()
    write_record(tmp_path / "b" / "record.json", found)
    assert read_person(tmp_path / "b" / "record.json").visits[0].has_images
