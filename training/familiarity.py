"""Describes the exams that the structure network knows, for the finding on unfamiliar ones.

    python -m training.familiarity [--images 146] [--seed 11] [--again] [--model-dir FOLDER]

Exams of training anatomies are simulated, every second one deformed as in training, segmented from
the T1 alone and with FA and MD, and described by ``segmentation.familiarity``. Means, inverse
covariances and limits go into the sidecar of the model, beside the checksum of its weights: after
an export or a calibration the command has to run again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation import familiarity as F
from BrainstemALSLib.segmentation import models
from BrainstemALSLib.segmentation.familiarity_properties import PARTS
from BrainstemALSLib.segmentation.familiarity_spots import KINDS
from BrainstemALSLib.segmentation.inference import usable_channels

from .anatomies import data_fingerprint, load_anatomy
from .commands import finish, training_cases
from .evaluation import adapter
from .evaluation.simulate import simulate_exam
from .evaluation.tables import command_line
from .export import add_to_sidecar, default_folder

IMAGES = 146  # each of the 73 training anatomies as it is, and deformed
FOLDS = 5
# Our own choice. Limits lie above what one in a hundred familiar exams reaches, by what a real scan
# may differ from every simulation without being any worse.
QUANTILE = 0.99
SLACK = 1.25
SMALLEST = {"missing": 0.5, "nodding": 12.0, "tilt": 8.0, "turn": 8.0}
"""Standard deviations that are at least assumed (our own choice). Simulated exams rarely lack a
structure, and one that is missing has a finding of its own; heads lie in scanners at more angles
(degrees) than the subjects of a few studies, and training turns them by up to 20."""


def fit(descriptions: Sequence[F.Description], groups: Sequence[str]) -> dict:
    """Fit the reference of one set of inputs.

    Parameters
    ----------
    descriptions : sequence of Description
        Of familiar exams.
    groups : sequence of str
        Anatomy of each: limits come from exams of anatomies that the fit at hand has not seen.

    Returns
    -------
    dict
        Entry for the sidecar, see ``segmentation.familiarity.reference``.
    """
    parts = {}
    for name in descriptions[0].parts:
        values = np.stack([d.parts[name] for d in descriptions])
        parts[name] = {
            "properties": list(PARTS[name]),
            **_gaussian(name, values),
            "limit": _limit(name, values, groups),
        }
    sizes = {kind: [d.spots[kind].size for d in descriptions] for kind in KINDS}
    spots = {
        kind: SLACK * float(np.nanquantile(np.maximum(of_kind, 0), QUANTILE))
        for kind, of_kind in sizes.items()
    }
    return {"parts": parts, "spots": spots}


def _gaussian(name: str, values: np.ndarray) -> dict:
    """Mean and inverse of the shrunk covariance (Ledoit & Wolf 2004) of rows of properties.

    Properties are standardised first: the shrinkage pulls towards equal variances, and degrees
    and logarithms have none in common.
    """
    from sklearn.covariance import LedoitWolf

    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    constant = spread < 1e-9
    standard = np.nan_to_num((values - mean) / np.where(constant, 1.0, spread), nan=0.0)
    covariance = LedoitWolf(assume_centered=True).fit(standard).covariance_
    covariance[constant, constant] = 1.0
    spread = np.maximum(spread, [SMALLEST.get(one, 1e-6) for one in PARTS[name]])
    precision = np.linalg.inv(covariance) / np.outer(spread, spread)
    return {"mean": mean.tolist(), "precision": precision.tolist()}


def _limit(name: str, values: np.ndarray, groups: Sequence[str]) -> float:
    """Largest familiar distance: above that of unseen exams, and of a Gaussian of this spread."""
    from scipy.stats import chi2

    unseen = float(np.quantile(_unseen_distances(name, values, groups), QUANTILE))
    return max(SLACK * unseen, float(np.sqrt(chi2.ppf(QUANTILE, len(PARTS[name])))))


def _unseen_distances(name: str, values: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Distance of every row to a fit of the rows of other anatomies."""
    from sklearn.model_selection import GroupKFold

    out = np.empty(len(values))
    folds = min(FOLDS, len(set(groups)))
    for seen, unseen in GroupKFold(folds).split(values, groups=list(groups)):
        gaussian = _gaussian(name, values[seen])
        part = F.Part(np.array(gaussian["mean"]), np.array(gaussian["precision"]), 1.0)
        out[unseen] = [part.distance(name, row) for row in values[unseen]]
    return out


