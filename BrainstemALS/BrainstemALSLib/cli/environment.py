"""What is installed, where it would run, and which models there are."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import BrainstemALSError

_MINIMUM_PYTHON = (3, 11)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What.
    ok : bool
        Whether it can be used.
    required : bool
        Whether segmenting needs it.
    found : str
        Version, state or reason.
    remedy : str
        What to do where it is not ok; else empty.
    """

    name: str
    ok: bool
    required: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class _Package:
    name: str
    required: bool
    remedy: str
    use: str = ""


# The command to get each by itself: the whole extra when the terminal needs it anyway.
_PACKAGES = (
    _Package("numpy", True, "pip install 'numpy>=1.26'"),
    _Package("scipy", True, "pip install 'scipy>=1.11'"),
    _Package("SimpleITK", True, "pip install 'SimpleITK>=2.3'"),
    _Package("torch", True, "pip install 'torch>=2.4,<3'"),
    _Package("matplotlib", False, "pip install 'matplotlib>=3.8'", "overview picture"),
    _Package("nilearn", False, "pip install 'nilearn>=0.10'", "images of the demo"),
    _Package("monai", False, "pip install 'brainstem-als[train]'", "training"),
    _Package("antspyx", False, "pip install 'brainstem-als[train]'", "benchmark"),
)


def examine(model_dir: Path | None = None) -> tuple[Check, ...]:
    """Look at everything.

    Parameters
    ----------
    model_dir : Path, optional
        Folder of models to look at instead of the bundled ones.
    """
    packages = [_package(package) for package in _PACKAGES]
    return (
        _python(),
        Check("BrainstemALS", True, True, __version__),
        *packages,
        *_torch_checks(),
        *_models(model_dir),
    )


def is_ready(checks: tuple[Check, ...]) -> bool:
    """Whether everything that segmenting needs is there."""
    return all(check.ok for check in checks if check.required)


def as_record(checks: tuple[Check, ...]) -> dict[str, Any]:
    """Return the checks as plain data for JSON."""
    return {"ready": is_ready(checks), "checks": [asdict(check) for check in checks]}


def command_to_get(module: str | None) -> str | None:
    """Return the command that installs the package of a module; None for one that is not ours."""
    commands = {package.name: package.remedy for package in _PACKAGES}
    commands |= dict.fromkeys(("rich", "typer"), "pip install 'brainstem-als[cli]'")
    return commands.get((module or "").split(".")[0])


def _python() -> Check:
    ok = sys.version_info[:2] >= _MINIMUM_PYTHON
    remedy = "" if ok else "Install Python 3.11 or newer."
    return Check("Python", ok, True, f"{platform.python_version()} on {platform.system()}", remedy)


def _package(package: _Package) -> Check:
    try:
        version = metadata.version(package.name)
    except metadata.PackageNotFoundError:
        use = f" (for the {package.use})" if package.use else ""
        return Check(package.name, False, package.required, f"not installed{use}", package.remedy)
    return Check(package.name, True, package.required, version)


def _torch_checks() -> tuple[Check, ...]:
    try:
        import torch
    except Exception as problem:  # a broken installation fails in many ways
        if isinstance(problem, ModuleNotFoundError) and problem.name == "torch":
            return ()  # named missing already
        return (
            Check(
                "PyTorch build",
                False,
                True,
                f"it is installed but does not load ({type(problem).__name__})",
                "pip install --force-reinstall 'torch>=2.4,<3'",
            ),
        )
    from ..segmentation.device import choose_device

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    device, reason = choose_device("auto")
    remedy = ""
    if device == "cpu" and torch.version.cuda is None:
        remedy = "A CPU will do; for an NVIDIA GPU, install a CUDA build (https://pytorch.org)."
    elif device == "cpu":
        remedy = "A CPU will do; for an NVIDIA GPU, check its driver with nvidia-smi."
    return (
        Check("PyTorch build", True, True, f"{build}; CPU threads: {torch.get_num_threads()}"),
        Check("Device", True, True, f"{device}: {reason}", remedy),
    )


def _models(model_dir: Path | None) -> tuple[Check, ...]:
    from ..segmentation.models import LOCATOR, STRUCTURES, find_model
    from ..segmentation.registry import models_in_use

    checks = []
    if model_dir is None:
        used = models_in_use()
        model_dir = used.folder
        checks += [Check("Models", False, False, f.message, f.action) for f in used.findings]
    for name in (LOCATOR, STRUCTURES):
        try:
            card = find_model(name, model_dir).identity
        except BrainstemALSError as refusal:
            checks.append(Check(f"Model {name}", False, True, refusal.problem, refusal.remedy))
        else:
            found = f"{card['version']}, checksum right ({card['sha256'][:12]})"
            checks.append(Check(f"Model {name}", True, True, found))
    return tuple(checks)
