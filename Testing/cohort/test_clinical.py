"""What clinical tables hold that they should not: every case is named, none dropped in silence."""

import json

import pytest

from BrainstemALSLib.cohort.clinical import read_clinical
from BrainstemALSLib.cohort.discovery import Visit
from BrainstemALSLib.cohort.people_said import say_composition
from BrainstemALSLib.cohort.remarks import ACTIONS, summary_lines

HEADER = "participant_id\tgroup\tage\tsex\tsite\n"


def visit(root, who="sub-01", session="ses-01"):
    return Visit(who, session, root / who / session)


@pytest.fixture
def read(tmp_path):
    """Write participants.tsv and what else is given, and read it."""

    def inner(participants=HEADER + "sub-01\tALS\t60\tM\tA\n", visits=None, **files):
        content = participants if isinstance(participants, bytes) else participants.encode()
        (tmp_path / "participants.tsv").write_bytes(content)
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        remarks = []
        there = [visit(tmp_path)] if visits is None else visits
        people, rows = read_clinical(tmp_path, there, remarks)
        assert all(r.action in ACTIONS and r.problem and r.remedy for r in remarks)
        return {row["participant_id"]: row for row in people}, rows, remarks

    return inner


def said(remarks, word, **where):
    found = [r for r in remarks if word in r.problem]
    assert found, [r.problem for r in remarks]
    for name, value in where.items():
        assert getattr(found[0], name) == value
    return found[0]


def test_a_table_without_faults_is_read_without_a_word(read):
    people, rows, remarks = read()
    assert people["sub-01"] == {
        "participant_id": "sub-01", "group": "ALS", "age": 60.0, "sex": "M", "site": "A",
    }  # fmt: skip
    assert rows == [{"participant_id": "sub-01", "session_id": "ses-01", "months": 0.0}]
    assert remarks == []


def test_a_decimal_comma_is_read_and_said(read):
    people, _, remarks = read(HEADER + "sub-01\tALS\t63,5\tM\tA\n")
    assert people["sub-01"]["age"] == 63.5
    said(remarks, "comma", action="converted", row=2, column="age", file="participants.tsv")


@pytest.mark.parametrize(
    "text", ["sixty", "63.5 years", "1.234,5", "1,234,567", "1_0", "inf", "٦٠"]
)
def test_what_is_no_number_is_not_used(read, text):
    people, _, remarks = read(HEADER + f"sub-01\tALS\t{text}\tM\tA\n")
    assert people["sub-01"]["age"] is None
    said(remarks, "no number", action="set to n/a", row=2, column="age")


def test_an_age_of_ninety_and_more_may_be_written_so(read):
    people, _, remarks = read(HEADER + "sub-01\tALS\t90+\tM\tA\n")
    assert people["sub-01"]["age"] == 90.0
    assert remarks == []


def test_an_age_in_months_is_converted_where_the_unit_is_stated_and_refused_where_not(read):
    people, _, remarks = read(HEADER + "sub-01\tALS\t756\tM\tA\n")
    assert people["sub-01"]["age"] is None
    assert "Units" in said(remarks, "outside", row=2, column="age", action="set to n/a").remedy
    people, _, remarks = read(
        HEADER + "sub-01\tALS\t756\tM\tA\n",
        participants_dot_json=json.dumps({"age": {"Units": "months"}}),
    )
    assert people["sub-01"]["age"] == pytest.approx(63.0)
    said(remarks, "months", action="converted", row=2)
    people, _, _ = read(
        "participant_id\tgroup\tage_months\nsub-01\tALS\t756\n", participants_dot_json="{}"
    )
    assert people["sub-01"]["age"] == pytest.approx(63.0)


def test_a_duration_without_a_unit_is_not_guessed(read):
    people, _, remarks = read("participant_id\tdisease_duration\nsub-01\t2.5\n")
    assert people["sub-01"]["months_since_onset"] is None
    said(remarks, "unit", column="disease_duration", row=2)
    people, _, _ = read("participant_id\tdisease_duration_years\nsub-01\t2.5\n")
    assert people["sub-01"]["months_since_onset"] == 30.0


