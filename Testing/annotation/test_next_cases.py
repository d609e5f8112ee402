"""The list of next cases: what is written comes back, and nothing else is taken for one."""

from __future__ import annotations

import hashlib
import json

import pytest

from BrainstemALSLib.annotation.next_cases import (
    NextCase,
    NextCases,
    NextPlace,
    read_next_cases,
    write_next_cases,
)
from BrainstemALSLib.errors import BrainstemALSError, ExitCode

MODEL = {"structures": {"name": "structures", "version": "1", "sha256": "a" * 64}}


def key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def a_list(*names: str) -> NextCases:
    place = NextPlace((1.0, -20.5, 3.0), 16.0, ("red_nucleus_left",), "Look at it.")
    cases = [
        NextCase(n, f"{name}.nii.gz", None, key(name), 0.5 / n, "The model is unsure.", (place,))
        for n, name in enumerate(names, start=1)
    ]
    return NextCases("clasp", 3, "2026-03-31T12:00:00Z", MODEL, tuple(cases), 2)


def test_a_list_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "new" / "next_cases.json"
    write_next_cases(path, a_list("a", "b"))
    assert read_next_cases(path) == a_list("a", "b")
    write_next_cases(path, a_list("b"))
    assert [case.exam_key for case in read_next_cases(path).cases] == [key("b")]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_what_was_approved_since_is_no_longer_open():
    content = a_list("a", "b", "c")
    assert [case.rank for case in content.open_cases({key("b")})] == [1, 3]
    assert content.open_cases(set()) == content.cases


def test_a_list_of_another_model_is_known(tmp_path):
    content = a_list("a")
    assert content.is_of(MODEL)
    assert not content.is_of({"structures": {**MODEL["structures"], "sha256": "b" * 64}})
    assert not content.is_of({})


def spoilt(path, change) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.pop("cases"),
        lambda r: r["cases"][0].update(rank=2),
        lambda r: r["cases"][0].update(exam_key="x"),
        lambda r: r["cases"][0].update(exam=""),
        lambda r: r["cases"][0].update(score=None),
        lambda r: r["cases"][0].update(score=True),
        lambda r: r["cases"][1].update(exam_key=r["cases"][0]["exam_key"]),
        lambda r: r["cases"][0]["places"][0].update(centre_ras=[1, 2]),
        lambda r: r["cases"][0]["places"][0].update(size_mm=0),
        lambda r: r["cases"][0]["places"][0].update(keys=["no_such_structure"]),
        lambda r: r.update(model=[1]),
        lambda r: r.update(seed=-1),
        lambda r: r.update(format=0),
    ],
)
def test_a_damaged_list_is_refused(tmp_path, change):
    path = tmp_path / "next_cases.json"
    write_next_cases(path, a_list("a", "b"))
    spoilt(path, change)
    with pytest.raises(BrainstemALSError, match="damaged") as refusal:
        read_next_cases(path)
    assert refusal.value.code is ExitCode.UNREADABLE_IMAGE


def test_other_files_and_newer_lists_are_refused_in_words(tmp_path):
    path = tmp_path / "next_cases.json"
    with pytest.raises(BrainstemALSError, match="no list of next cases"):
        read_next_cases(path)
    for text in ("not JSON", "[]", "3", "\udcff"):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(BrainstemALSError, match="damaged"):
            read_next_cases(path)
    write_next_cases(path, a_list("a"))
    spoilt(path, lambda record: record.update(format=99))
    with pytest.raises(BrainstemALSError, match="newer version"):
        read_next_cases(path)


def test_what_could_not_be_read_is_not_written(tmp_path):
    path = tmp_path / "next_cases.json"
    twice = a_list("a", "a")
    with pytest.raises(ValueError, match="twice"):
        write_next_cases(path, twice)
    assert not path.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(BrainstemALSError) as refusal:
        write_next_cases(tmp_path / "file" / "list.json", a_list("a"))
    assert refusal.value.code is ExitCode.OUTPUT_REFUSED
