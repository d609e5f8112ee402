"""What would be installed, from where, how large, with which command: all before it starts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from .failures import InstallError
from .gpu import OLDEST_FOR_CUDA_13, Gpu
from .interpreter import Interpreter
from .requirements import Missing, missing
from .standards import packaging

SHIPPED = (
    "numpy",
    "scipy",
    "simpleitk",
    "vtk",
    "pip",
    "setuptools",
    "requests",
    "urllib3",
    "certifi",
    "cryptography",
    "cffi",
    "pydicom",
    "dicomweb-client",
    "pillow",
    "gitpython",
    "pygithub",
    "pyjwt",
    "pynacl",
    "python-dateutil",
    "six",
)
"""What Slicer brings and its own modules use, after the requirement files of its superbuild: these
stay as they are, or Slicer breaks for everybody. Normalized names."""

INDEX = "https://download.pytorch.org/whl"
"""PyTorch's own index; below it, one folder for each build (docs.pytorch.org/get-started)."""
CPU_INDEX = f"{INDEX}/cpu"
CPU_MB, CUDA_MB = 200, 2900
"""Download of PyTorch with what it needs. Measured on wheels for Linux x86-64: 192 MB of torch
2.13.0+cpu and 10 MB of other packages; 555 MB of torch 2.14.1, 2190 MB of NVIDIA's libraries and
some 150 MB of others."""
UNPACKED = 3.7
"""Times the download that lies on the disk afterwards; measured on torch 2.13.0+cpu, 754 MB."""
OTHER_MB = 60
"""Download of each other package; SciPy, the largest, has less."""
CONSTRAINTS = "constraints.txt"
_RAW_PROGRESS = "24.1"  # first pip that prints its progress in a form a program can read


