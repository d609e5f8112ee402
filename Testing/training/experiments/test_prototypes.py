"""Prototypes: what looks like a class is found to be it."""

import torch

from training.experiments.prototypes import SCALE, prototypes_of, scores, segment, together


def picture(seed=0):
    """Three classes with a direction of their own each, and noise; class 2 is one voxel."""
    classes = torch.zeros(8, 8, 8, dtype=torch.long)
    classes[4:, :4] = 1
    classes[0, 7, 7] = 2
    noise = 0.05 * torch.randn(4, 8, 8, 8, generator=torch.Generator().manual_seed(seed))
    return torch.eye(4)[:, classes] + noise, classes


def test_large_classes_get_local_prototypes_and_small_ones_a_global_one():
    features, classes = picture()
    known = prototypes_of(features, classes, 4, grid=4)
    count = torch.bincount(known.classes, minlength=4).tolist()
    assert count == [6, 3, 1, 0]  # a background cell of 64 voxels holds the one of class 2: 98 %
    assert torch.allclose(known.vectors.norm(dim=1), torch.ones(len(known.vectors)))


def test_a_query_is_segmented_by_its_support():
    features, classes = picture()
    query, truth = picture(seed=1)
    known = prototypes_of(features, classes, 4, grid=4)
    assert torch.equal(segment(query, known, 4), truth)


def test_a_class_without_prototypes_is_never_chosen():
    features, classes = picture()
    known = prototypes_of(features, classes, 4, grid=4)
    assert (scores(features.flatten(1), known, 4)[3] == -SCALE).all()


def test_several_supports_are_one_sorted_set():
    parts = [prototypes_of(*picture(seed), 4, grid=4) for seed in (0, 1)]
    both = together(parts)
    assert len(both.classes) == sum(len(part.classes) for part in parts)
    assert torch.equal(both.classes, both.classes.sort().values)
    query, truth = picture(seed=2)
    assert torch.equal(segment(query, both, 4), truth)
