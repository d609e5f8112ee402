"""Tables and JSON: what is missing is said so in the way of the format."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from BrainstemALSLib.report.tables import write_json, write_tsv


def test_tsv_writes_na_for_what_is_missing(tmp_path):
    path = tmp_path / "table.tsv"
    row = {"a": math.nan, "b": None, "c": "", "d": 0.0, "e": 12.345678, "f": 100.0, "g": "x y"}
    write_tsv(path, tuple(row), [row])

    assert path.read_bytes() == b"a\tb\tc\td\te\tf\tg\nn/a\tn/a\tn/a\t0\t12.3457\t100\tx y\n"


def test_tsv_reads_back(tmp_path):
    path = tmp_path / "table.tsv"
    write_tsv(path, ("key", "volume"), [{"key": "a", "volume": 1.5}, {"key": "b", "volume": 2.0}])

    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert rows == [{"key": "a", "volume": "1.5"}, {"key": "b", "volume": "2"}]


def test_json_is_strict(tmp_path):
    path = tmp_path / "record.json"
    content = {
        "nan": math.nan,
        "list": [math.inf, np.float32(0.5), np.int64(3)],
        "deep": {"x": (1, -math.inf)},
        "flag": True,
        "name": "µ",
    }
    write_json(path, content)

    def refuse(constant: str):
        pytest.fail(f"{constant} is not JSON")

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == {
        "nan": None,
        "list": [None, 0.5, 3],
        "deep": {"x": [1, None]},
        "flag": True,
        "name": "µ",
    }
