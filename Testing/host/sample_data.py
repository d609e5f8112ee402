"""The module ``SampleData``, as far as other modules register their samples with it."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass

import slicer


@dataclass(frozen=True)
class SampleDataSource:
    """One sample that is offered."""

    sampleName: str
    customDownloader: Callable | None  # called with the source when the user picks the sample
    thumbnailFileName: str | None


class SampleDataLogic:
    """Keeps the sources in ``slicer.modules.sampleDataSources``, by their category."""

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        customDownloader: Callable | None = None,
        thumbnailFileName: str | None = None,
    ) -> None:
        """Offer a sample that a function makes; samples from an address are left out."""
        source = SampleDataSource(sampleName, customDownloader, thumbnailFileName)
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)


def install() -> None:
    """Make ``import SampleData`` work."""
    module = types.ModuleType("SampleData", __doc__)
    module.SampleDataLogic = SampleDataLogic
    module.SampleDataSource = SampleDataSource
    sys.modules["SampleData"] = module
    forget()


def forget() -> None:
    """Offer nothing."""
    slicer.modules.sampleDataSources = {}
