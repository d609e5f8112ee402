"""Features of the network's bottleneck: what tells one exam from another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from BrainstemALSLib.errors import BrainstemALSError

from ..networks import structure_network
from ..origin import warm


def bottleneck_features(network: torch.nn.Module, window: torch.Tensor) -> np.ndarray:
    """Return the mean of every channel of the bottleneck over the window, float32 (filters,).

    Parameters
    ----------
    network : torch.nn.Module
        Its ``body`` is a DynUNet.
    window : torch.Tensor, shape (1, planes, i, j, k)
    """
    seen: list[torch.Tensor] = []
    hook = network.body.bottleneck.register_forward_hook(lambda *parts: seen.append(parts[2]))
    try:
        with torch.inference_mode():
            network(window)
    finally:
        hook.remove()
    return seen[0][0].float().mean((1, 2, 3)).cpu().numpy()


def exported_features(model: Path) -> Callable[[torch.Tensor], np.ndarray] | None:
    """Return what computes the bottleneck features of an exported model.

    A traced model's layers cannot be run one by one, but its weights fit the network of this
    version, which is run instead.

    Parameters
    ----------
    model : Path
        TorchScript with its sidecar beside it.

    Returns
    -------
    callable or None
        Window to features; None where the weights are of another network: then
        ``summary.pooled_features`` has to do.
    """
    try:
        network = warm(structure_network, model).eval()
    except BrainstemALSError:
        return None
    return lambda window: bottleneck_features(network, window.cpu())
