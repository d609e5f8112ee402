"""Converts the files of one DICOM series into an image, in a folder that is gone afterwards.

dcm2niix (Li et al. 2016, doi:10.1016/j.jneumeth.2016.03.001) knows the mosaics, multi-frame files
and gradient fields of the vendors. What it prints may name a patient and is never shown.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import SimpleITK as sitk

from ...errors import BrainstemALSError, ExitCode
from ..itk_output import silenced_itk

# Plain NIfTI, sidecar without what identifies a person, no comment, no defaults of the machine, no
# cropping or turning, one name that says nothing.
_OPTIONS = ("-z", "n", "-b", "y", "-ba", "y", "-g", "i", "-x", "i", "-w", "2", "-f", "image")
_TIMEOUT_S = 900


class NoConverterError(Exception):
    """dcm2niix is not installed, or does not start."""


@contextmanager
def converted(files: Iterable[Path]) -> Iterator[list[Path]]:
    """Give the NIfTI files of a series, largest first; they vanish with the block.

    Parameters
    ----------
    files : iterable of Path
        DICOM files of one series.

    Raises
    ------
    NoConverterError
    """
    with tempfile.TemporaryDirectory(prefix="BrainstemALS-dicom-") as folder:
        inside, out = Path(folder, "in"), Path(folder, "out")
        inside.mkdir()
        out.mkdir()
        for number, path in enumerate(files):
            # Under names of our own: dcm2niix repeats those of files and folders.
            _place(path, inside / f"{number:06d}.dcm")
        try:
            subprocess.run(
                [_program(), *_OPTIONS, "-o", str(out), str(inside)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_TIMEOUT_S,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # on Windows: no console
                check=False,  # what came of it counts: it returns other than 0 for warnings too
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoConverterError from error
        yield sorted(out.glob("*.nii"), key=lambda path: (-path.stat().st_size, path.name))


@contextmanager
def stacked(files: Iterable[Path], label: str, syntax: str | None = None) -> Iterator[Path]:
    """Give one slice-by-slice series as a NIfTI file, read by GDCM; it vanishes with the block.

    Parameters
    ----------
    files : iterable of Path
        Ordered along the stack.
    label, syntax : str
        As of ``not_converted``.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE.
    """
    with tempfile.TemporaryDirectory(prefix="BrainstemALS-dicom-") as folder:
        path = Path(folder, "image.nii")
        reader = sitk.ImageSeriesReader()
        with silenced_itk():
            try:
                reader.SetFileNames([str(file) for file in files])
                sitk.WriteImage(reader.Execute(), str(path))
            except RuntimeError:
                raise not_converted(label, syntax) from None
        yield path


def not_converted(label: str, syntax: str | None = None) -> BrainstemALSError:
    """Return the refusal of a series that cannot be converted.

    Parameters
    ----------
    label : str
        ``series 5``.
    syntax : str, optional
        Name of its compression, where it has one.
    """
    if syntax:
        return BrainstemALSError(
            label,
            f"its images cannot be read; they are compressed ({syntax})",
            "Decompress them first: gdcmconv --raw in.dcm out.dcm, or export without compression.",
            ExitCode.UNREADABLE_IMAGE,
        )
    return BrainstemALSError(
        label,
        "its images cannot be converted",
        "Export the series again, or convert it with another program and give the NIfTI.",
        ExitCode.UNREADABLE_IMAGE,
    )


def _program() -> str:
    try:
        import dcm2niix
    except ImportError as error:
        raise NoConverterError from error
    return str(dcm2niix.bin)


def _place(source: Path, target: Path) -> None:
    for link in (os.symlink, os.link):  # no room and no time is spent on a copy
        with suppress(OSError, NotImplementedError):  # another disk, or one that knows no links
            link(source.resolve(), target)
            return
    shutil.copyfile(source, target)
