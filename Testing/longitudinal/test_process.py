from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from BrainstemALSLib.cli.longitudinal import change_line
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.prepare import PreparationOptions
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.longitudinal import process_visits
from BrainstemALSLib.longitudinal.error import MeasurementError
from BrainstemALSLib.longitudinal.joining import ONE_PERSON, SCANNER_UNTOLD
from BrainstemALSLib.longitudinal.writing import ABOUT, CHANGES, VALUES, write_longitudinal
from Testing.longitudinal.heads import RADII, LightSegmenter, head

LOWER, UPPER = "medulla", "pons"
ERROR = MeasurementError({"volume": {LOWER: 0.4, UPPER: 0.4}, "fa": {LOWER: 0.01}}, 20)
FIRST_POSE, SECOND_POSE = (2, -3, 1, 1.3, -2.2, 0.7), (-3, 2, 2, -1.1, 1.4, 1.9)
LOSS_PERCENT = 4.0


@pytest.fixture(scope="module")
def before():
    return head(pose=FIRST_POSE, noise_seed=1)


@pytest.fixture(scope="module")
def unchanged():
    return head(pose=SECOND_POSE, noise_seed=2)


@pytest.fixture(scope="module")
def thinner():
    return head(pose=SECOND_POSE, noise_seed=3, loss=LOSS_PERCENT / 100, diffusion=True)


@pytest.fixture(scope="module")
def steady(before, unchanged):
    return process_visits([before, unchanged], [0, 12], LightSegmenter(), error=ERROR)


@pytest.fixture(scope="module")
def losing(thinner):
    return process_visits(
        [head(pose=FIRST_POSE, noise_seed=1, diffusion=True), thinner],
        [0, 12],
        LightSegmenter(),
        error=replace(ERROR, found_share=(0.75, 0.05)),
        preparation=PreparationOptions(register=False),
    )


def change(result, structure, measure="volume"):
    (found,) = [c for c in result.changes if (c.structure, c.measure) == (structure, measure)]
    return found


def test_no_change_is_none(steady):
    for structure in (UPPER, LOWER, "brainstem"):
        assert change(steady, structure).change_per_year == pytest.approx(0, abs=0.4)
    assert change(steady, LOWER).beyond_error is False
    assert not steady.findings
    assert not steady.left_out


def test_a_known_loss_is_found_where_it_is(losing):
    lower = change(losing, LOWER)
    assert lower.change_per_year == pytest.approx(-LOSS_PERCENT, abs=1.2)
    assert lower.beyond_error is True
    assert lower.low < -LOSS_PERCENT + 1.2 < lower.high + 1.2
    assert abs(change(losing, UPPER).change_per_year) < 1.0
    assert (lower.years, lower.visits) == (1, 2)


def test_the_share_of_loss_that_is_found_is_told_and_corrects_nothing(losing):
    (finding,) = losing.findings
    assert (finding.code, finding.severity) == ("change_underestimated", "info")
    assert "75 % was found (standard error 5)" in finding.message


def test_fa_is_followed_under_the_labels_of_the_template(losing):
    # The head's FA falls by as much as its loss.
    fa = change(losing, LOWER, "fa")
    assert fa.change_per_year == pytest.approx(-LOSS_PERCENT / 100, abs=0.005)
    assert fa.unit == "1/year"
    assert fa.mean == pytest.approx(0.48, abs=0.01)


def test_a_structure_whose_error_is_not_known_is_not_judged(losing):
    whole = change(losing, "brainstem")
    assert (whole.se, whole.low, whole.high, whole.beyond_error) == (None,) * 4


def test_exchanging_the_times_negates_the_change_exactly(before, unchanged, steady):
    swapped = process_visits([before, unchanged], [12, 0], LightSegmenter(), error=ERROR)
    assert [c.change_per_year for c in swapped.changes] == [
        -c.change_per_year for c in steady.changes
    ]
    assert [c.se for c in swapped.changes] == [c.se for c in steady.changes]


def test_the_order_of_visits_makes_no_difference(before, unchanged, steady):
    segmenter = LightSegmenter()
    other = process_visits([unchanged, before], [12, 0], segmenter, error=ERROR)
    assert other.changes == steady.changes
    np.testing.assert_array_equal(other.template.array, steady.template.array)
    assert segmenter.asked == ["template"]


def test_two_persons_are_refused(before):
    stranger = head(seed=9, noise_seed=5, radii=RADII * [1.3, 0.75, 0.9], fluid_mm=1.0)
    with pytest.raises(BrainstemALSError, match="different persons") as refusal:
        process_visits([before, stranger], [0, 6], LightSegmenter(), error=ERROR)
    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES


