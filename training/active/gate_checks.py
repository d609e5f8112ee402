"""What no candidate may do, whatever its scores: each check ends in a sentence or in nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from BrainstemALSLib.anatomy import CONTEXT, by_key, load_structures

from .gate_rules import Flagged, Rules, names_of
from .gate_scores import Overlap, dice_table
from .gate_statistics import mean_of, paired_differences

VANISHED_SHARE = 0.1
"""A structure drawn at less than this part of its volume counts as forgotten; own choice."""
SWAP_DICE = 0.1
"""Overlap with another structure from which on it may count as mistaken for it; own choice."""
MOST = 0.5
"""Part of the cases in which something must be so to be the model's fault; own choice."""


def check_outputs(current: Sequence[str], candidate: Sequence[str]) -> str:
    """Whether the candidate has an output for each structure that the model in use has."""
    missing = [key for key in current if key not in candidate]
    more = [key for key in candidate if key not in current]
    if missing:
        return f"The candidate has no output for {names_of(missing)}."
    if more:
        return f"The candidate has outputs that the model in use lacks: {names_of(more)}."
    if len(set(candidate)) != len(candidate):
        return "The candidate has two outputs of one name."
    return ""


def check_answers(
    names: Sequence[str], current: Sequence[Overlap], candidate: Sequence[Overlap]
) -> str:
    """Whether the candidate answers wherever the model in use does."""
    failed = [
        (name, new.problem)
        for name, old, new in zip(names, current, candidate, strict=True)
        if new.problem and not old.problem
    ]
    if not failed:
        return ""
    name, problem = failed[0]
    return (
        f"In {len(failed)} of {len(names)} exams the candidate fails where the model in use works; "
        f"in {name} it {problem}."
    )


def check_orientation(candidate: Sequence[Overlap]) -> str:
    """Whether left lies left, the midbrain above the medulla and the pons before the ventricle."""
    wrong = {
        "left and right": _violated(candidate, _sides(), 0),
        "top and bottom": _violated(candidate, _heights(), 2),
        "front and back": _violated(candidate, _depths(), 1),
    }
    found = [axis for axis, share in wrong.items() if share > MOST]
    if not found:
        return ""
    return f"The candidate has a wrong orientation: {' and '.join(found)} are exchanged."


def check_swaps(current: Sequence[Overlap], candidate: Sequence[Overlap]) -> str:
    """Whether a structure is drawn where another one lies, and the model in use knows better."""
    keys = [structure.key for structure in load_structures()]
    votes = np.zeros((len(keys), len(keys)))
    for old, new in zip(current, candidate, strict=True):
        was, now = old.pairs, new.pairs
        own_was, own_now = np.diagonal(was)[:, None], np.diagonal(now)[:, None]
        votes += (now > own_now) & (now >= SWAP_DICE) & (own_was >= was)
    found = np.argwhere(votes > MOST * len(candidate))
    if not len(found):
        return ""
    told = [f"{names_of([keys[a]])} is drawn where {names_of([keys[b]])} lies" for a, b in found]
    more = f", and {len(told) - 3} more such" if len(told) > 3 else ""
    return f"The candidate confuses structures: {'; '.join(told[:3])}{more}."


def check_vanished(current: Sequence[Overlap], candidate: Sequence[Overlap]) -> str:
    """Whether a structure that the model in use finds is gone."""
    keys = [structure.key for structure in load_structures()]
    there = np.array([(o.true > 0) & (o.predicted > 0) for o in current])
    gone = np.array([o.predicted < VANISHED_SHARE * o.true for o in candidate]) & there
    found = [
        keys[n] for n in range(len(keys)) if there[:, n].any()
        and gone[:, n].sum() > MOST * there[:, n].sum()
    ]  # fmt: skip
    return f"The candidate no longer draws {names_of(found)}." if found else ""


def check_patients(
    current: Sequence[Overlap], candidate: Sequence[Overlap], keys: Sequence[str], rules: Rules
) -> str:
    """Whether a structure clearly loses in simulated patients, which no bound is drawn from."""
    tables = [dice_table(overlaps) for overlaps in (current, candidate)]
    lost = mean_of(paired_differences(*tables))
    found = {
        structure.key: n
        for n, structure in enumerate(load_structures())
        if structure.key in keys and lost[n] < -rules.patient_loss * rules.margin_of(structure.tier)
    }
    if not found:
        return ""
    worst = min(found, key=lambda key: lost[found[key]])
    return (
        f"In the simulated patients the candidate loses too much of {names_of(tuple(found))}: "
        f"{names_of([worst])} loses {-lost[found[worst]]:.3f} Dice in the mean."
    )


def flagged(overlaps: Sequence[Overlap]) -> Flagged:
    """Count the exams that a model calls unfamiliar, and those of which it can tell."""
    ratios = [one.ratio for one in overlaps if one.ratio is not None]
    return Flagged(sum(ratio > 1 for ratio in ratios), len(ratios))


def _violated(overlaps: Sequence[Overlap], pairs: list[tuple[list, list]], axis: int) -> float:
    """Part of all comparisons that come out the other way round than in the truth."""
    wrong = compared = 0
    for one in overlaps:
        for lower, upper in pairs:
            true = _gap(one.true_centres, one.true, lower, upper, axis)
            found = _gap(one.centres, one.predicted, lower, upper, axis)
            if np.isfinite(true) and np.isfinite(found) and true > 0:
                compared += 1
                wrong += found < 0
    return wrong / compared if compared else 0.0


def _gap(centres: np.ndarray, sizes: np.ndarray, lower: list, upper: list, axis: int) -> float:
    def middle(members: list) -> float:
        weights = sizes[members]
        if not weights.sum():
            return float("nan")
        return float(np.average(np.nan_to_num(centres[members, axis]), weights=weights))

    return middle(upper) - middle(lower)


def _positions(wanted) -> list[int]:
    return [n for n, structure in enumerate(load_structures()) if wanted(structure)]


def _sides() -> list[tuple[list, list]]:
    """Left and right of each pair; in RAS x grows towards the right."""
    number = {structure.key: n for n, structure in enumerate(load_structures())}
    lefts = [s for s in by_key().values() if s.side == "left"]
    return [([number[s.key]], [number[s.mirror_key]]) for s in lefts]


def _heights() -> list[tuple[list, list]]:
    regions = [_positions(lambda s, r=r: s.parent == r) for r in ("medulla", "pons", "midbrain")]
    return [(regions[0], regions[1]), (regions[1], regions[2]), (regions[0], regions[2])]


def _depths() -> list[tuple[list, list]]:
    ventricle = _positions(lambda s: s.parent == CONTEXT and s.key == "fourth_ventricle")
    basis = _positions(lambda s: s.stem == "basis_pontis")
    tegmentum = _positions(lambda s: s.stem == "pontine_tegmentum")
    return [(ventricle, basis), (tegmentum, basis), (ventricle, tegmentum)]
