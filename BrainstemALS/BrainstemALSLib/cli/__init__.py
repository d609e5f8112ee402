"""The pipeline from a terminal: ``brainstem-als segment``, ``demo`` and ``doctor``."""

from __future__ import annotations

import sys

_NEEDED = ("typer", "rich")


def main() -> None:
    """Run the command line; ends the process with an ``ExitCode``."""
    from ..errors import ExitCode
    from .output import forgiving_output

    forgiving_output()
    try:
        from .app import app
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] not in _NEEDED:
            raise
        print(
            f"brainstem-als: the package {missing.name} is missing. "
            "Install what the terminal needs: pip install 'brainstem-als[cli]'",
            file=sys.stderr,
        )
        raise SystemExit(int(ExitCode.MISSING_PACKAGE)) from None
    except KeyboardInterrupt:
        raise SystemExit(int(ExitCode.INTERRUPTED)) from None
    app()
