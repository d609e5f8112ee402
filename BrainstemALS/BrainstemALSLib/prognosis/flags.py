"""Yes, no or unknown of many visits, as the stages read them."""

from __future__ import annotations

import numpy as np

from ..errors import BrainstemALSError, ExitCode


def sure_and_possible(
    values: object, count: int, name: str, *, subject: str = "clinical stage"
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a flag is certainly set, and where it may be.

    Parameters
    ----------
    values : bool or None, or array_like of shape (count,)
        True or False (also 1, 0); None or NaN for unknown. One value holds for all.
    count : int
        Number of visits.
    name, subject : str
        What the flag means and what it is read for, for the refusal.

    Returns
    -------
    sure, possible : ndarray of bool, shape (count,)

    Raises
    ------
    BrainstemALSError
        Another number of values, or one that is neither yes, no nor unknown.
    """
    try:
        flags = np.asarray(values, dtype=float)  # None becomes NaN
    except (TypeError, ValueError):
        flags = np.asarray(2.0)
    if flags.ndim > 1 or (flags.ndim == 1 and flags.shape != (count,)):
        problem = f"{flags.size} values of {name} for {count} visits"
    elif not np.all(np.isnan(flags) | (flags == 0) | (flags == 1)):
        problem = f"{name} is neither yes, no nor unknown"
    else:
        flags = np.broadcast_to(flags, (count,))
        return flags == 1, flags != 0
    raise BrainstemALSError(
        subject, problem, "Give True, False or None for each visit.", ExitCode.USAGE
    )
