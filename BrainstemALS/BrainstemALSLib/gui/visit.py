"""The visit that the panel shows: parameters, result nodes, measures. It follows the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import slicer
import vtk
from slicer.util import VTKObservationMixin

from ..errors import BrainstemALSError, ExitCode
from ..measurement import Measures
from ..scene import views
from ..scene.map_nodes import maps_in_scene
from ..scene.patients import check_one_patient
from ..scene.results import ResultNodes
from ..worker.outcome import Outcome
from . import visit_memory
from .parameters import VisitParameters, fits_a_series


class VisitListener(Protocol):
    """Who wants to know what happens to a visit."""

    def visit_opened(self) -> None:
        """Parameters and result were taken from the scene."""

    def visit_changed(self) -> None:
        """A parameter or a node changed."""

    def visit_leaves(self) -> None:
        """Another result, or none, is about to take the place of the current one."""

    def visit_lost(self, what: str) -> None:
        """The ``scene`` closes, or the ``segmentation`` or the ``T1`` of a run was removed."""

    def segments_edited(self) -> None:
        """Somebody changed a segment of the current result."""


class Visit(VTKObservationMixin):
    """State of the panel, kept in the scene and found there again.

    Parameters
    ----------
    parameter_node : callable
        Returns the module's parameter node of the scene.
    ui : object
        Widgets bound to the parameters.
    listener : VisitListener
        Told of what happens to the visit.

    Attributes
    ----------
    parameters : VisitParameters or None
        None while the scene closes.
    result : ResultNodes or None
        The current result.
    outcome : Outcome or None
        What ``result`` was made of; of a loaded scene without probabilities.
    measures : Measures or None
        Of ``result`` as it is now; None while a correction has not been measured yet.
    edits : int
        Counts the changes of segments that were not ours.
    """

    _kept: tuple[ResultNodes, Outcome | None, Measures | None] | None = None

    def __init__(self, parameter_node: Callable[[], object], ui: object, listener: VisitListener):
        super().__init__()
        self._parameter_node, self._ui, self._listener = parameter_node, ui, listener
        self._gui_tag = self._observer = self._held = self._t1 = None
        self._following = False
        self._own_writes = 0
        self._states: dict[str, int] = {}
        self._corrected: tuple[str, ...] | None = None
        self.parameters: VisitParameters | None = None
        self.result: ResultNodes | None = None
        self.outcome: Outcome | None = None
        self.measures: Measures | None = None
        self.edits = 0
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._scene_closes)
        self.addObserver(scene, scene.EndCloseEvent, self._scene_changed)
        self.addObserver(scene, scene.StartImportEvent, self._import_begins)
        self.addObserver(scene, scene.EndImportEvent, self._scene_changed)
        self.addObserver(scene, scene.NodeRemovedEvent, self._node_removed)

    def open(self) -> None:
        """Take the state from the scene; again after it was closed or another was loaded."""
        self.release()
        self.parameters = VisitParameters(self._parameter_node())
        # connectGui would do the same, but says nothing of the tag that disconnectGui needs.
        self._gui_tag = self.parameters.connectParametersToGui(_bound_widgets(self._ui))
        self._observer = self.parameters.AddObserver(
            vtk.vtkCommand.ModifiedEvent, self._parameters_changed
        )
        self._t1 = self.parameters.t1
        result = ResultNodes.from_segmentation(self.parameters.segmentation)
        if result is not None and result.t1 is not self._t1:
            result = None
        kept, self._kept = self._kept, None
        if result is not None and kept is not None and result.segmentation is kept[0].segmentation:
            self.show(result, kept[1])  # a scene was added to this one: the result is what it was
            self.measures = kept[2]
        else:
            self.show(result, None if result is None else outcome_in_scene(result))
        self._listener.visit_opened()

    def release(self) -> None:
        """Let go of the scene's state."""
        self.show(None)
        if self.parameters is not None:
            self.parameters.disconnectGui(self._gui_tag)
            self.parameters.RemoveObserver(self._observer)
        self.parameters = self._gui_tag = self._observer = self._t1 = None

    def close(self) -> None:
        """Let go of the scene altogether."""
        self.release()
        self.removeObservers()

    def inputs(self) -> dict[str, object]:
        """Return the chosen nodes by role: ``t1``, and ``fa``, ``md``, ``dti``, ``dwi`` where used.

        What is given wins over what would be computed: a DTI over the DWI, FA and MD over both.

        Raises
        ------
        BrainstemALSError
            No T1, or images of two patients.
        """
        parameters = self.parameters
        nodes = {role: getattr(parameters, role) for role in ("t1", "fa", "md", "dti", "dwi")}
        if nodes["fa"] is not None and nodes["md"] is not None:
            nodes["dti"] = None  # nothing is left for it to give
        if not fits_a_series(parameters):
            nodes["dwi"] = None
        check_one_patient({role.upper(): node for role, node in nodes.items()})
        return {role: node for role, node in nodes.items() if role == "t1" or node is not None}

    def check_one_exam(self) -> None:
        """Refuse where the result is not one of the chosen T1: its code would be another's.

        Raises
        ------
        BrainstemALSError
            MISMATCHED_IMAGES.
        """
        if self.result is None or self.result.t1 is not self.parameters.t1:
            raise BrainstemALSError(
                "segmentation",
                "it was not made of the T1 that is chosen",
                "Choose its T1 under Exam first.",
                ExitCode.MISMATCHED_IMAGES,
            )

    def show(
        self,
        result: ResultNodes | None,
        outcome: Outcome | None = None,
        corrected: tuple[str, ...] | None = None,
    ) -> None:
        """Make a result the current one, and watch its segments.

        Parameters
        ----------
        result : ResultNodes or None
        outcome : Outcome or None
            What it was made of.
        corrected : tuple of str, optional
            Keys of what was corrected in it, where that is known.
        """
        if self.result is not None and (
            result is None or result.segmentation is not self.result.segmentation
        ):
            self._listener.visit_leaves()
        if self.result is not None:
            self._watch(self.result.segmentation, on=False)
        self.result, self.outcome, self._corrected = result, outcome, corrected
        self.measures = None if outcome is None else outcome.measures
        if result is not None:
            self._watch(result.segmentation, on=True)

    def corrected(self) -> tuple[str, ...]:
        """Return what was corrected in the result; it reads all labels, once until they change.

        Raises
        ------
        BrainstemALSError
            See ``ResultNodes.corrected``.
        """
        if self._corrected is None:
            self._corrected = self.result.corrected()
        return self._corrected

    @contextmanager
    def own_writes(self) -> Iterator[None]:
        """What changes in the segments within the block is not the expert's doing."""
        self._own_writes += 1
        try:
            yield
        finally:
            self._own_writes -= 1
            self._corrected = None

    def state_of(self, segmentation: object) -> int:
        """Return a number that changes whenever segments do, whoever changed them."""
        return self._states.get(segmentation.GetID(), 0)

    def wrote(self, segmentation: object) -> None:
        """Note that the segments of a segmentation were changed by us."""
        self._states[segmentation.GetID()] = self.state_of(segmentation) + 1

    def hold(self, t1: object | None) -> None:
        """Name the T1 that is being segmented, so that its loss is noticed; None for none."""
        self._held = t1

    def _parameters_changed(self, *_args: object) -> None:
        if self.parameters is None or self._following:
            return
        self._following = True
        try:
            if self.parameters.t1 is not self._t1:
                self._follow(self.parameters.t1)
        finally:
            self._following = False
        self._listener.visit_changed()

    def _follow(self, t1: object | None) -> None:
        """Another T1 was chosen: show what was typed for it and its own result."""
        before, self._t1 = self._t1, t1
        left = self.result
        self.show(None)  # half of one exam and half of another must never meet
        if before is not None and before.GetScene() is not None:
            visit_memory.remember(self.parameters, before)
        if not visit_memory.recall(self.parameters, t1) and before is not None:
            visit_memory.forget(self.parameters)
        result = ResultNodes.find(t1)
        self.parameters.segmentation = None if result is None else result.segmentation
        if left is not None:
            views.set_visible(left.segmentation, False)  # its outlines belong on the other T1
        if result is not None:
            views.set_visible(result.segmentation, True)
        self.show(result, None if result is None else outcome_in_scene(result))
        self._listener.visit_opened()

    def _watch(self, node: object, *, on: bool) -> None:
        segmentation = node.GetSegmentation()
        if segmentation is None:
            return
        act = self.addObserver if on else self.removeObserver
        for event in (
            segmentation.SourceRepresentationModified,
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
        ):
            act(segmentation, event, self._segments_changed)

    def _segments_changed(self, *_args: object) -> None:
        if not self._own_writes:
            self.measures = self._corrected = None
            self.edits += 1
            self.wrote(self.result.segmentation)
            self._listener.segments_edited()

    def _scene_closes(self, *_args: object) -> None:
        self._listener.visit_lost("scene")
        self.release()

    def _import_begins(self, *_args: object) -> None:
        """A scene is added: its parameters will be copied over ours, T1 and code together."""
        if self.parameters is None:
            return
        kept = (self.result, self.outcome, self.measures)
        if self._t1 is not None:
            visit_memory.remember(self.parameters, self._t1)
        self.release()
        self._kept = None if kept[0] is None else kept

    def _scene_changed(self, *_args: object) -> None:
        self.open()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _node_removed(self, _caller: object, _event: object, node: object) -> None:
        if self.parameters is None or slicer.mrmlScene.IsClosing():
            return
        if self.result is not None and node is self.result.segmentation:
            self._listener.visit_lost("segmentation")
            self.show(None)
        elif self._held is not None and node is self._held:
            self._held = None
            self._listener.visit_lost("T1")
        self._listener.visit_changed()


def outcome_in_scene(result: ResultNodes) -> Outcome | None:
    """Return the outcome of a result in a loaded scene, without probabilities; None if it is gone.

    Its measures are those of the run, before any correction.
    """
    try:
        prediction, record = result.predicted(), result.record
        if prediction is None or not record:
            return None
        entropy = np.zeros(prediction.shape, np.float32)
        return Outcome.from_record(
            record, np.array(prediction), entropy, maps=maps_in_scene(result)
        )
    except BrainstemALSError:  # damaged, or the T1 lies under a transform that cannot be followed
        return None


def _bound_widgets(ui: object) -> dict[str, object]:
    """Widgets by the parameter that their .ui file binds them to."""
    widgets = {widget.property("SlicerParameterName"): widget for widget in vars(ui).values()}
    return {name: widget for name, widget in widgets.items() if name}
