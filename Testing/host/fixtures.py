"""The fixtures of the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import install

if TYPE_CHECKING:
    from .session import Host


@pytest.fixture(scope="session")
def slicer_host() -> Host:
    """The host; one for all tests, because Qt allows one application in a process."""
    return install()


@pytest.fixture
def host(slicer_host: Host) -> Iterator[Host]:
    """The host with an empty scene and no module; fails a test whose slots raised."""
    slicer_host.new_scene()
    yield slicer_host
    slicer_host.close()