class Route(Enum):
    """Where packages come from."""

    PYTORCH_EXTENSION = "pytorch-extension"
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True)
class InstallPlan:
    """An installation that has not started.

    Attributes
    ----------
    route : Route
    missing : tuple of Missing
        What it brings; empty where nothing is to do.
    interpreter : Interpreter
        Where it goes.
    folder : Path
        For the constraints and pip's temporary files; the caller removes it afterwards, which also
        takes what a cancelled download has left.
    source : str
        Where from, for the user.
    download_mb : int
        Roughly.
    size_basis : str
        Where that number comes from.
    options : tuple of str
        Of ``pip install``, with the requirements.
    constraints : tuple of str
        Packages that must stay, as ``name==version``.
    """

    route: Route
    missing: tuple[Missing, ...]
    interpreter: Interpreter
    folder: Path
    source: str
    download_mb: int
    size_basis: str
    options: tuple[str, ...]
    constraints: tuple[str, ...]

    @property
    def constraints_file(self) -> Path:
        """File with ``constraints``."""
        return self.folder / CONSTRAINTS

    @property
    def disk_mb(self) -> int:
        """Space it takes while it runs: the download and what is unpacked."""
        return round(self.download_mb * (1 + UNPACKED))

    def command(self, *more: str) -> tuple[str, list[str]]:
        """Return program and arguments; ``more`` goes before the packages."""
        return self.interpreter.program, ["-m", "pip", "install", *more, *self.options]

    @property
    def command_text(self) -> str:
        """The command as it would be typed."""
        program, arguments = self.command()
        return shlex.join([program, *arguments])

    def without(self, name: str) -> InstallPlan:
        """Return the plan for the rest, once a package has come by another way."""
        left = tuple(item for item in self.missing if item.name.lower() != name)
        head = self.options[: len(self.options) - len(self.missing)]  # the packages come last
        return replace(self, missing=left, options=(*head, *(item.wanted for item in left)))

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the command: its temporary files go where the caller removes them."""
        place = str(self.folder / "temporary")
        return {"TMPDIR": place, "TEMP": place, "TMP": place, "PYTHONUNBUFFERED": "1"}

    @property
    def text(self) -> str:
        """What, from where and how large, in plain words."""
        if not self.missing:
            return "Everything that is needed is installed."
        packages = ", ".join(map(str, self.missing))
        size = (
            f"{self.download_mb} MB"
            if self.download_mb < 1000
            else f"{self.download_mb / 1000:.1f} GB"
        )
        return f"{packages}. From: {self.source}. Size: about {size} ({self.size_basis})."


def plan(
    route: Route,
    folder: Path,
    *,
    wheels: Path | None = None,
    interpreter: Interpreter | None = None,
    wanted: Sequence[str] | None = None,
    gpu: Gpu | None = None,
) -> InstallPlan:
    """Return what a route would do. Reads this computer only, no network.

    Parameters
    ----------
    route : Route
    folder : Path
        See ``InstallPlan.folder``; made where it does not exist.
    wheels : Path, optional
        Folder of packages, for ``Route.OFFLINE``.
    interpreter : Interpreter, optional
        Where to install; asked for when left out.
    wanted : sequence of str, optional
        Requirements; those of the panel when left out.
    gpu : Gpu, optional
        As ``gpu.find_gpu`` returns it; without one, the CPU build is taken.

    Raises
    ------
    InstallError
        There is no pip, no folder of packages was named, or the folder cannot be written to.
    """
    interpreter = interpreter or Interpreter.ask()
    if not interpreter.pip:
        raise InstallError("Slicer's Python has no pip", "Install Slicer again; it brings pip.")
    if route is Route.OFFLINE and wheels is None:
        raise InstallError("no folder of packages was chosen", "Choose a folder of wheels.")
    lacking = missing(wanted, list(interpreter.search_path))
    source, where, size, basis = _source(route, lacking, interpreter, wheels, gpu)
    constraints = _constraints(interpreter)
    file = Path(folder) / CONSTRAINTS
    _write_constraints(file, constraints)
    return InstallPlan(
        route,
        lacking,
        interpreter,
        Path(folder),
        source,
        size,
        basis,
        (*_options(interpreter, file), *where, *(item.wanted for item in lacking)),
        constraints,
    )


def _source(
    route: Route,
    lacking: Sequence[Missing],
    interpreter: Interpreter,
    wheels: Path | None,
    gpu: Gpu | None,
) -> tuple[str, tuple[str, ...], int, str]:
    """Name of the source, options that lead pip there, megabytes, and where that number is from."""
    if route is Route.OFFLINE:
        size = round(sum(path.stat().st_size for path in wheels.glob("*.whl")) / 1e6)
        where = ("--no-index", "--find-links", str(wheels))
        return "the folder of packages that was chosen", where, size, "all wheels of the folder"
    torch_too = any(item.name.lower() == "torch" for item in lacking)
    index = _index(gpu, interpreter) if torch_too else ""
    torch_mb = (CPU_MB if index in ("", CPU_INDEX) else CUDA_MB) if torch_too else 0
    size = torch_mb + sum(OTHER_MB for item in lacking if item.name.lower() != "torch")
    source = "the Python package index (pypi.org)" + (f" and {index}" if index else "")
    if route is Route.PYTORCH_EXTENSION and torch_too:
        source = "the PyTorch extension, which chooses the build for this computer"
    where = ("--extra-index-url", index) if index else ()
    return source, where, size, "measured on PyTorch 2.13 and 2.14 for Linux; others differ"


def _constraints(interpreter: Interpreter) -> tuple[str, ...]:
    version = packaging("version")
    lines = []
    for name, held in sorted(interpreter.installed().items()):
        if name not in SHIPPED:
            continue
        try:
            version.Version(held)
        except version.InvalidVersion:
            continue  # pip would not read the file; the dry run still sees a change of it
        lines.append(f"{name}=={held}")
    return tuple(lines)


def _write_constraints(path: Path, constraints: Sequence[str]) -> None:
    try:
        (path.parent / "temporary").mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
    except OSError as error:
        raise InstallError(
            "the temporary folder cannot be written to", "Free some space there.", str(error)
        ) from error


def _options(interpreter: Interpreter, constraints: Path) -> tuple[str, ...]:
    version = packaging("version").Version
    raw = version(interpreter.pip) >= version(_RAW_PROGRESS)
    return (
        "--disable-pip-version-check",
        "--no-input",
        # At least one, because pip names a network that fails only when it tries again; not its
        # five, because behind a firewall each takes 15 seconds.
        "--retries=2",
        # Nothing is compiled: a computer in a clinic has no compiler, and would fail after minutes.
        "--only-binary=:all:",
        f"--progress-bar={'raw' if raw else 'off'}",
        "-c",
        str(constraints),
    )


def _index(gpu: Gpu | None, interpreter: Interpreter) -> str:
    """PyTorch's index of the build that fits; empty where that of PyPI is the one.

    On macOS PyPI has the only build. Elsewhere a build of this index, ``2.13.0+cu126``, counts as
    newer than the same version of PyPI, and so wins.
    """
    if interpreter.markers["sys_platform"] == "darwin":
        return ""
    if gpu is None or gpu.cuda < 12:
        return CPU_INDEX
    new = gpu.cuda >= 13 and not 0 < gpu.compute < OLDEST_FOR_CUDA_13
    return f"{INDEX}/{'cu130' if new else 'cu126'}"
