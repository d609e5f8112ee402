"""Diffusion onto the T1: where the maps belong, and how sure that is."""

from .result import Registration, RegistrationOptions
from .to_t1 import register

__all__ = ["Registration", "RegistrationOptions", "register"]
