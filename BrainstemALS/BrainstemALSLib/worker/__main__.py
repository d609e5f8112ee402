"""Starts the worker: by its path, without PYTHONPATH, as ``launch.worker_command`` says."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python puts the folder of a script first on its path, and ours would hide the package
    # "requests" from every library.
    here = Path(__file__).resolve()
    sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != here.parent]
    sys.path.insert(0, str(here.parents[2]))

    from BrainstemALSLib.worker.server import main

    main()
