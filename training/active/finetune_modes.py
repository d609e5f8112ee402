"""How much of the network a fine-tuning may change: with few corrections, less is safer."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize

FROZEN, LOW_RANK, FULL = "frozen", "low-rank", "full"
MODES = (FROZEN, LOW_RANK, FULL)
"""``frozen``: the last two levels of the decoder and the output learn. ``low-rank``: every
convolution of bottleneck and decoder gets an addition of rank ``RANK`` (Hu et al. 2021, LoRA,
arXiv:2106.09685), merged into its weights at the end; the output learns freely. ``full``: all."""
RATES = {FROZEN: 5e-4, LOW_RANK: 5e-4, FULL: 2e-4}
"""Peak learning rates; own choices, a quarter and a tenth of what training from scratch takes."""
RANK = 4
"""Own choice; Hu et al. find ranks of 1 to 8 enough."""
LAST_LEVELS = 2


class _LowRank(nn.Module):
    """A weight, and beside it the product of two thin matrices, which is 0 at first."""

    def __init__(self, weight: torch.Tensor, rank: int):
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(rank, rows, columns)
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weight with its addition."""
        return weight + (self.up @ self.down).reshape(weight.shape)


def open_to_learning(network: nn.Module, mode: str, seed: int = 1) -> nn.Module:
    """Let a part of a structure network learn, and fix the rest; in place.

    Parameters
    ----------
    network : WindowNetwork
        As ``training.networks.structure_network`` builds it.
    mode : str
        One of ``MODES``.
    seed : int
        Of the first matrices of ``low-rank``.

    Raises
    ------
    ValueError
        No such mode.
    """
    if mode not in MODES:
        raise ValueError(f"no such mode: {mode}")
    body = network.body
    network.requires_grad_(mode == FULL)
    if mode == FROZEN:
        for part in (*body.upsamples[-LAST_LEVELS:], body.output_block):
            part.requires_grad_(True)
    elif mode == LOW_RANK:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for part in (body.bottleneck, *body.upsamples):
                for layer in _convolutions(part):
                    addition = _LowRank(layer.weight, RANK)
                    parametrize.register_parametrization(layer, "weight", addition)
        body.output_block.requires_grad_(True)
    return network


def merged(network: nn.Module) -> nn.Module:
    """Write additions of low rank into the weights they belong to; in place."""
    for layer in _convolutions(network):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return network


def learning(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that learn."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _convolutions(part: nn.Module) -> list[nn.Module]:
    return [m for m in part.modules() if isinstance(m, nn.Conv3d | nn.ConvTranspose3d)]