def test_a_visit_that_cannot_be_used_is_left_out(before, unchanged):
    empty = replace(before, t1=Volume(np.zeros_like(before.t1.array), before.t1.affine))
    result = process_visits([before, empty, unchanged], [0, 6, 12], LightSegmenter(), error=ERROR)
    assert result.left_out == (1,)
    assert [f.code for f in result.findings] == ["visit_left_out"]
    assert "Visit 2" in result.findings[0].message
    assert change(result, LOWER).visits == 2


def test_no_change_is_given_between_scanners(before, unchanged, steady, tmp_path):
    result = process_visits(
        [before, unchanged], [0, 12], LightSegmenter(), error=ERROR, scanners=["A", "B"]
    )
    (finding,) = result.findings
    assert finding.code == "scanner_differs"
    assert "Visit 1 and Visit 2 differ in scanner or contrast, so" in finding.message
    assert "measures.tsv" in finding.action
    assert len(result.changes) == len(steady.changes)
    given = {(c.change_per_year, c.se, c.low, c.high, c.beyond_error) for c in result.changes}
    assert given == {(None,) * 5}
    assert (steady.one_scanner, result.one_scanner) == (True, False)
    write_longitudinal(result, tmp_path / "sub-1")
    for name, column in ((CHANGES, "change_per_year"), (VALUES, "value")):
        with (tmp_path / "sub-1" / name).open(newline="") as handle:
            assert {row[column] for row in csv.DictReader(handle, delimiter="\t")} == {"n/a"}
    about = json.loads((tmp_path / "sub-1" / ABOUT).read_text())
    assert about["one_scanner"] is False
    assert about["measurement_error"] is None
    assert "no change is given" in change_line(result.changes[0])


def test_images_that_look_like_two_scanners_have_no_change_either(before, unchanged):
    # Nobody names a scanner, and one visit has a texture of its own.
    t1 = unchanged.t1
    texture = gaussian_filter(np.random.default_rng(3).normal(size=t1.shape), 2)
    array = t1.array * (1 + 0.22 * texture / texture.std())
    other = replace(unchanged, t1=Volume(array.clip(0).astype(np.float32), t1.affine))
    result = process_visits([before, other], [0, 12], LightSegmenter(), error=ERROR)
    assert {c.change_per_year for c in result.changes} == {None}
    (finding,) = result.findings
    assert finding.code == "scanner_differs"
    assert "two persons" in finding.message
    assert ONE_PERSON < result.facts["likeness"][0] < SCANNER_UNTOLD


def test_nothing_usable_is_refused(before):
    empty = replace(before, t1=Volume(np.zeros_like(before.t1.array), before.t1.affine))
    with pytest.raises(BrainstemALSError, match="only 1 can be used"):
        process_visits([before, empty], [0, 6], LightSegmenter(), error=ERROR)


@pytest.mark.parametrize(
    ("visits", "months", "message"),
    [
        (0, [], "there is none"),
        (1, [0], "only one visit"),
        (2, [0], "2 exams were given and 1 times"),
        (2, [0, float("nan")], "not a number"),
        (2, [3, 3.005], "visits 1 and 2 are on one date"),
    ],
)
def test_visits_without_change_to_measure_are_refused(before, visits, months, message):
    with pytest.raises(BrainstemALSError, match=message) as refusal:
        process_visits([before] * visits, months, LightSegmenter(), error=ERROR)
    assert refusal.value.code == ExitCode.USAGE


def test_one_image_for_two_visits_is_refused(before):
    with pytest.raises(BrainstemALSError, match="visits 1 and 2 are the same image"):
        process_visits([before, before], [0, 6], LightSegmenter(), error=ERROR)


def test_the_tables_say_what_was_found(losing, tmp_path):
    write_longitudinal(losing, tmp_path / "sub-1", simulated=True)
    rows = (tmp_path / "sub-1" / CHANGES).read_text().splitlines()
    names = rows[0].split("\t")
    found = {tuple(r.split("\t")[:2]): dict(zip(names, r.split("\t"), strict=True)) for r in rows}
    assert found[LOWER, "volume"]["beyond_error"] == "yes"
    assert found["brainstem", "volume"]["se"] == "n/a"
    visits = (tmp_path / "sub-1" / VALUES).read_text().splitlines()[1:]
    assert {row.split("\t")[0] for row in visits} == {"1", "2"}
    with pytest.raises(BrainstemALSError):
        write_longitudinal(losing, tmp_path / "sub-1")
