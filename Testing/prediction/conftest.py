"""The models and norms that come along, read once."""

from __future__ import annotations

import pytest

from BrainstemALSLib.norms import bundled_norms
from BrainstemALSLib.prediction.models import read_models


@pytest.fixture(scope="module")
def models():
    """The models of all parts."""
    return read_models()


@pytest.fixture(scope="module")
def norms():
    """The norms that score their images."""
    return bundled_norms()
