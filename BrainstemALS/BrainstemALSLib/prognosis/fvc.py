"""Forced vital capacity, % predicted, as the spirometer reports it.

Litres are not turned into % predicted here: the GLI-2012 equations (Quanjer et al. 2012,
doi:10.1183/09031936.00080312) rest on spline tables by age that we couldn't check, and centres
differ in the reference they use. Enter the % predicted of the report, and keep one reference a
patient.
"""

from __future__ import annotations

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from . import slope

LOWEST, HIGHEST = 5.0, 180.0
"""What can be a forced vital capacity, % predicted: our choice, wide; a value of 2 to 5 is most
often litres."""


def checked(percent) -> np.ndarray:
    """Return % predicted as an array, NaN (or None) where absent.

    Raises
    ------
    BrainstemALSError
        A value outside ``LOWEST`` to ``HIGHEST``.
    """
    values = np.asarray(percent, dtype=float)
    wrong = (values < LOWEST) | (values > HIGHEST)
    if wrong.any():
        raise BrainstemALSError(
            "forced vital capacity",
            f"{values[wrong].flat[0]:g} is outside {LOWEST:g}-{HIGHEST:g} % predicted",
            "Enter % predicted, not litres.",
            ExitCode.USAGE,
        )
    return values


def decline(months, percent, *, subject: str = "visits") -> float | None:
    """Return the percentage points lost each month; None with fewer than two values.

    Parameters
    ----------
    months : array_like of shape (n,)
        Times of the visits.
    percent : array_like of shape (n,)
        % predicted, NaN where absent.
    subject : str
        Whose visits, for the refusal.

    Examples
    --------
    >>> decline([0, 10], [90, 70])
    2.0
    """
    return slope.slope(months, checked(percent), subject=subject)
