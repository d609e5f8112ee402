"""Runs leaspy in an environment of its own; ``prediction_progression_leaspy`` calls it.

    DIR/bin/python -I prediction_progression_leaspy_run.py QUESTION ANSWER

Reads and writes JSON and imports nothing of this project, which that environment has not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

NO_LEASPY = 32
"""Exit code where a package is missing; the library's for that."""


def answered(question: dict) -> dict:
    """Fit leaspy's logistic course and ask it for others' values.

    Parameters
    ----------
    question : dict
        As ``prediction_progression_leaspy.question`` writes it.

    Returns
    -------
    dict
        ``versions`` by package; ``answers``, for each group that was asked for the values of each
        person at the times named.
    """
    import leaspy
    import numpy
    import pandas
    import torch
    from leaspy.io.data import Data
    from leaspy.models import LogisticModel

    def data(rows: list[list]) -> Data:
        table = pandas.DataFrame(rows, columns=["ID", "TIME", question["outcome"]])
        return Data.from_dataframe(table.set_index(["ID", "TIME"]))

    torch.set_num_threads(1)
    model = LogisticModel(name=question["outcome"], dimension=1, source_dimension=0)
    model.fit(data(question["learn"]), "mcmc_saem", n_iter=question["iterations"],
              seed=question["seed"], progress_bar=False)  # fmt: skip
    answers = []
    for group in question["ask"]:
        own = model.personalize(
            data(group["seen"]), "scipy_minimize", seed=question["seed"], progress_bar=False
        )
        found = model.estimate(group["at"], own)
        answers.append({person: numpy.ravel(values).tolist() for person, values in found.items()})
    versions = {"leaspy": leaspy.__version__, "torch": torch.__version__,
                "numpy": numpy.__version__, "pandas": pandas.__version__}  # fmt: skip
    return {"versions": versions, "answers": answers}


def main(arguments: list[str]) -> int:
    """Run the command."""
    question, answer = map(Path, arguments)
    try:
        found = answered(json.loads(question.read_text(encoding="utf-8")))
    except ModuleNotFoundError as missing:
        print(f"{missing.name} is not installed", file=sys.stderr)
        return NO_LEASPY
    answer.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
