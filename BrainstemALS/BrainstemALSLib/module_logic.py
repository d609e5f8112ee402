"""The module's path without a panel: nodes in, nodes out. It waits, and needs no event loop."""

from __future__ import annotations

from collections.abc import Callable

from .scene.exam_images import exam_images
from .scene.patients import check_one_patient
from .scene.results import ResultNodes, show_maps, show_outcome
from .worker.client import WorkerClient


def process(
    t1: object,
    fa: object | None = None,
    md: object | None = None,
    dti: object | None = None,
    dwi: object | None = None,
    *,
    device: str = "auto",
    flip: bool = True,
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
        Gives FA, MD and fibre directions where FA and MD are not given.
    dwi : vtkMRMLDiffusionWeightedVolumeNode, optional
        Fitted where no map is given. One that can't be fitted leaves the T1 alone, and a finding.
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
    check_one_patient({"T1": t1, "FA": fa, "MD": md, "DTI": dti, "DWI": dwi})
    if fa is not None and md is not None:
        dti = None
    if any(node is not None for node in (fa, md, dti)):
        dwi = None
    maps = {"fa": fa, "md": md, "dti": dti, "dwi": dwi}
    maps = {role: node for role, node in maps.items() if node is not None}
    images, findings = exam_images({"t1": t1, **maps})
    if "dwi" not in images:
        maps.pop("dwi", None)
    worker = client or WorkerClient()
    try:
        outcome = worker.segment(
            **images,
            device=device,
            flip=flip,
            model_dir=model_dir,
            findings=findings,
            progress=progress,
        )
    finally:
        if client is None:
            worker.close()
    previous = ResultNodes.find(t1)
    result = show_outcome(outcome, t1, corrected=corrected, previous=previous, maps=maps)
    for _fraction in show_maps(result, outcome, maps):
        pass
    return result
