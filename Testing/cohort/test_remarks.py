import doctest

from BrainstemALSLib.cohort import remarks
from BrainstemALSLib.cohort.remarks import Remark, summary_lines


def test_the_examples_are_true():
    assert doctest.testmod(remarks).attempted > 2
    assert doctest.testmod(remarks).failed == 0


def test_one_problem_of_many_is_one_line_so_that_odd_input_is_seen():
    found = [
        Remark(f"sub-{n:02d}_ses-01_run.json", "its images have changed since", "Run it again.",
               "kept", participant=f"sub-{n:02d}", session="ses-01")
        for n in range(80)
    ]  # fmt: skip
    found += [
        Remark(f"sub-{n:02d}", "not compared", "Compare.", "left out", participant=f"sub-{n:02d}")
        for n in range(2)
    ]
    found.append(Remark("participants.tsv", "no number", "Correct it.", "set to n/a", 3, "age",
                        "sub-01"))  # fmt: skip
    assert summary_lines(found) == [
        "set to n/a: participants.tsv, column age, row 3: no number. Correct it.",
        "left out: 2 participants (sub-00, sub-01): not compared. Compare.",
        "kept: 80 visits (sub-00_ses-01, sub-01_ses-01, sub-02_ses-01, ...): its images have "
        "changed since. Run it again.",
    ]


def test_a_participant_with_the_same_problem_twice_counts_once():
    twice = [
        Remark(
            "sub-01_sessions.tsv", "no number", "Correct it.", "set to n/a", row, "fvc", "sub-01"
        )
        for row in (2, 3)
    ]
    assert summary_lines(twice) == ["set to n/a: sub-01, column fvc: no number. Correct it."]
    other = Remark("sub-02_sessions.tsv", "no number", "Correct it.", "set to n/a", 9, "fvc",
                   "sub-02")  # fmt: skip
    (line,) = summary_lines([*twice, other])
    assert line.startswith("set to n/a: 2 participants (sub-01, sub-02), column fvc: no number")


def test_files_that_nobody_is_named_for_are_named_themselves():
    marks = [Remark(f"sub-0{n}_sessions.tsv", "it is empty", "Fill it.", "left out")
             for n in range(5)]  # fmt: skip
    (line,) = summary_lines(marks)
    assert "5 files (sub-00_sessions.tsv, sub-01_sessions.tsv, sub-02_sessions.tsv, ...)" in line
    (line,) = summary_lines(marks[:1])
    assert line == "left out: sub-00_sessions.tsv: it is empty. Fill it."
    assert "missing: dataset: x. y." in summary_lines([Remark("dataset", "x", "y.", "missing")])
    group = [Remark("participants.tsv", "no group", "Write it.", "missing", 0, "group", f"sub-{n}")
             for n in range(4)]  # fmt: skip
    assert summary_lines(group) == [
        "missing: participants.tsv, 4 participants (sub-0, sub-1, sub-2, ...), column group: "
        "no group. Write it."
    ]