@pytest.mark.parametrize(
    ("code", "group"), [("control", "HC"), ("Healthy Control", "HC"), ("als", "ALS")]
)
def test_codes_may_be_written_in_other_ways(read, code, group):
    people, _, remarks = read(HEADER + f"sub-01\t{code}\t60\tfemale\tA\n")
    assert people["sub-01"]["group"] == group
    assert people["sub-01"]["sex"] == "F"
    assert remarks == []


@pytest.mark.parametrize(
    ("column", "code"), [("group", "Jane Doe"), ("group", "patient"), ("sex", "1")]
)
def test_an_unknown_code_is_named_with_what_to_write_and_never_shown(read, column, code):
    cells = {"group": "ALS", "sex": "M", column: code}
    people, _, remarks = read(HEADER + f"sub-01\t{cells['group']}\t60\t{cells['sex']}\tA\n")
    assert people["sub-01"][column] is None
    remark = said(remarks, "code", column=column, row=2, participant="sub-01")
    assert "Write one of" in remark.remedy
    assert not any("Jane" in line for line in summary_lines(remarks))


def test_levels_of_the_json_file_say_what_a_code_means(read):
    people, _, remarks = read(
        HEADER + "sub-01\tALS\t60\t1\tA\n",
        participants_dot_json=json.dumps({"sex": {"Levels": {"1": "male", "2": "female"}}}),
    )
    assert people["sub-01"]["sex"] == "M"
    assert remarks == []


def test_a_participant_who_is_there_twice_is_kept_once(read):
    people, _, remarks = read(HEADER + "sub-01\tALS\t60\tM\tA\n" * 2)
    assert people["sub-01"]["age"] == 60.0
    said(remarks, "several rows", row=3, action="kept")


def test_rows_that_contradict_each_other_do_not_count_where_they_do(read):
    people, _, remarks = read(
        HEADER + "sub-01\tALS\t60\tM\tA\n" + "sub-01\tHC\t60\tM\tA\n" + "sub-01\tHC\t60\tM\tA\n"
    )
    assert people["sub-01"]["group"] is None
    assert people["sub-01"]["age"] == 60.0
    said(remarks, "contradicts row 2", row=3, column="group", action="set to n/a")


def test_byte_order_mark_and_windows_lines_are_read_and_said(read):
    people, _, remarks = read(
        b"\xef\xbb\xbf" + (HEADER + "sub-01\tALS\t60\tM\tA\n").replace("\n", "\r\n").encode()
    )
    assert people["sub-01"]["site"] == "A"
    said(remarks, "byte order mark", action="converted")
    said(remarks, "lines end", action="converted")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_read_and_said(read, encoding):
    people, _, remarks = read((HEADER + "sub-01\tALS\t60\tM\tZürich\n").encode(encoding))
    assert people["sub-01"]["site"] == "Zürich"
    said(remarks, "UTF", action="converted")


def test_a_spreadsheet_is_no_table(read):
    people, _, remarks = read(b"PK\x03\x04\x00\x00sheet")
    assert people["sub-01"].get("group") is None
    said(remarks, "no text", action="left out")


def test_semicolons_with_decimal_commas_are_read(read):
    people, _, remarks = read("participant_id;group;age;sex;site\nsub-01;ALS;63,5;M;A\n")
    assert people["sub-01"]["age"] == 63.5
    said(remarks, "semicolons", action="converted")


def test_a_row_of_too_many_cells_is_not_guessed(read):
    people, _, remarks = read("participant_id,group,age,sex,site\nsub-01,ALS,63,5,M,A\n")
    assert people["sub-01"].get("age") is None
    said(remarks, "more cells", row=2, action="left out")


def test_a_row_of_too_few_cells_is_kept(read):
    people, _, remarks = read(HEADER + "sub-01\tALS\n")
    assert people["sub-01"]["group"] == "ALS"
    said(remarks, "fewer cells", row=2, action="kept")


def test_a_lone_quotation_mark_swallows_nobody(read, tmp_path):
    people, _, _ = read(HEADER + 'sub-01\tALS\t60\tM\t"A\nsub-02\tHC\t61\tF\tB\n')
    assert people.keys() == {"sub-01", "sub-02"}


def test_missing_columns_are_named(read):
    people, _, remarks = read("participant_id\tage\nsub-01\t60\n")
    lacking = {r.column for r in remarks if r.action == "missing" and "missing" in r.problem}
    assert lacking == {"group", "sex", "site"}
    assert people["sub-01"]["age"] == 60.0


