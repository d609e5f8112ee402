"""The results table with diffusion and without."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import measure

FA, MD = 7, 8


@pytest.fixture
def maps(t1):
    return {
        "fa": Volume(np.full(t1.shape, 0.5, np.float32), t1.affine),
        "md": Volume(np.full(t1.shape, 0.8, np.float32), t1.affine),
        "rd": Volume(np.full(t1.shape, 0.6, np.float32), t1.affine),
    }


def rows_of(tree):
    def below(item):
        yield item
        for number in range(item.childCount()):
            yield from below(item.child(number))

    for number in range(tree.topLevelItemCount):
        yield from below(tree.topLevelItem(number))


def test_fa_and_md_show_only_with_diffusion(host, panel, spheres, segmentation, t1, maps, measures):
    ui = panel.ui
    assert ui.volumeTree.isColumnHidden(FA)
    assert "FA" not in ui.tableNoteLabel.text

    panel._results.show(measure(segmentation, t1, maps), "Measured.")
    assert not ui.volumeTree.isColumnHidden(FA)
    assert not ui.volumeTree.isColumnHidden(MD)
    assert "FA and MD" in ui.tableNoteLabel.text
    rows = {row.text(0): row for row in rows_of(ui.volumeTree)}
    assert rows["Basis pontis"].text(FA) == "0.50 / 0.50"
    assert rows["Whole pons"].text(MD) == "0.80"
    assert "RD left: 0.600" in rows["Basis pontis"].toolTip(FA)
    assert rows["Hypoglossal nucleus"].text(3) == "no volume"
    assert "its place is unknown" in rows["Hypoglossal nucleus"].toolTip(FA)

    panel._results.show(measures, "Measured.")
    assert ui.volumeTree.isColumnHidden(MD)
