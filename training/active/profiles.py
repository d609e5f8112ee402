"""Kinds of simulated experts. All figures are our own choices, ordered, not measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """How an expert errs.

    Attributes
    ----------
    name : str
    jitter_mm : float
        Standard deviation, along each axis, of how far a boundary is drawn beside the truth; drawn
        anew for every exam.
    wave_mm : float
        Distance over which that error keeps its direction.
    bias_mm : float
        The same for the part of the error that an expert makes in every exam.
    scale : float
        Standard deviation, over experts, of drawing the whole brainstem too large or too small,
        as a share of its size.
    smooth_mm : float
        Sigma of a Gaussian that rounds outlines.
    small_mm3 : float
        Structures of less than this are small.
    overlook : float
        Chance that a small structure is overlooked: the model's drawing of it is then left as it
        is, and vouched for.
    ignore_mm3 : float
        Errors of the model that hang together in less than this are not corrected.
    pace : float
        Factor on the time, see ``effort.minutes``.
    """

    name: str
    jitter_mm: float
    wave_mm: float
    bias_mm: float
    scale: float
    smooth_mm: float
    small_mm3: float
    overlook: float
    ignore_mm3: float
    pace: float


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("careful", 0.7, 10.0, 0.35, 0.005, 0.6, 200.0, 0.05, 4.0, 1.5),
        Profile("quick", 1.0, 10.0, 0.5, 0.01, 0.8, 400.0, 0.3, 24.0, 0.7),
        Profile("novice", 1.4, 8.0, 0.8, 0.03, 1.0, 400.0, 0.5, 12.0, 2.0),
    )
}
