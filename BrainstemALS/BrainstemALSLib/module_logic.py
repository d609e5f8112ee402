"""The module's path without a panel: nodes in, nodes out. It waits, and needs no event loop."""

from __future__ import annotations

from collections.abc import Callable

from .scene.patients import check_one_patient
from .scene.results import ResultNodes, show_outcome
from .scene.volumes import tensors_from_node, volume_from_node
from .worker.client import WorkerClient


def process(
    t1: object,
    fa: object | None = None,
    md: object | None = None,
    dti: object | None = None,
    *,
    device: str = "auto",
    flip: bool = False,
    model_dir: str | None = None,
    corrected: str = "keep",
    progress: Callable[[str, float, str], None] | None = None,
    client: WorkerClient | None = None,
) -> ResultNodes:
    """Segment and measure one exam and show it in the scene of the T1.

    Parameters
    ----------
    t1, fa, md : vtkMRMLScalarVolumeNode
        FA and MD may be left out; each on its own grid.
    dti : vtkMRMLDiffusionTensorVolumeNode, optional
        Gives FA and MD where they are not given.
    device, flip, model_dir
        See ``worker.requests.segment_params``.
    corrected : str
        ``keep``, ``replace`` or ``new``, see ``scene.results.show_outcome``.
    progress : callable, optional
        Called with stage, fraction 0-1 and text.
    client : WorkerClient, optional
        A worker to keep for many exams; one is started and ended here when left out.

    Raises
    ------
    BrainstemALSError
        What the images, the worker or the scene refuse.
    """
    check_one_patient({"T1": t1, "FA": fa, "MD": md, "DTI": dti})
    images = {"t1": volume_from_node(t1, "T1")}
    for role, node in (("fa", fa), ("md", md)):
        if node is not None:
            images[role] = volume_from_node(node, role.upper())
    if dti is not None and len(images) < 3:
        images["tensors"] = tensors_from_node(dti)
    worker = client or WorkerClient()
    try:
        outcome = worker.segment(
            **images, device=device, flip=flip, model_dir=model_dir, progress=progress
        )
    finally:
        if client is None:
            worker.close()
    maps = {"fa": fa, "md": md, "dti": dti if "tensors" in images else None}
    return show_outcome(outcome, t1, corrected=corrected, previous=ResultNodes.find(t1), maps=maps)
