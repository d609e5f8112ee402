"""Prototype baseline at very few support cases, in the spirit of SSL-ALPNet.

    python -m training.experiments.few_shot [--config FILE]

Features are learned without labels, in episodes on supervoxels (SLIC, Achanta et al. 2012,
doi:10.1109/TPAMI.2012.120; SimpleITK): some supervoxels of an image are its pseudo-classes, and the
same image, turned and with another contrast, has to be segmented by their prototypes, and the other
way round (Ouyang et al. 2022, doi:10.1109/TMI.2022.3150682). The brainstem's structures are then
found by the prototypes of the support cases, without any further learning. Unlike the paper: whole
volumes instead of slices, several classes an episode, and our small network instead of a ResNet.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from torch.nn import functional as F

from ..geometry_augmentation import Draw, rotation
from ..synthesis import channel_table, mirror_table
from . import commands
from .bank import Bank, unpacked
from .batches import Exam, channels, choose, contrasted, draw_modalities, window
from .fitting import Loss, Plan, fit
from .networks import Headed, built, run_network
from .prototypes import prototypes_of, scores, segment, together
from .scoring import Predict
from .study import Run, Study, Trained, part_of
from .supervised import CLASSES

METHOD = "few_shot"
WIDTH = 32  # of the features that are compared (our own choice)
COMPACTNESS = 0.1  # of SLIC: weight of nearness beside a T1 of 0-1 (our own choice)
MIN_VOXELS = 30  # of a supervoxel that becomes a pseudo-class (our own choice)
MAX_TURN_DEG = 10.0
MAX_ZOOM = 0.1  # both of the query against the support (our own choices)


def supervoxels(planes: torch.Tensor, size: int) -> torch.Tensor:
    """Cut the T1 of banked planes (planes, i, j, k) into supervoxels, int32 (i, j, k) from 0."""
    import SimpleITK as sitk

    t1 = unpacked(planes)["t1"].numpy()
    image = sitk.GetImageFromArray(np.ascontiguousarray(t1))
    return torch.from_numpy(
        sitk.GetArrayFromImage(sitk.SLIC(image, [size] * 3, COMPACTNESS)).astype(np.int32)
    )


def supervoxel_bank(study: Study) -> Bank:
    """Return images with supervoxels as labels, of all training anatomies, made as far as lacking.

    uint8 labels would not hold them: they are int32.
    """
    plan = study.settings.few_shot
    facts = [study.bank.facts, plan.renders, plan.supervoxel, COMPACTNESS]
    bank = Bank(study.folder / "supervoxels", facts)
    for case in study.training_cases:

        def make(case=case):
            planes = study.bank[case]["images"][: plan.renders]
            return {
                "images": planes,
                "labels": torch.stack([supervoxels(one, plan.supervoxel) for one in planes]),
            }

        bank.add(case, study.bank.mark(case), make)
    return bank


def turned(draw: Draw, exam: Exam, classes: torch.Tensor) -> tuple[Exam, torch.Tensor]:
    """Turn and zoom an exam and its classes (i, j, k) by the same small amounts."""
    matrix = rotation(MAX_TURN_DEG * draw.uniform(-1, 1, 3)) * draw.number(
        1 - MAX_ZOOM, 1 + MAX_ZOOM
    )
    half = torch.tensor(classes.shape).flip(0).float()  # x of a grid runs along the last axis
    matrix = matrix * half[None, :] / half[:, None]
    grid = F.affine_grid(
        torch.cat([matrix, torch.zeros(3, 1)], 1)[None], [1, 1, *classes.shape], align_corners=False
    )
    moved = {
        name: F.grid_sample(
            image.reshape(1, -1, *classes.shape), grid, align_corners=False
        ).reshape(image.shape)
        for name, image in exam.items()
    }
    labels = F.grid_sample(classes[None, None].float(), grid, mode="nearest", align_corners=False)
    return moved, labels[0, 0].long()


def episode_loss(study: Study) -> Loss:
    """Return the loss of an episode, see the top of the file."""
    plan, images = study.settings.few_shot, study.settings.images
    bank, cases = supervoxel_bank(study), study.training_cases
    count = 1 + plan.pseudo_classes
    unmirrored = torch.arange(256)

    def loss(network: Headed, _: torch.nn.Module, draw: Draw, __: float) -> torch.Tensor:
        tensors = bank[choose(draw, cases)]
        render = int(draw.number(0, len(tensors["images"])))
        # The middle window, unmirrored: supervoxels have no other side.
        exam, pieces = window(None, tensors, render, images, unmirrored)
        classes = _pseudo_classes(draw, pieces, plan.pseudo_classes)
        query, query_classes = turned(draw, exam, classes)
        modalities = draw_modalities(draw)
        pair = [channels(contrasted(draw, e, strong=True), modalities) for e in (exam, query)]
        features = run_network(network, torch.stack(pair)).float()
        both = (classes, query_classes)
        total = features.new_zeros(())
        for support, asked in ((0, 1), (1, 0)):
            known = prototypes_of(features[support], both[support], count, plan.grid)
            place = _places(draw, both[asked], plan.voxels)
            logits = scores(features[asked].flatten(1)[:, place], known, count)
            total = total + F.cross_entropy(logits.T, both[asked].flatten()[place]) / 2
        return total

    return loss


def _pseudo_classes(draw: Draw, pieces: torch.Tensor, count: int) -> torch.Tensor:
    """Classes (i, j, k) of an episode: some supervoxels, the rest is background."""
    _, number, sizes = pieces.unique(return_inverse=True, return_counts=True)
    large = torch.nonzero(sizes >= MIN_VOXELS)[:, 0]
    chosen = large[torch.randperm(len(large), generator=draw.generator)[:count]]
    table = torch.zeros(len(sizes), dtype=torch.long)
    table[chosen] = torch.arange(1, 1 + len(chosen))
    return table[number]


def _places(draw: Draw, classes: torch.Tensor, count: int) -> torch.Tensor:
    """Voxels that are scored: half of them foreground, which is rare, half anywhere."""
    inside = torch.nonzero(classes.flatten())[:, 0]
    anywhere = torch.randint(classes.numel(), (count // 2,), generator=draw.generator)
    if not len(inside):
        return anywhere
    chosen = inside[torch.randint(len(inside), (count // 2,), generator=draw.generator)]
    return torch.cat([chosen, anywhere])


def train(study: Study, run: Run) -> Trained:
    """Learn the features."""
    settings = study.settings
    network = built(settings.network.filters, WIDTH, settings.seed)
    plan = Plan(settings.few_shot.steps, settings.few_shot.rate, settings.seed)
    return Trained.of(fit(run.name, network, episode_loss(study), plan))


def _nothing_learned(study: Study, run: Run) -> Trained:
    """Take the features as they are: support cases only give prototypes."""
    study.perform(run.built_on)
    return Trained(study.store.weights(run.built_on.name), 0, 0.0)


@torch.no_grad()
def predictor(study: Study, run: Run, weights: dict[str, torch.Tensor]) -> Predict:
    """Return what segments by the prototypes of the run's labelled anatomies."""
    settings = study.settings
    plan, images = settings.few_shot, settings.images
    network = built(settings.network.filters, WIDTH, 0)
    network.load_state_dict(part_of(weights))
    network.eval()
    parts: dict[bool, list] = {True: [], False: []}
    for case in run.labelled:
        tensors = study.bank[case]
        for render in range(min(plan.renders, len(tensors["images"]))):
            exam, labels = window(None, tensors, render, images, mirror_table())
            # A query without diffusion is compared with a support without it.
            for whole, names in ((True, tuple(exam)), (False, ("t1",))):
                features = run_network(network, channels(exam, names)[None])[0].float()
                classes = channel_table()[labels.long()]
                parts[whole].append(prototypes_of(features, classes, CLASSES, plan.grid))
    known = {whole: together(found) for whole, found in parts.items()}

    @torch.no_grad()
    def predict(planes: torch.Tensor) -> torch.Tensor:
        features = run_network(network, planes[None])[0].float()
        return segment(features, known[bool(planes[1:].any())], CLASSES)

    return predict


def pretraining(study: Study) -> Run:
    """Return the features that all support sets share."""
    facts = asdict(study.settings.few_shot)
    del facts["support"]
    own = {"width": WIDTH, "compactness": COMPACTNESS, "least": MIN_VOXELS}
    return Run(
        name=f"{METHOD}-pretraining",
        method=METHOD,
        labelled=(),
        facts={"plan": facts, **own},
        train=train,
        unlabelled=True,
    )


def runs(study: Study) -> list[Run]:
    """Return the pretraining, and one run for each number of support cases."""
    first = pretraining(study)
    sets = [study.labelled(support) for support in study.settings.few_shot.support]
    return [
        first,
        *(
            Run(
                name=f"{METHOD}-{len(cases):02d}",
                method=METHOD,
                labelled=cases,
                facts={"plan": first.facts["plan"]},
                train=_nothing_learned,
                predictor=predictor,
                built_on=first,
            )
            for cases in sets
        ),
    ]


if __name__ == "__main__":
    commands.one_method(__doc__, runs)
