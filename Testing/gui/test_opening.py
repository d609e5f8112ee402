"""The panel opens quickly, also in a Slicer with nothing installed, and says what is missing."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 1.0
# What Slicer does not bring, and what only our tests and training need.
NOT_IN_SLICER = (
    "torch",
    "torchgen",
    "functorch",
    "monai",
    "nibabel",
    "dipy",
    "h5py",
    "tqdm",
    "trx",
    "dcm2niix",
    "nilearn",
    "matplotlib",
    "pandas",
    "typer",
    "rich",
    "ants",
)
OPEN = """
import sys, time
from Testing.host import install
host = install()
host.new_scene()
begun = time.perf_counter()
module, widget = host.load_module("BrainstemALS/BrainstemALS.py")
host.enter(widget)
seconds = time.perf_counter() - begun
ui = widget.panel.ui
assert not any(name in sys.modules for name in {absent!r}), "imported"
print(f"{{seconds:.2f}}|{{ui.environmentLabel.text}}|{{ui.installButton.visible}}|"
      f"{{ui.segmentButton.enabled}}|{{ui.researchLabel.text}}")
host.close()
"""


@pytest.mark.alone
def test_it_opens_in_under_a_second(host, local):
    import time

    begun = time.perf_counter()
    _module, widget = host.load_module(ROOT / "BrainstemALS" / "BrainstemALS.py")
    host.enter(widget)
    assert time.perf_counter() - begun < LONGEST_S
    assert widget.panel.ui.installButton.visible is False


@pytest.fixture(scope="module")
def bare_site(tmp_path_factory) -> Path:
    """A folder of packages as Slicer's: links to ours, without what Slicer does not bring."""
    folder = tmp_path_factory.mktemp("site")
    for item in Path(sysconfig.get_path("purelib")).iterdir():
        name = item.name.split("-")[0].split(".")[0].lower()
        if name not in NOT_IN_SLICER and item.suffix != ".pth":
            (folder / item.name).symlink_to(item)
    return folder


@pytest.mark.alone
@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
def test_with_nothing_installed_it_opens_as_quickly_and_says_what_is_missing(bare_site, tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-S", "-c", OPEN.format(absent=NOT_IN_SLICER)],
        cwd=ROOT,
        env={
            "PYTHONPATH": f"{ROOT}:{bare_site}",
            "HOME": str(tmp_path),
            "XDG_DATA_HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert outcome.returncode == 0, outcome.stderr
    seconds, missing, offered, can_segment, line = outcome.stdout.strip().split("|")
    assert float(seconds) < LONGEST_S
    assert "torch" in missing
    assert "not installed" in missing
    assert (offered, can_segment) == ("True", "False")
    assert "Research use only. Not a medical device." in line


def test_stage_and_risk_say_what_they_start_from(panel):
    assert "Segment the T1 first" in panel.ui.stageLabel.text
    assert panel.ui.predictButton.enabled is False
    assert panel.ui.predictionView.visible is False


def test_nothing_is_chosen_unless_the_user_does(panel):
    assert panel.ui.segmentButton.enabled is False
    assert "Load a T1" in panel.ui.examHintLabel.text


def test_the_mirror_image_is_averaged_unless_the_user_leaves_it_out(panel):
    assert panel.visit.parameters.flip is True
    assert panel.ui.flipCheck.checked
    panel.ui.flipCheck.click()
    assert panel.visit.parameters.flip is False


def test_a_model_that_is_missing_is_said_at_once(panel, tmp_path):
    from BrainstemALSLib.gui import settings

    settings.remember("model", str(tmp_path))
    panel.enter()
    assert "structures" in panel.ui.environmentLabel.text or "locator" in (
        panel.ui.environmentLabel.text
    )
    assert panel.ui.segmentButton.enabled is False


def test_the_shortcuts_live_only_while_the_module_is_shown(host, opened):
    shortcuts = opened.panel._shortcuts._shortcuts
    assert all(shortcut.enabled for shortcut in shortcuts)
    assert len({shortcut.key.toString() for shortcut in shortcuts}) == len(shortcuts)
    host.exit(opened)
    assert not any(shortcut.enabled for shortcut in shortcuts)
