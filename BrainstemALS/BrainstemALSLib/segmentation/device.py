"""Chooses where to compute, and says why."""

from __future__ import annotations

from ..errors import BrainstemALSError, ExitCode

CHOICES = ("auto", "cpu", "cuda")
MINIMUM_GPU_MEMORY = 2 * 1024**3  # bytes; one window of the structure network takes about 1 GiB


def choose_device(wanted: str = "auto") -> tuple[str, str]:
    """Choose a device.

    Parameters
    ----------
    wanted : str
        ``auto``, ``cpu`` or ``cuda``.

    Returns
    -------
    (device, reason)
        ``cpu`` or ``cuda``, and a sentence for the user.

    Raises
    ------
    BrainstemALSError
        DEVICE_UNAVAILABLE: ``cuda`` was asked for by name and can't be used. USAGE: unknown name.
    """
    if wanted not in CHOICES:
        raise BrainstemALSError(
            f"--device {wanted}",
            "there is no such device",
            f"Choose one of {', '.join(CHOICES)}.",
            ExitCode.USAGE,
        )
    if wanted == "cpu":
        return "cpu", "the CPU was asked for"
    problem = _cuda_problem()
    if problem is None:
        return "cuda", "an NVIDIA GPU is ready"
    if wanted == "cuda":
        raise BrainstemALSError(
            "--device cuda",
            problem,
            "Use --device cpu, or see `brainstem-als doctor` for what is missing.",
            ExitCode.DEVICE_UNAVAILABLE,
        )
    return "cpu", problem


def _cuda_problem() -> str | None:
    import torch

    if torch.version.cuda is None:
        return "this PyTorch is built without CUDA"
    if not torch.cuda.is_available():
        return "no NVIDIA GPU with a working driver was found"
    try:
        free, _ = torch.cuda.mem_get_info()
        torch.zeros(1, device="cuda")
    except RuntimeError:
        return "the NVIDIA GPU was found but refused to compute"
    if free < MINIMUM_GPU_MEMORY:
        return f"the GPU has only {free / 1024**3:.1f} GiB free"
    return None
