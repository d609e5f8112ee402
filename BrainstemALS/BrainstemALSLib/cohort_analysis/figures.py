"""Draws every figure of a group report and writes it beside the tables."""

from __future__ import annotations

from pathlib import Path

from ..durability import write_whole
from ..errors import BrainstemALSError
from .effect_map import draw_effect_map, map_limit, write_effect_volumes
from .figure_style import NAMES
from .forest import draw_forest, draw_levels
from .results import GroupResults
from .spread_section import draw_spread
from .trajectories import draw_trajectories
from .violins import choose_keys, draw_violins

ASYMMETRIES = tuple(f"{measure}_asymmetry" for measure in NAMES)


def draw_figures(results: GroupResults, folder: Path) -> list[Path]:
    """Draw what can be drawn into ``results.figures`` and as PNG; maps as NIfTI too.

    Pictures and maps of an earlier run that this one does not have are deleted.
    """
    main, alpha, source = results.main(), results.options.alpha, results.source
    keys = choose_keys(results.design, results.comparisons)
    drawn = {
        "forest": draw_forest(main, tuple(NAMES), alpha, source, "ALS against controls"),
        "asymmetry": draw_forest(
            main, ASYMMETRIES, alpha, source, "Left/right asymmetry, ALS against controls"
        ),
        "levels": draw_levels(results.comparisons, alpha, source),
        "violins": draw_violins(results.design, keys, results.options, source),
    }
    if results.options.mixed:
        drawn["trajectories"] = draw_trajectories(results.design, keys, results.options, source)
    if results.spread is not None:
        drawn["spread"] = draw_spread(results.spread, source)
    written: list[Path] = []
    try:
        for measure in NAMES:
            drawn[f"map_{measure}"] = draw_effect_map(main, measure, map_limit(main), alpha, source)
        written = write_effect_volumes(main, folder)
    except BrainstemALSError as refusal:
        results.notes.add("effect map", refusal.problem)
    results.figures = {name: content for name, content in drawn.items() if content}
    for name, content in results.figures.items():
        path = folder / f"group_{name}.png"
        write_whole(path, content)
        written.append(path)
    for old in {*folder.glob("group_*.png"), *folder.glob("effect_*.nii.gz")} - set(written):
        old.unlink()
    return written
