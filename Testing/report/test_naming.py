"""Names of derivatives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from BrainstemALSLib.report.naming import derivative_name, derivative_stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("sub-01_ses-02_T1w.nii.gz", "sub-01_ses-02"),
        ("sub-01_T1w.nii", "sub-01"),
        ("sub-01_acq-mprage_run-1_desc-preproc_T1w.nii.gz", "sub-01_acq-mprage_run-1"),
        ("sub-01.nii.gz", "sub-01"),
        ("T1.nii.gz", "sub-T1"),
        ("head scan (2).NRRD", "sub-headscan2"),
        ("sub-01_ses-02_T1w_brain.nii.gz", "sub-01_ses-02"),
        ("sub-a_b c_T1w.nii", "sub-a"),
        ("sub-a b_T1w.nii", "sub-abT1w"),
        ("IM.0001", "sub-IM0001"),
        ("é.nii", "sub-unnamed"),
        (Path("some/folder/sub-03_T1w.mha"), "sub-03"),
    ],
)
def test_stem(name, stem):
    assert derivative_stem(name) == stem


@given(st.text(min_size=1, max_size=40).filter(lambda text: "/" not in text))
def test_every_name_gives_bids_entities(name):
    assert re.fullmatch(r"sub-[A-Za-z0-9+]+(_[a-z]+-[A-Za-z0-9+]+)*", derivative_stem(name))


def test_derivative_name():
    assert derivative_name("sub-1", "volumes", ".tsv") == "sub-1_desc-brainstem_volumes.tsv"
