"""The module ``SampleData``, as far as other modules register their samples with it."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass

import slicer

_LISTS = ("uris", "fileNames", "nodeNames", "checksums", "loadFiles", "loadFileType")


@dataclass
class SampleDataSource:
    """One sample that is offered; a sample without files is three empty lists and a function.

    Raises
    ------
    TypeError
        ``uris`` or ``fileNames`` is None.
    ValueError
        The lists are not of one length.
    """

    sampleName: str | None = None
    sampleDescription: str | None = None
    uris: list[str] | str | None = None
    fileNames: list[str] | str | None = None
    nodeNames: list[str] | str | None = None
    checksums: list[str] | str | None = None
    loadFiles: list[bool] | bool | None = None
    customDownloader: Callable | None = None  # called with the source when the user picks it
    thumbnailFileName: str | None = None
    loadFileType: list[str] | str | None = None
    loadFileProperties: dict | None = None

    def __post_init__(self) -> None:
        if self.sampleDescription is None:
            self.sampleDescription = self.sampleName
        if isinstance(self.uris, str):
            for name in _LISTS:
                setattr(self, name, [getattr(self, name)])
        for name in ("uris", "fileNames"):
            if getattr(self, name) is None:
                raise TypeError(f"{name} of a sample is None; give a list, empty for no file")
        count = len(self.uris)
        for name in ("nodeNames", "checksums", "loadFiles"):
            if getattr(self, name) is None:
                setattr(self, name, [None] * count)
        if self.loadFileType is None or isinstance(self.loadFileType, str):
            self.loadFileType = [self.loadFileType] * count
        lengths = {name: len(getattr(self, name)) for name in _LISTS}
        if set(lengths.values()) != {count}:
            raise ValueError(f"the lists of a sample are not of one length: {lengths}")


class SampleDataLogic:
    """Keeps the sources in ``slicer.modules.sampleDataSources``, by their category."""

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: list[str] | str | None = None,
        fileNames: list[str] | str | None = None,
        nodeNames: list[str] | str | None = None,
        customDownloader: Callable | None = None,
        thumbnailFileName: str | None = None,
        loadFileType: list[str] | str | None = "VolumeFile",
        loadFiles: list[bool] | bool | None = None,
        loadFileProperties: dict | None = None,
        checksums: list[str] | str | None = None,
    ) -> None:
        """Offer a sample; the same one is offered once."""
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            checksums=checksums,
            loadFiles=loadFiles,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileType=loadFileType,
            loadFileProperties=loadFileProperties,
        )
        offered = slicer.modules.sampleDataSources.setdefault(category, [])
        if source not in offered:
            offered.append(source)


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
