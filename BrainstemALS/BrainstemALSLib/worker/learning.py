"""The command that starts the worker that fine-tunes, where the training code is there.

Training is no part of the extension: it needs more packages than segmentation does. It is found
where the module runs from a source checkout.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from .launch import IDLE_SECONDS, worker_command

PACKAGES = ("torch", "monai", "safetensors")
"""What fine-tuning needs beside what Slicer brings; judging needs matplotlib as well."""
COMMAND = "python -m training.active.finetune"
_SCRIPT = Path("training", "active", "finetune_worker.py")


def learning_script() -> Path | None:
    """Return the script of the worker; None where the training code is not there."""
    places = Path(__file__).resolve().parents[2:4]  # packed beside the module, or the checkout
    return next((place / _SCRIPT for place in places if (place / _SCRIPT).is_file()), None)


def lacking() -> str:
    """Return what is missing for fine-tuning here, one sentence; empty where nothing is."""
    if learning_script() is None:
        return (
            "Fine-tuning needs the source code of BrainstemALS, which this installation lacks: run "
            f"`{COMMAND}` in a terminal of a computer that has it."
        )
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        return (
            f"Fine-tuning needs the Python packages {', '.join(missing)}, which are missing here: "
            f"install them, or run `{COMMAND}` in a terminal."
        )
    return ""


def learning_command(
    python: str | None = None, log_dir: str | Path | None = None
) -> tuple[str, list[str]]:
    """Return program and arguments that start it; parameters as ``launch.worker_command``.

    Raises
    ------
    RuntimeError
        There is none; ``lacking`` says so.
    """
    script = learning_script()
    if script is None:
        raise RuntimeError("the training code is not there")
    program, arguments = worker_command(python, IDLE_SECONDS, log_dir)
    return program, [str(script), *arguments[1:]]
