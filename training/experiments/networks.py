"""The small network of the study: a trunk that every method shares, and a head of its own."""

from __future__ import annotations

import torch

from ..networks import structure_network


class Headed(torch.nn.Module):
    """The product's architecture, smaller, with its last layer apart.

    Parameters
    ----------
    filters : sequence of int
        Of the DynUNet, by level.
    outputs : int
        Planes that the head gives.
    """

    def __init__(self, filters: tuple[int, ...], outputs: int):
        super().__init__()
        self.trunk = structure_network(tuple(filters))
        self.trunk.body.output_block = torch.nn.Identity()
        self.head = torch.nn.Conv3d(filters[0], outputs, 1)

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        """(n, outputs, i, j, k) from channels (n, planes, i, j, k)."""
        return self.head(self.trunk(channels))


def built(
    filters: tuple[int, ...],
    outputs: int,
    seed: int,
    pretrained: dict[str, torch.Tensor] | None = None,
) -> Headed:
    """Return a network with random weights, or with the trunk of another one.

    Parameters
    ----------
    filters, outputs
        As ``Headed`` takes them.
    seed : int
        Of the random weights.
    pretrained : dict, optional
        Weights of a ``Headed`` with the same filters; its head is left behind.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Headed(filters, outputs)
    if pretrained is not None:
        start = "trunk."
        trunk = {k.removeprefix(start): v for k, v in pretrained.items() if k.startswith(start)}
        network.trunk.load_state_dict(trunk)
    return network


def weights_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of all weights."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def run_network(network: torch.nn.Module, channels: torch.Tensor) -> torch.Tensor:
    """Run a network on the processor in bfloat16, where that is quickest."""
    with torch.autocast("cpu", torch.bfloat16):
        return network(channels)
