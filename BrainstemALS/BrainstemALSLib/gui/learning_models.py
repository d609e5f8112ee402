"""What section *Learning* asks the disk: cases, models, judgements. No Qt here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ..annotation.store import CaseStore
from ..errors import BrainstemALSError, ExitCode
from ..segmentation.models import LOCATOR, STRUCTURES, find_model
from ..segmentation.registry import BUNDLED, ModelRegistry, Version, read_lineage

PROMOTE = "promote"  # outcome of the gate that lets a candidate through
_REASONS = 4


@dataclass(frozen=True)
class Standing:
    """How things stand.

    Attributes
    ----------
    approved : frozenset of str
        Exam keys of the store.
    model : str
        Sentence on the model in use.
    models : mapping
        Role to name, version and checksum of the models in use.
    version : str
        Id of the version in use, or ``bundled``.
    can_go_back : bool
        Another model was in use before.
    problem : str
        Why corrections cannot be learned from here; empty where they can.
    """

    approved: frozenset[str]
    model: str
    models: Mapping[str, Mapping[str, str]]
    version: str
    can_go_back: bool
    problem: str = ""


def look(store: str, own_model: str) -> Standing:
    """Look at the store and at the models; takes a moment on a slow disk.

    Parameters
    ----------
    store : str
        Folder of the annotation store; empty where none is chosen.
    own_model : str
        Folder of a model that was installed in place of all others; empty for none.
    """
    approved, problem = frozenset(), ""
    if store and Path(store).is_dir():
        try:
            cases = CaseStore(store, read_only=True).cases()
            approved = frozenset(record.exam_key for record in cases)
        except BrainstemALSError as refusal:
            problem = str(refusal)
    registry = ModelRegistry()
    used = registry.in_use()
    if own_model:
        problem = _("A model from a folder is in use: take it out under Install to learn.")
    folder = Path(own_model) if own_model else used.folder
    found = {role: find_model(role, folder) for role in (STRUCTURES, LOCATOR)}
    card = found[STRUCTURES].card
    stored = not own_model and used.version != BUNDLED
    text = _("Model in use: {version}, learned from {source}.").format(
        version=f"{card['version']}, {used.version}" if stored else card["version"],
        source=card.get("learned_from", "simulation"),
    )
    text = " ".join([text, *(finding.message for finding in used.findings)])
    can_go_back = not own_model and (used.version != BUNDLED or bool(registry.history()))
    models = {role: model.identity for role, model in found.items()}
    return Standing(approved, text, models, used.version, can_go_back, problem)


def verdict(answer: Mapping[str, Any]) -> str:
    """Return what the worker's ``improve`` found as rich text."""
    if "outcome" not in answer:
        text = _("Not judged, so it cannot be used. {why}").format(why=answer["not_judged"])
        return escape(text)
    report = Path(answer["report"]).as_uri()
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in answer["reasons"][:_REASONS])
    return (
        f"<b>{escape(answer['headline'])}.</b><ul>{reasons}</ul>"
        f'<a href="{escape(report)}">{escape(_("Report"))}</a>'
    )


def use_candidate(run: Path) -> Version:
    """Put the candidate of a run into use that the gate let through.

    Parameters
    ----------
    run : Path
        Folder of the run, with ``candidate`` and ``gate``.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: it was not let through, or is not what was judged any more. What the
        registry refuses.
    """
    candidate, gate = run / "candidate", run / "gate"
    try:
        record = json.loads((gate / "gate.json").read_bytes())
        judged = record["about"]["candidate"]["sha256"]
        fits = record["outcome"] == PROMOTE
        lineage = read_lineage(candidate)
        extras = {
            f"report.{kind}": (gate / f"gate.{kind}").read_bytes() for kind in ("html", "tsv")
        }
        against = str(record["about"]["current_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _not_usable() from error
    if not fits or find_model(STRUCTURES, candidate).identity["sha256"] != judged:
        raise _not_usable()
    return ModelRegistry().promote(
        candidate, lineage, record, extras, judged_against=against, judged={"sha256": judged}
    )


def _not_usable() -> BrainstemALSError:
    return BrainstemALSError(
        "candidate model",
        "it is not the one that was judged, or was not found good enough",
        "Improve the model again.",
        ExitCode.MODEL_UNAVAILABLE,
    )
