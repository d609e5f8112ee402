"""People whose simulated images went through the real segmentation, and their truth.

Each is there three times: as measured, as measured and moved to the level of the norms by the
cohort's own controls, and with the true values. Only the intracranial volume is not of the images,
which show no whole head: the simulator's comes in as a clinic would enter one from another tool,
with its error of measurement and the standard deviation that is stated for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.cohort.tables import read_cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms
from BrainstemALSLib.norms.model import LOG, Model
from BrainstemALSLib.prediction.records import (
    INTRACRANIAL,
    Key,
    Measure,
    PersonRecord,
    VisitRecord,
    records_of,
)

from ..cohort.config import load_config
from ..cohort.imaging_files import DESCRIPTION, bids_folder, truth_folder
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate

if TYPE_CHECKING:
    import pandas as pd

SAME = 1e-4
"""Relative difference from which on two true values are not the same: they are written with six
digits."""
FEWEST = 5
"""Controls that a level needs; our own choice."""
HOW = (
    "Run python -m training.cohort.imaging, then brainstem-als cohort on its bids folder into its "
    "results folder (as for docs/results/imaging_cohort.md)."
)
Head = Mapping[tuple[str, str], Measure]
"""Intracranial volume of a participant's session."""


@dataclass(frozen=True, eq=False)
class ChainPerson:
    """One person, three times; the visits are the same, their measures are not.

    Attributes
    ----------
    measured : PersonRecord
        As the segmentation gives it, with the simulated intracranial volume.
    calibrated : PersonRecord
        Moved to the level of the norms by the controls of the cohort, this one left out.
    true : PersonRecord
        Values without scanner and error, of what was measured; what was not stays missing.
    """

    measured: PersonRecord
    calibrated: PersonRecord
    true: PersonRecord

    @property
    def group(self) -> str:
        """``ALS``, ``HC`` or ``MIMIC``."""
        return self.measured.group or ""


@dataclass(frozen=True, eq=False)
class Chain:
    """Everybody with images, in the order of the table.

    Attributes
    ----------
    people : tuple of ChainPerson
    seed : int
        Of the simulation.
    """

    people: tuple[ChainPerson, ...]
    seed: int


def read_chain(folder: Path, norms: Norms) -> Chain:
    """Read the imaging cohort.

    Parameters
    ----------
    folder : Path
        With ``bids``, ``truth`` and ``results``.
    norms : Norms
        Whose level measures are moved to.

    Raises
    ------
    BrainstemALSError
        USAGE: it is not there, not segmented yet, or of another version of the simulator.
    """
    results, description = folder / "results", bids_folder(folder) / DESCRIPTION
    written = truth_folder(folder) / "values.tsv"
    for path in (description, written, results / "measures.tsv"):
        if not path.is_file():
            raise BrainstemALSError(
                folder, "the imaging cohort is not there or not segmented", HOW, ExitCode.USAGE
            )
    content = json.loads(description.read_bytes())
    seed, sizes = int(content["Seed"]), content["Sizes"]
    count = [int(sizes[name]) for name in ("controls", "patients", "mimics")]
    cohort, truth = simulate(load_config(), *count, seed)
    if not _same(written, truth.values):
        raise BrainstemALSError(
            folder, "another version of the simulator made it, so its head sizes are not known",
            f"Remove it. {HOW}", ExitCode.USAGE,
        )  # fmt: skip
    # Every quantity has random numbers of its own: the same people, measured without error.
    exact, _ = simulate(
        load_config(), *count, seed, Scenario(measurement_error=0.0, site_effect=0.0)
    )
    measured = [
        with_head(person, heads_of(cohort.measures))
        for person in records_of(read_cohort(results))
        if any(visit.has_images for visit in person.visits)
    ]
    there = {person.participant: person for person in records_of(exact)}
    return Chain(
        tuple(
            ChainPerson(person, moved, with_truth(person, there[person.participant]))
            for person, moved in zip(measured, calibrated(measured, norms), strict=True)
        ),
        seed,
    )


def _same(path: Path, values: pd.DataFrame) -> bool:
    import pandas as pd

    key = ["participant_id", "session_id", "structure", "measure"]
    both = pd.read_csv(path, sep="\t").merge(values, on=key, suffixes=("", "_again"))
    close = np.isclose(both.value, both.value_again, rtol=SAME, atol=0.0)
    return len(both) == len(values) and bool(close.all())


def heads_of(measures: pd.DataFrame) -> Head:
    """Return the intracranial volumes of a table of measures."""
    rows = measures[(measures.structure == INTRACRANIAL[0]) & (measures.measure == INTRACRANIAL[1])]
    columns = ("participant_id", "session_id", "value", "uncertainty")
    return {
        (person, session): Measure(float(value), float(sd))
        for person, session, value, sd in zip(*(rows[c].tolist() for c in columns), strict=True)
    }