def test_a_missing_table_is_named_and_people_stay(tmp_path):
    remarks = []
    people, rows = read_clinical(tmp_path, [visit(tmp_path)], remarks)
    assert [row["participant_id"] for row in people] == ["sub-01"]
    assert len(rows) == 1
    said(remarks, "it is not there", file="participants.tsv")


def test_people_without_images_and_images_without_people_are_named(read, tmp_path):
    there = [visit(tmp_path), visit(tmp_path, "sub-03")]
    people, _, remarks = read(
        HEADER + "sub-01\tALS\t60\tM\tA\nsub-02\tHC\t50\tF\tA\n", visits=there
    )
    assert people.keys() == {"sub-01", "sub-02", "sub-03"}
    said(remarks, "but no image", participant="sub-02", row=3)
    said(remarks, "but no row", participant="sub-03")


def test_an_id_without_its_prefix_is_read_and_a_bad_one_named(read):
    people, _, remarks = read(HEADER + "01\tALS\t60\tM\tA\nJane Doe\tHC\t50\tF\tA\n")
    assert people["sub-01"]["age"] == 60.0
    said(remarks, "lacks sub-", action="converted", row=2)
    said(remarks, "none that BIDS allows", action="left out", row=3)
    assert not any("Jane" in str(r.record()) for r in remarks)


def test_columns_that_tell_who_somebody_is_are_not_read(read):
    people, _, remarks = read(
        "participant_id\tgroup\tage\tsex\tsite\tdate_of_birth\thandedness\n"
        "sub-01\tALS\t60\tM\tA\t1960-01-01\tright\n"
    )
    assert "1960" not in str(people)
    said(remarks, "who somebody is", column="date_of_birth", action="left out")
    said(remarks, "not known", column="handedness", action="left out")


SESSIONS = "sub-01__sub-01_sessions_dot_tsv"


def test_visits_get_months_from_dates_which_are_not_kept(read, tmp_path):
    there = [visit(tmp_path), visit(tmp_path, session="ses-02")]
    text = "session_id\tacq_time\nses-01\t2020-01-01\nses-02\t2020-07-01T10:00:00\n"
    _, rows, remarks = read(visits=there, **{SESSIONS: text})
    assert [row["months"] for row in rows] == [0.0, pytest.approx(5.98, abs=0.01)]
    assert "2020" not in str(rows)
    assert remarks == []


def test_visits_without_a_time_and_visits_without_images_are_named(read, tmp_path):
    there = [visit(tmp_path), visit(tmp_path, session="ses-03")]
    _, rows, remarks = read(visits=there, **{SESSIONS: "session_id\nses-01\nses-02\n"})
    assert [row["session_id"] for row in rows] == ["ses-01", "ses-02", "ses-03"]
    said(remarks, "no images of it", session="ses-02", row=3)
    assert len([r for r in remarks if "time since the first visit" in r.problem]) == 3


def test_fvc_in_litres_is_named_and_never_taken_for_per_cent(read):
    _, rows, remarks = read(**{SESSIONS: "session_id\tfvc\nses-01\t3.2\n"})
    assert rows[0]["fvc"] is None
    assert "litres" in said(remarks, "outside", column="fvc", row=2).remedy
    _, rows, remarks = read(**{SESSIONS: "session_id\tfvc_litres\nses-01\t3.2\n"})
    assert rows[0]["fvc"] is None
    said(remarks, "litres", action="set to n/a")
    _, rows, _ = read(**{SESSIONS: "session_id\tfvc\nses-01\t82,5\n"})
    assert rows[0]["fvc"] == 82.5


ITEMS = "\t".join(f"ALSFRS-R_Q{n}" for n in range(1, 13))


def test_items_give_sum_and_stages(read):
    ratings = "3\t4\t4\t3\t4\t4\t4\t4\t4\t4\t4\t4"
    text = f"session_id\t{ITEMS}\tpeg\tniv\nses-01\t{ratings}\tno\tno\n"
    _, rows, remarks = read(**{SESSIONS: text})
    assert rows[0]["alsfrs_total"] == 46.0
    assert rows[0]["kings"] == "2"
    assert rows[0]["mitos"] == 0.0
    assert remarks == []


