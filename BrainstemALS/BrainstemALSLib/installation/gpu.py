"""Is there an NVIDIA GPU, and can the installed PyTorch use it? Told without importing torch."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .process import NO_WINDOW

_QUERY = "name,driver_version,memory.total,compute_cap"
_TIMEOUT = 10  # seconds; nvidia-smi takes one or two where the driver has to wake up

MINIMUM_DRIVER = {11: 450, 12: 525, 13: 580}
"""First driver branch that runs every build of a CUDA major version, from NVIDIA's table of minor
version compatibility (docs.nvidia.com/deploy/cuda-compatibility)."""
MINIMUM_MEMORY_MB = 2048
"""As ``segmentation.device.MINIMUM_GPU_MEMORY``."""
OLDEST_FOR_CUDA_13 = 7.5
"""Compute capability: CUDA 13 has dropped what is older than Turing."""


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as its driver describes it.

    Attributes
    ----------
    name : str
    driver : str
        Version of the driver; empty where the card is there and no driver answers.
    memory_mb : int
        0 where unknown.
    compute : float
        Compute capability; 0 where unknown.
    """

    name: str
    driver: str
    memory_mb: int = 0
    compute: float = 0.0

    @property
    def cuda(self) -> int:
        """Newest CUDA major version that its driver runs; 0 for none."""
        branch = re.match(r"\d+", self.driver)
        known = [
            major
            for major, first in MINIMUM_DRIVER.items()
            if branch and int(branch.group()) >= first
        ]
        return max(known, default=0)


@dataclass(frozen=True)
class TorchBuild:
    """The installed PyTorch.

    Attributes
    ----------
    version : str
    cuda : str
        Version of CUDA that it was built for; empty for a CPU build.
    """

    version: str
    cuda: str


_DEVICES = Path("/sys/bus/pci/devices")


def find_gpu(nvidia_smi: str | None = None, devices: Path = _DEVICES) -> Gpu | None:
    """Return the NVIDIA GPU with the most memory, or None.

    Parameters
    ----------
    nvidia_smi : str, optional
        Program to ask; looked for on the search path, where drivers put it, when left out.
    devices : Path
        Where Linux lists its devices: a card is found there without a driver too.
    """
    if sys.platform == "darwin":
        return None
    program = nvidia_smi or shutil.which("nvidia-smi")
    described = _ask(program) if program else []
    if described:
        return max(described, key=lambda gpu: gpu.memory_mb)
    return Gpu("NVIDIA GPU", "") if _has_card(devices) else None


def _ask(program: str) -> list[Gpu]:
    # Drivers before 510 do not know compute_cap and answer with an error.
    for query in (_QUERY, _QUERY.rpartition(",")[0]):
        try:
            outcome = subprocess.run(
                [program, f"--query-gpu={query}", "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT,
                creationflags=NO_WINDOW,
            )
        except (OSError, subprocess.SubprocessError):
            return []
        if outcome.returncode == 0:
            lines = [line.split(",") for line in outcome.stdout.splitlines()]
            return [_gpu(*(part.strip() for part in parts)) for parts in lines if len(parts) >= 3]
    return []


def _gpu(name: str, driver: str, memory: str, compute: str = "") -> Gpu:
    # A field that a card does not have reads "[N/A]".
    numbers = [re.fullmatch(r"[\d.]+", text) for text in (memory, compute)]
    memory_mb, capability = (float(found.group()) if found else 0.0 for found in numbers)
    return Gpu(name, driver, int(memory_mb), capability)


def _has_card(devices: Path) -> bool:
    """Whether Linux sees a display controller (PCI class 03) of NVIDIA (vendor 10de)."""
    for device in devices.glob("*"):
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


def torch_build(search_path: list[str] | None = None) -> TorchBuild | None:
    """Return the PyTorch that is installed, or None.

    Parameters
    ----------
    search_path : list of str, optional
        Folders to look in; where this interpreter imports from when left out.
    """
    where = {} if search_path is None else {"path": search_path}
    for distribution in metadata.distributions(name="torch", **where):
        version = distribution.version
        local = version.partition("+")[2]
        coded = re.fullmatch(r"cu(\d+)(\d)", local)
        if coded:
            return TorchBuild(version, f"{coded.group(1)}.{coded.group(2)}")
        if local.startswith("cpu"):
            return TorchBuild(version, "")
        # Builds from PyPI carry no such label; the package itself writes it down.
        return TorchBuild(
            version, _written_cuda(Path(distribution.locate_file("torch/version.py")))
        )
    return None


def _written_cuda(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r"^cuda\b[^=\n]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    return found.group(1) if found else ""


def why_unused(gpu: Gpu | None, build: TorchBuild | None) -> str:
    """Return one sentence on why a GPU will not be used; empty where nothing is wrong.

    Parameters
    ----------
    gpu : Gpu or None
        As ``find_gpu`` returns it.
    build : TorchBuild or None
        As ``torch_build`` returns it; None before PyTorch is installed.
    """
    if gpu is None:
        return ""
    built_for = int(build.cuda.split(".")[0]) if build is not None and build.cuda else 0
    if not gpu.driver:
        return (
            "This computer has an NVIDIA GPU, but its driver does not answer, so the CPU is used; "
            "install or repair the NVIDIA driver to use the GPU."
        )
    if 0 < gpu.memory_mb < MINIMUM_MEMORY_MB:
        return (
            f"The {gpu.name} has {gpu.memory_mb} MB of memory and {MINIMUM_MEMORY_MB} MB are "
            "needed, so the CPU is used."
        )
    if gpu.cuda < max(built_for, min(MINIMUM_DRIVER)):
        needed = MINIMUM_DRIVER.get(built_for, MINIMUM_DRIVER[12])
        return (
            f"The driver of the {gpu.name} ({gpu.driver}) is too old for PyTorch, which needs "
            f"{needed} or later, so the CPU is used; update the NVIDIA driver."
        )
    if build is not None and not built_for:
        return (
            f"The {gpu.name} is not used, because the installed PyTorch ({build.version}) is a "
            "CPU build; install a CUDA build of PyTorch to use it."
        )
    if built_for >= 13 and 0 < gpu.compute < OLDEST_FOR_CUDA_13:
        return (
            f"The {gpu.name} is too old for the installed PyTorch (CUDA {build.cuda}), so the CPU "
            "is used; a PyTorch built for CUDA 12.6 can use it."
        )
    return ""
