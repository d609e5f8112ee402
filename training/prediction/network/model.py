"""The network: four convolutions of MONAI on T1, FA and MD, with age, sex and head size beside."""

from __future__ import annotations

import torch
from monai.networks.nets import Regressor

from .images import CHANNELS, MD_MOST, SIZE

WIDTHS = (16, 32, 64, 64)
CODE = 16
"""Numbers that images come down to, before what is known beside them."""
KNOWN = 3
DROPOUT = 0.2
MIDDLE, SCALE = (0.85, 0.3, 0.7), (0.35, 0.2, 0.3)


class ImagingNetwork(torch.nn.Module):
    """Log-odds of ALS from images; small, as hundreds of people ask for."""

    def __init__(self):
        super().__init__()
        self.body = Regressor(
            (len(CHANNELS), *SIZE),
            (CODE,),
            channels=WIDTHS,
            strides=(2,) * len(WIDTHS),
            num_res_units=0,
            norm="BATCH",
            dropout=0.0,
        )
        self.drop = torch.nn.Dropout(DROPOUT)
        self.head = torch.nn.Linear(CODE + KNOWN, 1)

    def forward(self, images: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Return log-odds (n,).

        Parameters
        ----------
        images : torch.Tensor, shape (n, 3, i, j, k)
            Of ``prepared``.
        known : torch.Tensor, shape (n, 3)
        """
        return self.head(self.drop(torch.cat([self.body(images), known], 1)))[:, 0]


def prepared(images: torch.Tensor) -> torch.Tensor:
    """Return images (n, 3, i, j, k) about 0 and 1, float32."""
    images = images.float()
    images = torch.cat([images[:, :2], images[:, 2:].clamp(max=MD_MOST)], 1)
    middle, scale = (torch.tensor(v).reshape(1, -1, 1, 1, 1) for v in (MIDDLE, SCALE))
    return (images - middle) / scale
