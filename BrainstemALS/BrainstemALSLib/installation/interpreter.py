"""The Python that the worker runs in, which is where packages have to go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..worker.launch import worker_command
from .failures import InstallError
from .process import run
from .standards import packaging


@dataclass(frozen=True)
class Interpreter:
    """A Python and what is in it.

    Attributes
    ----------
    program : str
    version : str
        For example ``3.12.10``.
    search_path : tuple of str
        Folders it imports from.
    packages : Path
        Folder that pip installs into.
    pip : str
        Version of its pip; empty where it has none.
    tags : tuple of str
        Kinds of wheels that it takes, best first.
    markers : dict
        Its environment markers.
    """

    program: str
    version: str
    search_path: tuple[str, ...]
    packages: Path
    pip: str
    tags: tuple[str, ...]
    markers: dict[str, str]

    @classmethod
    def ask(cls, program: str | None = None) -> Interpreter:
        """Start a Python and let it describe itself; takes some tenths of a second.

        Parameters
        ----------
        program : str, optional
            That of the worker when left out.

        Raises
        ------
        InstallError
            It does not start, or has neither pip nor packaging.
        """
        program = program or worker_command()[0]
        script = str(Path(__file__).with_name("describe.py"))
        try:
            outcome = run(program, [script])
            told = json.loads(outcome.output.strip().splitlines()[-1])
        except (OSError, ValueError, IndexError) as error:
            raise InstallError(
                "the Python that is to get the packages does not start",
                "Install Slicer again, or choose another Python.",
                str(error),
            ) from error
        return cls(
            program,
            told["version"],
            tuple(told["search_path"]),
            Path(told["packages"]),
            told["pip"],
            tuple(told["tags"]),
            told["markers"],
        )

    def installed(self) -> dict[str, str]:
        """Versions of its packages by normalized name; of two on the path, the one it imports."""
        normalized = packaging("utils").canonicalize_name
        found: dict[str, str] = {}
        for distribution in metadata.distributions(path=list(self.search_path)):
            name = distribution.metadata["Name"]
            if name and distribution.version:
                found.setdefault(normalized(name), distribution.version)
        return found
