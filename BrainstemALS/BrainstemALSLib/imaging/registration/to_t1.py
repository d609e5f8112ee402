"""Lays diffusion maps on the T1, says how well, and refuses where that cannot be told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..dwi import TensorMaps
from ..finding import Finding
from ..geometry import same_grid
from ..volume import Volume
from . import findings
from .distortion import axis_of, straighten
from .quality import ACCEPTED, DOUBTFUL, GOOD, quality_of
from .region import Region, covered_share, region_around, stem_points
from .result import Registration, RegistrationOptions
from .rigid import centred_start, head_movement, region_movement

# Maps that already lie on the T1 to within this are left alone: somebody registered them, and the
# error of this registration is not much smaller. The largest movement of a point of the brainstem.
ALONE_MM, ALONE_DEGREES = 1.0, 1.0
# A movement beyond which the reader is told (our own choice): no head moves so far between two
# series of one session, so that headers and images disagree.
FAR_MM, FAR_DEGREES = 30.0, 20.0
# Of the brainstem: below the first share the maps miss it, below the second they cut it.
MISSED_SHARE, WHOLE_SHARE = 0.5, 0.95
# What straightening must add to the quality to be kept (our own choice).
SMALLEST_GAIN = 0.01


@dataclass(frozen=True, eq=False)
class _Fit:
    transform: np.ndarray
    contrast: str
    quality: float
    start: str


def register(
    maps: TensorMaps,
    t1: Volume,
    centre: np.ndarray | None = None,
    options: RegistrationOptions | None = None,
) -> Registration:
    """Lay diffusion maps on the T1.

    A rigid movement is found on the whole head and refined on the brainstem. It only changes the
    affines of the maps and turns V1: no voxel is resampled. Straightening, where it is asked for
    and helps, resamples them on their own grid.

    Parameters
    ----------
    maps : TensorMaps
        RAS mm; any of them may be missing, and their grids may differ. Of FA, b0 and MD the first
        that holds something is compared with the T1, the others only where it gives a poor fit.
    t1 : Volume
        float, shape (i, j, k), any grid.
    centre : numpy.ndarray, shape (3,), optional
        Middle of the brainstem in the T1, RAS mm; without it the whole head is compared, and
        whether the maps cover the brainstem is not checked.
    options : RegistrationOptions, optional

    Returns
    -------
    Registration
        Images that do not fit raise nothing: ``ok`` is False then, with a finding of the code
        ``registration_failed`` or ``diffusion_misses_brainstem``.
    """
    options = options or RegistrationOptions()
    began = time.perf_counter()
    region = region_around(centre, t1)
    fit = _best_fit(maps, t1, region)
    facts: dict[str, object] = {}
    if fit is not None:
        facts = {"contrast": fit.contrast, "start": fit.start, "quality": round(fit.quality, 3)}
        facts |= _movement(fit.transform, region)
    problem, warnings = _judged(fit, maps, region, facts)
    if problem is not None:
        quality = fit.quality if fit else 0.0
        result = Registration(False, None, quality, np.eye(4), (problem,), facts)
    else:
        result = _placed(maps, t1, region, fit, warnings, facts)
        if options.unwarp:
            result = _straightened(result, t1, region, fit.contrast, options.phase_encoding)
    result.facts["registration_seconds"] = round(time.perf_counter() - began, 2)
    return result


def contrasts_of(maps: TensorMaps) -> dict[str, Volume]:
    """Return the images that can be compared with the T1, the best first.

    FA shows where white matter is, which is what the T1 shows too. b0 and MD show above all where
    fluid is; how much of it a voxel of 2.5 mm at the surface of the brainstem holds pulls the fit
    by up to a millimetre. The order is that of the errors on simulated heads, see
    docs/results/registration.md.
    """
    given = {"FA": maps.fa, "b0": maps.b0, "MD": maps.md}
    return {
        name: volume
        for name, volume in given.items()
        if volume is not None and volume.array.max() > volume.array.min()
    }


def _best_fit(maps: TensorMaps, t1: Volume, region: Region) -> _Fit | None:
    best: _Fit | None = None
    for fit in _fits(contrasts_of(maps), t1, region):
        if best is None or fit.quality > best.quality:
            best = fit
        if best.quality >= GOOD:
            break
    return best


def _fits(contrasts: dict[str, Volume], t1: Volume, region: Region) -> Iterator[_Fit]:
    """Fits, the likeliest first: each contrast from the header's position, then the best contrast
    from the centres of mass, which a slab or a neck in view lead astray."""
    starts = [("header", name) for name in contrasts]
    starts += [("centre of mass", name) for name in list(contrasts)[:1]]
    for start, name in starts:
        contrast = contrasts[name]
        first = np.eye(4) if start == "header" else centred_start(contrast, t1)
        by_head = head_movement(contrast, t1, first, region.centre)
        if by_head is None:
            continue
        refined = region_movement(contrast, t1, by_head, region)
        # A slab that holds little of the region can be led astray there.
        fits = [
            _Fit(transform, name, quality_of(_moved(contrast, transform), t1, region), start)
            for transform in (refined, by_head)
            if transform is not None
        ]
        yield fits[0] if fits[0].quality >= DOUBTFUL else max(fits, key=lambda f: f.quality)


def _judged(
    fit: _Fit | None, maps: TensorMaps, region: Region, facts: dict[str, object]
) -> tuple[Finding | None, tuple[Finding, ...]]:
    """The finding that forbids to use the maps, if there is one, and those that only warn."""
    # Any one of them: maps of one exam show the same place, on grids of their own perhaps.
    shown = [v for v in (maps.md, maps.fa, maps.b0) if v is not None]
    shown = next((v for v in shown if v.array.any()), shown[0])
    mask = Volume(shown.array != 0, shown.affine)
    points = stem_points(region.centre)
    by_header = covered_share(mask, points) if region.is_brainstem else 1.0
    covered = by_header
    if fit is not None and region.is_brainstem:
        covered = covered_share(_moved(mask, fit.transform), points)
        facts["brainstem_covered"] = round(covered, 3)
    if fit is None or fit.quality < DOUBTFUL or covered < MISSED_SHARE:
        # Where the header has the brainstem covered and the fit has not, the fit is wrong.
        if mask.array.any() and by_header < WHOLE_SHARE and min(by_header, covered) < MISSED_SHARE:
            return findings.misses_brainstem(min(by_header, covered)), ()
        return findings.failed(fit.quality if fit else 0.0), ()
    warnings = []
    if facts["translation_mm"] > FAR_MM or facts["rotation_degrees"] > FAR_DEGREES:
        warnings.append(findings.far(facts["translation_mm"], facts["rotation_degrees"]))
    if fit.quality < ACCEPTED:
        warnings.append(findings.uncertain(fit.quality))
    if covered < WHOLE_SHARE:
        warnings.append(findings.cuts_brainstem(covered))
    return None, tuple(warnings)


def _movement(transform: np.ndarray, region: Region) -> dict[str, object]:
    """Size of a movement: the turn, the shift of the centre, the largest shift in the brainstem."""
    points = stem_points(region.centre)
    back = np.linalg.inv(transform)
    apart = points @ (np.eye(3) - back[:3, :3]).T - back[:3, 3]
    shift = transform[:3, :3] @ region.centre + transform[:3, 3] - region.centre
    cosine = np.clip((np.trace(transform[:3, :3]) - 1) / 2, -1, 1)
    return {
        "rotation_degrees": round(float(np.degrees(np.arccos(cosine))), 2),
        "translation_mm": round(float(np.linalg.norm(shift)), 2),
        "largest_movement_mm": round(float(np.linalg.norm(apart, axis=1).max()), 2),
    }


def _placed(
    maps: TensorMaps,
    t1: Volume,
    region: Region,
    fit: _Fit,
    warnings: tuple[Finding, ...],
    facts: dict[str, object],
) -> Registration:
    """Move the maps, unless they already lie where they belong."""
    transform, quality = fit.transform, fit.quality
    before = quality_of(contrasts_of(maps)[fit.contrast], t1, region)
    alone = (
        facts["largest_movement_mm"] < ALONE_MM
        and facts["rotation_degrees"] < ALONE_DEGREES
        and before >= ACCEPTED
    )
    facts |= {"quality_before": round(before, 3), "left_alone": alone}
    if alone:
        transform, quality = np.eye(4), before
        facts["quality"] = round(before, 3)
    moved = maps if alone else maps.moved(transform)
    return Registration(True, moved, quality, transform, warnings, facts)


def _straightened(
    placed: Registration, t1: Volume, region: Region, contrast: str, phase_encoding: str | None
) -> Registration:
    axis = axis_of(phase_encoding)
    if axis is None:
        return replace(placed, findings=(*placed.findings, findings.no_phase_encoding()))
    image = contrasts_of(placed.maps)[contrast]
    others = (getattr(placed.maps, name) for name in ("fa", "md", "ad", "rd", "v1", "b0"))
    if not all(volume is None or same_grid(volume, image) for volume in others):
        found = (*placed.findings, findings.several_grids())
        return replace(placed, findings=found)
    done = straighten(placed.maps, image, t1, region, axis)
    quality = quality_of(done.contrast, t1, region) if done else 0.0
    facts = {**placed.facts, "straightened": quality >= placed.quality + SMALLEST_GAIN}
    if done is not None:
        facts["quality_straightened"] = round(quality, 3)
        facts["smallest_jacobian"] = round(done.smallest_jacobian, 3)
    if not facts["straightened"]:
        found = (*placed.findings, findings.unwarping_rejected())
        return replace(placed, findings=found, facts=facts)
    near = np.abs(done.displacement_mm[done.contrast.array != 0])
    facts["displacement_mm_p95"] = round(float(np.percentile(near, 95)), 2)
    return replace(
        placed,
        maps=done.maps,
        quality=quality,
        facts=facts,
        displacement_mm=done.displacement_mm,
    )


def _moved(volume: Volume, transform: np.ndarray) -> Volume:
    return Volume(volume.array, transform @ volume.affine)
