"""Section *Correct and approve*, its upper half: where to look, how it is drawn, undo."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..anatomy import by_key, composites
from ..measurement.uncertain_places import UncertainPlace
from ..report.wording import short_name
from ..scene import views
from ..scene.uncertain import places_to_check
from .messages import Messages
from .segment_editor import SegmentEditor
from .visit import Visit


class CorrectSection:
    """Leads to uncertain places and holds the Segment Editor.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    visit : Visit
    messages : Messages
    """

    def __init__(self, ui: object, visit: Visit, messages: Messages):
        self._ui, self._visit, self._messages = ui, visit, messages
        self.editor = SegmentEditor(ui.segmentEditor)
        self._places: tuple[UncertainPlace, ...] | None = None
        self._next = 0
        ui.uncertainButton.clicked.connect(self._next_place)
        ui.outlineCheck.toggled.connect(self._draw)
        ui.opacitySlider.valueChanged.connect(self._draw)

    def update(self) -> None:
        """Show the current result, or that there is none."""
        result = self._visit.result
        for widget in (self._ui.uncertainButton, self._ui.outlineCheck, self._ui.opacitySlider):
            widget.enabled = result is not None
        if result is None:
            self.editor.show(None, None)
        else:
            self.editor.show(result.segmentation, result.t1)

    def new_result(self) -> None:
        """Forget the places of an earlier result; show how the new one is drawn."""
        self._places, self._next = None, 0
        self._ui.uncertainLabel.text = ""
        result = self._visit.result
        drawn = None if result is None else views.drawn(result.segmentation)
        if drawn is not None:
            fill, opacity = drawn
            self._ui.outlineCheck.checked = not fill
            self._ui.opacitySlider.value = round(100 * opacity)

    def pick(self, keys: tuple[str, ...]) -> None:
        """Jump to structures, highlight them and make the first the one that is edited."""
        result = self._visit.result
        if result is None:
            return
        with self._messages.refusals():
            present = self._parts(keys)
            views.highlight(result.segmentation, present or None)
            centres = [views.centre_of(result.segmentation, key) for key in self._parts(keys)]
            centres = [centre for centre in centres if centre is not None]
            if centres:
                middle = [sum(values) / len(centres) for values in zip(*centres, strict=True)]
                views.jump_to(result.segmentation.GetScene(), middle)
            if present:
                self.editor.select(present[0])

    @staticmethod
    def _parts(keys: tuple[str, ...]) -> list[str]:
        """Structures of which keys, composites among them, are made."""
        return [part for key in keys for part in composites().get(key, (key,))]

    def show_all(self, *_args: object) -> None:
        """End the highlighting."""
        if self._visit.result is not None:
            views.highlight(self._visit.result.segmentation, None)

    def _next_place(self, *_args: object) -> None:
        with self._messages.refusals():
            result = self._visit.result
            if self._places is None:
                self._places = places_to_check(result)
            if not self._places:
                self._ui.uncertainLabel.text = _("No large uncertain place was found.")
                return
            number = self._next % len(self._places)
            place = self._places[number]
            self._next = number + 1
            views.jump_to(result.segmentation.GetScene(), place.centre_ras)
            name = short_name(by_key()[place.key].name) if place.key else _("border")
            self._ui.uncertainLabel.text = _("{number} of {count}: {name}, {size:.0f} mm³").format(
                number=number + 1, count=len(self._places), name=name, size=place.volume_mm3
            )
            if place.key:
                self.editor.select(place.key)

    def _draw(self, *_args: object) -> None:
        if self._visit.result is not None:
            segmentation = self._visit.result.segmentation
            views.set_fill(segmentation, not self._ui.outlineCheck.checked)
            views.set_opacity(segmentation, self._ui.opacitySlider.value / 100)
