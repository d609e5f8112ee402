"""Diffusion onto the T1: where the maps belong, and how sure that is."""

from .result import Alignment, Registration, RegistrationOptions, checked_axis
from .to_t1 import register

__all__ = ["Alignment", "Registration", "RegistrationOptions", "checked_axis", "register"]
