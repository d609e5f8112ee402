"""Leaspy as a comparator: its logistic disease course model of the ALSFRS-R (training only).

leaspy 2.1.0 asks for numpy below 2, pandas below 3 and torch below 2.8, which this project has
left. So it has an environment of its own, in a folder that git ignores, and answers from a process
of its own. Question and answer are JSON files ::

    python3.11 -m venv data/leaspy-venv
    data/leaspy-venv/bin/pip install "torch==2.13.0+cpu" "numpy<2" "pandas<3" scikit-learn \
        statsmodels matplotlib joblib lifelines
    data/leaspy-venv/bin/pip install --no-deps leaspy==2.1.0
    python -m training.evaluation.prediction_progression --leaspy data/leaspy-venv

``pip install leaspy==2.1.0`` alone should do as well (not tried); on Linux it brings gigabytes of
CUDA with torch. With torch 2.13 it found a made-up logistic course again.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.prediction.progression import HORIZONS
from BrainstemALSLib.prediction.records import PersonRecord
from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL

from . import prediction_progression_leaspy_run as runner

ITERATIONS = 10000
"""Its own default."""
LEARNED = 1500
"""Patients that it is fitted on: as many as the bundled model."""
_PYTHON = ("bin/python", "Scripts/python.exe")
_REMEDY = "Make its environment as training/evaluation/prediction_progression_leaspy.py says."


@dataclass(frozen=True, eq=False)
class Leaspy:
    """What leaspy forecast.

    Attributes
    ----------
    forecasts : list of numpy.ndarray, shape (n, h)
        ALSFRS-R at the horizons for each group of people; NaN for whom it gave none.
    versions : dict of str to str
        Of leaspy and what it ran on.
    """

    forecasts: list[np.ndarray]
    versions: dict[str, str]


def python_of(folder: Path) -> Path:
    """Return the interpreter of a virtual environment.

    Raises
    ------
    BrainstemALSError
        The folder is none.
    """
    for place in _PYTHON:
        if (folder / place).is_file():
            return folder / place
    raise _refusal(folder, "is no Python environment", ExitCode.MISSING_PACKAGE)


def leaspy_forecasts(
    folder: Path,
    learned: Sequence[PersonRecord],
    people: Sequence[Sequence[PersonRecord]],
    seed: int,
) -> Leaspy:
    """Fit leaspy on some people and forecast others.

    Parameters
    ----------
    folder : Path
        Its virtual environment.
    learned : sequence of PersonRecord
    people : sequence of sequences of PersonRecord
        Groups; each person with the visits that a forecast may read.
    seed : int

    Raises
    ------
    BrainstemALSError
        The folder has no leaspy, or it failed.
    """
    python = python_of(folder)
    with tempfile.TemporaryDirectory() as scratch:
        asked, answer = Path(scratch) / "question.json", Path(scratch) / "answer.json"
        asked.write_text(json.dumps(question(learned, people, seed)), encoding="utf-8")
        # -I: else what lies beside the runner is imported instead of packages of the same name.
        done = subprocess.run(
            [python, "-I", runner.__file__, asked, answer], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env=os.environ | {"MPLBACKEND": "agg"},
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
            missing = done.returncode == runner.NO_LEASPY
            code = ExitCode.MISSING_PACKAGE if missing else ExitCode.UNEXPECTED
            raise _refusal(folder, f"leaspy did not run: {said[-1].rstrip('.')}", code)
        return read_answer(answer, people)


def question(
    learned: Sequence[PersonRecord], people: Sequence[Sequence[PersonRecord]], seed: int
) -> dict:
    """Return what the runner is asked.

    Loss (48 less the total, over 48) against years since onset. Onset is not told as a visit
    without loss, the anchor that our model has: a logistic course is nowhere without loss, and
    forecasts were worse with it.

    Parameters
    ----------
    learned : sequence of PersonRecord
    people : sequence of sequences of PersonRecord
    seed : int

    Returns
    -------
    dict
        ``learn`` and each group's ``seen`` are rows of person, time, loss; ``at`` has the times
        asked for by person, for those who have a total.
    """
    ask = []
    for group in people:
        at = {p.participant: _years(p, p.visits[-1].months + np.array(HORIZONS)) for p in group
              if any(v.total is not None for v in p.visits)}  # fmt: skip
        ask.append({"seen": _rows(group), "at": at})
    return {"outcome": "loss", "iterations": ITERATIONS, "seed": seed, "learn": _rows(learned),
            "ask": ask}  # fmt: skip


def read_answer(path: Path, people: Sequence[Sequence[PersonRecord]]) -> Leaspy:
    """Read what the runner wrote for these groups of people."""
    answer = json.loads(path.read_text(encoding="utf-8"))
    nothing = [np.nan] * len(HORIZONS)
    forecasts = [
        HIGHEST_TOTAL * (1 - np.array([lost.get(p.participant, nothing) for p in group], float))
        for group, lost in zip(people, answer["answers"], strict=True)
    ]
    return Leaspy(forecasts, answer["versions"])


def _refusal(folder: Path, problem: str, code: ExitCode) -> BrainstemALSError:
    return BrainstemALSError(folder, problem, _REMEDY, code)


def _years(person: PersonRecord, months: np.ndarray) -> list[float]:
    return ((person.months_since_onset + months) / 12.0).tolist()


def _rows(people: Sequence[PersonRecord]) -> list[list]:
    rows = []
    for person in people:
        seen = [v for v in person.visits if v.total is not None]
        times = _years(person, np.array([v.months for v in seen]))
        rows += [[person.participant, t, 1 - v.total / HIGHEST_TOTAL]
                 for t, v in zip(times, seen, strict=True)]  # fmt: skip
    return rows
