"""Diffusion onto the T1: where the maps belong, and how sure that is."""

from .result import Alignment, Registration, RegistrationOptions
from .to_t1 import register

__all__ = ["Alignment", "Registration", "RegistrationOptions", "register"]
