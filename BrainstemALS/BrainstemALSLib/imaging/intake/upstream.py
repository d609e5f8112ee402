"""Recognises what was done to a diffusion series before it came here.

What was done is told by what programs leave behind: file names of FSL and BIDS, the command history
of MRtrix, the sidecar files of FSL's eddy. Nothing of their text goes further; only the steps do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# Steps by the words that stand for them, in names and in command lines. From the documentation of
# FSL (eddy, eddy_correct, topup, applytopup), MRtrix3 (dwidenoise, mrdegibbs, dwifslpreproc), DIPY
# and BIDS derivatives (desc-preproc). Eddy currents count as motion, see dwi.CORRECTIONS.
_WORDS = (
    (r"dwidenoise|denoised?|mppca", ("denoising",)),
    (r"mrdegibbs|degibbs|unring(ed)?|gibbs", ("gibbs",)),
    (r"applytopup|topup|unwarped|distcorr", ("distortion",)),
    (r"eddy|eddy_correct(ed)?|moco|motion_?correct(ed)?|mcf", ("motion",)),
    # A preprocessed derivative was interpolated at least: noise and ringing are no longer what
    # their removal assumes. Whether distortion was corrected depends on the pipeline.
    (r"desc-preproc", ("denoising", "gibbs", "motion")),
)
_PATTERNS = tuple(
    (re.compile(rf"(?<![a-z]){words}(?![a-z])".replace(words, f"(?:{words})")), steps)
    for words, steps in _WORDS
)
_PREPROCESS = re.compile(r"(?<![a-z])dwi(?:fsl)?preproc(?![a-z])")
_NO_DISTORTION = re.compile(r"-rpe_none(?![a-z_])")
_LONGEST_LOG = 1 << 16


def steps_in(text: str) -> frozenset[str]:
    """Return the corrections that a file name or a command line names.

    Parameters
    ----------
    text : str
        File name, or command line of FSL or MRtrix.

    Examples
    --------
    >>> sorted(steps_in("sub-01_desc-preproc_dwi"))
    ['denoising', 'gibbs', 'motion']
    >>> sorted(steps_in("dwifslpreproc in.mif out.mif -rpe_pair"))
    ['distortion', 'motion']
    >>> sorted(steps_in("teddy_bear"))
    []
    """
    text = text.lower()
    found = {step for pattern, steps in _PATTERNS if pattern.search(text) for step in steps}
    if _PREPROCESS.search(text):
        found |= {"motion"} if _NO_DISTORTION.search(text) else {"motion", "distortion"}
    return frozenset(found)


def corrected_before(
    path: Path, stem: str, sidecar: dict, beside: Iterable[Path]
) -> frozenset[str]:
    """Return the corrections that a series has behind it.

    Parameters
    ----------
    path : Path
        The image.
    stem : str
        Its name without extensions.
    sidecar : dict
        Its JSON file; ``command_history`` is MRtrix's.
    beside : iterable of Path
        The gradient files that are used with it: rotated directions are written by eddy.
    """
    found = set(steps_in(stem))
    for file in beside:
        # Only what the name adds to the image's own: the rest was looked at above.
        found |= steps_in(file.name.removeprefix(stem))
    history = sidecar.get("command_history")
    lines = [history] if isinstance(history, str) else history if isinstance(history, list) else []
    for line in lines:
        found |= steps_in(str(line).split("(")[0])
    for log in (
        path.with_name(f"{stem}.eddy_command_txt"),
        path.with_name(f"{stem}.eddy_parameters"),
    ):
        if log.is_file():
            found.add("motion")
            found |= steps_in(_head(log)) if log.suffix == ".eddy_command_txt" else frozenset()
    return frozenset(found)


def _head(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return handle.read(_LONGEST_LOG).decode("utf-8", "replace")
    except OSError:
        return ""
