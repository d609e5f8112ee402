"""The terminal shows every volume, its confidence and the findings."""

from __future__ import annotations

import dataclasses
import io
import math

import pytest
from rich.console import Console

from BrainstemALSLib.imaging.finding import Finding
from BrainstemALSLib.measurement.measure import measure
from BrainstemALSLib.report.console import print_measures
from BrainstemALSLib.report.wording import short_name


def shown(measures, width: int = 80) -> str:
    stream = io.StringIO()
    print_measures(measures, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def line_of(text: str, start: str, nth: int = 0) -> str:
    return [line for line in text.splitlines() if line.strip().startswith(start)][nth]


def test_groups_follow_the_composites(measures):
    text = shown(measures)
    order = ["Whole pons", "Midbrain\n", "Pons\n", "Medulla\n", "Research use only"]
    lines = "\n".join(line.rstrip() for line in text.splitlines())

    places = [lines.index(item) for item in order]
    assert places == sorted(places)


def test_a_pair_is_one_line_with_both_sides(measures):
    text = shown(measures)
    rows = {row.key: row for row in measures.volumes}
    line = line_of(text, "Basis pontis")

    for side in ("left", "right"):
        assert f"{rows[f'basis_pontis_{side}'].volume_soft_mm3:,.0f}" in line
    assert text.count("Basis pontis") == 1


def test_confidence_is_a_word_and_a_number(measures):
    row = next(row for row in measures.volumes if row.key == "pons")

    assert f"high {row.confidence:.2f}" in line_of(shown(measures), "Whole pons")


def test_no_number_is_cut_at_80_columns(measures):
    for line in shown(measures, 80).splitlines():
        assert "…" not in line[31:]


def test_a_good_exam_says_that_nothing_was_found(measures):
    assert "No quality findings." in shown(measures)


def test_findings_are_shown_and_many_alike_share_a_line(measures):
    alike = [Finding("low_confidence", "warning", f"Part {n}.", "Check it.") for n in range(9)]
    cut = Finding("field_of_view_cut_inferior", "error", "The medulla is cut.", "Acquire lower.")
    text = shown(dataclasses.replace(measures, findings=(cut, *alike)), 200)

    assert "The medulla is cut. Acquire lower." in text
    assert "Part 0. (and 8 more like it, see qc.json)" in text
    assert "Part 1." not in text


def test_intracranial_volume_only_when_known(measures, segmentation, t1):
    unknown = measure(dataclasses.replace(segmentation, intracranial_mm3=None), t1)

    assert "Intracranial volume (estimate): 1400 cm3" in shown(measures)
    assert "(estimate)" not in shown(unknown)


def test_what_has_no_value_is_not_invented(measures):
    rows = tuple(
        dataclasses.replace(
            row, volume_soft_mm3=None, volume_label_mm3=None, half_range_mm3=None,
            confidence=math.nan,
        )
        if row.key.startswith("pyramid")
        else row
        for row in measures.volumes
    )  # fmt: skip
    pairs = tuple(
        dataclasses.replace(pair, index_percent=None) if pair.key == "pyramid" else pair
        for pair in measures.asymmetries
    )
    text = shown(dataclasses.replace(measures, volumes=rows, asymmetries=pairs))
    medulla = text[text.index("Medulla ") :]

    assert line_of(medulla, "Corticospinal tract").split()[2:] == ["n/a"] * 5 + ["none"]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Corticospinal tract in the basis pontis, left", "Corticospinal tract"),
        ("Red nucleus, right", "Red nucleus"),
        ("Basis pontis: transverse pontine fibres and pontine nuclei, left", "Basis pontis"),
        ("Parabrachial nuclei, lateral and medial, left", "Parabrachial nuclei"),
    ],
)
def test_short_names(name, short):
    assert short_name(name) == short
