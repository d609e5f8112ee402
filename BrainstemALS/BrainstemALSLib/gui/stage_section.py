"""Section *Stage and risk*: empty, and says so, until a model that can fill it is installed."""

from __future__ import annotations

from slicer.i18n import tr as _


class StageSection:
    """Says that there is no model for stage and risk.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    """

    def __init__(self, ui: object):
        ui.stageLabel.text = _(
            "No model installed. BrainstemALS can't predict the stage (King's, MiToS) or the risk "
            "of progression yet: no model for it comes with this version, and none was found. "
            "Nothing is estimated from the volumes above."
        )
