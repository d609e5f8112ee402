"""Whom a prediction model is learned from: a simulated cohort, or the tables of a real one.

A cohort of ``--cohort`` says itself whether it is real. Its model never replaces a file, and the
norms of its controls are kept beside the models: images are to be scored by them in use too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from BrainstemALSLib import __version__
from BrainstemALSLib.cohort.tables import Cohort, read_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms, fit_norms, read_norms, write_norms
from BrainstemALSLib.norms.training import cohort_seed, cohort_source
from BrainstemALSLib.prediction.classification_model import known_norms
from BrainstemALSLib.prediction.model_files import FOLDER, Training

from ..cohort.config import load_config
from ..cohort.errors import measured_errors
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..data import repository
from ..evaluation.tables import command_line

NORMS_NAME = "norms.json"
"""Beside the models of a cohort."""


def parser_of(
    description: str, kind: str, seed: int, cohort: bool = True
) -> argparse.ArgumentParser:
    """Return the arguments of every command that fits the model of a kind."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.set_defaults(cohort=None)
    if cohort:
        parser.add_argument(
            "--cohort", type=Path, help="tables of a cohort instead of simulated ones"
        )
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument(
        "--out", type=Path,
        help=f"instead of Resources/{FOLDER}/{kind}.json; a new file, needed with --cohort",
    )  # fmt: skip
    return parser


def arguments(description: str, kind: str, seed: int) -> argparse.Namespace:
    """Read the arguments of a command that fits the model of a kind."""
    return parser_of(description, kind, seed).parse_args()


def target(given: argparse.Namespace, kind: str) -> Path:
    """Return where the model is written.

    Raises
    ------
    BrainstemALSError
        USAGE or OUTPUT_REFUSED: a cohort's model without a place of its own.
    """
    if not given.cohort:
        return given.out or repository() / "Resources" / FOLDER / f"{kind}.json"
    if given.out is None:
        raise BrainstemALSError(
            "--out", "a cohort's model needs a place of its own",
            f"Name a new file: --out MODELS/{kind}.json.", ExitCode.USAGE,
        )  # fmt: skip
    if given.out.exists() or given.out.name == NORMS_NAME:
        raise BrainstemALSError(
            given.out, "a cohort's model never replaces what is there", "Name another file.",
            ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip
    return given.out


def stated_cohort(folder: Path) -> tuple[Cohort, int | None]:
    """Return a cohort that says whether it is real, and the seed of a simulated one.

    Raises
    ------
    BrainstemALSError
        USAGE: it does not say so; or as ``read_cohort``.
    """
    cohort = read_cohort(folder)
    try:
        source = cohort_source(folder)
    except BrainstemALSError as error:
        raise BrainstemALSError(
            error.subject, error.problem,
            'Write "source": "real" or "source": "simulated" into this file.', ExitCode.USAGE,
        ) from None  # fmt: skip
    return replace(cohort, simulated=source == "simulated"), cohort_seed(folder)


def norms_of_cohort(cohort: Cohort, seed: int | None = None) -> Norms:
    """Return norms of a cohort's controls."""
    if cohort.simulated:
        return fit_norms(cohort, "simulated", seed)
    return fit_norms(cohort, "real")


def learned_from(
    given: argparse.Namespace, patients: int, controls: int
) -> tuple[Cohort, Norms, int | None]:
    """Return the named cohort, or a simulated one of this size, norms of its controls, its seed."""
    if given.cohort:
        cohort, seed = stated_cohort(given.cohort)
    else:
        cohort, seed = simulated_cohort(given.seed, patients, controls), given.seed
    return cohort, norms_of_cohort(cohort, seed), seed


def check_norms(given: argparse.Namespace, path: Path, norms: Norms) -> None:
    """Refuse a folder whose norms are of other people: models would be read with wrong ones.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED.
    """
    beside = path.with_name(NORMS_NAME)
    if given.cohort and beside.exists() and known_norms(read_norms(beside)) != known_norms(norms):
        raise BrainstemALSError(
            beside, "these are norms of other people than this cohort's",
            "Give a new folder for the models of this cohort.", ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip


def keep_norms(given: argparse.Namespace, path: Path, norms: Norms) -> None:
    """Write the norms that a cohort's model is to be read with beside it, where none are."""
    beside = path.with_name(NORMS_NAME)
    if given.cohort and not beside.exists():
        write_norms(norms, beside)
        print(f"Wrote {NORMS_NAME}: predict with --models and with --norms {NORMS_NAME}")


def simulated_cohort(
    seed: int, patients: int, controls: int, scenario: Scenario | None = None
) -> Cohort:
    """Return a simulated cohort with the measured errors."""
    return simulate(load_config(), controls, patients, 0, seed, scenario, errors=measured_errors())[
        0
    ]


def training_of(cohort: Cohort, seed: int | None, norms: Norms | None = None) -> Training:
    """Say whom a model was learned from, and whose norms scored the images."""
    groups = cohort.participants.group.value_counts()
    return Training(
        "simulated" if cohort.simulated else "real",
        {name: int(groups[name]) for name in ("ALS", "HC") if name in groups},
        int(cohort.participants.site.nunique()),
        seed if cohort.simulated else None,
        command_line(),
        datetime.now(UTC).date().isoformat(),
        __version__,
        norms.population.source if norms else "",
    )


def few(values: np.ndarray, names: Sequence[str], least: int = 1) -> list[str]:
    """Return the names of columns (n, p) that fewer than ``least`` rows have."""
    counts = np.isfinite(values).sum(axis=0)
    return [name for name, count in zip(names, counts, strict=True) if count < least]


def without(training: Training, names: Sequence[str]) -> Training:
    """Return the training with the predictors that too few had, and print them."""
    if not names:
        return training
    print(f"Left out, too few people have them: {', '.join(names)}")
    return replace(training, without=", ".join(names))
