"""A simulated patient with a known truth, for demonstrations and tests. Never a real person."""

from .patient import SyntheticPatient, synthetic_patient

__all__ = ["SyntheticPatient", "synthetic_patient"]
