"""Fit the norms that come along: ``python -m training.norms``; some seconds on one core.

They are fitted on a simulated cohort and say so. Whoever has real controls fits their own with
``brainstem-als norms fit``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from BrainstemALSLib.norms import Norms, fit_norms, write_norms
from BrainstemALSLib.norms.files import BUNDLED

from .cohort.config import load_config
from .cohort.errors import measured_errors
from .cohort.simulate import simulate
from .commands import finish
from .data import repository

CONTROLS = 1000
SEED = 20261129


def simulated_norms(controls: int, seed: int) -> Norms:
    """Return norms fitted on simulated controls, one visit each.

    Their errors of measurement are those of the real segmentation, where those were measured.

    Raises
    ------
    BrainstemALSError
        USAGE: too few or too many controls, or a negative seed.
    """
    config = load_config().with_values(visits__follow_ups=0)
    cohort, _ = simulate(config, controls, 0, 0, seed, errors=measured_errors())
    return fit_norms(cohort, "simulated", seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--controls", type=int, default=CONTROLS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help=f"instead of Resources/{BUNDLED}")
    given = parser.parse_args()

    def command() -> None:
        norms = simulated_norms(given.controls, given.seed)
        path = given.out or repository() / "Resources" / BUNDLED
        write_norms(norms, path)
        for finding in norms.findings:
            print(f"{finding.severity}: {finding.message}. {finding.action}")
        print(f"Wrote {len(norms.models)} norms, {norms.population.statement}: {path.name}")

    finish(command)


if __name__ == "__main__":
    main()
