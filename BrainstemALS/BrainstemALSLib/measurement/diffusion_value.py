"""One diffusion metric of one structure."""

from __future__ import annotations

from dataclasses import dataclass

METRICS = {"fa": "", "md": "1e-3 mm2/s", "ad": "1e-3 mm2/s", "rd": "1e-3 mm2/s"}
"""Metric to unit; FA has none."""


@dataclass(frozen=True)
class DiffusionValue:
    """One metric of one structure, composite or tier C nucleus.

    Attributes
    ----------
    key, name : str
    kind : str
        ``structure``, ``composite``, or ``sampled``: a nucleus that is not outlined, whose value is
        that of the voxels where it is expected.
    side : str
        ``left``, ``right``, ``midline`` or ``both``.
    metric : str
        ``fa`` (0-1), ``md``, ``ad`` or ``rd`` (1e-3 mm2/s).
    value : float or None
        Weighted mean; None with the reason in ``remark``.
    sd : float or None
        Weighted standard deviation over the voxels.
    n_effective : float
        ``(sum w)^2 / sum w^2``: how many voxels of equal weight would be as good. Voxels of the map
        as it was given: of a map that was interpolated to finer voxels it is too large.
    standard_error : float or None
        ``sd / sqrt(n_effective)``. It holds noise and the variation of tissue, and takes voxels for
        independent. It holds neither errors of the registration nor of the outline.
    outline_error : float or None
        How far the mean would move with the outline and with less of the neighbours in its voxels,
        see ``weighting.outline_error``; for a sampled nucleus, half the range of the values when
        its place moves by the residual of the fit along each axis.
    uncertainty : float or None
        ``sqrt(standard_error^2 + outline_error^2)``, what is shown as ±: both causes, taken for
        independent. Errors of the registration and of the tensor fit come on top.
    weight_mm3 : float
        Sum of the weights times the voxel volume.
    fluid_share : float or None
        Weighted mean of the part of fluid in the voxels used, 0-1.
    fit_residual_mm : float or None
        Of a sampled nucleus: how far centroids of drawn structures lie from where the fit puts
        them, root mean square.
    remark : str
        Why there is no value, or what limits it; empty otherwise.
    """

    key: str
    name: str
    kind: str
    side: str
    metric: str
    value: float | None
    sd: float | None = None
    n_effective: float = 0.0
    standard_error: float | None = None
    outline_error: float | None = None
    uncertainty: float | None = None
    weight_mm3: float = 0.0
    fluid_share: float | None = None
    fit_residual_mm: float | None = None
    remark: str = ""