def test_a_sum_that_is_not_that_of_the_items_is_named(read):
    text = f"session_id\t{ITEMS}\talsfrs_total\nses-01\t" + "4\t" * 12 + "40\n"
    _, rows, remarks = read(**{SESSIONS: text})
    assert rows[0]["alsfrs_total"] == 48.0
    said(remarks, "not that of the items", session="ses-01")


@pytest.mark.parametrize("rating", ["5", "2.5", "-1", "four"])
def test_a_rating_that_cannot_be_is_not_used(read, rating):
    _, rows, remarks = read(**{SESSIONS: f"session_id\talsfrs_01\nses-01\t{rating}\n"})
    assert rows[0]["alsfrs_01"] is None
    assert remarks[0].column == "alsfrs_01"
    assert remarks[0].row == 2


def test_item_five_says_whether_there_is_a_gastrostomy(read):
    _, rows, _ = read(**{SESSIONS: "session_id\talsfrs_5a\talsfrs_5b\nses-01\tn/a\t2\n"})
    assert (rows[0]["alsfrs_05"], rows[0]["gastrostomy"]) == (2.0, "yes")
    _, rows, remarks = read(**{SESSIONS: "session_id\talsfrs_5a\talsfrs_5b\nses-01\t3\t2\n"})
    assert rows[0].get("alsfrs_05") is None
    said(remarks, "both forms")


def test_phenotype_tables_add_to_visits_and_contradictions_are_named(read):
    _, rows, remarks = read(
        phenotype__alsfrs_dot_tsv="participant_id\tsession_id\tfvc\tniv\nsub-01\tses-01\t80\tno\n",
        **{SESSIONS: "session_id\tfvc\nses-01\t90\n"},
    )
    assert rows[0]["niv"] == "no"
    assert rows[0]["fvc"] is None
    said(remarks, "contradicts", column="fvc")


def test_an_empty_group_and_a_site_of_one_are_named():
    remarks = []
    people = [
        {"participant_id": f"sub-{n}", "group": "ALS", "site": "B" if n == 3 else "A"}
        for n in (1, 2, 3)
    ]
    say_composition(people, {"sub-1", "sub-2", "sub-3"}, remarks)
    said(remarks, "group HC has no participant")
    said(remarks, "single participant", participant="sub-3")


def test_who_has_no_measures_fills_no_group_and_no_site():
    remarks = []
    people = [
        {"participant_id": "sub-1", "group": "ALS", "site": "Liege"},
        {"participant_id": "sub-2", "group": "ALS", "site": "Liege"},
        {"participant_id": "sub-3", "group": "HC", "site": "liege "},
        {"participant_id": "sub-4", "group": None, "site": "Liege"},
        {"participant_id": "sub-5", "group": "HC", "site": "B"},
    ]
    say_composition(people, {"sub-1", "sub-2", "sub-4"}, remarks)
    said(remarks, "group HC has no participant with measures")
    said(remarks, "there are measures, but no group", participant="sub-4")
    assert [r for r in remarks if "site" in r.problem] == []
    say_composition(people, {row["participant_id"] for row in people}, remarks)
    said(remarks, "differ only in the way of writing", participant="sub-3")


def test_months_that_look_like_years_are_asked_about():
    remarks = []
    people = [{"participant_id": f"sub-{n}", "diagnostic_delay": n / 4} for n in range(1, 9)]
    say_composition(people, (), remarks)
    said(remarks, "years?", column="diagnostic_delay")
    people[0]["diagnostic_delay"] = 12.0
    remarks.clear()
    say_composition(people, (), remarks)
    assert remarks == []


def test_a_table_set_apart_by_spaces_is_not_guessed_at(read):
    people, _, remarks = read("participant_id group age\nsub-01 ALS 60\n")
    said(remarks, "not set apart by tabs", file="participants.tsv")
    said(remarks, "nothing could be read", file="participants.tsv")
    assert people["sub-01"].get("group") is None


def test_a_column_of_visits_among_people_is_told_where_it_belongs(read):
    header = HEADER.replace("site", "site\tfvc")
    _, _, remarks = read(header + "sub-01\tHC\t60\tM\tA\t90\n")
    assert "sessions.tsv" in said(remarks, "one of visits", column="fvc").remedy


def test_of_two_id_columns_the_first_counts(read):
    people, _, _ = read("participant_id\tsubject\tgroup\nsub-01\tsub-07\tALS\n")
    assert list(people) == ["sub-01"]
