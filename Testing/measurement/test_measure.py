"""The one way in, the intracranial volume and the plausible ranges."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest

from BrainstemALSLib.anatomy import composites
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import measure
from BrainstemALSLib.measurement.plausibility import plausible_ranges
from BrainstemALSLib.measurement.volumes import volume_by_key


def test_fraction_of_the_intracranial_volume(segmentation, t1):
    measures = measure(segmentation, t1)
    brainstem = volume_by_key(measures.volumes)["brainstem"].volume_soft_mm3

    assert measures.intracranial.volume_mm3 == 1_400_000.0
    assert measures.intracranial.brainstem_fraction == pytest.approx(brainstem / 1_400_000.0)


def test_an_estimate_that_no_human_has_is_withheld(segmentation, t1):
    """It shows in the finding, and in no number that a study might take."""
    measures = measure(dataclasses.replace(segmentation, intracranial_mm3=2_450_000.0), t1)
    assert measures.intracranial.volume_mm3 is None
    assert measures.intracranial.brainstem_fraction is None
    messages = [f.message for f in measures.findings if f.code == "volume_implausible"]
    assert any("2450.0 cm3" in message and "withheld" in message for message in messages)
    assert "intracranial_unknown" not in {f.code for f in measures.findings}


@pytest.mark.parametrize("unknown", [None, 0.0, float("nan")])
def test_no_intracranial_volume_when_the_locator_gave_none(segmentation, t1, unknown):
    measures = measure(dataclasses.replace(segmentation, intracranial_mm3=unknown), t1)

    assert measures.intracranial.volume_mm3 is None
    assert measures.intracranial.brainstem_fraction is None


@pytest.mark.parametrize(
    "other",
    [
        lambda t1: Volume(t1.array[:-1], t1.affine),
        lambda t1: Volume(t1.array, t1.affine + np.diag([0.0, 0.0, 0.1, 0.0])),
    ],
)
def test_another_grid_is_refused(segmentation, t1, other):
    with pytest.raises(BrainstemALSError) as refusal:
        measure(segmentation, other(t1))
    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES


def test_plausible_ranges_are_what_their_columns_say():
    with asset_path("Norms/plausible_volumes.tsv").open(encoding="utf-8", newline="") as handle:
        rows = {row["region"]: row for row in csv.DictReader(handle, delimiter="\t")}

    assert set(rows) == {"brainstem", "midbrain", "pons", "medulla", "intracranial"}
    for region, row in rows.items():
        assert row["source"]
        assert row["status"]
        if region == "intracranial":
            continue
        mean, sd = float(row["reference_mean_mm3"]), float(row["reference_sd_mm3"])
        atlas = float(row["atlas_mm3"])
        assert region in composites()
        assert float(row["low_mm3"]) == pytest.approx(mean - 4 * sd)
        assert float(row["high_mm3"]) == pytest.approx(atlas * (1 + 4 * sd / mean), abs=1)
        assert plausible_ranges()[region].holds(mean)
        assert plausible_ranges()[region].holds(atlas)
