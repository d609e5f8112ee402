"""Cohorts and the choices that keep tests fast."""

import pytest

from BrainstemALSLib.cohort_analysis.design import build_design
from BrainstemALSLib.cohort_analysis.options import GroupOptions, Notes

QUICK = GroupOptions(permutations=0, spread=False, mixed=False, sensitivity=False, figures=False)


@pytest.fixture
def designed():
    def build(cohort):
        notes = Notes()
        return build_design(cohort, notes), notes

    return build