@contextmanager
def t1_contrast() -> Iterator[None]:
    """Leave out contrast at will: it teaches the network shapes, but no T1 has it."""
    from .synthesis import PROBABILITY

    usual = PROBABILITY["free_contrast"]
    PROBABILITY["free_contrast"] = 0.0
    try:
        yield
    finally:
        PROBABILITY["free_contrast"] = usual


def deformed(anatomy: Volume, seed: int) -> Volume:
    """Return an anatomy with the random pose, size, shape and atrophy that training draws."""
    import torch

    from .geometry_augmentation import Draw, look_up, window_points
    from .synthesis import Anatomy

    known = Anatomy.from_volume(anatomy)
    spacing = float(anatomy.spacing[0])
    points = window_points(
        Draw(torch.Generator().manual_seed(seed)), known.centre, known.sites, anatomy.shape, spacing
    )
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = known.centre.numpy() - (np.array(anatomy.shape) - 1) / 2 * spacing
    return Volume(look_up(known.labels, known.inverse, points).numpy(), affine)


def familiar_exams(cases: Sequence[str], images: int, seed: int) -> Iterator[tuple[str, Exam]]:
    """Yield simulated exams of anatomies in turn, every second deformed, and each in both ways."""
    for number in range(images):
        case = cases[number % len(cases)]
        image_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        anatomy = load_anatomy(case)
        if (number % len(cases) + number // len(cases)) % 2:
            anatomy = deformed(anatomy, image_seed)
        with t1_contrast():
            exam, _, _ = simulate_exam(anatomy, image_seed)
        # Users bring maps with and without directions: both are familiar.
        yield case, exam if number % 3 == 0 else adapter.without_directions(exam)


def described(exam: Exam, segmenter) -> tuple[str, F.Description] | None:
    """Segment and describe an exam: name of its inputs, description; None without a brainstem."""
    from scipy.special import softmax

    try:
        logits = segmenter.logits(exam)
    except BrainstemALSError as refusal:
        if refusal.code != ExitCode.NO_BRAINSTEM:
            raise
        return None
    box = Volume(softmax(logits.array / segmenter.temperature, axis=-1), logits.affine)
    centre = (box.affine @ [*(np.array(box.shape[:3]) - 1) / 2, 1])[:3]
    modalities, _ = usable_channels(exam, centre, segmenter.channels)
    description = F.describe(exam, box, segmenter.keys, modalities)
    return None if description is None else (F.inputs_of(modalities), description)


def reference_of(cases: Sequence[str], images: int, seed: int, segmenter) -> dict:
    """Simulate, segment, describe and fit: ``sets`` of the sidecar's entry."""
    collected: dict[str, list[F.Description]] = {F.T1: [], F.DIFFUSION: []}
    groups: dict[str, list[str]] = {F.T1: [], F.DIFFUSION: []}
    for number, (case, exam) in enumerate(familiar_exams(cases, images, seed), start=1):
        for shown in (adapter.t1_only(exam), exam):
            found = described(shown, segmenter)
            if found is not None:
                collected[found[0]].append(found[1])
                groups[found[0]].append(case)
        if number % 10 == 0:
            print(f"{number}/{images} exams", flush=True)
    for inputs, some in collected.items():
        if len(set(groups[inputs])) < 2:
            raise BrainstemALSError(
                "anatomies",
                f"only {len(some)} exams could be described",
                "Build more anatomies (`make atlas`) and use at least 20 images.",
                ExitCode.USAGE,
            )
    return {
        inputs: {"exams": len(some), **fit(some, groups[inputs])}
        for inputs, some in collected.items()
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--again", action="store_true", help="even where the sidecar has an entry")
    parser.add_argument("--model-dir", type=Path, help="folder instead of the bundled models'")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args(arguments)

    def work() -> None:
        folder = options.model_dir or default_folder()
        file = models.find_model(models.STRUCTURES, folder)
        inherited = file.card.get(F.KEY, {}).get(F.INHERITED)
        if not options.again and not inherited and all(F.references(file.card, file.path).values()):
            print("The sidecar describes familiar exams of these weights already (--again).")
            return
        cases = training_cases()
        segmenter = adapter.segmenter(options.device, folder)
        entry = {
            "format": F.FORMAT,
            "weights": file.card["sha256"],
            "temperature": file.temperature,
            "command": command_line(),
            "seed": options.seed,
            "anatomies": min(len(cases), options.images),
            "data_sha256": data_fingerprint(cases[: options.images]),
            "sets": reference_of(cases, options.images, options.seed, segmenter),
        }
        add_to_sidecar(file, {F.KEY: entry})
        print(f"Written: {file.path.with_suffix('.json').name}")

    finish(work)


if __name__ == "__main__":
    main()
