"""The images of an exam, from the nodes that were chosen."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import BrainstemALSError, ExitCode
from ..imaging.dwi import Dwi, not_used
from ..imaging.finding import Finding
from ..imaging.volume import Volume
from .volumes import dwi_from_node, tensors_from_node, volume_from_node

_READERS = {"dti": ("tensors", tensors_from_node), "dwi": ("dwi", dwi_from_node)}


def exam_images(
    nodes: Mapping[str, object],
) -> tuple[dict[str, Volume | Dwi], tuple[Finding, ...]]:
    """Return the images of nodes, and what could not be used.

    A series that can't be fitted costs the diffusion, not the exam.

    Parameters
    ----------
    nodes : mapping
        By role: ``t1``, and any of ``fa``, ``md``, ``dti`` and ``dwi``.

    Returns
    -------
    images : dict
        ``t1``, ``fa``, ``md``, ``tensors`` and ``dwi`` as ``worker.requests.segment_params`` takes
        them.
    findings : tuple of Finding
        ``diffusion_not_used``, where the series was left out.

    Raises
    ------
    BrainstemALSError
        See ``volumes``; of a series only what is wrong with its place.
    """
    images: dict[str, Volume | Dwi] = {}
    findings: list[Finding] = []
    for role, node in nodes.items():
        if role not in _READERS:
            images[role] = volume_from_node(node, role.upper())
            continue
        name, read = _READERS[role]
        try:
            images[name] = read(node)
        except BrainstemALSError as refusal:
            if role != "dwi" or refusal.code != ExitCode.UNSUITABLE_DIFFUSION:
                raise
            findings.append(not_used(refusal))
    return images, tuple(findings)
