"""What is measured on a segmentation: volumes, asymmetry, intracranial volume, quality findings."""

from .measure import Measures, measure

__all__ = ["Measures", "measure"]
