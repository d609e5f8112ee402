"""The finding on unfamiliar exams: when it comes, how bad it is, and what it says."""

from __future__ import annotations

import dataclasses

import pytest

from BrainstemALSLib.measurement.measure import measure
from BrainstemALSLib.measurement.unfamiliar import ACTIONS, CODE, WORDS
from BrainstemALSLib.segmentation.familiarity_properties import PARTS
from BrainstemALSLib.segmentation.familiarity_spots import KINDS
from BrainstemALSLib.segmentation.result import Familiarity


def finding(segmentation, t1, ratio, properties):
    """Return the finding of an exam with a known familiarity; None where there is none."""
    parts = {name: ratio - 0.1 * n for n, name in enumerate(properties or ["contrast"])}
    known = dataclasses.replace(segmentation, familiarity=Familiarity(ratio, parts, properties))
    found = [f for f in measure(known, t1).findings if f.code == CODE]
    assert len(found) < 2
    return found[0] if found else None


def test_without_a_comparison_there_is_no_finding(segmentation, t1):
    assert segmentation.familiarity is None
    assert CODE not in {f.code for f in measure(segmentation, t1).findings}


@pytest.mark.parametrize(
    ("ratio", "severity"), [(0.4, None), (1.0, None), (1.3, "warning"), (2.4, "error")]
)
def test_severity_follows_the_distance(segmentation, t1, ratio, severity):
    properties = {"contrast": "fluid_contrast"} if ratio > 1 else {}

    found = finding(segmentation, t1, ratio, properties)

    assert (found and found.severity) == severity


def test_the_worst_two_are_named_with_what_to_do(segmentation, t1):
    properties = {"pose": "nodding", "md": "md_tissue", "texture": "noise"}

    found = finding(segmentation, t1, 1.6, properties)

    assert "1.6 times the limit" in found.message
    assert WORDS["nodding"] in found.message
    assert WORDS["md_tissue"] in found.message
    assert WORDS["noise"] not in found.message
    assert found.action == f"{ACTIONS['pose']} {ACTIONS['md']}"


def test_spots_are_placed_and_what_to_do_is_said_once(segmentation, t1):
    key = "basis_pontis_left"

    found = finding(segmentation, t1, 2.5, {"dark": key, "bright": key})

    assert "a dark spot at or in the left basis pontis and there is a bright spot" in found.message
    assert found.action.count("lesion") == 1
    assert found.action.endswith("Do not use the numbers before that.")


def test_every_property_and_part_has_words():
    assert set(WORDS) == {name for part in PARTS.values() for name in part}
    assert set(ACTIONS) == {*PARTS, *KINDS}
