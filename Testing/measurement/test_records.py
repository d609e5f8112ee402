"""Measures survive JSON."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.measurement import measure
from BrainstemALSLib.measurement.records import measures_from_record, measures_record


def test_a_round_trip_through_strict_json(make_segmentation, segmentation, t1):
    measures = measure(
        dataclasses.replace(
            segmentation,
            confidence={**segmentation.confidence, "pyramid_left": math.nan},
            touches_border={"inferior": 30.0},
            resampled={"fa": (2.0, 2.0, 2.5)},
        ),
        t1,
    )
    text = json.dumps(measures_record(measures), allow_nan=False)
    back = measures_from_record(json.loads(text))
    assert repr(back) == repr(measures)  # NaN is not equal to itself
    assert math.isnan(next(row.confidence for row in back.volumes if row.key == "pyramid_left"))


def test_diffusion_survives_and_older_records_have_none(
    segmentation, t1, truth, make_maps, make_grid
):
    measures = measure(segmentation, t1, make_maps(truth, *make_grid((2.0,) * 3, (64, 64, 96))))
    record = json.loads(json.dumps(measures_record(measures), allow_nan=False))
    assert measures.diffusion
    back = measures_from_record(record)
    assert back.diffusion == measures.diffusion
    assert back.diffusion_asymmetries == measures.diffusion_asymmetries

    old = {key: value for key, value in record.items() if not key.startswith("diffusion")}
    assert measures_from_record(old).diffusion == ()
    assert measures_from_record(old).volumes == measures.volumes


@pytest.mark.parametrize("change", ["volumes", "findings"])
def test_a_record_of_another_version(segmentation, t1, change):
    record = measures_record(measure(segmentation, t1))
    with pytest.raises(BrainstemALSError, match="another version"):
        measures_from_record({key: value for key, value in record.items() if key != change})
    for key in ("volumes", "asymmetries"):
        row = {**record[key][0], "weight_mg": 3}
        with pytest.raises(BrainstemALSError, match="another version"):
            measures_from_record({**record, key: [row]})


def test_a_map_on_another_grid_is_said_for_information(segmentation, t1):
    coarse = dataclasses.replace(segmentation, resampled={"fa": (2.0, 2.0, 2.0)})
    (finding,) = measure(coarse, t1).findings
    assert (finding.code, finding.severity) == ("fa_resampled", "info")
    assert finding.message == ("The FA map lies on another grid (2 x 2 x 2 mm) and was resampled.")