def with_head(person: PersonRecord, heads: Head) -> PersonRecord:
    """Return a person with an entered intracranial volume where there are images.

    The outcome is left out, and the site: the norms know sites of the same names, but others.
    """

    def entered(visit: VisitRecord) -> VisitRecord:
        head = heads.get((person.participant, visit.session))
        if head is None or not visit.has_images:
            return visit
        return replace(visit, measures={**visit.measures, INTRACRANIAL: head})

    known = person.until(len(person.visits))
    return replace(known, site=None, visits=tuple(map(entered, person.visits)))


def without_head(person: PersonRecord) -> PersonRecord:
    """Return a person without intracranial volume: the images alone."""
    visits = tuple(
        replace(v, measures={k: m for k, m in v.measures.items() if k != INTRACRANIAL})
        for v in person.visits
    )
    return replace(person, visits=visits)


def with_truth(person: PersonRecord, exact: PersonRecord) -> PersonRecord:
    """Return a person with the true values of what was measured."""
    there = {visit.session: visit.measures for visit in exact.visits}

    def true(visit: VisitRecord) -> VisitRecord:
        values = there.get(visit.session, {})
        kept = {k: Measure(values[k].value, values[k].sd) for k in visit.measures if k in values}
        return replace(visit, measures=kept)

    return replace(person, visits=tuple(map(true, person.visits)))


def calibrated(people: Sequence[PersonRecord], norms: Norms) -> list[PersonRecord]:
    """Return people with their measures moved to the level of the norms.

    What a clinic with controls of its own would do: by the mean distance of the cohort's controls
    from what the norms expect, each measure for itself, on the scale that its norm is on. A control
    is moved by the others. The standard error of the level goes into the uncertainty.
    """
    apart = {
        person.participant: distances(person, norms) for person in people if person.group == "HC"
    }
    return [
        moved(person, levels([v for who, v in apart.items() if who != person.participant]), norms)
        for person in people
    ]


def distances(person: PersonRecord, norms: Norms) -> dict[Key, float]:
    """Return how far a person's measures are from what is expected, the mean over the visits.

    In units of ``Model.scale``; without a score there is no distance.
    """
    found: dict[Key, list[float]] = {}
    for visit in person.visits:
        head = visit.measures.get(INTRACRANIAL)
        for key, measure in visit.measures.items():
            model = norms.model(*key)
            if model is None or person.age is None or (model.uses_icv and head is None):
                continue
            age = np.array([person.age + (visit.months or 0.0) / 12.0])
            icv = np.array([np.nan if head is None else head.value])
            expected, _ = model.predict(
                age, np.array([person.sex == "M"]), icv, np.array([""], object)
            )
            if _possible(model, measure):
                apart = model.standardised(np.array([measure.value])) - expected
                found.setdefault(key, []).append(float(apart[0]))
    return {key: float(np.mean(values)) for key, values in found.items()}


def levels(controls: Sequence[Mapping[Key, float]]) -> dict[Key, tuple[float, float]]:
    """Return the mean distance of each measure and its standard error."""
    found: dict[Key, tuple[float, float]] = {}
    for key in dict.fromkeys(key for one in controls for key in one):
        values = np.array([one[key] for one in controls if key in one])
        if len(values) >= FEWEST:
            error = float(values.std(ddof=1) / np.sqrt(len(values)))
            found[key] = float(values.mean()), error
    return found


def moved(
    person: PersonRecord, level: Mapping[Key, tuple[float, float]], norms: Norms
) -> PersonRecord:
    """Return a person with the levels taken out; what has none is left out."""

    def visit_of(visit: VisitRecord) -> VisitRecord:
        kept = {}
        for key, measure in visit.measures.items():
            model = norms.model(*key)
            if key == INTRACRANIAL:
                kept[key] = measure
            elif model is not None and key in level and _possible(model, measure):
                kept[key] = _moved(measure, *level[key], model)
        return replace(visit, measures=kept)

    return replace(person, visits=tuple(map(visit_of, person.visits)))


def _moved(measure: Measure, level: float, error: float, model: Model) -> Measure:
    value = float(model.original(model.standardised(np.array([measure.value])) - level)[0])
    per_unit = model.scale * (value if model.transform == LOG else 1.0)
    sd = 0.0 if measure.sd is None else measure.sd
    if model.transform == LOG:
        sd *= value / measure.value
    return Measure(value, float(np.hypot(sd, per_unit * error)), measure.quality)


def _possible(model: Model, measure: Measure) -> bool:
    return measure.quality != "bad" and (model.transform != LOG or measure.value > 0.0)
