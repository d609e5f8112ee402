"""Dataclasses, arrays and mappings as JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np


def json_values(value: Any, digits: int, unknown: bool = False) -> Any:
    """Return what ``json`` can write.

    Parameters
    ----------
    value : object
    digits : int
        Significant ones that are kept of a number.
    unknown : bool
        Whether a number that is not finite becomes None; else it stays, for ``json`` to refuse.

    Examples
    --------
    >>> json_values({1: np.array([0.123456, np.nan])}, 3, unknown=True)
    {'1': [0.123, None]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return json_values(asdict(value), digits, unknown)
    if isinstance(value, Mapping):
        return {str(name): json_values(part, digits, unknown) for name, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return json_values(value.tolist(), digits, unknown)
    if isinstance(value, list | tuple):
        return [json_values(part, digits, unknown) for part in value]
    if not isinstance(value, float):
        return value
    return None if unknown and not math.isfinite(value) else float(f"{value:.{digits}g}")
