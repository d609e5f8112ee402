"""Left/right asymmetry of diffusion metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .asymmetry import asymmetry_index
from .diffusion_value import DiffusionValue


@dataclass(frozen=True)
class DiffusionAsymmetry:
    """Asymmetry of one metric of one pair.

    Attributes
    ----------
    key, name : str
        Of the pair, without a side.
    kind : str
        ``structure``, ``composite`` or ``sampled``.
    metric : str
        ``fa``, ``md``, ``ad`` or ``rd``.
    left, right : float or None
        Values of the patient's own left and right; FA 0-1, diffusivities in 1e-3 mm2/s.
    index_percent : float or None
        ``100 (L - R) / ((L + R) / 2)``, positive when the left is larger; None when a side has no
        value.
    uncertainty_percent : float or None
        Uncertainty of the index from those of both sides, taken for independent. Outlines err
        alike on both sides in part, so it is rather too large.
    remark : str
        Why there is no index; empty when there is one.
    """

    key: str
    name: str
    kind: str
    metric: str
    left: float | None
    right: float | None
    index_percent: float | None
    uncertainty_percent: float | None = None
    remark: str = ""


def diffusion_asymmetries(values: tuple[DiffusionValue, ...]) -> tuple[DiffusionAsymmetry, ...]:
    """Compare the two sides of every pair among the values.

    Parameters
    ----------
    values : tuple of DiffusionValue
        As ``diffusion_values`` returns them.

    Returns
    -------
    tuple of DiffusionAsymmetry
        One per stem that has a left or a right and metric, in the order of the values.
    """
    rows = {(row.key, row.metric): row for row in values}
    stems: dict[tuple[str, str], DiffusionValue] = {}
    for row in values:
        if row.side in ("left", "right"):
            stems.setdefault((row.key.removesuffix(f"_{row.side}"), row.metric), row)
    return tuple(
        _pair(stem, either, rows.get((f"{stem}_left", metric)), rows.get((f"{stem}_right", metric)))
        for (stem, metric), either in stems.items()
    )


def _pair(
    stem: str, either: DiffusionValue, left: DiffusionValue | None, right: DiffusionValue | None
) -> DiffusionAsymmetry:
    name = either.name.removesuffix(f", {either.side}")
    both = [row.value if row else None for row in (left, right)]
    fields = (stem, name, either.kind, either.metric, *both)
    if None in both:
        return DiffusionAsymmetry(*fields, None, remark="no value on one side or both")
    uncertainty = None
    if left.uncertainty is not None and right.uncertainty is not None:
        # d index / dL = 400 R / (L + R)^2, and the same for R with L.
        scale = 400.0 / (left.value + right.value) ** 2
        uncertainty = scale * math.hypot(
            right.value * left.uncertainty, left.value * right.uncertainty
        )
    return DiffusionAsymmetry(*fields, asymmetry_index(left.value, right.value), uncertainty)
