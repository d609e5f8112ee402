"""From a diffusion-weighted series to its maps: the one way in.

In this order: gradients checked, axes checked against the fibres, movement and eddy currents
estimated, noise and ringing taken off (if asked for), movement undone, lost slices, fit. What was
done before is not done again. Noise is taken off before anything is interpolated, but after it is
known how far the head moved: see ``denoise.LARGEST_MOVEMENT``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ..dwi import Dwi, TensorMaps
from ..finding import Finding
from ..volume import Volume
from . import denoise, motion
from .fit import fit_tensors
from .gradients import SUBJECT, check_gradients, count_directions, shells
from .linear import design_matrix, linear_fit, tensors_of
from .mask import brain_mask
from .movement import Movement
from .orientation import Coherence, check_orientation, in_words
from .outliers import outlier_finding, replace_outliers

Progress = Callable[[str, float, str], None]

LARGE_DEGREES, LARGE_MM = 3.0, 3.0
"""Movement within a series from which the numbers are to be used with care: more than a voxel.
Our own choice."""
LOW_SNR = 10.0
"""Of the b=0 images; below, FA is too high (Jones & Basser, Magn Reson Med 2004;52:979,
doi:10.1002/mrm.20283, for the noise floor; the limit is our own choice)."""
NEGATIVE_SHARE = 0.1
"""Of the brain with an eigenvalue below zero, from which a reader is told; our own choice."""
SMALLEST_BRAIN_ML = 20.0
"""Less is no brain; our own choice."""
# Share of the time by step, measured on 96 x 96 x 60 x 33 (docs/results/diffusion.md).
_STARTS = {"check": 0.0, "motion": 0.05, "denoise": 0.55, "ringing": 0.62, "fit": 0.65}


@dataclass(frozen=True)
class DiffusionOptions:
    """What is done to a series.

    Attributes
    ----------
    denoise : bool
        MP-PCA, and the noise floor taken off. Off by itself: on simulated series it made single
        voxels a tenth more exact, and took up to 0.06 of FA from the smallest structures
        (docs/results/diffusion.md).
    gibbs : bool
        Ringing removed: only for acquisitions without partial Fourier.
    motion : bool
        Movement and eddy currents.
    robust : bool
        Outliers are left out of the fit, voxel by voxel.
    """

    denoise: bool = False
    gibbs: bool = False
    motion: bool = True
    robust: bool = True


def process_dwi(
    dwi: Dwi, options: DiffusionOptions | None = None, progress: Progress | None = None
) -> TensorMaps:
    """Return the maps of a series.

    Parameters
    ----------
    dwi : Dwi
    options : DiffusionOptions, optional
    progress : callable, optional
        Called with stage, fraction 0-1 and text.

    Returns
    -------
    TensorMaps
        On the grid of the series, where its first unweighted volume lies. ``findings`` starts with
        those of ``dwi``; ``facts`` is plain numbers and words.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: see ``check_gradients``; values that are no numbers; no brain.
    """
    run = _Run(options or DiffusionOptions(), progress or (lambda *_: None))
    run.step("check", "Checking the gradients")
    dwi = _plain(dwi)
    dwi, _ = check_gradients(dwi)
    mask = _mask(dwi)
    dwi = _oriented(dwi, mask, run)
    movements = _movements(dwi, mask, run)
    dwi, snr = _denoised(dwi, mask, _largest(movements), run)
    if run.options.gibbs and "gibbs" not in dwi.corrected:
        run.step("ringing", "Removing ringing")
        dwi = replace(dwi, volume=denoise.remove_ringing(dwi.volume))
        run.done.append("gibbs")
    run.step("fit", "Fitting the tensors")
    moved = motion.still(dwi) if movements is None else motion.undo_motion(dwi, mask, movements)
    mask = _mask(moved.dwi)
    repaired = replace_outliers(moved, mask)
    _note(run, outlier_finding(repaired.outliers, repaired.judged))
    fit = fit_tensors(repaired.dwi, mask, run.options.robust, repaired.lost)
    if snr is None:
        snr = _snr_of_fit(fit.maps, mask, len(dwi.bvals), run)
    run.step("done", "Diffusion maps are ready")
    _judge(run, snr, fit.negative_share)
    facts = {
        "directions": count_directions(dwi.bvecs[~dwi.unweighted]),
        "shells": {str(b): n for b, n in shells(dwi.bvals).items()},
        "snr_b0": None if snr is None else round(snr, 1),
        "snr_b0_method": run.snr_method,
        "corrected_before": sorted(dwi.corrected),
        "corrected_here": list(run.done),
        "phase_encoding": dwi.phase_encoding,
        "lost_slices": int(repaired.outliers.sum()),
        "fit": fit.method,
        "negative_eigenvalues_percent": round(100 * fit.negative_share, 2),
        **run.facts,
        "seconds": {name: round(value, 1) for name, value in run.seconds.items()},
    }
    return replace(fit.maps, findings=(*dwi.findings, *run.findings), facts=facts)


class _Run:
    """What a run reports: progress, seconds by step, findings and facts."""

    def __init__(self, options: DiffusionOptions, progress: Progress):
        self.options = options
        self.findings: list[Finding] = []
        self.facts: dict[str, object] = {}
        self.done: list[str] = []
        self.seconds: dict[str, float] = {}
        self.snr_method = ""
        self._progress = progress
        self._stage, self._since = "", time.perf_counter()

    def step(self, stage: str, text: str) -> None:
        """End the step before and begin another."""
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = now - self._since
        self._stage, self._since = stage, now
        self._progress(stage, _STARTS.get(stage, 1.0), text)

    def within(self, fraction: float, text: str) -> None:
        """Report how far the present step has come, 0-1."""
        starts = [*_STARTS.values(), 1.0]
        start = _STARTS[self._stage]
        end = min(value for value in starts if value > start)
        self._progress(self._stage, start + fraction * (end - start), text)


def _plain(dwi: Dwi) -> Dwi:
    """The series in float32, with neither negative values nor what is no number."""
    array = np.asarray(dwi.volume.array)
    if array.ndim == 4 and array.size:
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise _unsuitable(
                "it has voxels that are not numbers (NaN or infinite)",
                "Convert the series again from the scanner's files.",
            )
        if high <= 0:
            raise _unsuitable("it is empty", "Check that this is the diffusion series.")
        array = np.maximum(array.astype(np.float32, copy=False), 0.0)
    return replace(dwi, volume=Volume(array, np.asarray(dwi.volume.affine, dtype=float)))


def _mask(dwi: Dwi) -> np.ndarray:
    b0 = dwi.volume.array[..., dwi.unweighted].mean(axis=3)
    mask = brain_mask(Volume(b0, dwi.volume.affine))
    if mask.sum() * dwi.volume.voxel_volume < 1000 * SMALLEST_BRAIN_ML:
        raise _unsuitable(
            "its unweighted images show no brain",
            "Check that this is the diffusion series of a head.",
        )
    return mask


def _oriented(dwi: Dwi, mask: np.ndarray, run: _Run) -> Dwi:
    """Check the axes of the gradients by the fibres, with a quick fit."""
    tensors = np.zeros((*mask.shape, 3, 3), np.float32)
    design = design_matrix(dwi.bvals, dwi.bvecs)
    tensors[mask] = 1e3 * tensors_of(linear_fit(dwi.volume.array[mask], design))
    dwi, coherence, _ = check_orientation(dwi, Volume(tensors, dwi.volume.affine), mask)
    run.facts["gradient_axes"] = _coherence_facts(coherence)
    return dwi


def _coherence_facts(coherence: Coherence) -> dict[str, object]:
    return {
        "best": in_words(coherence.transforms[coherence.best]),
        "change_along_fibres": round(float(coherence.change[0]), 3),
        "change_along_fibres_best": round(float(coherence.change.min()), 3),
        "lead_standard_errors": round(coherence.lead, 1),
        "voxels": coherence.voxels,
    }


def _movements(dwi: Dwi, mask: np.ndarray, run: _Run) -> tuple[Movement, ...] | None:
    """Movement by volume; None where it is not to be undone."""
    if not run.options.motion or "motion" in dwi.corrected:
        return None
    if motion.too_thin(dwi):
        run.findings.append(
            Finding(
                "motion_not_corrected",
                "info",
                "Movement in the diffusion series was not corrected: the slab is too thin for it.",
                "Look at the series; correct it before if the head moved.",
            )
        )
        return None
    words = "Estimating movement"
    run.step("motion", words)
    found = motion.estimate_motion(dwi, mask, lambda fraction: run.within(fraction, words))
    run.done.append("motion")
    degrees = np.array([m.degrees for m in found])
    shift = np.array([m.millimetres for m in found])
    run.facts["motion"] = {
        "largest_degrees": round(float(degrees.max()), 2),
        "largest_mm": round(float(shift.max()), 2),
        "degrees": [round(float(value), 2) for value in degrees],
        "mm": [round(float(value), 2) for value in shift],
        "largest_shear": round(float(max(np.abs(m.shear).max() for m in found)), 4),
    }
    if degrees.max() > LARGE_DEGREES or shift.max() > LARGE_MM:
        run.findings.append(
            Finding(
                "diffusion_motion",
                "warning",
                f"The head moved by up to {shift.max():.1f} mm and {degrees.max():.1f} degrees "
                "during the diffusion series; it was corrected from volume to volume.",
                "Look at the maps; FA and MD are less certain than without movement.",
            )
        )
    return found


def _largest(movements: tuple[Movement, ...] | None) -> float:
    """Largest rotation (degrees) or translation (mm)."""
    return max((max(m.degrees, m.millimetres) for m in movements or ()), default=0.0)


def _denoised(dwi: Dwi, mask: np.ndarray, movement: float, run: _Run) -> tuple[Dwi, float | None]:
    """The series without noise, and the signal-to-noise ratio of its b=0 images if known."""
    if not run.options.denoise or "denoising" in dwi.corrected:
        return dwi, None
    reason = denoise.why_not_denoise(dwi.volume.array.shape, int(mask.sum()), movement)
    if "motion" in dwi.corrected or "distortion" in dwi.corrected:
        reason = "it was interpolated before, which hides what is noise"
    if reason is not None:
        run.findings.append(denoise.not_denoised(reason))
        return dwi, None
    run.step("denoise", "Removing noise")
    volume, sigma = denoise.denoise(dwi.volume, mask)
    run.done.append("denoising")
    if not sigma:
        return replace(dwi, volume=volume), None
    run.snr_method = "median of b=0 in the brain over the noise that MP-PCA found"
    signal = np.median(dwi.volume.array[..., dwi.unweighted][mask].mean(axis=1))
    return replace(dwi, volume=volume), float(signal / sigma)


def _snr_of_fit(maps: TensorMaps, mask: np.ndarray, volumes: int, run: _Run) -> float | None:
    """Unweighted signal over what the tensor leaves, which holds more than noise alone."""
    left = float(np.median(maps.residual.array[mask]))
    if left <= 0 or volumes <= 7:
        return None
    run.snr_method = "one over the fit's residual, median in the brain"
    return float(1 / (left * np.sqrt(volumes / (volumes - 7))))


def _judge(run: _Run, snr: float | None, negative: float) -> None:
    if snr is not None and snr < LOW_SNR:
        run.findings.append(
            Finding(
                "diffusion_noise",
                "warning",
                f"The signal of the unweighted images is only {snr:.0f} times the noise: FA is too "
                "high where it is low, and too low where it is high.",
                "Compare only with exams of the same protocol, and with care.",
            )
        )
    if negative > NEGATIVE_SHARE:
        run.findings.append(
            Finding(
                "negative_eigenvalues",
                "warning",
                f"In {100 * negative:.0f} % of the brain the fit gave a negative diffusivity, "
                "which counts as zero: noise, movement, or a wrong gradient table.",
                "Look at the series and its gradient table.",
            )
        )


def _note(run: _Run, finding: Finding | None) -> None:
    if finding is not None:
        run.findings.append(finding)


def _unsuitable(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(SUBJECT, problem, remedy, ExitCode.UNSUITABLE_DIFFUSION)
