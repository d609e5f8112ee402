"""Checks or installs as a process of its own, so that no dialog waits: see ``command``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # As the worker's: by its path, and without the names of this folder on the search path.
    here = Path(__file__).resolve()
    sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != here.parent]
    sys.path.insert(0, str(here.parents[2]))

    from BrainstemALSLib.installation.command import main

    raise SystemExit(main())
