"""Runs the structure network on its window, a box around the brainstem."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..anatomy import by_key
from ..imaging.exam import Exam
from ..imaging.geometry import box_around, resample
from ..imaging.volume import Volume
from .preprocess import CHANNELS, NORMALISE, SPACING_MM, WINDOW_MM, grounded


def mirror_channels(keys: tuple[str, ...]) -> list[int]:
    """Order of the network's outputs after a left/right flip; background stays first."""
    structures = by_key()
    return [0] + [1 + keys.index(structures[key].mirror_key) for key in keys]


# Half-widths (mm) of the box that a map must show to count as one of the brainstem: the extent of
# the atlas brainstem in ICBM space, halved and rounded down.
CORE_MM = (16, 16, 28)
MIN_COVERED = 0.9
MIN_SIGNAL = 0.5  # share of the core where a map is not exactly 0, which is what padding is


def usable_channels(exam: Exam, centre: np.ndarray) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sort the channels of an exam into those that show the brainstem and those that do not.

    The network has learned that a missing map is missing, not that tissue may have no anisotropy: a
    slab that ends above the brainstem must be left out, not read as zeros.

    Parameters
    ----------
    exam : Exam
        T1 and maps.
    centre : numpy.ndarray, shape (3,)
        Middle of the brainstem, RAS mm.

    Returns
    -------
    (used, unused)
        Names of channels, the T1 always among the used.
    """
    used, unused = [], []
    shape = tuple(2 * n for n in CORE_MM)
    affine = box_around(centre, shape, 1.0)
    for name in CHANNELS:
        volume: Volume | None = getattr(exam, name)
        if volume is None:
            continue
        if name != "t1":
            core = resample(volume, shape, affine, "nearest", default=np.nan).array
            seen = ~np.isnan(core)
            good = seen.mean() >= MIN_COVERED and (core[seen] != 0).mean() >= MIN_SIGNAL
        (used if name == "t1" or good else unused).append(name)
    return tuple(used), tuple(unused)


def network_input(
    exam: Exam, affine: np.ndarray, shape: tuple[int, ...], modalities: tuple[str, ...]
):
    """Channels of the network on its box.

    Parameters
    ----------
    exam : Exam
        Images on their own grids.
    affine, shape
        The box, RAS at 1 mm.
    modalities : tuple of str
        Channels to use; the others are zeros.

    Returns
    -------
    torch.Tensor, float32, shape (1, channels, i, j, k)
    """
    import torch

    channels = []
    for name in CHANNELS:
        volume: Volume | None = getattr(exam, name) if name in modalities else None
        if volume is None:
            channels.append(torch.zeros(shape))
            continue
        boxed = resample(grounded(volume) if name == "t1" else volume, shape, affine)
        channels.append(NORMALISE[name](torch.from_numpy(np.ascontiguousarray(boxed.array))))
    return torch.stack(channels)[None]


def infer_box(
    network: Any,
    exam: Exam,
    centre: np.ndarray,
    modalities: tuple[str, ...],
    keys: tuple[str, ...],
    device: str,
    flip: bool,
) -> Volume:
    """Class probabilities on a 1 mm RAS box.

    Parameters
    ----------
    network : torch.jit.ScriptModule
        Structure network on ``device``.
    exam : Exam
        Patient.
    centre : numpy.ndarray, shape (3,)
        Middle of the box, RAS mm.
    modalities, keys
        Channels in use; structure keys of outputs 1...
    device : str
        ``cpu`` or ``cuda``.
    flip : bool
        Average with the mirrored box.

    Returns
    -------
    Volume
        float32 array of shape (i, j, k, 1 + structures).
    """
    import torch

    affine = box_around(centre, WINDOW_MM, SPACING_MM)
    window = network_input(exam, affine, WINDOW_MM, modalities).to(device)

    def probabilities(channels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=_fast_half(device)):
            logits = network(channels)
        return logits.float().softmax(1)

    with torch.inference_mode():
        out = probabilities(window)
        if flip:
            mirrored = probabilities(window.flip(2)).flip(2)
            out = 0.5 * (out + mirrored[:, mirror_channels(keys)])
    return Volume(out[0].movedim(0, -1).cpu().numpy(), affine)


def _fast_half(device: str) -> bool:
    """Whether 16 bits are quicker here than 32: on GPUs, and on CPUs that know bfloat16."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
