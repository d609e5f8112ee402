"""Measures and provenance of the made-up exam."""

from __future__ import annotations

import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import Measures, measure
from BrainstemALSLib.report.provenance import InputFile, Provenance
from BrainstemALSLib.segmentation.result import Segmentation


@pytest.fixture(scope="session")
def measures(segmentation: Segmentation, t1: Volume) -> Measures:
    return measure(segmentation, t1)


@pytest.fixture
def provenance() -> Provenance:
    return Provenance(
        inputs=(InputFile("t1", "/data/someone/sub-07_T1w.nii.gz", "ab" * 32),),
        options={"out": "/data/someone/results", "device": "auto", "overwrite": False},
        timings={"read": 0.2},
    )
