"""Dice + cross-entropy of many classes in one pass.

The same number as ``monai.losses.DiceCELoss(include_background=False, to_onehot_y=True,
softmax=True, batch=True, weight=...)``, with its gradient written out. MONAI's builds a one-hot
copy of the truth and several products of the size of the logits; with 45 classes on two processor
cores that took as long as the network itself (0.9 of 1.7 s a step, docs/decisions/0004).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

SMOOTH = 1e-5  # MONAI's smooth_nr and smooth_dr


class _DiceCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, truth, weight, levels):
        """Sums over voxels are taken per class; the probabilities are kept for the gradient."""
        classes = logits.shape[1]
        flat = logits.detach().float().movedim(1, 0).reshape(classes, -1)
        probability = torch.softmax(flat, 0)
        truth = truth.reshape(-1)
        own = probability.gather(0, truth[None])[0]
        voxel_weight = weight[truth]
        total_weight = voxel_weight.sum()
        log_own = own.clamp_min(torch.finfo(torch.float32).tiny).log()
        cross_entropy = -(voxel_weight * log_own).sum() / total_weight

        count = torch.bincount(truth, minlength=classes).to(flat)
        common = torch.zeros_like(count).scatter_add_(0, truth, own)
        predicted = probability.sum(1)
        denominator = count + predicted + SMOOTH
        ratio = (2 * common + SMOOTH) / denominator
        scored = weight.clone()
        scored[0] = 0.0  # the background has no Dice
        scored = scored / (classes - 1)
        ctx.save_for_backward(probability, truth, own, voxel_weight / total_weight)
        ctx.slopes = (-2 * scored / denominator, scored * ratio / denominator)
        ctx.shape, ctx.dtype = logits.shape, logits.dtype
        loss = cross_entropy + (scored * (1 - ratio)).sum()
        ctx.levels = []
        for group, importance in levels:
            level = _Level(group, importance, probability, truth, count)
            loss = loss + importance * level.loss
            ctx.levels.append(level)
        return loss

    @staticmethod
    def backward(ctx, gradient):
        """The chain rule through softmax, without a tensor of derivatives by probability."""
        probability, truth, own, share = ctx.saved_tensors
        by_common, by_predicted = ctx.slopes
        inner = by_predicted @ probability + by_common[truth] * own
        out = probability * (share - inner)
        out.addcmul_(probability, by_predicted[:, None])
        out.scatter_add_(0, truth[None], (by_common[truth] * own - share)[None])
        for level in ctx.levels:
            level.add_gradient(out, probability)
        samples, classes, *space = ctx.shape
        out = out.mul_(gradient).reshape(classes, samples, *space).movedim(0, 1)
        return out.to(ctx.dtype), None, None, None


class _Level:
    """Dice + cross-entropy of groups of classes: the same loss on sums of probabilities."""

    def __init__(self, group, importance, probability, truth, count):
        groups = int(group.max()) + 1
        self.group, self.importance = group, importance
        members = torch.nn.functional.one_hot(group, groups).T.to(probability)
        together = members @ probability
        self.truth = group[truth]
        self.own = together.gather(0, self.truth[None])[0].clamp_min(
            torch.finfo(torch.float32).tiny
        )
        common = torch.zeros(groups).to(count).scatter_add_(0, self.truth, self.own)
        denominator = members @ count + together.sum(1) + SMOOTH
        ratio = (2 * common + SMOOTH) / denominator
        scored = torch.full_like(ratio, 1 / (groups - 1))
        scored[0] = 0.0
        self.by_common = -2 * scored / denominator
        self.by_predicted = scored * ratio / denominator
        self.mean = together.T @ self.by_predicted
        self.loss = (scored * (1 - ratio)).sum() - self.own.log().mean()

    def add_gradient(self, out: torch.Tensor, probability: torch.Tensor) -> None:
        """Add the derivative by the logits, shape (classes, voxels), in place."""
        at_truth = self.by_common[self.truth] - 1 / (self.own * len(self.own))
        slope = self.by_predicted[self.group][:, None] - self.mean - at_truth * self.own
        slope += (self.group[:, None] == self.truth) * at_truth
        out.add_(probability * slope, alpha=self.importance)


def dice_cross_entropy(
    logits: torch.Tensor,
    truth: torch.Tensor,
    weight: torch.Tensor | None = None,
    levels: Sequence[tuple[torch.Tensor, float]] = (),
) -> torch.Tensor:
    """Sum of the mean Dice loss over all classes but the first, and of cross-entropy.

    Parameters
    ----------
    logits : torch.Tensor, shape (n, c, i, j, k)
        Before softmax, any floating type; sums are taken in float32.
    truth : torch.Tensor, shape (n, 1, i, j, k)
        int64 class numbers, 0 the background.
    weight : torch.Tensor, shape (c,), optional
        float32, of the classes, in both terms; 1 unless given.
    levels : sequence of (torch.Tensor, float)
        Coarser classes, see ``hierarchy``: int64 (c,), class to group, 0 the background alone; and
        the weight with which the same loss of the groups is added.

    Returns
    -------
    torch.Tensor
        float32 scalar.
    """
    if weight is None:
        weight = torch.ones(logits.shape[1], device=logits.device)
    levels = [(group.to(logits.device), importance) for group, importance in levels]
    return _DiceCrossEntropy.apply(logits, truth, weight, levels)
