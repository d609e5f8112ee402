"""Which series is what: one of every kind that a head examination has."""

from __future__ import annotations

import pytest

from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.intake.dicom_scan import scan
from BrainstemALSLib.imaging.intake.series_rules import RULES, rule_for

from . import dicom_files as files

SPOILED = {
    "ScanningSequence": "GR",
    "SequenceVariant": ["SS", "SP", "SK"],
    "RepetitionTime": 8.2,
    "EchoTime": 3.2,
    "InversionTime": None,
    "FlipAngle": 12.0,
}
FLAIR = {"ScanningSequence": ["SE", "IR"], "RepetitionTime": 5000.0, "EchoTime": 390.0}
NAMELESS = {
    "ScanningSequence": None,
    "SequenceVariant": None,
    "RepetitionTime": None,
    "EchoTime": None,
    "InversionTime": None,
    "FlipAngle": None,
    "MRAcquisitionType": None,
}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, "t1"),
        (SPOILED, "t1"),
        ({**SPOILED, "FlipAngle": 2.0}, "other"),
        ({**SPOILED, "FlipAngle": 50.0}, "other"),
        ({**SPOILED, "EchoTime": 20.0, "RepetitionTime": 28.0}, "other"),
        ({**SPOILED, "AngioFlag": "Y"}, "other"),
        ({**SPOILED, "SeriesDescription": "3D TOF"}, "other"),
        ({**SPOILED, "SeriesDescription": "T1 SPGR, no T2"}, "t1"),
        ({**FLAIR, "InversionTime": 1800.0}, "other"),
        ({"SeriesDescription": "FLAIR of somebody"}, "t1"),
        ({"InversionTime": 2500.0, "RepetitionTime": 5000.0}, "other"),
        ({"ImageType": ["DERIVED", "PRIMARY", "T1MAP"]}, "other"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "other"),
        ({"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP"]}, "other"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "other"),
        ({**NAMELESS, "SeriesDescription": "Sag MPRAGE"}, "t1"),
        ({**NAMELESS, "SeriesDescription": "T1w 3D"}, "t1"),
        ({**NAMELESS, "SeriesDescription": "Ax T2"}, "other"),
        (NAMELESS, "other"),
        (
            {
                "ScanningSequence": "SE",
                "MRAcquisitionType": "2D",
                "RepetitionTime": 550.0,
                "EchoTime": 10.0,
                "InversionTime": None,
            },
            "t1",
        ),
        (
            {
                "ScanningSequence": "SE",
                "RepetitionTime": 4000.0,
                "EchoTime": 95.0,
                "InversionTime": None,
            },
            "other",
        ),
    ],
)
def test_kinds(values, kind, tmp_path, visit, t1_plane):
    files.t1_series(tmp_path, t1_plane, visit, values=values)
    ((series,),) = scan(tmp_path).visits
    assert rule_for(series).kind == kind


@pytest.mark.parametrize("word", ["ADC", "FA", "TRACEW", "TENSOR", "CALC_BVALUE"])
def test_maps_are_no_diffusion_series(word, tmp_path, visit, dwi_plane, gradients):
    values = {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", word]}
    files.dwi_series(
        tmp_path, dwi_plane, visit, gradients.bvals[1:2], gradients.bvecs[1:2], values=values
    )
    ((series,),) = scan(tmp_path).visits
    assert rule_for(series).key == "computed"


def test_echo_planar_images_without_weighting(tmp_path, visit, dwi_plane, gradients):
    files.dwi_series(tmp_path, dwi_plane, visit, gradients.bvals[:1], gradients.bvecs[:1])
    ((series,),) = scan(tmp_path).visits
    assert rule_for(series).key == "echo_planar"


@pytest.mark.parametrize("vendor", ["siemens", "philips", "ge", "uih"])
def test_b_values_of_every_vendor(vendor, tmp_path, visit, dwi_plane, gradients):
    files.dwi_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs, vendor)
    ((series,),) = scan(tmp_path).visits
    assert rule_for(series).kind == "dwi"
    assert series.n_directions == 7


def test_b_value_in_a_csa_header_only(tmp_path, visit, dwi_plane, gradients):
    import pydicom

    for path in files.mosaic_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs):
        ds = pydicom.dcmread(path)
        for tag in (0x0019100C, 0x0019100E):
            ds.pop(tag, None)
        ds.save_as(path)
    ((series,),) = scan(tmp_path).visits
    assert rule_for(series).kind == "dwi"
    assert series.n_directions == 7


def test_a_map_in_the_series_of_its_images(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path / "a", t1_plane, visit)
    files.dwi_series(
        tmp_path / "b", dwi_plane, visit, gradients.bvals, gradients.bvecs, series="1.2.3.9"
    )
    files.dwi_series(
        tmp_path / "c",
        dwi_plane,
        visit,
        gradients.bvals[1:2],
        gradients.bvecs[1:2],
        series="1.2.3.9",
        values={"ImageType": ["DERIVED", "PRIMARY", "ADC"]},
    )
    assert open_source(tmp_path).dwi.volume.array.shape[3] == 8


def _write_two(folder, visit, first, second, **where):
    plane = files.plane((48, 56, 40), (1.5, 1.5, 2.0), kind="sagittal")
    files.t1_series(folder / "a", where.get("one", plane), visit, 3, first)
    files.t1_series(folder / "b", where.get("two", plane), visit, 4, second)
    return open_source(folder)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ({}, {}, 4),  # a repeat
        ({}, {"ContrastBolusAgent": "Gd"}, 3),
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, 3),
        ({}, {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]}, 3),  # not corrected for the coil
        ({"ScanningSequence": "SE", "RepetitionTime": 600.0, "EchoTime": 9.0}, {}, 4),
    ],
)
def test_the_better_of_two(first, second, taken, tmp_path, visit):
    found = _write_two(tmp_path, visit, first, second)
    assert found.names["t1"] == f"T1 (series {taken})"
    (finding,) = found.findings
    assert f"series {taken} was taken" in finding.message
    assert "lanted" not in finding.message


def test_the_finer_of_two(tmp_path, visit):
    fine = files.plane((64, 64, 50), (1.2, 1.2, 1.5), kind="sagittal")
    assert _write_two(tmp_path, visit, {}, {}, one=fine).names["t1"] == "T1 (series 3)"


def test_the_choice_can_be_overridden(tmp_path, visit, t1_plane):
    files.t1_series(tmp_path / "a", t1_plane, visit, 3)
    files.t1_series(tmp_path / "b", t1_plane, visit, 4, FLAIR)
    assert open_source(tmp_path, t1_series=4).names["t1"] == "T1 (series 4)"


def test_contrast_agent_is_said(tmp_path, visit, t1_plane):
    files.t1_series(tmp_path, t1_plane, visit, values={"ContrastBolusAgent": "Gadolinium"})
    (finding,) = open_source(tmp_path).findings
    assert finding.code == "t1_with_contrast"


def test_keys_are_unique_and_the_last_rule_always_fits():
    assert len({rule.key for rule in RULES}) == len(RULES)
    assert RULES[-1].fits(None)
