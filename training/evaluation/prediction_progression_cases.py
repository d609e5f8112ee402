"""Held-out patients with something taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord


def without_imaging(people: Sequence[PersonRecord]) -> list[PersonRecord]:
    """Return people whose images were never taken."""
    return _each_visit(people, measures={})


def without_fvc(people: Sequence[PersonRecord]) -> list[PersonRecord]:
    """Return people whose FVC was never measured."""
    return _each_visit(people, fvc=None)


def without_site(people: Sequence[PersonRecord]) -> list[PersonRecord]:
    """Return people of a site that norms have not seen."""
    return [replace(p, site="a site never seen") for p in people]


def without_onset(people: Sequence[PersonRecord]) -> list[PersonRecord]:
    """Return people whose time of onset nobody knows."""
    return [replace(p, months_since_onset=None, onset_age=None) for p in people]


def without_items(people: Sequence[PersonRecord], seed: int) -> list[PersonRecord]:
    """Return people with two items of each form missing."""
    rng = np.random.default_rng(seed)

    def spare(visit: VisitRecord) -> VisitRecord:
        if visit.ratings is None:
            return visit
        gone = set(rng.choice(len(visit.ratings), 2, replace=False).tolist())
        ratings = tuple(-1 if k in gone else r for k, r in enumerate(visit.ratings))
        return replace(visit, ratings=ratings, total=None)

    return [replace(p, visits=tuple(map(spare, p.visits))) for p in people]


def _each_visit(people: Sequence[PersonRecord], **change) -> list[PersonRecord]:
    return [replace(p, visits=tuple(replace(v, **change) for v in p.visits)) for p in people]
