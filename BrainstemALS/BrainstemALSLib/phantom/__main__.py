"""Writes the simulated patient: ``python BrainstemALSLib/phantom/__main__.py FOLDER``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if not __package__:
    # Started by its path: Slicer's interpreter is not told where the module lies.
    here = Path(__file__).resolve()
    sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != here.parent]
    sys.path.insert(0, str(here.parents[2]))

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.phantom.files import write_patient
from BrainstemALSLib.phantom.sample import DESCRIPTION, SEED, sample_patient


def main(arguments: list[str] | None = None) -> int:
    """Write T1, FA, MD, the truth and the description; return the exit code."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    try:
        write_patient(sample_patient(options.seed), options.folder, overwrite=True)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
