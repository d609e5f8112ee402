"""What registration has to tell the reader."""

from __future__ import annotations

from ..finding import Finding

_T1_ONLY = "Only the T1 is used."


def failed(quality: float) -> Finding:
    """No place was found where the maps fit the T1."""
    return Finding(
        "registration_failed",
        "warning",
        "The diffusion images could not be laid on the T1 "
        f"(quality {quality:.2f} of 1). {_T1_ONLY}",
        "Check that both are of one patient and one session, and that the orientation in their "
        "headers is right; or register them first and give the FA and MD maps.",
    )


def misses_brainstem(share: float) -> Finding:
    """The slab ends above or below the brainstem."""
    return Finding(
        "diffusion_misses_brainstem",
        "warning",
        f"The diffusion images cover only {100 * share:.0f} % of the brainstem. {_T1_ONLY}",
        "Give a diffusion series that reaches from the midbrain to below the medulla.",
    )


def cuts_brainstem(share: float) -> Finding:
    """A part of the brainstem is outside."""
    return Finding(
        "diffusion_cuts_brainstem",
        "warning",
        f"The diffusion images cover {100 * share:.0f} % of the brainstem.",
        "Do not use diffusion values of structures at the edge of the diffusion images.",
    )


def uncertain(quality: float) -> Finding:
    """The fit is neither good nor clearly wrong."""
    return Finding(
        "registration_uncertain",
        "warning",
        f"The diffusion images fit the T1 only moderately (quality {quality:.2f} of 1).",
        "Look at the picture of the registration before using diffusion values.",
    )


def far(millimetres: float, degrees: float) -> Finding:
    """The headers had the maps in another place than the T1."""
    return Finding(
        "registration_far",
        "warning",
        f"The diffusion images were moved by {millimetres:.0f} mm and {degrees:.0f} degrees to lie "
        "on the T1: their headers put them elsewhere.",
        "Check that both are of one patient and one session; look at the picture of the "
        "registration.",
    )


def straightened_before() -> Finding:
    """Somebody has corrected the distortion."""
    return Finding(
        "distortion_corrected_before",
        "info",
        "The distortion of the diffusion series was corrected before it came here, so it was not "
        "straightened again.",
        "None needed.",
    )


def no_phase_encoding() -> Finding:
    """Unwarping was asked for, but along which axis is not known."""
    return Finding(
        "phase_encoding_unknown",
        "info",
        "The phase-encoding axis of the diffusion series is not known, so its distortion was not "
        "straightened.",
        "On the command line, name it with --phase-encoding; better, correct the series with FSL "
        "topup.",
    )


def unwarping_rejected() -> Finding:
    """Unwarping made nothing better."""
    return Finding(
        "distortion_not_straightened",
        "info",
        "Straightening the distortion of the diffusion images did not improve their fit, so it "
        "was left out.",
        "None needed; look at the picture of the registration.",
    )


def several_grids() -> Finding:
    """The maps lie on different grids, which distort differently."""
    return Finding(
        "distortion_not_straightened",
        "info",
        "The diffusion maps lie on different grids, so their distortion was not straightened.",
        "Give the diffusion series instead, or maps on the grid they were measured on.",
    )
