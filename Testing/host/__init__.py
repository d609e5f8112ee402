"""A small Qt host for tests of the Slicer module: PySide6 offscreen, real MRML from slicer-core.

Every test may ask for the fixture ``host`` (Testing/conftest.py)::

    def test_panel(host):
        module, widget = host.load_module("BrainstemALS/BrainstemALS.py")

After ``install`` - and so inside every test with the fixture - ``import qt``, ``import ctk`` and
the whole of ``slicer`` work. What is imitated, and what can't be proven here, is in
docs/decisions/0005-a-qt-host-for-tests.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import options  # noqa: F401  (what PySide6 must know before anyone imports it)

if TYPE_CHECKING:
    from .session import Host

__all__ = ["install"]


def install() -> Host:
    """Put ``qt``, ``ctk`` and the missing parts of ``slicer`` in place; return the ``Host``.

    Importing this package alone loads neither Qt nor Slicer. Every call returns the same host: Qt
    allows one application in a process.
    """
    from .installation import installed

    return installed()
