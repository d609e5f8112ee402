"""Simulate a cohort of images: ``python -m training.cohort.imaging --als 30 --controls 20``.

The people are those of ``training.cohort.simulate``. Each gets a held-out anatomy (``training.
anatomies``), a random shape, the volumes that the simulated disease leaves at every visit, and the
FA and MD of the tissue, and is seen by the scanner of the site. Written to DIR/bids as a BIDS
dataset for ``brainstem-als cohort``, and what only the simulator knows to DIR/truth. Run again, it
goes on where it stopped. No voxel is of a person; the anatomies' outlines are derived from people.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.deformation import random_shape

from ..commands import finish
from ..data import work_dir
from .config import load_config
from .healthy import FA_RANGE, MEASURES, build_norm
from .imaging_files import bids_folder, session_done, write_dataset, write_session, write_truth
from .imaging_painting import paint, protocol_of
from .imaging_shape import shaped, volumes_of
from .measuring import MD_RANGE
from .simulate import simulate
from .spread import STRUCTURES

if TYPE_CHECKING:
    import pandas as pd

    from BrainstemALSLib.cohort.tables import Cohort

    from .truth import Truth

KEYS = [s.key for s in STRUCTURES]


def default_folder() -> Path:
    """Where the imaging cohort lies: data/cohort/imaging."""
    return work_dir() / "cohort" / "imaging"


@dataclass(frozen=True)
class Sizes:
    """How many people, and how many of their imaged visits at most."""

    controls: int
    patients: int
    mimics: int
    visits: int


def simulate_images(folder: Path, sizes: Sizes, seed: int) -> Iterator[str]:
    """Write the dataset, session by session; yields the name of each that was painted.

    Parameters
    ----------
    folder : Path
        Gets ``bids`` and ``truth``.
    sizes : Sizes
    seed : int
        The same seed and sizes give the same images.

    Raises
    ------
    BrainstemALSError
        USAGE: no held-out anatomy is built. OUTPUT_REFUSED: the folder holds another simulation.
    """
    cohort, truth = simulate(load_config(), sizes.controls, sizes.patients, sizes.mimics, seed)
    cohort, sessions = _kept(cohort, sizes.visits)
    cases, level = _anatomies()
    write_dataset(folder, cohort, truth, seed, sizes)
    targets = _targets(truth, cohort, level)
    for participant, rows in sessions.groupby("participant_id", sort=True):
        if all(session_done(folder, participant, session) for session in rows.session_id):
            continue
        own = np.random.default_rng(_number(seed, participant))
        case = cases[int(own.integers(len(cases)))]
        anatomy = _load(case)
        outline = random_shape(anatomy.shape, anatomy.spacing, own)
        person, site = int(own.integers(2**31)), _site(cohort, truth, participant)
        shape = None
        for session in rows.session_id:
            target = targets[participant, session]
            shape = shaped(anatomy, target[0], outline, shape)
            visit = _number(person, session)
            images = paint(shape, target[1], target[2], protocol_of(seed, site), person, visit)
            reached = np.stack([shape.volumes, target[1], target[2]])
            write_session(folder, participant, session, images, reached, target)
            yield f"{participant} {session}"
    write_truth(folder, truth)


def _kept(cohort: Cohort, visits: int) -> tuple[Cohort, pd.DataFrame]:
    """The first imaged visits of everybody, and what is known up to the last of them."""
    from BrainstemALSLib.cohort.tables import Cohort

    imaged = cohort.measures[["participant_id", "session_id"]].drop_duplicates()
    imaged = imaged.sort_values(["participant_id", "session_id"])
    kept = imaged.groupby("participant_id").head(visits).reset_index(drop=True)
    last = kept.groupby("participant_id").session_id.max()
    clinical, measures = (
        table[table.session_id <= table.participant_id.map(last)]
        for table in (cohort.visits, cohort.measures)
    )
    return Cohort(cohort.participants, clinical, measures, simulated=True), kept


def _anatomies() -> tuple[list[str], np.ndarray]:
    """Names of the held-out anatomies, and the mean of ln(volume / norm) (K,) over them.

    The anatomies draw borders elsewhere than the norms do; what sets a person apart from the norm
    is carried over, what sets the average anatomy apart is not.
    """
    from ..anatomies import built_cases

    cases = built_cases(held_out=True)
    if not cases:
        raise BrainstemALSError(
            "anatomies", "no held-out anatomy is built", "Run `make atlas` first.", ExitCode.USAGE
        )
    expected = build_norm(load_config()).volume
    logs = np.stack([np.log(volumes_of(_load(case)) / expected) for case in cases])
    return cases, np.nanmean(logs, axis=0)


def _load(case: str) -> Volume:
    from ..anatomies import load_anatomy

    return load_anatomy(case)


def _targets(truth: Truth, cohort: Cohort, level: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """What every session shall have (3, K): mm3; FA and MD as the site's scanner sees tissue."""
    site = cohort.participants.set_index("participant_id").site
    offsets = truth.sites.set_index(["site", "measure", "structure"]).offset.sort_index()
    out = {}
    for (participant, session), rows in truth.values.groupby(["participant_id", "session_id"]):
        values = rows.set_index(["measure", "structure"]).value
        target = np.stack([values[name].reindex(KEYS).to_numpy() for name in MEASURES])
        target[0] *= np.exp(level)
        for row, limits in ((1, FA_RANGE), (2, MD_RANGE)):
            shift = offsets[site[participant], MEASURES[row]].reindex(KEYS).to_numpy()
            target[row] = np.clip(target[row] + shift, *limits)
        out[participant, session] = target
    return out


def _number(seed: int, name: str) -> int:
    """A number of its own for a name: the same however many others there are."""
    return int(np.random.default_rng([seed, zlib.crc32(name.encode())]).integers(2**31))


def _site(cohort: Cohort, truth: Truth, participant: str) -> int:
    names = list(dict.fromkeys(truth.sites.site))
    row = cohort.participants.set_index("participant_id").loc[participant]
    return names.index(row.site)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--als", type=int, default=30)
    parser.add_argument("--controls", type=int, default=20)
    parser.add_argument("--mimics", type=int, default=4)
    parser.add_argument("--visits", type=int, default=2, help="of each, at most")
    parser.add_argument("--seed", type=int, default=707)
    parser.add_argument("--out", type=Path, help="instead of data/cohort/imaging")
    given = parser.parse_args()

    def command() -> None:
        folder = given.out or default_folder()
        sizes = Sizes(given.controls, given.als, given.mimics, given.visits)
        for name in simulate_images(folder, sizes, given.seed):
            print(name, flush=True)
        print(f"Simulated images: {bids_folder(folder).name}")

    finish(command)


if __name__ == "__main__":
    main()
