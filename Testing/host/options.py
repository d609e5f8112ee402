"""What Qt and PySide6 must know before they are imported."""

from __future__ import annotations

import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"

# PythonQt's enumerators are integers; 2 makes PySide6's so ("The new Python enums", Qt for Python).
INTEGERS = 2

if "PySide6.QtCore" in sys.modules and getattr(sys, "pyside6_option_python_enum", 0) != INTEGERS:
    raise ImportError("PySide6 was imported before the host, which must set its options first")
sys.pyside6_option_python_enum = INTEGERS
