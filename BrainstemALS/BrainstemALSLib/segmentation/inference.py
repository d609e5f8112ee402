"""Runs the structure network on its window, a box around the brainstem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..anatomy import by_key
from ..imaging.exam import Exam
from ..imaging.geometry import box_around, resample, same_grid
from ..imaging.volume import Volume
from .channels import PLANES
from .preprocess import NORMALISE, SPACING_MM, WINDOW_MM, colour_fa, grounded

if TYPE_CHECKING:
    import torch


def mirror_channels(keys: tuple[str, ...]) -> list[int]:
    """Order of the network's outputs after a left/right flip; background stays first."""
    structures = by_key()
    return [0] + [1 + keys.index(structures[key].mirror_key) for key in keys]


# Half-widths (mm) of the box that a map must show to count as one of the brainstem: the extent of
# the atlas brainstem in ICBM space, halved and rounded down.
CORE_MM = (16, 16, 28)
MIN_COVERED = 0.9
MIN_SIGNAL = 0.5  # share of the core where a map is not exactly 0, which is what padding is


def usable_channels(
    exam: Exam, centre: np.ndarray, channels: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sort the channels of an exam into those that show the brainstem and those that do not.

    The network has learned that a missing map is missing, not that tissue may have no anisotropy: a
    slab that ends above the brainstem must be left out, not read as zeros.

    Parameters
    ----------
    exam : Exam
        T1 and maps.
    centre : numpy.ndarray, shape (3,)
        Middle of the brainstem, RAS mm.
    channels : tuple of str
        What the network takes.

    Returns
    -------
    (used, unused)
        Names of channels, the T1 always among the used.
    """
    used, unused = ["t1"], []
    for name in channels:
        volume: Volume | None = getattr(exam, name)
        if name == "t1" or volume is None:
            continue
        shown = volume
        if volume.array.ndim == 4:  # a direction is there where any of its components is
            shown = Volume(np.abs(volume.array).max(-1), volume.affine)
        (used if _shows_core(shown, centre) else unused).append(name)
    return tuple(used), tuple(unused)


def _shows_core(volume: Volume, centre: np.ndarray) -> bool:
    shape = tuple(2 * n for n in CORE_MM)
    core = resample(volume, shape, box_around(centre, shape, 1.0), "nearest", default=np.nan).array
    seen = ~np.isnan(core)
    return bool(seen.mean() >= MIN_COVERED and (core[seen] != 0).mean() >= MIN_SIGNAL)


def network_input(
    exam: Exam,
    affine: np.ndarray,
    shape: tuple[int, ...],
    modalities: tuple[str, ...],
    channels: tuple[str, ...],
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
    channels : tuple of str
        What the network takes, in its order.

    Returns
    -------
    torch.Tensor, float32, shape (1, planes, i, j, k)
        See ``channels.PLANES``.
    """
    import torch

    planes = []
    for name in channels:
        if name not in modalities:
            planes.append(torch.zeros((PLANES[name], *shape)))
            continue
        boxed = resample(_image(exam, name), shape, affine).array
        boxed = boxed[None] if boxed.ndim == 3 else np.moveaxis(boxed, -1, 0)
        planes.append(NORMALISE[name](torch.from_numpy(np.ascontiguousarray(boxed))))
    return torch.cat(planes)[None]


def _image(exam: Exam, name: str) -> Volume:
    """The image of a channel, on its own grid, as it is to be resampled."""
    volume: Volume = getattr(exam, name)
    if name == "t1":
        return grounded(volume)
    if name == "v1":
        # Before resampling: an average of colours has no sign to get wrong, one of directions has.
        fa = exam.fa.array
        if not same_grid(volume, exam.fa):  # an FA of the user's own beside a fitted direction
            fa = resample(exam.fa, volume.array.shape[:3], volume.affine).array
        return Volume(colour_fa(volume.array, fa), volume.affine)
    return volume


class BoxRun:
    """The structure network on one box: the box as it is, then its mirror image if that is wanted.

    The two looks are averaged as logits, not as probabilities (our own choice): the average is then
    logits again, which one temperature calibrates as it does those of a single look.

    Parameters
    ----------
    network : torch.jit.ScriptModule
        Structure network on ``device``.
    exam : Exam
        Patient.
    centre : numpy.ndarray, shape (3,)
        Middle of the box, RAS mm.
    modalities, channels
        Channels in use; those that the network takes.
    device : str
        ``cpu`` or ``cuda``.

    Attributes
    ----------
    affine : numpy.ndarray, shape (4, 4)
        Of the box: RAS, 1 mm.
    window : torch.Tensor, float32, shape (1, planes, i, j, k)
        What the network was shown.
    logits : torch.Tensor, float32, shape (1, 1 + structures, i, j, k)
        Of background and structures.
    """

    def __init__(
        self,
        network: Any,
        exam: Exam,
        centre: np.ndarray,
        modalities: tuple[str, ...],
        channels: tuple[str, ...],
        device: str,
    ):
        self._network, self._device = network, device
        self.affine = box_around(centre, WINDOW_MM, SPACING_MM)
        self.window = network_input(exam, self.affine, WINDOW_MM, modalities, channels).to(device)
        self.logits = self._run(self.window)

    def _run(self, window: torch.Tensor) -> torch.Tensor:
        import torch

        half = torch.autocast(self._device, torch.bfloat16, enabled=_fast_half(self._device))
        with torch.inference_mode(), half:
            return self._network(window).float()

    def add_mirrored(self, keys: tuple[str, ...]) -> None:
        """Average with the mirrored box; ``keys`` name outputs 1... of the network."""
        mirrored = self._run(self.window.flip(2)).flip(2)[:, mirror_channels(keys)]
        self.logits = mirrored.add_(self.logits).mul_(0.5)

    def probabilities(self, temperature: float = 1.0) -> Volume:
        """Class probabilities on the box.

        Parameters
        ----------
        temperature : float
            Logits are divided by it before softmax (Guo et al. 2017, "On calibration of modern
            neural networks", arXiv:1706.04599): above 1 makes the network less sure of itself.

        Returns
        -------
        Volume
            float32 array of shape (i, j, k, 1 + structures).
        """
        probability = (self.logits / temperature).softmax(1)
        return Volume(probability[0].movedim(0, -1).cpu().numpy(), self.affine)


def infer_box(
    network: Any,
    exam: Exam,
    centre: np.ndarray,
    modalities: tuple[str, ...],
    channels: tuple[str, ...],
    keys: tuple[str, ...],
    device: str,
    flip: bool,
    temperature: float = 1.0,
) -> Volume:
    """Class probabilities on a 1 mm RAS box.

    Parameters
    ----------
    network, exam, centre, modalities, channels, device
        As for ``BoxRun``.
    keys : tuple of str
        Structures of outputs 1...
    flip : bool
        Average with the mirrored box.
    temperature : float
        As for ``BoxRun.probabilities``.

    Returns
    -------
    Volume
        float32 array of shape (i, j, k, 1 + structures).
    """
    run = BoxRun(network, exam, centre, modalities, channels, device)
    if flip:
        run.add_mirrored(keys)
    return run.probabilities(temperature)


def _fast_half(device: str) -> bool:
    """Whether 16 bits are quicker here than 32: on GPUs, and on CPUs that know bfloat16."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
