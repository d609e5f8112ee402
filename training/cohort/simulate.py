"""Simulate a cohort with a known truth: ``python -m training.cohort.simulate --als 500 --out DIR``.

Writes the tables of a cohort to DIR, and what only the simulator knows to a folder beside it,
DIR-truth. A folder that holds anything else is refused. ``brainstem-als cohort DIR OUT group``
analyses the tables.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib import __version__
from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from ..commands import finish
from .config import Config, load_config
from .effects import scale_effects
from .errors import MeasurementError, configured_error, read_error
from .groups import World, simulate_group
from .healthy import build_norm
from .measuring import long_table
from .people import GROUPS
from .scenario import DECIMALS, Scenario
from .sites import draw_sites
from .truth import TABLES as TRUTH_TABLES
from .truth import (
    Truth,
    truth_of_clocks,
    truth_of_effects,
    truth_of_order,
    truth_of_patients,
    truth_of_sites,
    truth_of_values,
)

if TYPE_CHECKING:
    from BrainstemALSLib.cohort.tables import Cohort

MOST = 99_999
"""Of one group: identifiers have five digits."""
GENERATOR = "training.cohort.simulate"
"""Who the description of a folder says that it was made by, where it is ours."""


def simulate(
    config: Config,
    n_hc: int,
    n_als: int,
    n_mimic: int,
    seed: int,
    scenario: Scenario | None = None,
    errors: Path | None = None,
) -> tuple[Cohort, Truth]:
    """Simulate a cohort.

    The same seed gives the same people; more people of a group, or of another, change nobody who
    was there before.

    Parameters
    ----------
    config : Config
        Of ``load_config``.
    n_hc, n_als, n_mimic : int
        People of each group.
    seed : int
        0 or more.
    scenario : Scenario, optional
        What differs from the configured world.
    errors : Path, optional
        Measured errors (see ``training.cohort.errors``) instead of the configured ones.

    Returns
    -------
    cohort : BrainstemALSLib.cohort.tables.Cohort
        ``participants``, ``visits`` and ``measures``: all that an analysis may read.
    truth : Truth

    Raises
    ------
    BrainstemALSError
        USAGE: nobody, too many people, a negative seed, or a refused file of errors.
    """
    import pandas as pd

    from BrainstemALSLib.cohort.tables import Cohort

    sizes = dict(zip(GROUPS, (n_hc, n_als, n_mimic), strict=True))
    _check_sizes(sizes, seed)
    world = build_world(config, scenario or Scenario(), seed, errors)
    groups = [simulate_group(world, seed, name, size) for name, size in sizes.items()]
    participants, visits, measures, values, clocks = [], [], [], [], []
    latent = groups[GROUPS.index("ALS")].latent
    for group in groups:
        keep = group.planned.imaged.ravel()
        participants.append(group.participants)
        visits.append(group.visits)
        measures.append(long_table(group.sessions, group.ids, group.session_ids, keep))
        values.append(
            truth_of_values(group.ids, group.session_ids, keep, group.true, group.healthy)
        )
        if group.latent is not None:
            months = group.latent.patients.first_visit[:, None] + group.planned.months
            attended = group.planned.attended.ravel()
            clocks.append(
                truth_of_clocks(group.latent, group.ids, group.session_ids, months, attended)
            )

    def together(frames: list) -> pd.DataFrame:
        # Empty groups would turn the columns' types into object.
        return pd.concat([f for f in frames if len(f)], ignore_index=True)

    tables = together(participants), together(visits), together(measures)
    cohort = Cohort(*tables, simulated=True)
    truth = Truth(
        participants=truth_of_patients(latent),
        order=truth_of_order(config),
        effects=truth_of_effects(config, world.effects),
        sites=truth_of_sites(world.sites),
        values=together(values),
        clocks=pd.concat(clocks, ignore_index=True),
        latent=latent,
    )
    return cohort, truth


def build_world(config: Config, scenario: Scenario, seed: int, errors: Path | None = None) -> World:
    """Return what all groups share: norm, effects, scanners, errors of measurement."""
    norm = build_norm(config)
    error: MeasurementError = (
        read_error(errors, norm, scenario) if errors else configured_error(norm, scenario)
    )
    return World(
        config=config,
        scenario=scenario,
        norm=norm,
        effects=scale_effects(config, scenario),
        sites=draw_sites(config, scenario, seed),
        error=error,
    )


def write_simulation(
    folder: Path,
    cohort: Cohort,
    truth: Truth,
    seed: int,
    scenario: Scenario,
    truth_folder: Path | None = None,
) -> Path:
    """Write a cohort, and its truth beside it; an earlier simulation is replaced.

    Parameters
    ----------
    folder : Path
        Gets participants.tsv, visits.tsv, measures.tsv and dataset_description.json.
    cohort, truth : as ``simulate`` returns them
    seed : int
    scenario : Scenario
    truth_folder : Path, optional
        ``<folder>-truth`` when left out; never inside ``folder``.

    Returns
    -------
    Path
        The folder of the truth.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the truth would lie inside the cohort, a folder holds anything that is no
        simulation, or cannot be written. Nothing is changed then.
    """
    from BrainstemALSLib.cohort.tables import DESCRIPTION, FILES, write_cohort

    beside = truth_folder or folder.with_name(f"{folder.name}-truth")
    if folder.resolve() in (beside.resolve(), *beside.resolve().parents):
        raise BrainstemALSError(
            beside,
            "the truth must not lie inside the cohort",
            "Name a folder elsewhere.",
            ExitCode.OUTPUT_REFUSED,
        )
    tables = {f"{name}.tsv" for name in FILES} | {"measures.parquet"}
    _refuse_foreign(folder, {DESCRIPTION} | tables)
    _refuse_foreign(beside, {DESCRIPTION} | {f"{name}.tsv" for name in TRUTH_TABLES})
    try:
        # The descriptions first: what an interruption leaves is known as simulated, and as ours.
        for place in (folder, beside):
            place.mkdir(parents=True, exist_ok=True)
            _describe(place, seed, scenario)
        for stale in tables:
            (folder / stale).unlink(missing_ok=True)
        if scenario.decimal == ".":
            write_cohort(cohort, folder)
        else:
            _write_bad_decimals(cohort, folder, scenario.decimal)
        truth.write(beside)
    except OSError as error:
        raise BrainstemALSError(
            folder, "it cannot be written", "Choose another folder.", ExitCode.OUTPUT_REFUSED
        ) from error
    return beside


def _refuse_foreign(folder: Path, own: set[str]) -> None:
    """Refuse a folder that holds anything but an earlier simulation."""
    from BrainstemALSLib.cohort.tables import DESCRIPTION
    from BrainstemALSLib.durability import PARTIAL

    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        held = {name for name in names if not name.startswith(PARTIAL)}
        if not held:
            return
        made_by = json.loads((folder / DESCRIPTION).read_bytes())["GeneratedBy"][0]["Name"]
        ours = made_by == GENERATOR and held <= own
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        ours = False
    if not ours:
        raise BrainstemALSError(
            folder,
            "it holds something that is no simulated cohort of this command",
            "Choose an empty folder; nothing was written.",
            ExitCode.OUTPUT_REFUSED,
        )


def _write_bad_decimals(cohort: Cohort, folder: Path, decimal: str) -> None:
    for name in ("participants", "visits", "measures"):
        table = getattr(cohort, name)
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False, na_rep="n/a", decimal=decimal)


def _describe(folder: Path, seed: int, scenario: Scenario) -> None:
    description = {
        "Name": "Simulated cohort of BrainstemALS",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "source": "simulated",
        "simulated": True,
        "Seed": seed,
        "Scenario": {f.name: getattr(scenario, f.name) for f in fields(scenario)},
        "GeneratedBy": [{"Name": GENERATOR, "Version": __version__}],
    }
    text = json.dumps(description, indent=2) + "\n"
    (folder / "dataset_description.json").write_text(text, encoding="utf-8")


def _check_sizes(sizes: dict[str, int], seed: int) -> None:
    for name, size in sizes.items():
        if not 0 <= size <= MOST:
            raise BrainstemALSError(
                f"number of {name}",
                f"{size} is out of range",
                f"Give 0 to {MOST}.",
                ExitCode.USAGE,
            )
    if not any(sizes.values()):
        raise BrainstemALSError("cohort", "it would be empty", "Ask for somebody.", ExitCode.USAGE)
    if seed < 0:
        raise BrainstemALSError("seed", "it is negative", "Give 0 or more.", ExitCode.USAGE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--als", type=int, default=500)
    parser.add_argument("--controls", type=int, default=200)
    parser.add_argument("--mimics", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--truth", type=Path, help="folder instead of OUT-truth")
    parser.add_argument("--config", type=Path, help="a changed copy of parameters.toml")
    parser.add_argument("--errors", type=Path, help="JSON of measured errors of measurement")
    for field in fields(Scenario):
        kind = str if field.name == "decimal" else float
        choices = DECIMALS if field.name == "decimal" else None
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, choices=choices, default=field.default)
    given = parser.parse_args()

    def command() -> None:
        config = load_config(given.config)
        scenario = Scenario(**{f.name: getattr(given, f.name) for f in fields(Scenario)})
        sizes = given.controls, given.als, given.mimics
        cohort, truth = simulate(config, *sizes, given.seed, scenario, given.errors)
        write_simulation(given.out, cohort, truth, given.seed, scenario, given.truth)
        visits = np.array([len(cohort.participants), len(cohort.visits), len(cohort.measures)])
        print("Simulated: {} people, {} visits, {} measures".format(*visits))

    finish(command)


if __name__ == "__main__":
    main()
