"""The dialog installs what it said it would, after it was asked to, and stays alive meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.installation.conftest import interpreter, make_wheel, slicer_python  # noqa: F401

WAIT_S = 120


@pytest.fixture
def dialog(host, local, interpreter, request):  # noqa: F811
    """The dialog, for a small package in an environment of its own; which, the test may say."""
    from BrainstemALSLib.gui.install_dialog import InstallDialog

    opened = InstallDialog(
        wanted=(getattr(request, "param", "tiny-tool>=1.0"),), interpreter=interpreter
    )
    opened.widget.show()
    yield opened
    opened.close()
    opened.widget.hide()


def checked(host, dialog, wheels: Path) -> str:
    dialog.ui.offlineRadio.click()
    dialog.ui.wheelsEdit.currentPath = str(wheels)
    dialog.ui.checkButton.click()
    host.wait_until(lambda: not dialog._background.running, WAIT_S)
    return dialog.ui.planLabel.text


def test_check_says_what_would_come_and_install_brings_it(
    host,
    dialog,
    interpreter,  # noqa: F811
    make_wheel,  # noqa: F811
    tmp_path,
):
    make_wheel(tmp_path, "tiny-tool", "1.2")
    with host.heartbeat() as beat:
        said = checked(host, dialog, tmp_path)
    assert "tiny-tool>=1.0 (not installed)" in said
    assert "tiny-tool 1.2" in said
    assert beat.longest < 0.5
    assert "tiny-tool" not in interpreter.installed()
    assert dialog.ui.startButton.enabled is True
    dialog.ui.startButton.click()
    assert dialog.ui.closeButton.text == "Cancel"
    host.wait_until(lambda: not dialog._background.running, WAIT_S)
    assert "Installed" in dialog.ui.planLabel.text
    assert interpreter.installed()["tiny-tool"] == "1.2"


@pytest.mark.parametrize("dialog", ["other-tool>=2.0"], indirect=True)
def test_a_folder_without_the_package_is_a_sentence(host, dialog, tmp_path):
    said = checked(host, dialog, tmp_path)
    assert "other-tool" in said or "wheel" in said
    assert dialog.ui.startButton.enabled is False
    assert dialog.ui.closeButton.text == "Close"


def test_the_panel_opens_it_and_nothing_happens_until_it_is_asked_to(host, panel):
    seen = []

    def close(dialog):
        import slicer

        ui = slicer.util.childWidgetVariables(dialog)
        seen.append((ui.whatLabel.text, ui.startButton.enabled, ui.logEdit.plainText))
        ui.closeButton.click()

    host.answer(close)
    panel.ui.installButton.click()
    assert seen[0][1:] == (False, "")
    assert "never leave this computer" in seen[0][0]


def test_a_model_that_does_not_fit_is_refused(host, dialog, tmp_path):
    from BrainstemALSLib.gui import settings

    (tmp_path / "structures.ts").write_bytes(b"altered")
    dialog.ui.modelEdit.currentPath = str(tmp_path)
    dialog.ui.checkButton.click()
    host.process_events()
    assert "structures" in dialog.ui.planLabel.text
    assert settings.remembered("model") == ""
