"""Simulated people for tests of predictions, and as the files that the command line reads."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from BrainstemALSLib.cohort.exam_measures import NORMAL_QUARTILE, OUTLINE_SHARE
from BrainstemALSLib.prediction.records import INTRACRANIAL, PersonRecord, VisitRecord, records_of
from BrainstemALSLib.report.naming import derivative_name
from training.cohort.config import load_config
from training.cohort.errors import measured_errors
from training.cohort.simulate import simulate

SEED = 881_001


@cache
def people() -> tuple[PersonRecord, ...]:
    """Return simulated people without a site, as a clinic's are."""
    cohort, _ = simulate(load_config(), 6, 20, 3, SEED, errors=measured_errors())
    return tuple(replace(person, site=None) for person in records_of(cohort))


def patient(visits: int = 2) -> PersonRecord:
    """Return a patient with images at each of so many visits, for whom all parts answer."""
    for person in people():
        first = person.visits[:visits]
        whole = all(v.has_images and v.fvc and v.total is not None for v in first)
        known = None not in (person.diagnostic_delay, person.onset, person.months_since_onset)
        if person.group == "ALS" and len(first) == visits and whole and known and person.age < 75:
            return person.until(visits)
    raise AssertionError("no such patient")


def person_content(person: PersonRecord, folder: Path) -> dict:
    """Return a person as JSON values; the exams are written into the folder."""
    names = ("age", "sex", "onset", "onset_age", "months_since_onset", "diagnostic_delay", "group")
    flags = ("ftd", "c9orf72", "riluzole", "definite_ee")
    visits = []
    for visit in person.visits:
        exam = None
        if visit.has_images:
            exam = visit.session
            write_exam(visit, folder / exam)
        ratings = visit.ratings
        visits.append(
            {
                "session": visit.session,
                "months": visit.months,
                "alsfrs": None if ratings is None else [r if r >= 0 else None for r in ratings],
                "gastrostomy": visit.gastrostomy,
                "fvc": visit.fvc,
                "niv": visit.niv,
                "exam": exam,
            }
        )
    content = {name: getattr(person, name) for name in (*names, *flags)}
    return {**content, "simulated": person.simulated, "visits": visits}


def write_person(person: PersonRecord, folder: Path) -> Path:
    """Write a person's file and exams; returns the file."""
    path = folder / "person.json"
    path.write_text(json.dumps(person_content(person, folder)))
    return path


def write_exam(visit: VisitRecord, folder: Path) -> None:
    """Write the tables of an exam that ``exam_rows`` reads."""
    folder.mkdir(parents=True)
    found: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("volumes", "asymmetry", "diffusion", "diffusionasymmetry")
    }
    icv = None
    for (structure, measure), value in visit.measures.items():
        sd = value.sd if value.sd is not None else "n/a"
        if (structure, measure) == INTRACRANIAL:
            icv = value.value
        elif measure == "volume":
            half = "n/a" if sd == "n/a" else sd * NORMAL_QUARTILE / OUTLINE_SHARE
            row = {"key": structure, "volume_soft_mm3": value.value, "half_range_mm3": half}
            found["volumes"].append(row)
        elif measure == "volume_asymmetry":
            found["asymmetry"].append({"key": structure, "index_percent": value.value})
        elif measure.endswith("_asymmetry"):
            metric = measure.removesuffix("_asymmetry")
            found["diffusionasymmetry"].append(
                {"key": structure, "metric": metric, "index_percent": value.value,
                 "uncertainty_percent": sd}
            )  # fmt: skip
        else:
            found["diffusion"].append(
                {"key": structure, "metric": measure, "value": value.value, "uncertainty": sd}
            )
    for name, rows in found.items():
        path = folder / derivative_name("sub-x", name, ".tsv")
        columns = list(rows[0]) if rows else ["key"]
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, columns, delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
    quality = {"findings": [], "intracranial_volume_mm3_estimate": icv}
    (folder / derivative_name("sub-x", "qc", ".json")).write_text(json.dumps(quality))
