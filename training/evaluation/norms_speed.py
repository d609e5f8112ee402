"""How fast the norms that come along score one exam."""

from __future__ import annotations

import time

from BrainstemALSLib.norms import bundled_norms, score_exam

LIMIT_MS = 20.0
_TURNS = 40


def exam_ms() -> tuple[float, int]:
    """Return the median processor time of an exam with all measures, ms, and their number.

    Processor time, because other processes of a machine are not the norms' doing.
    """
    norms = bundled_norms()
    rows = [
        {
            "structure": model.structure,
            "measure": model.measure,
            "value": float(model.original(0.5)),
            "unit": model.unit,
            "uncertainty": 0.1 * model.scale,
            "quality": "good",
        }
        for model in norms.models
    ]
    taken = []
    for turn in range(_TURNS):
        start = time.process_time()
        score_exam(norms, rows, 55.0 + turn / 10.0, "F", 1.45e6)
        taken.append(1000.0 * (time.process_time() - start))
    return sorted(taken)[_TURNS // 2], len(rows)
