"""Every finding fires when it should, and only then."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.confidence import confidence_word
from BrainstemALSLib.measurement.measure import measure
from BrainstemALSLib.measurement.quality import (
    ASYMMETRY_PERCENT,
    SEVERITIES,
    quality_findings,
)


def codes(segmentation, t1) -> dict[str, str]:
    """Return code to severity of the findings."""
    return {f.code: f.severity for f in measure(segmentation, t1).findings}


def with_spacing(segmentation, t1, scale):
    """Stretch an exam, labels and T1 alike, along its axes."""

    def stretched(volume: Volume) -> Volume:
        return Volume(volume.array, np.diag([*scale, 1.0]) @ volume.affine)

    names = ("labels", "entropy", "probabilities")
    parts = {name: stretched(getattr(segmentation, name)) for name in names}
    return dataclasses.replace(segmentation, **parts), stretched(t1)


def findings_of(measures, segmentation, t1, **changes):
    """Judge again, with some of the measures changed."""
    fields = {
        "volumes": measures.volumes,
        "pairs": measures.asymmetries,
        "intracranial": measures.intracranial,
        **changes,
    }
    return quality_findings(segmentation, t1, **fields)


def test_a_good_exam_has_no_finding(segmentation, t1):
    assert measure(segmentation, t1).findings == ()


@pytest.mark.parametrize("face", ["inferior", "superior", "left", "anterior"])
def test_a_cut_field_of_view(segmentation, t1, face):
    cut = dataclasses.replace(segmentation, touches_border={face: 21.0})

    assert codes(cut, t1) == {f"field_of_view_cut_{face}": "error"}


def test_the_medulla_is_named_when_it_is_cut(segmentation, t1):
    cut = dataclasses.replace(segmentation, touches_border={"inferior": 80.0})
    (finding,) = measure(cut, t1).findings

    assert finding.structure == "medulla"
    assert "80 mm2" in finding.message


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ((1.0, 1.0, 1.0), {}),
        ((1.1, 1.1, 1.1), {"resolution_coarse": "warning"}),
        ((1.0, 1.0, 1.6), {"resolution_coarse": "warning"}),
        ((0.5, 1.0, 1.0), {"resolution_anisotropic": "warning"}),
        ((1.0, 1.0, 1.7), {"resolution_coarse": "error"}),
    ],
)
def test_voxels_too_large_or_too_long(segmentation, t1, scale, expected):
    found = codes(*with_spacing(segmentation, t1, scale))
    about_voxels = {code: found[code] for code in found if code.startswith("resolution")}
    assert about_voxels == expected


def test_an_empty_structure_and_an_empty_region(segmentation, t1, make_segmentation, make_grid):
    grid = make_grid((1.5, 1.5, 1.5), (40.0, 30.0, 30.0))
    part = make_segmentation(
        {
            "basis_pontis_left": ((-9.5, 0, 0), 9.5),
            "basis_pontis_right": ((9.5, 0, 0), 9.5),
        },
        *grid,
        empty=("pyramid_left", "fourth_ventricle"),
    )
    found = measure(part, Volume(np.ones(grid[0], np.float32), grid[1])).findings
    empty = {f.structure: f.severity for f in found if f.code == "structure_empty"}

    assert empty == {"pyramid_left": "warning", "fourth_ventricle": "info", "medulla": "error"}
    assert "structure_empty" not in codes(segmentation, t1)


def test_low_confidence_of_one_structure(segmentation, t1):
    def sure(confidence: float):
        return dataclasses.replace(
            segmentation, confidence={**segmentation.confidence, "pyramid_left": confidence}
        )

    assert codes(sure(0.59), t1) == {"low_confidence": "warning"}
    assert codes(sure(0.61), t1) == {}


def test_low_confidence_of_a_region_is_an_error(segmentation, t1):
    measures = measure(segmentation, t1)
    rows = tuple(
        dataclasses.replace(row, confidence=0.4) if row.key == "pons" else row
        for row in measures.volumes
    )
    (finding,) = findings_of(measures, segmentation, t1, volumes=rows)

    assert (finding.code, finding.severity) == ("low_confidence", "error")


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_implausible_volume(segmentation, t1, factor):
    measures = measure(segmentation, t1)
    rows = tuple(
        dataclasses.replace(row, volume_soft_mm3=row.volume_soft_mm3 * factor)
        if row.key == "medulla"
        else row
        for row in measures.volumes
    )
    (finding,) = findings_of(measures, segmentation, t1, volumes=rows)

    assert (finding.code, finding.structure) == ("volume_implausible", "medulla")


def test_implausible_intracranial_volume(segmentation, t1):
    small = dataclasses.replace(segmentation, intracranial_mm3=300_000.0)

    assert codes(small, t1) == {"volume_implausible": "warning"}


@pytest.mark.parametrize("sign", [-1, 1])
def test_large_asymmetry_names_the_larger_side(segmentation, t1, sign):
    measures = measure(segmentation, t1)

    def skewed(percent: float):
        return tuple(
            dataclasses.replace(pair, index_percent=percent) if pair.key == "pyramid" else pair
            for pair in measures.asymmetries
        )

    (finding,) = findings_of(measures, segmentation, t1, pairs=skewed(sign * ASYMMETRY_PERCENT * 2))
    assert finding.code == "asymmetry_large"
    assert ("the left is" if sign > 0 else "the right is") in finding.message
    assert findings_of(measures, segmentation, t1, pairs=skewed(sign * ASYMMETRY_PERCENT)) == ()


def test_what_was_not_given_is_said(segmentation, t1):
    poor = dataclasses.replace(segmentation, intracranial_mm3=None, modalities=("t1",))

    assert codes(poor, t1) == {"intracranial_unknown": "info", "t1_only": "info"}


def test_worst_comes_first_and_each_says_what_to_do(segmentation, t1):
    bad = dataclasses.replace(
        segmentation,
        touches_border={"inferior": 50.0},
        modalities=("t1",),
        confidence={**segmentation.confidence, "pyramid_left": 0.2},
    )
    found = measure(bad, t1).findings

    ranks = [SEVERITIES.index(finding.severity) for finding in found]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 3
    assert all(f.message.endswith(".") and f.action.endswith(".") for f in found)


@pytest.mark.parametrize(
    ("confidence", "tier", "word"),
    [
        (0.85, "A", "high"),
        (0.75, "A", "moderate"),
        (0.75, "B", "high"),
        (0.55, "A", "low"),
        (0.55, "B", "moderate"),
        (math.nan, "A", "none"),
    ],
)
def test_confidence_in_words(confidence, tier, word):
    assert confidence_word(confidence, tier) == word


def test_every_channel_has_a_name_for_readers(segmentation, t1):
    unused = dataclasses.replace(segmentation, unused=("fa", "v1"))
    messages = [f.message for f in measure(unused, t1).findings if f.code.endswith("_not_used")]
    assert messages[0].startswith("The FA map was not used")
    assert messages[1].startswith("The V1 (direction) map was not used")
