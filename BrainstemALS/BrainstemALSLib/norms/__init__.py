"""What healthy people measure, by age, sex, head size and scanner; scanners made comparable."""

from .combat import Combat, fit_combat
from .exam import ExamScores, score_exam
from .files import bundled_norms, read_norms, write_norms
from .score import Norms, NormScore
from .training import fit_norms

__all__ = [
    "Combat",
    "ExamScores",
    "NormScore",
    "Norms",
    "bundled_norms",
    "fit_combat",
    "fit_norms",
    "read_norms",
    "score_exam",
    "write_norms",
]
